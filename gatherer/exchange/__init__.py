"""The shell towards the exchange: sockets, signatures, REST."""
