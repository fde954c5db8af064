"""Tools, resources and prompts that return every kind of content."""

from __future__ import annotations

import base64
import json
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    Completion,
    CompletionArgument,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from hitl_mcp.tools.server import HITLServer

ABOUT = "Conformance fixture."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
PICTURE = ImageContent(type="image", data=PNG, mime_type="image/png")


def add(server: HITLServer) -> None:
    """Add them."""
    _add_tools(server)
    _add_resources(server)
    _add_prompts(server)


def _embedded(uri: str, text: str, kind: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text))


def _add_tools(server: HITLServer) -> None:
    def text() -> str:
        return "This is a simple text response for testing."

    def image() -> list[ImageContent]:
        return [PICTURE]

    def audio() -> list[AudioContent]:
        return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    def resource() -> list[EmbeddedResource]:
        return [_embedded("test://embedded-resource", "This is an embedded resource content.")]

    def mixed() -> list[TextContent | ImageContent | EmbeddedResource]:
        data = json.dumps({"test": "data", "value": 123})
        words = TextContent(type="text", text="Multiple content types test:")
        return [words, PICTURE, _embedded("test://mixed-content-resource", data, "application/json")]

    def fails() -> str:
        raise ToolError("This tool intentionally returns an error for testing")

    for name, tool in {
        "test_simple_text": text,
        "test_image_content": image,
        "test_audio_content": audio,
        "test_embedded_resource": resource,
        "test_multiple_content_types": mixed,
        "test_error_handling": fails,
    }.items():
        server.add_tool(tool, name=name, description=ABOUT, structured_output=False)


def _add_resources(server: HITLServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        return "Watched"

    del text, binary, template, watched  # registered by their decorators


def _add_prompts(server: HITLServer) -> None:
    @server.prompt(name="test_simple_prompt", description=ABOUT)
    def simple() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(name="test_prompt_with_arguments", description=ABOUT)
    def arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(name="test_prompt_with_embedded_resource", description=ABOUT)
    def resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  # the suite's name
        return [
            UserMessage(_embedded(resourceUri, "Embedded resource content for testing.")),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt(name="test_prompt_with_image", description=ABOUT)
    def image() -> list[UserMessage]:
        return [UserMessage(PICTURE), UserMessage("Please analyze the image above.")]

    @server.completion()
    async def complete(ref: Any, argument: CompletionArgument, context: Any) -> Completion:
        return Completion(values=["paris", "park", "party"], total=3, has_more=False)

    del simple, arguments, resource, image, complete  # registered by their decorators
