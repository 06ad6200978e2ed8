-- All other lines of the segment: few, and each kind has its own fields.
CREATE OR REPLACE TEMP TABLE other AS
SELECT
    line, json, h.received_at AS received_ns, h.conn_id AS conn_id, h.marker AS marker, h.data.type AS type, h.data.id AS id,
    h.data.sid AS sid, h.data.seq AS seq
FROM (
    SELECT line, json, from_json(json, '{"received_at": "BIGINT", "conn_id": "INTEGER", "marker": "VARCHAR",
        "data": {"type": "VARCHAR", "id": "BIGINT", "sid": "BIGINT", "seq": "BIGINT"}}') AS h
    FROM (
        SELECT row_number() OVER () AS line, json FROM read_ndjson_objects($path, maximum_object_size = 25165824)
    )
    WHERE NOT contains(json, '"orderbook_delta"') OR contains(json, ',"marker":"')
)
