"""What the settings say about reviews."""

from __future__ import annotations

from pathlib import Path


def default_loop() -> str | None:
    """The loop of a review that names none. Raises: NotConfigured."""
    from hitl_mcp.settings import read_settings

    return read_settings().loop


def data_folder() -> Path:
    """The SDK's own folder. Raises: NotConfigured."""
    from hitl_mcp.settings import read_settings

    return read_settings().data_dir
