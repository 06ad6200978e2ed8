"""The decisions: what they need is an argument, and what they decide is a value.

No reactor, socket, clock, randomness or log lives here. Messages and figures come from the shell (`exchange`,
`registry`, `pool`), which calls these objects and acts on their answers. `wire` turns bytes into values,
`subscriptions` finds the next command, `markets` knows which markets to carry, `health` judges the whole.
"""

from gatherer.core.allocation import LeastLoaded
from gatherer.core.auth_alarm import AuthAlarm
from gatherer.core.backoff import Backoff
from gatherer.core.histograms import Histogram, Measurements
from gatherer.core.layout import Slot, dial_order, make_plan
from gatherer.core.sharded_dict import ShardedDict
from gatherer.core.token_bucket import TokenBucket
from gatherer.core.urls import check_url, is_loopback

__all__ = [
    "AuthAlarm",
    "Backoff",
    "Histogram",
    "LeastLoaded",
    "Measurements",
    "ShardedDict",
    "Slot",
    "TokenBucket",
    "check_url",
    "dial_order",
    "is_loopback",
    "make_plan",
]  # fmt: skip
