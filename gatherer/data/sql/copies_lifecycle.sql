-- Every copy of every lifecycle message in the segment, recognised likewise.
SELECT line, received_ns, conn_id, sid, seq, md5(type || json_extract(json, '$.data.msg')::VARCHAR)::UUID AS key
FROM other
WHERE type IN ('market_lifecycle_v2', 'multivariate_market_lifecycle', 'event_lifecycle', 'event_fee_update')
    AND received_ns >= $start AND received_ns < $end
