"""Prompts that teach when a person is asked, and how a good question looks.

Plain data, because a stdio server must start fast; the SDK would build a model for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mcp import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from hitl_mcp.tools import wording

LOOP = "loop"
REQUEST_ID = "request_id"


class _Lesson(NamedTuple):
    title: str
    description: str
    required: dict[str, str]
    optional: dict[str, str]
    words: str


_LESSONS: dict[str, _Lesson] = {
    "approve_critical_action": _Lesson(
        "Approve a critical action",
        "Have a person approve one risky, costly or irreversible action before it is done.",
        {"action": "What shall be done, concretely"},
        {"reason": "Why it is needed", LOOP: wording.LOOP},
        "Do not do the action below yet. First work out its exact effect: the target, the command or text, what cannot "
        "be undone, and how to go back. Then call request_human_approval with the action in one concrete sentence, the "
        "reason, the exact command, diff or text as details, and the facts that decide (environment, cost, who is "
        "affected) as context. Do it only when the result says approved=true, exactly as it was asked, once. On "
        "needs_changes change the plan and ask again; on anything else stop and say so.",
    ),
    "check_quality": _Lesson(
        "Check quality",
        "Have a person rate or correct a piece of work before it is used.",
        {"work": "The text, or what it is and where it is found"},
        {"criteria": "What good means here", LOOP: wording.LOOP},
        "Show the work below to a person before it is used. Call ask_human with a question that names the criteria and "
        "holds the work itself. For a mark use response_type rating with "
        '{"scale_min": 1, "scale_max": 5}; for corrections use editable_text with {"draft_text": the work}, and use '
        "revised_text from the answer. A low mark or a comment means: improve it, and ask again.",
    ),
    "verify_result": _Lesson(
        "Verify an automated result",
        "Have a person verify what a program or model found, before others rely on it.",
        {"result": "What was found"},
        {"evidence": "What it rests on", LOOP: wording.LOOP},
        "Before anybody relies on the result below, have a person verify it. Call ask_human with response_type "
        'single_select and response_config {"options": ["Correct", "Wrong", "Cannot tell"]}. State the result as one '
        "claim that can be checked, give the evidence and how sure you are as context, and say where to look. Report "
        "it as verified only when a person answered Correct; when nobody answered in time it is not verified.",
    ),
    "ask_expert": _Lesson(
        "Escalate to an expert",
        "Hand a question that you cannot settle to a person who knows the subject.",
        {"question": "What has to be decided"},
        {"tried": "What is known, and what was tried", LOOP: wording.LOOP},
        "The question below needs a person who knows the subject. Call list_loops and choose the loop of the right "
        "people. Then call ask_human: one question, what is known, what was tried, and what depends on it. Where the "
        "choices are clear use single_select with them as options; otherwise text. Set priority by what waiting costs. "
        "When the result is pending, tell your user where it waits, go on with other work, and call check_request with "
        "its request_id later.",
    ),
    "follow_up": _Lesson(
        "Follow up on a request",
        "Find out what became of a request, and act on it.",
        {REQUEST_ID: "As returned by the tool that asked"},
        {},
        "Call check_request with the request_id below. Tell your user who decided what and when. Act only when it says "
        "approved=true and the action was not done yet.",
    ),
}


def listed() -> list[Prompt]:
    """All prompts, with their arguments."""
    return [
        Prompt(
            name=name,
            title=lesson.title,
            description=lesson.description,
            arguments=[
                PromptArgument(name=argument, description=words, required=argument in lesson.required)
                for argument, words in (lesson.required | lesson.optional).items()
            ],
        )
        for name, lesson in _LESSONS.items()
    ]


def has(name: str) -> bool:
    """Whether there is such a prompt."""
    return name in _LESSONS


def rendered(name: str, arguments: Mapping[str, str] | None) -> GetPromptResult:
    """The prompt with its arguments. Raises: MCPError naming the argument that is missing or unknown."""
    lesson = _LESSONS[name]
    given = {argument: value for argument, value in (arguments or {}).items() if value.strip()}
    known = lesson.required | lesson.optional
    for argument in given:
        if argument not in known:
            raise MCPError(INVALID_PARAMS, f"{argument}: {name} has no such argument. It has: {', '.join(known)}.")
    for argument, words in lesson.required.items():
        if argument not in given:
            raise MCPError(INVALID_PARAMS, f"{argument}: is missing. {words}. Give it and get {name} again.")
    text = "\n\n".join([lesson.words, *(f"{argument}: {given[argument]}" for argument in known if argument in given)])
    return GetPromptResult(
        description=lesson.description,
        messages=[PromptMessage(role="user", content=TextContent(type="text", text=text))],
    )
