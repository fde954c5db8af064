"""The service of this machine, seen from its console."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal

from hitl_mcp.console import console
from hitl_mcp.contract import routes
from hitl_mcp.contract.operating import Checks, LoopHealth
from hitl_mcp.doctor.finding import Finding
from hitl_mcp.errors import HITLError
from hitl_mcp.sdk import http
from hitl_mcp.sdk.local import ask
from hitl_mcp.settings import Settings

CLOCK_SECONDS = 2.0
"""Deadlines follow the database's clock; what people read on their screens follows this machine's."""
PROBE_SECONDS = 5.0


async def examine(settings: Settings) -> AsyncGenerator[Finding]:
    """Look at address, database, schema, clock, keys and loops, in this order."""
    try:
        async with console(settings) as endpoint:
            facts = Checks.model_validate(await ask(endpoint, "GET", routes.CHECKS))
    except HITLError as error:
        yield Finding("fail", "service", str(error))
        return
    for finding in _storage(facts):
        yield finding
    async for finding in _address(settings, facts):
        yield finding
    for finding in _people(facts):
        yield finding


def _storage(facts: Checks) -> list[Finding]:
    found = [Finding("ok", "database", f"{facts.database} answers")]
    if facts.schema_version == facts.schema_known:
        found.append(Finding("ok", "schema", f"{facts.schema_version}, the one this version knows"))
    else:
        words = f"{facts.schema_version}; this version knows {facts.schema_known}. Run `hitl-mcp migrate --dry-run`"
        found.append(Finding("fail", "schema", words))
    off = facts.clock_offset_seconds
    if abs(off) > CLOCK_SECONDS:
        words = (
            f"the database's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this machine's. Use NTP"
        )
        found.append(Finding("warn", "clock", words))
    else:
        found.append(Finding("ok", "clock", "the database's and this machine's agree"))
    if facts.overdue:
        words = f"{facts.overdue} open requests are past their deadline. Does a service run?"
        found.append(Finding("warn", "deadlines", words))
    found += [Finding("warn", "disk", words) for words in facts.warnings]
    return found


async def _address(settings: Settings, facts: Checks) -> AsyncGenerator[Finding]:
    if settings.public_url is None:
        if facts.hosted_by in ("background", "stdio"):
            words = f"{facts.address}, on this machine only; a phone reaches it once HITL_PUBLIC_URL is set"
            yield Finding("ok", "address", words)
        else:
            words = "HITL_PUBLIC_URL is not set, so links, join URLs and QR codes work on this machine only"
            yield Finding("warn", "address", words)
        return
    try:
        status = await http.probe(settings.public_url + routes.READY, PROBE_SECONDS)
    except HITLError as error:
        words = f"{settings.public_url} does not answer from here ({error}). Check `hitl-mcp serve`, the proxy and DNS"
        yield Finding("fail", "address", words)
        return
    if status == 200:
        yield Finding("ok", "address", f"{settings.public_url} answers and is ready")
    elif status == 421:
        words = f"{settings.public_url} is answered by a service with another HITL_PUBLIC_URL; set the same there"
        yield Finding("fail", "address", words)
    else:
        yield Finding("fail", "address", f"{settings.public_url}{routes.READY} answers {status}, not 200")
    if settings.public_url.startswith("http://"):
        words = "HITL_PUBLIC_URL is plain http: keys and sessions can be read on the way. Put a TLS proxy in front"
        yield Finding("warn", "address", words)


def _people(facts: Checks) -> list[Finding]:
    keys = facts.active_keys
    if keys == 0 and facts.hosted_by in ("serve", "console"):
        found = [Finding("warn", "keys", "there is none; agents need one: hitl-mcp keys create NAME")]
    else:
        found = [Finding("ok", "keys", f"{keys} active")]
    for loop in facts.loops:
        waiting = f"; {loop.pending} wait to be let in on the inbox's People page" if loop.pending else ""
        if loop.active == 0:
            words = f"{loop.name}: nobody answers here, so requests are refused. Let somebody join{waiting}"
            found.append(Finding("fail", "loop", words))
        else:
            people = f"{loop.active} active {'person' if loop.active == 1 else 'people'}"
            level: Literal["ok", "warn"] = "warn" if loop.pending else "ok"
            found.append(Finding(level, "loop", f"{loop.name}: {people}, {loop.open_requests} open{waiting}"))
            found.append(_told(loop, at_home=facts.hosted_by in ("background", "stdio")))
    if facts.failing_channels:
        words = (
            f"the last message over {facts.failing_channels} of people's channels did not arrive; each sees why on "
            "the inbox's Notifications page, or with `hitl-mcp channels list`"
        )
        found.append(Finding("warn", "notifications", words))
    if not facts.loops:
        found.append(Finding("fail", "loop", "there is none. Make one over the API with a key that has loops:write"))
    return found


def _told(loop: LoopHealth, *, at_home: bool) -> Finding:
    """Why nobody is notified, where that is so (compatibility section 7)."""
    if loop.with_channel == 0 and not at_home:
        words = (
            f"{loop.name}: nobody is notified, because nobody has a channel; each adds one on the inbox's "
            "Notifications page, or installs the inbox there"
        )
        return Finding("warn", "notifications", words)
    if loop.with_channel < loop.active:
        rest = (
            "this machine's desktop tells its user" if at_home else "the others see requests when they open the inbox"
        )
        return Finding(
            "ok", "notifications", f"{loop.name}: {loop.with_channel} of {loop.active} have a channel; {rest}"
        )
    words = (
        f"{loop.name}: everybody has a channel. Nothing arrives? Quiet hours and a least priority hold messages back"
    )
    return Finding("ok", "notifications", words)
