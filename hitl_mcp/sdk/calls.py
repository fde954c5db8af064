"""One pure function per endpoint: what to send, and how to read the answer. No input or output happens here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from hitl_mcp.contract import routes
from hitl_mcp.contract.account import Invitation, KeyFacts, NewLoopReply
from hitl_mcp.contract.models import (
    Change,
    Created,
    Loop,
    LoopRequestFilter,
    NewAnswer,
    NewRequest,
    RequestChange,
    RequestFilter,
    ReviewRequest,
)
from hitl_mcp.contract.teams import Feedback, LoopChange, Member, NewLoop, NewMember
from hitl_mcp.contract.templates import NewTemplate, TemplateChange
from hitl_mcp.contract.tokens import AccessToken, NewToken
from hitl_mcp.errors import ContractBroken
from hitl_mcp.sdk.reviews.template import Template

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to the backend.

    Attributes:
        operation: the client's name of it.
        repeatable: sending it twice does no harm, so it is repeated when no answer came.
        read: turns the envelope's `data` into the result.
        seconds: how long it may take; None for the connection's own limit.
    """

    operation: str
    method: str
    path: str
    read: Callable[[Any], T]
    query: dict[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    repeatable: bool = True
    seconds: float | None = None


def reader(shape: Any, *path: str) -> Callable[[Any], Any]:
    """Reads what stands under `path` in the envelope's data as `shape`. It raises ContractBroken for anything else."""

    @cache  # built at the first answer, because a stdio server must start fast
    def adapter() -> TypeAdapter[Any]:
        return TypeAdapter(shape)

    def read(data: Any) -> Any:
        try:
            for name in path:
                data = data[name]
            return adapter().validate_python(data)
        except (ValidationError, KeyError, TypeError) as error:
            raise ContractBroken(
                f"The backend's answer could not be read ({type(error).__name__}). It was not taken for a decision; "
                "check that hitl-mcp and the service have the same version."
            ) from error

    return read


def _the_request(request_id: str) -> Callable[[Any], ReviewRequest]:
    """Reads one request, which must be the one that was asked for: an answer belongs to its own question (H4)."""

    def read(data: Any) -> ReviewRequest:
        request: ReviewRequest = _request(data)
        if request.id.casefold() != request_id.casefold():
            raise ContractBroken(
                "The backend answered with another request than was asked for. It was not taken for a decision; look "
                "at what stands between this client and the backend, such as a proxy with a cache."
            )
        return request

    return read


_created = reader(Created)
_request = reader(ReviewRequest, "request")
_requests = reader(list[ReviewRequest], "requests")
_loops = reader(list[Loop], "loops")
_loop = reader(Loop, "loop")
_new_loop = reader(NewLoopReply)
_invitation = reader(Invitation)
_members = reader(list[Member], "members")
_member = reader(Member, "member")
_key = reader(KeyFacts)
_token = reader(AccessToken)
_notes = reader(list[str], "notes")
_template = reader(Template, "template")
_templates = reader(list[Template], "templates")
_changes = reader(list[Change], "changes")
_position = reader(int, "position")


def nothing(_: Any) -> None:
    """For a reply that says no more than that it was done."""
    return None


def check_key() -> Call[KeyFacts]:
    """Whether the key works, and what it may do."""
    return Call("check_key", "GET", routes.KEY_TEST, _key)


def create_token(new: NewToken) -> Call[AccessToken]:
    """A short-lived token."""
    return Call("create_token", "POST", routes.TOKENS, _token, body=new.model_dump(mode="json"))


def list_loops() -> Call[list[Loop]]:
    """Every loop the key may ask in."""
    return Call("list_loops", "GET", routes.LOOPS, _loops)


def get_loop(loop_id: str) -> Call[Loop]:
    """One loop with its people."""
    return Call("get_loop", "GET", routes.LOOP.format(loop_id=part(loop_id)), _loop)


def create_loop(new: NewLoop) -> Call[NewLoopReply]:
    """Make a loop."""
    body = new.model_dump(mode="json", exclude_none=True)
    return Call("create_loop", "POST", routes.LOOPS, _new_loop, body=body, repeatable=False)


def update_loop(loop_id: str, change: LoopChange) -> Call[Loop]:
    """Change what is given."""
    body = change.model_dump(mode="json", exclude_unset=True)
    return Call("update_loop", "PUT", routes.LOOP.format(loop_id=part(loop_id)), _loop, body=body)


def delete_loop(loop_id: str) -> Call[None]:
    """Take it out of use."""
    path = routes.LOOP.format(loop_id=part(loop_id))
    return Call("delete_loop", "DELETE", path, nothing, repeatable=False)


def renew_invite(loop_id: str) -> Call[Invitation]:
    """A fresh code; the former ones stop working."""
    path = routes.LOOP_INVITE.format(loop_id=part(loop_id))
    return Call("renew_invite", "POST", path, _invitation, repeatable=False)


def list_members(loop_id: str) -> Call[list[Member]]:
    """Who answers for a loop."""
    return Call("list_members", "GET", routes.MEMBERS.format(loop_id=part(loop_id)), _members)


def add_member(loop_id: str, new: NewMember) -> Call[Member]:
    """Invite a person by address."""
    body = new.model_dump(mode="json", exclude_none=True)
    path = routes.MEMBERS.format(loop_id=part(loop_id))
    return Call("add_member", "POST", path, _member, body=body, repeatable=False)


def remove_member(loop_id: str, user_id: str) -> Call[None]:
    """Take a person out of a loop."""
    path = routes.MEMBER.format(loop_id=part(loop_id), user_id=part(user_id))
    return Call("remove_member", "DELETE", path, nothing, repeatable=False)


def create_request(loop_id: str, new: NewRequest, once_key: str | None) -> Call[Created]:
    """Ask. With an idempotency key it can be repeated safely."""
    headers = {} if once_key is None else {routes.IDEMPOTENCY_KEY: once_key}
    body = new.model_dump(mode="json", exclude_unset=True)
    path = routes.LOOP_REQUESTS.format(loop_id=part(loop_id))
    return Call("create_request", "POST", path, _created, body=body, headers=headers, repeatable=once_key is not None)


def create_first_generation(loop: str, body: dict[str, Any], once_key: str | None) -> Call[Created]:
    """Ask with a body of the first generation, as it is; `loop` is an id, a name, a slug or an alias."""
    headers = {} if once_key is None else {routes.IDEMPOTENCY_KEY: once_key}
    path = routes.LOOP_REQUESTS.format(loop_id=part(loop))
    return Call("create_request", "POST", path, _created, body=body, headers=headers, repeatable=once_key is not None)


def get_request(request_id: str) -> Call[ReviewRequest]:
    """One request as it stands."""
    return Call("get_request", "GET", routes.REQUEST.format(request_id=part(request_id)), _the_request(request_id))


def list_requests(wanted: RequestFilter) -> Call[list[ReviewRequest]]:
    """The key's requests."""
    query = wanted.model_dump(mode="json", exclude_none=True)
    return Call("list_requests", "GET", routes.REQUESTS, _requests, query=query)


def list_loop_requests(loop_id: str, wanted: LoopRequestFilter) -> Call[list[ReviewRequest]]:
    """A loop's requests, whichever key made them."""
    query = wanted.model_dump(mode="json", exclude_none=True)
    path = routes.LOOP_REQUESTS.format(loop_id=part(loop_id))
    return Call("list_loop_requests", "GET", path, _requests, query=query)


def update_request(request_id: str, change: RequestChange) -> Call[ReviewRequest]:
    """Change an open request. Each sending is a revision of its own, so it is not repeated."""
    body = change.model_dump(mode="json", exclude_unset=True)
    path = routes.REQUEST.format(request_id=part(request_id))
    return Call("update_request", "PATCH", path, _the_request(request_id), body=body, repeatable=False)


def update_review(review_id: str, change: RequestChange) -> Call[tuple[ReviewRequest, list[str]]]:
    """The same for a request that is a review, with what the service says of its new assignees."""
    body = change.model_dump(mode="json", exclude_unset=True)
    path = routes.REQUEST.format(request_id=part(review_id))

    def read(data: Any) -> tuple[ReviewRequest, list[str]]:
        return _the_request(review_id)(data), _notes(data)

    return Call("update_request", "PATCH", path, read, body=body, repeatable=False)


def cancel_request(request_id: str) -> Call[ReviewRequest]:
    """Withdraw."""
    path = routes.REQUEST.format(request_id=part(request_id))
    return Call("cancel_request", "DELETE", path, _the_request(request_id), repeatable=False)


def add_feedback(request_id: str, feedback: Feedback) -> Call[None]:
    """Rate an answer; once per request."""
    body = {"feedback": feedback.model_dump(mode="json", exclude_none=True)}
    path = routes.REQUEST_FEEDBACK.format(request_id=part(request_id))
    return Call("add_feedback", "POST", path, nothing, body=body, repeatable=False)


def create_template(new: NewTemplate) -> Call[Template]:
    """Keep what reviews of one kind ask."""
    body = new.model_dump(mode="json", exclude_none=True)
    return Call("create_template", "POST", routes.TEMPLATES, _template, body=body, repeatable=False)


def list_templates() -> Call[list[Template]]:
    """Every template of the key's person."""
    return Call("list_templates", "GET", routes.TEMPLATES, _templates)


def get_template(wanted: str) -> Call[Template]:
    """One, by its id, its author's id, or the slug of its name."""
    return Call("get_template", "GET", routes.TEMPLATE.format(template=part(wanted)), _template)


def update_template(wanted: str, change: TemplateChange) -> Call[Template]:
    """Change what is given."""
    body = change.model_dump(mode="json", exclude_unset=True)
    path = routes.TEMPLATE.format(template=part(wanted))
    return Call("update_template", "PUT", path, _template, body=body)


def deliver_request(request_id: str) -> Call[None]:
    """The agent has the result."""
    return Call("deliver_request", "POST", routes.REQUEST_DELIVERED.format(request_id=part(request_id)), nothing)


def answer_in_client(request_id: str, answer: NewAnswer) -> Call[ReviewRequest]:
    """What the client's user answered. Sent again it is refused, because the request is closed then."""
    path = routes.REQUEST_CLIENT_ANSWER.format(request_id=part(request_id))
    return Call(
        "answer_in_client",
        "POST",
        path,
        _the_request(request_id),
        body=answer.model_dump(mode="json"),
        repeatable=False,
    )


def list_changes(after: int | None) -> Call[tuple[list[Change], int]]:
    """What happened after a position, and the position reached."""
    query = {} if after is None else {"after": after}
    return Call("list_changes", "GET", routes.EVENTS, lambda data: (_changes(data), _position(data)), query=dict(query))


def part(name: str) -> str:
    """One part of a path, whatever its text holds."""
    return quote(name, safe="")
