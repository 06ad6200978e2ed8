"""A prompt inside the running gatherer, over SSH: the commands, their views, the terminal and the keys.

The commands read the status and act through `IPoolAdmin`; the views only make text. No other package may depend on what
is typed here.
"""

from gatherer.ops.manhole.commands import Prompt
from gatherer.ops.manhole.service import ManholeService

__all__ = ["ManholeService", "Prompt"]
