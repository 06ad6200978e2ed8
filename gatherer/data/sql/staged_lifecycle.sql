-- Every copy of every lifecycle message in the segment. They have no time of their own, so all are in one bucket.
WITH copies AS (
    SELECT *, json_extract(json, '$.data.msg')::VARCHAR AS body, from_json(json, '{"data": {"msg": {
        "market_ticker": "VARCHAR", "event_type": "VARCHAR", "event_ticker": "VARCHAR", "open_ts": "BIGINT",
        "close_ts": "BIGINT", "result": "VARCHAR", "settlement_value": "VARCHAR", "ts": "VARCHAR", "ts_ms": "BIGINT",
        "additional_metadata": {"event_ticker": "VARCHAR"}}}}').data.msg AS m
    FROM other
    WHERE type IN ('market_lifecycle_v2', 'multivariate_market_lifecycle', 'event_lifecycle', 'event_fee_update')
        AND received_ns >= $start AND received_ns < $end
)
SELECT
    m.market_ticker AS market_ticker, type, m.event_type AS event_type,
    coalesce(m.event_ticker, m.additional_metadata.event_ticker) AS event_ticker, m.open_ts AS open_ts,
    m.close_ts AS close_ts, m.result AS result, try_cast(m.settlement_value AS DECIMAL(18,4)) AS settlement_value, body,
    coalesce(m.ts_ms, 1000 * try_cast(m.ts AS BIGINT), epoch_ms(try_cast(m.ts AS TIMESTAMPTZ))) AS ts,
    make_timestamptz(received_ns // 1000) AS received_at, received_ns, $gatherer AS gatherer, c.conn_id AS conn_id,
    coalesce(s.session, 0) AS session, sid, seq, $segment AS segment, line, md5(type || body)::UUID AS key,
    0::BIGINT AS bucket
FROM copies AS c
LEFT JOIN sessions AS s ON c.conn_id = s.conn_id AND c.line >= s.first_line AND c.line < s.end_line
WHERE body IS NOT NULL
