"""How the exchange refuses: the answer to an upgrade, and the clock in an HTTP header (protocol section 1,
"Authentication")."""

from email.utils import parsedate_to_datetime

from gatherer.errors import UpgradeRefused

MAX_BODY = 4096
"""Bytes of a refusal's body that we wait for and keep."""


def is_refusal(response: bytes) -> bool:
    """Whether the head is complete and its status is not 101."""
    return b"\r\n\r\n" in response and _status(response) not in (None, 101)


def parse_refusal(response: bytes, now: float, complete: bool) -> UpgradeRefused | None:
    """The refusal, once its body has arrived; None for an acceptance, or while something is missing.

    `now` is our Unix time. `complete` means that no more bytes will come.
    """
    head, found, body = response.partition(b"\r\n\r\n")
    status = _status(head)
    if status is None or status == 101 or not (found or complete):
        return None
    headers = _headers(head)
    if not complete and len(body) < min(MAX_BODY, _length(headers.get("content-length", ""))):
        return None
    text = body[:MAX_BODY].decode("utf-8", "replace").strip()
    return UpgradeRefused(status, text, clock_skew(headers.get("date", ""), now) if status == 401 else None)


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


def clock_skew(date: str, now: float) -> float | None:
    """Seconds our clock is ahead of a `Date` header, which counts whole seconds; None without a readable one."""
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
