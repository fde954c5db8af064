"""API keys, made at the machine's own terminal: `hitl-mcp keys`. No API key reaches these (H9)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import DEFAULT_SCOPES, Email, Scope
from hitl_mcp.contract.text import STORABLE
from hitl_mcp.service import joining, keys
from hitl_mcp.service.api.parameters import KeyId
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import ConsoleCaller, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["keys"])

_LoopId = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]


class NewKey(BaseModel):
    """What a key may do, and for whom it acts: `email` names a person; without it the service's owner."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200), STORABLE]
    scopes: Annotated[list[Scope], Field(min_length=1)] = list(DEFAULT_SCOPES)
    loop_ids: Annotated[list[_LoopId], Field(min_length=1, max_length=100)] | None = None
    email: Email | None = None


@router.post(routes.KEYS, status_code=201)
async def create_key(new: NewKey, console: ConsoleCaller, services: ServicesHere) -> Response:
    """A new key. Its secret is in this reply and nowhere else."""

    def make(tx: Tx) -> tuple[keys.Secrets, dict[str, object]]:
        user_id = services.account.user_id if new.email is None else joining.person_with(tx, new.email, None)
        return keys.create(tx, keys.NewKey(new.name, user_id, new.scopes, new.loop_ids))

    secrets, made = await services.store.write(make)
    data = {"key": secrets.key, "callback_secret": secrets.callback, **made, "base_url": services.keys.public_address}
    return reply("Key created", data, status=201)


@router.get(routes.KEYS)
async def list_keys(console: ConsoleCaller, services: ServicesHere) -> Response:
    """Every key, without its secret."""
    return reply("Keys retrieved successfully", {"keys": await services.store.read(keys.listed)})


@router.delete(routes.KEY)
async def revoke_key(key_id: KeyId, console: ConsoleCaller, services: ServicesHere) -> Response:
    """End a key for good, within two seconds everywhere."""
    return reply("Key revoked", await services.store.write(lambda tx: keys.revoke(tx, key_id)))


@router.post(routes.CALLBACK_SECRET, status_code=201)
async def renew_callback_secret(console: ConsoleCaller, services: ServicesHere) -> Response:
    """A fresh secret for the callbacks of this machine's agents, whose key is never shown. The former one ends."""
    made = await services.store.write(lambda tx: keys.renew_callback_secret(tx, services.account.api_key_id))
    return reply("Callback secret renewed", {"callback_secret": made}, status=201)
