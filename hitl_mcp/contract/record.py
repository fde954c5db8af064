"""A result that programs of the oldest vocabulary read as a mapping, and others as an object."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Record(BaseModel):
    """A model whose fields are also items: `created["id"]`, `created.get("status")`, `"status" in created`."""

    def __getitem__(self, name: str) -> Any:
        """A field, or a public property. Raises: KeyError."""
        if name not in self:
            raise KeyError(name)
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        """Whether there is an item of this name."""
        cls = type(self)
        return isinstance(name, str) and (name in cls.model_fields or _is_own_property(cls, name))

    def get(self, name: str, default: Any = None) -> Any:
        """The item of this name, or the default where there is none."""
        return getattr(self, name) if name in self else default


def _is_own_property(cls: type[BaseModel], name: str) -> bool:
    return isinstance(getattr(cls, name, None), property) and not hasattr(BaseModel, name)
