"""What TAB does at the prompt. Pure: a function that is passed in finds the tickers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TICKER_COMMANDS = ("explain", "where", "snapshot")
_IN_QUOTES = re.compile(rf"\b(?:{'|'.join(TICKER_COMMANDS)})\(\s*(?:ticker\s*=\s*)?([\"'])([^\"']*)$")
_NAME = re.compile(r"(?:^|[^\w.\"'])([A-Za-z_]\w*)?$")


@dataclass(frozen=True, slots=True)
class Completion:
    """`insert` goes to the cursor; `choices` are shown when nothing can be inserted."""

    insert: str = ""
    choices: tuple[str, ...] = ()


def complete(line: str, names: Mapping[str, str], tickers: Callable[[str], list[str]]) -> Completion:
    """For the line up to the cursor. `names` has what follows each name, such as "(" behind a command; `tickers` gives
    some of the tickers that begin with a prefix."""
    quoted = _IN_QUOTES.search(line)
    if quoted:
        quote, prefix = quoted.groups()
        return _choose(prefix, dict.fromkeys(tickers(prefix), f"{quote})"))
    if line.count('"') % 2 or line.count("'") % 2:
        return Completion()
    found = _NAME.search(line)
    if found is None:
        return Completion()
    prefix = found[1] or ""
    return _choose(prefix, names)


def _choose(prefix: str, candidates: Mapping[str, str]) -> Completion:
    fitting = sorted(each for each in candidates if each.startswith(prefix))
    if len(fitting) == 1:
        return Completion(fitting[0][len(prefix) :] + candidates[fitting[0]])
    common = _common(fitting)[len(prefix) :]
    return Completion(common) if common else Completion("", tuple(fitting))


def _common(texts: list[str]) -> str:
    """The longest beginning they share; sorted, the first and the last differ most."""
    if not texts:
        return ""
    first, last = texts[0], texts[-1]
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
