"""Templates in the SDK's own data folder, for a backend that keeps none: one JSON file each, replaced as a whole.

They are found as the service finds its own. A file is readable by its owner only. Each key has a folder of its own,
whose name tells nothing of the key.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hitl_mcp.contract.answers import slug
from hitl_mcp.contract.ids import new_id
from hitl_mcp.contract.templates import NewTemplate, TemplateChange, check_fields
from hitl_mcp.errors import Conflict, NotConfigured, NotFound
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
        """Every template, newest first. A file that cannot be read is named in the log and left out."""
        found: list[Template] = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(Template.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):
                log.warning("The template file %s cannot be read; delete it or put it right", path)
        return sorted(found, key=lambda template: (template.created_at, template.id), reverse=True)

    def find(self, wanted: str) -> Template:
        """A template by its id, its author's key, or the slug of its name; of several with one name the newest.

        Raises: NotFound that lists what there is.
        """
        there = self.listed()
        low, short = wanted.lower(), slug(wanted)
        for name, value in (("id", low), ("key", low), ("slug", short)):
            for template in there:
                if value and template[name] == value:
                    return template
        known = [{"id": one.id, "name": one.name, "slug": one.slug} for one in there]
        raise NotFound("Template not found", {"template": wanted, "templates": known})

    def create(self, new: NewTemplate) -> Template:
        """Keep a new template. Raises: BadRequest for its fields, Conflict for a key that is taken."""
        check_fields(new.fields)
        if new.key is not None and (taken := [one.id for one in self.listed() if one.key == new.key]):
            raise Conflict("A template with this key exists. Change it, or choose another key", {"id": taken[0]})
        now = datetime.now(UTC)
        return self._keep(
            Template(
                id=new_id(), key=new.key, slug=slug(new.name), name=new.name, fields=new.fields, loop_id=new.loop_id,
                settings=new.settings or {}, created_at=now, updated_at=now,
            )
        )  # fmt: skip

    def update(self, wanted: str, change: TemplateChange) -> Template:
        """Change what is given. Raises: NotFound, BadRequest."""
        before = self.find(wanted)
        check_fields(change.fields)
        given: dict[str, Any] = change.model_dump(exclude_unset=True)
        if change.name is not None:
            given["slug"] = slug(change.name)
        return self._keep(before.model_copy(update=given | {"updated_at": datetime.now(UTC)}))

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
