-- The book of one market at one time: its last snapshot before that, and every change since.
WITH start AS (
    SELECT received_ns, segment, line FROM book_snapshots
    WHERE market_ticker = $ticker AND received_ns <= $at
    ORDER BY received_ns DESC, segment DESC, line DESC LIMIT 1
), rows AS (
    SELECT s.side, s.price, s.count, s.received_ns
    FROM book_snapshots AS s JOIN start ON s.received_ns = start.received_ns AND s.segment = start.segment AND s.line = start.line
    WHERE s.market_ticker = $ticker
    UNION ALL
    SELECT d.side, d.price, d.delta, d.received_ns
    FROM book_deltas AS d, start
    WHERE d.market_ticker = $ticker AND d.received_ns >= start.received_ns AND d.received_ns <= $at
        AND (d.received_ns > start.received_ns OR (d.segment, d.line) > (start.segment, start.line))
)
SELECT side, price, sum(count) AS count, max(max(received_ns)) OVER () AS last_message_at
FROM rows GROUP BY side, price ORDER BY side, price DESC
