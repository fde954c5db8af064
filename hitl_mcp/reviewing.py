"""Answering at the terminal: a short session for the machine's user, and one question per response type."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import click

from hitl_mcp.contract import routes
from hitl_mcp.contract.answers import (
    BooleanConfig,
    EditableTextConfig,
    FormConfig,
    MultiSelectConfig,
    NumberConfig,
    RatingConfig,
    ResponseConfig,
    SingleSelectConfig,
    ValueConfig,
    check_answer,
    read_config,
)
from hitl_mcp.contract.configs import EmailConfig, MomentConfig
from hitl_mcp.contract.forms import ANY_NUMBER, AnswerField, ShownField, check_field, is_blank
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.errors import AnswerRejected
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.local import Found, ask
from hitl_mcp.terminal import confirm, one_line, visible


@asynccontextmanager
async def signed_in(found: Found) -> AsyncGenerator[Endpoint]:
    """A terminal session of the machine's user, ended with the block."""
    code = (await ask(found.console(), "POST", routes.SIGN_INS, {}))["code"]
    token = (await ask(found.console(), "POST", routes.SESSIONS, {"code": code}))["token"]
    session = found.session(token)
    try:
        yield session
    finally:
        await ask(session, "DELETE", routes.SESSIONS)


async def pending(found: Found) -> list[ReviewRequest]:
    """What waits for a person, the most urgent first."""
    async with signed_in(found) as session:
        data = await ask(session, "GET", routes.REVIEWS)
    return [ReviewRequest.model_validate(item) for item in data["requests"]]


async def respond(found: Found, request_id: str) -> ReviewRequest:
    """Show a request whole, ask for the answer, have it confirmed, send it."""
    async with signed_in(found) as session:
        data = await ask(session, "GET", routes.REVIEW.format(request_id=request_id))
        request = ReviewRequest.model_validate(data["request"])
        show(request)
        if not request.status.is_open:
            return request
        config = read_config(request.response_type, request.response_config)
        answer = _answer(config)
        comment = click.prompt("Comment (may be empty)", default="", show_default=False)
        if isinstance(config, FormConfig):
            _show_answers(config, answer)
            confirm("Send this as the answer?")
        else:
            confirm(f"Send {one_line(json.dumps(answer, ensure_ascii=False))} as the answer?")
        body = {"response_data": answer, "comment": comment, "revision": request.revision}
        sent = await ask(session, "POST", routes.REQUEST_RESPOND.format(request_id=request_id), body)
    return ReviewRequest.model_validate(sent["request"])


def show(request: ReviewRequest) -> None:
    """Print a request: what the service knows, then, marked, what the agent says."""
    click.echo(f"Request   {request.id}, revision {request.revision}, {request.status.value}")
    click.echo(f"Asked by  {one_line(request.user_agent or 'an agent')}, priority {request.priority.value}")
    click.echo(f"Open till {request.timeout_at:%Y-%m-%d %H:%M:%S} UTC")
    if request.due_at is not None:
        overdue = ", overdue" if request.due_at <= datetime.now(UTC) else ""
        click.echo(f"Wanted by {request.due_at:%Y-%m-%d %H:%M:%S} UTC{overdue}")
    click.echo("--- the agent says ---")
    click.echo(visible(request.request_text))
    for name, value in (request.context or {}).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        click.echo(f"{visible(name)}: {visible(text)}")
    click.echo("--- end of the agent's words ---")


def _answer(config: ResponseConfig) -> Any:
    """Ask until the answer fits; a form field by field."""
    if isinstance(config, FormConfig):
        return _answers(config)
    while True:
        try:
            return check_answer(config, _raw(config), "answer")
        except AnswerRejected as fault:
            click.echo(f"That does not fit: {fault.reason}", err=True)


def _answers(config: FormConfig) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for number, of in enumerate(config.fields, 1):
        click.echo(f"--- {number} of {len(config.fields)}: {_title(of)} ---")
        if isinstance(of, ShownField):
            click.echo(_value_words(of.initial))
        else:
            answers[of.name] = _field(of)
    return answers


def _title(of: AnswerField | ShownField) -> str:
    named = "" if of.title == of.name else f" (the agent receives it as {one_line(of.name)})"
    return one_line(of.title) + named


def _field(of: AnswerField) -> Any:
    """Ask for one field until it fits. What the agent filled in may be kept; what is optional may stay open."""
    filled = of.prefilled
    if filled is not None:
        click.echo(f"Filled in by the agent:\n{_value_words(filled)}")
        if click.confirm("Keep it?", default=True):
            return filled
    if not of.required and not click.confirm("Answer this? It is optional.", default=filled is not None):
        return None
    while True:
        try:
            value = _edited(filled) if isinstance(filled, str) and "\n" in filled else _raw(of)
            return check_field(of, None if is_blank(value) and not of.required else value, "answer")
        except AnswerRejected as fault:
            click.echo(f"That does not fit: {fault.reason}", err=True)


def _show_answers(config: FormConfig, answer: dict[str, Any]) -> None:
    click.echo("--- your answer ---")
    for of in config.answerable:
        value = answer[of.name]
        click.echo(f"{_title(of)}: {'no answer' if value is None else _value_words(value)}")


def _value_words(value: Any) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def _edited(draft: str) -> str:
    edited = click.edit(draft)
    return draft if edited is None else edited.removesuffix("\n")


def _raw(config: ValueConfig) -> Any:
    match config:
        case SingleSelectConfig() | MultiSelectConfig():
            for number, option in enumerate(config.options, 1):
                click.echo(f"  {number}  {one_line(option.label)}")
            if isinstance(config, SingleSelectConfig):
                return _nth(config, click.prompt("Number"))
            numbers = click.prompt("Numbers, separated by commas", default="", show_default=False)
            return [_nth(config, part) for part in numbers.split(",") if part.strip()]
        case RatingConfig():
            return click.prompt(f"Rating from {config.scale_min:g} to {config.scale_max:g}", type=float)
        case NumberConfig():
            bounded = max(-config.min_value, config.max_value) < ANY_NUMBER
            bounds = f" from {config.min_value:g} to {config.max_value:g}" if bounded else ""
            return click.prompt(f"Number{bounds}", type=float)
        case EmailConfig():
            return click.prompt("E-mail address")
        case MomentConfig():
            return click.prompt("Time with its zone, such as 2026-03-02T09:30:00Z")
        case BooleanConfig():
            click.echo(f"y = {one_line(config.true_label)}, n = {one_line(config.false_label)}")
            return click.prompt("y or n", type=click.Choice(["y", "n"])) == "y"
        case EditableTextConfig():
            click.echo("The draft:")
            click.echo(visible(config.draft_text))
            return _edited(config.draft_text)
        case _:
            return click.prompt("Text", default="", show_default=False)


def _nth(config: SingleSelectConfig | MultiSelectConfig, part: str) -> str:
    index = int(part) if part.strip().isdigit() else 0
    if not 1 <= index <= len(config.options):
        raise AnswerRejected("answer", f"{part.strip()!r} is not a number from 1 to {len(config.options)}")
    return config.options[index - 1].value
