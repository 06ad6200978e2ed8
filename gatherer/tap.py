"""`twistd gatherer`: settings in, service out. The only module here that meets the reactor."""

import gc
import os
import random
import sys
from dataclasses import replace
from typing import Any

from twisted.application.service import IService
from twisted.logger import ILogObserver, Logger

from gatherer import config
from gatherer.building import Builder
from gatherer.demo import Demo
from gatherer.errors import ConfigError
from gatherer.exchange.auth import Signer, load_signer
from gatherer.ops.logs import LevelControl, is_journal, make_observer
from gatherer.options import GathererOptions
from gatherer.program import OneLineMistakes, Program
from gatherer.settings import LogSettings, Settings
from gatherer.signals import fail, give_up, stop_on_signals

PROGRAM = "gatherer"


class Options(OneLineMistakes, GathererOptions):
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
    settings = config.load(options["config"], os.environ)
    if options["log-format"]:
        settings = replace(settings, log=replace(settings.log, format=options["log-format"]))
    return settings


def build(options: GathererOptions, settings: Settings, reactor: Any, levels: LevelControl) -> IService:
    """The service the options ask for. Raises ConfigError; nothing is opened yet."""

    def failed(reason: str) -> None:
        Logger(namespace="gatherer").critical("giving up: {reason}", reason=reason)
        fail(reactor)

    def make_gatherer(settings: Settings, signer: Signer) -> Any:
        return Builder(settings, signer, reactor, random.random, failed, levels).gatherer()

    if options["demo"]:
        numbers = (options["demo-markets"], options["demo-rate"], options["demo-churn"])
        return Demo(reactor, settings, *numbers, make_gatherer)
    return make_gatherer(settings, _signer(settings))


def _signer(settings: Settings) -> Signer:
    settings.require_credentials()
    return load_signer(settings.exchange.key_id, settings.exchange.private_key_file)


def makeService(options: GathererOptions) -> IService:
    """What twistd runs."""
    from twisted.internet import reactor

    try:
        settings = load(options)
        levels = LevelControl(settings.log.level)
        service = build(options, settings, reactor, levels)
    except ConfigError as error:
        give_up(PROGRAM, error)
    if options["check-config"]:
        (sys.__stdout__ or sys.stdout).write(f"gatherer: {settings.source} is valid\n")
        raise SystemExit(0)
    gc.freeze()  # what was imported stays: each full collection would walk through it, 20 ms long
    stop_on_signals(reactor)
    program = LoggingProgram(settings.log, options.parent or {}, levels)
    service.setServiceParent(program)
    return program
