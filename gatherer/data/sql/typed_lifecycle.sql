-- What the lifecycle messages say, once for all copies. They have no time of their own, so all are in one bucket.
SELECT
    key, m.market_ticker AS market_ticker, type, m.event_type AS event_type,
    coalesce(m.event_ticker, m.additional_metadata.event_ticker) AS event_ticker, m.open_ts AS open_ts,
    m.close_ts AS close_ts, m.result AS result, try_cast(m.settlement_value AS DECIMAL(18,4)) AS settlement_value, body,
    coalesce(m.ts_ms, 1000 * try_cast(m.ts AS BIGINT), epoch_ms(try_cast(m.ts AS TIMESTAMPTZ))) AS ts,
    0::BIGINT AS bucket
FROM (
    SELECT key, type, json_extract(json, '$.data.msg')::VARCHAR AS body, from_json(json, '{"data": {"msg": {
        "market_ticker": "VARCHAR", "event_type": "VARCHAR", "event_ticker": "VARCHAR", "open_ts": "BIGINT",
        "close_ts": "BIGINT", "result": "VARCHAR", "settlement_value": "VARCHAR", "ts": "VARCHAR", "ts_ms": "BIGINT",
        "additional_metadata": {"event_ticker": "VARCHAR"}}}}').data.msg AS m
    FROM other JOIN (SELECT key, min(line) AS line FROM copies GROUP BY key) USING (line)
)
