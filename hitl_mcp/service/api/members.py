"""The people of a loop (contract section 2.3): the union of the older and the newer shape."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import Member, NewMember
from hitl_mcp.service import joining, leaving, loops, members
from hitl_mcp.service.api.parameters import LoopId, UserId
from hitl_mcp.service.clock import moment
from hitl_mcp.service.store.base import Tx
from hitl_mcp.service.web.auth import LoopReader, MemberWriter, ServicesHere
from hitl_mcp.service.web.envelope import reply

router = APIRouter(tags=["members"])


@router.get(routes.MEMBERS)
async def list_members(loop_id: LoopId, agent: LoopReader, services: ServicesHere) -> Response:
    """Who answers for the loop. A pending member gets no requests until a person of the loop confirms."""

    def read(tx: Tx) -> list[Member]:
        loops.find_visible(tx, agent, loop_id)
        return members.with_activity(tx, loop_id)

    found = await services.store.scan(read)
    active = sum(member.status == "active" for member in found)
    data = {
        "loop_id": loop_id,
        "members": found,
        "member_count": active,
        "total_count": len(found),
        "active_count": active,
        "pending_count": len(found) - active,
        "statistics": members.statistics(found),
    }
    return reply("Loop members retrieved successfully", data)


@router.post(routes.MEMBERS, status_code=201)
async def invite_member(loop_id: LoopId, new: NewMember, agent: MemberWriter, services: ServicesHere) -> Response:
    """Our addition: invite a person by address. They stay pending until a person of the loop confirms (H10)."""
    member = await services.store.write(lambda tx: joining.invite(tx, agent, loop_id, new.email, new.name))
    note = "Pending: an active member of the loop confirms on the inbox's People page. No message is sent by itself."
    return reply("Member invited", {"loop_id": loop_id, "member": member, "note": note}, status=201)


@router.delete(routes.MEMBER)
async def remove_member(loop_id: LoopId, user_id: UserId, agent: MemberWriter, services: ServicesHere) -> Response:
    """Take a person out of the loop; the creator stays."""
    await services.store.write(lambda tx: leaving.remove(tx, agent, loop_id, user_id))
    data = {"loop_id": loop_id, "user_id": user_id, "removed_at": moment(services.clock())}
    return reply("Member removed successfully", data)
