"""The numbers that Prometheus reads: every one is declared here, and docs/operations.md explains it.

Labels take few values only, all of them from the code or the configuration: never a document, a
question, a user or an address. With several worker processes the numbers of all of them are added up
(``PROMETHEUS_MULTIPROC_DIR``, see ``workers.py``); what is read from the platform itself
(``state.py``) is the same in every process and is looked up when it is asked for.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    120.0,
)

# name → (kind, labels, what it counts); the order is that of the table in docs/operations.md
DECLARED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "ragline_http_requests_total": (
        "counter",
        ("route", "method", "status"),
        "Requests by route, method and status.",
    ),
    "ragline_http_request_seconds": (
        "histogram",
        ("route",),
        "From the request to the last byte of its answer.",
    ),
    "ragline_http_requests_in_progress": ("gauge", (), "Requests that are being answered."),
    "ragline_questions_total": (
        "counter",
        ("outcome", "answerer"),
        "Questions: answered, abstained, failed or cancelled, by who answered.",
    ),
    "ragline_questions_in_progress": ("gauge", (), "Questions that are being answered."),
    "ragline_answer_seconds": ("histogram", ("cache",), "From the question to the whole answer."),
    "ragline_first_token_seconds": (
        "histogram",
        ("cache",),
        "From the question to the first piece of its answer.",
    ),
    "ragline_retrieval_seconds": ("histogram", (), "Encoding, searching, fusing and reranking."),
    "ragline_model_seconds": ("histogram", (), "From the prompt to the end of the LLM's answer."),
    "ragline_searches_total": ("counter", ("outcome",), "Searches without an answer."),
    "ragline_tokens_total": ("counter", ("kind",), "Tokens of the LLM: prompt, completion."),
    "ragline_cost_usd_total": ("counter", (), "What the answers cost, in USD."),
    "ragline_degradations_total": (
        "counter",
        ("kind",),
        "What was left out or replaced because something failed.",
    ),
    "ragline_cache_requests_total": (
        "counter",
        ("cache", "result"),
        "Looks into a cache (answers, searches, vectors, semantic): hit, miss or error.",
    ),
    "ragline_rate_limited_total": (
        "counter",
        (),
        "Requests refused because their caller had made too many.",
    ),
    "ragline_auth_failures_total": ("counter", ("status",), "Requests refused with 401 or 403."),
}


class Metrics:
    """Counts what a process does. Safe to use from several threads.

    Args:
        registry: where the numbers are kept; default: one of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        disable_created_metrics()  # a series more for every one, of which nothing is asked
        self._registry = registry or CollectorRegistry()
        self._made = {name: self._make(name) for name in DECLARED}
        self._series: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._state: list[Collector] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        self._of(name, labels).inc(amount)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add a time to a histogram."""
        self._of(name, labels).observe(seconds)

    def change(self, name: str, by: float) -> None:
        """Move a gauge up or down."""
        self._made[name].inc(by)

    def value(self, name: str, **labels: str) -> float:
        """The present value of a counter or gauge of this process; for tests and pages."""
        sample = name if DECLARED[name][0] != "histogram" else f"{name}_count"
        return self._registry.get_sample_value(sample, labels) or 0.0

    def add_state(self, collector: Collector) -> None:
        """Show what a collector reads from the platform, too."""
        self._state.append(collector)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format, of all worker processes together."""
        return b"".join(generate_latest(registry) for registry in self._registries())

    def _registries(self) -> Iterable[CollectorRegistry]:
        if self._is_multiprocess:
            from prometheus_client.multiprocess import MultiProcessCollector

            together = CollectorRegistry()
            MultiProcessCollector(together)
            yield together
        else:
            yield self._registry
        state = CollectorRegistry()
        for collector in self._state:
            state.register(collector)
        yield state

    @cached_property
    def _is_multiprocess(self) -> bool:
        """As the library decided when it was imported: by PROMETHEUS_MULTIPROC_DIR."""
        from prometheus_client.values import MutexValue, ValueClass

        return ValueClass is not MutexValue

    def _make(self, name: str) -> Any:
        kind, labels, text = DECLARED[name]
        if kind == "counter":
            return Counter(name, text, labels, registry=self._registry)
        if kind == "gauge":
            # a worker that has ended answers nothing any more
            return Gauge(name, text, labels, registry=self._registry, multiprocess_mode="livesum")
        return Histogram(name, text, labels, registry=self._registry, buckets=SECONDS)

    def _of(self, name: str, labels: dict[str, str]) -> Any:
        if not labels:
            return self._made[name]
        # the library makes the labels of a series anew for every look
        values = tuple(labels[label] for label in DECLARED[name][1])
        series = self._series.get((name, values))
        if series is None:
            series = self._series[name, values] = self._made[name].labels(*values)
        return series
