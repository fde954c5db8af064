"""The guide for Python programs is right: its blocks run, its tables are whole."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from hitl_mcp import HITLClient, exceptions
from hitl_mcp.cli import main
from hitl_mcp.contract import routes
from hitl_mcp.contract.answers import SingleSelectConfig
from hitl_mcp.settings import Settings
from tests.sdk.backends import Own, Place
from tests.world import WAIT, environment

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
PRINTED = {
    "Delete last week's backups": "deleting\n",
    "https://hitl.example.com": "",
    "load_dotenv": "active\n",
    "Which title": "The first\n",
    "Publish the article": "approved\n",
    "Send letter": "1 of 3\n2 of 3\n3 of 3\n" + "".join(f"Send letter {number}? approved\n" for number in range(3)),
    "put right": "put right: timeout_seconds\n",
    "Deploy version 7": "approved\n",
    "Restart the queue": "approved\n",
    "Restart the database": "approved\n",
}
"""A word of each program, and what it prints."""


@pytest.fixture
def person(server: Place, settings: dict[str, str]) -> Generator[None]:
    """Somebody who says yes to everything, and a loop to ask in."""
    assert isinstance(server, Own)
    with HITLClient() as client:
        client.create_loop("Everything")
    ended = threading.Event()

    def work() -> None:
        reviewer = server.service.reviewer()
        while not ended.wait(0.02):
            for one in reviewer.get(routes.REVIEWS).data["requests"]:
                config = SingleSelectConfig.model_validate(one["response_config"])
                server.service.answer(one["id"], config.options[0].value, revision=one["revision"], by=reviewer)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join(WAIT)
    assert not thread.is_alive()


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_does_what_the_guide_says(
    program: str, settings: dict[str, str], person: None, tmp_path: Path
) -> None:
    (expected,) = [printed for word, printed in PRINTED.items() if word in program]
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    given = dict(settings)
    if "load_dotenv" in program:
        key = given.pop("HITL_API_KEY")
        lines = {"HITL_PROD_API_KEY": "wrong", "HITL_DEV_API_KEY": key, "HITL_BASE_URL": given.pop("HITL_BASE_URL")}
        (documented,) = [text for kind, text in BLOCKS if kind == "dotenv"]
        assert [line.partition("=")[0] for line in documented.splitlines()] == list(lines)
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        (tmp_path / ".env").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=2 * WAIT,
        env=environment(tmp_path / "own", **given),
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


def test_every_program_is_known() -> None:
    assert len(PROGRAMS) == len(PRINTED)
    assert {kind for kind, _ in BLOCKS} == {"bash", "python", "dotenv"}


def test_the_commands_exist() -> None:
    commands = [text.strip() for kind, text in BLOCKS if kind == "bash"]
    assert commands == ["pip install hitl-mcp-server", "hitl-mcp start"]
    assert "start" in main.commands


def test_every_error_is_in_the_table() -> None:
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", GUIDE, re.MULTILINE)}
    errors = {name: carried for name, carried in rows.items() if not name.startswith("HITL_")}
    assert sorted(errors) == sorted(exceptions.__all__)
    for name, carried in errors.items():
        made = getattr(exceptions, name)
        for attribute in re.findall(r"`(\w+)`", carried):
            assert hasattr(made, attribute) or attribute in made.__init__.__code__.co_names + (
                made.__init__.__code__.co_varnames
            ), f"{name}.{attribute}"


def test_every_variable_is_a_setting() -> None:
    named = set(re.findall(r"^\| `(HITL_\w+)` \|", GUIDE, re.MULTILINE))
    assert {name.removeprefix("HITL_").lower() for name in named} <= set(Settings.model_fields)
    assert len(named) == 5
