-- Snapshots as they are written: those of the exchange that a piece wants, and those made for switches.
SELECT
    market_ticker, side, price, count, received_at, received_ns, gatherer, conn_id, session, sid, seq, segment, line
FROM staged_snapshots WHERE line NOT IN (SELECT line FROM dropped)
UNION ALL
SELECT
    market_ticker, CASE side WHEN 0 THEN 'yes' WHEN 1 THEN 'no' END, CASE WHEN side < 2 THEN price * 0.0001 END,
    CASE WHEN side < 2 THEN quantity * 0.01 END, make_timestamptz(received_ns // 1000), received_ns, $gatherer, conn_id,
    session, sid, seq, segment, line
FROM made
ORDER BY market_ticker, received_ns, segment, line, side, price
