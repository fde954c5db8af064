"""`hitl-mcp doctor --production`: whether a team can rely on this service (compatibility section 7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from hitl_mcp.console import console
from hitl_mcp.contract import routes
from hitl_mcp.contract.operating import Production
from hitl_mcp.doctor.finding import Finding
from hitl_mcp.errors import HITLError
from hitl_mcp.sdk.local import ask
from hitl_mcp.settings import Settings

DAY_MS = 86_400_000
OLD_BACKUP_DAYS = 7
OLD_ANCHOR_DAYS = 2
ENOUGH = 2
"""Reviewers of a loop: one is ill some day."""


async def examine(settings: Settings) -> AsyncGenerator[Finding]:
    """Look at what is easily forgotten before one relies on it. Changes nothing."""
    try:
        async with console(settings) as endpoint:
            facts = Production.model_validate(await ask(endpoint, "GET", routes.PRODUCTION))
    except HITLError as error:
        yield Finding("fail", "production", str(error))
        return
    for found in (
        *_reviewers(facts), *_guidelines(facts), _webhooks(facts), _monitored(facts), _timeout(facts), _retries(facts),
        _notifications(facts), _https(settings), _backups(settings, facts), _anchors(facts), _retention(facts),
    ):  # fmt: skip
        yield found


def _reviewers(facts: Production) -> Iterable[Finding]:
    for loop in facts.loops:
        people = f"{loop.name}: {loop.tried} of {loop.reviewers} reviewers have answered a request"
        if loop.reviewers < ENOUGH:
            yield Finding("warn", "reviewers", f"{people}. Invite another: with one nobody answers when they are away")
        elif loop.tried < loop.reviewers:
            yield Finding("warn", "reviewers", f"{people}. Have each of the others answer a trial request")
        else:
            yield Finding("ok", "reviewers", people)


def _guidelines(facts: Production) -> Iterable[Finding]:
    missing = [loop.name for loop in facts.loops if not loop.guidelines]
    if missing:
        words = f"none for {', '.join(missing)}. An owner writes them on the loop's page; each request shows them"
        yield Finding("warn", "guidelines", words)
    else:
        yield Finding("ok", "guidelines", "every loop has some")


def _webhooks(facts: Production) -> Finding:
    if facts.disabled_endpoints:
        words = f"{facts.disabled_endpoints} endpoints are switched off, most often after long failure"
        return Finding("fail", "webhooks", f"{words}. Mend the receiver, then switch them on")
    if facts.failed_deliveries:
        words = f"{facts.failed_deliveries} deliveries were given up in 30 days. Look at their attempts and redeliver"
        return Finding("warn", "webhooks", words)
    if facts.endpoints or facts.callbacks:
        words = f"{facts.endpoints} endpoints; {facts.callbacks} requests with a callback in 30 days"
        return Finding("ok", "webhooks", words)
    words = "none, so programs learn of decisions by waiting or asking only. Register one where that is not enough"
    return Finding("warn", "webhooks", words)


def _monitored(facts: Production) -> Finding:
    took = "nobody has answered yet" if facts.median_seconds is None else f"half within {facts.median_seconds:.0f} s"
    volume = f"{facts.asked} requests in 30 days, {took}"
    if facts.metrics_keys:
        return Finding("ok", "monitoring", f"{volume}; {facts.metrics_keys} keys may read /metrics")
    words = "no key may read /metrics. Make one for Prometheus: hitl-mcp keys create prometheus --scope metrics:read"
    return Finding("warn", "monitoring", f"{volume}; {words}")


def _timeout(facts: Production) -> Finding:
    if facts.timeouts:
        return Finding("ok", "timeout", f"{facts.timeouts} requests have run out, so what their default does is known")
    words = "no request has ever run out. Let one with a default do so, and see what the agent makes of it"
    return Finding("warn", "timeout", words)


def _retries(facts: Production) -> Finding:
    share = f"{facts.repeatable} of {facts.asked} requests in 30 days could be repeated safely"
    if facts.asked and not facts.repeatable:
        return Finding("warn", "retries", f"{share}. Send an Idempotency-Key with each; the SDK and the tools do")
    return Finding("ok", "retries", share)


def _notifications(facts: Production) -> Finding:
    reached = f"{facts.told} of {facts.people} people have a channel of their own"
    if facts.failing_channels:
        words = f"{reached}; the last message over {facts.failing_channels} channels failed. Their owners see why"
        return Finding("fail", "notifications", words)
    if facts.told < facts.people:
        words = f"{reached}. The others learn of a request only while the inbox is open; they add one on their page"
        return Finding("warn", "notifications", words)
    return Finding("ok", "notifications", reached)


def _https(settings: Settings) -> Finding:
    url = settings.public_url
    if url is None:
        return Finding("warn", "https", "HITL_PUBLIC_URL is not set, so only this machine is served")
    if not url.startswith("https://"):
        words = f"{url} is plain http: sessions and keys can be read on the way. Put a TLS proxy in front"
        return Finding("fail", "https", words)
    return Finding("ok", "https", url)


def _backups(settings: Settings, facts: Production) -> Finding:
    if settings.database_url is not None:
        return Finding("warn", "backups", "PostgreSQL's own are not seen from here. See that they run and restore")
    if facts.backed_up_at is None:
        return Finding("fail", "backups", "none was ever made. Run `hitl-mcp backup FILE` daily, try `restore` once")
    days = (facts.now - facts.backed_up_at) / DAY_MS
    words = f"the last was made {days:.0f} days ago"
    if days > OLD_BACKUP_DAYS:
        return Finding("warn", "backups", f"{words}. Run `hitl-mcp backup FILE` daily")
    return Finding("ok", "backups", words)


def _anchors(facts: Production) -> Finding:
    if not facts.anchors_outside:
        words = "kept in the database only, so whoever owns it can write the log anew. Set HITL_ANCHOR_DIR"
        return Finding("warn", "anchors", words)
    if facts.anchored_at is None or facts.now - facts.anchored_at > OLD_ANCHOR_DAYS * DAY_MS:
        return Finding("warn", "anchors", "none in the last two days. Does a service run? Or: hitl-mcp events anchor")
    return Finding("ok", "anchors", "taken daily and kept outside the database")


def _retention(facts: Production) -> Finding:
    if facts.retention_days is None:
        return Finding("warn", "retention", "everything is kept for ever. Set HITL_RETENTION_DAYS if it need not be")
    return Finding("ok", "retention", f"texts go {facts.retention_days} days after a request was closed")
