-- What the trades say, once for all copies. `bucket` is the hour that a trade belongs to on every connection.
SELECT
    key, m.trade_id AS trade_id, m.market_ticker AS market_ticker, m.yes_price_dollars AS yes_price,
    m.no_price_dollars AS no_price, m.count_fp AS count, m.taker_outcome_side AS taker_outcome_side,
    m.taker_book_side AS taker_book_side, m.is_block_trade AS is_block_trade,
    coalesce(m.ts_ms, 1000 * try_cast(m.ts AS BIGINT), epoch_ms(try_cast(m.ts AS TIMESTAMPTZ))) AS ts,
    coalesce(m.ts_ms // 3600000, 0) AS bucket
FROM (
    SELECT key, from_json(json, '{"data": {"msg": {"trade_id": "VARCHAR", "market_ticker": "VARCHAR",
        "yes_price_dollars": "DECIMAL(18,4)", "no_price_dollars": "DECIMAL(18,4)", "count_fp": "DECIMAL(18,2)",
        "taker_outcome_side": "VARCHAR", "taker_book_side": "VARCHAR", "is_block_trade": "BOOLEAN", "ts": "VARCHAR",
        "ts_ms": "BIGINT"}}}').data.msg AS m
    FROM other JOIN (SELECT key, min(line) AS line FROM copies GROUP BY key) USING (line)
)
