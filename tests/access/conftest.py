"""One browser, and one gallery, for everything that is checked on every page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.access.gallery import Gallery, open_gallery
from tests.browser import anyio_backend as anyio_backend
from tests.browser import chrome as chrome


@pytest.fixture(scope="module")
async def gallery(chrome: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gallery]:
    """A team's server with something of everything, and its people's browsers."""
    async with open_gallery(tmp_path_factory.mktemp("gallery"), chrome) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder_of(gallery: Gallery) -> Path:
    """Where the gallery's data is."""
    return Path(gallery.held["folder"])
