"""A mapping for a million tickers that never blocks the reactor while it grows."""

from collections.abc import Iterator, MutableMapping
from typing import TypeVar
from zlib import crc32

V = TypeVar("V")
_MASK = 255


class ShardedDict(MutableMapping[str, V]):
    """A mapping in 256 dicts.

    A single dict takes 27 ms to double at 700,000 entries and 56 ms at 1.4 million, and tables of the same keys double
    in the same turn. Here each part grows alone, in less than 1 ms. Iteration goes part by part over a copy of the
    keys, so the mapping may change during it.

    `crc32` chooses the dict, not `hash`. The seed of `hash` would change the order in every process, and each dict
    places its own entries by `hash`.
    """

    __slots__ = ("_dicts",)

    def __init__(self) -> None:
        self._dicts: tuple[dict[str, V], ...] = tuple({} for _ in range(_MASK + 1))

    def __getitem__(self, key: str) -> V:
        return self._part(key)[key]

    def __setitem__(self, key: str, value: V) -> None:
        self._part(key)[key] = value

    def __delitem__(self, key: str) -> None:
        del self._part(key)[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._part(key)

    def __len__(self) -> int:
        return sum(map(len, self._dicts))

    def __iter__(self) -> Iterator[str]:
        for part in self._dicts:
            yield from tuple(part)

    def find(self, key: str) -> V | None:
        """The value, or None. Cheaper than `Mapping.get`."""
        return self._part(key).get(key)

    def take(self, key: str) -> V | None:
        """Remove a key. Returns its value, or None."""
        return self._part(key).pop(key, None)

    def _part(self, key: str) -> dict[str, V]:
        return self._dicts[crc32(key.encode("utf-8", "surrogatepass")) & _MASK]  # operators may ask for any text
