"""A table in many dicts behaves like one mapping."""

import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.sharded_dict import ShardedDict

KEYS = st.sampled_from([f"KX-{number}" for number in range(40)] + ["", "\ud800"])
STEPS = st.lists(st.tuples(st.sampled_from(["set", "del", "take", "pop"]), KEYS, st.integers(0, 9)), max_size=60)


class ShardsTests(SynchronousTestCase):
    """`ShardedDict` against a plain dict."""

    @given(STEPS)
    def test_behaves_like_a_dict(self, steps: list[tuple[str, str, int]]) -> None:
        """After any steps it has the content of a dict, and its methods return what those of a dict return."""
        shards: ShardedDict[int] = ShardedDict()
        plain: dict[str, int] = {}
        for step, key, value in steps:
            if step == "set":
                shards[key] = plain[key] = value
            elif step == "take":
                self.assertEqual(shards.take(key), plain.pop(key, None))
            elif step == "pop":
                self.assertEqual(shards.pop(key, -1), plain.pop(key, -1))
            elif key in plain:
                del shards[key], plain[key]
            else:
                self.assertRaises(KeyError, shards.__delitem__, key)
            self.assertEqual((key in shards, shards.find(key)), (key in plain, plain.get(key)))
        self.assertEqual((dict(shards), len(shards)), (plain, len(plain)))

    def test_may_change_while_it_is_read(self) -> None:
        """Keys may be removed and added during an iteration."""
        shards: ShardedDict[int] = ShardedDict()
        for number in range(5000):
            shards[f"KX-{number}"] = number
        for key in shards:
            shards.take(key)
            shards[f"{key}-again"] = 0
            if len(shards) > 5000:
                self.fail("a key was lost")
        self.assertEqual(len([key for key in shards if not key.endswith("again")]), 0)

    def test_evenly_spread(self) -> None:
        """All dicts have about the same size: a single large one would block the reactor while it grows."""
        shards: ShardedDict[int] = ShardedDict()
        for number in range(100_000):
            shards[f"KXHIGHNY-27FEB01-T{number}"] = number
        sizes = [len(part) for part in shards._dicts]
        self.assertLess(max(sizes), 1.5 * 100_000 / len(sizes))
        # If `hash` also chose the dict, its keys would share bits and collide in the dict.
        self.assertLess(max(map(sys.getsizeof, shards._dicts)), 60_000)
