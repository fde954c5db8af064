"""What the HITL.sh cloud can do of what the client offers: natively, emulated by this package, or not. Plain data."""

from __future__ import annotations

from typing import Literal, NamedTuple

from hitl_mcp.errors import NotSupported


class Operation(NamedTuple):
    """One operation of the client.

    Attributes:
        name: the client's own word for it.
        how: `native`: the cloud does it; `emulated`: this package does it with what the cloud has; `missing`.
        words: how it is emulated, or what to do instead.
    """

    name: str
    how: Literal["native", "emulated", "missing"]
    words: str = ""


_CALLBACK = "Give each request a callback_url; re-read the request when it calls."

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("check_key", "native"),
        Operation("create_token", "missing", "Never give the cloud's key to a page: let your own server ask for it."),
        Operation("list_loops", "native"),
        Operation("get_loop", "native"),
        Operation("create_loop", "native"),
        Operation("update_loop", "native"),
        Operation("delete_loop", "native"),
        Operation("renew_invite", "missing", "The code of a loop is renewed in the HITL.sh dashboard."),
        Operation("list_members", "native"),
        Operation("add_member", "missing", "Send the person the loop's join link, or invite them in the dashboard."),
        Operation("remove_member", "native"),
        Operation("create_request", "native"),
        Operation("request_approval", "emulated", "A single select with Approve, Reject and Needs Changes, marked."),
        Operation("idempotency_key", "emulated", "Remembered by this process, while it lives."),
        Operation("get_request", "native"),
        Operation("look", "emulated", "As this machine last saw it, when another look would cost too much."),
        Operation("list_requests", "native"),
        Operation("list_loop_requests", "native", "The cloud documents no filters there; they are applied here."),
        Operation(
            "update_request",
            "missing",
            "Cancel the request and ask again: the cloud cannot tell which text a person had on the screen (H4).",
        ),
        Operation("cancel_request", "native"),
        Operation("add_feedback", "native"),
        Operation("answer_in_client", "missing", "The cloud takes answers in its own app and dashboard only."),
        Operation("deliver_request", "emulated", "Remembered on this machine."),
        Operation("wait_for_decision", "emulated", "By looking now and then, at most 60 times an hour and key."),
        Operation("create_webhook", "missing", _CALLBACK),
        Operation("list_webhooks", "missing", _CALLBACK),
        Operation("get_webhook", "missing", _CALLBACK),
        Operation("update_webhook", "missing", _CALLBACK),
        Operation("delete_webhook", "missing", _CALLBACK),
        Operation("test_webhook", "missing", _CALLBACK),
        Operation("rotate_webhook", "missing", _CALLBACK),
        Operation("list_deliveries", "missing", _CALLBACK),
        Operation("redeliver", "missing", _CALLBACK),
        Operation("list_callbacks", "missing", _CALLBACK),
        Operation("list_changes", "missing", "Use wait_for_decision, or list_requests."),
        Operation("stream", "missing", "Use wait_for_decision, or list_requests."),
        Operation("templates", "emulated", "Kept in the SDK's own folder."),
        Operation("form", "missing", "Ask one question for each field."),
    )
}


def supported(name: str) -> None:
    """Raises: NotSupported, with what to do instead, where the cloud cannot do it. Nothing is sent then."""
    operation = OPERATIONS.get(name, Operation(name, "missing", "The HITL.sh cloud has nothing like it."))
    if operation.how == "missing":
        raise NotSupported(name, "cloud", operation.words)
