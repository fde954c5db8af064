"""How the clients of others get here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node import CannotInstall, npm_packages

LOCK = """{
  "name": "nothing", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": {"dependencies": {"nothing-of-ours": "1.0.0"}},
    "node_modules/nothing-of-ours": {"version": "1.0.0", "integrity": "sha512-AAAA"}
  }
}"""


def test_a_registry_out_of_reach_is_named_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"registry": "http://127.0.0.1:9", "fetch_retries": "0", "cache": str(tmp_path / "npm")}.items():
        monkeypatch.setenv(f"npm_config_{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "package.json").write_text('{"dependencies": {"nothing-of-ours": "1.0.0"}}', encoding="utf-8")
    (tmp_path / "package-lock.json").write_text(LOCK, encoding="utf-8")

    for _ in range(2):  # what was begun is no installation
        with pytest.raises(CannotInstall, match=r"(?s)reaches the package registries.*ECONNREFUSED"):
            npm_packages(tmp_path)
