"""The part of PromQL that names the metrics and labels of an expression."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

KEYWORDS = {"unless", "and", "or", "bool", "offset", "by", "on", "ignoring", "without"}
ADDED = {"job", "instance"}
"""Labels that Prometheus adds to every scrape."""
OWN = {"up": ADDED, "ALERTS": ADDED | {"alertname", "alertstate", "severity"}}
"""Metrics that Prometheus makes itself."""
_LISTS = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_MATCH = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_NAME = re.compile(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])")


@dataclass(frozen=True)
class Named:
    """What an expression names."""

    metrics: set[str] = field(default_factory=set)
    matches: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Metric, label, operator, value."""
    labels: set[str] = field(default_factory=set)
    """Of `by (...)` and similar clauses."""


def named(expression: str) -> Named:
    """Read one expression."""
    found = Named()
    for names in _LISTS.findall(expression):
        found.labels.update(name.strip() for name in names.split(","))
    rest = _LISTS.sub(" ", expression)
    for metric, matches in _SELECTOR.findall(rest):
        found.metrics.add(metric)
        found.matches.extend((metric, *match) for match in _MATCH.findall(matches))
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", rest)
    found.metrics.update(name for name in _NAME.findall(rest) if name not in KEYWORDS)
    return found


def wrong(expression: str, samples: Iterable[tuple[str, dict[str, str]]]) -> list[str]:
    """Names in the expression that no sample of the scrape has. An equality must name an existing value."""
    values: dict[str, dict[str, set[str]]] = {}
    for name, labels in samples:
        known = values.setdefault(name, {})
        for label, value in labels.items():
            known.setdefault(label, set()).add(value)
    found, faults = named(expression), []
    if not found.metrics:
        faults.append("names no metric")
    faults += [f"no metric {name}" for name in found.metrics if name not in values and name not in OWN]
    for metric, label, operator, value in found.matches:
        if label in ADDED | OWN.get(metric, set()):
            continue
        if label not in values.get(metric, {}):
            faults.append(f"{metric} has no label {label}")
        elif operator == "=" and value not in values[metric][label]:
            faults.append(f"{metric} has no {label} {value!r}")
    there = ADDED.union(*(values.get(name, {}) or OWN.get(name, set()) for name in found.metrics))
    return faults + [f"no label {label}" for label in found.labels if label not in there]
