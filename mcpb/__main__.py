"""`python -m mcpb FILE`: build the bundle and validate it. Needs this repository and its `test` extra (Node, npm)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.node import CannotInstall, node, npm_packages

HERE = Path(__file__).parent
ROOT = HERE.parent
TOOL_SECONDS = 60


def build(target: Path) -> None:
    """Write the bundle: the manifest, and the project as uv runs it.

    Args:
        target: a file `*.mcpb`, replaced if it is there.

    Raises:
        CannotInstall: npm's packages could not be fetched.
        subprocess.CalledProcessError: the manifest or the bundle is not valid.
    """
    tool = npm_packages(HERE) / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    with tempfile.TemporaryDirectory(prefix="hitl-mcpb-") as place:
        bundle = Path(place) / "bundle"
        shutil.copytree(ROOT / "hitl_mcp", bundle / "hitl_mcp", ignore=shutil.ignore_patterns("__pycache__"))
        for file in (HERE / "manifest.json", *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))):
            shutil.copy(file, bundle)
        for step in (["validate", str(bundle)], ["pack", str(bundle), str(target.resolve())]):
            subprocess.run([node(), str(tool), *step], check=True, timeout=TOOL_SECONDS)


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("Usage: python -m mcpb FILE.mcpb\n")
        return 2
    try:
        build(Path(arguments[0]))
    except (CannotInstall, subprocess.SubprocessError) as error:
        sys.stderr.write(f"No bundle was built. {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
