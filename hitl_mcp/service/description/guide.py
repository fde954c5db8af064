"""`llms.txt`: the service in a page for language models, written from the document so that it cannot go stale."""

from __future__ import annotations

import json
from typing import Any, cast

from hitl_mcp.service.description.document import CREATE, GET, SUMMARY, WAIT, Json, credential_of, operations_of
from hitl_mcp.service.description.examples import LOOP_ID, REQUEST_ID


def write(document: Json) -> str:
    """The text. Addresses are those of the document."""
    address = str(document["servers"][0]["url"])
    ask = json.dumps(_body(document, CREATE, "approval"))
    return f"""\
# hitl-mcp

> {SUMMARY}

An agent that needs a person's approval, choice, number or text asks here, and waits. Only a person can answer.

- [OpenAPI document]({address}/openapi.json): every operation, model, example and error
- [Browsable reference]({address}/docs): the same for people

## How to authenticate

Send `Authorization: Bearer <API key>`. A person makes the key at the service's terminal with
`hitl-mcp keys create NAME`; no operation for agents makes one. `GET /v1/test` says what a key may do.

## MCP

A service started with `hitl-mcp serve` speaks MCP, with the same key as bearer token:

- `{address}/mcp` (streamable HTTP)
- `{address}/sse` (the older HTTP+SSE)

On one machine the MCP server is the command `hitl-mcp-server` (stdio). Use MCP rather than HTTP where you can: its
tools wait and try again for you.

## Ask, wait, read

Ask; a key of your own in `Idempotency-Key` makes it safe to send again:

```sh
curl -sS -X POST {address}{_path(CREATE[1])} \\
  -H "Authorization: Bearer $HITL_API_KEY" -H "Content-Type: application/json" -H "Idempotency-Key: users-214" \\
  -d '{ask}'
```

Wait with the `data.request_id` of the reply; 408 means that nobody has answered yet, so call again:

```sh
curl -sS "{address}{_path(WAIT[1])}?timeout=60" -H "Authorization: Bearer $HITL_API_KEY"
```

Read it at any time:

```sh
curl -sS {address}{_path(GET[1])} -H "Authorization: Bearer $HITL_API_KEY"
```

An approval is given only when `data.request.status` is `completed` and `data.request.decision` is `approved`. `timeout`
and `cancelled` mean that nobody approved; `default_response` is no decision of a person.

## Replies

`{{"error": false, "msg": "...", "data": {{...}}}}`. A refusal has `error: true`, and `msg` and `data` say
what to put right:
{_statuses(document)}

## Operations for API keys

{_operations(document, "API-key")}

## Operations without a credential

{_operations(document, None)}

## Operations that an API key cannot use

A signed-in person's:

{_operations(document, "Session")}

The machine's own terminal's:

{_operations(document, "Console")}
"""


def _path(path: str) -> str:
    return path.format(loop_id=LOOP_ID, request_id=REQUEST_ID)


def _body(document: Json, key: tuple[str, str], example: str) -> Any:
    operation = document["paths"][key[1]][key[0]]
    return operation["requestBody"]["content"]["application/json"]["examples"][example]["value"]


def _statuses(document: Json) -> str:
    refusals = {
        status: answer["description"]
        for _, operation in operations_of(document)
        for status, answer in cast("dict[str, Json]", operation["responses"]).items()
        if status[0] in "45" and status != "408"
    }
    return "\n" + "\n".join(f"- {status}: {words}" for status, words in sorted(refusals.items()))


def _operations(document: Json, credential: str | None) -> str:
    lines = [
        f"- `{method.upper()} {path}`: {operation['summary']}"
        for (method, path), operation in operations_of(document)
        if credential_of(operation) == credential
    ]
    return "\n".join(lines)
