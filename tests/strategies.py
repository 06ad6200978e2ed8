"""Hypothesis strategies shared by the tests."""

from hypothesis import strategies as st

MARKET_VERBS = (
    "wait",
    "create",
    "pause",
    "resume",
    "move_close",
    "determine",
    "settle",
    "forget",
    "lose",
    "deliver",
    "tick",
    "walk",
    "fail_walk",
    "ask",
    "answer",
    "step_clock",
)


def market_steps() -> st.SearchStrategy[list[tuple[str, str, float]]]:
    """Steps of `tests.core.markets.exchange_model`: (verb, ticker, seconds). Few tickers, so that steps meet."""
    often = st.sampled_from((*MARKET_VERBS, "wait", "create", "deliver", "deliver", "tick", "walk", "walk", "walk"))
    seconds = st.integers(0, 400).map(float)
    return st.lists(st.tuples(often, st.sampled_from("ABC"), seconds), max_size=80)
