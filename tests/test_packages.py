"""What is published: the wheel with its two commands, the bundle, the registry's description."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import anyio
import jsonschema_rs
import pytest
from filelock import FileLock
from mcp import Client, StdioServerParameters

from hitl_mcp import __version__
from hitl_mcp.settings import Settings
from mcpb.__main__ import build, main
from tests.elsewhere import environment_with
from tests.node import INSTALL_SECONDS, installed_once, run_installer
from tests.world import WAIT, environment

pytestmark = pytest.mark.timeout(INSTALL_SECONDS * 2)
ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
MANIFEST: dict[str, Any] = json.loads((ROOT / "mcpb" / "manifest.json").read_text(encoding="utf-8"))
SCHEMAS = "skillsaw==0.22.0"
"""Its package holds the registry's released schemas (Apache-2.0)."""


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip in an environment, within bounds."""
    command = [str(python), "-m", "pip", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT * 8, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with nothing but our wheel and what it asks for."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    for name in PROJECT["readme"], "pyproject.toml", "LICENSE":
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "hitl_mcp", source / "hitl_mcp", ignore=shutil.ignore_patterns("__pycache__"))
    pip(environment_with("hatchling==1.33.0"), "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", place, source)
    wheel = next(place.glob("*.whl"))
    assert wheel.name == f"hitl_mcp_server-{__version__}-py3-none-any.whl"
    python = environment_with(*PROJECT["dependencies"])
    with FileLock(python.parent.parent / ".wheel.lock"):
        pip(python, "install", "-q", "--no-deps", "--no-index", "--force-reinstall", wheel)
        pip(python, "check")
    return python.parent


@pytest.mark.parametrize("name", ["hitl-mcp", "hitl-mcp-server"])
def test_both_commands_of_the_wheel_say_their_version(installed: Path, name: str, folder: Path) -> None:
    done = subprocess.run(
        [installed / name, "--version"], env=environment(folder), capture_output=True, text=True, timeout=WAIT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0 and __version__ in done.stdout


def test_a_distributions_name_is_a_command_that_serves(installed: Path, folder: Path) -> None:
    assert PROJECT["name"] in PROJECT["scripts"], "uvx NAME starts the command NAME"

    async def ask() -> str:
        server = StdioServerParameters(command=str(installed / PROJECT["name"]), env=environment(folder))
        with anyio.fail_after(WAIT * 2):
            async with Client(server) as client:
                result = await client.call_tool("request_human_approval", {"action": "Deploy", "wait_seconds": 0})
        assert result.structured_content is not None
        return result.structured_content["outcome"]

    assert anyio.run(ask) == "pending"


def test_the_wheel_has_everything_the_tree_has(installed: Path) -> None:
    done = subprocess.run(
        [installed / Path(sys.executable).name, "-Ic", "import hitl_mcp; print(hitl_mcp.__path__[0])"],
        capture_output=True, text=True, timeout=WAIT, check=True,
    )  # fmt: skip
    there = Path(done.stdout.strip())
    assert not there.is_relative_to(ROOT)
    assert files_of(there) == files_of(ROOT / "hitl_mcp")


def files_of(folder: Path) -> set[str]:
    """What is in a folder, but for compiled modules."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def test_the_bundle_is_valid_and_holds_the_server(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "hitl.mcpb"
    build(target)
    assert "Manifest schema validation passes" in capfd.readouterr().out
    with zipfile.ZipFile(target) as bundle:
        names = set(bundle.namelist())
        assert json.loads(bundle.read("manifest.json")) == MANIFEST
    assert {"pyproject.toml", "README.md", "LICENSE"} | {
        f"hitl_mcp/{name}" for name in files_of(ROOT / "hitl_mcp")
    } < names


def test_a_bundle_that_cannot_be_built_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file" / "hitl.mcpb")]) == 1
    assert "No bundle was built" in capfd.readouterr().err


def test_the_bundles_manifest_tells_what_is_so() -> None:
    assert MANIFEST["version"] == PROJECT["version"] == __version__
    assert MANIFEST["license"] == PROJECT["license"]
    assert MANIFEST["compatibility"]["runtimes"]["python"] == PROJECT["requires-python"]
    server = MANIFEST["server"]
    assert (ROOT / server["entry_point"]).exists() and server["mcp_config"]["args"][-1] in PROJECT["scripts"]
    for name, value in server["mcp_config"]["env"].items():
        asked = MANIFEST["user_config"][value.removeprefix("${user_config.").removesuffix("}")]
        assert name.removeprefix("HITL_").lower() in Settings.model_fields
        assert asked["default"] == "", "an empty setting counts as unset; one that was not filled in must be empty"
        assert asked.get("sensitive", False) is (name == "HITL_API_KEY")


async def _tools(folder: Path) -> list[str]:
    server = StdioServerParameters(command=sys.executable, args=["-m", "hitl_mcp"], env=environment(folder))
    async with Client(server) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


def test_the_bundles_tools_are_the_servers(folder: Path) -> None:
    assert [tool["name"] for tool in MANIFEST["tools"]] == anyio.run(_tools, folder)


def registry_schema() -> dict[str, Any]:
    """The released schema that `server.json` names."""

    def install(into: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(into), SCHEMAS]
        run_installer(pip, into)

    folder = installed_once("schemas", SCHEMAS.encode(), install) / "skillsaw" / "schemas" / "mcp_registry"
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("v*/server.schema.json")]
    return next(schema for schema in schemas if schema["$id"] == SERVER["$schema"])


def test_the_registrys_description_is_valid() -> None:
    jsonschema_rs.validate(registry_schema(), SERVER)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(registry_schema(), {**SERVER, "name": "no namespace"})


def test_the_registrys_description_tells_what_is_so() -> None:
    package = SERVER["packages"][0]
    assert package["identifier"] == PROJECT["name"] and package["runtimeHint"] == "uvx"
    assert SERVER["version"] == package["version"] == __version__
    assert re.fullmatch(r"io\.github\.[^/]+/" + PROJECT["name"], SERVER["name"])
    for variable in package["environmentVariables"]:
        field = Settings.model_fields[variable["name"].removeprefix("HITL_").lower()]
        assert variable.get("default", field.default) == field.default or field.default_factory
        assert variable.get("isSecret", False) is ("SecretStr" in str(field.annotation))
