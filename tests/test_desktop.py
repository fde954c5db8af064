"""A desktop notification for a new question, through the desktop's own message bus."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from tests.world import WAIT, stdio_client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no message bus on this system: dbus-daemon"),
]

NOTIFICATIONS = "org.freedesktop.Notifications"
INTROSPECTION = """<node><interface name="org.freedesktop.Notifications">
<method name="Notify">
<arg direction="in" type="s"/><arg direction="in" type="u"/><arg direction="in" type="s"/><arg direction="in" type="s"/>
<arg direction="in" type="s"/><arg direction="in" type="as"/><arg direction="in" type="a{sv}"/>
<arg direction="in" type="i"/><arg direction="out" type="u"/></method>
<method name="CloseNotification"><arg direction="in" type="u"/></method>
<method name="GetCapabilities"><arg direction="out" type="as"/></method>
<method name="GetServerInformation"><arg direction="out" type="s"/><arg direction="out" type="s"/>
<arg direction="out" type="s"/><arg direction="out" type="s"/></method>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
</interface></node>"""


@asynccontextmanager
async def desktop(folder: Path) -> AsyncGenerator[tuple[str, list[list[object]]]]:
    """A session bus with a notification service that records what it is asked to show."""
    command = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:dir={folder}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        bus = await MessageBus(bus_address=address).connect()
        shown: list[list[object]] = []

        def handle(message: Message) -> Message | None:
            if message.message_type is not MessageType.METHOD_CALL:
                return None
            if message.member == "Introspect":
                return Message.new_method_return(message, "s", [INTROSPECTION])
            if message.member == "Notify":
                shown.append(message.body)
                return Message.new_method_return(message, "u", [len(shown)])
            if message.member == "GetCapabilities":
                return Message.new_method_return(message, "as", [["body"]])
            if message.member == "GetServerInformation":
                return Message.new_method_return(message, "ssss", ["test", "test", "1", "1.2"])
            return None

        bus.add_message_handler(handle)
        await bus.request_name(NOTIFICATIONS)
        try:
            yield address, shown
        finally:
            bus.disconnect()
            daemon.terminate()
            daemon.wait(WAIT)


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_new_question_is_shown_on_the_desktop_unless_that_is_turned_off(
    folder: Path, tmp_path: Path, wanted: bool
) -> None:
    async with desktop(tmp_path) as (address, shown):
        setting = {"HITL_NOTIFY": str(wanted).lower(), "DBUS_SESSION_BUS_ADDRESS": address}
        async with stdio_client(folder, **setting) as client:
            for action in ("Deploy to production", "Drop the table"):
                await client.call_tool("request_human_approval", {"action": action, "wait_seconds": 0})
                if wanted:
                    with anyio.fail_after(WAIT):
                        while not any(action in str(body) for body in shown):
                            await anyio.sleep(0.02)
    assert bool(shown) is wanted
    assert "token" not in str(shown) and ".localhost" not in str(shown)
