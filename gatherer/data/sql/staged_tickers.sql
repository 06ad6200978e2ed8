-- Every copy of every ticker message in the segment. Two copies are one message if their bodies are one text.
WITH copies AS (
    SELECT *, json_extract(json, '$.data.msg')::VARCHAR AS body, from_json(json, '{"data": {"msg": {
        "market_ticker": "VARCHAR", "price_dollars": "DECIMAL(18,4)", "yes_bid_dollars": "DECIMAL(18,4)",
        "yes_ask_dollars": "DECIMAL(18,4)", "yes_bid_size_fp": "DECIMAL(18,2)", "yes_ask_size_fp": "DECIMAL(18,2)",
        "last_trade_size_fp": "DECIMAL(18,2)", "volume_fp": "DECIMAL(18,2)", "open_interest_fp": "DECIMAL(18,2)",
        "dollar_volume": "DECIMAL(18,2)", "dollar_open_interest": "DECIMAL(18,2)", "ts": "VARCHAR", "ts_ms": "BIGINT"
        }}}').data.msg AS m
    FROM other WHERE type = 'ticker' AND received_ns >= $start AND received_ns < $end
)
SELECT
    m.market_ticker AS market_ticker, m.price_dollars AS price, m.yes_bid_dollars AS yes_bid,
    m.yes_ask_dollars AS yes_ask, m.yes_bid_size_fp AS yes_bid_size, m.yes_ask_size_fp AS yes_ask_size,
    m.last_trade_size_fp AS last_trade_size, m.volume_fp AS volume, m.open_interest_fp AS open_interest,
    m.dollar_volume AS dollar_volume, m.dollar_open_interest AS dollar_open_interest,
    coalesce(m.ts_ms, 1000 * try_cast(m.ts AS BIGINT), epoch_ms(try_cast(m.ts AS TIMESTAMPTZ))) AS ts,
    make_timestamptz(received_ns // 1000) AS received_at, received_ns, $gatherer AS gatherer, c.conn_id AS conn_id,
    coalesce(s.session, 0) AS session, sid, seq, $segment AS segment, line, md5(body)::UUID AS key,
    coalesce(m.ts_ms // 3600000, 0) AS bucket
FROM copies AS c
LEFT JOIN sessions AS s ON c.conn_id = s.conn_id AND c.line >= s.first_line AND c.line < s.end_line
WHERE m.market_ticker IS NOT NULL
