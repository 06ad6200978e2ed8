"""What a running gatherer is made of: the builder makes the parts, `Application` adds what signals and systemd ask for.

Only `cli` and twistd's plugins may import it. It exports nothing: the builder imports autobahn, and that
installs a reactor, so twistd must have chosen its reactor before any module of this package is loaded.
"""
