"""The typed union of response configurations, as the model sees it in a tool's input schema.

Made from the contract's own models, so it cannot say something else than the check; shortened, because every agent pays
for it in every conversation.
"""

from __future__ import annotations

from typing import Any, cast

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


def _short(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_short(item, definitions) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("dict[str, Any]", schema)
    if "$ref" in given:
        target = definitions[str(given["$ref"]).rsplit("/", 1)[-1]]
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
