"""What each operation answers: its statuses, the model of its `data`, and which refusals are its own.

Refusals that follow from an operation's form (a body, parameters, a credential) are added by `document`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from hitl_mcp.contract import routes
from hitl_mcp.contract.channels import Arrival, KnownChannel, KnownChannels
from hitl_mcp.contract.local import ServiceStatus
from hitl_mcp.contract.operating import Checks, Production
from hitl_mcp.contract.people import KnownPeople, PersonAdded
from hitl_mcp.contract.tokens import AccessToken
from hitl_mcp.service.description import operating, shapes
from hitl_mcp.service.description import webhook_shapes as told
from hitl_mcp.service.description.examples import ANSWERED, BY_CLIENT, CANCELLED, CLAIMED


@dataclass(frozen=True, slots=True)
class Reply:
    """One successful answer.

    Attributes:
        says: when it is given.
        data: the model of the envelope's `data`.
        beside: the model of fields beside the envelope's own.
        always_beside: whether those fields are in every reply.
        fields: values of fields in the example, where they differ from the usual ones.
    """

    says: str
    data: type[BaseModel]
    beside: type[BaseModel] | None = None
    always_beside: bool = True
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: its id in the document.
        summary: what it does, in a few words.
        replies: its successful answers by status.
        refusals: further statuses that it answers, with an example of their words.
        media_type: what it answers when that is not the envelope.
    """

    name: str
    summary: str
    replies: dict[int, Reply]
    refusals: dict[int, str]
    media_type: str | None = None


def _one(status: int, says: str, data: type[BaseModel], fields: dict[str, Any] | None = None) -> dict[int, Reply]:
    return {status: Reply(says, data, fields=fields or {})}


_LOOP = {404: "Loop not found"}
_REQUEST = {404: "Request not found"}
_WEBHOOK = {404: "Webhook not found"}
_TEMPLATE = {404: "Template not found"}
_USED_KEY = "This idempotency key was used for a different question. Use a new key for a new question"
_FIRST = shapes.FirstGenerationAnswer
_ADDRESSED = {404: "Nobody with this address is known here"}

OPERATIONS: dict[tuple[str, str], Operation] = {
    # requests
    ("post", routes.LOOP_REQUESTS): Operation(
        "create_request", "Ask a person",
        {201: Reply("Asked, and shown to the loop's people", shapes.AskedRequest, _FIRST, always_beside=False),
         200: Reply(
             "The same question was asked before; this is that request", shapes.AskedRequest, _FIRST,
             always_beside=False)},
        {404: "Loop not found", 409: _USED_KEY},
    ),
    ("get", routes.LOOP_REQUESTS): Operation(
        "list_loop_requests", "List a loop's requests", _one(200, "A page of requests", shapes.LoopRequestPage), _LOOP),
    ("get", routes.REQUESTS): Operation(
        "list_requests", "List this key's requests", _one(200, "A page of requests", shapes.RequestPage), {}),
    ("get", routes.REQUEST): Operation(
        "get_request", "Get a request",
        _one(200, "The request as it stands", shapes.FetchedRequest, ANSWERED), _REQUEST),
    ("get", routes.REQUEST_WAIT): Operation(
        "wait_for_request", "Wait until a request is closed",
        {200: Reply("The request is closed, or a reviewer asks the agent", shapes.OneRequest, fields=ANSWERED),
         408: Reply("Nobody has answered yet. This is no error: call again", shapes.PendingRequest)}, _REQUEST),
    ("patch", routes.REQUEST): Operation(
        "update_request", "Change an open request", _one(200, "The new revision", shapes.ChangedRequest), _REQUEST),
    ("delete", routes.REQUEST): Operation(
        "cancel_request", "Withdraw an open request", _one(200, "Withdrawn", shapes.CancelledRequest, CANCELLED),
        {**_REQUEST, 400: "Request cannot be cancelled in current state"}),
    ("post", routes.REQUEST_FEEDBACK): Operation(
        "add_feedback", "Rate an answer", _one(200, "Kept", shapes.GivenFeedback),
        {**_REQUEST, 409: "Feedback was already added to this request"}),
    ("post", routes.REQUEST_DELIVERED): Operation(
        "deliver_request", "Say that the agent has the result", _one(200, "Recorded", shapes.Delivery),
        {**_REQUEST, 400: "Only the result of a closed request can be delivered"}),
    ("post", routes.REQUEST_CLIENT_ANSWER): Operation(
        "answer_in_client", "Pass on what the client's user answered",
        _one(200, "Recorded, as `client_asserted`", shapes.OneRequest, BY_CLIENT),
        {**_REQUEST, 409: "Already decided by Grace at 2026-03-02 09:30:00 UTC"}),
    ("get", routes.REQUEST_EVENTS): Operation(
        "request_events", "Read a request's event log", _one(200, "The log", shapes.History), _REQUEST),
    # first generation
    ("get", routes.REQUEST_RESPONSE): Operation(
        "first_generation_response", "Read an answer, as the first generation does",
        {200: Reply("The request", shapes.TheRequest, _FIRST, fields=ANSWERED)}, _REQUEST),
    ("get", routes.REQUEST_STATUS): Operation(
        "first_generation_status", "Read a status, as the first generation does",
        {200: Reply("The request", shapes.TheRequest, _FIRST, fields=ANSWERED)}, _REQUEST),
    # loops
    ("get", routes.KEY_TEST): Operation(
        "test_key", "Check the key", _one(200, "The key works", shapes.KeyCheck), {}),
    ("get", routes.LOOPS): Operation("list_loops", "List loops", _one(200, "The loops", shapes.LoopList), {}),
    ("post", routes.LOOPS): Operation(
        "create_loop", "Create a loop", _one(201, "The loop and its invitation", shapes.NewLoopCreated), {}),
    ("get", routes.LOOP): Operation("get_loop", "Get a loop", _one(200, "The loop", shapes.OneLoop), _LOOP),
    ("put", routes.LOOP): Operation("update_loop", "Change a loop", _one(200, "The loop", shapes.OneLoop), _LOOP),
    ("delete", routes.LOOP): Operation(
        "delete_loop", "Take a loop out of use", _one(200, "Out of use", shapes.DeletedLoop),
        {**_LOOP, 400: "Cannot delete loop with active requests"}),
    ("post", routes.LOOP_INVITE): Operation(
        "renew_invite", "Renew a loop's invitation", _one(201, "The invitation", shapes.Invitation), _LOOP),
    ("get", routes.QR_CODE): Operation(
        "qr_code", "An invitation as a QR code", _one(200, "The picture", shapes.Nothing),
        {404: "This invitation is not known or has expired. Ask whoever sent it for a new one"}, "image/png"),
    # members
    ("get", routes.MEMBERS): Operation(
        "list_members", "List a loop's people", _one(200, "The people", shapes.MemberList), _LOOP),
    ("post", routes.MEMBERS): Operation(
        "invite_member", "Invite a person by address", _one(201, "Invited, pending", shapes.InvitedMember),
        {**_LOOP, 409: "This person is in the loop already"}),
    ("delete", routes.MEMBER): Operation(
        "remove_member", "Take a person out of a loop", _one(200, "Removed", shapes.RemovedMember),
        {404: "User is not a member of this loop"}),
    # templates
    ("post", routes.TEMPLATES): Operation(
        "create_template", "Create a template", _one(201, "The template", shapes.OneTemplate),
        {**_LOOP, 400: "Invalid template fields", 409: "A template with this key exists. Change it with PUT, or choose "
         "another key"}),
    ("get", routes.TEMPLATES): Operation(
        "list_templates", "List templates", _one(200, "The templates", shapes.TemplateList), {}),
    ("get", routes.TEMPLATE): Operation(
        "get_template", "Get a template", _one(200, "The template", shapes.OneTemplate), _TEMPLATE),
    ("put", routes.TEMPLATE): Operation(
        "update_template", "Change a template", _one(200, "The template", shapes.OneTemplate),
        {**_TEMPLATE, 400: "Invalid template fields"}),
    # webhooks
    ("post", routes.WEBHOOKS): Operation(
        "create_webhook", "Register a webhook",
        {201: Reply("Registered; its secret is shown this once", told.OneWebhook, told.WebhookId)},
        {**_LOOP, 400: "The address may not be called"}),
    ("get", routes.WEBHOOKS): Operation("list_webhooks", "List webhooks", _one(200, "Webhooks", told.WebhookList), {}),
    ("get", routes.WEBHOOK): Operation(
        "get_webhook", "Get a webhook", _one(200, "The webhook", told.OneWebhook), _WEBHOOK),
    ("put", routes.WEBHOOK): Operation(
        "replace_webhook", "Change a webhook, as PATCH does", _one(200, "The webhook", told.OneWebhook), _WEBHOOK),
    ("patch", routes.WEBHOOK): Operation(
        "update_webhook", "Change a webhook", _one(200, "The webhook", told.OneWebhook), _WEBHOOK),
    ("delete", routes.WEBHOOK): Operation(
        "delete_webhook", "Remove a webhook", _one(200, "Removed", told.RemovedWebhook), _WEBHOOK),
    ("post", routes.WEBHOOK_TEST): Operation(
        "test_webhook", "Send a test", _one(200, "What came of it", told.OneDelivery), _WEBHOOK),
    ("post", routes.WEBHOOK_ROTATE): Operation(
        "rotate_webhook", "Rotate a webhook's secret", _one(200, "The webhook with its new secret", told.OneWebhook),
        _WEBHOOK),
    ("get", routes.WEBHOOK_DELIVERIES): Operation(
        "list_deliveries", "List what was sent", _one(200, "Deliveries", told.DeliveryList), _WEBHOOK),
    ("post", routes.WEBHOOK_REDELIVER): Operation(
        "redeliver", "Send again", _one(200, "Under way", told.SentAgain),
        {**_WEBHOOK, 400: "The webhook is disabled"}),
    ("get", routes.HOOK_SAMPLES): Operation(
        "hook_samples", "See what an event looks like", _one(200, "Bodies of an event", told.Samples),
        {400: "Unknown event"}),
    ("get", routes.REQUEST_CALLBACKS): Operation(
        "list_callbacks", "List what was sent to a request's callback_url",
        _one(200, "Deliveries", told.DeliveryList), _REQUEST),
    # events
    ("get", routes.EVENTS): Operation(
        "list_changes", "Read what happened", _one(200, "Changes", shapes.Changes), {}),
    ("get", routes.EVENTS_STREAM): Operation(
        "stream_changes", "Follow what happens", _one(200, "Server-sent events", shapes.Nothing), {},
        "text/event-stream"),
    # reviews
    ("get", routes.REVIEWS): Operation(
        "open_reviews", "List what waits for a person", _one(200, "Requests", shapes.RequestsForReview), {}),
    ("get", routes.REVIEW): Operation(
        "one_review", "Get a request for review", _one(200, "The request", shapes.RequestForReview), _REQUEST),
    ("post", routes.REQUEST_CLAIM): Operation(
        "claim", "Take a request for a while", _one(200, "Claimed", shapes.RequestForReview, CLAIMED),
        {**_REQUEST, 409: "Claimed by Grace right now"}),
    ("post", routes.REQUEST_RELEASE): Operation(
        "release", "Give a claimed request back", _one(200, "Released", shapes.RequestForReview),
        {**_REQUEST, 409: "It is not claimed by you"}),
    ("post", routes.REQUEST_RESPOND): Operation(
        "respond", "Answer a request", _one(200, "Recorded", shapes.RecordedAnswer, ANSWERED),
        {**_REQUEST, 409: "Answered by Grace; it can no longer be answered"}),
    ("post", routes.REQUEST_UNDO): Operation(
        "undo", "Take an answer back", _one(200, "Taken back", shapes.RequestForReview),
        {**_REQUEST, 409: "Your answer is final by now; it can no longer be taken back"}),
    ("post", routes.REQUEST_REASSIGN): Operation(
        "reassign", "Hand a request to a member", _one(200, "Handed on", shapes.RequestForReview),
        {**_REQUEST, 409: "Claimed by Grace right now"}),
    ("post", routes.REQUEST_ESCALATE): Operation(
        "escalate", "Escalate a request", _one(200, "Escalated", shapes.RequestForReview),
        {**_REQUEST, 409: "It is on the last step of its ladder already; there is nobody further to ask"}),
    ("post", routes.REQUEST_ASK): Operation(
        "ask_back", "Ask the agent", _one(200, "Asked", shapes.RequestForReview),
        {**_REQUEST, 409: "Grace has asked the agent already; its answer is awaited"}),
    # local
    ("get", routes.HELLO): Operation("hello", "Who answers here", _one(200, "This service", shapes.Hello), {}),
    ("get", routes.STATUS): Operation("status", "The service's state", _one(200, "It runs", ServiceStatus), {}),
    ("post", routes.STOP): Operation("stop", "End the service", _one(200, "It ends", shapes.Nothing), {}),
    ("post", routes.SIGN_INS): Operation(
        "create_sign_in", "Make a one-time code", _one(201, "The code", shapes.SignIn), _ADDRESSED),
    ("post", routes.OPEN_INBOX): Operation(
        "open_inbox", "Open the inbox in a browser", _one(200, "Whether it was asked", shapes.Opened), {}),
    ("post", routes.SESSIONS): Operation(
        "create_session", "Sign in at the terminal", _one(201, "Signed in", shapes.Session),
        {401: "This sign-in is used up, expired or wrong. Ask for a new one: hitl-mcp inbox"}),
    ("delete", routes.SESSIONS): Operation(
        "end_session", "Sign out at the terminal", _one(200, "Signed out", shapes.Nothing), {}),
    # channels
    ("get", routes.CHANNELS): Operation(
        "list_channels", "List the channels", _one(200, "The channels", KnownChannels), {}),
    ("post", routes.CHANNELS): Operation(
        "add_channel", "Add a channel", _one(201, "The channel", KnownChannel),
        {400: "This is no address that Apprise knows", 409: "You have 20 channels already. Remove one first"}),
    ("delete", routes.CHANNEL): Operation(
        "remove_channel", "Remove a channel", _one(200, "Removed", shapes.Nothing), {}),
    ("post", routes.CHANNEL_TEST): Operation(
        "test_channel", "Send a test", _one(200, "What came of it", Arrival),
        {404: "There is no such channel; it may have been removed"}),
    # keys
    ("get", routes.KEYS): Operation("list_keys", "List keys", _one(200, "The keys", shapes.KeyList), {}),
    ("post", routes.KEYS): Operation(
        "create_key", "Create a key", _one(201, "The key", shapes.NewKeyMade), {404: "Loop not found"}),
    ("delete", routes.KEY): Operation(
        "revoke_key", "Revoke a key", _one(200, "Revoked", shapes.Key),
        {404: "There is no such key. `hitl-mcp keys list` shows them"}),
    # people
    ("get", routes.PEOPLE): Operation("list_people", "List people", _one(200, "Who can sign in", KnownPeople), {}),
    ("post", routes.PEOPLE): Operation(
        "add_person", "Let a person sign in", _one(201, "The person", PersonAdded),
        {404: "Loop not found", 409: "This address belongs to somebody else here"}),
    # tokens
    ("post", routes.TOKENS): Operation(
        "create_token", "Make a short-lived token for a page", _one(201, "The token", AccessToken),
        {404: "Loop not found"}),
    ("post", routes.CALLBACK_SECRET): Operation(
        "renew_callback_secret", "Renew what signs this machine's callbacks",
        _one(201, "The new secret", told.CallbackSecret), {}),
    # operating
    ("get", routes.OUTGOING): Operation(
        "list_allowed", "What may be called although it is private", _one(200, "The list", told.Allowed), {}),
    ("post", routes.OUTGOING): Operation(
        "allow_outgoing", "Let a private address be called", _one(200, "The list", told.Allowed),
        {400: "On a server this is the setting HITL_OUTGOING_ALLOW"}),
    ("get", routes.HEALTH): Operation("health", "Whether the process lives", _one(200, "It lives", shapes.Version), {}),
    ("get", routes.READY): Operation("ready", "Whether it can work", _one(200, "It can", shapes.Version), {}),
    ("get", routes.CHECKS): Operation(
        "get_checks", "Facts about the service", _one(200, "What the doctor judges", Checks), {}),
    ("get", routes.PRODUCTION): Operation(
        "get_production", "Facts about readiness", _one(200, "What the doctor judges", Production), {}),
    ("get", routes.METRICS): Operation(
        "read_metrics", "Prometheus metrics", _one(200, "The metrics", shapes.Nothing), {}, "text/plain"),
    ("get", routes.FIGURES): Operation(
        "read_figures", "A team's figures", _one(200, "The figures", operating.TeamFigures), {404: "Loop not found"}),
    ("get", routes.LOG): Operation(
        "read_log", "Read the whole event log", _one(200, "A page of it", operating.LogPage), {}),
    ("post", routes.ANCHORS): Operation(
        "create_anchor", "Anchor the event log", _one(201, "Taken", operating.AnchorTaken),
        {503: "The anchors could not be written outside the database"}),
    ("post", routes.RETENTION): Operation(
        "run_retention", "Empty old requests", _one(200, "How many", operating.Emptied),
        {400: "HITL_RETENTION_DAYS is not set where the service runs, so everything is kept",
         503: "The archive could not be written, so nothing more was removed"}),
    ("post", routes.BACKUP): Operation(
        "create_backup", "Copy the database", _one(201, "The checked copy", shapes.Backup),
        {400: "path must be absolute", 503: "The copy could not be written"}),
}  # fmt: skip

TAGS: dict[str, str] = {
    "requests": "Ask a person, follow the question, withdraw it, rate the answer. With an API key.",
    "first generation": "What callers of the first generation read. With an API key.",
    "loops": "Places where questions of one subject go, and the key check. With an API key.",
    "members": "The people who answer for a loop. With an API key.",
    "templates": "Fields that reviews of one kind ask, kept under a name. With an API key.",
    "webhooks": "Addresses that are told of what happens, and everything that was sent there. With an API key.",
    "events": "Everything that happens to a key's requests, so that one call follows all of them. With an API key.",
    "reviews": "What a signed-in person does at the terminal. **Not for API keys**: an agent cannot answer itself.",
    "local": "The service itself and signing in, for whoever has the machine's terminal. **Not for API keys.**",
    "channels": "How the machine's own user is told of requests: `hitl-mcp channels`. **Not for API keys.**",
    "keys": "API keys, made at the machine's own terminal with `hitl-mcp keys`. **Not for API keys.**",
    "people": "Who can sign in, made at the machine's own terminal with `hitl-mcp people`. **Not for API keys.**",
    "tokens": "Tokens that stand for a key for at most an hour, where the key itself must not be. With an API key.",
    "operating": "For load balancers, which need no credential; metrics and figures with an API key; the rest for the "
    "operator at the machine's terminal.",
}

PARAMETERS: dict[str, str] = {
    "Idempotency-Key": "A text of yours: the same question sent again with it is the same request, asked once",
    "status": "Only requests in this state; `timed_out` is taken for `timeout`",
    "priority": "Only requests of this urgency",
    "created_before": "Only requests asked before this time, which has a zone: 2026-03-02T09:30:00Z",
    "limit": "How many at most",
    "offset": "How many to pass over",
    "sort": "In which order",
    "loop_id": "Only requests of this loop",
    "timeout": "How many seconds to wait",
    "until": "`question`: answer with the open request as soon as a reviewer has asked the agent something, in "
    "`reviewer_question`; answer that with PATCH before you wait again",
}
"""What a parameter means where its route does not say it."""
