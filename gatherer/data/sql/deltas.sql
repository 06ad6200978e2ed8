-- The order book changes of one segment, sorted for the file. Lines are found as text first, because most of them are
-- changes and few fields are needed. What is the same in all rows is added after the sort. A line that only looks like a
-- change has no market here: see lookalikes.sql.
SELECT
    market_ticker, side, price, delta, ts, make_timestamptz(received_ns // 1000) AS received_at, received_ns,
    $gatherer AS gatherer, conn_id, session, sid, seq, $segment AS segment, line
FROM (
    SELECT
        CASE WHEN is_change THEN m.market_ticker END AS market_ticker, m.side AS side, m.price_dollars AS price,
        m.delta_fp AS delta, CASE WHEN m.ts_ms IS NOT NULL THEN m.ts_ms ELSE late_ts END AS ts, received_ns, p.conn_id AS conn_id,
        coalesce(s.session, 0) AS session, sid, seq, line
    FROM (
        SELECT
            line, r.received_at AS received_ns, r.conn_id AS conn_id, r.data.sid AS sid, r.data.seq AS seq, r.data.msg AS m,
            coalesce(r.data.type = 'orderbook_delta' AND r.data.msg.market_ticker IS NOT NULL
                AND r.data.msg.side IN ('yes', 'no') AND r.data.msg.price_dollars IS NOT NULL
                AND r.data.msg.delta_fp IS NOT NULL, false) AS is_change,
            CASE WHEN r.data.msg.ts_ms IS NULL
                THEN epoch_ms(try_cast(json_extract_string(json, '$.data.msg.ts') AS TIMESTAMPTZ)) END AS late_ts
        FROM (
            SELECT line, json, from_json(json, '{
                "received_at": "BIGINT", "conn_id": "INTEGER", "data": {"type": "VARCHAR", "sid": "BIGINT", "seq": "BIGINT",
                "msg": {"market_ticker": "VARCHAR", "side": "VARCHAR", "price_dollars": "DECIMAL(18,4)",
                "delta_fp": "DECIMAL(18,2)", "ts_ms": "BIGINT"}}}') AS r
            FROM (
                SELECT row_number() OVER () AS line, json
                FROM read_ndjson_objects($path, maximum_object_size = 25165824)
            )
            WHERE contains(json, '"orderbook_delta"') AND NOT contains(json, ',"marker":"')
        )
    ) AS p
    LEFT JOIN sessions AS s ON p.conn_id = s.conn_id AND line >= s.first_line AND line < s.end_line
    ORDER BY market_ticker, received_ns, line
)
