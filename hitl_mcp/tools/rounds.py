"""One wait in several short requests, so that a host which cuts calls at 60 s can wait longer.

A client of revision 2026-07-28 that is given a state instead of a result calls again with it, and its model notices
nothing. Not all that speak this revision do: those that declare elicitation usually can, so only they are asked to. The
client stops after ten rounds; eight waits and one dialog stay below. The SDK seals the state and binds it to the tool,
its arguments and the caller; what it names is checked again in each round all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cached_property
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.request_state import AESGCMRequestStateCodec, RequestStateSecurity
from mcp.types import InputRequest, InputRequiredResult
from pydantic import BaseModel, ConfigDict, ValidationError

MODERN = "2026-07-28"
ROUND_SECONDS = 40.0
MAX_ROUNDS = 8
STATE_SECONDS = 30 * 86_400.0
"""A dialog of the client may stay open as long as its question. A state grants nothing: it names a request.
Written out, because importing the contract's models would slow down the start of a stdio server."""


class State(BaseModel):
    """What goes from one round to the next.

    Attributes:
        until: when the wait ends, in seconds since 1970.
        rounds: how many have waited.
        shown: the revision that the client's dialog showed, until it was answered.
        note: what the result says of the dialog's answer.
        joined: as in `Asked`, like `repeat` and `open_ahead`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    request_id: str
    until: float
    rounds: int = 0
    shown: int | None = None
    note: str = ""
    joined: bool = False
    repeat: bool = False
    open_ahead: int = 0

    def next(self, note: str) -> State:
        """After one more round. The dialog is shown once."""
        return self.model_copy(update={"rounds": self.rounds + 1, "shown": None, "note": note})

    def handed_out(self, asking: InputRequest | None = None) -> InputRequiredResult:
        """The round's result: the client calls again.

        Args:
            asking: what it asks its user before.
        """
        requests = None if asking is None else {DIALOG: asking}
        return InputRequiredResult(input_requests=requests, request_state=self.model_dump_json(exclude_defaults=True))


DIALOG = "answer"
"""The name of the one thing that a client may be asked for."""


def is_modern(ctx: Context[Any, Any]) -> bool:
    """Whether the client is asked by results, and not by requests of the server."""
    return (ctx.protocol_version or "") >= MODERN


def can_go_on(ctx: Context[Any, Any]) -> bool:
    """Whether the client calls again when it is given a state."""
    capabilities = ctx.client_capabilities
    return is_modern(ctx) and capabilities is not None and capabilities.elicitation is not None


def state_of(ctx: Context[Any, Any]) -> State | None:
    """What a former round of this call has left; None in the first. Raises: ToolError for another version's."""
    if ctx.request_state is None:
        return None
    try:
        return State.model_validate_json(ctx.request_state)
    except ValidationError:
        raise ToolError(
            "This call was begun with another version of hitl-mcp and cannot go on. Nothing is lost: list_requests "
            "shows the request, and check_request reads it."
        ) from None


StateKey = Callable[[], bytes | None]
"""Finds the key that all processes of one backend share, when it is first needed. None: there is no such key."""


def no_key() -> None:
    """States live as long as this process."""


class StateCodec:
    """Seals with a key that is read when it is first needed, because starting a server must touch nothing (D13).

    Args:
        key: see `StateKey`.
    """

    def __init__(self, key: StateKey) -> None:
        self._key = key

    @cached_property
    def _inner(self) -> AESGCMRequestStateCodec:
        return AESGCMRequestStateCodec([self._key() or secrets.token_bytes(32)])

    def seal(self, payload: bytes) -> str:
        """See `RequestStateCodec`."""
        return self._inner.seal(payload)

    def unseal(self, token: str) -> bytes:
        """See `RequestStateCodec`. Raises: InvalidRequestState."""
        return self._inner.unseal(token)


def security(key: StateKey) -> RequestStateSecurity:
    """How states are sealed; see `StateCodec`."""
    return RequestStateSecurity(codec=StateCodec(key), ttl=STATE_SECONDS)
