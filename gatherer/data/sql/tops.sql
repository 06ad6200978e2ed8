-- Tops of the books as they are written: NULL where nobody bids.
SELECT
    market_ticker,
    CASE WHEN yes_count > 0 THEN yes * 0.0001 END AS yes_bid, CASE WHEN yes_count > 0 THEN yes_count * 0.01 END AS yes_bid_size,
    CASE WHEN no_count > 0 THEN 1 - no * 0.0001 END AS yes_ask, CASE WHEN no_count > 0 THEN no_count * 0.01 END AS yes_ask_size,
    CASE WHEN no_count > 0 THEN no * 0.0001 END AS no_bid, CASE WHEN no_count > 0 THEN no_count * 0.01 END AS no_bid_size,
    CASE WHEN yes_count > 0 THEN 1 - yes * 0.0001 END AS no_ask, CASE WHEN yes_count > 0 THEN yes_count * 0.01 END AS no_ask_size,
    make_timestamptz(received_ns // 1000) AS received_at, received_ns, $gatherer AS gatherer, conn_id, session, sid, seq,
    segment, line
FROM tops
ORDER BY market_ticker, received_ns, segment, line
