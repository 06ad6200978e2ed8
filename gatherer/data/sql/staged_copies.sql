-- The copies as they wait for being chosen.
SELECT c.key AS key, bucket, line, received_ns, c.conn_id AS conn_id, coalesce(s.session, 0) AS session, sid, seq
FROM copies AS c
JOIN (SELECT key, bucket FROM typed) USING (key)
LEFT JOIN sessions AS s ON c.conn_id = s.conn_id AND c.line >= s.first_line AND c.line < s.end_line
