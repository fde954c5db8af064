"""The Make blueprints in examples/make: their HTTP conversation, module by module, with a real service.

Make itself cannot be run here. What a scenario does is read off its blueprint: the calls of its HTTP modules, the hook
of its trigger, and the filters of its routes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from hitl_mcp.contract import routes
from tests.integrations.collector import Collector, collecting, once
from tests.programs import ROOT
from tests.rest.backend import Backend, Caller

Json = dict[str, Any]
BLUEPRINTS = ("ask", "decision", "escalation_chain", "two_steps")


@dataclass
class Make:
    """Somebody's scenarios, set up with their own values."""

    service: Backend
    hooks: Collector
    key: Caller
    loop: str
    second: str

    def blueprint(self, name: str) -> Json:
        """A blueprint with its placeholders filled in."""
        text = (ROOT / "examples" / "make" / f"{name}.json").read_text(encoding="utf-8")
        for placeholder, value in (
            ("https://hitl.example.com", str(self.service.http.base_url).rstrip("/")),
            ("YOUR_API_KEY", self.key.key or ""),
            ("YOUR_WEBHOOK_URL", f"{self.hooks.url}/hook"),
            ("SECOND_LOOP_ID", self.second),
            ("LOOP_ID", self.loop),
        ):
            text = text.replace(placeholder, value)
        return json.loads(text)

    def run(self, name: str, event: Json | None = None) -> tuple[list[str], list[Json]]:
        """A run of a scenario: the outcomes it set, and what its calls answered.

        Args:
            event: what came to its custom webhook.
        """
        outcomes: list[str] = []
        said: list[Json] = []
        known: Json = {} if event is None else {"1": event}

        def walk(flow: list[Json]) -> None:
            for module in flow:
                if not all(_holds(one, known) for one in module.get("filter", {}).get("conditions", [[]])[0]):
                    return
                if module["module"] == "http:ActionSendData":
                    answer = self._called(module["mapper"], known)
                    said.append(answer)
                    known[str(module["id"])] = {"data": answer}
                elif module["module"] == "util:SetVariable2":
                    outcomes.append(_filled(module["mapper"]["value"], known))
                for route in module.get("routes", ()):
                    walk(route["flow"])

        walk(self.blueprint(name)["flow"])
        return outcomes, said

    def _called(self, call: Json, known: Json) -> Json:
        headers = {one["name"]: one["value"] for one in call["headers"]}
        content = None
        if call["bodyType"] == "raw":
            headers["Content-Type"], content = call["contentType"], _filled(call["data"], known)
        reply = self.service.http.request(call["method"], _filled(call["url"], known), content=content, headers=headers)
        assert reply.status_code < 300, reply.text
        return reply.json()

    def hook(self) -> Json:
        """What came to the custom webhook."""
        return json.loads(once(self.hooks.take).body)


def _holds(condition: Json, known: Json) -> bool:
    same = _filled(condition["a"], known) == _filled(condition["b"], known)
    return same if condition["o"] == "text:equal" else not same


def _filled(text: str, known: Json) -> str:
    def value(found: re.Match[str]) -> str:
        at: Any = known
        for name in found[1].split("."):
            at = cast("Json", at).get(name) if isinstance(at, dict) else None
        return "" if at is None else str(at)

    return re.sub(r"\{\{([\w.]+)\}\}", value, text)


@pytest.fixture
def make(service: Backend) -> Generator[Make]:
    """Two loops and a key that reaches both."""
    loops = [service.key.new_loop(), service.key.new_loop()]
    with collecting() as hooks:
        yield Make(service, hooks, service.new_key(loops=loops), *loops)


def asked_by(said: list[Json]) -> str:
    """The id of the request that a run asked."""
    return str(said[-1]["data"]["request_id"])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("Approve", "approved"), ("Needs Changes", "needs changes"), ("Reject", "not approved"), (None, "not approved")],
)
def test_conditional_routing(make: Make, answer: str | None, outcome: str) -> None:
    request_id = asked_by(make.run("ask")[1])
    if answer is None:
        make.key.delete(routes.REQUEST.format(request_id=request_id))
    else:
        make.service.answer(request_id, answer)
    outcomes, _ = make.run("decision", make.hook())
    assert outcomes == [outcome]


def test_a_forged_hook_approves_nothing(make: Make) -> None:
    request_id = asked_by(make.run("ask")[1])
    forged = {"event": "request.completed", "request_id": request_id, "decision": "approved", "status": "completed"}
    assert make.run("decision", forged)[0] == ["not approved"]


def test_multi_step_approval(make: Make) -> None:
    first = asked_by(make.run("ask")[1])
    make.service.answer(first, "Approve")
    outcomes, said = make.run("two_steps", make.hook())
    second = asked_by(said)
    assert outcomes == []
    assert make.key.request(second).data["request"]["context"] == {"step": "legal", "first": first}
    make.service.answer(second, "Approve")
    assert make.run("two_steps", make.hook())[0] == ["approved by both"]


def test_a_first_step_that_is_not_approved_ends_it(make: Make) -> None:
    make.service.answer(asked_by(make.run("ask")[1]), "Reject")
    outcomes, said = make.run("two_steps", make.hook())
    assert (outcomes, len(said)) == (["not approved"], 1)


def test_an_escalation_chain(make: Make) -> None:
    asked = make.run("ask")[1]
    make.service.clock.move(31 * 86_400)
    assert make.key.request(asked_by(asked)).data["status"] == "timed_out"
    event = make.hook()
    assert event["event"] == "request.timeout"
    outcomes, said = make.run("escalation_chain", event)
    second = asked_by(said)
    assert outcomes == []
    assert make.key.request(second).data["request"]["priority"] == "critical"
    make.service.answer(second, "Approve")
    assert make.run("escalation_chain", make.hook())[0] == ["approved"]


def test_an_instant_trigger_is_a_webhook_that_is_registered_and_removed(make: Make) -> None:
    """What a scenario with a registered endpoint instead of `callback_url` does, and the sample its editor shows."""
    key = make.service.new_key("requests:read", "requests:write", "webhooks:write", loops=[make.loop])
    wanted = {
        "url": f"{make.hooks.url}/hook",
        "events": ["request.completed", "request.escalated"],
        "loop_id": make.loop,
    }
    made = key.post(routes.WEBHOOKS, wanted)
    assert made.status == 201
    request_id = key.asked(make.loop)
    make.service.answer(request_id, "Approve")
    event = make.hook()
    assert (event["event"], event["request_id"]) == ("request.completed", request_id)
    sample = key.get(routes.HOOK_SAMPLES, event="request.completed").data["samples"][0]
    assert set(sample) == set(event)
    assert key.delete(routes.WEBHOOK.format(webhook_id=made.body["id"])).status == 200


def test_every_blueprint_is_whole() -> None:
    folder = ROOT / "examples" / "make"
    assert sorted(path.stem for path in folder.glob("*.json")) == sorted(BLUEPRINTS)
    for path in folder.glob("*.json"):
        blueprint = json.loads(path.read_text(encoding="utf-8"))
        assert set(blueprint) == {"name", "flow", "metadata"}
        ids: list[int] = []
        pending = list(blueprint["flow"])
        while pending:
            module = pending.pop()
            assert {"id", "module", "version", "mapper", "metadata"} <= set(module)
            ids.append(module["id"])
            pending += [one for route in module.get("routes", ()) for one in route["flow"]]
        assert len(ids) == len(set(ids))
