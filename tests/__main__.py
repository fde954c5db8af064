"""`python -m tests`: install what only the machine can give (a browser), then run every check and every test.

Needs nothing but this environment (`pip install -e '.[test]'`). Where no Chrome or Chromium is installed, the system's
package is: on Debian and its kin by apt-get, as root or through sudo. The MCP clients that the server is tested with
are installed once into the user's cache folder, from npm's registry and the Python package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from tests.browser import find_browser
from tests.matrix.installed import install_all
from tests.node import CannotInstall

ROOT = Path(__file__).parent.parent
_IN_TWO = ("-n", "2", "--dist", "loadfile")
"""Two processes side by side: much of a test's time is waiting for processes and pages."""


def main(arguments: list[str]) -> int:
    """Run the checks and, with these arguments, pytest; the first failure's exit code."""
    if not find_browser():
        install_browser()
    try:
        install_all()
    except CannotInstall as error:
        sys.exit(str(error))
    python = [sys.executable, "-m"]
    steps = [
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
    ]
    for step in steps:
        code = _begin(step).wait()
        if code != 0:
            return code
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:  # beside the tests, which wait much of their time
        types = _begin([*python, "pyright", "--pythonpath", sys.executable], said)
        tests = _begin([*python, "pytest", *_IN_TWO, *arguments]).wait()
        wrong = types.wait()
        said.seek(0)
        print(said.read(), flush=True)
    return wrong or tests


def _begin(step: list[str], output: IO[str] | None = None) -> subprocess.Popen[str]:
    print("+", " ".join(step[1:]), flush=True)
    return subprocess.Popen(step, cwd=ROOT, stdout=output, text=True)


def install_browser() -> None:
    """Install Chromium by the system's package manager. Exits with words where that is not possible."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    sudo = [] if root else ["sudo", "-n"]
    if shutil.which("apt-get") is None or (sudo and shutil.which("sudo") is None):
        sys.exit(
            "The tests need Chrome or Chromium. Install it with your system's package manager, then run this again."
        )
    print("No Chrome or Chromium found: installing the package chromium", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*sudo, "apt-get", "update", "-q"], env=environment, check=True)
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"]
    subprocess.run([*sudo, *install], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
