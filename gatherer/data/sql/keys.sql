-- How often each connection sent each message of the segment: what later segments are compared with.
SELECT key, bucket, $gatherer || '/' || conn_id AS leg, $part AS part, count(*) AS n
FROM candidates GROUP BY key, bucket, conn_id
