"""What an agent pays for the tools in every conversation: tokens of `tools/list`, as it is sent.

Counted over the JSON of the result with `gpt-tokenizer` (o200k_base), in both eras; the tools are the same in both.
Hosts send a model less than this: most leave out output schemas and annotations.

Target: at most 2,500 tokens for the result.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import parts
from benchmarks.cold_start import FIRST
from tests import node

TARGET = 2_500
TOKENIZER = Path(__file__).parent / "tokenizer"
COUNT_SECONDS = 60
_INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def listed(folder: Path, era: str) -> dict[str, Any]:
    """The result of `tools/list`.

    Args:
        folder: for the server's data; nothing is put there.
        era: its first message, see `cold_start.FIRST`.
    """
    params = FIRST[era]
    messages: list[dict[str, Any]] = [{"jsonrpc": "2.0", "id": 1, "method": era, "params": params}]
    if era == "initialize":
        messages += [_INITIALIZED, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]
    else:
        messages.append({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": params})
    with parts.process(["-m", "hitl_mcp"], cwd=folder, env=parts.our_environment(folder / "data")) as child:
        for message in messages:
            parts.write(child, json.dumps(message).encode() + b"\n")
        while (answer := json.loads(parts.read_line(child))).get("id") != 2:
            pass
    return answer["result"]


def count(texts: dict[str, str]) -> dict[str, int]:
    """Tokens of each text. Raises: CannotInstall where the tokenizer cannot be had."""
    packages = node.npm_packages(TOKENIZER)
    done = subprocess.run(
        [node.node(), str(TOKENIZER / "count.mjs"), str(packages / "package.json")],
        input=json.dumps(texts).encode(), capture_output=True, check=True, timeout=COUNT_SECONDS,
    )  # fmt: skip
    return json.loads(done.stdout)


def compact(value: Any) -> str:
    """JSON as the server writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def run(*, quick: bool) -> None:
    """Count and print; there is nothing to leave out when it must be quick."""
    del quick
    parts.heading("tools_tokens: what the tools cost in every conversation")
    with parts.temporary_folder() as here:
        results = {era: listed(here, era) for era in FIRST}
    tools = results["initialize"]["tools"]
    texts = {f"tools/list after {era}": compact(result) for era, result in results.items()}
    rows: list[list[str]] = []
    kinds = ("description", "inputSchema", "outputSchema")
    for tool in tools:
        texts |= {f"{tool['name']} {kind}": compact(tool[kind]) for kind in kinds} | {tool["name"]: compact(tool)}
    tokens = count(texts)
    for tool in tools:
        name = tool["name"]
        rows.append([name, str(tokens[name]), *(str(tokens[f"{name} {kind}"]) for kind in kinds), ""])
    for era in FIRST:
        rows.append([f"tools/list after {era}", str(tokens[f"tools/list after {era}"]), "", "", "", f"<= {TARGET}"])
    parts.table(["", "tokens", *kinds, "target"], rows)


if __name__ == "__main__":
    run(quick=parts.is_quick(__doc__))
