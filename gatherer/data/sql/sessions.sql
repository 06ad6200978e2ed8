-- When the session of each connection opened, and for which lines of this segment that holds.
CREATE OR REPLACE TEMP TABLE sessions AS
WITH openings AS (
    SELECT conn_id, 0::BIGINT AS line, session FROM earlier_sessions
    UNION ALL
    SELECT conn_id, line, received_ns FROM other WHERE marker = 'session_up'
)
SELECT conn_id, session, line AS first_line, lead(line, 1, 9223372036854775807) OVER (PARTITION BY conn_id ORDER BY line) AS end_line
FROM openings
