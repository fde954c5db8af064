"""The API describes itself, and what it says is true."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import httpx2
import jsonschema_rs
import pytest

from hitl_mcp.contract import answers, routes
from hitl_mcp.contract.answers import EXAMPLES, ResponseType
from hitl_mcp.contract.models import NewRequest
from hitl_mcp.sdk import http
from hitl_mcp.service.description.document import operations_of
from hitl_mcp.service.description.examples import BODIES
from hitl_mcp.service.description.table import OPERATIONS, TAGS
from hitl_mcp.service.first_generation.body import FirstRequest
from tests.browser import browser
from tests.service.stage import Stage, stage

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


@pytest.fixture
async def here(folder: Path) -> AsyncGenerator[Stage]:
    """A service in this event loop."""
    async with stage(folder) as known:
        yield known


async def fetch(here: Stage, path: str, **headers: str) -> httpx2.Response:
    """A page, without a credential."""
    async with http.new_client() as client:
        return await client.request("GET", here.found.address + path, headers=headers)


async def document_of(here: Stage) -> Json:
    """The OpenAPI document."""
    return (await fetch(here, "/openapi.json")).json()


def inside(document: Json, schema: Json) -> Json:
    """A schema that finds the document's components."""
    return {**schema, "components": document["components"]}


def contents(document: Json) -> list[tuple[str, Json]]:
    """Every JSON content of every body and reply, named."""
    found: list[tuple[str, Json]] = []
    for (method, path), operation in operations_of(document):
        parts = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for name, part in cast("dict[str, Json]", parts).items():
            content = part.get("content", {}).get("application/json")
            if content is not None:
                found.append((f"{method} {path} {name}", content))
    return found


async def test_every_operation_is_described_and_nothing_else(here: Stage) -> None:
    document = await document_of(here)

    described = {key for key, _ in operations_of(document)}

    assert described == set(OPERATIONS), "add new routes to hitl_mcp/service/description/table.py"
    names = [operation["operationId"] for _, operation in operations_of(document)]
    assert len(set(names)) == len(names)
    assert {tag["name"] for tag in document["tags"]} == set(TAGS)


async def test_the_document_is_openapi_3_1_with_this_address_and_three_credentials(here: Stage) -> None:
    document = await document_of(here)

    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": here.services.keys.public_address}]
    assert set(document["components"]["securitySchemes"]) == {"API-key", "Session", "Console"}
    for kind in ("schemas", "headers", "securitySchemes"):
        for name in document["components"][kind]:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name


async def test_every_schema_is_sound_and_every_reference_leads_somewhere(here: Stage) -> None:
    document = await document_of(here)

    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    for reference in re.findall(r'"\$ref": "#/components/(\w+)/([^"]+)"', json.dumps(document)):
        assert reference[1] in document["components"][reference[0]], reference


async def test_every_example_fits_its_schema_and_every_content_has_one(here: Stage) -> None:
    document = await document_of(here)

    for where, content in contents(document):
        named = cast("dict[str, Json]", content.get("examples", {}))
        examples = [content["example"]] if "example" in content else [one["value"] for one in named.values()]
        assert examples, where
        validator = jsonschema_rs.Draft202012Validator(inside(document, content["schema"]))
        for example in examples:
            fault = next(iter(validator.iter_errors(example)), None)
            assert fault is None, f"{where}: {fault}"


async def test_words_are_for_callers(here: Stage) -> None:
    document = await document_of(here)

    assert not re.findall(
        r"[^\"]{0,40}\([DH]\d+[^\"]{0,20}|[^\"]{0,40}(?:contract|compatibility) section", json.dumps(document)
    )
    for _, operation in operations_of(document):
        assert operation["summary"] and operation["description"]
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (operation["operationId"], parameter["name"])


async def test_the_example_of_a_closed_request_is_closed(here: Stage) -> None:
    document = await document_of(here)

    waited = document["paths"][routes.REQUEST_WAIT]["get"]["responses"]["200"]["content"]["application/json"]["example"]

    assert waited["data"]["request"]["decision"] == "approved"
    assert waited["data"]["request"]["response_by_user"]["name"] == "Grace"
    assert waited["data"]["status"] == "completed"


async def test_a_reply_of_no_operation_is_left_open(here: Stage) -> None:
    document = await document_of(here)

    for where, content in contents(document):
        schema = content["schema"]
        assert schema.get("$ref") or schema.get("anyOf"), where
        name = str(schema.get("$ref", "")).rsplit("/", 1)[-1]
        if name.startswith("Envelope_"):
            assert set(document["components"]["schemas"][name]["required"]) >= {"error", "msg", "data"}


async def test_refusals_are_the_ones_that_happen(here: Stage) -> None:
    document = await document_of(here)

    for (method, path), operation in operations_of(document):
        statuses = set(operation["responses"])
        assert "422" not in statuses, path
        assert ("401" in statuses) >= bool(operation["security"]), path
        assert ("413" in statuses) == ("requestBody" in operation), path
        assert ("429" in statuses) == (operation["security"] == [{"API-key": []}]), path
        assert "500" in statuses, (method, path)


def test_there_is_a_request_example_for_every_response_type_and_both_generations() -> None:
    examples = BODIES["create_request"]

    assert set(EXAMPLES) == set(ResponseType)
    for kind in ResponseType:
        body = NewRequest.model_validate(examples[kind.value]["value"])
        config = answers.read_config(body.response_type, body.response_config)
        answers.check_answer(config, body.default_response)
    FirstRequest.model_validate(examples["first_generation"]["value"])


async def test_the_service_takes_every_example_of_a_question(here: Stage) -> None:
    for name, example in BODIES["create_request"].items():
        answer = await here.wire.send("POST", f"/v1/api/loops/{here.loop_id}/requests", example["value"])

        assert answer.status == 201, (name, answer)


async def test_the_pages_come_from_here_under_a_strict_policy(here: Stage) -> None:
    page = await fetch(here, "/docs")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert address.startswith(("/", "data:")), address
        if address.startswith("/"):
            assert (await fetch(here, address)).status_code == 200, address
    assert "<script>" not in page.text and " style=" not in page.text


async def test_an_unknown_page_is_refused_in_the_envelope(here: Stage) -> None:
    for path in ("/docs/nothing", "/docs/..%2f..%2fpyproject.toml", "/docs/redoc.standalone.js"):
        answer = await fetch(here, path)
        assert answer.status_code == 404, path
        assert answer.json()["error"] is True


async def test_a_page_that_the_browser_has_is_not_sent_again(here: Stage) -> None:
    first = await fetch(here, "/openapi.json")

    again = await fetch(here, "/openapi.json", **{"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


async def test_llms_txt_names_every_operation_and_how_to_begin(here: Stage) -> None:
    document = await document_of(here)

    page = await fetch(here, "/llms.txt")

    assert page.headers["content-type"].startswith("text/plain")
    assert page.text.startswith("# hitl-mcp\n\n> ")
    for (method, path), operation in operations_of(document):
        assert f"- `{method.upper()} {path}`: {operation['summary']}\n" in page.text
    address = here.services.keys.public_address
    for needed in (f"{address}/openapi.json", f"{address}/docs", f"{address}/mcp", "Authorization: Bearer"):
        assert needed in page.text
    assert page.text.count("curl -sS") == 3


async def test_the_examples_of_llms_txt_work_as_they_are_written(here: Stage) -> None:
    text = (await fetch(here, "/llms.txt")).text
    body = re.search(r"-d '(.+)'", text)
    assert body is not None

    asked = await here.wire.send("POST", f"/v1/api/loops/{here.loop_id}/requests", json.loads(body[1]))
    waited = await here.wire.send("GET", f"/v1/api/requests/{asked.data['request_id']}/wait?timeout=0")
    await here.reviewer.answer(asked.data["request_id"], "approve")
    read = await here.wire.send("GET", f"/v1/api/requests/{asked.data['request_id']}")

    assert (asked.status, waited.status, waited.data["pending"]) == (201, 408, True)
    assert read.data["request"]["decision"] == "approved"


async def test_a_browser_shows_the_reference_and_calls_the_service_from_it(here: Stage) -> None:
    said: list[str] = []
    asked: list[str] = []
    async with browser() as known:
        page = await known.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{here.found.address}/docs")
        await page.locator(".opblock").first.wait_for()
        assert await page.locator(".opblock").count() == len(OPERATIONS)

        await page.locator("#operations-operating-health .opblock-summary-control").click()
        await page.locator("#operations-operating-health .try-out__btn").click()
        await page.locator("#operations-operating-health .execute").click()
        shown = page.locator("#operations-operating-health .live-responses-table .highlight-code").first
        await shown.wait_for()
        answer = await shown.inner_text()

    assert '"alive"' in answer
    assert said == []
    assert all(url.startswith((here.found.address, "data:")) for url in asked), asked
