1,080,000 markets on 144 connections take about 320 bytes of memory each besides their tickers. No reactor turn of the start-up is longer than 100 ms. docs/scale.md has the figures and the limits.
