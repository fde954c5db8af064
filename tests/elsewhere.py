"""Python programs of others, each in an environment of its own, installed once for this user."""

from __future__ import annotations

import os
import platform
import sys
import venv
from pathlib import Path

from tests.node import installed_once, run_installer


def environment_with(*requirements: str) -> Path:
    """The Python executable of an environment that has these. Raises: CannotInstall.

    Args:
        requirements: at pinned versions; the same ones give the same environment.
    """

    def install(into: Path) -> None:
        venv.create(into, with_pip=True)
        run_installer([str(_python(into)), "-m", "pip", "install", "-q", *requirements], into)

    what = "\n".join([*requirements, platform.python_version(), sys.base_prefix])
    return _python(installed_once("python", what.encode(), install))


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
