-- Lines that only look like a change of a book belong to the others. There are hardly ever any.
INSERT INTO other
SELECT line, json, h.received_at, h.conn_id, h.marker, h.data.type, h.data.id, h.data.sid, h.data.seq
FROM (
    SELECT line, json, from_json(json, '{"received_at": "BIGINT", "conn_id": "INTEGER", "marker": "VARCHAR",
        "data": {"type": "VARCHAR", "id": "BIGINT", "sid": "BIGINT", "seq": "BIGINT"}}') AS h
    FROM (
        SELECT row_number() OVER () AS line, json FROM read_ndjson_objects($path, maximum_object_size = 25165824)
    )
    WHERE line IN (SELECT line FROM deltas WHERE market_ticker IS NULL)
)
