"""Let tox find every CPython that pyenv has installed, not only the active ones.

tox reads this file by itself. pyenv's shims fail for versions that are not activated, so without it an
installed 3.12 would be skipped as missing.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


def pyenv_roots(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where pyenv may keep its versions: what it says itself, where its shims are, its usual place."""
    if root := environ.get("PYENV_ROOT"):
        yield Path(root)
    yield from (Path(entry).parent for entry in environ.get("PATH", "").split(os.pathsep) if entry.endswith("shims"))
    yield Path("~/.pyenv").expanduser()


def pyenv_folders(environ: Mapping[str, str]) -> list[str]:
    """The folders of pyenv's interpreters, each once."""
    found = (folder for root in pyenv_roots(environ) for folder in sorted(root.glob("versions/3.*/bin")))
    return list(dict.fromkeys(str(folder) for folder in found))


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Called before tox looks for interpreters: append to PATH, so that whatever is active still comes first."""
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *pyenv_folders(os.environ)])
