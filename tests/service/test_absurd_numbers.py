"""Numbers beyond every bound, in bodies and queries: kept as data or refused, never a 5xx."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import pytest

from hitl_mcp.contract import routes
from tests.service.hostile import NOTHING, send, unharmed
from tests.service.stage import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for all of it."""
    return "asyncio"


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """One service for all of it, as nothing here may harm it."""
    async with unharmed(tmp_path_factory.mktemp("hostile") / "data") as known:
        yield known


NUMBERS = [
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "1" + "0" * 400,
    "9" * 4_000,
    "9" * 5_000,
    "-0",
    "0.0",
    "1e-400",
    "1e308",
    "-1e308",
    "5e-324",
    "18446744073709551616",
    "9223372036854775808",
    "1.7976931348623157e308",
]


@pytest.mark.parametrize("number", NUMBERS)
async def test_an_absurd_number_is_data_or_refused(here: Stage, number: str) -> None:
    path = routes.LOOP_REQUESTS.format(loop_id=here.loop_id)
    asked = '"request_text": "?"'
    for body in (
        f'{{{asked}, "response_type": "text", "context": {{"n": {number}}}}}',
        f'{{{asked}, "response_type": "text", "timeout_seconds": {number}}}',
        f'{{{asked}, "response_type": "text", "response_config": {{"max_length": {number}}}}}',
        f'{{{asked}, "response_type": "number", "response_config": {{"max_value": {number}}}}}',
        f'{{{asked}, "response_type": "number", "response_config": {{"max_value": 5, "decimal_places": {number}}}}}',
        f'{{{asked}, "response_type": "number", "response_config": {{"max_value": 5}}, "default_response": {number}}}',
        f'{{{asked}, "response_type": "number", "response_config": {{"max_value": 1e15, "min_value": -1e15, '
        f'"decimal_places": 10, "allow_negative": true}}, "default_response": {number}}}',
        f'{{{asked}, "response_type": "rating", "response_config": {{"scale_max": {number}, "scale_step": {number}}}}}',
        f'{{{asked}, "response_type": "rating", "response_config": {{"scale_max": 5, "scale_step": 5e-324}}, '
        f'"default_response": {number}}}',
        f'{{{asked}, "response_type": "rating", "response_config": {{"scale_max": 1e15, "scale_min": -1e15}}, '
        f'"default_response": {number}}}',
        f'{{{asked}, "response_type": "multi_select", "response_config": {{"options": ["A"], '
        f'"min_selections": {number}}}}}',
        f'{{"content": {number}}}',
        f'{{"content": "text", "metadata": [{number}]}}',
        f'{{{asked}, "priority": {number}}}',
        f"{number}",
    ):
        came = await send(here, "POST", path, body)
        assert came.status == 201 or 400 <= came.status < 500, (body[:200], came)
        assert json.loads(came.body)["error"] is (came.status != 201)
    mark = await send(
        here, "POST", routes.REQUEST_FEEDBACK.format(request_id=NOTHING), f'{{"feedback": {{"rating": {number}}}}}'
    )
    mark.refused(400)


@pytest.mark.parametrize("number", [*NUMBERS, "", "%20", "+1", "1_0", "0x10", "%D9%A1", "true", "[]"])
async def test_an_absurd_number_in_a_query(here: Stage, number: str) -> None:
    request = await here.ask_approval()
    for path in (
        f"{routes.REQUESTS}?limit={number}",
        f"{routes.REQUESTS}?offset={number}",
        f"{routes.LOOP_REQUESTS.format(loop_id=here.loop_id)}?offset={number}",
        f"{routes.EVENTS}?after={number}",
        f"{routes.REQUESTS}?created_before={number}",
    ):
        came = await send(here, "GET", path)
        assert came.status in (200, 400), (path, came)
        assert json.loads(came.body)["error"] is (came.status == 400)
    if number not in ("5e-324", "1e-400", "-0", "0.0", "%D9%A1", "+1", "1_0"):
        wait = routes.REQUEST_WAIT.format(request_id=request.request_id)
        (await send(here, "GET", f"{wait}?timeout={number}")).refused(400)
