"""Samples of the oldest documents, run as they stand but for the import's name, the address and the key."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.backends import Own, Place, place_of
from tests.sdk.people import ROOT, run_with_people

FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "text", "label": "Text", "required": True},
    {"name": "approved", "type": "boolean", "label": "Approve?", "required": True},
    {"name": "feedback", "type": "text", "label": "Feedback", "required": False},
]

TEMPLATE = f"""
template = client.create_template(
    name="Content Review",
    fields={json.dumps(FIELDS).replace("true", "True").replace("false", "False")}
)
"""
START = """
from hitl import HITLClient

client = HITLClient(
    api_key="your_api_key_here",
    base_url="https://api.hitl.sh",
    timeout=30,
    max_retries=3,
    retry_delay=1,
)
"""
QUICK = """
review = client.create_review(
    template_id="content_review",
    content={"title": "Summer sale", "text": "Buy now!"},
    assignees=["reviewer@example.com"],
    priority="high",
    due_date="2024-01-20T10:00:00Z"
)
print(f"Review created: {len(review.id)}")

result = client.wait_for_review(review.id)
if result.result.get("approved"):
    print("Content approved:", result.result["text"])
else:
    print("Content rejected:", result.result.get("feedback"))
"""
ERRORS = """
from hitl.exceptions import HITLError, ReviewNotFoundError

for review_id in ("invalid_id", "65f1a2b3c4d5e6f7a8b9c0d1"):
    try:
        review = client.get_review(review_id)
        print(review.state)
    except ReviewNotFoundError:
        print("Review not found")
    except HITLError as e:
        print(f"API error: {e}")
"""
ASYNC = """
import asyncio
from hitl import AsyncHITLClient

async def process(items):
    async with AsyncHITLClient(api_key="your_api_key_here", base_url="https://api.hitl.sh") as client:
        reviews = await asyncio.gather(*[
            client.create_review(template_id="content_review", content={"text": item}) for item in items
        ])
        results = await asyncio.gather(*[client.wait_for_review(review.id) for review in reviews])
        return [result.result["text"] for result in results]

print(asyncio.run(process(["one", "two", "three"])))
"""
BATCH = """
reviews = client.create_reviews([
    {"template_id": "content_review", "content": {"text": f"Text {i}"}, "assignees": ["reviewer@example.com"]}
    for i in range(3)
])
updated = client.update_reviews([{"id": review.id, "content": {"note": "checked twice"}} for review in reviews])
print([review.id for review in updated] == [review.id for review in reviews])
client.reassign_review(reviews[0].id, assignees=["other@example.com"])
for review in reviews:
    client.cancel_review(review.id)
print(", ".join(client.get_review(review.id).state for review in reviews))
print(client.wait_for_review(reviews[0].id).result.get("approved"))
"""
TEMPLATES = """
print(client.get_template(template.id).name)
client.update_template(template.id, fields=template.fields + [{"name": "score", "type": "rating", "label": "Score"}])
for kept in client.list_templates():
    if kept.id == template.id:
        print(kept.name, len(kept.fields))
"""
RETRY = """
from hitl.retry import retry_with_backoff

@retry_with_backoff(max_retries=3)
def create_review_with_retry(content):
    return client.create_review(template_id="content_review", content=content)

print(create_review_with_retry({"text": "Buy now!"}).state)
"""
PANDAS = """
import pandas as pd

df = pd.DataFrame({"value": [1.0, None, 3.0], "when": pd.to_datetime(["2026-03-02", None, "2026-03-04"])})
review = client.create_review(
    template_id="content_review",
    content={"text": "Quality", "sample": df.head().to_dict(), "statistics": df.describe().to_dict()},
)
print(client.get_review(review.id).content["sample"]["value"])
"""
WEBHOOK = """
import hashlib, hmac
from hitl.webhooks import verify_signature

body = b'{"event": "review.completed", "review": {"id": "65f1a2b3c4d5e6f7a8b9c0d1", "result": {}}}'
signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
print(verify_signature({"X-HITL-Signature": signature}, body, "secret"), verify_signature({}, body, "secret"))
"""
FIRST = """
request = client.create_request("examples_first", {
    "content": "Is this comment acceptable?",
    "content_type": "text",
    "priority": "normal",
    "ai_analysis": {"confidence": 0.42, "flags": ["tone"], "risk_score": 0.7},
    "metadata": {"user_id": "u_1"},
})
import time
while True:
    response = client.get_response(request["id"])
    if response["status"] == "completed":
        break
    time.sleep(0.1)
print(response["decision"], response.get("source"), request.id == request.request_id)
"""


def person(request: dict[str, Any]) -> Any:
    """Approves, and adds a word to each text."""
    if request["response_type"] == "single_select":
        return "Approve"
    fields = {field["name"]: field.get("initial") for field in request["response_config"]["fields"]}
    return {"text": f"{fields['text']} Now.", "approved": True, "feedback": None}


def nobody(request: dict[str, Any]) -> None:
    """Leaves everything open."""


@pytest.fixture(scope="module", params=["served on SQLite", "cloud"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_settings: None
) -> Generator[Place]:
    """Backends that are reached with an address and a key, as in the samples."""
    with place_of(request.param, tmp_path_factory.mktemp("samples") / "data") as made:
        yield made


SAMPLES: dict[str, tuple[str, str, str]] = {
    # what the program prints on our own service, and on the cloud, which has no forms; "" where it is not run
    "quick": (START + TEMPLATE + QUICK, "Review created: 24\nContent approved: Buy now! Now.\n",
              "Review created: 24\nContent approved: Buy now!\n"),
    "errors": (START + ERRORS, "Review not found\nReview not found\n", "Review not found\nReview not found\n"),
    "async": (START + TEMPLATE + ASYNC, "['one Now.', 'two Now.', 'three Now.']\n", ""),
    "templates": (START + TEMPLATE + TEMPLATES, "Content Review\nContent Review 4\n",
                  "Content Review\nContent Review 4\n"),
    "retry": (START + TEMPLATE + RETRY, "pending\n", "pending\n"),
    "pandas": (START + TEMPLATE + PANDAS, "{'0': 1.0, '1': None, '2': 3.0}\n", "{'0': 1.0, '1': None, '2': 3.0}\n"),
    "webhook": (WEBHOOK, "True False\n", "True False\n"),
    "first generation": (START + FIRST, "approved human True\n", ""),
}  # fmt: skip
UNANSWERED = {"batch": (START + TEMPLATE + BATCH, "True\ncancelled, cancelled, cancelled\nFalse\n", "")}


@pytest.mark.parametrize("name", [*SAMPLES, *UNANSWERED])
def test_a_sample_runs_as_it_stands(place: Place, tmp_path: Path, name: str) -> None:
    sample, ours, theirs = (SAMPLES | UNANSWERED)[name]
    expected = theirs if place.kind == "cloud" else ours
    if not expected:
        return  # what it shows needs a form, a change, or more calls than the cloud allows
    from hitl_mcp import HITLClient

    settings = place.environment(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        for setting, value in settings.items():
            patch.setenv(setting, value)
        with HITLClient() as client:
            loop = client.create_loop("Examples first" if name == "first generation" else f"Examples {name}").loop.id
    program = (
        sample.replace("from hitl", "from hitl_mcp")
        .replace("https://api.hitl.sh", settings["HITL_BASE_URL"])
        .replace("your_api_key_here", settings["HITL_API_KEY"])
    )
    reviewer = nobody if name in UNANSWERED else person
    assert run_with_people(["-c", program], place, tmp_path, loop, reviewer, seconds=60) == expected


def test_the_page_on_reviews_runs(place: Place, tmp_path: Path) -> None:
    if not isinstance(place, Own):
        return  # what the page prints first is an edit, which needs a form
    page = (ROOT / "docs" / "reviews.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    loop = place.service.key.new_loop("Content moderation")
    said = run_with_people(["-c", "".join(blocks)], place, tmp_path, loop, person)
    assert said in ("Buy now! Now.\npending None\n", "Buy now! Now.\ncompleted approved\n")
