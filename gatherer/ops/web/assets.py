"""The status page's own files, read once. Nothing comes from another host, so the page works without internet."""

from dataclasses import dataclass
from importlib.resources import files

from twisted.web.server import Request

from gatherer.ops.web.resources import Answer

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; `name` is its path below `/page/`, "" for the page itself."""

    name: str
    content_type: str
    body: bytes

    def answer(self, request: Request) -> Answer:
        """The file."""
        return 200, self.content_type, self.body


def load_assets() -> list[Asset]:
    """All of them, in the order of their names."""
    found = sorted(files("gatherer.ops.web").joinpath("static").iterdir(), key=lambda file: file.name)
    return [
        Asset("" if file.name == INDEX else file.name, TYPES[suffix], file.read_bytes())
        for file in found
        if (suffix := file.name.rpartition(".")[2]) in TYPES
    ]
