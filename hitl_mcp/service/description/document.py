"""Completes the framework's OpenAPI document: replies, refusals, headers, examples, tags and the address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from hitl_mcp import __version__
from hitl_mcp.contract import routes
from hitl_mcp.contract.answers import CONFIGS, FormConfig, ResponseType
from hitl_mcp.service.description.examples import BODIES, FIELDS, sample
from hitl_mcp.service.description.table import OPERATIONS, PARAMETERS, TAGS, Operation, Reply

Json = dict[str, Any]
Key = tuple[str, str]

_CONFIGS: dict[ResponseType, type[BaseModel]] = {**CONFIGS, ResponseType.FORM: FormConfig}

SUMMARY = "Human in the loop: an agent asks, a person decides, the agent gets exactly that decision."
_ABOUT = """\
An agent asks a person and gets the answer. `POST /v1/api/loops/{loop_id}/requests` asks,
`GET /v1/api/requests/{request_id}/wait` waits, and an approval is given when `data.request.decision` is `approved`:
nothing else is an approval, no answer in time is none.

* Every reply is `{"error": false, "msg": "...", "data": {...}}`. A refusal has `error: true`, says what is wrong in
  `msg`, and often more in `data`, which is a text, an object, or absent.
* A body is JSON of at most 1048576 bytes, sent with `Content-Type: application/json`. Ids have 24 characters 0-9, a-f.
* `/v1/loops/...`, `/v1/requests/...`, `/loops/...` and `/requests/{id}/response|status` are older addresses of the same
  operations.
* Credentials never stand in for each other: an **API key** asks, a person's **session** answers, the **console** of the
  machine manages. With another kind of credential an operation answers 403.
* An address answers only under the service's own names; under another host name it answers 421.
* `X-RateLimit-*` are on every reply. Without a limit they say 1000000.
"""
_HEADERS: Json = {
    "X-RateLimit-Limit": ("integer", "Calls that a key has within the hour; 1000000 when there is no limit"),
    "X-RateLimit-Remaining": ("integer", "Calls that are left"),
    "X-RateLimit-Reset": ("integer", "When the hour ends, in seconds since 1970"),
    "Retry-After": ("number", "Seconds after which the same call may succeed"),
    "Retry-After-If-Known": ("number", "The same, where it is known"),
    "WWW-Authenticate": ("string", "Always `Bearer`"),
}
_RATES = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

# what a status means, an example of its words, and the data beside them
_REFUSALS: dict[int, tuple[str, str, Any]] = {
    400: ("What was sent cannot be accepted as it is", "Validation failed", "limit must be between 1 and 100"),
    401: ("No credential, or one that is not known", "Invalid API key", None),
    403: ("A known credential that may not do this", "This API key lacks the scope requests:write", None),
    404: ("There is no such thing, or not for this credential", "Request not found", None),
    409: ("Somebody was first, or the state does not allow it", "It is not claimed by you", None),
    413: ("The body is too large", "The body is larger than 1048576 bytes", None),
    429: (
        "The key's calls of this hour are used up",
        "Rate limit exceeded. Maximum 100 requests per hour per API key.",
        {"usage_count": 100, "usage_limit": 100, "remaining": 0, "reset_at": "2026-03-02T10:00:00Z",
         "retry_after": 1800},
    ),
    500: ("A fault of the service", "Internal server error", None),
    503: ("The service cannot do it right now; nothing was decided", "Too much is being written at once",
          {"retry_after": 1}),
}  # fmt: skip


class _Sent(GenerateJsonSchema):
    """Schemas of what is sent: every field is there, also one that has a default."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Always."""
        return True


def operations_of(document: Json) -> Iterator[tuple[Key, Json]]:
    """Each operation of a document with its method and path."""
    for path, item in cast("dict[str, dict[str, Json]]", document["paths"]).items():
        for method, operation in item.items():
            yield (method, path), operation


def complete(raw: Json, address: str) -> Json:
    """The whole document.

    Args:
        raw: what the framework says about the routes.
        address: where this service is reached.
    """
    components = raw["components"]
    schemas: dict[str, Json] = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _reply_schemas()
    components["headers"] = {
        name: {"description": words, "required": not name.endswith("-If-Known"), "schema": {"type": kind}}
        for name, (kind, words) in _HEADERS.items()
    }
    components["securitySchemes"] = {_plain(name): scheme for name, scheme in components["securitySchemes"].items()}
    for key, operation in operations_of(raw):
        _complete_operation(OPERATIONS.get(key), operation, schemas)
    _type_the_configuration(schemas)
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = _without_marks(schema["description"])
    info = {
        "title": "hitl-mcp",
        "version": __version__,
        "summary": SUMMARY,
        "description": _ABOUT,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    used = {tag for _, operation in operations_of(raw) for tag in operation["tags"]}
    tags = [{"name": name, "description": words} for name, words in TAGS.items() if name in used]
    return {**raw, "info": info, "servers": [{"url": address}], "tags": tags}


def _plain(name: str) -> str:
    """A component's name: the specification allows no spaces."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def _reply_schemas() -> dict[str, Json]:
    models = {reply.data for operation in OPERATIONS.values() for reply in operation.replies.values()}
    models |= {
        reply.beside for operation in OPERATIONS.values() for reply in operation.replies.values() if reply.beside
    }
    ordered = sorted(models, key=lambda model: model.__name__)
    wanted = [(model, "serialization") for model in ordered]
    _, made = models_json_schema(
        cast("Any", wanted), ref_template="#/components/schemas/{model}", schema_generator=_Sent
    )
    found: dict[str, Json] = made["$defs"]
    found["Refusal"] = {
        "type": "object",
        "title": "Refusal",
        "description": "An answer that says no.",
        "required": ["error", "msg"],
        "properties": {
            "error": {"const": True},
            "msg": {"type": "string"},
            "data": {"type": ["string", "object"], "description": "What to put right, where there is more to say"},
        },
    }
    configs = models_json_schema(
        cast("Any", [(model, "validation") for model in _CONFIGS.values()]),
        ref_template="#/components/schemas/{model}",
    )[1]["$defs"]
    return found | configs


def _type_the_configuration(schemas: dict[str, Json]) -> None:
    """Tell what `response_config` holds for each response type."""
    words = "What belongs to `response_type`: " + ", ".join(
        f"{kind.value} takes {model.__name__}" for kind, model in _CONFIGS.items()
    )
    branches = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in _CONFIGS.values()]
    schemas["NewRequest"]["properties"]["response_config"] |= {"anyOf": branches, "description": words}


def _complete_operation(known: Operation | None, operation: Json, schemas: dict[str, Json]) -> None:
    operation["security"] = [
        {_plain(name): scopes for name, scopes in need.items()} for need in operation.get("security", [])
    ]
    operation["description"] = _without_marks(operation.get("description", ""))
    if known is None:  # a route that nobody described yet; a test names it
        operation["responses"].pop("422", None)
        return
    operation |= {"operationId": known.name, "summary": known.summary}
    for parameter in cast("list[Json]", operation.get("parameters", ())):
        _drop_null(parameter)
        if parameter["name"] in PARAMETERS:
            parameter.setdefault("description", PARAMETERS[parameter["name"]])
    _complete_body(known, operation)
    responses: Json = {str(status): _success(known, reply, schemas) for status, reply in known.replies.items()}
    for status in sorted(_statuses(known, operation)):
        responses[str(status)] = _refusal(status, known.refusals.get(status))
    operation["responses"] = responses


def _without_marks(text: str) -> str:
    """Words for callers: without references to our design's rules and the contract's sections."""
    return re.sub(r" \((?:(?:[DH]\d+|(?:contract|compatibility) sections? [\d. to]+)(?:, )?)+\)", "", text)


def _drop_null(parameter: Json) -> None:
    """A parameter is left out or has a value; nothing on the wire is null there."""
    schema = parameter["schema"]
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        del schema["anyOf"]
        schema |= branches[0]


def _complete_body(known: Operation, operation: Json) -> None:
    if "requestBody" not in operation:
        return
    content = operation["requestBody"]["content"]["application/json"]
    schema = content["schema"]
    if "oneOf" in schema:  # a body may have the marks of both generations
        schema["anyOf"] = schema.pop("oneOf")
    content["examples"] = BODIES.get(known.name, {})


def _statuses(known: Operation, operation: Json) -> set[int]:
    found = {500, *known.refusals}
    credential = credential_of(operation)
    if "requestBody" in operation:
        found |= {400, 413}
    if operation.get("parameters"):
        found.add(400)
    if credential is not None:
        found |= {401, 403, 503}
    if credential == "API-key":
        found.add(429)
    if known.name in ("ready", "qr_code", "create_session"):
        found.add(503)
    return found


def _success(known: Operation, reply: Reply, schemas: dict[str, Json]) -> Json:
    answer: Json = {"description": reply.says, "headers": _headers(*_RATES)}
    if known.media_type is not None:
        kind = {"type": "string"} if known.media_type.startswith("text/") else {}
        return answer | {"content": {known.media_type: {"schema": kind}}}
    name = "_".join(["Envelope", reply.data.__name__, *([reply.beside.__name__] if reply.beside else [])])
    if reply.beside and not reply.always_beside:
        name = f"Envelope_{reply.data.__name__}"
    schemas[name] = _envelope(name, reply, schemas)
    content: Json = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    content["example"] = sample(_example_schema(schemas[name], reply), schemas, FIELDS | reply.fields)
    return answer | {"content": {"application/json": content}}


def _envelope(name: str, reply: Reply, schemas: dict[str, Json]) -> Json:
    made: Json = {
        "type": "object",
        "title": name,
        "required": ["error", "msg", "data"],
        "properties": {
            "error": {"const": False},
            "msg": {"type": "string"},
            "data": {"$ref": f"#/components/schemas/{reply.data.__name__}"},
        },
    }
    if reply.beside is not None:
        made["properties"] |= schemas[reply.beside.__name__]["properties"]
        if reply.always_beside:
            made["required"] += schemas[reply.beside.__name__]["required"]
        else:
            made["description"] = "The fields beside `data` are there for bodies of the first generation."
    return made


def _example_schema(schema: Json, reply: Reply) -> Json:
    kept = {name: value for name, value in schema["properties"].items() if name in schema["required"]}
    said = {"const": reply.says}
    return {**schema, "properties": {**kept, "msg": said}}


def _refusal(status: int, words: str | None) -> Json:
    says, usual, data = _REFUSALS[status]
    example: Json = {"error": True, "msg": words or usual}
    if data is not None and words is None:
        example["data"] = data
    more = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After-If-Known",)}.get(status, ())
    headers = {} if status == 413 else _headers(*_RATES, *more)  # the outermost layer may answer 413, without them
    content = {"schema": {"$ref": "#/components/schemas/Refusal"}, "example": example}
    return {"description": says, "headers": headers, "content": {"application/json": content}}


def _headers(*names: str) -> Json:
    return {name.removesuffix("-If-Known"): {"$ref": f"#/components/headers/{name}"} for name in names}


def credential_of(operation: Json) -> str | None:
    """The security scheme of an operation."""
    return next((name for need in cast("list[Json]", operation["security"]) for name in need), None)


CREATE, GET, WAIT = ("post", routes.LOOP_REQUESTS), ("get", routes.REQUEST), ("get", routes.REQUEST_WAIT)
"""The three operations that an agent needs."""
