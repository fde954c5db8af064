"""`hitl-mcp config`: what it prints and writes for each client, and that it harms nothing else in their files."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from hitl_mcp.cli import main
from hitl_mcp.clients import CLIENTS, Client, change, disk
from hitl_mcp.clients.wanted import Wanted
from hitl_mcp.errors import NotConfigured

SERVER = {"command": sys.executable, "args": ["-P", "-m", "hitl_mcp"]}
JSON_CLIENTS = [client for client in CLIENTS if client.syntax != "toml"]
COMMENTED_CLIENTS = [client for client in CLIENTS if client.syntax == "jsonc"]
KEY = "hitl_live_not-for-every-eye"


def by_name(client: Client) -> str:
    return client.name


every_client = pytest.mark.parametrize("client", CLIENTS, ids=by_name)
every_json_client = pytest.mark.parametrize("client", JSON_CLIENTS, ids=by_name)
every_commented_client = pytest.mark.parametrize("client", COMMENTED_CLIENTS, ids=by_name)


def run(*arguments: str | Path, typed: str = "", **settings: str) -> Result:
    """One command, with what a person types and the settings of the terminal."""
    return CliRunner().invoke(main, ["config", *map(str, arguments)], input=typed, env=settings)


def said(client: Client, text: str) -> Any:
    """What a file says, by a reader that is not ours."""
    if client.syntax == "toml":
        return tomllib.loads(text)
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def ours(client: Client, text: str) -> dict[str, Any]:
    """Our entry in a file."""
    return said(client, text)[client.table]["hitl"]


@pytest.fixture(params=CLIENTS, ids=by_name)
def client(request: pytest.FixtureRequest) -> Client:
    """Each client in turn."""
    return request.param


def existing(client: Client) -> str:
    """A file of the client with another server and other settings."""
    if client.syntax == "toml":
        return '# mine\nmodel = "o9"  # the good one\n\n[mcp_servers.other]\ncommand = "x"  # stays\n'
    return json.dumps({"theme": "dark", client.table: {"other": {"command": "x"}}, "last": [1, 2]}, indent=4)


def test_without_write_it_prints_a_block_and_touches_nothing(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    shown = run(client.name, "--file", target)
    assert shown.exit_code == 0
    assert ours(client, shown.stdout.split("\n\nOr:")[0]).items() >= SERVER.items()
    assert str(target) in shown.stderr and list(tmp_path.iterdir()) == []


def test_writing_asks_shows_the_change_and_keeps_the_rest(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text(existing(client))
    declined = run(client.name, "--file", target, "--write", typed="n\n")
    assert declined.exit_code == 1 and target.read_text() == existing(client)
    written = run(client.name, "--file", target, "--write", typed="y\n")
    assert written.exit_code == 0, written.output
    added = [line for line in written.stdout.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert any("hitl" in line for line in added)
    after = said(client, target.read_text())
    assert after[client.table].pop("hitl").items() >= SERVER.items()
    assert after == said(client, existing(client))
    lines = iter(target.read_text().splitlines())
    for line in existing(client).splitlines():
        assert any(found.rstrip(",") == line.rstrip(",") for found in lines), f"{line!r} is not where it was"
    backups = list(tmp_path.glob("*.bak"))
    assert len(backups) == 1 and backups[0].read_text() == existing(client)
    assert str(backups[0]) in written.stdout and client.after in written.stdout
    again = run(client.name, "--file", target, "--write")
    assert "already right" in again.stdout and len(list(tmp_path.iterdir())) == 2


def test_a_file_that_does_not_exist_is_made_for_its_owner_alone(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    written = run(client.name, "--file", target, "--write", "--yes")
    assert written.exit_code == 0 and ours(client, target.read_text()).items() >= SERVER.items()
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_broken_file_is_left_as_it_is(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "file"
    for content in (b"{ not [ json = ", b'{"a": 1', b"\xff\xfe\x00"):
        target.write_bytes(content)
        refused = run(client.name, "--file", target, "--write", "--yes")
        assert refused.exit_code == 2 and "Nothing was changed" in refused.stderr, refused.output
        assert target.read_bytes() == content and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", ["[]", '"x"', '{"TABLE": []}', '{"TABLE": null}', '{"TABLE": {"hitl": 1}}'])
@every_json_client
def test_a_file_of_another_shape_is_left_as_it_is(client: Client, content: str, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text(content.replace("TABLE", client.table))
    refused = run(client.name, "--file", target, "--write", "--yes")
    assert refused.exit_code == 2 and "another shape" in refused.stderr
    assert target.read_text() == content.replace("TABLE", client.table)


def test_a_key_goes_into_the_file_and_nowhere_else(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "file"
    given = {"HITL_API_KEY": KEY, "HITL_LOOP": "Releases"}
    asked = (client.name, "--file", target, "--env", "HITL_API_KEY", "--env", "HITL_LOOP")
    printed = run(*asked, **given)
    written = run(*asked, "--write", "--yes", **given)
    assert written.exit_code == 0
    assert ours(client, target.read_text())["env"] == {"HITL_API_KEY": KEY, "HITL_LOOP": "Releases"}
    changed = run(*asked, "--write", "--yes", **given | {"HITL_API_KEY": f"{KEY}-2"})
    assert ours(client, target.read_text())["env"]["HITL_API_KEY"] == f"{KEY}-2"
    for shown in (printed, written, changed):
        assert KEY not in shown.output
    assert change.HIDDEN in written.stdout and "Releases" in written.stdout
    assert "Only hidden values change" in changed.stdout
    run(client.name, "--file", target, "--write", "--yes")
    assert ours(client, target.read_text())["env"]["HITL_API_KEY"] == f"{KEY}-2", "writing again loses no key"


def test_secrets_of_other_servers_are_not_shown(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "file"
    other = {"command": "x", "env": {"TOKEN": 's3cr"et-\\of-others'}, "headers": {"Authorization": "Bearer abc'd"}}
    if client.syntax == "toml":
        target.write_text(
            "[mcp_servers.other]\ncommand = 'x'\nenv = { TOKEN = 's3cret-of-others' }\n"
            'http_headers = { Authorization = "Bearer abc\'d" }'
        )
    else:
        target.write_text(json.dumps({client.table: {"other": other}}))
    written = run(client.name, "--file", target, "--write", "--yes")
    assert written.exit_code == 0 and "s3cr" not in written.output and "abc'd" not in written.output


def test_a_variable_that_is_not_set_or_not_known_is_refused(client: Client) -> None:
    unset = run(client.name, "--env", "HITL_LOOP")
    assert unset.exit_code == 2 and "HITL_LOOP" in unset.stderr and "not set" in unset.stderr
    assert run(client.name, "--env", "HOME").exit_code == 2
    hint = run(client.name, HITL_API_KEY=KEY)
    assert "--env HITL_API_KEY" in hint.stderr and KEY not in hint.output


REMOTE: dict[str, Callable[[str], dict[str, Any]]] = {
    "claude-code": lambda bearer: {"type": "http", "url": "https://h.example/mcp", "headers": {"Authorization": bearer},
                                   "timeout": 3_700_000},
    "cursor": lambda bearer: {"url": "https://h.example/mcp", "headers": {"Authorization": bearer}},
    "vscode": lambda bearer: {"type": "http", "url": "https://h.example/mcp", "headers": {"Authorization": bearer}},
    "gemini": lambda bearer: {"httpUrl": "https://h.example/mcp", "headers": {"Authorization": bearer},
                              "timeout": 3_700_000},
    "windsurf": lambda bearer: {"serverUrl": "https://h.example/mcp", "headers": {"Authorization": bearer}},
    "zed": lambda bearer: {"url": "https://h.example/mcp", "headers": {"Authorization": bearer}, "timeout": 600},
    "codex": lambda bearer: {"url": "https://h.example/mcp", "http_headers": {"Authorization": bearer},
                             "tool_timeout_sec": 3700},
}  # fmt: skip
REFERENCES = {
    "claude-code": "Bearer ${HITL_API_KEY}",
    "cursor": "Bearer ${env:HITL_API_KEY}",
    "vscode": "Bearer ${input:hitl-api-key}",
    "gemini": "Bearer $HITL_API_KEY",
    "windsurf": "Bearer ${env:HITL_API_KEY}",
}


@pytest.mark.parametrize("name", REMOTE)
def test_a_teams_server_by_its_address_and_a_key_in_the_file(name: str, tmp_path: Path) -> None:
    client = next(client for client in CLIENTS if client.name == name)
    target = tmp_path / "file"
    asked = (name, "--file", target, "--remote", "https://h.example", "--env", "HITL_API_KEY", "--write", "--yes")
    run(name, "--file", target, "--write", "--yes")
    written = run(*asked, HITL_API_KEY=KEY)
    assert written.exit_code == 0 and KEY not in written.output
    assert ours(client, target.read_text()) == REMOTE[name](f"Bearer {KEY}")
    assert "already right" in run(*asked, HITL_API_KEY=KEY).stdout
    run(name, "--file", target, "--write", "--yes")
    assert ours(client, target.read_text()).items() >= SERVER.items()
    assert KEY not in target.read_text(), "a server that the client starts has no header"


@pytest.mark.parametrize("name", REFERENCES)
def test_a_key_that_the_client_looks_up_itself(name: str) -> None:
    client = next(client for client in CLIENTS if client.name == name)
    shown = run(name, "--remote", "https://h.example/mcp/").stdout.split("\n\nOr:")[0]
    assert ours(client, shown) == REMOTE[name](REFERENCES[name])


def test_codex_takes_the_key_from_a_variable() -> None:
    entry = tomllib.loads(run("codex", "--remote", "https://h.example").stdout)["mcp_servers"]["hitl"]
    assert entry == {
        "url": "https://h.example/mcp", "bearer_token_env_var": "HITL_API_KEY", "tool_timeout_sec": 3700,
    }  # fmt: skip


def test_vs_code_asks_for_the_key_once(tmp_path: Path) -> None:
    target = tmp_path / "mcp.json"
    target.write_text('{\n  "inputs": [\n    {"id": "other", "type": "promptString"} // mine\n  ]\n}\n')
    for _ in range(2):
        assert run("vscode", "--file", target, "--remote", "https://h.example", "--write", "--yes").exit_code == 0
    assert "// mine" in target.read_text()
    inputs = said(CLIENTS[3], target.read_text().replace("// mine", ""))["inputs"]
    assert [item["id"] for item in inputs] == ["other", "hitl-api-key"] and inputs[1]["password"] is True


@pytest.mark.parametrize("name", ["claude-desktop", "zed"])
def test_a_client_that_cannot_be_told_so_says_what_to_do(name: str) -> None:
    refused = run(name, "--remote", "https://h.example")
    assert refused.exit_code == 2 and "--env HITL_API_KEY" in refused.stderr


@pytest.mark.parametrize(
    "address", ["h.example", "ftp://h.example", "https://me:pw@h.example", "https://h.example/?a=b"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    refused = run("cursor", "--remote", address)
    assert refused.exit_code == 2 and "--remote" in refused.stderr and "pw" not in refused.stderr


def test_settings_of_a_local_server_do_not_go_with_a_remote_one() -> None:
    refused = run("cursor", "--remote", "https://h.example", "--env", "HITL_LOOP", HITL_LOOP="x")
    assert refused.exit_code == 2 and "--env HITL_API_KEY" in refused.stderr


def test_cursors_link_installs_the_same_entry() -> None:
    shown = run("cursor")
    link = urlsplit(shown.stderr.split("Or: ")[1].strip())
    query = parse_qs(link.query, strict_parsing=True)
    assert f"{link.scheme}://{link.netloc}{link.path}" == "cursor://anysphere.cursor-deeplink/mcp/install"
    assert query["name"] == ["hitl"]
    assert json.loads(base64.b64decode(query["config"][0])) == json.loads(shown.stdout)["mcpServers"]["hitl"]


COMMENTED = """// Settings of mine
//
// "TABLE": {"hitl": "not this one"}
{
  "theme": "One // Dark", /* and, this, } stays */
  // servers
  "TABLE": {
    // keep this one
    "other": {"command": "/* x */", "args": ["a,}", "\\"//"],}, // two commas,
    /* the end */
  },
  "tabs": [1, 2, // two
    3,
  ],
}
// after
"""


@every_commented_client
def test_no_character_of_a_commented_file_is_touched_but_ours(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "file"
    before = COMMENTED.replace("TABLE", client.table)
    target.write_text(before)
    assert run(client.name, "--file", target, "--write", "--yes").exit_code == 0
    after = target.read_text()
    start = after.index('\n    "hitl": {')
    end = after.index("\n    }", start) + len("\n    }")
    assert after[:start] + after[end:] == before
    assert after[:start].rstrip().endswith("/* the end */")
    assert json.loads(f"{{{after[start:end]}}}")["hitl"].items() >= SERVER.items()
    target.write_text(after.replace("-P", "-I"))
    assert run(client.name, "--file", target, "--write", "--yes").exit_code == 0
    assert target.read_text() == after


@pytest.mark.parametrize(
    "before",
    [
        "", "// nothing yet\n", "{}", "{ }\n", "{\n}\n", '{"servers":{}}', '{"servers": {\n\t\t"a": {} // last\n\t}}',
        '{\r\n  "servers": {\r\n    "a": {}\r\n  }\r\n}\r\n', '{"a": 1 /* one */ , }', "\ufeff{}",
        '{"servers": {"hitl": {}}}', '{"servers": {"hitl": {"disabled": true}}, "z": 1} // end', "{/* { */}",
        '{"a\\"b": {"servers": {}}, "é": "ü\\u00fc"}',
    ],
)  # fmt: skip
def test_every_form_of_a_file_keeps_what_it_says(before: str, tmp_path: Path) -> None:
    target = tmp_path / "mcp.json"
    target.write_bytes(before.encode())
    written = run("vscode", "--file", target, "--write", "--yes")
    assert written.exit_code == 0, written.output
    after = target.read_bytes().decode()
    assert after.startswith("\ufeff") == before.startswith("\ufeff")
    for comment in re.findall(r"//.*|/\*.*?\*/", before):
        assert comment.strip() in after
    if "\r\n" in before:
        assert "\n" not in after.replace("\r\n", "")
    plain = json.loads(re.sub(r",(\s*})", r"\1", re.sub(r"//.*|/\*.*?\*/", "", after.removeprefix("\ufeff"))))
    entry = plain["servers"].pop("hitl")
    assert entry.items() >= SERVER.items()
    assert entry.get("disabled") == (True if "disabled" in before else None)
    assert "already right" in run("vscode", "--file", target, "--write").stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"servers": {"hitl": {"command": "x" /* mine */}}}', "Comments stand inside servers.hitl"),
        ('{"servers": {"a": {}}, "servers": {"b": {}}}', "'servers' is there twice"),
        ('{"servers": {"hitl": {}, "hitl": {"command": "x"}}}', "'hitl' is there twice"),
    ],
)
def test_what_cannot_be_changed_safely_is_printed_instead(content: str, why: str, tmp_path: Path) -> None:
    target = tmp_path / "mcp.json"
    target.write_text(content)
    refused = run("vscode", "--file", target, "--write", "--yes")
    assert refused.exit_code == 2 and why in refused.stderr and '"-m"' in refused.stderr
    assert target.read_text() == content and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "before",
    [
        "", "# only a comment\n", "[mcp_servers]\n",
        '[mcp_servers.hitl]\ncommand = "x" # mine\n\n[other]\na = 1 # one\n',
        '[mcp_servers.hitl]\ncommand = "x"\n[mcp_servers.hitl.env]\nHITL_LOOP = "Team" # theirs\n[z]\nq = 1\n',
        "[mcp_servers.hitl]\ncommand = 'x'\nenv = { A = 'b' }\n", 'mcp_servers.hitl.command = "x" # dotted\n[z]\n',
        '[mcp_servers.a]\nurl = "#x"\n[z]\nq = 1 # here\n[mcp_servers.b]\nurl = "y"\n', "a = 1\r\n[mcp_servers.b]\r\n",
        'mcp_servers = { a = { command = "x" } }\n', '[mcp_servers."a.b"]\nurl = "x"\n', "[[list]]\na = 1\n",
    ],
)  # fmt: skip
def test_every_form_of_a_toml_file_keeps_what_it_says(before: str, tmp_path: Path) -> None:
    target = tmp_path / "config.toml"
    target.write_bytes(before.encode())
    written = run("codex", "--file", target, "--write", "--yes")
    assert written.exit_code == 0, written.output
    expected = tomllib.loads(before)
    old = expected.get("mcp_servers", {}).pop("hitl", {})
    after = tomllib.loads(target.read_text())
    entry = after["mcp_servers"].pop("hitl")
    assert entry.pop("env", None) == old.get("env")
    assert entry == SERVER | {"tool_timeout_sec": 3700}
    assert after == expected | {"mcp_servers": expected.get("mcp_servers", {})}
    for comment in re.findall(r"#.*", before):
        assert comment in target.read_text()
    assert ("\r\n" in before) == ("\r\n" in target.read_bytes().decode())
    assert "already right" in run("codex", "--file", target, "--write").stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('[mcp_servers.hitl]\ncommand = "x" # of the team\n', "# of the team"),
        ('[mcp_servers.hitl]\ncommand = "x"\nargs = [\n  "a", # why\n]\n', "# why"),
        ('[mcp_servers.hitl.env]\nA = "b"\n[z]\n[mcp_servers.hitl]\ncommand = "x"\n', "unusual order"),
        ('[mcp_servers.hitl]\ncommand = "x"\n[z]\n[mcp_servers.hitl.tools.ask]\nenabled = true\n', "unusual"),
    ],
)
def test_a_toml_file_that_cannot_be_changed_safely_stays(content: str, why: str, tmp_path: Path) -> None:
    target = tmp_path / "config.toml"
    target.write_text(content)
    refused = run("codex", "--file", target, "--remote", "https://h.example", "--write", "--yes")
    assert refused.exit_code == 2 and why in refused.stderr and "bearer_token_env_var" in refused.stderr
    assert target.read_text() == content


def test_a_link_stays_a_link_and_a_mode_stays_a_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.json", tmp_path / "claude.json"
    real.write_text("{}")
    real.chmod(0o640)
    link.symlink_to(real)
    assert run("claude-code", "--file", link, "--write", "--yes").exit_code == 0
    assert link.is_symlink() and "hitl" in real.read_text() and real.stat().st_mode & 0o777 == 0o640


def test_a_file_that_another_program_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("{}")
    file = disk.read(target)
    text = change.changed(CLIENTS[0], file.text, Wanted())
    target.write_text('{"new": true}')
    with pytest.raises(NotConfigured, match="Run this again"):
        disk.replace(file, text)
    assert target.read_text() == '{"new": true}'
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    refused = run("cursor", "--file", tmp_path / "plain" / "mcp.json", "--write", "--yes")
    assert refused.exit_code == 2 and "mcp.json" in refused.stderr


@pytest.mark.parametrize(
    ("platform", "appdata", "files"),
    [
        ("linux", None, {
            "claude-desktop": ".config/Claude/claude_desktop_config.json", "claude-code": ".claude.json",
            "cursor": ".cursor/mcp.json", "vscode": ".config/Code/User/mcp.json", "codex": ".codex/config.toml",
            "gemini": ".gemini/settings.json", "windsurf": ".codeium/windsurf/mcp_config.json",
            "zed": ".config/zed/settings.json",
        }),
        ("darwin", None, {
            "claude-desktop": "Library/Application Support/Claude/claude_desktop_config.json",
            "vscode": "Library/Application Support/Code/User/mcp.json", "zed": ".config/zed/settings.json",
        }),
        ("win32", "/h/Roam", {"claude-desktop": "Roam/Claude/claude_desktop_config.json",
                              "vscode": "Roam/Code/User/mcp.json", "zed": "Roam/Zed/settings.json"}),
    ],
)  # fmt: skip
def test_each_client_has_its_file_on_each_system(platform: str, appdata: str | None, files: dict[str, str]) -> None:
    found = {client.name: client.file(platform, Path("/h"), appdata).as_posix() for client in CLIENTS}
    assert found.items() >= {name: f"/h/{path}" for name, path in files.items()}.items()


def test_the_written_block_starts_the_server_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "hitl_mcp.py").write_text("raise SystemExit('not this one')")
    entry = json.loads(run("claude-desktop").stdout)["mcpServers"]["hitl"]
    started = subprocess.run(
        [entry["command"], *entry["args"], "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert started.returncode == 0 and "hitl-mcp" in started.stdout
