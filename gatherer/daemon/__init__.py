"""What the twistd programs share: the choice of the reactor, signals, exit statuses and one-line errors.

`twisted/plugins` and the tap modules use it. It knows nothing of markets or settings, and importing it does not install
a reactor: `choose_reactor` does that when twistd asks for the options.
"""

from gatherer.daemon.plugin import GathererMaker, choose_reactor
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

__all__ = [
    "GathererMaker",
    "OneLineUsageErrors",
    "Program",
    "SignalActions",
    "call_on_signal",
    "choose_reactor",
    "explain_crashes",
    "fail",
    "give_up",
    "leave_in_time",
    "stop_on_signals",
]
