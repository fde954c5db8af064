"""Prometheus metrics: what this process has seen, and what the database knows of all of them.

Labels have few values; no text, name or id of anybody is one. What comes from the database is read at most every few
seconds and is the same in every process; the rest is this process's own, and Prometheus adds it up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import anyio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hitl_mcp import __version__
from hitl_mcp.service.operating.totals import BUCKETS, Totals, totals
from hitl_mcp.service.store import Store

KEPT_SECONDS = 5.0
"""Several scrapers, or an impatient one, cost the database one look."""
_AREAS = {
    "v1": "api",
    "metrics": "api",
    "loops": "api",
    "mcp": "mcp",
    "sse": "mcp",
    "messages": "mcp",
    "static": "static",
}


class ProcessMetrics:
    """What this process has seen since it began."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.responses = Counter(
            "hitl_http_responses", "Answers of this process, by part and class of status", ["area", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "hitl_http_first_byte_seconds", "Until an answer of this process began", ["area"], registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )  # fmt: skip
        self.refused = Counter(
            "hitl_rate_limit_refusals", "Calls that this process refused as too many", ["area"], registry=self.registry
        )
        self.streams = Gauge(
            "hitl_open_streams", "Streams that this process holds open, by who listens", ["who"], registry=self.registry
        )

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        area = _AREAS.get(path.lstrip("/").partition("/")[0], "pages")
        self.responses.labels(area, f"{status // 100}xx").inc()
        self.seconds.labels(area).observe(seconds)
        if status == 429:
            self.refused.labels(area).inc()


class Measured:
    """Counts what `app` answers.

    Args:
        app: what is served.
        metrics: where it is counted.
    """

    def __init__(self, app: ASGIApp, metrics: ProcessMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(scope["path"], message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


class Metrics:
    """All of a service's metrics.

    Args:
        store: where the totals are.
    """

    def __init__(self, store: Store) -> None:
        self.process = ProcessMetrics()
        self._store = store
        self._known: Totals | None = None
        self._read_at = float("-inf")
        self._reading = anyio.Lock()

    async def exposed(self, accept: str, *, agents: int, pages: int) -> tuple[str, bytes]:
        """The content type that a scraper accepts, and the metrics in it.

        Args:
            accept: the scraper's `Accept`.
            agents: programs whose streams are open.
            pages: pages whose streams are open.

        Raises: ServiceFault.
        """
        async with self._reading:
            if self._known is None or time.monotonic() - self._read_at > KEPT_SECONDS:
                self._known = await self._store.scan(totals)
                self._read_at = time.monotonic()
        self.process.streams.labels("agents").set(agents)
        self.process.streams.labels("pages").set(pages)
        encode, content_type = choose_encoder(accept)
        whole = CollectorRegistry()
        whole.register(_Of(_metrics_of(self._known)))
        whole.register(self.process.registry)
        return content_type, encode(whole)


class _Of:
    """A collector of metrics that are at hand."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        """Them."""
        return self._metrics


def _metrics_of(known: Totals) -> Iterable[Metric]:
    built = GaugeMetricFamily("hitl_build_info", "The version that runs", labels=["version"])
    built.add_metric([__version__], 1)
    yield built
    created = CounterMetricFamily("hitl_requests_created", "Requests ever made", labels=["priority"])
    for row in known.created:
        created.add_metric([row["priority"]], row["count"])
    yield created
    closed = CounterMetricFamily(
        "hitl_requests_closed", "Requests ever closed, by what became of them and where the answer was given",
        labels=["priority", "outcome", "channel"],
    )  # fmt: skip
    for row in known.closed:
        closed.add_metric([row["priority"], row["outcome"], row["channel"] or ""], row["count"])
    yield closed
    yield from _waiting(known)
    yield _decisions(known)
    yield from _deliveries(known)
    escalated = CounterMetricFamily("hitl_escalations", "Requests that climbed a step of their loop's ladder")
    escalated.add_metric([], known.escalated)
    yield escalated


def _waiting(known: Totals) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("hitl_requests_waiting", "Requests that wait for a person now", labels=["priority"])
    oldest = GaugeMetricFamily(
        "hitl_requests_oldest_waiting_seconds", "How long the oldest of them has waited", labels=["priority"]
    )
    found = {row["priority"]: row for row in known.waiting}
    for priority in ("critical", "high", "medium", "low"):
        row = found.get(priority)
        waiting.add_metric([priority], row["count"] if row else 0)
        oldest.add_metric([priority], max(0, known.at - row["oldest"]) / 1000 if row else 0)
    return waiting, oldest


def _decisions(known: Totals) -> Metric:
    decisions = HistogramMetricFamily(
        "hitl_decision_seconds", "From a question to a person's answer", labels=["priority"]
    )
    for row in known.decided:
        buckets = [(str(float(edge)), float(row[f"le_{edge}"])) for edge in BUCKETS]
        total = float(row["ms"]) / 1000
        decisions.add_metric([row["priority"]], [*buckets, ("+Inf", float(row["count"]))], total)
    return decisions


def _deliveries(known: Totals) -> Iterable[Metric]:
    states = GaugeMetricFamily(
        "hitl_deliveries", "Webhooks and messages kept, by state; `failed` was given up", labels=["kind", "state"]
    )
    lag = GaugeMetricFamily(
        "hitl_deliveries_oldest_waiting_seconds", "How long the oldest that is still to be sent waits", labels=["kind"]
    )
    for row in known.deliveries:
        states.add_metric([row["kind"], row["state"]], row["count"])
        if row["oldest"] is not None:
            lag.add_metric([row["kind"]], max(0, known.at - row["oldest"]) / 1000)
    tried = GaugeMetricFamily("hitl_delivery_attempts", "Attempts at the deliveries kept", labels=["kind"])
    for row in known.attempts:
        tried.add_metric([row["kind"]], row["count"])
    receivers = GaugeMetricFamily("hitl_webhook_endpoints", "Registered endpoints", labels=["state"])
    for row in known.endpoints:
        receivers.add_metric(["enabled" if row["enabled"] else "disabled"], row["count"])
    failing = GaugeMetricFamily("hitl_failing_channels", "People's channels whose last message failed", labels=["kind"])
    for row in known.failing_channels:
        failing.add_metric([row["kind"]], row["count"])
    return states, lag, tried, receivers, failing
