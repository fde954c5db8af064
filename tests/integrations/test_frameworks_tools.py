"""A tool that needs a person, in three agent frameworks: the examples with their stub models and a scripted person."""

from __future__ import annotations

import ast
import json
import subprocess
import time
from pathlib import Path

import pytest

from hitl_mcp.contract import routes
from tests.elsewhere import environment_with
from tests.node import INSTALL_SECONDS
from tests.programs import ROOT
from tests.rest.backend import Backend
from tests.world import WAIT, environment

EXAMPLES = ("langgraph_refund", "openai_agents_refund", "pydantic_ai_refund")
FRAMEWORKS = (
    "langgraph==1.2.22", "openai-agents==0.24.0", "pydantic-ai-slim==2.68.0",
    "httpx2", "pydantic-settings", "platformdirs", "filelock",
)  # fmt: skip
"""What the examples stand on, and what our client does."""


def ran(service: Backend, example: str, folder: Path, answer: str, comment: str = "") -> tuple[str, dict[str, object]]:
    """What the example's agent said, and the question that a person saw."""
    loop = service.key.new_loop()
    key = service.new_key(loops=[loop])
    given = environment(
        folder, HITL_API_KEY=key.key or "", HITL_BASE_URL=str(service.http.base_url), PYTHONPATH=str(ROOT),
        OPENAI_AGENTS_DISABLE_TRACING="1",
    )  # fmt: skip
    program = [str(environment_with(*FRAMEWORKS)), "-m", f"examples.frameworks.{example}"]
    seen: dict[str, object] = {}
    with subprocess.Popen(
        program, cwd=ROOT, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        until = time.monotonic() + WAIT * 2
        try:
            while process.poll() is None and time.monotonic() < until:
                path = routes.LOOP_REQUESTS.format(loop_id=loop)
                for request in key.get(path, status="pending").data["requests"]:
                    seen = request
                    body = {"response_data": answer, "revision": 1, "comment": comment}
                    respond = routes.REQUEST_RESPOND.format(request_id=request["id"])
                    assert service.reviewer().post(respond, body).status == 200
                time.sleep(0.05)
        finally:
            process.kill()
        said, complaints = process.communicate(timeout=WAIT)
    assert process.returncode == 0, complaints
    return json.loads(said.splitlines()[-1])["said"], seen


@pytest.mark.nightly
@pytest.mark.timeout(INSTALL_SECONDS * 2)
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_tool_runs_only_when_a_person_approved(service: Backend, example: str, folder: Path) -> None:
    said, seen = ran(service, example, folder, "Approve")
    assert said == "Done: refunded 120 for order A-17"
    assert seen["context"] == {"tool": "refund", "arguments": {"order": "A-17", "amount": 120}}
    said, _ = ran(service, example, folder, "Reject", "too much")
    assert said == "Done: Not approved (rejected): too much. Do not try it again."


def test_the_examples_are_there_and_can_be_read() -> None:
    """The cheap check for every CI run: the frameworks themselves are installed at night."""
    folder = ROOT / "examples" / "frameworks"
    assert sorted(path.stem for path in folder.glob("*_refund.py")) == sorted(EXAMPLES)
    for name in EXAMPLES:
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert "examples.frameworks.person" in imported
        assert f"python -m examples.frameworks.{name}" in (ast.get_docstring(tree) or "")
