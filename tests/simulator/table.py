"""Shape to its source and its fields. `tests/simulator/fields.py` says how to read it."""

TABLE: dict[str, tuple[str, str]] = {
    # -- REST -----------------------------------------------------------------------------------
    "GET /markets": ("section 6, GET /markets", """
        [market]: markets
        text: cursor"""),
    "GET /markets/{ticker}": ("section 6, GET /markets", """
        market: market"""),
    "market": ("section 6, required in every market row. Not specified: liquidity_dollars, see rest/rows.py", """
        name: ticker event_ticker mve_collection_ticker?
        text: title? subtitle? yes_sub_title no_sub_title expiration_value rules_primary rules_secondary
        text: price_level_structure
        market_type: market_type
        status: status
        result: result
        bounds: settlement_bounds_type
        strike_type: strike_type?
        time: created_time updated_time open_time close_time latest_expiration_time
        time: expected_expiration_time? expiration_time? settlement_ts?
        integer: settlement_timer_seconds exchange_index?
        boolean: can_close_early is_provisional?
        dollars: yes_bid_dollars yes_ask_dollars no_bid_dollars no_ask_dollars last_price_dollars
        dollars: previous_yes_bid_dollars previous_yes_ask_dollars previous_price_dollars notional_value_dollars
        dollars: settlement_value_dollars? liquidity_dollars?
        count: yes_bid_size_fp yes_ask_size_fp volume_fp volume_24h_fp open_interest_fp
        [price_range]: price_ranges
        [text]: mve_selected_legs?"""),
    "price_range": ("OpenAPI 3.34, PriceRange", """
        dollars: start end step"""),
    "GET /markets/{ticker}/orderbook": ("section 6, order books", """
        rest_book: orderbook_fp"""),
    "GET /markets/orderbooks": ("section 6, order books", """
        [rest_books_row]: orderbooks"""),
    "rest_books_row": ("OpenAPI 3.34, MarketOrderbookFp", """
        name: ticker
        rest_book: orderbook_fp"""),
    "rest_book": ("OpenAPI 3.34, OrderbookCountFp: both sides are required here, empty or not", """
        [level]: yes_dollars no_dollars"""),
    "GET /markets/trades": ("OpenAPI 3.34, GetTradesResponse", """
        [rest_trade]: trades
        text: cursor"""),
    "rest_trade": ("OpenAPI 3.34, Trade", """
        uuid: trade_id
        name: ticker
        count: count_fp
        dollars: yes_price_dollars no_price_dollars
        side: taker_side? taker_outcome_side
        book_side: taker_book_side
        time: created_time
        boolean: is_block_trade"""),
    "GET /exchange/status": ("section 6, GET /exchange/status", """
        boolean: exchange_active trading_active intra_exchange_transfers_active?
        time: exchange_estimated_resume_time?~
        [shard]: exchange_index_statuses?"""),
    "shard": ("section 6, GET /exchange/status", """
        integer: exchange_index
        boolean: exchange_active trading_active intra_exchange_transfers_active
        text: description"""),
    "GET /exchange/schedule": ("section 6, GET /exchange/status", """
        schedule: schedule"""),
    "schedule": ("OpenAPI 3.34, Schedule; there is never a maintenance window", """
        [week]: standard_hours
        [text]: maintenance_windows"""),
    "week": ("OpenAPI 3.34, WeeklySchedule", """
        time: start_time end_time
        [day]: monday tuesday wednesday thursday friday saturday sunday"""),
    "day": ("OpenAPI 3.34, DailySchedule", """
        hours: open_time close_time"""),
    "GET /account/limits": ("section 6, rate limits; there is never a grant", """
        text: usage_tier
        bucket: read write
        [text]: grants"""),
    "bucket": ("OpenAPI 3.34, BucketLimit", """
        integer: refill_rate bucket_capacity"""),
    "GET /account/endpoint_costs": ("section 6, rate limits; all endpoints cost the same", """
        integer: default_cost
        [text]: endpoint_costs"""),
    "HTTP error": ("section 1, authentication; OpenAPI 3.34, ErrorResponse, inside `error` as seen", """
        error_facts: error"""),
    "error_facts": ("OpenAPI 3.34, ErrorResponse (without `service` since August 2026)", """
        text: code? message? details?"""),
    "HTTP 429": ("section 6, rate limits", """
        text: error"""),
    # -- WebSocket: replies ---------------------------------------------------------------------
    "subscribed": ("section 3, subscribe", """
        integer: id?
        text: type
        subscription: msg"""),
    "subscription": ("section 3, subscribe", """
        text: channel
        integer: sid"""),
    "ok": ("section 3, update_subscription", """
        integer: id? sid seq
        text: type
        market_list: msg"""),
    "market_list": ("section 3: without the list after skip_ticker_ack", """
        [name]: market_tickers?"""),
    "ok list": ("section 3, list_subscriptions: no sid and no seq", """
        integer: id?
        text: type
        [subscription]: msg"""),
    "unsubscribed": ("section 3, unsubscribe", """
        integer: id? sid seq
        text: type"""),
    "error": ("section 3, errors: sid and seq together, if the error is about a subscription", """
        integer: id? sid? seq?
        text: type
        ws_error: msg"""),
    "ws_error": ("section 3, errors", """
        integer: code
        text: msg"""),
    # -- WebSocket: data ------------------------------------------------------------------------
    "orderbook_snapshot": ("section 5; the id answers get_snapshot", """
        text: type
        integer: id? sid seq
        book: msg"""),
    "book": ("section 5: an empty side has no key", """
        name: market_ticker
        uuid: market_id
        [level]: yes_dollars_fp? no_dollars_fp?"""),
    "orderbook_delta": ("section 5", """
        text: type
        integer: sid seq
        delta: msg"""),
    "delta": ("section 5", """
        name: market_ticker
        uuid: market_id
        dollars: price_dollars
        change: delta_fp
        side: side
        time: ts?
        integer: ts_ms?"""),
    "ticker": ("sections 4 and 5: no seq", """
        text: type
        integer: sid
        ticker_body: msg"""),
    "ticker_body": ("section 5; AsyncAPI, tickerPayload", """
        name: market_ticker
        uuid: market_id
        dollars: price_dollars yes_bid_dollars yes_ask_dollars
        count: yes_bid_size_fp yes_ask_size_fp last_trade_size_fp volume_fp open_interest_fp
        integer: dollar_volume dollar_open_interest ts ts_ms
        time: time"""),
    "trade": ("section 5", """
        text: type
        integer: sid seq
        trade_body: msg"""),
    "trade_body": ("section 5; AsyncAPI, tradePayload: taker_side is deprecated and required", """
        uuid: trade_id
        name: market_ticker
        dollars: yes_price_dollars no_price_dollars
        count: count_fp
        side: taker_side taker_outcome_side
        book_side: taker_book_side
        boolean: is_block_trade
        integer: ts ts_ms"""),
    # -- WebSocket: lifecycle. A shape for each event_type, since each has its own fields. ----------
    **{
        name: ("section 5, lifecycle", f"""
        text: type
        integer: sid seq
        {name}_body: msg""")
        for name in (
            "created", "multivariate_created", "activated", "deactivated", "close_date_updated", "determined",
            "settled", "metadata_updated", "price_level_structure_updated", "event_lifecycle", "event_fee_update",
        )
    },
    "created_body": ("section 5; AsyncAPI, marketLifecycleV2Payload", """
        name: market_ticker
        text: event_type price_level_structure?
        integer: open_ts? close_ts? exchange_index?
        [price_range]: price_ranges?
        metadata: additional_metadata?"""),
    "multivariate_created_body": ("AsyncAPI, multivariateMarketLifecyclePayload: without price_ranges", """
        name: market_ticker
        text: event_type price_level_structure?
        integer: open_ts? close_ts? exchange_index?
        metadata: additional_metadata?"""),
    "metadata": ("AsyncAPI, lifecycleAdditionalMetadata", """
        text: name title yes_sub_title no_sub_title rules_primary rules_secondary
        name: event_ticker
        boolean: can_close_early
        integer: expected_expiration_ts
        strike_type: strike_type?"""),
    "activated_body": ("section 5", """
        name: market_ticker
        text: event_type
        boolean: is_deactivated?"""),
    "deactivated_body": ("section 5", """
        name: market_ticker
        text: event_type
        boolean: is_deactivated?"""),
    "close_date_updated_body": ("section 5", """
        name: market_ticker
        text: event_type
        integer: close_ts?"""),
    "determined_body": ("section 5", """
        name: market_ticker
        text: event_type
        result: result?
        dollars: settlement_value?
        integer: determination_ts?"""),
    "settled_body": ("section 5", """
        name: market_ticker
        text: event_type
        integer: settled_ts?"""),
    "metadata_updated_body": ("section 5", """
        name: market_ticker
        text: event_type yes_sub_title?
        strike_type: strike_type?"""),
    "price_level_structure_updated_body": ("section 5", """
        name: market_ticker
        text: event_type price_level_structure?
        [price_range]: price_ranges?"""),
    "event_lifecycle_body": ("section 5; AsyncAPI, eventLifecyclePayload", """
        name: event_ticker series_ticker
        text: title subtitle
        collateral: collateral_return_type
        integer: exchange_index"""),
    "event_fee_update_body": ("section 5: null clears the override", """
        name: event_ticker
        text: fee_type_override~
        number: fee_multiplier_override~"""),
}  # fmt: skip
