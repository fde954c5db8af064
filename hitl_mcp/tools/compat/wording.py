"""What the model reads of the seven tools. Every agent pays for it in every conversation, so it is short."""

from __future__ import annotations

INSTRUCTIONS = (
    "Ask a person with create_request whenever a decision is theirs; wait_seconds waits for the answer. While the "
    "outcome is pending nothing is decided: call get_request with the request_id and wait_seconds 45. Only with "
    "outcome answered does response_data hold what a person said; timed_out is no answer, and a default_response is "
    "nobody's decision. Do not call get_request again and again without wait_seconds: calls may be limited to 100 an "
    "hour. Tell your user the inbox address."
)

LOOPS = "List the loops (groups of people) that requests can go to, with their ids."
CREATE = (
    "Ask a person a question in a loop. response_config by response_type: single_select {options}; multi_select "
    "{options, min_selections?, max_selections?}; rating {scale_min?, scale_max}; number {min_value?, max_value, "
    "decimal_places?}; text {max_length?}; boolean {true_label?, false_label?}; editable_text {draft_text}. Returns "
    "data.request_id, or with wait_seconds the decision in data.request. `approved` stays false, because a question's "
    "options are your own words: act on response_data, and only when outcome is answered. For approvals with fixed "
    "options and fixed meaning have the server run with HITL_TOOLS=default: its request_human_approval does that."
)
REQUESTS = "List your requests, filtered and paged. Each has its outcome."
GET = "Read one request; with wait_seconds, wait for its decision. data.request.response_data is the person's answer."
UPDATE = (
    "Change an open request; whoever has it open must look again. Not possible on the HITL.sh cloud: cancel_request, "
    "then create_request."
)
CANCEL = "Withdraw an open request that is no longer needed."
FEEDBACK = "Say how good a person's answer was: once, for a completed request."

WAIT = "How long this call may block for the decision, in seconds; most hosts cut calls at 60. 0 returns at once"
LOOP_ID = "Id of the loop, from list_loops; its name works too"
DEFAULT = "Reported when nobody answers in time. Give the answer that does no harm"
TIMEOUT = "How long people have to decide, in seconds; required when time-sensitive, 60 to 86400"
REQUEST_ID = "As create_request returned it"
UPDATES = "What to change, at least one"
