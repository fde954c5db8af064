"""The proof table of docs/contract.md names tests that exist, in every row that promises something."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def functions_of(path: Path) -> set[str]:
    """The test functions of a module."""
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_the_page_names_exists() -> None:
    named: dict[str, set[str]] = {}
    for path, name in NAMED.findall(PAGE):
        named.setdefault(path, set()).add(name)
    assert len(named) > 10
    for path, names in named.items():
        assert names <= functions_of(ROOT / path), path


def test_every_row_of_a_proof_table_names_a_test() -> None:
    proving = False
    for line in PAGE.splitlines():
        if line.startswith("| ") and line.endswith("| Test |"):
            proving = True
        elif not line.startswith("|"):
            proving = False
        elif proving and not line.startswith("| ---"):
            assert NAMED.search(line.rsplit("|", 2)[1]), line


def test_every_test_of_the_suite_is_named_on_the_page() -> None:
    shown = {f"{path}::{name}" for path, name in NAMED.findall(PAGE)}
    for path in sorted((ROOT / "tests" / "rest").glob("test_*.py")):
        if path.name != Path(__file__).name:
            missing = {f"tests/rest/{path.name}::{name}" for name in functions_of(path)} - shown
            assert not missing, f"docs/contract.md does not name {sorted(missing)}"
