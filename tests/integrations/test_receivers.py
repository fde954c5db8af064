"""The example receivers in their real servers: what is not genuine is refused, what comes twice is taken once."""

from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.signatures import SIGNATURE, SIGNATURE_256, sign
from tests.integrations.collector import once
from tests.programs import gunicorn, uvicorn
from tests.rest.backend import Backend
from tests.world import WAIT, environment

SECRET = "an example's secret, long enough"
RECEIVERS = {
    "Flask": (gunicorn, "examples.receivers.flask_app:app"),
    "Django": (gunicorn, "examples.receivers.django_app:application"),
    "FastAPI": (uvicorn, "examples.receivers.fastapi_app:app"),
}
REQUEST_ID = "a" * 24


@pytest.fixture(scope="module", params=RECEIVERS)
def receiver(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_settings: None
) -> Generator[httpx2.Client]:
    """One framework's receiver in its server."""
    server, application = RECEIVERS[request.param]
    folder = tmp_path_factory.mktemp("receiver")
    given = environment(folder, HITL_WEBHOOK_SECRET=SECRET, DECISIONS_FILE=str(folder / "decisions.db"))
    with server(application, given) as url, httpx2.Client(base_url=url, timeout=WAIT, trust_env=False) as client:
        yield client


def event(request_id: str = REQUEST_ID, **more: Any) -> bytes:
    """A body of ours."""
    about = {"request_id": request_id, "status": "completed", "response_data": "Approve", "decision": "approved"}
    top = {"event": "request.completed", "event_id": f"evt_{request_id}_3", **about, "data": about}
    return json.dumps(top | {"response_by": {"user_id": "b" * 24}} | more).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers of the contract."""
    return {SIGNATURE: sign(body, secret), SIGNATURE_256: f"sha256={sign(body, secret)}"}


def test_what_is_not_genuine_is_refused(receiver: httpx2.Client) -> None:
    body = event("c" * 24)
    for headers in ({}, signed(body, "another secret, as long"), {SIGNATURE: "0" * 64}, signed(body + b" ")):
        assert receiver.post("/hitl", content=body, headers=headers).status_code == 401
    unreadable = b'{"event": "request.completed", "status": "cancelled"}'
    assert receiver.post("/hitl", content=unreadable, headers=signed(unreadable)).status_code == 400
    assert receiver.get("/hitl").status_code == 405
    assert receiver.get(f"/decisions/{'c' * 24}").status_code == 404


def test_the_same_event_is_taken_once_whichever_worker_gets_it(receiver: httpx2.Client) -> None:
    body = event()

    def deliver(_: int) -> httpx2.Response:
        return receiver.post("/hitl", content=body, headers=signed(body))

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(deliver, range(16)))
    assert [one.status_code for one in said] == [200] * 16
    assert sorted(one.json()["taken"] for one in said) == [False] * 15 + [True]
    assert receiver.get(f"/decisions/{REQUEST_ID}").json() == {
        "status": "completed", "decision": "approved", "times": 1
    }  # fmt: skip


def test_a_real_delivery_is_taken(receiver: httpx2.Client, service: Backend) -> None:
    loop = service.key.new_loop()
    url = f"{str(receiver.base_url).rstrip('/')}/hitl"
    wanted = {"url": url, "events": ["request.*"], "loop_id": loop, "secret": SECRET}
    made = service.key.post(routes.WEBHOOKS, wanted)
    assert made.status == 201, made.body
    approval = {"kind": "approval", "request_text": "Publish it?"}
    asked = service.key.post(routes.LOOP_REQUESTS.format(loop_id=loop), approval)
    request_id = asked.data["request_id"]
    service.answer(request_id, "approve")

    def decided() -> dict[str, Any] | None:
        reply = receiver.get(f"/decisions/{request_id}")
        return reply.json() if reply.status_code == 200 else None

    assert once(decided) == {"status": "completed", "decision": "approved", "times": 1}
    assert service.key.delete(routes.WEBHOOK.format(webhook_id=made.body["id"])).status == 200
