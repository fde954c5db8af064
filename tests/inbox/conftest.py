"""One browser for all of the inbox's tests."""

from __future__ import annotations

from tests.browser import anyio_backend as anyio_backend
from tests.browser import chrome as chrome
