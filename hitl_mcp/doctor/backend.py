"""A backend elsewhere, seen with the key: reachable or not, the key's rights and budget, loops and reviewers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from hitl_mcp.contract.account import KeyFacts
from hitl_mcp.contract.models import Loop
from hitl_mcp.contract.teams import Member, Scope
from hitl_mcp.doctor.finding import Finding
from hitl_mcp.errors import HITLError, NotAllowed, NotAuthorised, TooManyRequests, Unreachable
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.choosing import Choice
from hitl_mcp.settings import Settings

MAX_LOOPS = 5
"""Loops whose people are asked for: each costs a call."""
LOW_BUDGET = 20
_NEEDED = (Scope.LOOPS_READ, Scope.REQUESTS_READ, Scope.REQUESTS_WRITE)


async def examine(settings: Settings, choice: Choice, client: AsyncHITLClient) -> AsyncGenerator[Finding]:
    """Look in the order in which a question meets each thing."""
    name = "the HITL.sh cloud" if choice.kind == "cloud" else "a team's server"
    try:
        key = await client.check_key()
    except Unreachable as error:
        words = f"{choice.kind}, {name} at {choice.url}, is not reachable: {error}. Check HITL_BASE_URL, network, proxy"
        yield Finding("fail", "backend", words)
        return
    except NotAuthorised as error:
        yield Finding("ok", "backend", f"{choice.kind}, {name} at {choice.url}, answers")
        yield Finding("fail", "key", f"HITL_API_KEY is not accepted ({error.message}). Make a new one and set it")
        return
    except TooManyRequests as error:
        yield Finding("ok", "backend", f"{choice.kind}, {name} at {choice.url}, answers")
        yield Finding("fail", "budget", str(error))
        return
    except HITLError as error:
        yield Finding("fail", "backend", f"{choice.kind}, {name} at {choice.url}: {error}")
        return
    yield Finding("ok", "backend", f"{choice.kind}, {name} at {choice.url}, answers")
    if urlsplit(choice.url).scheme == "http" and (await client.backend()).is_abroad:
        yield Finding("warn", "backend", "HITL_BASE_URL is plain http: the key can be read on the way. Use https")
    for found in _key(key):
        yield found
    if late := client.staleness():
        yield Finding("ok", "waiting", late)
    async for found in _loops(settings, key, client):
        yield found


def _key(key: KeyFacts) -> list[Finding]:
    found: list[Finding] = []
    whose = f" of {key.email}" if key.email else ""
    if key.account_status != "active":
        found.append(Finding("fail", "key", f"the account{whose} is {key.account_status}"))
    missing = [scope.value for scope in _NEEDED if scope.value not in key.permissions]
    if missing and key.permissions:
        words = f"it may not {', '.join(missing)}; it may {', '.join(key.permissions)}. Make a key with these"
        found.append(Finding("fail", "key", words))
    elif not found:
        found.append(Finding("ok", "key", f"accepted{whose}; it may {', '.join(key.permissions) or 'not say what'}"))
    if (rate := key.rate_limit) is not None:
        back = f"; full again at {rate.reset_at:%H:%M} UTC" if rate.reset_at else ""
        words = f"{rate.remaining} of {rate.limit} calls left in this hour{back}"
        found.append(Finding("warn" if rate.remaining <= LOW_BUDGET else "ok", "budget", words))
    return found


async def _loops(settings: Settings, key: KeyFacts, client: AsyncHITLClient) -> AsyncGenerator[Finding]:
    try:
        loops = await client.list_loops()
    except HITLError as error:
        yield Finding("fail", "loop", f"the list of loops could not be read: {error}")
        return
    if not loops:
        yield Finding("fail", "loop", "this key reaches none. Make one, or take the key of the account that has it")
    if settings.loop and not any(settings.loop.casefold() in (loop.id, loop.name.casefold()) for loop in loops):
        listed = ", ".join(f"{loop.name} ({loop.id})" for loop in loops) or "none"
        yield Finding("fail", "loop", f"HITL_LOOP {settings.loop!r} is none of this key's loops: {listed}")
    spare = MAX_LOOPS if key.rate_limit is None else min(MAX_LOOPS, key.rate_limit.remaining - LOW_BUDGET)
    for index, loop in enumerate(loops):
        if index >= spare:
            yield Finding("ok", "loop", f"{len(loops) - index} more, not looked at so that the budget lasts")
            return
        yield await _people(loop, client)


async def _people(loop: Loop, client: AsyncHITLClient) -> Finding:
    try:
        people: list[Member] = loop.members or await client.list_members(loop.id)
    except NotAllowed:
        return Finding("warn", "loop", f"{loop.name}: this key may not see its people; {loop.member_count} are named")
    except HITLError as error:
        return Finding("warn", "loop", f"{loop.name}: its people could not be read: {error}")
    active = sum(member.status == "active" for member in people)
    waiting = len(people) - active
    joining = f"; {waiting} invited and not active yet, so they get no requests" if waiting else ""
    if active == 0:
        return Finding("fail", "loop", f"{loop.name}: nobody answers here, so requests are refused{joining}")
    reviewers = f"{active} active {'person' if active == 1 else 'people'}"
    return Finding("warn" if waiting else "ok", "loop", f"{loop.name}: {reviewers}{joining}")
