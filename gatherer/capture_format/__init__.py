"""The format of a capture on disk: records, zstd frames, segment files, and how they are recovered and read.

Here are bytes and files only: no reactor, no settings, no verdicts. The router writes with it; whoever reads a capture
reads with it, or lets DuckDB read the files.
"""
