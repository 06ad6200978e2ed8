"""Read what the exchange says when it refuses an upgrade (protocol section 1, "Authentication")."""

from email.utils import parsedate_to_datetime

from gatherer.errors import UpgradeRefused

MAX_BODY = 4096
"""Bytes of a refusal's body that are waited for and kept."""


def is_refusal(response: bytes) -> bool:
    """Whether the head is complete and says anything but 101."""
    return b"\r\n\r\n" in response and _status(response) not in (None, 101)


def parse_refusal(response: bytes, now: float, complete: bool) -> UpgradeRefused | None:
    """The refusal, once its body is here; None for an acceptance or while something is missing.

    `now` is our Unix time. `complete` says that no more bytes will come.
    """
    head, found, body = response.partition(b"\r\n\r\n")
    status = _status(head)
    if status is None or status == 101 or not (found or complete):
        return None
    headers = _headers(head)
    if not complete and len(body) < min(MAX_BODY, _length(headers.get("content-length", ""))):
        return None
    text = body[:MAX_BODY].decode("utf-8", "replace").strip()
    return UpgradeRefused(status, text, _skew(headers.get("date", ""), now) if status == 401 else None)


def _status(head: bytes) -> int | None:
    words = head.split(b"\r\n", 1)[0].split(None, 2)
    if len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].isdigit():
        return int(words[1])
    return None


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _length(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _skew(date: str, now: float) -> float | None:
    """Our clock minus the exchange's, in seconds; the header has a resolution of one second."""
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
