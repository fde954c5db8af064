"""The body of a create (2.4): what is required, what fits, what each refusal says (1.6)."""

from __future__ import annotations

from typing import Any

from tests.cloud.simulated.manners import Manners
from tests.cloud.simulated.response_types import Unfit, config_fault, fit, types
from tests.cloud.simulated.wire import Json, Refused, invalid

PROCESSING = ("time-sensitive", "deferred")
CONTENT = ("markdown", "image", "file", "video", "audio")
PRIORITIES = ("low", "medium", "high", "critical")
PLATFORMS = ("n8n", "zapier", "web_portal", "api", "mobile", "webhook")
DAY = 86400
SHORTEST, LONGEST, DEFERRED = 60, DAY, 30 * DAY
LONGEST_TEXT = 2000

STRINGS = (
    "processing_type", "type", "priority", "request_text", "response_type", "platform", "platform_version", "image_url",
    "callback_url", "file_url", "file_type", "file_name", "video_url", "audio_url",
)  # fmt: skip
LISTS = ("image_urls", "file_urls", "file_types", "file_names", "video_urls", "audio_urls")
OBJECTS = ("response_config", "context")
KEPT = (*STRINGS, *LISTS, *OBJECTS, "default_response", "timeout_seconds")
"""Every field of 2.4; others (also `tags`) are taken and forgotten."""


def checked(body: Json, manners: Manners) -> Json:
    """The fields to keep. Raises: Refused, with the first fault."""
    fields = {name: value for name, value in body.items() if name in KEPT and value is not None}
    _check_json_types(fields)
    if not fields.get("request_text"):
        raise Refused(400, "Request text is required")
    if len(fields["request_text"]) > LONGEST_TEXT:
        raise invalid(f"request_text must be between 1 and {LONGEST_TEXT} characters")
    _one_of(fields, "processing_type", PROCESSING)
    _one_of(fields, "type", CONTENT)
    _one_of(fields, "priority", PRIORITIES)
    _one_of(fields, "response_type", types(manners))
    _one_of(fields, "platform", PLATFORMS)
    _check_media(fields)
    _check_timeout(fields)
    for name in ("response_config", "default_response"):
        if name not in fields:  # presence, not truth: `{}`, false and 0 are values (1.5)
            raise invalid(f"{name} is required")
    kind, config = fields["response_type"], fields["response_config"]
    if fault := config_fault(kind, config, manners):
        raise Refused(400, "Invalid response configuration", fault)
    try:
        fit(kind, config, fields["default_response"])
    except Unfit as unfit:
        raise Refused(400, "Invalid default response", str(unfit)) from None
    if not str(fields.get("callback_url", "https://")).startswith("https://"):
        raise invalid("callback_url must be an HTTPS URL")
    return fields


def seconds_to_answer(fields: Json) -> int:
    """How long people have (4.3)."""
    return fields.get("timeout_seconds", DEFERRED)


def _check_json_types(fields: Json) -> None:
    for name, value in fields.items():
        right = (
            isinstance(value, str) if name in STRINGS
            else isinstance(value, list) if name in LISTS
            else isinstance(value, dict) if name in OBJECTS
            else isinstance(value, int) and not isinstance(value, bool) if name == "timeout_seconds"
            else True
        )  # fmt: skip
        if not right:
            raise Refused(400, "Invalid request body")


def _one_of(fields: Json, name: str, allowed: tuple[str, ...]) -> None:
    if name not in fields:
        raise invalid(f"{name} is required")
    if fields[name] not in allowed:
        raise invalid(f"{name} must be one of: {', '.join(allowed)}")


def _check_media(fields: dict[str, Any]) -> None:
    kind = fields["type"]
    if kind == "image":
        if "image_url" not in fields:
            raise Refused(400, "Image URL is required when type is image")
        if not str(fields["image_url"]).startswith(("http://", "https://")):
            raise invalid("image_url must be a valid URL")
    needed = {"file": ("file_url", "file_type", "file_name"), "video": ("video_url",), "audio": ("audio_url",)}
    for name in needed.get(kind, ()):
        if name not in fields:
            raise invalid(f"{name} is required when type is {kind}")


def _check_timeout(fields: Json) -> None:
    urgent = fields["processing_type"] == "time-sensitive"
    if "timeout_seconds" not in fields:
        if urgent:
            raise Refused(400, "timeout_seconds is required for time-sensitive requests")
        return
    most = LONGEST if urgent else DEFERRED  # 2.4 shows deferred examples beyond a day; the cap is not stated (9.1)
    if not SHORTEST <= fields["timeout_seconds"] <= most:
        raise invalid(f"timeout_seconds must be between {SHORTEST} and {most}")
