"""Images as they were when a question was asked: the same bytes for every viewer, from our own origin (H5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import bindparam, insert, select

from hitl_mcp.errors import NotFound
from hitl_mcp.service.actors import Person
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.store.tables import media, members, request_media, requests


class FetchedImage(Protocol):
    """What was fetched from an address that an agent named."""

    @property
    def url(self) -> str:
        """Where it came from."""
        ...

    @property
    def content_type(self) -> str:
        """By its first bytes, not by what the server said."""
        ...

    @property
    def data(self) -> bytes:
        """The image."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 in hex."""
        ...


_known = select(media.c.digest).where(media.c.digest == bindparam("digest"))


def keep(tx: Tx, request_id: str, images: Sequence[FetchedImage]) -> None:
    """Store what a request shows. The same bytes are stored once."""
    for image in {image.digest: image for image in images}.values():
        if tx.connection.execute(_known, {"digest": image.digest}).first() is None:
            row = {"digest": image.digest, "content_type": image.content_type, "data": image.data}
            tx.connection.execute(insert(media), row | {"created_at": tx.now})
        tx.connection.execute(insert(request_media), {"request_id": request_id, "digest": image.digest})


_seen_by = (
    select(media.c.content_type, media.c.data)
    .join(request_media, request_media.c.digest == media.c.digest)
    .join(requests, requests.c.id == request_media.c.request_id)
    .join(members, members.c.loop_id == requests.c.loop_id)
    .where(
        media.c.digest == bindparam("digest"), members.c.user_id == bindparam("user_id"), members.c.status == "active"
    )
    .limit(1)
)


def seen_by(tx: Tx, person: Person, digest: str) -> tuple[str, bytes]:
    """Type and bytes of an image in a request of this person's loops. Raises: NotFound."""
    row = tx.connection.execute(_seen_by, {"digest": digest, "user_id": person.user_id}).first()
    if row is None:
        raise NotFound("There is no such image")
    return str(row.content_type), bytes(row.data)
