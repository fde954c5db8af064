"""Operations 1 to 8: the key check (2.1), loops (2.2) and members (2.3)."""

from __future__ import annotations

import segno

from tests.cloud.simulated.limits import usage
from tests.cloud.simulated.records import SCOPES, Loop
from tests.cloud.simulated.state import State
from tests.cloud.simulated.views import loop_view, member_view
from tests.cloud.simulated.wire import Call, Json, Refused, Reply, invalid, iso, success

LONGEST_NAME, LONGEST_DESCRIPTION = 100, 500


def check_key(state: State, call: Call) -> Reply:
    """GET /test (2.1)."""
    key, account = call.key, call.key.account
    used = usage(key, state.limit, state.manners, state.now)
    data: Json = {
        "api_key_id": key.id, "user_id": account.id, "email": account.email, "account_status": account.status,
        "rate_limit": {"limit": used.limit, "remaining": used.remaining, "reset_at": iso(used.reset)},
        "permissions": list(SCOPES),
    }  # fmt: skip
    return success("API key is valid", data)


def create_loop(state: State, call: Call) -> Reply:
    """POST /api/loops (2.2)."""
    body = call.body()
    name, icon, description = _texts(body, "name", "icon", "description")
    if not name:
        raise Refused(400, "Loop name is required")
    if not icon:
        raise Refused(400, "Loop icon is required")
    _check_lengths(name, description)
    loop = state.new_loop(call.key.account, name, icon, description or "")
    join_url = f"https://my.hitl.sh/join/{loop.invite_code}"
    data: Json = {
        "loop": loop_view(loop, 0, state.manners), "invite_code": loop.invite_code, "join_url": join_url,
        "qr_code_base64": segno.make(join_url).png_data_uri(),
        "qr_code_url": f"https://api.hitl.sh/qr/{loop.invite_code}.png",
    }  # fmt: skip
    return success("Loop created successfully with QR code", data, 201)


def list_loops(state: State, call: Call) -> Reply:
    """GET /api/loops (2.2): the account's own loops (1.2)."""
    own = [_view(state, loop) for loop in state.loops.values() if loop.creator is call.key.account]
    return success("Loops retrieved successfully", {"loops": own, "count": len(own)})


def get_loop(state: State, call: Call) -> Reply:
    """GET /api/loops/{id} (2.2)."""
    return success("Loop retrieved successfully", {"loop": _view(state, joined_loop(state, call))})


def update_loop(state: State, call: Call) -> Reply:
    """PUT /api/loops/{id}: partial (2.2)."""
    loop = _own_loop(state, call, "Only loop creator can update the loop")
    body = call.body()
    if not body.keys() & {"name", "icon", "description"}:
        raise Refused(400, "At least one field must be provided for update")
    name, icon, description = _texts(body, "name", "icon", "description")
    _check_lengths(name, description)
    loop.name = loop.name if name is None else name
    loop.icon = icon or loop.icon
    loop.description = loop.description if description is None else description
    loop.updated_at = state.now
    return success("Loop updated successfully", {"loop": _view(state, loop)})


def delete_loop(state: State, call: Call) -> Reply:
    """DELETE /api/loops/{id}: permanent and cascading (2.2)."""
    loop = _own_loop(state, call, "Only loop creator can delete the loop")
    requests = state.requests_of(loop.id)
    if not state.manners.deletes_open and any(request.is_open for request in requests):
        raise Refused(400, "Cannot delete loop with active requests")
    state.delete_loop(loop)
    answered = sum(request.answer is not None for request in requests)
    older: Json = {
        "deleted_at": iso(state.now),
        "deleted_data": {
            "members_removed": len(loop.members), "requests_deleted": len(requests), "responses_deleted": answered,
        },
    }  # fmt: skip
    return success("Loop deleted successfully", {"loop_id": loop.id} | (older if state.manners.older_extras else {}))


def list_members(state: State, call: Call) -> Reply:
    """GET /api/loops/{id}/members (2.3): the current shape, or the older one."""
    loop = joined_loop(state, call)
    members = [member_view(member, state.manners) for member in loop.members]
    data: Json = {"loop_id": loop.id, "members": members, "member_count": len(members)}
    if state.manners.older_extras:
        active = sum(member.status == "active" for member in loop.members)
        times = sorted(member.joined_at for member in loop.members if member.joined_at is not None)
        statistics: Json = {
            "avg_join_time_days": 0, "newest_member_joined": iso(times[-1]), "oldest_member_joined": iso(times[0]),
        }  # fmt: skip
        data = {
            "members": members, "total_count": len(members), "active_count": active,
            "pending_count": len(members) - active, "statistics": statistics,
        }  # fmt: skip
    return success("Loop members retrieved successfully", data)


def remove_member(state: State, call: Call) -> Reply:
    """DELETE /api/loops/{id}/members/{userId} (2.3)."""
    loop, user_id = _own_loop(state, call, "Only loop creator can remove members"), call.path["user_id"]
    member = loop.member(user_id)
    if member is None:
        raise Refused(404, "User is not a member of this loop")
    if member.person is loop.creator:
        raise Refused(403, "Loop creator cannot remove themselves")
    loop.members.remove(member)
    data: Json = {"loop_id": loop.id, "user_id": user_id}
    if state.manners.older_extras:
        return success("Member removed from loop successfully", data | {"removed_at": iso(state.now)})
    return success("Member removed successfully", data)


def joined_loop(state: State, call: Call) -> Loop:
    """The loop in the path, of which the key's account is a member (1.2). Raises: Refused."""
    loop = state.loop(call.path["loop_id"])
    if loop.member(call.key.account.id) is None:
        raise Refused(403, "Access denied to this loop")
    return loop


def _own_loop(state: State, call: Call, msg: str) -> Loop:
    loop = state.loop(call.path["loop_id"])
    if loop.creator is not call.key.account:
        raise Refused(403, msg)
    return loop


def _view(state: State, loop: Loop) -> Json:
    pending = sum(request.is_open for request in state.requests_of(loop.id))
    return loop_view(loop, pending, state.manners)


def _texts(body: Json, *names: str) -> list[str | None]:
    values = [body.get(name) for name in names]
    if not all(value is None or isinstance(value, str) for value in values):
        raise Refused(400, "Invalid request body")
    return values


def _check_lengths(name: str | None, description: str | None) -> None:
    if name is not None and not 1 <= len(name) <= LONGEST_NAME:
        raise invalid(f"name must be between 1 and {LONGEST_NAME} characters")
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        raise invalid(f"description must be at most {LONGEST_DESCRIPTION} characters")
