-- When the last message of each connection was read, in the order of the lines.
SELECT conn_id, arg_max(received_ns, line) AS received_ns FROM (
    SELECT conn_id, line, received_ns FROM deltas WHERE market_ticker IS NOT NULL
    UNION ALL
    SELECT conn_id, line, received_ns FROM other WHERE marker IS NULL
) WHERE conn_id IS NOT NULL AND received_ns IS NOT NULL GROUP BY conn_id
