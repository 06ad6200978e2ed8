-- Every message that makes the book of one market, in order; a snapshot is as many rows as it has levels.
SELECT received_ns, segment, line, true AS is_snapshot, side, price, count FROM book_snapshots
WHERE market_ticker = $ticker AND received_ns < $end
UNION ALL
SELECT received_ns, segment, line, false, side, price, delta FROM book_deltas
WHERE market_ticker = $ticker AND received_ns < $end
ORDER BY received_ns, segment, line
