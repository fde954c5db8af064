"""The data folder: made private, checked, and honest about the disk it lies on (H8, H20)."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from hitl_mcp.contract.local import SECRET_FILE, SERVICE_LOCK, STATE_FILE, ServiceState, unusable
from hitl_mcp.errors import NotConfigured

SECRET_BYTES = 32
LOCK_SECONDS = 0.5
_NETWORK_TYPES = (
    "nfs",
    "cifs",
    "smb",
    "afp",
    "sshfs",
    "9p",
    "webdav",
    "davfs",
    "glusterfs",
    "ceph",
    "drvfs",
    "fuse.s3",
)
_SYNCHRONISED = ("Dropbox", "OneDrive", "Google Drive", "GoogleDrive", "iCloud", "Mobile Documents", "Nextcloud",
                 "Syncthing")  # fmt: skip


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The files of one local service."""

    path: Path
    secret: bytes = field(repr=False)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "hitl.db"

    @property
    def backups(self) -> Path:
        """Copies made before migrations."""
        return self.path / "backups"

    @property
    def state_file(self) -> Path:
        """Where a running service can be found."""
        return self.path / STATE_FILE

    @property
    def port_file(self) -> Path:
        """The port to come back to, so that an open page finds the service again."""
        return self.path / "port"

    @property
    def alive_file(self) -> Path:
        """Touched every second; tells how long the service was down (H14)."""
        return self.path / "alive"


def open_folder(path: Path) -> DataFolder:
    """Make the folder and its secret where they are missing.

    Raises: NotConfigured when it cannot be made or written.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform != "win32":
            path.chmod(0o700)
        secret = _secret(path / SECRET_FILE)
    except OSError as error:
        raise NotConfigured(unusable(path, error)) from error
    return DataFolder(path, secret)


def _secret(path: Path) -> bytes:
    """The folder's secret. Two first starts at once agree, because only one of them can create the file."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # atomic, and fails when the other was first
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not path.exists():
                fresh.replace(path)
        fresh.unlink(missing_ok=True)
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) < SECRET_BYTES:
        raise NotConfigured(
            f"The file {path} is damaged. Delete it: a new one is made at the next start, and open inbox pages then "
            "need a new link. The requests are not touched."
        )
    return secret


def take_lock(folder: DataFolder) -> FileLock:
    """The kernel's lock that makes this process the folder's only service (H17).

    Raises: NotConfigured when another service holds it, or where the file system does not keep locks (H20).
    """
    # a moment's patience: whoever ended the former service holds the lock for an instant to see that it is gone
    lock = FileLock(folder.path / SERVICE_LOCK, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise NotConfigured(
            f"Another hitl-mcp service{_holder(folder)} already uses the data folder {folder.path}. "
            "`hitl-mcp status` shows it and `hitl-mcp stop` ends it; or set HITL_DATA_DIR to another folder."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise NotConfigured(
            f"The data folder {folder.path} cannot be locked ({error}). Network and synchronised folders cannot hold "
            "the database; set HITL_DATA_DIR to a folder on a local disk."
        ) from error
    if file_system(folder.path).startswith(_NETWORK_TYPES) and not _lock_holds(folder):
        lock.release()
        raise NotConfigured(
            f"The file system of {folder.path} does not keep locks between processes, so two services could damage the "
            "database. Set HITL_DATA_DIR to a folder on a local disk. Nothing was changed."
        )
    return lock


def _holder(folder: DataFolder) -> str:
    try:
        return f" (process {ServiceState.model_validate_json(folder.state_file.read_bytes()).pid})"
    except (OSError, ValueError):
        return ""


_PROBE = """
import sys
from filelock import FileLock, Timeout
try:
    FileLock(sys.argv[1], timeout=0).acquire()
except Timeout:
    sys.exit(7)
"""


def _lock_holds(folder: DataFolder) -> bool:
    """Whether a second process is kept out; asked only on file systems known for doubtful locks."""
    command = [sys.executable, "-P", "-c", _PROBE, str(folder.path / SERVICE_LOCK)]
    return subprocess.run(command, check=False, timeout=30).returncode == 7


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`, in the operating system's words; empty when unknown."""
    resolved = path.resolve()
    best, kind = -1, ""
    for part in psutil.disk_partitions(all=True):
        if resolved.is_relative_to(part.mountpoint) and len(part.mountpoint) >= best:
            best, kind = len(part.mountpoint), part.fstype
    return kind.lower()


def disk_warnings(path: Path) -> list[str]:
    """What is doubtful about the place of the folder."""
    kind = file_system(path)
    warnings: list[str] = []
    if kind.startswith(_NETWORK_TYPES):
        warnings.append(
            f"The data folder {path} lies on a network file system ({kind}), where a crash may lose decisions. "
            "Set HITL_DATA_DIR to a folder on a local disk."
        )
    if any(name in part for part in path.resolve().parts for name in _SYNCHRONISED):
        warnings.append(
            f"The data folder {path} looks like a synchronised folder; a copy made while it is written may be broken. "
            "Set HITL_DATA_DIR to a folder that is not synchronised."
        )
    return warnings
