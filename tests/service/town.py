"""What the fuzzer goes over: a running service with something in it, everybody's credentials, and the way there."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import requests
import schemathesis
from anyio.from_thread import start_blocking_portal
from schemathesis import hooks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from hitl_mcp.contract import routes
from hitl_mcp.contract.teams import Scope
from hitl_mcp.service.api.requests import WAIT_MAX
from tests.service.stage import stage

EXAMPLES = int(os.environ.get("HITL_FUZZ_EXAMPLES", "10"))
PHASES = ("examples", "coverage", "fuzzing", "stateful")
SEED = 20_260_302
SECONDS = 10.0
"""Of any one call."""

_ID = re.compile(r"[0-9a-fA-F]{24}")


@dataclass
class Town:
    """A running service with something in it.

    Attributes:
        keys: credentials by security scheme.
        ids: of things that exist, by path parameter.
        leads: whether cases are led to them; a chain of calls finds its own.
    """

    address: str
    keys: dict[str, str]
    ids: dict[str, str]
    session: requests.Session
    leads: bool = True
    turn: count[int] = field(default_factory=count)

    def ask(self, method: str, path: str, scheme: str, body: Any = None) -> dict[str, Any]:
        """A call that must succeed."""
        headers = {"Authorization": f"Bearer {self.keys[scheme]}"}
        answer = self.session.request(method, self.address + path, json=body, headers=headers, timeout=SECONDS)
        assert answer.ok, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def new_request(self, *, answered: bool) -> str:
        """An open request, or one with a person's answer."""
        path = routes.LOOP_REQUESTS.format(**self.ids)
        made = self.ask("POST", path, "API-key", {"kind": "approval", "request_text": "May I?"})["request_id"]
        if answered:
            answer = {"response_data": "approve", "revision": 1}
            self.ask("POST", routes.REQUEST_RESPOND.format(request_id=made), "Session", answer)
        return str(made)

    def lead(self, case: Any) -> None:
        """Let three of four well-formed ids name something that exists, so that a case gets past the door."""
        turn = next(self.turn) % 4
        for name, value in cast("dict[str, Any]", case.path_parameters).items():
            if turn and self.leads and isinstance(value, str) and _ID.fullmatch(value):
                case.path_parameters[name] = self._there(name, case, answered=turn == 1) or value
        if case.operation.path == routes.CHANNELS and "://ntfy" in str(case.body):
            case.body["address"] = "json://127.0.0.1:9"  # else the description's example is told of every request
        if case.operation.path == routes.REQUEST_WAIT and 0 <= _number(case.query.get("timeout", 60)) <= WAIT_MAX:
            case.query["timeout"] = 0.01

    def _there(self, name: str, case: Any, *, answered: bool) -> str | None:
        if name == "request_id":
            return self.new_request(answered=answered)
        if (case.method.upper(), case.operation.path) == ("DELETE", routes.LOOP):
            made = self.ask("POST", routes.LOOPS, "API-key", {"name": "Short-lived", "icon": "bell"})
            return str(made["loop"]["id"])
        return self.ids.get(name)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return -1


@contextmanager
def town(folder: Path) -> Generator[Town]:
    """The service runs in a thread, as the fuzzer's calls wait."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(stage(folder)) as here:
        keys = {"Console": here.found.console().key, "Session": here.reviewer.session.key}
        with requests.Session() as session:
            there = Town(here.found.address, keys, {"loop_id": here.loop_id}, session)
            keys["API-key"] = there.ask("POST", routes.KEYS, "Console", {"name": "fuzzer", "scopes": list(Scope)})[
                "key"
            ]
            spare = there.ask("POST", routes.KEYS, "Console", {"name": "spare"})
            guest = there.ask("POST", routes.MEMBERS.format(**there.ids), "API-key", {"email": "guest@example.com"})
            there.ids |= {"key_id": spare["id"], "user_id": guest["member"]["user_id"]}

            def before_call(_: hooks.HookContext, case: Any, kwargs: dict[str, Any]) -> None:
                there.lead(case)

            cast("Any", schemathesis).hook(before_call)
            try:
                yield there
            finally:
                cast("Any", hooks).unregister(before_call)


def described(there: Town, phase: str) -> Any:
    """The running service's own description, and how one phase goes over it."""
    settings: dict[str, Any] = {
        "seed": SEED,
        "suppress-health-check": ["all"],
        "base-url": there.address,
        "request-timeout": SECONDS,
        "continue-on-failure": True,
        "auth": {"openapi": {name: {"bearer": key} for name, key in there.keys.items()}, "auto-signup": False},
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "with-security-parameters": False},
        "phases": {name: {"enabled": name == phase} for name in PHASES},
        # one field judges another here, which a schema cannot say
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
    config = cast("Any", SchemathesisConfig).from_dict(settings)
    return schemathesis.openapi.from_url(f"{there.address}/openapi.json", config=config, timeout=SECONDS)


def go_over(api: Any) -> int:
    """Run, and fail with everything that was found; returns how many calls were made."""
    said: list[str] = []
    calls = 0
    for event in from_schema(api).execute():
        if isinstance(event, events.ScenarioFinished):
            calls += len(event.recorder.interactions)
            said += _faults(event.recorder)
        elif isinstance(event, events.NonFatalError):
            said.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    assert not said, "\n\n".join(dict.fromkeys(said))
    return calls


def _faults(recorder: ScenarioRecorder) -> list[str]:
    """What a scenario's checks found, each with the call that shows it."""
    found: list[str] = []
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                found.append(f"{recorder.label}: {failure.title}: {failure.message}\n{check.failure_info.code_sample}")
    return found
