"""Whatever is sent, the answer is an envelope that says what is wrong: a 4xx, never a 5xx (contract section 1.6)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from hitl_mcp.contract import routes
from hitl_mcp.contract.models import RequestFilter
from hitl_mcp.contract.states import Status
from hitl_mcp.sdk import http
from hitl_mcp.sdk.local import ask
from tests.service.stage import Answer, Place, Stage, stage

pytestmark = pytest.mark.anyio

QUESTION: dict[str, Any] = {
    "request_text": "Which colour?", "response_type": "single_select", "response_config": {"options": ["Blue"]},
}  # fmt: skip
MIB = 1_048_576
LONE = "half \ud83d of a pair"
ZERO = "a\x00b"


async def create(on: Stage, **fields: Any) -> Answer:
    """A question with some fields of its own."""
    return await on.wire.send("POST", routes.LOOP_REQUESTS.format(loop_id=on.loop_id), QUESTION | fields)


def refused(answer: Answer, *, status: int = 400) -> bool:
    """Whether it is a proper envelope that says no."""
    words = answer.body.get("msg")
    return answer.status == status and answer.body.get("error") is True and isinstance(words, str) and bool(words)


async def test_the_words_of_the_contract(place: Place) -> None:
    async with stage(place) as on:
        loop, bad = routes.LOOP_REQUESTS.format(loop_id=on.loop_id), "123"
        get, post = "GET", "POST"
        cases: list[tuple[Answer, int, str]] = [
            (await on.wire.send(post, loop, content=b"{"), 400, "Invalid request body"),
            (await on.wire.send(get, routes.REQUEST.format(request_id=bad)), 400, "Invalid request ID format"),
            (await on.wire.send(get, routes.LOOP.format(loop_id=bad)), 400, "Invalid loop ID format"),
            (await on.wire.send(post, loop, {}), 400, "Request text is required"),
            (await create(on, request_text=""), 400, "Request text is required"),
            (await create(on, processing_type="time-sensitive"), 400,
             "timeout_seconds is required for time-sensitive requests"),
            (await create(on, response_config={}), 400, "Invalid response configuration"),
            (await create(on, default_response="Red"), 400, "Invalid default response"),
            (await create(on, request_text="x" * 2001), 400, "Validation failed"),
            (await create(on, priority="urgent"), 400, "Validation failed"),
            (await on.wire.send(get, routes.REQUEST.format(request_id="0" * 24)), 404, "Request not found"),
            (await on.wire.send(get, routes.LOOP.format(loop_id="0" * 24)), 404, "Loop not found"),
            (await on.wire.send(get, routes.REQUESTS, headers={"Authorization": "Bearer"}), 401, "Empty API key"),
            (await on.wire.send(get, routes.REQUESTS, headers={"Authorization": "Bearer no"}), 401, "Invalid API key"),
            (await on.wire.send(get, routes.REQUESTS, headers={"Authorization": "Basic eA=="}), 401,
             "Invalid Authorization header format. Use 'Bearer <api_key>'"),
        ]  # fmt: skip
        for answer, status, msg in cases:
            assert (answer.status, answer.msg) == (status, msg), answer.body
            assert answer.body["error"] is True
        assert (await create(on, request_text="x" * 2001)).data.endswith("2000 characters")
        data = (await create(on, response_config={"options": []})).data
        assert "response_config.options" in data and "An example for single_select" in data
        assert await on.agent.list_requests(RequestFilter()) == []


async def test_without_a_key_nothing_is_told(place: Place) -> None:
    async with stage(place) as on, http.new_client() as client:
        for path in (routes.REQUESTS, routes.EVENTS, routes.EVENTS_STREAM, routes.REVIEWS, routes.STATUS, routes.LOOPS):
            response = await client.get(on.found.address + path)
            body = response.json()
            assert (response.status_code, body) == (401, {"error": True, "msg": "Missing Authorization header"}), path


async def test_an_id_of_the_wrong_form_is_refused_on_every_route(place: Place) -> None:
    async with stage(place) as on:
        for wrong in ("1", "g" * 24, "0" * 23, "0" * 25, "0" * 24 + "%0A", "%00" * 24, "..%2f" * 5):
            for method, route in (
                ("GET", routes.REQUEST), ("PATCH", routes.REQUEST), ("DELETE", routes.REQUEST),
                ("GET", routes.REQUEST_WAIT), ("POST", routes.REQUEST_DELIVERED), ("GET", routes.REQUEST_EVENTS),
            ):  # fmt: skip
                answer = await on.wire.send(method, route.format(request_id=wrong), {"request_text": "?"})
                assert answer.status in (400, 404), (method, route, wrong)
                assert answer.body["error"] is True


async def test_a_body_that_is_not_what_it_should_be_is_refused(place: Place) -> None:
    async with stage(place) as on:
        path = routes.LOOP_REQUESTS.format(loop_id=on.loop_id)
        whole = json.dumps(QUESTION).encode()
        bodies = [
            b"",
            b"{",
            b"null",
            b"[]",
            b'"text"',
            b"1",
            b"\xff\xfe",
            b'{"a": \xff}',
            b"{}{}",
            whole + b",",
            b"NaN",
        ]
        for content in bodies:
            assert refused(await on.wire.send("POST", path, content=content)), content
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense", ""):
            answer = await on.wire.send("POST", path, content=whole, headers={"Content-Type": kind})
            assert refused(answer) or refused(answer, status=415), kind
        wrong: list[dict[str, Any]] = [
            {"request_text": 1}, {"request_text": None}, {"request_text": ["x"]}, {"response_config": []},
            {"response_config": "x"}, {"context": []}, {"context": "x"}, {"timeout_seconds": "soon"},
            {"timeout_seconds": 59}, {"timeout_seconds": 10**30}, {"timeout_seconds": 1.5}, {"type": "image"},
            {"platform": "fax"}, {"response_type": "essay"}, {"processing_type": "never"}, {"kind": "order"},
            {"kind": "approval"}, {"processing_type": "time-sensitive", "timeout_seconds": 86_401},
            {"platform_version": "x" * 101},
        ]  # fmt: skip
        for fields in wrong:
            assert refused(await create(on, **fields)), fields
        assert await on.agent.list_requests(RequestFilter()) == []


async def test_a_body_of_more_than_a_mebibyte_is_refused_unread(place: Place) -> None:
    async with stage(place) as on:
        path = routes.LOOP_REQUESTS.format(loop_id=on.loop_id)
        fits = json.dumps(QUESTION | {"context": {"fill": ""}}).encode()
        fits = fits.replace(b'"fill": ""', b'"fill": "' + b"x" * (MIB - len(fits)) + b'"')
        assert len(fits) == MIB
        assert (await on.wire.send("POST", path, content=fits)).status == 201
        assert refused(await on.wire.send("POST", path, content=fits + b" "), status=413)

        async def parts() -> AsyncGenerator[bytes]:
            """Sent in chunks, without a length."""
            for start in range(0, len(fits), 65_536):
                yield fits[start : start + 65_536]
            yield b" "

        assert refused(await on.wire.send("POST", path, content=parts()), status=413)
        assert len(await on.agent.list_requests(RequestFilter())) == 1


async def test_deep_json_is_refused(place: Place) -> None:
    async with stage(place) as on:
        request_id = (await create(on)).data["request_id"]
        path = routes.LOOP_REQUESTS.format(loop_id=on.loop_id)
        for depth in (33, 300, 1_000, 100_000):
            deep = "[" * depth + "]" * depth
            for field in ("context", "response_config", "default_response"):
                body = json.dumps(QUESTION | {field: {"a": "DEEP"}}).replace('"DEEP"', deep).encode()
                assert refused(await on.wire.send("POST", path, content=body)), (field, depth)
            body = f'{{"revision": 1, "response_data": {deep}}}'.encode()
            respond = routes.REQUEST_RESPOND.format(request_id=request_id)
            assert refused(await on.wire.send("POST", respond, content=body, key=on.reviewer.session)), depth
        assert (await on.agent.get_request(request_id)).status is Status.PENDING


async def test_unstorable_text_is_refused_in_every_field_of_a_question(place: Place) -> None:
    async with stage(place) as on:
        for bad in (LONE, ZERO, "\udfff", "\x00"):
            option = {"value": "a", "label": "A"}
            for fields in (
                {"request_text": bad}, {"context": {"a": bad}}, {"context": {bad: 1}}, {"context": {"a": [{"b": bad}]}},
                {"platform_version": bad}, {"default_response": bad}, {"response_config": {"options": [bad]}},
                {"response_config": {"options": [option | {"label": bad}]}},
                {"response_config": {"options": [option | {"value": bad}]}},
                {"response_config": {"options": [option | {"description": bad}]}},
                {"response_config": {"options": ["a"], "ignored": bad}}, {"response_config": {bad: 1}},
                {"type": bad}, {"priority": bad}, {"platform": bad}, {"kind": bad}, {"response_type": bad},
                {"timeout_seconds": bad},
                {"response_type": "text", "response_config": {"placeholder": bad}},
                {"response_type": "editable_text", "response_config": {"draft_text": bad}},
                {"response_type": "boolean", "response_config": {"true_label": bad}},
                {"response_type": "rating", "response_config": {"scale_max": 5, "labels": {"1": bad}}},
                {"response_type": "rating", "response_config": {"scale_max": 5, "labels": {bad: "one"}}},
                {"response_type": "number", "response_config": {"max_value": 5, "prefix": bad}},
            ):  # fmt: skip
                assert refused(await create(on, **fields)), fields
        assert await on.agent.list_requests(RequestFilter()) == []


async def test_unstorable_text_is_refused_in_every_other_place(place: Place) -> None:
    async with stage(place) as on:
        body: dict[str, Any] = {"response_type": "text", "response_config": {}}
        request_id = (await create(on, **body)).data["request_id"]
        one, respond = (
            routes.REQUEST.format(request_id=request_id),
            routes.REQUEST_RESPOND.format(request_id=request_id),
        )
        for bad in (LONE, ZERO):
            for fields in ({"request_text": bad}, {"context": {"a": bad}}, {"priority": bad}, {bad: 1}):
                assert refused(await on.wire.send("PATCH", one, fields)), fields
            for fields in ({"response_data": bad}, {"response_data": "x", "comment": bad}, {"response_data": [bad]}):
                answer = await on.wire.send("POST", respond, fields | {"revision": 1}, key=on.reviewer.session)
                assert refused(answer), fields
            answer = await on.wire.send("POST", routes.SESSIONS, {"code": bad}, key=on.found.console())
            assert answer.status in (400, 401)
        assert (await on.agent.get_request(request_id)).status is Status.PENDING


async def test_numbers_beyond_all_bounds_are_refused_or_kept_exactly(place: Place) -> None:
    async with stage(place) as on:
        path = routes.LOOP_REQUESTS.format(loop_id=on.loop_id)
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000):
            for field in ("context", "default_response", "response_config"):
                text = json.dumps(QUESTION | {field: {"a": "NUMBER"}}).replace('"NUMBER"', number)
                assert refused(await on.wire.send("POST", path, content=text.encode())), (field, number)
        for number in (2**53 + 1, 2**63, 10**30, 0.1, -0.0, 1e-300):
            created = await create(on, context={"a": number})
            assert created.status == 201
            assert created.data["request"]["context"]["a"] == number
        for bounds in ({"max_value": 10**400}, {"max_value": 1e16}, {"max_value": "many"}, {"max_value": True}):
            answer = await create(on, response_type="number", response_config=bounds)
            assert refused(answer) or bounds == {"max_value": True}, bounds
        for value in (10**400, -(10**400), True, "5"):
            config = {"response_type": "number", "response_config": {"max_value": 10}}
            assert refused(await create(on, **config, default_response=value)), value


async def test_a_filter_that_means_nothing_is_refused(place: Place) -> None:
    async with stage(place) as on:
        bounds = "limit must be between 1 and 100"
        for query, msg, data in (
            ("status=open", "Invalid status filter value", None),
            ("status=", "Invalid status filter value", None),
            ("limit=0", "Invalid pagination parameters", bounds),
            ("limit=101", "Invalid pagination parameters", bounds),
            ("limit=x", "Invalid pagination parameters", bounds),
            ("limit=1.5", "Invalid pagination parameters", bounds),
            ("offset=-1", "Invalid pagination parameters", None),
            ("offset=99999999999999999999", "Invalid pagination parameters", None),
            ("priority=urgent", "Validation failed", "priority must be one of: low, medium, high, critical"),
            ("sort=random", "Validation failed", None),
            ("sort=created_at_desc;drop", "Validation failed", None),
            ("created_before=yesterday", "Validation failed", None),
            ("loop_id=mine", "Invalid loop ID format", None),
        ):
            answer = await on.wire.send("GET", f"{routes.REQUESTS}?{query}")
            assert (answer.status, answer.msg) == (400, msg), query
            assert data is None or answer.data == data, query
        for query in ("timeout=-1", "timeout=301", "timeout=nan", "timeout=inf", "timeout=soon"):
            path = routes.REQUEST_WAIT.format(request_id="0" * 24)
            assert refused(await on.wire.send("GET", f"{path}?{query}")), query
        for query in ("after=-1", "after=x", "after=" + "9" * 30):
            assert refused(await on.wire.send("GET", f"{routes.EVENTS}?{query}")), query


async def test_an_unknown_address_and_method_leave_in_the_envelope(place: Place) -> None:
    async with stage(place) as on:
        assert refused(await on.wire.send("GET", "/v1/api/nothing"), status=404)
        assert refused(await on.wire.send("PUT", routes.REQUESTS, {}), status=405)
        foreign = await on.wire.send("GET", routes.REQUESTS, headers={"Host": "evil.example"})
        assert refused(foreign, status=421)


async def test_a_terminals_code_opens_one_session_only(place: Place) -> None:
    async with stage(place) as on:
        code = (await ask(on.found.console(), "POST", routes.SIGN_INS, {}))["code"]
        first = await on.wire.send("POST", routes.SESSIONS, {"code": code}, key=on.found.console())
        second = await on.wire.send("POST", routes.SESSIONS, {"code": code}, key=on.found.console())
        assert first.status == 201
        assert refused(second, status=401)
