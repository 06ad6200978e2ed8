-- The book of one market at one time, as coverage knows it: the interval that holds the time.
SELECT state, why, gatherer, "from", "to" FROM coverage
WHERE channel = 'orderbook_delta' AND market_ticker = $ticker AND "from" <= $at AND "to" > $at
