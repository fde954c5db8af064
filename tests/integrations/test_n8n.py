"""A real n8n: an imported workflow asks, sleeps, and goes on when the decision's webhook wakes it.

Nightly: `python -m tests -m nightly tests/integrations/test_n8n.py`. n8n is installed once, which takes minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from hitl_mcp.contract import routes
from tests.integrations import n8n
from tests.integrations.collector import Collector, collecting, once
from tests.rest.backend import Backend, Caller, opened
from tests.world import WAIT

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(n8n.INSTALL_SECONDS * 2)]
LIMIT = 10_000
APPROVAL, SCHEDULED, FAILING = "hitlApproval00001", "hitlScheduled0001", "hitlFailing000001"


@dataclass
class Place:
    """n8n, a service, and what the ends of the branches reported."""

    url: str
    service: Backend
    key: Caller
    loops: dict[str, str]
    reports: Collector

    def ask(self, path: str, text: str) -> None:
        """Start a workflow by its webhook."""
        reply = httpx2.post(f"{self.url}/webhook/{path}", json={"text": text}, timeout=WAIT, trust_env=False)
        assert reply.json() == {"message": "Workflow was started"}

    def waiting(self, workflow: str) -> list[dict[str, Any]]:
        """What a workflow has asked and nobody has answered."""
        path = routes.LOOP_REQUESTS.format(loop_id=self.loops[workflow])
        return list(self.service.key.get(path, status="pending").data["requests"])

    def report(self, workflow: str, branch: str) -> dict[str, Any] | None:
        """What came out of a branch's end, taken off the list."""
        came = self.reports.take(f"/{workflow}/{branch}")
        return None if came is None else dict(json.loads(came.body))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, no_settings: None) -> Generator[Place]:
    """n8n with the two workflows, and the first once more with a loop that is not there."""
    folder = tmp_path_factory.mktemp("n8n")
    with collecting() as reports, opened("served on SQLite", folder / "hitl", rate_limit=LIMIT) as service:
        to = reports.url
        base = str(service.http.base_url).rstrip("/")
        loops = {APPROVAL: service.key.new_loop(), SCHEDULED: service.key.new_loop()}
        key = service.new_key(loops=list(loops.values()))
        flows = [
            n8n.workflow("approval", {"base_url": base, "loop_id": loops[APPROVAL]}, to),
            n8n.workflow(
                "approval", {"base_url": base, "loop_id": "0" * 24}, to, id=FAILING, **{"When asked": {"path": "fails"}}
            ),
            n8n.workflow(
                "scheduled", {"base_url": base, "loop_id": loops[SCHEDULED]}, to,
                **{"Every morning": {"rule": {"interval": [{"field": "seconds", "secondsInterval": 20}]}}},
            ),
        ]  # fmt: skip
        (folder / "home").mkdir()
        with n8n.running(folder / "home", flows, key.key or "") as url:
            yield Place(url, service, key, loops, reports)


def calls_of(key: Caller) -> int:
    """How many calls the key has made; this one does not count."""
    return LIMIT - int(key.get(routes.KEY_TEST).headers["X-RateLimit-Remaining"]) - 1


@pytest.mark.parametrize(("answer", "branch"), [("Approve", "Approved"), ("Reject", "Not-approved")])
def test_it_asks_and_goes_on_with_the_decision(place: Place, answer: str, branch: str) -> None:
    place.ask("ask-a-person", f"Ship it? {answer}")
    asked = once(lambda: place.waiting(APPROVAL))[0]
    assert (asked["request_text"], asked["platform"]) == (f"Ship it? {answer}", "n8n")
    assert asked["context"]["workflow"] == "Ask a person before it happens"
    place.service.answer(asked["id"], answer)
    said = once(lambda: place.report(APPROVAL, branch))
    assert said["data"]["request"]["id"] == asked["id"]


def test_it_does_not_poll(place: Place) -> None:
    before = calls_of(place.key) + 1
    place.ask("ask-a-person", "Ship it without polling?")
    asked = once(lambda: place.waiting(APPROVAL))[0]
    time.sleep(2)
    place.service.answer(asked["id"], "Approve")
    once(lambda: place.report(APPROVAL, "Approved"))
    scheduled = len(place.waiting(SCHEDULED))
    assert calls_of(place.key) - before <= 2 + scheduled, "one call to ask, one to read the decision"


def test_a_forged_call_decides_nothing(place: Place) -> None:
    place.ask("ask-a-person", "Ship what nobody approved?")
    asked = once(lambda: place.waiting(APPROVAL))[0]
    approved = {"event": "request.completed", "data": {"decision": "approved", "request_id": asked["id"]}}
    url = str(asked["callback_url"])
    assert httpx2.post(url.split("?")[0], json=approved, timeout=WAIT, trust_env=False).status_code in (401, 403, 404)
    assert httpx2.post(url, json=approved, timeout=WAIT, trust_env=False).status_code == 200
    said = once(lambda: place.report(APPROVAL, "Not-approved"))
    assert said["data"]["request"]["status"] == "pending", "n8n read it again, with its key"


def test_what_the_service_refuses_takes_the_error_path(place: Place) -> None:
    place.ask("fails", "Ship it?")
    said = once(lambda: place.report(FAILING, "Could-not-ask"), WAIT * 3)
    assert "Loop not found" in json.dumps(said) or "404" in json.dumps(said)


def test_a_schedule_asks_by_itself(place: Place) -> None:
    asked = once(lambda: place.waiting(SCHEDULED), WAIT * 4)[0]
    assert asked["request_text"].startswith("May the report of 20")
    place.service.answer(asked["id"], "Approve")
    assert once(lambda: place.report(SCHEDULED, "Approved"))["data"]["request"]["id"] == asked["id"]
