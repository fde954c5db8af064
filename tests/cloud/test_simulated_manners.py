"""The simulated cloud's rate limit, its habits and its faults: each switch once, and the real port."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx2
import pytest

from tests.cloud.simulated import Cloud, Fault, Manners, oddities, served
from tests.cloud.simulated.place import CREATE, HOUR, REQUEST_FIELDS, START, Place, place

pytestmark = pytest.mark.anyio
BOUND = 15.0


@pytest.fixture
async def at() -> AsyncGenerator[Place]:
    async with place() as made:
        yield made


# Section 1.4: the hour


def rate(reply: httpx2.Response) -> tuple[int, ...]:
    return tuple(int(reply.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


async def test_every_call_counts_until_the_hour_is_over(at: Place) -> None:
    full_hour = START // HOUR * HOUR + HOUR
    await at.create()
    refused = await at.send("GET", "/api/requests/xyz")
    assert rate(refused) == (100, 98, full_hour)
    assert rate(await at.send("PATCH", "/api/loops")) == (100, 97, full_hour)
    at.cloud.spend(at.key, 200)
    reply = await at.send("GET", "/api/loops")
    assert (reply.status_code, *rate(reply)) == (429, 100, 0, full_hour)
    assert reply.json() == {
        "error": True, "msg": "Rate limit exceeded. Maximum 100 requests per hour per API key.",
        "data": {"usage_count": 100, "usage_limit": 100, "remaining": 0, "reset_at": "2027-01-15T09:00:00.000Z"},
    }  # fmt: skip
    assert (await at.send("GET", "/test", key=at.cloud.new_key())).json()["data"]["rate_limit"]["remaining"] == 99
    at.now = full_hour
    assert rate(await at.send("GET", "/api/loops")) == (100, 99, full_hour + HOUR)
    assert [(call.operation, call.status) for call in at.cloud.calls] == [
        ("create_request", 201), ("get_request", 400), (None, 405), ("list_loops", 429), ("check_key", 200),
        ("list_loops", 200),
    ]  # fmt: skip


async def test_an_hour_from_the_first_call(at: Place) -> None:
    at.cloud.manners = Manners(window="from_first_call")
    assert rate(await at.send("GET", "/test")) == (100, 99, START + HOUR)
    at.now += HOUR - 1
    assert rate(await at.send("GET", "/test")) == (100, 98, START + HOUR)
    at.now += 1
    assert rate(await at.send("GET", "/test")) == (100, 99, START + 2 * HOUR)


async def test_a_cancelled_call_may_be_given_back(at: Place) -> None:
    at.cloud.manners = Manners(cancel_refunds=True)
    pending, claimed = await at.create(), await at.create()
    at.cloud.claim(claimed)
    assert rate(await at.send("DELETE", f"/api/requests/{pending}"))[1] == 98
    assert rate(await at.send("DELETE", f"/api/requests/{claimed}"))[1] == 97


async def test_a_reset_that_cannot_be_trusted(at: Place) -> None:
    at.cloud.manners = Manners(reset="past")
    assert rate(await at.send("GET", "/test"))[2] < at.now
    at.cloud.manners = Manners(reset="milliseconds")
    assert rate(await at.send("GET", "/test"))[2] == (START // HOUR + 1) * HOUR * 1000
    at.cloud.manners = Manners(reset="missing")
    reply = await at.send("GET", "/test")
    assert "X-RateLimit-Reset" not in reply.headers and "X-RateLimit-Remaining" in reply.headers


async def test_the_forms_of_a_429(at: Place) -> None:
    at.cloud.spend(at.key, 100)
    at.cloud.manners = Manners(usage_data="top", retry_after=True, limit_message="API key usage limit exceeded")
    reply = await at.send("GET", "/test")
    assert reply.headers["Retry-After"] == "3000"
    assert reply.json().keys() == {"error", "msg", "usage_count", "usage_limit", "remaining", "reset_at"}
    at.cloud.manners = Manners(usage_data="text")
    assert isinstance((await at.send("GET", "/test")).json()["data"], str)
    at.cloud.manners = Manners(usage_data="missing")
    assert "data" not in (await at.send("GET", "/test")).json()


# Manners and faults: each once


def test_every_switch_is_among_the_oddities() -> None:
    assert {name.partition("=")[0] for name in oddities()} == set(Manners.__dataclass_fields__)
    assert len(set(oddities().values()) | {Manners()}) == len(oddities()) + 1


@pytest.mark.parametrize("name", oddities())
async def test_a_person_can_answer_whatever_the_manners(at: Place, name: str) -> None:
    at.cloud.manners = oddities()[name]
    request_id = await at.create()
    at.cloud.answer(request_id, "Needs Changes")
    assert at.cloud.requests[request_id].status == "completed"
    data = await at.data("GET", f"/api/requests/{request_id}")
    assert data.get("request", data)["response_data"] in (
        "Needs Changes", "needs_changes", {"selected_value": "Needs Changes"},
        {"selected_value": "Needs Changes", "selected_label": "Needs Changes"},
    )  # fmt: skip


async def test_options_and_answers_by_generated_values(at: Place) -> None:
    request_id = await at.create(default_response="needs_changes")
    at.cloud.answer(request_id, "Needs Changes")
    at.cloud.manners = Manners(slugged_options=True, slugged_answers=True)
    request = await at.read(request_id)
    assert request["response_config"]["options"][1] == {"value": "needs_changes", "label": "Needs Changes"}
    assert request["response_data"] == "needs_changes"


async def test_an_answer_may_be_anything_at_all(at: Place) -> None:
    at.cloud.manners = Manners(answers="object")
    request_id = await at.create()
    with pytest.raises(ValueError, match="the answer must match one of the configured options"):
        at.cloud.answer(request_id, "Maybe")
    at.cloud.answer(request_id, "Maybe", as_is=True)
    assert (await at.read(request_id))["response_data"] == "Maybe"


async def test_what_a_read_may_leave_out_or_move(at: Place) -> None:
    request_id, claimed = await at.create(), await at.create()
    at.cloud.answer(request_id, "Approve")
    at.cloud.claim(claimed)
    path = f"/api/requests/{request_id}"
    at.cloud.manners = Manners(single="flat", responder="missing")
    assert (await at.data("GET", path)).keys() == REQUEST_FIELDS - {"response_by"}
    at.cloud.manners = Manners(single="both", responder="id_and_user")
    both = await at.data("GET", path)
    assert both["request"].items() <= both.items()
    user = {"name": "Olivia Owner", "email": "owner@example.com"}
    assert both["response_by_user"] == {"id": both["response_by"], **user}
    at.cloud.manners = Manners(responder="object", shows_claimed=False)
    assert (await at.read(request_id))["response_by"] == {"user_id": at.cloud.owner.id, **user}
    assert (await at.read(claimed))["status"] == "pending"
    at.cloud.manners = Manners(list_totals=False, list_answers=False)
    bare = await at.page()
    assert bare.keys() == {"requests", "count"}
    assert all("response_data" not in item for item in bare["requests"])


async def test_the_default_at_a_timeout(at: Place) -> None:
    at.cloud.manners = Manners(timeout_answer="default", answers="object")
    request_id = await at.create()
    at.now += HOUR
    assert (await at.read(request_id))["response_data"] == {"selected_value": "Reject"}


async def test_what_a_stricter_cloud_refuses(at: Place) -> None:
    at.cloud.manners = Manners(takes_boolean=False, cancels_claimed=False, strict_config=True, deletes_open=False)
    create = f"/api/loops/{at.loop}/requests"
    boolean: Any = {"response_type": "boolean", "response_config": {}, "default_response": False}
    assert (await at.send("POST", create, CREATE | boolean)).json()["data"].startswith("response_type must be one of")
    text: Any = {"response_type": "text", "response_config": {}, "default_response": ""}
    assert (await at.send("POST", create, CREATE | text)).json()["msg"] == "Invalid response configuration"
    request_id = await at.create()
    at.cloud.claim(request_id)
    assert (await at.send("DELETE", f"/api/requests/{request_id}")).status_code == 400
    reply = await at.send("DELETE", f"/api/loops/{at.loop}")
    assert reply.json()["msg"] == "Cannot delete loop with active requests"


async def test_the_fields_of_older_pages(at: Place) -> None:
    at.cloud.manners = Manners(older_extras=True)
    cancelled = await at.data("DELETE", f"/api/requests/{await at.create()}")
    assert cancelled.keys() == {"request_id", "status", "cancelled_at", "previous_status", "refund_info"}
    members = await at.data("GET", f"/api/loops/{at.loop}/members")
    assert members.keys() == {"members", "total_count", "active_count", "pending_count", "statistics"}
    assert (await at.data("DELETE", f"/api/loops/{at.loop}")).keys() == {"loop_id", "deleted_at", "deleted_data"}


@pytest.mark.parametrize(("effect", "after"), [("none", (0, 0)), ("done", (1, 1)), (5.0, (0, 1))])
async def test_a_connection_that_drops_in_a_create(at: Place, effect: Any, after: tuple[int, int]) -> None:
    at.cloud.misbehave(Fault("drop", on="create_request", effect=effect))
    await at.page()
    with pytest.raises(httpx2.RemoteProtocolError):
        await at.create()
    assert (at.cloud.calls[-1].operation, at.cloud.calls[-1].status) == ("create_request", None)
    seen = (await at.page())["total"]
    at.now += 60
    assert (seen, (await at.page())["total"]) == after
    assert [request.created_at for request in at.cloud.requests.values()] == [START + 5 - 5 * seen] * after[1]
    await at.create()


async def test_replies_that_are_none_of_the_envelope_or_late(at: Place) -> None:
    at.cloud.misbehave(
        Fault("html", status=502, effect="done", on="create_request"), Fault("envelope", on="check_key", times=2),
        Fault("error_200", on="list_requests"), Fault("limit", on="list_loops"), Fault("slow", wait=BOUND * 4),
    )  # fmt: skip
    page = await at.send("POST", f"/api/loops/{at.loop}/requests", CREATE)
    assert (page.status_code, page.headers["Content-Type"], len(at.cloud.requests)) == (
        502,
        "text/html; charset=utf-8",
        1,
    )
    for status in (503, 503):
        reply = await at.send("GET", "/test")
        assert (reply.status_code, reply.json()["msg"]) == (status, "Service temporarily unavailable")
    reply = await at.send("GET", "/api/requests")
    assert (reply.status_code, reply.json()["error"]) == (200, True)
    assert (await at.send("GET", "/api/loops")).status_code == 429
    with anyio.move_on_after(0.01) as given_up:
        await at.create()
    assert given_up.cancelled_caught and len(at.cloud.requests) == 2
    at.cloud.misbehave(Fault("drop"))
    at.cloud.behave()
    await at.page()


# On a real port


def test_on_a_real_port() -> None:
    cloud = Cloud(lambda: START)
    key, loop = cloud.new_key(), cloud.new_loop()
    headers = {"Authorization": f"Bearer {key}"}
    with served(cloud) as url, httpx2.Client(base_url=url, headers=headers, timeout=BOUND, trust_env=False) as http:
        path = f"/v1/api/loops/{loop}/requests"
        request_id = http.post(path, json=CREATE).json()["data"]["request_id"]
        cloud.answer(request_id, "Approve")
        read = http.get(f"/v1/api/requests/{request_id}")
        assert json.loads(read.text)["data"]["request"]["response_data"] == "Approve"
        cloud.misbehave(Fault("drop", effect="done"), Fault("slow", wait=HOUR))
        with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
            http.post(path, json=CREATE)
        with pytest.raises(httpx2.ReadTimeout):
            http.post(path, json=CREATE, timeout=httpx2.Timeout(BOUND, read=0.2))
        assert http.get("/v1/test", headers={"Authorization": "Bearer"}).json()["msg"] == "Empty API key"
        assert len(cloud.requests) == 3
        cloud.misbehave(Fault("drop", wait=0.3))
        with pytest.raises(httpx2.ReadTimeout):
            http.get("/v1/test", timeout=httpx2.Timeout(BOUND, read=0.1))
        port = int(url.rpartition(":")[2])
    with served(cloud, port) as again, httpx2.Client(base_url=again, headers=headers, trust_env=False) as http:
        assert http.get("/v1/api/requests", timeout=BOUND).json()["data"]["total"] == 3
