-- Every copy of every ticker message in the segment. Two copies are one message if their bodies are one text.
SELECT line, received_ns, conn_id, sid, seq, md5(json_extract(json, '$.data.msg')::VARCHAR)::UUID AS key
FROM other
WHERE type = 'ticker' AND received_ns >= $start AND received_ns < $end
