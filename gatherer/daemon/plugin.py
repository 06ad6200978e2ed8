"""The service maker of `twistd gatherer`, and its choice of the reactor."""

import select
import sys
from typing import Any

from twisted.application.service import ServiceMaker
from twisted.python.reflect import namedAny


class GathererMaker(ServiceMaker):
    """Chooses the reactor before an import, such as that of autobahn, installs the default one."""

    @property
    def options(self) -> Any:
        """The class of the options. twistd asks for it after it has parsed its own options."""
        choose_reactor()
        return namedAny(self.module).Options


def choose_reactor() -> None:
    """Install `LeanEpollReactor` if the system has epoll and `twistd --reactor` has not installed another."""
    if hasattr(select, "epoll") and "twisted.internet.reactor" not in sys.modules:
        from gatherer.daemon.lean_epoll import install

        install()
