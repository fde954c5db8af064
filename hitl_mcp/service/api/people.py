"""People who can sign in, made at the machine's own terminal: `hitl-mcp people`. No API key reaches these (D10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from hitl_mcp.contract import routes
from hitl_mcp.contract.people import KnownPeople, KnownPerson, PersonAdded
from hitl_mcp.contract.teams import Email, Role
from hitl_mcp.contract.text import STORABLE
from hitl_mcp.service import joining, people
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import ConsoleCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["people"])


class NewPerson(BaseModel):
    """Who can sign in. `owner`: the service's first person; `loop_id` puts them into a loop at once, as `role`."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200), STORABLE]
    email: Email
    owner: StrictBool = False
    loop_id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")] | None = None
    role: Role = Role.REVIEWER


@router.post(routes.PEOPLE, status_code=201)
async def add_person(new: NewPerson, console: ConsoleCaller, services: ServicesHere) -> Response:
    """Make a person, or give the service's owner a name and an address. The first person is made nowhere else."""
    first = services.account.user_id

    def make(tx: Tx) -> KnownPerson:
        if new.owner:
            people.make_first(tx, first, new.name, new.email)
            user_id = first
        else:
            user_id = joining.person_with(tx, new.email, new.name)
        if new.loop_id is not None:
            joining.add(tx, new.loop_id, user_id, new.role)
        return next(one for one in people.listed(tx, first) if one.user_id == user_id)

    made = await services.store.write(make)
    added = PersonAdded(**made.model_dump(), address=f"{services.keys.inbox_origin}/sign-in")
    return reply("Person added", added, status=201)


@router.get(routes.PEOPLE)
async def list_people(console: ConsoleCaller, services: ServicesHere) -> Response:
    """Everybody who can sign in, and the service's owner."""
    found = await services.store.read(lambda tx: people.listed(tx, services.account.user_id))
    return reply("People retrieved successfully", KnownPeople(people=found))
