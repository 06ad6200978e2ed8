"""`gatherer-top`: the status page in a terminal, fed by the same server-sent events. Knows no part of the gatherer."""
