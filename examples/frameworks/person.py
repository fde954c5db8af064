"""One question to a person: may this tool be called with these very arguments?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hitl_mcp import AsyncHITLClient


@dataclass(frozen=True)
class Verdict:
    """What the person said. `words` is for the model."""

    approved: bool
    words: str


async def asked(tool: str, arguments: Mapping[str, Any], call_id: str) -> Verdict:
    """Ask, and wait until a person has decided. Only an approval in time is one.

    Args:
        call_id: of the model's tool call; asking again with it after a crash finds the same question.
    """
    async with AsyncHITLClient() as hitl:
        loop = (await hitl.list_loops())[0]
        shown = json.dumps(dict(arguments), indent=2, ensure_ascii=False)
        question = await hitl.request_approval(
            loop.id,
            f"May the agent call `{tool}`?\n\n```json\n{shown}\n```",
            context={"tool": tool, "arguments": dict(arguments)},
            idempotency_key=call_id,
        )
        decided = await hitl.wait_for_decision(question)
    if decided.decision == "approved":
        return Verdict(True, "A person approved this call.")
    said = f": {decided.response_comment}" if decided.response_comment else ""
    return Verdict(False, f"Not approved ({decided.decision or decided.status.value}){said}. Do not try it again.")
