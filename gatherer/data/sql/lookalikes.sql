-- Lines that only look like a change of a book belong to the others.
INSERT INTO other
SELECT line, text, h.received_at, h.conn_id, h.marker, h.data.type, h.data.id, h.data.sid, h.data.seq
FROM (
    SELECT line, text, from_json(text, '{"received_at": "BIGINT", "conn_id": "INTEGER", "marker": "VARCHAR",
        "data": {"type": "VARCHAR", "id": "BIGINT", "sid": "BIGINT", "seq": "BIGINT"}}') AS h
    FROM parsed WHERE text IS NOT NULL
)
