`twistd kalshi-simulator` is an exchange on your own machine that any Kalshi client can use, with made-up markets and faults on request; see docs/simulator.md.
