"""Templates, in the service or in the SDK's own folder, found alike."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from hitl_mcp import AsyncHITLClient
from hitl_mcp.contract.templates import NewTemplate
from hitl_mcp.errors import BadRequest, Conflict, NotConfigured, NotFound
from hitl_mcp.sdk.endpoint import Endpoint
from hitl_mcp.sdk.reviews.folder import TemplateFolder
from tests.sdk.backends import Place

pytestmark = pytest.mark.anyio

FIELDS: list[dict[str, Any]] = [{"name": "approved", "type": "boolean", "label": "Good?", "required": True}]
MORE: list[dict[str, Any]] = [*FIELDS, {"name": "why", "type": "text"}]


def folder_of(path: Path, key: str = "hitl_live_1") -> TemplateFolder:
    """The templates of a key of the cloud."""
    return TemplateFolder(path, Endpoint("https://api.example.com", key, "", name="cloud"))


async def test_a_template_lives(client: AsyncHITLClient, place: Place, loop: str) -> None:
    key = f"qa-{loop}-{place.kind}".replace(" ", "_")
    made = await client.create_template(
        name=f"Quality check {loop}", fields=FIELDS, key=key, loop_id=loop, settings={"timeout_hours": 2}
    )
    assert (made.name, made.slug) == (f"Quality check {loop}", f"quality_check_{loop}")
    assert (made["loop_id"], made.get("settings")) == (loop, {"timeout_hours": 2})
    assert made.fields == FIELDS
    for wanted in (made.id, made.id.upper(), key, key.upper(), made.slug, made.name):
        assert (await client.get_template(wanted)).id == made.id
    assert made.id in [template.id for template in await client.list_templates()]
    changed = await client.update_template(made.slug, fields=MORE)
    assert (changed.id, changed.fields, changed.name) == (made.id, MORE, made.name)
    renamed = await client.update_template(made.id, name=f"Other check {loop}")
    assert (renamed.slug, renamed.fields, renamed.loop_id) == (f"other_check_{loop}", MORE, loop)
    with pytest.raises(NotFound) as caught:
        await client.get_template(made.slug)
    assert renamed.slug in str(caught.value), "says what there is"


async def test_the_newest_of_one_name_is_meant(client: AsyncHITLClient, loop: str) -> None:
    older = await client.create_template(name=f"Twice {loop}", fields=FIELDS)
    newer = await client.create_template(name=f"Twice {loop}", fields=MORE)
    found = await client.get_template(f"twice_{loop}")
    assert found.created_at == max(older.created_at, newer.created_at)


async def test_what_is_no_template_is_refused(client: AsyncHITLClient, loop: str) -> None:
    key = f"taken-{loop}"
    await client.create_template(name="Taken", fields=FIELDS, key=key)
    with pytest.raises(Conflict):
        await client.create_template(name="Taken", fields=FIELDS, key=key)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": "", "fields": FIELDS}, "name"), ({"name": "x", "fields": []}, "fields"),
        ({"name": "x", "fields": [{"name": "a", "type": "colour"}]}, "fields"),
        ({"name": "x", "fields": [{"type": "text"}]}, "name"),
        ({"name": "x", "fields": [{"name": "a", "type": "file"}]}, "file"),
    ]  # fmt: skip
    for given, word in bad:
        with pytest.raises(BadRequest) as caught:
            await client.create_template(**given)
        assert word in str(caught.value)
    with pytest.raises(BadRequest):
        await client.update_template(key)


def test_files_are_their_owners_only_and_say_nothing_of_the_key(tmp_path: Path) -> None:
    made = folder_of(tmp_path).create(NewTemplate(name="Mine", fields=FIELDS))
    file = next((tmp_path / "templates").rglob("*.json"))
    assert file.stem == made.id
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not [
        path for path in tmp_path.rglob("*") if "hitl_live" in path.name or "hitl_live" in str(path.parent.name)
    ]
    assert "hitl_live" not in file.read_text(encoding="utf-8")


def test_keys_do_not_share(tmp_path: Path) -> None:
    mine, other = folder_of(tmp_path), folder_of(tmp_path, "hitl_live_2")
    made = mine.create(NewTemplate(name="Mine", fields=FIELDS, key="mine"))
    assert other.listed() == []
    assert other.create(NewTemplate(name="Mine", fields=FIELDS, key="mine")).id != made.id
    assert [template.id for template in mine.listed()] == [made.id]


def test_a_damaged_file_hides_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path)
    made = folder.create(NewTemplate(name="Mine", fields=FIELDS))
    file = next(tmp_path.rglob("*.json"))
    (file.parent / "broken.json").write_text("{", encoding="utf-8")
    assert [template.id for template in folder.listed()] == [made.id]
    assert "broken.json" in caplog.text


def test_a_write_that_fails_leaves_what_was(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (tmp_path / "templates").write_text("in the way", encoding="utf-8")
    with pytest.raises(NotConfigured) as caught:
        folder.create(NewTemplate(name="Mine", fields=FIELDS))
    assert "HITL_DATA_DIR" in str(caught.value)
