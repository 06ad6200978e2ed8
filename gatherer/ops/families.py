"""Metric families of prometheus_client from plain figures."""

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from gatherer.core.meters import Buckets


def gauge(name: str, text: str, labels: dict[str, str], value: float | None) -> GaugeMetricFamily:
    """A gauge with one sample, or none when the value is None."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    if value is not None:
        family.add_metric(list(labels.values()), float(value))
    return family


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """A gauge per value of one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def counter(name: str, text: str, value: float) -> CounterMetricFamily:
    """A counter without labels; `name` ends in `_total`."""
    return CounterMetricFamily(name, text, value=float(value))


def counts(name: str, text: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    """A counter per value of one label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], float(value))
    return family


def histogram(name: str, text: str, labels: list[str]) -> HistogramMetricFamily:
    """A histogram without samples; `fill` adds them."""
    return HistogramMetricFamily(name, text, labels=labels)


def fill(family: HistogramMetricFamily, labels: list[str], buckets: Buckets, total: float) -> HistogramMetricFamily:
    """Add the samples of one set of labels. A sum with negative parts is legal for Prometheus's text, so it stays."""
    family.add_metric(labels, [(floatToGoString(bound), float(count)) for bound, count in buckets], total)
    return family
