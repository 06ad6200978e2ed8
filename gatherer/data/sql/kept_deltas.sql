-- Changes without those that no piece wants.
SELECT * FROM staged_deltas WHERE line NOT IN (SELECT line FROM dropped) ORDER BY market_ticker, received_ns, line
