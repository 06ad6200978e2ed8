"""`twistd gatherer`: settings in, service out. The only module of the package that imports the reactor."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.application.service import IService
from twisted.logger import ILogObserver, Logger

from gatherer.app.application import Application
from gatherer.app.demo import Demo
from gatherer.app.open_files import allow_files, files_needed
from gatherer.app.options import GathererOptions
from gatherer.app.service import Gatherer
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
        Logger(namespace="gatherer").critical("{reason}", reason=reason)
        controls.status = 1
        fail(reactor)

    def make_gatherer(
        settings: Settings, signer: Signer, load: Callable[[], Settings], make_signer: Callable[[Settings], Signer]
    ) -> Gatherer:
        application = Application(settings, signer, load, make_signer, reactor, failed, levels)
        controls.start(application.hurry, application.reload, application.dump)
        return application.gatherer

    if options["demo"]:
        numbers = (options["demo-markets"], options["demo-rate"], options["demo-churn"])
        return Demo(reactor, settings, *numbers, partial(load, options), make_gatherer)
    return make_gatherer(settings, make_signer(settings), partial(load, options), make_signer)


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
