"""Why one request is where it is (compatibility: what people ask when nothing seems to happen)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from hitl_mcp.contract.ids import is_id
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.outcome import Outcome, outcome_of
from hitl_mcp.doctor.finding import Finding
from hitl_mcp.errors import BadRequest, HITLError, NotAllowed, NotFound
from hitl_mcp.sdk.aio import AsyncHITLClient

_ALLOW = (
    "Use https, or allow it: hitl-mcp webhooks allow HOST:PORT on your own machine, HITL_OUTGOING_ALLOW on a server"
)


async def examine(client: AsyncHITLClient, request_id: str) -> AsyncGenerator[Finding]:
    """Look at the request, then at who could answer it."""
    if not is_id(request_id):
        words = f"{request_id!r} is not a request id: 24 characters 0-9 and a-f, as the reply to the question has it"
        yield Finding("fail", "request", words)
        return
    try:
        request = await client.get_request(request_id)
    except (NotFound, BadRequest):
        words = f"there is no request {request_id} here: a wrong id, or another backend or account made it"
        yield Finding("fail", "request", words)
        return
    except NotAllowed:
        yield Finding("fail", "request", f"this key may not read {request_id}. Ask with the key that made it")
        return
    except HITLError as error:
        yield Finding("fail", "request", str(error))
        return
    yield _standing(request)
    if request.status.is_open:
        async for found in _reach(client, request):
            yield found
    if request.callback_url:
        yield await _callback(client, request, request.callback_url)


def _standing(request: ReviewRequest) -> Finding:
    outcome = outcome_of(request)
    if outcome is Outcome.UNREADABLE:
        return Finding("fail", "request", "it is marked as completed, but its decision cannot be trusted: not approved")
    if outcome is not Outcome.PENDING:
        who = f" by {request.response_by_user.name}" if request.response_by_user else ""
        return Finding("ok", "request", f"closed: {outcome.value.replace('_', ' ')}{who}")
    left = request.timeout_at - datetime.now(UTC)
    hours = max(left.total_seconds(), 0) / 3600
    if request.claimed_by:
        who = request.claimed_by_user.name if request.claimed_by_user else "a person"
        words = f"{who} has taken it and not answered yet; {hours:.1f} h left"
    else:
        words = f"waits: nobody has answered yet; {hours:.1f} h left, then the default applies"
    return Finding("ok", "request", words)


async def _reach(client: AsyncHITLClient, request: ReviewRequest) -> AsyncGenerator[Finding]:
    try:
        people = await client.list_members(request.loop_id)
    except HITLError as error:
        yield Finding("warn", "reviewers", f"who could answer could not be read: {error}")
        return
    active = [member.name or member.email or member.user_id for member in people if member.status == "active"]
    joining = [member.email or member.user_id for member in people if member.status != "active"]
    if not active:
        yield Finding("fail", "reviewers", "no active person is in its loop, so nobody sees it. Let somebody join")
    else:
        yield Finding("ok", "reviewers", f"{', '.join(active)} can answer it")
    if joining:
        words = f"{', '.join(joining)} have not joined or been let in yet: they get no notification and do not see it"
        yield Finding("warn", "reviewers", words)
    name = (await client.backend()).name
    if name == "cloud":
        words = (
            "nothing arrives? In the HITL.sh app: signed in, notifications on, no do-not-disturb, no priority filter"
        )
    else:
        words = (
            "people see it in the inbox, and are told over the channels they have; what came of that stands in the "
            "request's broadcasted_to. No channel, quiet hours or a least priority keep somebody from being told"
        )
    yield Finding("ok", "notifications", words)


async def _callback(client: AsyncHITLClient, request: ReviewRequest, url: str) -> Finding:
    if (await client.backend()).name == "cloud":
        if urlsplit(url).scheme != "https":
            words = f"{url} is not https, so the cloud does not call it. Wait for the decision"
            return Finding("warn", "callback", words)
        return Finding("ok", "callback", f"{url} must be public and answer 200; waiting for the decision works without")
    try:
        sent = await client.list_callbacks(request.id)
    except NotAllowed:
        words = f"only the key that asked sees what was sent to {url}: set HITL_API_KEY and HITL_BASE_URL for it"
        return Finding("warn", "callback", words)
    except HITLError as error:
        return Finding("warn", "callback", f"what was sent to {url} could not be read: {error}")
    if not sent and urlsplit(url).scheme != "https":
        return Finding("warn", "callback", f"{url} is not https, so it is called only when it was allowed. {_ALLOW}")
    if not sent:
        return Finding("ok", "callback", f"{url} is called once it is closed. It must be public, https, and answer 200")
    if sent[0].state == "done":
        return Finding("ok", "callback", f"{url} has taken it")
    last = sent[0].attempts[-1] if sent[0].attempts else None
    came = "was not called yet" if last is None else f"answered {last.status or 'nothing'}: {last.excerpt}"
    level = "warn" if sent[0].state == "waiting" else "fail"
    return Finding(level, "callback", f"{url} {came}. {_advice(url, last and last.status)}")


def _advice(url: str, status: int | None) -> str:
    """What most often helps (compatibility section 7)."""
    if status is not None:
        return "It must answer 200 to 299, at this address itself: redirects are not followed"
    if urlsplit(url).scheme != "https":
        return f"It is not https. {_ALLOW}"
    return "Its address must be public, or allowed; for a machine without one use a tunnel. Try hitl-mcp webhooks test"
