"""The operator's side over PostgreSQL, where the SQL is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.sdk import AsyncHITLClient
from hitl_mcp.sdk.endpoint import Fixed
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.operating.anchors import FILE, KEY
from hitl_mcp.verify import verify
from tests import postgres
from tests.operating.test_record import exported_by
from tests.served.team import team
from tests.world import SimulatedClock

pytestmark = pytest.mark.anyio


async def test_figures_retention_and_anchors_over_postgresql(folder: Path, tmp_path: Path) -> None:
    clock = SimulatedClock()
    async with postgres.database() as url:
        settings = {"retention_days": 30, "anchor_dir": tmp_path / "outside"}
        async with team(folder, clock=clock, database_url=SecretStr(url), **settings) as server:
            key = await server.key(scopes=["loops:read", "requests:read", "requests:write", "metrics:read"])
            async with AsyncHITLClient.at(Fixed(server.endpoint(key))) as agent:
                loop = (await agent.list_loops())[0]
                for text in ("One", "Two"):
                    made = await agent.create_request(loop.id, NewRequest(kind=Kind.APPROVAL, request_text=text))
                    clock.move(30)
                    code = await server.code()
                    session = await server.console("POST", routes.SESSIONS, {"code": code})
                    answer = routes.REQUEST_RESPOND.format(request_id=made.request_id)
                    body = {"response_data": "approve", "revision": 1}
                    await ask(server.endpoint(session["token"]), "POST", answer, body)
                await agent.create_request(loop.id, NewRequest(kind=Kind.APPROVAL, request_text="Open"))
            found = (await ask(server.endpoint(key), "GET", f"{routes.FIGURES}?days=7"))["figures"]
            assert sum(day["approved"] for day in found["per_day"]) == 2 and found["median_seconds"] == 30
            assert found["waiting"][0] == {"up_to_seconds": 900, "count": 1} and found["by_reviewer"][0]["closed"] == 2
            facts = await server.console("GET", routes.PRODUCTION)
            assert (facts["asked"], facts["metrics_keys"], facts["loops"][0]["tried"]) == (3, 1, 1)
            kind, metrics = await server.services.metrics.exposed("", agents=0, pages=0)
            assert kind.startswith("text/plain") and b'outcome="approved"' in metrics
            clock.move(120)
            assert (await server.console("POST", routes.ANCHORS, {}))["written"] == 1
            clock.move(31 * 86_400)
            assert (await server.console("POST", routes.RETENTION, {}))["requests"] == 2
            lines = await exported_by(lambda path: server.console("GET", path))
    anchors = (tmp_path / "outside" / FILE).read_text().splitlines()
    report = verify(lines, anchors, bytes.fromhex((tmp_path / "outside" / KEY).read_text()))
    assert report.whole and report.anchors == 1 and report.dropped >= 4, report
