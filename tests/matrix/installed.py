"""The clients of others, installed once for this user: npm's at locked versions, Python's 1.x beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.elsewhere import environment_with
from tests.node import npm_packages

CLIENTS = Path(__file__).parent / "clients"


@cache
def node_packages() -> Path:
    """The folder with `node_modules`. Raises: CannotInstall."""
    return npm_packages(CLIENTS)


@cache
def python_v1() -> Path:
    """The Python executable of an environment with the 1.x SDK. Raises: CannotInstall."""
    return environment_with(*(CLIENTS / "requirements.txt").read_text(encoding="utf-8").split())


def install_all() -> None:
    """Install what is missing. Raises: CannotInstall."""
    node_packages()
    python_v1()
