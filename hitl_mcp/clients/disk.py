"""Reading and replacing a client's file."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from hitl_mcp.errors import NotConfigured

_MARK = "\ufeff"
"""Some editors on Windows put it before the text; it is kept."""


@dataclass(frozen=True)
class File:
    """A file as it was read; a file that does not exist is empty.

    Args:
        path: where it really is: a link leads to its target, so that it stays a link.
        content: what was in it; None when there was no file.
    """

    path: Path
    content: bytes | None

    @property
    def text(self) -> str:
        """What it says. Raises: NotConfigured when it is not UTF-8."""
        try:
            return (self.content or b"").decode("utf-8").removeprefix(_MARK)
        except UnicodeDecodeError as error:
            raise NotConfigured(f"{self.path} is not UTF-8 text ({error}). Nothing was changed.") from None


def read(path: Path) -> File:
    """Read a file. Raises: NotConfigured when it is there and cannot be read."""
    real = path.expanduser().resolve()
    try:
        return File(real, real.read_bytes())
    except FileNotFoundError:
        return File(real, None)
    except OSError as error:
        raise NotConfigured(f"{real} cannot be read ({error.strerror}). Nothing was changed.") from None


def replace(file: File, text: str) -> Path | None:
    """Put other text into a file in one step, unless it has changed since it was read.

    Returns:
        The backup of what was there.

    Raises:
        NotConfigured: it changed meanwhile, or it cannot be written.
    """
    path, mark = file.path, _MARK if (file.content or b"").startswith(_MARK.encode()) else ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = _written(path, (mark + text).encode("utf-8"))
        try:
            if file.content is not None:
                shutil.copymode(path, fresh)
            backup = _backup(path) if file.content is not None else None
            if read(path).content != file.content:
                raise NotConfigured(f"{path} was changed by another program meanwhile. Run this again.")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise NotConfigured(f"{path} cannot be written ({error.strerror}). Nothing was changed.") from None
    return backup


def _written(path: Path, content: bytes) -> Path:
    """A new file beside the old one, for nobody else to read, safely on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as fresh:
        fresh.write(content)
        fresh.flush()
        os.fsync(fresh.fileno())
    return Path(name)


def _backup(path: Path) -> Path:
    stem, number = f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}", 0
    while (backup := path.with_name(f"{stem}{f'-{number}' if number else ''}.bak")).exists():
        number += 1
    shutil.copy2(path, backup)
    return backup
