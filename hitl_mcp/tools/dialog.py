"""The question in the MCP client's own dialog, beside the inbox: whoever answers first decides (H7).

Some hosts declare dialogs and never show one, so nothing depends on it: declining, dismissing, ignoring or breaking it
decides nothing, and the wait goes on. An answer is passed on to the service, which judges it like every other and says
when somebody was first. A page to open is offered where a client can do only that; having opened it is no answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitRequestURLParams, ElicitResult

from hitl_mcp.contract.models import MAX_COMMENT, Created, ReviewRequest
from hitl_mcp.errors import Conflict, HITLError
from hitl_mcp.sdk.aio import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.tools import forms, rounds
from hitl_mcp.tools.results import page_of

URLS_SINCE = "2025-11-25"
PASS_ON_SECONDS = 15.0
"""An answer that was given is passed on even when the call ends at that moment."""

TRIED_AGAIN_SECONDS = 3600.0

LATE = "An answer given in the client's dialog came after that and was not recorded."


class Dialog(NamedTuple):
    """What the client is asked to show.

    Attributes:
        revision: of the request that a form shows.
    """

    params: ElicitRequestFormParams | ElicitRequestURLParams
    revision: int

    @property
    def shown(self) -> int | None:
        """The revision that a form shows; a page to open shows none here."""
        return self.revision if isinstance(self.params, ElicitRequestFormParams) else None

    @property
    def request(self) -> ElicitRequest:
        """As a result of a modern connection carries it."""
        return ElicitRequest(params=self.params)


class Passed(NamedTuple):
    """What became of a dialog's answer: the request after it, and what the result says of it."""

    request: ReviewRequest
    note: str = ""


class Silence:
    """Which clients have let the time of a call pass without a word on its dialog.

    A modern client keeps the call to itself while its dialog is open. One that declares dialogs and never shows them
    would lose every call so; it loses one, and is then waited for as if it had none.
    """

    def __init__(self) -> None:
        self._since: dict[str | None, float] = {}

    def asked(self, client: str | None, until: float) -> None:
        """A client was given a dialog for a call that ends at `until`, in seconds since 1970."""
        self._since.setdefault(client, until)

    def broken(self, client: str | None) -> None:
        """A client has said what became of a dialog."""
        self._since.pop(client, None)

    def keeps(self, client: str | None) -> bool:
        """Whether this client keeps silent. It is tried again later, because its user may only have ended a call."""
        since = self._since.get(client)
        if since is not None and time.time() > since + TRIED_AGAIN_SECONDS:
            del self._since[client]
            return False
        return since is not None and time.time() > since


def dialog_for(ctx: Context[Any, Any], loop: str, created: Created, backend: Endpoint) -> Dialog | None:
    """The dialog for a request, where client, service and question allow one.

    Args:
        loop: the loop's name.
    """
    capabilities, version, request = ctx.client_capabilities, ctx.protocol_version or "", created.request
    declared = capabilities.elicitation if capabilities is not None else None
    if declared is None or backend.name == "cloud" or not request.status.is_open:
        return None
    page = page_of(request, backend)
    if declared.url is not None and declared.form is None:
        if version < URLS_SINCE:
            return None
        words = f"A question for {loop} waits in the inbox. Opening the page answers nothing."
        named = None if rounds.is_modern(ctx) else request.id
        return Dialog(ElicitRequestURLParams(message=words, url=page, elicitation_id=named), request.revision)
    message = forms.message_of(request, loop, page)
    schema = forms.schema_of(request, version) if created.client_answers and message is not None else None
    if message is None or schema is None:
        return None
    return Dialog(ElicitRequestFormParams(message=message, requested_schema=schema), request.revision)


def given_in(ctx: Context[Any, Any]) -> ElicitResult | None:
    """What a modern client's user did with the dialog of the former round."""
    given = (ctx.input_responses or {}).get(rounds.DIALOG)
    return given if isinstance(given, ElicitResult) else None


async def pass_on(
    client: AsyncHITLClient, request: ReviewRequest, given: ElicitResult | None, revision: int | None
) -> Passed:
    """Tell the service what was answered, and what became of it. Declined, dismissed and opened answer nothing.

    Args:
        revision: the one that the form showed; None where no form was shown, so that nothing can be answered.
    """
    if revision is None or given is None or given.action != "accept" or given.content is None:
        return Passed(request)
    if not request.status.is_open:
        return Passed(request, LATE)
    value = forms.meant(request, given.content.get(forms.ANSWER))
    comment = given.content.get(forms.COMMENT)
    try:
        words = comment[:MAX_COMMENT] if isinstance(comment, str) else ""
        return Passed(await client.answer_in_client(request.id, value, revision=revision, comment=words))
    except HITLError as error:
        return await _not_recorded(client, request, error)


async def _not_recorded(client: AsyncHITLClient, request: ReviewRequest, error: HITLError) -> Passed:
    why = f"An answer given in the client's dialog was not recorded: {error}"
    try:
        now = await client.get_request(request.id)
    except HITLError:
        return Passed(request, f"{why} It may be read again with the request.")
    if now.status.is_open:
        return Passed(now, why)
    # only a refusal is certain; where no answer came, the row says what stands
    return Passed(now, LATE if isinstance(error, Conflict) else "")


async def race(
    ctx: Context[Any, Any],
    client: AsyncHITLClient,
    dialog: Dialog,
    request: ReviewRequest,
    hold: Callable[[], Awaitable[ReviewRequest]],
) -> Passed:
    """Show the dialog of a legacy connection while the call is held; the SDK closes it when the call goes on.

    Args:
        hold: waits for the request; see `Desk.hold`.

    Raises: ToolError, as `hold`.
    """
    passed: Passed | None = None
    held, fault = request, None
    async with anyio.create_task_group() as tasks:
        holding = anyio.CancelScope()

        async def here() -> None:
            nonlocal passed
            given = await _shown(ctx, dialog)
            with anyio.move_on_after(PASS_ON_SECONDS, shield=True):
                passed = await pass_on(client, request, given, dialog.shown)
                if not passed.request.status.is_open:
                    holding.cancel()

        tasks.start_soon(here)
        with holding:
            try:
                held = await hold()
            except ToolError as error:
                fault = error
        tasks.cancel_scope.cancel()
    if passed is not None and not passed.request.status.is_open:
        return passed
    if fault is not None:
        raise fault
    return Passed(held, passed.note if passed is not None else "")


async def _shown(ctx: Context[Any, Any], dialog: Dialog) -> ElicitResult | None:
    """What the user did, or None where the client could not show it."""
    session, params = ctx.session, dialog.params
    with contextlib.suppress(Exception):  # boundary: whatever a client does with a dialog, the inbox remains
        if isinstance(params, ElicitRequestFormParams):
            return await session.elicit_form(params.message, params.requested_schema, ctx.request_id)
        named = params.elicitation_id or ""
        return await session.elicit_url(params.message, params.url, named, ctx.request_id)
    return None
