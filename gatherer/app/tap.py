"""`twistd gatherer`: settings in, service out. The only module here that meets the reactor."""

import gc
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, Logger, globalLogPublisher

from gatherer.app.builder import Builder
from gatherer.app.demo import Demo
from gatherer.app.open_files import allow_files, files_needed
from gatherer.app.options import GathererOptions
from gatherer.app.reload import Reloader
from gatherer.config import LogSettings, Settings, load_settings
from gatherer.daemon.program import OneLineUsageErrors, Program
from gatherer.daemon.signals import (
    SignalActions,
    call_on_signal,
    explain_crashes,
    fail,
    give_up,
    leave_in_time,
    stop_on_signals,
)
from gatherer.errors import ConfigError
from gatherer.exchange.auth import Signer, load_signer
from gatherer.log.levels import LevelControl
from gatherer.log.observer import is_journal, make_observer
from gatherer.ops.health import HealthService
from gatherer.ops.state_dump import StateDump
from gatherer.ops.systemd import NotifySocket, SystemdService, notify_address, watchdog_seconds
from gatherer.ops.web.event_log import EventLog

PROGRAM = "gatherer"


class Options(OneLineUsageErrors, GathererOptions):
    """The same options, but a mistake costs one line."""

    program = PROGRAM


class LoggingProgram(Program):
    """The gatherer as a program brings its own log."""

    def __init__(self, log: LogSettings, options: Any, levels: LevelControl) -> None:
        super().__init__(PROGRAM, options)
        self._style = log.format
        self._levels = levels

    def setServiceParent(self, parent: Any) -> None:
        """Give the application our log, unless the command line asks for one of twistd's."""
        if not any(self._options.get(name) for name in ("logfile", "logger", "syslog")):
            journal = is_journal(sys.stdout, os.environ.get("JOURNAL_STREAM", ""))
            observer = make_observer(sys.stdout, self._style, self._levels, journal)
            parent.setComponent(ILogObserver, observer)
        super().setServiceParent(parent)


def load(options: GathererOptions) -> Settings:
    """The settings of the file, the environment and the command line. Raises ConfigError."""
    settings = load_settings(options["config"], os.environ)
    if options["log-format"]:
        settings = replace(settings, log=replace(settings.log, format=options["log-format"]))
    return settings


def build(
    options: GathererOptions, settings: Settings, reactor: Any, levels: LevelControl, controls: SignalActions
) -> IService:
    """The service the options ask for, and what signals do to it. Raises ConfigError; nothing is opened yet."""

    def failed(reason: str) -> None:
        Logger(namespace="gatherer").critical("giving up: {reason}", reason=reason)
        controls.status = 1
        fail(reactor)

    def make_gatherer(
        settings: Settings, signer: Signer, load: Callable[[], Settings], make_signer: Callable[[Settings], Signer]
    ) -> Any:
        builder = Builder(settings, signer, reactor, random.random, failed, levels)
        return steered(builder, settings, reactor, controls, load, make_signer)

    if options["demo"]:
        numbers = (options["demo-markets"], options["demo-rate"], options["demo-churn"])
        return Demo(reactor, settings, *numbers, partial(load, options), make_gatherer)
    return make_gatherer(settings, make_signer(settings), partial(load, options), make_signer)


def steered(
    builder: Builder, settings: Settings, reactor: Any, controls: SignalActions, load: Callable[[], Settings],
    make_signer: Callable[[Settings], Signer],
) -> Any:  # fmt: skip
    """A gatherer that signals and systemd can talk to."""
    gatherer = builder.gatherer()
    parts = (gatherer.manager, gatherer.registry, gatherer.router)

    def run(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    reloader = Reloader(settings, load, make_signer, partial(builder.apply, gatherer), run)
    journal, vitals = EventLog(), cast(HealthService, gatherer.getServiceNamed("vitals"))
    globalLogPublisher.addObserver(journal)

    def more() -> dict[str, Any]:
        return {"health": vitals.health(), "events": journal.since(0)}

    dump = StateDump(lambda: reloader.settings, *parts, reactor, run, more)
    reload: Callable[[], Any] = reloader.reload
    if address := notify_address(os.environ):
        send, watchdog = NotifySocket(address, reactor), watchdog_seconds(os.environ, os.getpid())
        systemd = SystemdService(send, watchdog, *parts, reactor, time.monotonic_ns)
        gatherer.addService(systemd)
        reload = partial(systemd.around, reload)
    controls.start(gatherer.hurry, reload, dump.write)
    return gatherer


def make_signer(settings: Settings) -> Signer:
    """The key of the settings. Raises ConfigError."""
    settings.require_credentials()
    return load_signer(settings.exchange.key_id, settings.exchange.private_key_file)


def makeService(options: GathererOptions) -> IService:
    """What twistd runs."""
    from twisted.internet import reactor

    try:
        settings = load(options)
        levels = LevelControl(settings.log.level)
        controls = SignalActions()
        leave_in_time(reactor, lambda: controls.status)  # before anything asks for a thread: see there
        service = build(options, settings, reactor, levels, controls)
        if not options["check-config"]:
            allow_files(files_needed(settings, options["demo"]))
    except ConfigError as error:
        give_up(PROGRAM, error)
    if options["check-config"]:
        (sys.__stdout__ or sys.stdout).write(f"gatherer: {settings.source} is valid\n")
        raise SystemExit(0)
    gc.freeze()  # what was imported stays: each full collection would walk through it, 20 ms long
    explain_crashes()
    stop_on_signals(reactor, controls.stop_sooner)
    call_on_signal(reactor, signal.SIGHUP, controls.reload)
    call_on_signal(reactor, signal.SIGUSR1, controls.dump)
    program = LoggingProgram(settings.log, options.parent or {}, levels)
    service.setServiceParent(program)
    return program
