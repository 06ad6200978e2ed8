-- The days (counted from 1970) of the markets that these segments say something about.
SELECT DISTINCT first_ns // 86400000000000 FROM markets
WHERE market_ticker IN (
    SELECT market_ticker FROM lifecycle
    JOIN (SELECT unnest($gatherers::VARCHAR[]) AS gatherer, unnest($segments::VARCHAR[]) AS segment) USING (gatherer, segment)
)
