"""Open files: 150 sockets and what else is open must fit the limit of the process, or dials fail one after another."""

import resource
from collections.abc import Callable

from gatherer.config.settings import Settings
from gatherer.errors import ConfigError
from gatherer.ops.manhole import service as manhole
from gatherer.ops.web import service as web

REST = 10
"""REST requests under way and idle connections."""
CAPTURE = 16
"""The segment that is written and those that wait to be put on disk, a probe, a dump."""
RESERVE = 64
"""Standard streams, the reactor's own, libraries, look-ups of names in threads, a socket closed and not yet gone."""


Limits = tuple[int, int]
"""Soft and hard."""


def files_needed(settings: Settings, demo: bool) -> int:
    """Open files at most. In a demo the other ends of all sockets are here as well."""
    sockets = settings.pool.connections + REST
    pages = web.MAX_CONNECTIONS + 1 if settings.web.listen else 0
    prompts = manhole.MAX_CONNECTIONS + 1 if settings.manhole.listen else 0
    return sockets * (2 if demo else 1) + pages + prompts + CAPTURE + RESERVE


def allow_files(
    needed: int,
    get: Callable[[int], Limits] = resource.getrlimit,
    set: Callable[[int, Limits], None] = resource.setrlimit,
) -> None:
    """Raise the limit if needed. ConfigError, with what to do, if the system does not allow it."""
    soft, hard = get(resource.RLIMIT_NOFILE)
    if _enough(soft, needed):
        return
    if _enough(hard, needed):
        try:
            set(resource.RLIMIT_NOFILE, (needed, hard))
            return
        except (OSError, ValueError):  # a sandbox may forbid what the limit allows
            hard = soft
    raise ConfigError(
        f"this process may have {hard} files open and needs {needed} for its connections and pages: raise the limit, "
        f"with LimitNOFILE={needed} in the systemd unit, --ulimit nofile={needed} for docker run, or ulimit -n {needed}"
    )


def _enough(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
