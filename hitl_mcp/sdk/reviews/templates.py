"""Where templates are kept: in the service, or in the SDK's own folder where the backend keeps none."""

from __future__ import annotations

from typing import Protocol

from anyio import to_thread

from hitl_mcp.contract.templates import NewTemplate, TemplateChange
from hitl_mcp.sdk import calls
from hitl_mcp.sdk.backend import Backend
from hitl_mcp.sdk.reviews.defaults import data_folder
from hitl_mcp.sdk.reviews.folder import TemplateFolder
from hitl_mcp.sdk.reviews.template import Template


class Shelf(Protocol):
    """A place for templates."""

    async def create(self, new: NewTemplate) -> Template:
        """Keep a new one. Raises: BadRequest, Conflict."""
        ...

    async def listed(self) -> list[Template]:
        """All of them, newest first."""
        ...

    async def find(self, wanted: str) -> Template:
        """By id, its author's key, or the slug of its name. Raises: NotFound that lists what there is."""
        ...

    async def update(self, wanted: str, change: TemplateChange) -> Template:
        """Change what is given. Raises: NotFound, BadRequest."""
        ...


class InService:
    """See `Shelf`.

    Args:
        backend: our own service.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def create(self, new: NewTemplate) -> Template:
        """See `Shelf`."""
        return await self._backend.send(calls.create_template(new))

    async def listed(self) -> list[Template]:
        """See `Shelf`."""
        return await self._backend.send(calls.list_templates())

    async def find(self, wanted: str) -> Template:
        """See `Shelf`."""
        return await self._backend.send(calls.get_template(wanted))

    async def update(self, wanted: str, change: TemplateChange) -> Template:
        """See `Shelf`."""
        return await self._backend.send(calls.update_template(wanted, change))


class InFolder:
    """See `Shelf`.

    Args:
        folder: where the files are.
    """

    def __init__(self, folder: TemplateFolder) -> None:
        self._folder = folder

    async def create(self, new: NewTemplate) -> Template:
        """See `Shelf`."""
        return await to_thread.run_sync(self._folder.create, new)

    async def listed(self) -> list[Template]:
        """See `Shelf`."""
        return await to_thread.run_sync(self._folder.listed)

    async def find(self, wanted: str) -> Template:
        """See `Shelf`."""
        return await to_thread.run_sync(self._folder.find, wanted)

    async def update(self, wanted: str, change: TemplateChange) -> Template:
        """See `Shelf`."""
        return await to_thread.run_sync(self._folder.update, wanted, change)


async def shelf_of(backend: Backend) -> Shelf:
    """Where this backend's templates are. Raises: Unreachable, NotConfigured."""
    endpoint = await backend.endpoint()
    return InFolder(TemplateFolder(data_folder(), endpoint)) if endpoint.name == "cloud" else InService(backend)
