"""A question's configuration and a person's answer to it: read, and checked (contract section 3)."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import ValidationError

from hitl_mcp.contract.checks import check_value
from hitl_mcp.contract.configs import (
    CONFIGS,
    EXAMPLES,
    BooleanConfig,
    EditableTextConfig,
    MultiSelectConfig,
    NumberConfig,
    Option,
    RatingConfig,
    ResponseType,
    SingleSelectConfig,
    TextConfig,
    ValueConfig,
    seen,
    slug,
)
from hitl_mcp.contract.forms import FormConfig, check_form
from hitl_mcp.errors import AnswerRejected

__all__ = [
    "CONFIGS",
    "EXAMPLES",
    "BooleanConfig",
    "EditableTextConfig",
    "FormConfig",
    "MultiSelectConfig",
    "NumberConfig",
    "Option",
    "RatingConfig",
    "ResponseConfig",
    "ResponseType",
    "SingleSelectConfig",
    "TextConfig",
    "ValueConfig",
    "check_answer",
    "first_fault",
    "read_config",
    "seen",
    "slug",
]

ResponseConfig: TypeAlias = ValueConfig | FormConfig


def read_config(response_type: ResponseType, config: object) -> ResponseConfig:
    """The typed configuration.

    Raises: AnswerRejected, naming the field, when it does not fit the type; the reason holds an example that does.
    """
    try:
        if response_type is ResponseType.FORM:
            return FormConfig.model_validate(config)
        return CONFIGS[response_type].model_validate(config)
    except ValidationError as error:
        where, why = first_fault(error)
        if where[:1] == ["fields"]:
            del where[2:3]  # the field's type, by which its model was chosen
        field = ".".join(["response_config", *where])
        raise AnswerRejected(field, f"{why}. An example for {response_type.value}: {EXAMPLES[response_type]}") from None


def first_fault(error: ValidationError) -> tuple[list[str], str]:
    """Where and why a validation failed first, in words a person or a model can act on."""
    fault = error.errors(include_url=False, include_context=False)[0]
    why = fault["msg"].removeprefix("Value error, ")
    return [str(part) for part in fault["loc"]], why


def check_answer(config: ResponseConfig, answer: Any, field: str = "response_data") -> Any:
    """The answer in the form in which it is stored and reported.

    Args:
        config: the typed configuration from `read_config`.
        answer: what came in; a select may be named by value, label or slug.
        field: the name used in the error.

    Raises: AnswerRejected when the configuration does not allow it.
    """
    if isinstance(config, FormConfig):
        return check_form(config, answer, field)
    return check_value(config, answer, field)
