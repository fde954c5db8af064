"""The published HITL.sh node for n8n: each call it makes, with the bodies it sends, and what it reads of the answers.

Its code was read, not run; the real n8n is in `test_n8n`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.rest.backend import Backend

OPTIONS = [{"value": "approve", "label": "Approve"}, {"value": "needs_changes", "label": "Needs Changes"}]
BODIES: list[tuple[str, dict[str, Any], Any, Any]] = [
    # type, configuration, default, answer
    ("single_select", {"prompt": "", "options": OPTIONS, "required": True}, "approve", "needs_changes"),
    (
        "multi_select",
        {"prompt": "", "options": OPTIONS, "required": True, "min_selections": 1, "max_selections": 2},
        ["approve"],
        ["approve", "needs_changes"],
    ),
    ("rating", {"prompt": "", "min": 1, "max": 5, "required": True}, 3, 5),
    (
        "number",
        {
            "required": True, "prompt": "", "min_value": 0, "max_value": 1_000_000, "decimal_places": 0,
            "allow_negative": False,
        },
        1,
        42,
    ),
    (
        "text",
        {
            "prompt": "", "placeholder": "Enter your response...", "min_length": 0, "max_length": 1000,
            "required": True,
        },
        "none",
        "It is fine",
    ),
    ("boolean", {"prompt": "", "required": True}, False, True),
]  # fmt: skip


def test_its_credential_and_its_list_of_loops(service: Backend) -> None:
    assert service.key.get("/v1/test").said == (200, "API key is valid")
    loop = service.key.new_loop("From n8n")
    found = service.key.get("/v1/api/loops")
    assert found.status == 200
    assert {"id": loop, "name": "From n8n"}.items() <= next(
        one for one in found.data["loops"] if one["id"] == loop
    ).items()


@pytest.mark.parametrize(("kind", "config", "default", "answer"), BODIES, ids=[body[0] for body in BODIES])
@pytest.mark.parametrize("processing", ["deferred", "time-sensitive"])
def test_send_and_wait(
    service: Backend, processing: str, kind: str, config: dict[str, Any], default: Any, answer: Any
) -> None:
    body: dict[str, Any] = {
        "processing_type": processing, "type": "markdown", "priority": "medium", "request_text": "Publish it?",
        "response_type": kind, "response_config": config, "default_response": default, "platform": "n8n",
        "platform_version": "1.0.0",
    }  # fmt: skip
    if processing == "time-sensitive":
        body |= {"timeout_seconds": 600, "context": {"customer": "Ada"}}
    made = service.key.post(f"/v1/api/loops/{service.key.new_loop()}/requests", body)
    assert made.status == 201 and made.body["error"] is False
    assert made.data["status"] == "pending"
    assert {"request_id", "processing_type", "priority", "timeout_at", "broadcasted_to", "notifications_sent"} <= set(
        made.data
    )
    polled = made.data["polling_url"]
    assert polled.startswith("/"), "the node puts its base address in front"
    assert service.key.get(polled).data["request"]["status"] == "pending"
    assert service.key.get(polled).data["request"]["response_data"] is None
    service.answer(made.data["request_id"], answer)
    read = service.key.get(polled).data["request"]
    assert (read["status"], read["response_data"]) == ("completed", answer)
    assert read["response_by_user"]["id"] and read["response_time_seconds"] is not None
