"""What a model is shown of a tool's input and result.

Made from the models that check them, so it cannot say something else than the check; shortened, because every agent
pays for it in every conversation. A shortened schema allows what the full one allows, and more: the check decides.
"""

from __future__ import annotations

from typing import Any, cast

from mcp.types import Tool

from hitl_mcp.contract.answers import CONFIGS

_KEPT = {"type", "properties", "required", "items", "anyOf", "minItems", "maxItems", "enum", "additionalProperties"}
_LEFT_OUT = {
    "color",
    "description",
    "required",
    "true_color",
    "false_color",
    "prefix",
    "suffix",
    "labels",
    "placeholder",
}
"""Properties that are accepted and seldom needed."""
_SPARED = ("title", "anyOf", "$ref", "additionalProperties")


def response_config_schema() -> dict[str, Any]:
    """One alternative per response type, titled with its name."""
    alternatives: list[dict[str, Any]] = []
    for kind, model in CONFIGS.items():
        schema = model.model_json_schema(by_alias=False)
        definitions = schema.get("$defs", {})
        if "Option" in definitions:
            option = _short(definitions["Option"], definitions)
            definitions = {"Option": {"anyOf": [{"type": "string"}, option | {"required": ["value"]}]}}
        alternatives.append({"title": kind.value, **_short(schema, definitions)})
    return {"anyOf": alternatives}


def published(tool: Tool) -> Tool:
    """The tool as it is listed."""
    given = tool.output_schema
    return tool.model_copy(
        update={
            "input_schema": _brief_input(tool.input_schema),
            "output_schema": given and _brief_result(given, given.get("$defs", {})),
        }
    )


def _brief_input(schema: dict[str, Any]) -> dict[str, Any]:
    """The arguments, without what a model does not need to call the tool: titles, and that null is no value."""
    definitions = schema.get("$defs", {})
    properties = {name: _brief(name, inner, definitions) for name, inner in schema.get("properties", {}).items()}
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"type": "object", "properties": properties, **required}


def _brief(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if name == "response_config":
        return _merged(schema)
    brief = {key: value for key, value in schema.items() if key not in _SPARED}
    for alternative in [schema, *schema.get("anyOf", ())]:
        if "$ref" in alternative:
            alternative = _bare(_target(alternative, definitions))
        if alternative != {"type": "null"}:
            brief = {key: value for key, value in alternative.items() if key not in _SPARED} | brief
    if brief.get("default", 0) in ("", None):
        del brief["default"]
    return brief


def _merged(union: dict[str, Any]) -> dict[str, Any]:
    """The settings of all response types in one object; the tool's description says which belong to which."""
    properties: dict[str, Any] = {}
    for alternative in union["anyOf"]:
        properties |= {name: _plain(inner) for name, inner in alternative.get("properties", {}).items()}
    return {"type": "object", "properties": properties}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {}} if schema.get("type") == "array" else schema


def _brief_result(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """What every result has, and the answer."""
    if "$ref" in schema:
        return _brief_result(_bare(_target(schema, definitions)), definitions)
    if "items" in schema:
        return {"type": "array", "items": _brief_result(schema["items"], definitions)}
    if "properties" not in schema:
        return {key: value for key, value in schema.items() if key in ("type", "enum", "description")}
    always = schema.get("required", [])
    properties = {
        name: _brief_result(inner, definitions)
        for name, inner in schema["properties"].items()
        if name in always or name == "answer"
    }
    return {"type": "object", "properties": properties, "required": always}


def _target(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the description of a type, which is for who reads its code."""
    return {key: value for key, value in schema.items() if key != "description"}


def _short(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_short(item, definitions) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("dict[str, Any]", schema)
    if "$ref" in given:
        target = _target(given, definitions)
        return target if "anyOf" in target else _short(target, definitions)
    short: dict[str, Any] = {}
    for name, value in given.items():
        if name == "properties":
            kept = {key: inner for key, inner in value.items() if key not in _LEFT_OUT}
            short[name] = {key: _short(inner, definitions) for key, inner in kept.items()}
        elif name == "anyOf":
            some = [item for item in value if item != {"type": "null"}]
            short |= _short(some[0], definitions) if len(some) == 1 else {name: _short(some, definitions)}
        elif name in _KEPT:
            short[name] = _short(value, definitions)
    return short
