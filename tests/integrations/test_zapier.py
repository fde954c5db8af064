"""The Zapier app in examples/zapier, run by Zapier's own core against a real service; checked by their schema."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.integrations.collector import Collector, collecting, once
from tests.node import INSTALL_SECONDS, node, npm_packages
from tests.programs import ROOT
from tests.rest.backend import Backend, Caller

pytestmark = pytest.mark.timeout(INSTALL_SECONDS * 2)
HERE = Path(__file__).parent / "zapier"
APP = ROOT / "examples" / "zapier"


class Zap:
    """Somebody's Zap: the app, a key, and the address where Zapier takes hooks."""

    def __init__(self, service: Backend, hooks: Collector, core: subprocess.Popen[str]) -> None:
        self.service = service
        self.core = core
        self.hooks = hooks
        self.loop = service.key.new_loop("Zaps")
        self.key: Caller = service.new_key(
            "loops:read", "requests:read", "requests:write", "webhooks:write", loops=[self.loop]
        )
        self.target = f"{hooks.url}/hooks/standard/1/"

    def run(self, step: str, **bundle: Any) -> dict[str, Any]:
        """One step with Zapier's core; `result`, or `error`."""
        auth = {"base_url": str(self.service.http.base_url), "api_key": self.key.key}
        given = {"step": step, "bundle": {"authData": auth, **bundle}}
        assert self.core.stdin is not None and self.core.stdout is not None
        self.core.stdin.write(f"{json.dumps(given)}\n")
        self.core.stdin.flush()
        return json.loads(self.core.stdout.readline())

    def result(self, step: str, **bundle: Any) -> Any:
        """The same where it must work."""
        said = self.run(step, **bundle)
        assert "error" not in said, said
        return said["result"]

    def hook(self) -> tuple[dict[str, str], str]:
        """The next hook that came, as Zapier hands its headers on."""
        came = once(self.hooks.take)
        return {f"Http-{name}": value for name, value in came.headers.items()}, came.body


@pytest.fixture(scope="module")
def zap(service: Backend) -> Generator[Zap]:
    """The app with a receiver in place of hooks.zapier.com."""
    command = [node(), str(HERE / "driver.cjs"), str(APP)]
    folder = npm_packages(HERE)
    with collecting() as hooks, subprocess.Popen(
        command, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as core:  # fmt: skip
        try:
            yield Zap(service, hooks, core)
        finally:
            core.kill()


def test_the_definition_is_valid(zap: Zap) -> None:
    assert zap.run("validate") == {"errors": []}


def test_a_connection_is_tested_with_the_key(zap: Zap) -> None:
    assert zap.result("authentication.test")["data"]["api_key_id"] == zap.key.key_id
    wrong = zap.run("authentication.test", authData={"base_url": str(zap.service.http.base_url), "api_key": "no"})
    assert "Invalid API key" in wrong["error"]


def test_a_zap_is_switched_on_hears_of_a_decision_and_is_switched_off(zap: Zap) -> None:
    trigger = "triggers.request_completed.operation"
    about = {"inputData": {"loop_id": zap.loop}, "targetUrl": zap.target}
    kept = zap.result(f"{trigger}.performSubscribe", **about)
    assert set(kept) == {"id", "secret"}
    request_id = zap.key.asked(zap.loop)
    zap.service.answer(request_id, "Approve")
    headers, content = zap.hook()
    cleaned = json.loads(content)
    raw = {"headers": headers, "content": content}
    [item] = zap.result(f"{trigger}.perform", rawRequest=raw, cleanedRequest=cleaned, subscribeData=kept)
    assert (item["id"], item["event"], item["request_id"], item["response_data"]) == (
        cleaned["event_id"], "request.completed", request_id, "Approve",
    )  # fmt: skip
    forged = {"headers": headers, "content": content.replace("Approve", "Reject")}
    said = zap.run(f"{trigger}.perform", rawRequest=forged, cleanedRequest=cleaned, subscribeData=kept)
    assert "The signature is missing or wrong" in said["error"]
    samples = zap.result(f"{trigger}.performList", **about)
    assert samples and set(samples[0]) == set(item), "the editor's sample has the hook's own fields"
    zap.result(f"{trigger}.performUnsubscribe", subscribeData=kept)
    assert zap.key.get(routes.WEBHOOKS).data["count"] == 0


@pytest.mark.parametrize("trigger", ["request_created", "request_escalated"])
def test_the_other_triggers_subscribe_to_their_own_event(zap: Zap, trigger: str) -> None:
    kept = zap.result(f"triggers.{trigger}.operation.performSubscribe", inputData={}, targetUrl=zap.target)
    event = trigger.replace("_", ".")
    assert zap.key.get(routes.WEBHOOK.format(webhook_id=kept["id"])).data["webhook"]["events"] == [event]
    if event == "request.created":
        request_id = zap.key.asked(zap.loop)
        assert (json.loads(zap.hook()[1])["event"], request_id) == (event, request_id)
    [sample, *_] = zap.result(f"triggers.{trigger}.operation.performList", inputData={})
    assert sample["event"] == event
    zap.result(f"triggers.{trigger}.operation.performUnsubscribe", subscribeData=kept)


def test_the_actions_ask_change_and_read(zap: Zap) -> None:
    assert [one["id"] for one in zap.result("triggers.loops.operation.perform")] == [zap.loop]
    fields = {"loop_id": zap.loop, "request_text": "Publish it?", "priority": "high", "timeout_minutes": 60}
    made = zap.result("creates.create_request.operation.perform", inputData=fields)
    assert (made["status"], made["priority"]) == ("pending", "high")
    choice = fields | {"options": ["Blue", "Green"], "default_response": "Blue", "context": {"page": "7"}}
    other = zap.result("creates.create_request.operation.perform", inputData=choice)
    asked = zap.service.key.request(other["id"]).data["request"]
    assert (asked["platform"], asked["response_config"], asked["context"]) == (
        "zapier", {"options": ["Blue", "Green"]}, {"page": "7"},
    )  # fmt: skip
    change = {"request_id": made["id"], "priority": "critical", "request_text": ""}
    assert zap.result("creates.update_request.operation.perform", inputData=change)["revision"] == 2
    zap.service.answer(made["id"], "Approve", revision=2)
    [read] = zap.result("searches.get_response.operation.perform", inputData={"request_id": made["id"]})
    assert (read["status"], read["decision"]) == ("completed", "approved")
    refused = zap.run("searches.get_response.operation.perform", inputData={"request_id": "0" * 24})
    assert "Request not found" in refused["error"]
