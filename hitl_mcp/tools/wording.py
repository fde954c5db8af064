"""What the model reads, in one place. Every agent pays for it in every conversation, so it is short."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

TITLE = "hitl_mcp"
_TICK = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><path d='M1 5l3 3 4-7' stroke='#34c' fill='none'/></svg>"
)
ICON = f"data:image/svg+xml;base64,{b64encode(_TICK.encode()).decode()}"
"""Small, because the protocol of 2026-07-28 repeats it in every result."""

INSTRUCTIONS = (
    "Ask a person before anything risky, irreversible, costly or outward-facing (request_human_approval), and "
    "whenever a decision is theirs (ask_human). Act only when the result says approved=true; one approval allows "
    "exactly one action. A pending result is no approval: call check_request with its request_id. "
    "Tell your user the inbox address."
)

APPROVAL = (
    "Ask a person to approve one concrete action before you do it. Waits up to wait_seconds, then returns the decision "
    "or a pending handle for check_request. Only approved=true allows the action, once."
)
ASK = (
    "Ask a person a question and get a typed answer. response_config by response_type: "
    'single_select {"options": ["A", "B"]}; multi_select {options, min_selections?, max_selections?}; '
    "rating {scale_max, scale_min?, scale_step?}; number {max_value, min_value?, decimal_places?, allow_negative?}; "
    "text {max_length?}; boolean {true_label?, false_label?}; editable_text {draft_text}. An option may also be "
    "{value, label}. Waits up to wait_seconds, then returns the answer or a pending handle for check_request."
)
CHECK = "Read a request made earlier; with wait_seconds, wait for its decision."
LOOPS = "List the loops (groups of people) that questions can go to."
REQUESTS = "List your requests; those of this client whose decision was not collected yet come first."
UPDATE = "Answer a reviewer's question about an open request, or change it: reviewers see the new version."
CANCEL = "Withdraw an open request that is no longer needed."

WAIT = "How long this call may block, in seconds; most hosts cut calls at 60. 0 returns a handle at once"
TIMEOUT = "How long people have to decide, in seconds. After that nobody can answer: an approval counts as rejected"
LOOP = "Loop id or name; not needed when there is only one"
CONTEXT = 'Facts that help to decide, shown as a table, e.g. {"environment": "production"}'

EXAMPLES: dict[str, dict[str, Any]] = {
    "request_human_approval": {"action": "Restart db1", "reason": "It leaks memory"},
    "ask_human": {
        "question": "Which one?",
        "response_type": "single_select",
        "response_config": {"options": ["A", "B"]},
    },
    "check_request": {"request_id": "65f1a0c2d4e5f60718293a4b", "wait_seconds": 45},
    "list_loops": {},
    "list_requests": {"status": "pending", "limit": 20},
    "update_request": {"request_id": "65f1a0c2d4e5f60718293a4b", "answer": "Only db1"},
    "cancel_request": {"request_id": "65f1a0c2d4e5f60718293a4b"},
}
"""A call of each tool that is well formed."""
VALUES: dict[str, Any] = {
    "details": "`systemctl restart db1`",
    "context": {"environment": "production"},
    "loop": "Default",
    "priority": "high",
    "timeout_seconds": 3600,
    "wait_seconds": 45,
    "default_response": "A",
    "answer": "Only db1",
    "text": "Restart db1 only",
}
"""A value for each further argument; errors show it."""
