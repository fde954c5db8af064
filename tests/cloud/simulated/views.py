"""Loops, members and requests as they are read (2.2, 2.3, 2.5)."""

from __future__ import annotations

from tests.cloud.simulated import options
from tests.cloud.simulated.manners import Manners
from tests.cloud.simulated.records import Loop, Member, Request
from tests.cloud.simulated.response_types import SELECTS, fit, shown
from tests.cloud.simulated.wire import Json, iso, iso_or_null


def member_view(member: Member, manners: Manners) -> Json:
    """One member (2.3); `role` and `last_active` are on the older page."""
    view: Json = {
        "user_id": member.person.id, "email": member.person.email, "status": member.status,
        "joined_at": iso_or_null(member.joined_at),
    }  # fmt: skip
    older: Json = {"role": "member", "last_active": iso_or_null(member.joined_at)}
    return view | (older if manners.older_extras else {})


def loop_view(loop: Loop, pending: int, manners: Manners) -> Json:
    """One loop (2.2). `pending` counts its requests that nobody has answered."""
    return {
        "id": loop.id, "name": loop.name, "description": loop.description, "icon": loop.icon,
        "creator_id": loop.creator.id, "members": [member_view(member, manners) for member in loop.members],
        "member_count": len(loop.members), "pending_count": pending,
        "created_at": iso(loop.created_at), "updated_at": iso(loop.updated_at),
    }  # fmt: skip


def status_of(request: Request, manners: Manners) -> str:
    """The status as it is shown (4.1)."""
    return "pending" if request.status == "claimed" and not manners.shows_claimed else request.status


def response_data(request: Request, manners: Manners) -> object:
    """The answer as it is shown; at a timeout null or the default (4.3)."""
    kind, config = request.asked["response_type"], request.asked["response_config"]
    if request.status == "timeout" and manners.timeout_answer == "default":
        return shown(kind, config, fit(kind, config, request.asked["default_response"]), manners)
    if request.answer is None:
        return None
    return request.answer.value if request.answer.as_is else shown(kind, config, request.answer.value, manners)


def request_view(request: Request, manners: Manners) -> Json:
    """One request (2.5)."""
    asked = request.asked
    config = dict(asked["response_config"])
    if asked["response_type"] in SELECTS:
        config["options"] = [options.echoed(one, slugged=manners.slugged_options) for one in config["options"]]
    at = request.response_at
    view: Json = {
        "id": request.id, "loop_id": request.loop_id, "creator_id": request.creator.id,
        "api_key_id": request.api_key_id, "processing_type": asked["processing_type"], "type": asked["type"],
        "priority": asked["priority"], "request_text": asked["request_text"], "image_url": asked.get("image_url"),
        "context": asked.get("context", {}), "platform": asked["platform"],
        "platform_version": asked.get("platform_version", ""), "response_type": asked["response_type"],
        "response_config": config, "default_response": asked["default_response"],
        "timeout_at": iso(request.timeout_at), "callback_url": asked.get("callback_url"),
        "broadcasted_to": [
            {
                "user_id": person.id, "email": person.email, "role": "member", "notification_sent": sent,
                "notification_error": None if sent else "No device registered",
            }
            for person, sent in request.broadcast
        ],
        "broadcasted_at": iso(request.created_at), "status": status_of(request, manners),
        "response_at": iso_or_null(at), "response_data": response_data(request, manners),
        "response_time_seconds": None if at is None else at - request.created_at,
        "created_at": iso(request.created_at), "updated_at": iso(request.updated_at),
    }  # fmt: skip
    return view | _responder(request, manners) | _media(request)


def _responder(request: Request, manners: Manners) -> Json:
    if manners.responder == "missing":
        return {}
    person = request.response_by
    if person is None:
        return {"response_by": None}
    if manners.responder == "object":
        return {"response_by": {"user_id": person.id, "name": person.name, "email": person.email}}
    user = {"response_by_user": {"id": person.id, "name": person.name, "email": person.email}}
    return {"response_by": person.id} | (user if manners.responder == "id_and_user" else {})


def _media(request: Request) -> Json:
    """The newest page's fields of files, video, audio and several images, as sent."""
    names = ("image_urls", "file_url", "file_type", "file_name", "file_urls", "file_types", "file_names",
             "video_url", "video_urls", "audio_url", "audio_urls")  # fmt: skip
    return {name: request.asked[name] for name in names if name in request.asked}
