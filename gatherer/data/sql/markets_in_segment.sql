-- How many rows each market has in the segment, states included: markets go through Python in batches of rows.
SELECT market_ticker, sum(n)::BIGINT AS n FROM (
    SELECT market_ticker, count(*) AS n FROM staged_deltas GROUP BY market_ticker
    UNION ALL
    SELECT market_ticker, count(*) FROM staged_snapshots GROUP BY market_ticker
    UNION ALL
    SELECT market_ticker, count(*) FROM state GROUP BY market_ticker
) GROUP BY market_ticker ORDER BY market_ticker
