-- Snapshots, one row a level; a snapshot without levels is one row without them.
WITH heads AS (
    SELECT line, received_ns, conn_id, id, sid, seq, from_json(json, '{"data": {"msg": {"market_ticker": "VARCHAR",
        "yes_dollars_fp": [["VARCHAR"]], "no_dollars_fp": [["VARCHAR"]]}}}').data.msg AS msg
    FROM other WHERE type = 'orderbook_snapshot'
), levels AS (
    SELECT line, 'yes' AS side, unnest(msg.yes_dollars_fp) AS level FROM heads
    UNION ALL
    SELECT line, 'no' AS side, unnest(msg.no_dollars_fp) AS level FROM heads
)
SELECT
    h.msg.market_ticker AS market_ticker, l.side AS side, try_cast(l.level[1] AS DECIMAL(18,4)) AS price,
    try_cast(l.level[2] AS DECIMAL(18,2)) AS count, make_timestamptz(h.received_ns // 1000) AS received_at,
    h.received_ns AS received_ns, $gatherer AS gatherer, h.conn_id AS conn_id, coalesce(s.session, 0) AS session,
    h.sid AS sid, h.seq AS seq, $segment AS segment, h.line AS line, coalesce(h.id, 0) <> 0 AS asked
FROM heads AS h
LEFT JOIN sessions AS s ON h.conn_id = s.conn_id AND h.line >= s.first_line AND h.line < s.end_line
LEFT JOIN levels AS l ON h.line = l.line
WHERE h.msg.market_ticker IS NOT NULL
ORDER BY market_ticker, received_ns, h.line, side, price
