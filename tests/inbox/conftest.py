"""One browser for all of the inbox's tests: starting one takes longer than most of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser

from tests.browser import browser


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for the package, in which its browser lives."""
    return "asyncio"


@pytest.fixture(scope="package")
async def chrome(anyio_backend: str) -> AsyncGenerator[Browser]:
    """The running browser. Each test opens contexts of its own in it, which share nothing."""
    async with browser() as started:
        yield started
