"""What a caller gave, as the contract's models: checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hitl_mcp.contract.answers import first_fault
from hitl_mcp.errors import BadRequest

M = TypeVar("M", bound=BaseModel)


def valid(model: type[M], given: Mapping[str, Any]) -> M:
    """The given fields as the contract's model. Raises: BadRequest with the field."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        where, why = first_fault(error)
        fault: Any = {"field": ".".join(where), "issue": why} if where else why
        raise BadRequest("Validation failed", fault) from None


def joined(given: BaseModel | Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """Fields given as one value and as keyword arguments, together; the latter hold."""
    base = given.model_dump(exclude_unset=True) if isinstance(given, BaseModel) else dict(given or {})
    return base | dict(more)
