"""SIGHUP: read the settings again, apply what can change now, and log the outcome of every change."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from gatherer.config.settings import Key, Reload, Settings, every_key
from gatherer.config.validate import shown
from gatherer.errors import ConfigError
from gatherer.exchange.auth import Signer

OUTCOMES = {
    Reload.NOW: "is in effect now",
    Reload.NEXT: "is in effect from the next session of each connection",
    Reload.RESTART: "needs a restart; the old value stays in force",
}


def changed_keys(before: Settings, after: Settings) -> Iterator[Key]:
    """The keys with another value, in the order of the tables."""
    for key in every_key():
        if _value(before, key) != _value(after, key):
            yield key


def in_force(before: Settings, after: Settings) -> Settings:
    """`before` with those values of `after` that need no restart."""
    for key in changed_keys(before, after):
        if key.spec.reload is not Reload.RESTART:
            table = replace(getattr(before, key.table), **{key.name: _value(after, key)})
            before = replace(before, **{key.table: table})
    return before


class Reloader:
    """Holds the settings that are in force. The key file is read each time: its content may be new."""

    _log = Logger()

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], make_signer: Callable[[Settings], Signer],
        apply: Callable[[Settings, Signer], None], run: Callable[..., Deferred[Any]],
    ) -> None:  # fmt: skip
        """`load` and `make_signer` raise ConfigError. `apply` is given settings that differ in such keys only. `run`
        runs work in a thread: the check of an RSA key takes a quarter of a second."""
        self.settings = settings
        self._run = run
        self._lock = DeferredLock()
        self._load = load
        self._make_signer = make_signer
        self._apply = apply

    async def reload(self) -> str:
        """One line on how it went, which is also the last of those in the log. One reload after the other."""
        outcome: str = await self._lock.run(lambda: Deferred.fromCoroutine(self._reload()))
        return outcome

    async def _reload(self) -> str:
        try:
            asked, settings, signer = await self._run(self._read)
        except ConfigError as error:
            outcome = f"settings not reloaded, nothing has changed: {error}"
            self._log.error("{outcome}", outcome=outcome)
            return outcome
        changes = list(changed_keys(self.settings, asked))
        for key in changes:
            self._log_change(key, asked)
        self._apply(settings, signer)
        self.settings = settings
        waiting = sum(key.spec.reload is Reload.RESTART for key in changes)
        outcome = (
            f"{asked.source} and the key reloaded: {len(changes) - waiting} changes taken over, "
            f"{waiting} need a restart"
        )
        self._log.info("{outcome}", outcome=outcome)
        return outcome

    def _read(self) -> tuple[Settings, Settings, Signer]:
        asked = self._load()
        settings = in_force(self.settings, asked)
        return asked, settings, self._make_signer(settings)

    def _log_change(self, key: Key, asked: Settings) -> None:
        say = self._log.warn if key.spec.reload is Reload.RESTART else self._log.info
        say(
            "[{table}] {key}: {before} -> {after} {outcome}",
            table=key.table, key=key.name, outcome=OUTCOMES[key.spec.reload],
            before=shown(_value(self.settings, key)), after=shown(_value(asked, key)),
        )  # fmt: skip


def _value(settings: Settings, key: Key) -> Any:
    """The value of a key, of whatever type it is."""
    return getattr(getattr(settings, key.table), key.name)
