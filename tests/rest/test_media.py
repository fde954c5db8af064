"""Images, files, video and audio of a question (section 2.4, H5)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from hitl_mcp.contract import routes
from tests.rest.backend import Backend
from tests.rest.pictures import picture_server

GUARDED = "The address may not be called"
LINKS: dict[str, dict[str, Any]] = {
    "file": {"file_url": "https://example.com/a.pdf", "file_type": "application/pdf", "file_name": "a.pdf"},
    "files": {"file_urls": ["https://example.com/a.pdf"], "file_types": ["application/pdf"], "file_names": ["a.pdf"]},
    "video": {"video_url": "https://youtu.be/x"},
    "videos": {"video_urls": ["https://youtu.be/x", "https://vimeo.com/1"]},
    "audio": {"audio_url": "https://example.com/a.mp3"},
    "audios": {"audio_urls": ["https://example.com/a.mp3"]},
}


@pytest.fixture(scope="module")
def pictures() -> Generator[str]:
    """A web server with pictures."""
    with picture_server() as address:
        yield address


@pytest.mark.parametrize("name", LINKS)
def test_links_come_back_under_their_own_names(backend: Backend, loop: str, name: str) -> None:
    fields = LINKS[name]
    created = backend.key.ask(loop, type=name.removesuffix("s"), **fields)
    assert created.status == 201, created.body
    asked = created.data["request_id"]
    for request in (
        created.data["request"],
        backend.key.request(asked).data["request"],
        backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop)).data["requests"][0],
        backend.key.get(routes.REQUEST_STATUS.format(request_id=asked)).data["request"],
        backend.key.delete(routes.REQUEST.format(request_id=asked)).data["request"],
    ):
        assert {field: request[field] for field in fields} == fields


@pytest.mark.parametrize(
    ("kind", "msg"),
    [
        ("image", "Image URL is required when type is image"),
        ("file", "file_url, file_type and file_name are required when type is file"),
        ("video", "video_url is required when type is video"),
        ("audio", "audio_url is required when type is audio"),
    ],
)
def test_a_type_needs_its_media(backend: Backend, loop: str, kind: str, msg: str) -> None:
    assert backend.key.ask(loop, type=kind).refusal == (400, msg, None)
    halves = {"file_url": "https://example.com/a.pdf", "file_name": "a.pdf"}
    if kind == "file":
        assert backend.key.ask(loop, type=kind, **halves).refusal == (400, msg, None)


def test_an_image_is_fetched_once_and_its_address_echoed(backend: Backend, loop: str, pictures: str) -> None:
    url = f"{pictures}/a.png"
    asked = backend.key.asked(loop, type="image", image_url=url)
    request = backend.key.request(asked).data["request"]
    assert (request["type"], request["image_url"]) == ("image", url)
    (image,) = request["images"]
    assert (image["url"], image["content_type"], len(image["digest"])) == (url, "image/png", 64)
    several = backend.key.ask(loop, type="image", image_urls=[url, f"{pictures}/b.png"])
    assert [one["url"] for one in several.data["request"]["images"]] == [url, f"{pictures}/b.png"]


def test_an_image_that_cannot_be_used(backend: Backend, loop: str, pictures: str) -> None:
    for url, msg, why in (
        (f"{pictures}/page.html", "The image cannot be used", "is not an image that can be shown"),
        ("http://10.0.0.1/a.png", GUARDED, "leads to a private address"),
        ("http://user:pw@127.0.0.1/a.png", GUARDED, "carries a user name or password"),
    ):
        refusal = backend.key.ask(loop, type="image", image_url=url).refusal
        assert refusal[:2] == (400, msg)
        assert why in refusal[2]
    many = backend.key.ask(loop, type="image", image_urls=[f"{pictures}/{i}.png" for i in range(11)])
    assert many.said == (400, "Validation failed")
    assert backend.key.get(routes.LOOP_REQUESTS.format(loop_id=loop)).data["total"] == 0
