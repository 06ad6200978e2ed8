"""Choose a reactor by name, before anything imports one."""


def install(name: str) -> None:
    """`epoll`, `asyncio`, `uvloop`, or "" for what `twistd gatherer` would run on. SystemExit for any other."""
    if name in ("", "epoll"):
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
