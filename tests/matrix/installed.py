"""The clients of others, installed once for this user: npm's at locked versions, Python's 1.x beside this one."""

from __future__ import annotations

import os
import platform
import sys
import venv
from functools import cache
from pathlib import Path

from tests.node import installed_once, npm_packages, run_installer

CLIENTS = Path(__file__).parent / "clients"


@cache
def node_packages() -> Path:
    """The folder with `node_modules`. Raises: CannotInstall."""
    return npm_packages(CLIENTS)


@cache
def python_v1() -> Path:
    """The Python executable of an environment with the 1.x SDK. Raises: CannotInstall."""
    requirements = CLIENTS / "requirements.txt"

    def install(into: Path) -> None:
        venv.create(into, with_pip=True)
        run_installer([str(_python(into)), "-m", "pip", "install", "-q", "-r", str(requirements)], into)

    what = requirements.read_bytes() + f"{platform.python_version()} {sys.base_prefix}".encode()
    return _python(installed_once("python", what, install))


def install_all() -> None:
    """Install what is missing. Raises: CannotInstall."""
    node_packages()
    python_v1()


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
