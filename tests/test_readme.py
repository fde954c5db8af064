"""What the documents say is so: commands, settings, names, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hitl_mcp import clients
from hitl_mcp.cli import main
from hitl_mcp.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def test_ci_runs_the_readmes_own_test_command() -> None:
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command in README
    assert command in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    rows = [line for line in README.splitlines() if line.startswith(f"| `HITL_{name.upper()}` |")]
    assert len(rows) == 1
    default: object = Settings.model_fields[name].default
    if isinstance(default, str | int | float):
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"| {shown} |" in rows[0]


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_is_documented(command: str) -> None:
    assert f"`hitl-mcp {command}" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_nobody_is_told_to_install_the_names_that_belong_to_others() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert not re.search(r"(pip|uv|pipx|uvx)[^\n`]* (hitl-mcp|hitl_mcp|hitl)(?![\w-])", text), document


@pytest.mark.parametrize(
    ("platform", "appdata", "expected"),
    [
        ("darwin", None, "/home/ada/Library/Application Support/Claude/claude_desktop_config.json"),
        ("win32", "/home/ada/Roam", "/home/ada/Roam/Claude/claude_desktop_config.json"),
        ("win32", None, "/home/ada/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("linux", None, "/home/ada/.config/Claude/claude_desktop_config.json"),
    ],
)
def test_claude_desktops_file_is_known_on_each_system(platform: str, appdata: str | None, expected: str) -> None:
    found = clients.claude_desktop_file(platform, Path("/home/ada"), appdata)
    assert found.as_posix() == expected
