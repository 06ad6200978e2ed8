-- The order book changes of one segment. Lines are found as text first, because most of them are changes and few fields
-- are needed; a line that only looks like a change keeps its text, for lookalikes.sql.
CREATE OR REPLACE TEMP TABLE parsed AS
SELECT
    line, r.received_at AS received_ns, r.conn_id AS conn_id, r.data.type AS type, r.data.sid AS sid, r.data.seq AS seq,
    r.data.msg.market_ticker AS market_ticker, r.data.msg.side AS side, r.data.msg.price_dollars AS price,
    r.data.msg.delta_fp AS delta, CASE WHEN r.data.msg.ts_ms IS NOT NULL THEN r.data.msg.ts_ms
        ELSE epoch_ms(try_cast(json_extract_string(json, '$.data.msg.ts') AS TIMESTAMPTZ)) END AS ts,
    CASE WHEN r.data.type IS DISTINCT FROM 'orderbook_delta' THEN json END AS text
FROM (
    SELECT line, json, from_json(json, '{
        "received_at": "BIGINT", "conn_id": "INTEGER", "data": {"type": "VARCHAR", "sid": "BIGINT", "seq": "BIGINT", "msg": {
            "market_ticker": "VARCHAR", "side": "VARCHAR", "price_dollars": "DECIMAL(18,4)", "delta_fp": "DECIMAL(18,2)",
            "ts_ms": "BIGINT"}}}') AS r
    FROM (
        SELECT row_number() OVER () AS line, json FROM read_ndjson_objects($path, maximum_object_size = 33554432)
    )
    WHERE contains(json, '"orderbook_delta"') AND NOT contains(json, ',"marker":"')
)
