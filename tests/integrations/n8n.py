"""A real n8n from npm, with workflows imported from examples/n8n. Installing it takes minutes and 3 GB, once."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx2

from tests.node import installed_once, node, npm, run_installer
from tests.programs import ROOT
from tests.rest.backend import free_port
from tests.world import WAIT

VERSION = "2.41.1"
INSTALL_SECONDS = 1500
START_SECONDS = 180
_MANIFEST = {"name": "n8n-for-tests", "private": True, "overrides": {"linkedom": "0.18.11"}}
"""Later ones of that package stand on one that not every mirror has."""


def installed() -> Path:
    """n8n's program. Raises: CannotInstall."""
    manifest = json.dumps(_MANIFEST)

    def install(into: Path) -> None:
        (into / "package.json").write_text(manifest, encoding="utf-8")
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        run_installer([*npm(), "install", "--ignore-scripts", "--omit=dev", *quiet, f"n8n@{VERSION}"], into,
                      INSTALL_SECONDS)  # fmt: skip
        headers = Path(node()).parent.parent
        run_installer([*npm(), "rebuild", "sqlite3", f"--nodedir={headers}", *quiet], into, INSTALL_SECONDS)

    folder = installed_once("n8n", f"{VERSION} {manifest}".encode(), install, INSTALL_SECONDS)
    return folder / "node_modules" / "n8n" / "bin" / "n8n"


def workflow(name: str, settings: Mapping[str, str], report_to: str, **more: Any) -> dict[str, Any]:
    """An example's workflow as a user would set it up; what each branch ends with reports instead of doing nothing.

    Args:
        name: of its file.
        settings: values for its node "Settings".
        report_to: where the ends of the branches post what they have, each under its own name.
        more: parameters of nodes, by the node's name; `id` replaces the workflow's own.
    """
    read: dict[str, Any] = json.loads((ROOT / "examples" / "n8n" / f"{name}.json").read_text(encoding="utf-8"))
    read["id"] = more.pop("id", read["id"])
    for one in cast("list[dict[str, Any]]", read["nodes"]):
        if one["name"] == "Settings":
            for value in one["parameters"]["assignments"]["assignments"]:
                value["value"] = settings.get(value["name"], value["value"])
        if one["type"] == "n8n-nodes-base.noOp":
            url = f"{report_to}/{read['id']}/{one['name'].replace(' ', '-')}"
            one |= {"type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2}
            one["parameters"] = {
                "method": "POST", "url": url, "sendBody": True, "specifyBody": "json",
                "jsonBody": "={{ JSON.stringify($json) }}", "options": {},
            }  # fmt: skip
        one["parameters"] |= more.get(one["name"], {})
    return read


@contextmanager
def running(folder: Path, workflows: list[dict[str, Any]], api_key: str) -> Generator[str]:
    """n8n with published workflows and the credential they name; its address."""
    program = [node(), str(installed())]
    port, broker = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.pathsep.join([str(Path(node()).parent), os.environ["PATH"]]), "HOME": str(folder),
        "N8N_USER_FOLDER": str(folder), "N8N_PORT": str(port), "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_WEBHOOK_URL": f"{address}/", "N8N_HOST": "127.0.0.1", "N8N_RUNNERS_BROKER_PORT": str(broker),
        "N8N_DIAGNOSTICS_ENABLED": "false", "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
    }  # fmt: skip
    credential = {"id": "hitlmcpapikey001", "name": "HITL API key", "type": "httpHeaderAuth",
                  "data": {"name": "Authorization", "value": f"Bearer {api_key}"}}  # fmt: skip
    for file, content in (("workflows.json", workflows), ("credentials.json", [credential])):
        (folder / file).write_text(json.dumps(content), encoding="utf-8")

    def told(*arguments: str) -> None:
        done = subprocess.run(
            [*program, *arguments], env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]} {done.stderr[-2000:]}"

    told("import:credentials", f"--input={folder / 'credentials.json'}")
    told("import:workflow", f"--input={folder / 'workflows.json'}")
    for one in workflows:
        told("publish:workflow", f"--id={one['id']}")
    with (folder / "n8n.log").open("w") as log, subprocess.Popen(
        [*program, "start"], env=environment, stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:
            _until_published(address, process)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(WAIT)
            except subprocess.TimeoutExpired:
                process.kill()


def _until_published(address: str, process: subprocess.Popen[bytes]) -> None:
    """A GET of a POST webhook's path is told so as soon as the webhook is registered; before that, it is unknown."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            said = httpx2.get(f"{address}/webhook/ask-a-person", timeout=5, trust_env=False).text
        except httpx2.HTTPError:
            said = ""
        if "not registered for GET" in said:
            return
        time.sleep(0.5)
    raise AssertionError("n8n did not start; see n8n.log in the test's folder")
