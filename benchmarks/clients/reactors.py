"""Choose a reactor by name, before anything imports one."""

from typing import Any

from gatherer.daemon.plugin import choose_reactor


def install(name: str) -> None:
    """`epoll`, `asyncio`, `uvloop`, or "" for the reactor of `twistd gatherer`. Raises SystemExit for any other."""
    if name == "":
        choose_reactor()
        return
    if name == "epoll":
        from twisted.internet import epollreactor

        epollreactor.install()
        return
    from twisted.internet import asyncioreactor

    if name == "asyncio":
        import asyncio

        asyncioreactor.install(asyncio.new_event_loop())
    elif name == "uvloop":
        import uvloop

        asyncioreactor.install(uvloop.new_event_loop())
    else:
        raise SystemExit(f"no reactor is called {name!r}: epoll, asyncio or uvloop")


def name_of(reactor: Any) -> str:
    """The name of a reactor, with its event loop if it has one."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    return type(reactor).__name__ + ("" if loop is None else f" on {type(loop).__module__}.{type(loop).__name__}")
