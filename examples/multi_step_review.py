"""Two reviews, one after the other: the second opens only after the first was approved.

Run it: `python -m examples.multi_step_review`
"""

from __future__ import annotations

import asyncio
from typing import Any

from hitl_mcp import AsyncHITLClient

STEPS = ("Editor", "Legal")


def fields_of(step: str) -> list[dict[str, Any]]:
    """What each step asks."""
    return [
        {"name": "text", "type": "rich_text", "label": "Text", "required": True},
        {"name": "approved", "type": "boolean", "label": f"{step}: approved?", "required": True},
    ]


async def through_every_step(client: AsyncHITLClient, text: str) -> tuple[str, str | None]:
    """The text as it was left, and the step that did not approve it, if any. Each step sees the former one's edits."""
    for step in STEPS:
        template = await client.create_template(name=f"{step} Review", fields=fields_of(step))
        review = await client.create_review(template.id, {"text": text, "step": step})
        done = await client.wait_for_review(review.id)
        if not done.approved:
            return text, step
        text = done.result["text"]
    return text, None


async def main() -> None:
    """Ask, and say what came of it."""
    async with AsyncHITLClient() as client:
        text, stopped = await through_every_step(client, "Our terms have changed.")
    print(f"Approved by all: {text}" if stopped is None else f"Stopped by: {stopped}")


if __name__ == "__main__":
    asyncio.run(main())
