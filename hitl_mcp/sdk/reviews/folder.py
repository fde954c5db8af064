"""Templates in the SDK's own data folder, for a backend that keeps none: one JSON file each, replaced as a whole.

A file is readable by its owner only. Each key has a folder of its own, whose name tells nothing of the key.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hitl_mcp.contract.answers import ResponseType, read_config, slug
from hitl_mcp.contract.ids import new_id
from hitl_mcp.errors import AnswerRejected, BadRequest, Conflict, NotConfigured, NotFound
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.reviews.template import Template

log = logging.getLogger(__name__)


class TemplateFolder:
    """The templates of one key. Nothing is made before the first template is kept.

    Args:
        data_dir: the SDK's data folder.
        endpoint: whose templates they are.
    """

    def __init__(self, data_dir: Path, endpoint: Endpoint) -> None:
        name = hmac.new(endpoint.key.encode(), endpoint.base_url.encode(), hashlib.sha256).hexdigest()[:32]
        self._folder = data_dir / "templates" / name

    def listed(self) -> list[Template]:
        """Every template, oldest first. A file that cannot be read is named in the log and left out."""
        found: list[Template] = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(Template.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):
                log.warning("The template file %s cannot be read; delete it or put it right", path)
        return sorted(found, key=lambda template: (template.created_at, template.id))

    def find(self, wanted: str) -> Template:
        """A template by its id, its author's id, or the slug of its name.

        Raises: NotFound that lists what there is, BadRequest when several have this name.
        """
        there, name = self.listed(), wanted.strip().casefold()
        exact = [one for one in there if name in (one.id, (one.key or one.id).casefold())]
        found = exact or [one for one in there if slug(wanted) and slug(wanted) == one.slug]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadRequest("Several templates have this name; use an id", _shown(found))
        raise NotFound("Template not found", {"template": wanted, "templates": _shown(there)})

    def create(self, given: dict[str, Any]) -> Template:
        """Keep a new template. Raises: BadRequest for its fields, Conflict for a key that is taken."""
        now = datetime.now(UTC)
        template = _checked({**given, "id": new_id(), "created_at": now, "updated_at": now})
        key = (template.key or "").casefold()
        if key and any(key in (one.id, (one.key or "").casefold()) for one in self.listed()):
            raise Conflict("A template with this key exists already", {"key": template.key})
        return self._keep(template)

    def update(self, wanted: str, changes: dict[str, Any]) -> Template:
        """Change what is given. Raises: NotFound, BadRequest."""
        kept = self.find(wanted).model_dump()
        return self._keep(_checked({**kept, **changes, "updated_at": datetime.now(UTC)}))

    def _keep(self, template: Template) -> Template:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, fresh = tempfile.mkstemp(dir=self._folder, suffix=".new")  # 0600
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(template.model_dump_json(indent=2))
                Path(fresh).replace(self._folder / f"{template.id}.json")
            except BaseException:
                Path(fresh).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise NotConfigured(
                f"Templates cannot be kept in {self._folder}: {error.strerror or error}. Set HITL_DATA_DIR to a folder "
                "that can be written."
            ) from error
        return template


def _checked(given: dict[str, Any]) -> Template:
    name = str(given.get("name") or "").strip()
    if not name:
        raise BadRequest("Validation failed", {"field": "name", "issue": "must not be empty"})
    fields: Any = given.get("fields") or []
    if fields:
        try:
            read_config(ResponseType.FORM, {"fields": fields})
        except AnswerRejected as fault:
            field = fault.field.removeprefix("response_config.")
            raise BadRequest("Validation failed", {"field": field, "issue": fault.reason}) from None
    try:
        return Template.model_validate({**given, "name": name, "fields": fields, "slug": slug(name)})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise BadRequest("Validation failed", {"field": where, "issue": fault["msg"]}) from None


def _shown(templates: Iterable[Template]) -> list[dict[str, str]]:
    return [{"id": one.id, "name": one.name, "slug": one.slug} for one in templates]
