-- What the ticker messages say, once for all copies.
SELECT
    key, m.market_ticker AS market_ticker, m.price_dollars AS price, m.yes_bid_dollars AS yes_bid,
    m.yes_ask_dollars AS yes_ask, m.yes_bid_size_fp AS yes_bid_size, m.yes_ask_size_fp AS yes_ask_size,
    m.last_trade_size_fp AS last_trade_size, m.volume_fp AS volume, m.open_interest_fp AS open_interest,
    m.dollar_volume AS dollar_volume, m.dollar_open_interest AS dollar_open_interest,
    coalesce(m.ts_ms, 1000 * try_cast(m.ts AS BIGINT), epoch_ms(try_cast(m.ts AS TIMESTAMPTZ))) AS ts,
    coalesce(m.ts_ms // 3600000, 0) AS bucket
FROM (
    SELECT key, from_json(json, '{"data": {"msg": {"market_ticker": "VARCHAR", "price_dollars": "DECIMAL(18,4)",
        "yes_bid_dollars": "DECIMAL(18,4)", "yes_ask_dollars": "DECIMAL(18,4)", "yes_bid_size_fp": "DECIMAL(18,2)",
        "yes_ask_size_fp": "DECIMAL(18,2)", "last_trade_size_fp": "DECIMAL(18,2)", "volume_fp": "DECIMAL(18,2)",
        "open_interest_fp": "DECIMAL(18,2)", "dollar_volume": "DECIMAL(18,2)",
        "dollar_open_interest": "DECIMAL(18,2)", "ts": "VARCHAR", "ts_ms": "BIGINT"}}}').data.msg AS m
    FROM other JOIN (SELECT key, min(line) AS line FROM copies GROUP BY key) USING (line)
)
