"""How twistd meets us: the service maker of `twistd gatherer`."""

import select
import sys
from typing import Any

from twisted.application.service import ServiceMaker
from twisted.python.reflect import namedAny


class GathererMaker(ServiceMaker):
    """Sees to the reactor before anything is imported that would take the default one, as autobahn does."""

    @property
    def options(self) -> Any:
        """The class of the command line's options; twistd asks for it when it has parsed its own."""
        choose_reactor()
        return namedAny(self.module).Options


def choose_reactor() -> None:
    """Install `LeanEpollReactor` where there is epoll, unless `twistd --reactor` has installed another."""
    if hasattr(select, "epoll") and "twisted.internet.reactor" not in sys.modules:
        from gatherer.daemon.lean_epoll import install

        install()
