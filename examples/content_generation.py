"""A model drafts, a person corrects and approves, and only then it is published.

Run it: `python -m examples.content_generation "a summer sale"`
"""

from __future__ import annotations

import sys
from typing import Any

from hitl_mcp import HITLClient

FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "rich_text", "label": "Text", "required": True},
    {"name": "approved", "type": "boolean", "label": "Publish it?", "required": True},
    {"name": "feedback", "type": "text", "label": "What should be better?"},
]


def draft(subject: str, feedback: str | None) -> str:
    """The model, which is a stub here. A second draft takes the reviewer's words into account."""
    return f"Everything about {subject}." if feedback is None else f"Everything about {subject}. ({feedback})"


def reviewed(client: HITLClient, subject: str, drafts: int = 3) -> str | None:
    """The text that a person approved, as they left it; None when no draft was.

    Args:
        drafts: how often the model may try.
    """
    template = client.create_template(name="Content Review", fields=FIELDS)
    feedback: str | None = None
    for _ in range(drafts):
        review = client.create_review(template.id, {"text": draft(subject, feedback), "subject": subject})
        done = client.wait_for_review(review.id)
        if done.approved:
            return done.result["text"]
        feedback = done.result["feedback"]
        if feedback is None:
            return None  # nobody answered, or nobody said what should change
    return None


if __name__ == "__main__":
    with HITLClient() as shared:
        text = reviewed(shared, sys.argv[1] if len(sys.argv) > 1 else "hitl_mcp")
    print("Not published." if text is None else f"Published: {text}")
