"""The controls in which a person answers, worked out before any template runs."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from hitl_mcp.contract.answers import read_config
from hitl_mcp.contract.configs import (
    BooleanConfig,
    EditableTextConfig,
    EmailConfig,
    MomentConfig,
    MultiSelectConfig,
    NumberConfig,
    Option,
    RatingConfig,
    SingleSelectConfig,
    TextConfig,
    ValueConfig,
    slug,
)
from hitl_mcp.contract.forms import ANY_NUMBER, FormConfig, FormField, RichTextField, ShownField
from hitl_mcp.contract.models import ReviewRequest
from hitl_mcp.contract.states import Kind
from hitl_mcp.service.inbox.characters import invisible_in
from hitl_mcp.service.inbox.forms import Typed, as_typed, key_of
from hitl_mcp.service.inbox.markdown import OwnAddress
from hitl_mcp.service.inbox.shown import Shown, shown_of
from hitl_mcp.service.inbox.texts import _, ngettext
from hitl_mcp.service.inbox.words import DECISIONS, characters

MAX_SCALE = 11


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose. `receives`: what the agent gets, where the label does not say it (H6)."""

    value: str
    label: str
    description: str | None = None
    tone: str = ""
    receives: str | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The control of one answer; `part` names its template.

    Attributes:
        key: the name under which a browser sends it.
        title: what the agent calls it, for one of several fields; empty where our own words stand.
        named: what the agent receives it as, where the title does not say it (H6).
        kind: the type of an input.
        rows: the height of a text.
        fields: the controls of a form.
        shown: what a field only shows.
    """

    part: str
    choices: Sequence[Choice] = ()
    hint: str = ""
    value: str = ""
    required: bool = True
    limits: dict[str, str] = field(default_factory=dict[str, str])
    placeholder: str = ""
    prefix: str = ""
    suffix: str = ""
    invisible: Sequence[str] = ()
    key: str = "answer"
    title: str = ""
    named: str | None = None
    kind: str = "number"
    rows: int = 5
    fields: Sequence[AnswerForm] = ()
    shown: Shown | None = None


def tone(color: str | None) -> str:
    """A colour of the configuration as the name of a style class: pages have no inline styles."""
    if color is None:
        return ""
    digits = color[1:] if len(color) == 7 else "".join(char * 2 for char in color[1:])
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < 0.2 or not 0.08 < light < 0.94:
        return "grey"
    names = ((20, "red"), (68, "amber"), (170, "green"), (255, "blue"), (325, "purple"), (361, "red"))
    return next(name for limit, name in names if hue * 360 < limit)


def answer_form(request: ReviewRequest, typed: Typed | None, own: OwnAddress | None = None) -> AnswerForm:
    """The controls of a request's response type, with what was typed before.

    Args:
        own: where this service answers; needed only to show what a form shows.
    """
    config = read_config(request.response_type, request.response_config)
    if isinstance(config, FormConfig):
        return AnswerForm("form", fields=[_field(of, typed, own) for of in config.fields])
    before = typed.values if typed else ()
    if isinstance(config, BooleanConfig):
        words = _("The wording of the buttons was chosen by the agent.")
        return AnswerForm("buttons", _yes_and_no(config, before), words)
    if request.kind is Kind.APPROVAL and isinstance(config, SingleSelectConfig):
        choices = [replace(one, label=_(DECISIONS[one.value])) for one in _choices(config.options, before)]
        return AnswerForm("buttons", choices)
    return _control(config, before if typed or not isinstance(config, EditableTextConfig) else (config.draft_text,))


def _field(of: FormField, typed: Typed | None, own: OwnAddress | None) -> AnswerForm:
    named = None if slug(of.title) == slug(of.name) else of.name
    key = key_of(of.name)
    if isinstance(of, ShownField):
        return AnswerForm("shown", key=key, title=of.title, shown=shown_of(of, own), required=False)
    values = as_typed(of) if typed is None else typed.fields.get(key, as_typed(of))
    control = _control(of, values)
    if control.part in ("single", "scale") and not of.required:
        none = Choice("", _("No answer"), chosen=not any(choice.chosen for choice in control.choices))
        control = replace(control, choices=[*control.choices, none])
    invisible = invisible_in(of.initial.replace("\r\n", "\n")) if isinstance(of.initial, str) else ()
    return replace(
        control, key=key, title=of.title, named=named, required=of.required, invisible=invisible,
        rows=10 if isinstance(of, RichTextField) else 3,
    )  # fmt: skip


def _control(config: ValueConfig, before: Sequence[str]) -> AnswerForm:
    value = before[0] if before else ""
    match config:
        case SingleSelectConfig():
            return AnswerForm("single", _choices(config.options, before), _("Offered by the agent."))
        case MultiSelectConfig():
            least = max(config.min_selections, 1 if config.required else 0)
            return AnswerForm("multi", _choices(config.options, before), _how_many(least, config.max_selections))
        case BooleanConfig():
            return AnswerForm("single", _yes_and_no(config, before))
        case RatingConfig():
            return _scale(config, before)
        case NumberConfig():
            return _number(config, value)
        case EditableTextConfig():
            return _written(config, value, invisible_in(config.draft_text))
        case EmailConfig():
            limits = {"maxlength": str(config.max_length)}
            return AnswerForm("line", hint=_("An e-mail address."), value=value, kind="email", limits=limits)
        case MomentConfig():
            zone = f"{datetime.now().astimezone():%Z}"
            words = _("Date and time, as this service's clock shows it ({zone}).").format(zone=zone)
            return AnswerForm("line", hint=words, value=value, kind="datetime-local", limits={"step": "any"})
        case TextConfig():
            return _written(config, value, ())


def _yes_and_no(config: BooleanConfig, before: Sequence[str]) -> list[Choice]:
    pair = (("true", config.true_label, config.true_color), ("false", config.false_label, config.false_color))
    said = {"true": {"true", "yes"}, "false": {"false", "no"}}
    return [
        Choice(
            value, label, tone=tone(color), chosen=value in before,
            receives=None if slug(label) in said[value] else value,
        )
        for value, label, color in pair
    ]  # fmt: skip


def _choices(options: Sequence[Option], before: Sequence[str]) -> list[Choice]:
    return [
        Choice(
            option.value, option.label, option.description, tone(option.color), chosen=option.value in before,
            receives=None if slug(option.label) == slug(option.value) else option.value,
        )
        for option in options
    ]  # fmt: skip


def _how_many(least: int, most: int | None) -> str:
    if most is None:
        words = _("Choose at least {least}.") if least else _("Choose any number of them, or none.")
    elif least == most:
        words = _("Choose exactly {least}.")
    else:
        words = _("Choose between {least} and {most}.") if least else _("Choose up to {most}, or none.")
    return f"{_('Offered by the agent.')} {words.format(least=least, most=most)}"


def _scale(config: RatingConfig, before: Sequence[str]) -> AnswerForm:
    low, high, step = (Decimal(str(value)) for value in (config.scale_min, config.scale_max, config.scale_step))
    steps = int((high - low) / step) + 1
    named = config.labels or {}
    if steps > MAX_SCALE:
        limits = {"min": _plain(low), "max": _plain(high), "step": _plain(step)}
        words = _("From {low} to {high}.") if step == 1 else _("From {low} to {high}, in steps of {step}.")
        hint = words.format(low=_plain(low), high=_plain(high), step=_plain(step))
        told = "; ".join(f"{key}: {text}" for key, text in named.items())
        value = before[0] if before else ""
        return AnswerForm("line", hint=f"{hint} {told}".strip(), value=value, limits=limits)
    values = [_plain(low + step * index) for index in range(steps)]
    ends = {values[0]: named.get("min"), values[-1]: named.get("max")}
    choices = [Choice(value, value, named.get(value) or ends.get(value), chosen=value in before) for value in values]
    return AnswerForm("scale", choices, _("From {low} to {high}.").format(low=values[0], high=values[-1]))


def _number(config: NumberConfig, value: str) -> AnswerForm:
    step = Decimal(1).scaleb(-config.decimal_places)
    low, high = Decimal(str(config.min_value)), Decimal(str(config.max_value))
    if not config.allow_negative:
        low = max(low, Decimal(0))
    # a browser counts steps from the minimum; where that is off the grid it would refuse what is allowed
    limits = {"min": _plain(low), "max": _plain(high), "step": _plain(step) if low % step == 0 else "any"}
    places = _("whole numbers only") if not config.decimal_places else (
        ngettext("up to {count} decimal place", "up to {count} decimal places", config.decimal_places)
    ).format(count=config.decimal_places)  # fmt: skip
    if abs(low) == abs(high) == ANY_NUMBER:
        limits, words = {"step": limits["step"]}, _("Any number, {places}.")
    else:
        words = _("Between {low} and {high}, {places}.")
    return AnswerForm(
        "line", hint=words.format(low=_plain(low), high=_plain(high), places=places), value=value, limits=limits,
        placeholder=config.placeholder or "", prefix=config.prefix or "", suffix=config.suffix or "",
    )  # fmt: skip


def _plain(value: Decimal) -> str:
    return format(value.normalize() + 0, "f")


def _written(config: TextConfig | EditableTextConfig, value: str, invisible: Sequence[str]) -> AnswerForm:
    limits = {"data-max": str(config.max_length)}
    # browsers count some characters twice; where the text holds such, only the counter and the service judge
    if not any(ord(char) > 0xFFFF for char in value):
        limits["maxlength"] = str(config.max_length)
        if config.min_length:
            limits["minlength"] = str(config.min_length)
    required = config.required or config.min_length > 0
    if config.min_length:
        words = _("Between {least} and {most}.")
    else:
        words = _("At most {most}.") if required else _("At most {most}; may stay empty.")
    hint = words.format(least=f"{config.min_length:,}", most=characters(config.max_length))
    return AnswerForm(
        "text" if isinstance(config, TextConfig) else "draft", hint=hint,
        value=value, limits=limits, required=required, placeholder=config.placeholder or "", invisible=invisible,
    )  # fmt: skip
