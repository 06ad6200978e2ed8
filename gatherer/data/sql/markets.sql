-- What the lifecycle messages said of each market; of a field that changed, what was said last.
SELECT
    market_ticker, arg_max(event_ticker, received_ns) AS event_ticker,
    arg_max(json_extract_string(body, '$.additional_metadata.title'), received_ns) AS title,
    arg_max(event_type, received_ns) AS last_event, arg_max(open_ts, received_ns) AS open_ts,
    arg_max(close_ts, received_ns) AS close_ts, arg_max(result, received_ns) AS result,
    arg_max(settlement_value, received_ns) AS settlement_value, count(*) AS messages, min(received_ns) AS first_ns,
    max(received_ns) AS last_ns
FROM lifecycle
WHERE market_ticker IS NOT NULL
GROUP BY market_ticker
ORDER BY market_ticker
