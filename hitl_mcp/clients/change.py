"""What would change in a client's file, and how that is shown without showing secrets."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, cast

from hitl_mcp.clients import jsonc, toml
from hitl_mcp.clients.client import Client
from hitl_mcp.clients.unsafe import Unsafe
from hitl_mcp.clients.wanted import OPEN, SERVER_NAME, Wanted, joined
from hitl_mcp.errors import NotConfigured

HIDDEN = "(hidden)"
_CARRY_SECRETS = ("env", "headers", "http_headers")


def changed(client: Client, text: str, wanted: Wanted) -> str:
    """The client's file with our entry in it, everything else kept as it is.

    Raises: NotConfigured when the file is broken or the client cannot be told this way; Unsafe, with the reason, when
        the file cannot be changed without risk.
    """
    before = _read(client, text)
    servers = _mapping(client, before.get(client.table, {}))
    ours = _mapping(client, servers.get(SERVER_NAME, {}))
    entry = joined(ours, client.block(wanted))
    known: Any = before.get("inputs", [])
    asked = [item for item in client.inputs(wanted) if item not in known]
    if entry == ours and not asked:
        return text
    expected = {**before, client.table: {**servers, SERVER_NAME: entry}}
    if asked:
        expected["inputs"] = [*known, *asked]
    after = toml.with_entry(text, client.table, SERVER_NAME, entry) if client.syntax == "toml" else text
    if client.syntax != "toml":
        if entry != ours:
            after = jsonc.with_value(text, [client.table, SERVER_NAME], entry)
        for item in asked:
            after = jsonc.with_item(after, "inputs", item)
    try:
        right = _read(client, after) == expected
    except NotConfigured:
        right = False
    if not right:
        raise Unsafe("Its shape is unusual.")
    return after


def block(client: Client, wanted: Wanted) -> str:
    """A whole file with nothing but our entry, secrets hidden. Raises: NotConfigured."""
    text = changed(client, "", wanted)
    return without_secrets(client, text, text)


def difference(client: Client, before: str, after: str) -> str:
    """The change as a unified diff. Values of settings and headers are hidden, except of ours that are open."""
    now, then = (without_secrets(client, text, before, after).splitlines() for text in (before, after))
    if now == then:
        return "Only hidden values change."
    return "\n".join(difflib.unified_diff(now, then, "now", "then", lineterm=""))


def without_secrets(client: Client, text: str, *sources: str) -> str:
    """The text with every value hidden that is a secret in one of the sources, however it is quoted."""
    values = {value for source in sources for value in _secrets(_read(client, source), ())}
    for value in sorted(values, key=len, reverse=True):
        for escaped in {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], value}:
            for mark in ('"', "'"):
                text = text.replace(f"{mark}{escaped}{mark}", f"{mark}{HIDDEN}{mark}")
    return text


def _secrets(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from _secrets(inner, (*path, key))
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _secrets(inner, path)
    elif isinstance(value, str) and value and any(name in _CARRY_SECRETS for name in path):  # noqa: SIM102
        if path[-1] not in OPEN and not _names_a_variable(value):
            yield value


def _names_a_variable(value: str) -> bool:
    return value.removeprefix("Bearer ").startswith("$")


def _read(client: Client, text: str) -> dict[str, Any]:
    try:
        if client.syntax == "toml":
            return toml.parsed(text)
        read: Any = jsonc.parsed(text) if client.syntax == "jsonc" or not text.strip() else json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if client.syntax == "toml" else "JSON"
        raise NotConfigured(
            f"The configuration file is not valid {kind} ({error}). Nothing was changed. Correct it, "
            "then run this again."
        ) from None
    return _mapping(client, read)


def _mapping(client: Client, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotConfigured(f"The file has another shape than {client.title} reads. Nothing was changed.")
    return cast("dict[str, Any]", value)
