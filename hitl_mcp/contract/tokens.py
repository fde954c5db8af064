"""Short-lived tokens, which stand for an API key where the key itself must not be, as in a web page (our addition)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hitl_mcp.contract.teams import Scope

TOKEN_SECONDS, TOKEN_MAX_SECONDS = 900, 3600

TokenScope = Literal[Scope.REQUESTS_READ, Scope.REQUESTS_WRITE]
"""All that a token can be granted: loops, members and webhooks are for keys, which stay on a server."""


class NewToken(BaseModel):
    """The body of "create token".

    Attributes:
        expires_in: seconds.
        scopes: of the key's own; by default all that a token can have.
        loop_ids: the only loops it reaches, of the key's own; None for all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    expires_in: Annotated[int, Field(ge=1, le=TOKEN_MAX_SECONDS)] = TOKEN_SECONDS
    scopes: Annotated[list[TokenScope], Field(min_length=1)] | None = None
    loop_ids: Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]], Field(min_length=1, max_length=100)] | (
        None
    ) = None


class AccessToken(BaseModel):
    """A token as it is given out, once. The field names are those of OAuth 2.0 (RFC 6749, section 5.1)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    access_token: Annotated[str, Field(repr=False)]
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    expires_at: datetime
    scopes: list[Scope]
    loop_ids: list[str] | None = None
