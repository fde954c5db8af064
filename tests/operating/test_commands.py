"""The operator's commands, as the operator runs them: export, verify, retention, doctor --production."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.sdk.local import ask
from hitl_mcp.service.operating.anchors import FILE, KEY
from tests.world import SimulatedClock, environment, world

pytestmark = pytest.mark.anyio


async def command(folder: Path, *arguments: str | Path) -> tuple[int, str]:
    """Run a command beside the service; its exit code and what it said."""
    line = [sys.executable, "-m", "hitl_mcp", *map(str, arguments)]
    with anyio.fail_after(60):
        done = await anyio.run_process(line, env=environment(folder), check=False, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def by_subject(said: str) -> dict[str, str]:
    """The doctor's findings; of several about one subject the last."""
    return {
        line[6:].partition(":")[0]: line for line in said.splitlines() if line[:5].strip() in ("ok", "warn", "fail")
    }


async def test_a_log_is_exported_and_verified_and_an_edit_is_found(folder: Path, tmp_path: Path) -> None:
    clock, log = SimulatedClock(), tmp_path / "log.jsonl"
    async with world(folder, clock=clock) as here:
        made = await here.ask_approval("Deploy")
        await here.reviewer.answer(made.request_id, "approve", comment="Go")
        clock.move(90)
        code, said = await command(folder, "events", "anchor")
        assert (code, f"1 new in {folder / FILE}" in said) == (0, True), said
        code, said = await command(folder, "events", "export", log)
        assert (code, said) == (0, f"2 entries written to {log}.\n")
        assert "exists already" in (await command(folder, "events", "export", log))[1]
        code, said = await command(folder, "retention", "run", "--dry-run")
        assert code == 2 and "HITL_RETENTION_DAYS is not set" in said
    marks = ("--anchors", folder / FILE, "--key", folder / KEY)
    code, said = await command(tmp_path / "nowhere", "events", "verify", log, *marks)
    assert code == 0 and "1 anchors agree" in said, said
    log.write_text(log.read_text().replace('\\"Go\\"', '\\"No\\"'))
    code, said = await command(tmp_path / "nowhere", "events", "verify", log, *marks)
    assert code == 1 and "holds other data than was written" in said, said
    assert not (tmp_path / "nowhere").exists(), "verifying needs no service and no folder"


async def test_the_doctor_says_what_is_missing_before_one_relies_on_it(folder: Path, tmp_path: Path) -> None:
    async with world(folder) as here:
        made = await here.ask_approval("Deploy", once_key="k")
        await here.reviewer.answer(made.request_id, "approve")
        code, said = await command(folder, "doctor", "--production")
        lines = by_subject(said)
        assert code == 1 and lines["backups"].startswith("fail"), said
        for subject in ("guidelines", "webhooks", "monitoring", "timeout", "https", "retention", "anchors"):
            assert lines[subject].startswith("warn"), said
        assert "1 of 1 reviewers have answered a request. Invite another" in lines["reviewers"]
        assert "1 of 1 requests in 30 days could be repeated safely" in lines["retries"]

        await ask(here.found.console(), "POST", routes.BACKUP, {"path": str(tmp_path / "copy.db")})
        await ask(here.found.console(), "POST", routes.KEYS, {"name": "prometheus", "scopes": ["metrics:read"]})
        code, said = await command(folder, "doctor", "--production")
        lines = by_subject(said)
        assert code == 0 and lines["backups"].startswith("ok") and lines["monitoring"].startswith("ok"), said
