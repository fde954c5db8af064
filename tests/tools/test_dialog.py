"""The question in the client's own dialog, beside the inbox, over every transport and in both protocol eras (H7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientSession
from mcp.types import CallToolResult, ClientCapabilities, ElicitationCapability, ElicitResult, UrlElicitationCapability

from hitl_mcp.errors import Conflict
from tests.mcp_http import Transport, over_http
from tests.served.team import team
from tests.tools.dialogs import User, accepting, doing, user_client
from tests.tools.test_asking import WAYS, only_open, reviewer_of, told
from tests.world import WAIT, Era, eventually, stdio_client

pytestmark = pytest.mark.anyio
UNCHECKED = "answered in the client's own dialog, which this service cannot check"
NOT_RECORDED = "An answer given in the client's dialog was not recorded"
LATE = "An answer given in the client's dialog came after that and was not recorded."
APPROVAL = {"action": "Deploy 1.2", "context": {"environment": "production"}, "wait_seconds": 60}


async def held(client: Client, arguments: dict[str, Any] = APPROVAL, tool: str = "request_human_approval") -> Any:
    """The structured result of a call that waits, within the bound of every wait."""
    with anyio.fail_after(WAIT * 2):
        return told(await client.call_tool(tool, arguments))


async def answered_meanwhile(user: User, client: Client, value: str) -> Any:
    """The same, answered in the inbox once the user is through with the dialog."""
    results: list[Any] = []

    async def call() -> None:
        results.append(await held(client))

    async def shown() -> bool:
        return bool(user.shown)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await eventually(shown)
        reviewer = await reviewer_of(user.folder)
        await reviewer.answer(await only_open(reviewer), value)
    return results[0]


@WAYS
async def test_an_answer_in_the_dialog_decides_and_is_marked(folder: Path, transport: Transport, era: Era) -> None:
    user = User(folder, accepting("approve", comment="At night"))
    async with user_client(user, transport, era) as client:
        decided = await held(client)
        reviewer = await reviewer_of(folder)
        with pytest.raises(Conflict, match="Already decided by"):
            await reviewer.answer(decided["request_id"], "reject")
    assert decided["outcome"] == "approved" and decided["approved"] is True
    assert (decided["channel"], decided["assurance"]) == ("client", "client_asserted")
    assert decided["reviewer_comment"] == "At night" and UNCHECKED in decided["message"]
    words = user.form.message
    assert words.startswith("Question for Default:\n\nDeploy 1.2\n\nenvironment: production\n\n")
    assert "recorded as given through this client" in words and decided["inbox"] in words
    options = user.form.requested_schema["properties"]["answer"]["oneOf"]
    assert [option["title"] for option in options] == ["Approve", "Reject", "Needs Changes"]


@WAYS
@pytest.mark.parametrize("action", ["decline", "cancel", "accept"])
async def test_a_dialog_that_is_not_filled_in_decides_nothing(
    folder: Path, transport: Transport, era: Era, action: Literal["accept", "decline", "cancel"]
) -> None:
    user = User(folder, doing(action))
    async with user_client(user, transport, era) as client:
        decided = await answered_meanwhile(user, client, "needs_changes")
    assert decided["outcome"] == "needs_changes" and decided["channel"] == "terminal"
    assert len(user.shown) == 1 and "dialog" not in decided["message"]


WRONG: list[dict[str, Any]] = [{"answer": "sure"}, {"answer": True}, {"approve": "approve"}]


@WAYS
async def test_a_form_filled_in_wrongly_decides_nothing_and_is_told(
    folder: Path, transport: Transport, era: Era
) -> None:
    contents = iter(WRONG)

    async def does(user: User) -> ElicitResult:
        return ElicitResult(action="accept", content=next(contents))

    user = User(folder, does)
    async with user_client(user, transport, era) as client:
        await client.call_tool("list_loops", {})
        for wrong in WRONG if transport == "http" else WRONG[:1]:
            pending = await held(client, APPROVAL | {"wait_seconds": 2, "action": str(wrong)})
            assert pending["outcome"] == "pending" and NOT_RECORDED in pending["message"]
            assert "Invalid response" in pending["message"]


@WAYS
async def test_whoever_is_first_decides_and_a_late_dialog_is_told_the_truth(
    folder: Path, transport: Transport, era: Era
) -> None:
    async def does(user: User) -> ElicitResult:
        reviewer = await user.in_the_inbox()
        await reviewer.answer(await only_open(reviewer), "reject")
        return ElicitResult(action="accept", content={"answer": "approve"})

    user = User(folder, does)
    async with user_client(user, transport, era) as client:
        decided = await held(client)
        assert decided["outcome"] == "rejected" and decided["approved"] is False
        assert decided["channel"] == "terminal" and decided["decided_by"]
        if client.protocol_version >= "2026-07-28":  # else the dialog was closed, and nothing came late
            assert LATE in decided["message"]


@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
async def test_an_ignored_dialog_is_closed_when_somebody_else_decides(folder: Path, transport: Transport) -> None:
    closed = anyio.Event()

    async def does(user: User) -> ElicitResult:
        try:
            await anyio.sleep_forever()
        finally:
            closed.set()
        raise AssertionError

    user = User(folder, does)
    async with user_client(user, transport, "legacy") as client:
        decided = await answered_meanwhile(user, client, "approve")
        assert decided["outcome"] == "approved" and decided["channel"] == "terminal"
        with anyio.fail_after(WAIT):
            await closed.wait()


@WAYS
async def test_a_host_that_never_shows_its_dialogs_loses_nothing(folder: Path, transport: Transport, era: Era) -> None:
    async def does(user: User) -> ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    user, request_id = User(folder, does), ""
    async with user_client(user, transport, era) as client:
        if client.protocol_version < "2026-07-28":
            handle = await held(client, APPROVAL | {"wait_seconds": 1})
            assert handle["outcome"] == "pending"
            request_id = handle["request_id"]
        else:  # the dialog is the client's until the host ends the call
            with anyio.CancelScope() as host:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(client.call_tool, "request_human_approval", APPROVAL)
                    request_id = await only_open(await reviewer_of(folder))
                    host.cancel()
        await (await reviewer_of(folder)).answer(request_id, "approve")
        checked = await held(client, {"request_id": request_id}, "check_request")
        assert checked["outcome"] == "approved"


async def test_a_host_that_keeps_silent_loses_one_call_and_no_other(folder: Path) -> None:
    async def does(user: User) -> ElicitResult:
        host.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    user = User(folder, does)
    async with user_client(user, "http") as client:
        with anyio.CancelScope() as host:
            await client.call_tool("request_human_approval", APPROVAL | {"wait_seconds": 0.1})
        asked = await only_open(await reviewer_of(folder))
        await held(client, {"request_id": asked, "wait_seconds": 0.3}, "check_request")
        pending = await held(client, APPROVAL | {"wait_seconds": 0.1, "action": "Another"})
    assert pending["outcome"] == "pending" and len(user.shown) == 1


QUESTIONS: list[tuple[str, dict[str, Any], Any, Any, dict[str, Any]]] = [
    ("single_select", {"options": ["Blue", "Dark Green"]}, "Dark Green", "Dark Green", {"type": "string"}),
    (
        "multi_select", {"options": ["a", "b", "c"], "max_selections": 2}, ["c", "a"], ["c", "a"],
        {"type": "array", "maxItems": 2},
    ),
    ("boolean", {"true_label": "Ship", "false_label": "Wait"}, "no", False, {"type": "string"}),
    (
        "number", {"min_value": 0, "max_value": 10, "decimal_places": 1}, 2.5, 2.5,
        {"type": "number", "minimum": 0, "maximum": 10},
    ),
    ("rating", {"scale_max": 5}, 4, 4, {"type": "integer", "minimum": 1, "maximum": 5}),
    ("text", {"max_length": 50}, "two\nlines", "two\nlines", {"type": "string", "maxLength": 50}),
    (
        "editable_text", {"draft_text": "Dear"}, "Dear Ada", {"revised_text": "Dear Ada", "was_edited": True},
        {"type": "string", "default": "Dear"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_every_type_of_question_can_be_answered_in_the_dialog(folder: Path, era: Era) -> None:
    user = User(folder, doing("cancel"))
    async with user_client(user, "http", era) as client:
        for kind, config, given, expected, shape in QUESTIONS:
            user.shown.clear()
            user.does = accepting(given)
            arguments = {"question": kind, "response_type": kind, "response_config": config, "wait_seconds": 60}
            decided = await held(client, arguments, "ask_human")
            assert (decided["outcome"], decided["answer"]) == ("answered", expected)
            assert UNCHECKED in decided["message"]
            field = user.form.requested_schema["properties"]["answer"]
            assert shape.items() <= field.items()


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_what_a_dialog_cannot_show_whole_is_not_asked_there(folder: Path, era: Era) -> None:
    user = User(folder, accepting("approve"))
    async with user_client(user, "http", era) as client:
        for more in (
            {"priority": "critical"}, {"details": "x" * 10_000}, {"wait_seconds": 0},
        ):  # fmt: skip
            pending = await held(client, APPROVAL | {"wait_seconds": 0.2, "action": str(more)[:40]} | more)
            assert pending["outcome"] == "pending"
    assert user.shown == []


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_teams_server_shows_no_dialog(folder: Path, era: Era) -> None:
    user = User(folder, accepting("approve"))
    async with team(folder) as server:
        import httpx2

        headers = {"Authorization": f"Bearer {await server.key()}"}
        address = f"http://127.0.0.1:{server.services.keys.internal_port}"
        async with (
            httpx2.AsyncClient(base_url=address, headers=headers, trust_env=False) as http,
            over_http(http, "http", era, elicitation_callback=user) as client,
        ):
            pending = await held(client, APPROVAL | {"wait_seconds": 0.2})
    assert pending["outcome"] == "pending" and user.shown == []


def url_only(_: ClientSession, *args: Any, **more: Any) -> ClientCapabilities:
    """The capabilities of a client that opens pages and has no forms."""
    return ClientCapabilities(elicitation=ElicitationCapability(url=UrlElicitationCapability()))


@WAYS
async def test_a_client_without_forms_is_led_to_the_page_and_opening_it_answers_nothing(
    folder: Path, transport: Transport, era: Era, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientSession, "_build_capabilities", url_only)
    user = User(folder, accepting("approve"))  # whatever a client adds to having opened the page
    async with user_client(user, transport, era) as client:
        decided = await answered_meanwhile(user, client, "reject")
    assert user.page.url == decided["inbox"] and "Opening the page answers nothing" in user.page.message
    assert decided["outcome"] == "rejected" and decided["channel"] == "terminal"


async def test_a_client_without_dialogs_waits_as_before(folder: Path) -> None:
    async with stdio_client(folder, HITL_ROUND_SECONDS="0.5") as client:
        result = await client.session.call_tool(
            "request_human_approval", APPROVAL | {"wait_seconds": 2}, allow_input_required=True
        )
        assert isinstance(result, CallToolResult)
        assert told(result)["outcome"] == "pending"


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_of_fifty_races_each_has_one_decision_and_both_sides_know_it(folder: Path, era: Era) -> None:
    """The dialog is answered at the very moment at which a person answers in the inbox."""
    lost: list[str] = []

    async def does(user: User) -> ElicitResult:
        reviewer = await user.in_the_inbox()
        request_id = await only_open(reviewer)

        async def other() -> None:
            try:
                await reviewer.answer(request_id, "reject")
            except Conflict as error:
                lost.append(str(error))

        others.start_soon(other)
        return ElicitResult(action="accept", content={"answer": "approve"})

    user = User(folder, does)
    won = {"client": 0, "terminal": 0}
    async with anyio.create_task_group() as others, user_client(user, "http", era) as client:
        for turn in range(50):
            decided = await held(client, APPROVAL | {"action": f"Deploy {turn}"})
            expected = {"client": "approved", "terminal": "rejected"}
            assert decided["outcome"] == expected[decided["channel"]]
            won[decided["channel"]] += 1

        async def all_told() -> bool:
            return len(lost) == won["client"]

        await eventually(all_told)
    assert sum(won.values()) == 50
    assert all("Already decided by" in words for words in lost)
