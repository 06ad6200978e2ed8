1,080,000 markets on 144 connections take about 320 bytes of memory each besides their tickers, and no reactor turn of the start-up passes 100 ms; docs/scale.md has the figures and what limits.
