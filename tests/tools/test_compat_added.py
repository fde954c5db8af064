"""What is added to the official server's seven tools, and what keeps their answers from passing for approvals."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from hitl_mcp.contract.routes import KEYS
from hitl_mcp.contract.states import Status
from hitl_mcp.service.run import SERVE, running
from hitl_mcp.serving import mcp_over_http
from hitl_mcp.tools.compat.results import listed
from tests.cloud.simulated import Cloud, Manners
from tests.cloud.simulated import served as on_a_port
from tests.contract.test_outcome import request as request_of
from tests.served.team import Team, free_port, team
from tests.tools.compat import ASK, EACH, WAYS, Way, ask, compat, mcp, told, tools_of
from tests.tools.test_asking import only_open, refused, reviewer_of
from tests.world import WAIT, Era, SimulatedClock, eventually, settings_for, stdio_client

pytestmark = pytest.mark.anyio


async def answered_meanwhile(
    folder: Path, client: Client, tool: str, arguments: dict[str, Any], value: Any
) -> tuple[dict[str, Any], list[str]]:
    """Call a tool that waits, answer the one open request, and collect what the call said meanwhile."""
    words: list[str] = []
    results: list[dict[str, Any]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        words.append(message or "")

    async def call() -> None:
        given = {**arguments, "wait_seconds": 60}
        results.append(told(await client.call_tool(tool, given, progress_callback=on_progress)))

    async def heard() -> bool:
        return bool(words)

    with anyio.fail_after(WAIT * 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            reviewer = await reviewer_of(folder)
            request_id = await only_open(reviewer)
            await eventually(heard)
            await reviewer.answer(request_id, value)
    return results[0], words


@WAYS
async def test_a_call_can_wait_and_returns_what_the_person_answered(folder: Path, way: Way, era: Era) -> None:
    async with compat(folder, way, era) as client:
        made, words = await answered_meanwhile(folder, client, "create_request", ASK, "Approve")
        assert made["outcome"] == "answered" and made["approved"] is False
        assert made["data"]["status"] == "completed" and made["data"]["request"]["response_data"] == "Approve"
        assert made["data"]["request_id"] == made["data"]["request"]["id"]
        assert all("this call waits" in word for word in words)

        later = (await ask(client, request_text="Later?"))["data"]["request_id"]
        got, _ = await answered_meanwhile(folder, client, "get_request", {"request_id": later}, "Reject")
        assert got["data"]["request"]["response_data"] == "Reject" and got["outcome"] == "answered"


QUESTIONS: list[tuple[str, dict[str, Any], Any, Any, Any]] = [
    ("multi_select", {"options": ["a", "b"]}, ["a"], ["b", "a"], ["b", "a"]),
    ("rating", {"scale_max": 5}, 1, 4, 4),
    ("number", {"max_value": 10, "decimal_places": 1}, 1, 2.5, 2.5),
    ("text", {}, "none", "two\nlines", "two\nlines"),
    ("boolean", {}, False, True, True),
    ("editable_text", {"draft_text": "Dear"}, None, "Dear Ada", {"revised_text": "Dear Ada", "was_edited": True}),
]


@EACH
async def test_every_type_of_question_gets_its_answer_and_none_is_an_approval(folder: Path, way: Way) -> None:
    async with compat(folder, way) as client:
        for kind, config, default, given, expected in QUESTIONS:
            made = await ask(
                client, request_text=kind, response_type=kind, response_config=config, default_response=default
            )
            request_id = made["data"]["request_id"]
            await (await reviewer_of(folder)).answer(request_id, given)
            got = told(await client.call_tool("get_request", {"request_id": request_id}))
            assert got["data"]["request"]["response_data"] == expected
            assert got["outcome"] == "answered" and got["approved"] is False


@EACH
async def test_media_of_every_kind_are_taken(folder: Path, way: Way) -> None:
    async with compat(folder, way) as client:
        for kind, media in [
            ("video", {"video_url": "https://example.com/a.mp4"}),
            ("audio", {"audio_urls": ["https://example.com/a.mp3"]}),
            ("file", {"file_url": "https://example.com/a.pdf", "file_type": "application/pdf", "file_name": "a"}),
        ]:
            made = await ask(client, type=kind, request_text=kind, **media)
            assert made["data"]["type"] == kind and made["outcome"] == "pending"


async def test_a_default_never_passes_for_a_persons_answer(folder: Path) -> None:
    clock = SimulatedClock()
    port = free_port()
    settings = settings_for(folder, port=port, public_url=f"http://team.localhost:{port}", tools="compat")
    async with (
        running(settings, hosted_by=SERVE, clock=clock, mount=mcp_over_http(settings)) as services,
        mcp(served := Team(services, ""), await served.key()) as client,
    ):
        made = await ask(client, default_response="Approve", processing_type="time-sensitive", timeout_seconds=60)
        request_id = made["data"]["request_id"]
        clock.move(61)
        got = told(await client.call_tool("get_request", {"request_id": request_id}))
        entry = told(await client.call_tool("list_requests", {"status": "timeout"}))["requests"][0]
    request = got["data"]["request"]
    assert got["outcome"] == "timed_out" and got["approved"] is False and "No person chose it" in got["message"]
    assert "A default is never an approval" in got["message"]
    assert request["status"] == "timeout" and request["response_data"] is None and "decision" not in request
    assert entry["outcome"] == "timed_out" and entry["approved"] is False and entry["response_data"] is None


async def test_pages_say_whether_there_is_more(folder: Path) -> None:
    async with compat(folder, "stdio") as client:
        ids = [(await ask(client, request_text=f"{n}?", priority="low"))["data"]["request_id"] for n in range(3)]
        ask_page = {"limit": 2, "sort": "created_at_asc", "priority": "low", "loop_id": "Default"}
        first = told(await client.call_tool("list_requests", ask_page))
        assert first["summary"] == {"count": 2, "total": None, "has_more": True}
        second = told(await client.call_tool("list_requests", ask_page | {"offset": 2}))
        assert second["summary"] == {"count": 1, "total": 3, "has_more": False}
        assert [request["id"] for request in first["requests"] + second["requests"]] == ids
        beyond = told(await client.call_tool("list_requests", ask_page | {"offset": 9}))
        assert beyond["summary"] == {"count": 0, "total": None, "has_more": False}
        whole = told(await client.call_tool("list_requests", {"limit": 100, "status": "pending"}))
        assert whole["summary"] == {"count": 3, "total": 3, "has_more": False}
        assert told(await client.call_tool("list_requests", {"priority": "high"}))["requests"] == []


async def test_a_decision_that_was_listed_answers_no_later_question(folder: Path) -> None:
    """H2: what the list has shown counts as handed over; two minutes later the same words are a new question."""
    async with compat(folder, "stdio") as client:
        first = await ask(client)
        joined = await ask(client)
        assert joined["joined"] is True and joined["data"]["request_id"] == first["data"]["request_id"]
        await (await reviewer_of(folder)).answer(first["data"]["request_id"], "Approve")
        told(await client.call_tool("list_requests", {}))
        again = await ask(client)
        assert again["repeat"] is True and "do not act twice" in again["message"]


async def test_what_is_listed_of_others_stays_theirs(folder: Path) -> None:
    async with compat(folder, "stdio") as one, compat(folder, "stdio") as two:
        theirs = (await ask(one))["data"]["request_id"]
        await (await reviewer_of(folder)).answer(theirs, "Approve")
        assert told(await two.call_tool("list_requests", {}))["requests"][0]["id"] == theirs
        await ask(two, request_text="Mine?")  # records what was handed over before it asks
        asked_again = await ask(one)
        assert asked_again["joined"] is True and asked_again["repeat"] is False


async def test_a_key_sees_and_touches_only_its_own_requests(folder: Path) -> None:
    async with (
        team(folder, tools="compat") as served,
        mcp(served, await served.key()) as one,
        mcp(served, await served.key()) as two,
    ):
        request_id = (await ask(one))["data"]["request_id"]
        for tool, more in [
            ("get_request", {}),
            ("cancel_request", {}),
            ("update_request", {"updates": {"priority": "low"}}),
            ("add_request_feedback", {"feedback": {"rating": 1}}),
        ]:
            said = refused(await two.call_tool(tool, {"request_id": request_id, **more}))
            assert "(status 404)" in said or "(status 403)" in said, said
            assert "list_requests" in said
        assert told(await two.call_tool("list_requests", {}))["requests"] == []
        got = told(await one.call_tool("get_request", {"request_id": request_id}))
        assert got["data"]["request"]["status"] == Status.PENDING


async def test_a_key_without_a_scope_is_told_what_it_lacks(folder: Path) -> None:
    async with team(folder, tools="compat") as served:
        body = {"name": "reads", "scopes": ["loops:read", "requests:read"]}
        key = str((await served.console("POST", KEYS, body))["key"])
        async with mcp(served, key) as client:
            said = refused(await client.call_tool("create_request", ASK))
            assert "(status 403)" in said and "list_loops" in said


async def test_a_used_up_budget_says_when_it_comes_back(folder: Path) -> None:
    async with compat(folder, "http", rate_limit=20) as client:
        said = ""
        for _ in range(40):
            result = await client.call_tool("get_request", {"request_id": "0" * 24})
            said = refused(result)
            if "(status 429)" in said:
                break
        assert "Rate limit exceeded" in said and "(status 429)" in said
        assert "The budget of calls comes back at 20" in said and "UTC" in said and "wait_seconds" in said


async def test_the_default_tools_are_served_when_nothing_is_said(folder: Path) -> None:
    async with team(folder) as served, mcp(served, await served.key()) as client:
        assert "request_human_approval" in await tools_of(client)


async def test_on_the_cloud_nothing_is_updated_and_answers_come_as_they_do_elsewhere(folder: Path) -> None:
    cloud = Cloud(time.time)
    key, loop = cloud.new_key(), cloud.new_loop("Legal")
    with on_a_port(cloud) as url:
        settings = {"HITL_TOOLS": "compat", "HITL_API_KEY": key, "HITL_BASE_URL": url, "HITL_BACKEND": "cloud"}
        async with stdio_client(folder, "auto", **settings) as client:
            loops = told(await client.call_tool("list_loops", {}))
            assert [one["id"] for one in loops["loops"]] == [loop] and loops["backend"] == "cloud"
            made = await ask(client, loop_id=loop)
            request_id = made["data"]["request_id"]
            assert made["outcome"] == "pending" and made["backend"] == "cloud"
            assert "hitl_mcp_ref" not in str(made), "the marker is nobody's business"

            before = len(cloud.calls)
            change = {"request_id": request_id, "updates": {"request_text": "Something else"}}
            said = refused(await client.call_tool("update_request", change))
            assert said.startswith(
                "update_request is not supported by this backend (cloud). Cancel the request and ask"
            )
            assert len(cloud.calls) == before, "nothing was sent"

            cloud.answer(request_id, "Approve")
            listed = told(await client.call_tool("list_requests", {}))["requests"][0]
            assert listed["outcome"] == "answered" and listed["approved"] is False
            assert listed["response_data"] == "Approve" and listed["response_config"] == ASK["response_config"]
            rate = {"request_id": request_id, "feedback": {"rating": 4}}
            assert told(await client.call_tool("add_request_feedback", rate))["backend"] == "cloud"

            other = (await ask(client, loop_id=loop, request_text="Another?"))["data"]["request_id"]
            gone = told(await client.call_tool("cancel_request", {"request_id": other}))
            assert gone["outcome"] == "cancelled" and cloud.requests[other].status == "cancelled"

            cloud.spend(key, 100)
            said = refused(await client.call_tool("create_request", ASK | {"loop_id": loop, "request_text": "More?"}))
            assert "(status 429)" in said and "The budget of calls comes back at 20" in said
            assert key not in said


async def test_a_default_that_the_cloud_writes_as_an_answer_is_none(folder: Path) -> None:
    later = 0.0
    cloud = Cloud(lambda: time.time() + later, Manners(timeout_answer="default"))
    key, loop = cloud.new_key(), cloud.new_loop("Legal")
    with on_a_port(cloud) as url:
        settings = {"HITL_TOOLS": "compat", "HITL_API_KEY": key, "HITL_BASE_URL": url, "HITL_BACKEND": "cloud"}
        async with stdio_client(folder, "auto", **settings) as client:
            short = {"processing_type": "time-sensitive", "timeout_seconds": 60, "default_response": "Approve"}
            request_id = (await ask(client, loop_id=loop, **short))["data"]["request_id"]
            later = 61
            entry = told(await client.call_tool("list_requests", {}))["requests"][0]
    assert cloud.requests[request_id].status == "timeout"
    assert entry["id"] == request_id and entry["outcome"] == "timed_out" and entry["approved"] is False
    assert entry["response_data"] is None and "decision" not in entry and entry["default_response"] == "Approve"


@pytest.mark.parametrize(
    "lie",
    [
        {"status": "timeout"},
        {"status": "cancelled"},
        {"status": "pending"},
        {"response_by": None},
        {"response_at": None},
        {"decided_revision": 2},
        {"response_data": "approved"},
    ],
)
def test_what_no_person_answered_is_shown_without_an_answer(lie: dict[str, Any]) -> None:
    """H11, whatever a backend writes into the other fields."""
    whole = listed(request_of(decision="approved"))
    assert whole["approved"] is True and whole["response_data"] == "approve" and whole["decision"] == "approved"
    shown = listed(request_of(**{"decision": "approved", **lie}))
    assert shown["approved"] is False and shown["response_data"] is None and "decision" not in shown
