-- Every copy of every trade in the segment. Copies with one `key` are one trade.
SELECT line, received_ns, conn_id, sid, seq, md5(json_extract_string(json, '$.data.msg.trade_id'))::UUID AS key
FROM other
WHERE type = 'trade' AND received_ns >= $start AND received_ns < $end
    AND json_extract_string(json, '$.data.msg.trade_id') IS NOT NULL
