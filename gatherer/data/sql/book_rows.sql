-- Rows of the markets from $first to $last for `books.MarketBooks`: what earlier segments left, then the messages.
SELECT * FROM (
    SELECT market_ticker, 0 AS kind, conn_id, side, price, quantity, 0 AS received_ns, line, session, sid, seq, segment
    FROM state WHERE market_ticker >= $first AND market_ticker <= $last
    UNION ALL
    SELECT market_ticker, 1, conn_id, CASE side WHEN 'yes' THEN 0 WHEN 'no' THEN 1 ELSE 2 END, coalesce(price * 10000, 0)::BIGINT,
        coalesce(count * 100, 0)::BIGINT, received_ns, line, session, coalesce(sid, 0), coalesce(seq, 0), ''
    FROM staged_snapshots WHERE market_ticker >= $first AND market_ticker <= $last
    UNION ALL
    SELECT market_ticker, 2, conn_id, CASE side WHEN 'yes' THEN 0 ELSE 1 END, (price * 10000)::BIGINT, (delta * 100)::BIGINT,
        received_ns, line, session, coalesce(sid, 0), coalesce(seq, 0), ''
    FROM staged_deltas WHERE market_ticker >= $first AND market_ticker <= $last
) ORDER BY market_ticker, kind > 0, CASE WHEN kind = 0 THEN 0 ELSE line END
