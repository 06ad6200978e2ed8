-- Every copy of every trade in the segment. `key` is what makes two copies one trade, `bucket` the hour it belongs to.
WITH copies AS (
    SELECT *, from_json(json, '{"data": {"msg": {"trade_id": "VARCHAR", "market_ticker": "VARCHAR",
        "yes_price_dollars": "DECIMAL(18,4)", "no_price_dollars": "DECIMAL(18,4)", "count_fp": "DECIMAL(18,2)",
        "taker_outcome_side": "VARCHAR", "taker_book_side": "VARCHAR", "is_block_trade": "BOOLEAN", "ts": "VARCHAR",
        "ts_ms": "BIGINT"}}}').data.msg AS m
    FROM other WHERE type = 'trade' AND received_ns >= $start AND received_ns < $end
)
SELECT
    m.trade_id AS trade_id, m.market_ticker AS market_ticker, m.yes_price_dollars AS yes_price,
    m.no_price_dollars AS no_price, m.count_fp AS count, m.taker_outcome_side AS taker_outcome_side,
    m.taker_book_side AS taker_book_side, m.is_block_trade AS is_block_trade,
    coalesce(m.ts_ms, 1000 * try_cast(m.ts AS BIGINT), epoch_ms(try_cast(m.ts AS TIMESTAMPTZ))) AS ts,
    make_timestamptz(received_ns // 1000) AS received_at, received_ns, $gatherer AS gatherer, c.conn_id AS conn_id,
    coalesce(s.session, 0) AS session, sid, seq, $segment AS segment, line, md5(m.trade_id)::UUID AS key,
    coalesce(m.ts_ms // 3600000, 0) AS bucket
FROM copies AS c
LEFT JOIN sessions AS s ON c.conn_id = s.conn_id AND c.line >= s.first_line AND c.line < s.end_line
WHERE m.trade_id IS NOT NULL
