-- Changes as they are written, sorted for the file.
SELECT
    market_ticker, side, price, delta, ts, make_timestamptz(received_ns // 1000) AS received_at, received_ns,
    $gatherer AS gatherer, p.conn_id AS conn_id, coalesce(s.session, 0) AS session, sid, seq, $segment AS segment, line
FROM (
    SELECT * FROM parsed
    WHERE type = 'orderbook_delta' AND market_ticker IS NOT NULL AND price IS NOT NULL AND delta IS NOT NULL AND side IN ('yes', 'no')
) AS p
LEFT JOIN sessions AS s ON p.conn_id = s.conn_id AND p.line >= s.first_line AND p.line < s.end_line
ORDER BY market_ticker, received_ns, line
