-- What decides which books are whole: markers with their facts, and where snapshots stand. In the order of the lines.
SELECT line, received_ns, conn_id, marker, json_extract(json, '$.facts')::VARCHAR AS facts,
    NULL AS market_ticker, NULL AS sid, false AS asked
FROM other WHERE marker IS NOT NULL
UNION ALL
SELECT DISTINCT line, received_ns, conn_id, '', NULL, market_ticker, sid, asked FROM snapshots
ORDER BY 1
