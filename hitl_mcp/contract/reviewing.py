"""What a reviewer sends beside an answer: to whom a request is handed, and what they ask the agent."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hitl_mcp.contract.models import MAX_COMMENT
from hitl_mcp.contract.text import STORABLE


def _written(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text.strip()


class Reassignment(BaseModel):
    """To whom: an active member of the loop who answers there, or null for nobody in particular."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{24}$"), AfterValidator(str.lower)] | None
    note: Annotated[str, Field(max_length=MAX_COMMENT), STORABLE] = ""


class AskedBack(BaseModel):
    """A question to the agent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Annotated[str, Field(min_length=1, max_length=MAX_COMMENT), STORABLE, AfterValidator(_written)]
