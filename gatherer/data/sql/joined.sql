-- The rows of this segment that no segment before it has brought. The n-th equal message of one connection is the n-th
-- of another, so a message is new when it is the n-th of its connection and fewer than n are written.
WITH legs AS (
    SELECT key, leg, part, n FROM keys WHERE key IN (SELECT key FROM candidates)
), earlier AS (
    SELECT key, leg, sum(n)::BIGINT AS n FROM legs WHERE part IN (SELECT part FROM done) GROUP BY key, leg
), written AS (
    SELECT key, max(n) AS n FROM earlier GROUP BY key
), copies AS (
    SELECT key, count(DISTINCT leg) AS copies FROM legs GROUP BY key
), numbered AS (
    SELECT key, conn_id, line, received_ns, row_number() OVER (PARTITION BY key, conn_id ORDER BY line) AS n FROM candidates
), new AS (
    SELECT arg_min(c.line, (c.received_ns, c.line)) AS line
    FROM numbered AS c
    LEFT JOIN earlier AS e ON c.key = e.key AND e.leg = $gatherer || '/' || c.conn_id
    LEFT JOIN written AS w ON c.key = w.key
    WHERE c.n + coalesce(e.n, 0) > coalesce(w.n, 0) AND ($many OR c.n + coalesce(e.n, 0) = 1)
    GROUP BY c.key, c.n + coalesce(e.n, 0)
)
SELECT
    t.* EXCLUDE (key, bucket), coalesce(copies.copies, 1) AS copies, make_timestamptz(c.received_ns // 1000) AS received_at,
    c.received_ns AS received_ns, $gatherer AS gatherer, c.conn_id AS conn_id, c.session AS session, c.sid AS sid,
    c.seq AS seq, $segment AS segment, c.line AS line
FROM candidates AS c
JOIN new ON c.line = new.line
JOIN typed AS t ON c.key = t.key
LEFT JOIN copies ON c.key = copies.key
ORDER BY market_ticker, received_ns, line
