"""Path parameters shared by the routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

RequestId = Annotated[str, Path(pattern=r"^[0-9a-fA-F]{24}$", description="24 hex characters")]
LoopId = Annotated[str, Path(pattern=r"^[0-9a-fA-F]{24}$", description="24 hex characters")]
