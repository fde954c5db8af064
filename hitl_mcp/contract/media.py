"""What a question may show besides its text: images, and links to files, video and audio (contract section 2.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hitl_mcp.contract.text import STORABLE

MAX_LINKS = 10
MAX_URL = 2_000

RequestType = Literal["markdown", "image", "file", "video", "audio"]

Url = Annotated[str, Field(min_length=1, max_length=MAX_URL, pattern=r"^https?://[^\s/?#]+\S*$"), STORABLE]
"""An absolute http or https address."""
_Urls = Annotated[list[Url], Field(max_length=MAX_LINKS)]
_Name = Annotated[str, Field(max_length=255), STORABLE]
_Names = Annotated[list[_Name], Field(max_length=MAX_LINKS)]


def own_words(message: str) -> PydanticCustomError:
    """A fault whose text is the contract's own, so that it becomes the envelope's `msg` as it is."""
    return PydanticCustomError("contract", "{words}", {"words": message})


class Media(BaseModel):
    """The media fields of a request. Images are fetched once, at create (H5); the others are links nobody checked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image_url: Url | None = None
    image_urls: _Urls | None = None
    file_url: Url | None = None
    file_type: _Name | None = None
    file_name: _Name | None = None
    file_urls: _Urls | None = None
    file_types: _Names | None = None
    file_names: _Names | None = None
    video_url: Url | None = None
    video_urls: _Urls | None = None
    audio_url: Url | None = None
    audio_urls: _Urls | None = None

    @property
    def images(self) -> list[str]:
        """Every image once, in the order given."""
        return list(dict.fromkeys([*([self.image_url] if self.image_url else []), *(self.image_urls or [])]))

    def shown(self) -> dict[str, Any]:
        """The media fields that were given."""
        return self.model_dump(include=set(Media.model_fields), exclude_none=True)


class WithMedia(Media):
    """A request whose `type` demands its media."""

    type: RequestType = "markdown"

    @model_validator(mode="after")
    def _has_its_media(self) -> Self:
        if self.type == "image" and not self.images:
            raise own_words("Image URL is required when type is image")
        if self.type == "file" and not (self.file_urls or (self.file_url and self.file_type and self.file_name)):
            raise own_words("file_url, file_type and file_name are required when type is file")
        if self.type == "video" and not (self.video_url or self.video_urls):
            raise own_words("video_url is required when type is video")
        if self.type == "audio" and not (self.audio_url or self.audio_urls):
            raise own_words("audio_url is required when type is audio")
        return self
