"""A real browser for the tests: an installed Chrome or Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
)
_QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
          "--disable-component-update"]  # fmt: skip


def find_browser() -> str | None:
    """The path of an installed browser."""
    for name in _NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    return next((place for place in _PLACES if Path(place).exists()), None)


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """A running browser. Fails, and says how to put it right, where none is installed."""
    path = find_browser()
    assert path is not None, "no Chrome or Chromium: run `python -m tests`, which installs one"
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=[*_QUIET, *as_root])
        try:
            yield started
        finally:
            await started.close()


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for the package, in which its browser lives."""
    return "asyncio"


@pytest.fixture(scope="package")
async def chrome(anyio_backend: str) -> AsyncGenerator[Browser]:
    """The running browser: starting one takes longer than most tests. Each opens contexts of its own in it."""
    async with browser() as started:
        yield started
