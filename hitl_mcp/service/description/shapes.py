"""How the `data` of each successful reply looks, where the contract has no model of it.

For the description only: the routes build their replies themselves, and a fuzzer holds both together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hitl_mcp.contract.models import Broadcast, Change, Created, Loop, ReviewRequest
from hitl_mcp.contract.states import Status
from hitl_mcp.contract.teams import Member, Scope
from hitl_mcp.contract.templates import KeptTemplate


class Shape(BaseModel):
    """One form of `data`."""

    model_config = ConfigDict(defer_build=True)


class Nothing(Shape):
    """There is nothing more to say."""


class ShownRequest(ReviewRequest):
    """A request. Media fields that were given (`image_urls`, `file_url`, ...) stand beside the others."""

    media: Annotated[dict[str, Any] | None, Field(exclude=True)] = None  # never under this name in these replies


class AskedRequest(Created):
    """What was asked, with the request itself."""

    request: ShownRequest  # pyright: ignore[reportIncompatibleVariableOverride]  # only narrower, never assigned


class BroadcastRequest(ShownRequest):
    """A request with the members it was meant for."""

    broadcasted_to: Annotated[list[Broadcast], Field(default_factory=list)]


class OneRequest(Shape):
    """A request, and beside it the four fields that published pollers read there."""

    request: ShownRequest
    status: Literal["pending", "claimed", "completed", "timed_out", "cancelled"]
    response_data: Any
    default_response: Any


class ChangedRequest(OneRequest):
    """The same, and what the agent should know of it."""

    notes: list[str]


class FetchedRequest(OneRequest):
    """The same with the members the request was meant for."""

    request: BroadcastRequest  # pyright: ignore[reportIncompatibleVariableOverride]  # only narrower, never assigned


class PendingRequest(OneRequest):
    """Nobody has answered yet: ask again."""

    pending: Literal[True]


class RequestForReview(Shape):
    """A request as a reviewer sees it."""

    request: ReviewRequest


class RecordedAnswer(RequestForReview):
    """The request after an answer; while that can be taken back, until `held_until`, everybody sees it as open."""

    held_until: datetime | None


class RequestsForReview(Shape):
    """What waits for a person, the most urgent first."""

    requests: list[ReviewRequest]
    count: int


class Paging(Shape):
    """Where a page of a list stands."""

    limit: int
    offset: int
    next_offset: int | None


class TheRequest(Shape):
    """A request."""

    request: ShownRequest


class RequestPage(Shape):
    """One page of requests."""

    requests: list[ShownRequest]
    count: int
    total: int
    has_more: bool
    pagination: Paging


class LoopRequestPage(RequestPage):
    """One page of a loop's requests."""

    loop_id: str


class Refund(Shape):
    """Whether the call was given back to the hour's limit."""

    refunded: bool
    reason: str


class CancelledRequest(Shape):
    """A withdrawn request."""

    request_id: str
    status: Literal["cancelled"]
    cancelled_at: datetime
    previous_status: Status
    refund_info: Refund
    request: ShownRequest


class GivenFeedback(Shape):
    """Feedback as it is kept."""

    request_id: str
    feedback: dict[str, Any]
    feedback_id: str
    submitted_at: datetime
    reviewer_notified: bool


class Delivery(Shape):
    """When the agent first had the result."""

    request_id: str
    first_delivered_at: datetime


class Entry(Shape):
    """One entry of a request's event log. `hash` is taken over the former entry's and this one's `data_hash`."""

    position: int
    seq: int
    type: str
    actor: str
    at: int
    data: Any
    data_text: str
    data_hash: str
    previous_hash: str | None
    hash: str


class History(Shape):
    """A request's event log, oldest first."""

    request_id: str
    events: list[Entry]


class FirstGenerationAnswer(Shape):
    """What first-generation callers read beside the envelope's fields. Whatever closed without a person is rejected."""

    id: str
    request_id: str
    status: Literal["pending", "completed"]
    decision: str | None
    source: Literal["human", "default", "cancelled"] | None
    response: Any
    comment: str | None


class RateLimit(Shape):
    """Calls of the key within the hour. Without a limit, `limit` and `remaining` are both 1000000."""

    limit: int
    remaining: int
    reset_at: datetime
    unlimited: bool


class KeyCheck(Shape):
    """Whose key it is and what it may do."""

    api_key_id: str
    user_id: str
    email: str | None
    account_status: Literal["active"]
    rate_limit: RateLimit
    permissions: list[Scope]
    loop_ids: list[str] | None


class OneLoop(Shape):
    """A loop."""

    loop: Loop


class LoopList(Shape):
    """Every loop the key reaches."""

    loops: list[Loop]
    count: int


class Invitation(Shape):
    """A fresh way into a loop: a code, the page that takes it, and a picture of that page's address."""

    loop_id: str
    invite_code: str
    qr_code_url: str
    join_url: str
    qr_code_base64: str


class NewLoopCreated(Shape):
    """A new loop with its first invitation."""

    loop: Loop
    invite_code: str
    qr_code_url: str
    join_url: str
    qr_code_base64: str


class DeletedCounts(Shape):
    """What went with a loop. Requests and answers are kept."""

    members_removed: int
    requests_deleted: int
    responses_deleted: int


class DeletedLoop(Shape):
    """A loop taken out of use."""

    loop_id: str
    deleted_at: datetime
    archived: bool
    deleted_data: DeletedCounts


class MemberStatistics(Shape):
    """How long joining took, and when the first and the last joined."""

    avg_join_time_days: float
    newest_member_joined: datetime | None
    oldest_member_joined: datetime | None


class MemberList(Shape):
    """The people of a loop."""

    loop_id: str
    members: list[Member]
    member_count: int
    total_count: int
    active_count: int
    pending_count: int
    statistics: MemberStatistics


class InvitedMember(Shape):
    """A person who waits to be confirmed."""

    loop_id: str
    member: Member
    note: str


class RemovedMember(Shape):
    """A person who is no longer in the loop."""

    loop_id: str
    user_id: str
    removed_at: datetime


class OneTemplate(Shape):
    """A template."""

    template: KeptTemplate


class TemplateList(Shape):
    """Every template of the key's person, newest first."""

    templates: list[KeptTemplate]
    count: int


class Changes(Shape):
    """What happened, and the position to read on from."""

    changes: list[Change]
    position: int


class Key(Shape):
    """An API key as it is listed: never its secret."""

    id: str
    name: str
    hint: str
    user_id: str
    person: str
    scopes: list[Scope]
    loop_ids: list[str] | None
    created_at: datetime
    revoked_at: datetime | None


class NewKeyMade(Key):
    """A new key with its secret, which is shown this once."""

    key: str
    callback_secret: str
    base_url: str


class KeyList(Shape):
    """Every key that was made."""

    keys: list[Key]


class Hello(Shape):
    """Who answers here."""

    version: str
    contract: int
    instance: str


class SignIn(Shape):
    """A one-time code and the page that takes it."""

    code: str
    address: str
    expires_in: int


class Session(Shape):
    """A terminal session's token."""

    token: str


class Opened(Shape):
    """Whether a browser could be asked."""

    opened: bool


class Version(Shape):
    """Which version runs."""

    version: str


class Backup(Shape):
    """A checked copy of the database."""

    path: str
    bytes: int
