"""People who can sign in to a server, as its own terminal lists and adds them."""

from __future__ import annotations

from pydantic import BaseModel


class KnownPerson(BaseModel):
    """Somebody who can sign in.

    Attributes:
        loops: how many they are an active member of.
        is_owner: whether the server is theirs: its first person.
    """

    user_id: str
    name: str
    email: str | None
    loops: int
    has_password: bool
    is_owner: bool


class PersonAdded(KnownPerson):
    """Somebody who can sign in from now on, and where."""

    address: str


class KnownPeople(BaseModel):
    """Everybody who can sign in, and the server's owner."""

    people: list[KnownPerson]
