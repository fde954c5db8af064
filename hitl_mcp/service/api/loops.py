"""Loops and the key check (contract sections 2.1 and 2.2).

Sources differ on a fetched loop: we add `members`, and for its creator's key `invite_code`, `qr_code_url`, `join_url`.
Delete archives: events stay, and open requests refuse it (H9).
"""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import Loop
from hitl_mcp.contract.teams import LoopChange, NewLoop
from hitl_mcp.service import invitations, loops, members
from hitl_mcp.service.actors import Agent
from hitl_mcp.service.api.parameters import InviteCode, LoopId
from hitl_mcp.service.context import Keys
from hitl_mcp.service.qr import png
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import KeyOrToken, LoopReader, LoopWriter, ServicesHere
from hitl_mcp.service.web.envelope import reply
from hitl_mcp.service.web.limits import rate_of

router = APIRouter(tags=["loops"])


@router.get(routes.KEY_TEST)
async def test_key(agent: KeyOrToken, services: ServicesHere) -> Response:
    """Whether the key works, whose it is, and what it may do."""
    data = {
        "api_key_id": agent.api_key_id,
        "user_id": agent.user_id,
        "email": agent.email,
        "account_status": "active",
        "rate_limit": await rate_of(services, agent),
        "permissions": sorted(agent.scopes),
        "loop_ids": None if agent.loop_ids is None else sorted(agent.loop_ids),
    }
    return reply("API key is valid", data)


@router.post(routes.LOOPS, status_code=201)
async def create_loop(new: NewLoop, agent: LoopWriter, services: ServicesHere) -> Response:
    """A loop whose first member is the person behind the key, with a code that lets others ask to join."""

    def make(tx: Tx) -> tuple[Loop, str]:
        if agent.loop_ids is not None:
            raise loops.limited_key()
        loop_id = loops.add_loop(
            tx, name=new.name, description=new.description, icon=new.icon, creator_id=agent.user_id
        )
        code = invitations.rotate_code(tx, loop_id, agent.user_id)
        return _whole(tx, agent, services.keys, loop_id), code

    loop, code = await services.store.write(make)
    data = {"loop": loop, **_invitation(services.keys, code)}
    return reply("Loop created successfully with QR code", data, status=201)


@router.get(routes.LOOPS)
async def list_loops(agent: LoopReader, services: ServicesHere) -> Response:
    """Every loop this key reaches."""
    found = await services.store.read(lambda tx: loops.visible(tx, agent))
    return reply("Loops retrieved successfully", {"loops": found, "count": len(found)})


@router.get(routes.LOOP)
async def get_loop(loop_id: LoopId, agent: LoopReader, services: ServicesHere) -> Response:
    """One loop with its people; for its creator's key also with the ways in."""
    loop = await services.store.read(lambda tx: _whole(tx, agent, services.keys, loop_id))
    return reply("Loop retrieved successfully", {"loop": loop})


@router.put(routes.LOOP)
async def update_loop(loop_id: LoopId, wanted: LoopChange, agent: LoopWriter, services: ServicesHere) -> Response:
    """Change name, icon or description; what is left out stays."""
    loop = await services.store.write(lambda tx: loops.change(tx, agent, loop_id, wanted))
    return reply("Loop updated successfully", {"loop": loop})


@router.delete(routes.LOOP)
async def delete_loop(loop_id: LoopId, agent: LoopWriter, services: ServicesHere) -> Response:
    """Take the loop out of use. Its requests and events are kept; refused while requests are open."""
    data = await services.store.write(lambda tx: loops.archive(tx, agent, loop_id))
    return reply("Loop deleted successfully", data)


@router.post(routes.LOOP_INVITE, status_code=201)
async def renew_invite(loop_id: LoopId, agent: LoopWriter, services: ServicesHere) -> Response:
    """Our addition: a fresh code for 7 days; the former ones stop working."""

    def renew(tx: Tx) -> str:
        loops.find_owned(tx, agent, loop_id, "renew the invitation")
        return invitations.rotate_code(tx, loop_id, agent.user_id)

    code = await services.store.write(renew)
    data = {"loop_id": loop_id, **_invitation(services.keys, code)}
    return reply("Invitation renewed", data, status=201)


@router.get(routes.QR_CODE, responses={200: {"content": {"image/png": {}}}}, response_class=Response)
async def qr_code(code: InviteCode, services: ServicesHere) -> Response:
    """The QR code of a living invitation, as an image. Whoever has the code may see it."""
    await services.store.read(lambda tx: invitations.found(tx, code))
    return Response(
        png(services.keys.join_url(code.upper())), media_type="image/png", headers={"Cache-Control": "no-store"}
    )


def _whole(tx: Tx, agent: Agent, keys: Keys, loop_id: str) -> Loop:
    loop = loops.find_visible(tx, agent, loop_id)
    more: dict[str, Any] = {"members": members.of_loop(tx, loop_id)}
    if loop.creator_id == agent.user_id and (code := invitations.code_of(tx, loop_id)) is not None:
        more |= _ways_in(keys, code)
    return loop.model_copy(update=more)


def _invitation(keys: Keys, code: str) -> dict[str, str]:
    image = base64.b64encode(png(keys.join_url(code))).decode()
    return {"qr_code_base64": f"data:image/png;base64,{image}", **_ways_in(keys, code)}


def _ways_in(keys: Keys, code: str) -> dict[str, str]:
    return {"invite_code": code, "qr_code_url": keys.qr_url(code), "join_url": keys.join_url(code)}
