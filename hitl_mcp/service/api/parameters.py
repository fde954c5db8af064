"""Path parameters shared by the routes. Ids are accepted in either case and compared in lower case."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

_LOWER = AfterValidator(str.lower)
_HEX = r"^[0-9a-fA-F]{24}$"

RequestId = Annotated[str, Path(pattern=_HEX, description="24 hex characters"), _LOWER]
LoopId = Annotated[str, Path(pattern=_HEX, description="24 hex characters"), _LOWER]
UserId = Annotated[str, Path(pattern=_HEX, description="24 hex characters"), _LOWER]
KeyId = Annotated[str, Path(pattern=_HEX, description="24 hex characters"), _LOWER]
WebhookId = Annotated[str, Path(pattern=_HEX, description="24 hex characters"), _LOWER]
ChannelId = Annotated[str, Path(pattern=_HEX, description="24 hex characters"), _LOWER]
LoopRef = Annotated[
    str,
    Path(
        min_length=1, max_length=100,
        description="The loop's id. For first-generation bodies also its name, slug or an operator's alias",
    ),
]  # fmt: skip
TemplateRef = Annotated[
    str,
    Path(min_length=1, max_length=200, description="The template's id, its author's key, or the slug of its name"),
]
InviteCode = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,20}$", description="An invitation's code")]
