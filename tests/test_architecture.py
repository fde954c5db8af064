"""The law of imports and of size. What it forbids is a change of architecture; change the design first."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "hitl_mcp"
MODULES = sorted(path for path in ROOT.rglob("*.py"))

# A package may import itself, what is listed, and nothing else of ours. The longest matching name holds.
LAW: dict[str, tuple[str, ...]] = {
    "": ("errors", "sdk"),
    "errors": (),
    "settings": ("errors",),
    "backoff": (),
    "contract": ("errors",),
    "sdk": ("backoff", "errors", "contract", ""),
    "sdk.choosing": ("errors", "sdk", "settings"),
    "sdk.reviews.defaults": ("settings",),
    "exceptions": ("errors",),
    "retry": ("backoff", "errors", "sdk.once"),
    "webhooks": ("errors", "contract"),
    "tools": ("errors", "contract", "sdk", ""),
    "service": ("backoff", "errors", "contract", ""),
    "service.run": ("errors", "contract", "settings", "service", ""),
    "service.storage": ("errors", "settings", "service"),
    "service.store": ("backoff", "errors", "contract"),
    "service.broker": (
        "backoff",
        "service.store",
    ),
    "service.lifecycle": ("errors", "contract", "service"),
    "launcher": ("errors", "contract", "settings", "sdk", "service.run", ""),
    "backends": ("launcher", "sdk", "settings"),
    "background": ("errors", "contract", "settings", "service.run"),
    "verify": ("contract.chain",),
    "doctor": ("errors", "contract", "sdk", "backends", "console", "settings"),
    "console": ("launcher", "sdk", "settings", "service.run"),
    "serving": ("launcher", "sdk", "service.context", "service.web.logs", "service.run", "settings", "tools.http"),
    "stdio": ("errors", "settings", "sdk", "tools", "backends"),
    "terminal": ("errors", "settings"),
    "reviewing": ("errors", "contract", "sdk", "launcher", "terminal"),
    "clients": ("errors",),
    "demo": ("errors", "contract", "sdk", "launcher", "settings"),
    "cli": (
        "errors",
        "contract",
        "settings",
        "sdk",
        "launcher",
        "reviewing",
        "terminal",
        "clients",
        "demo",
        "backends",
        "console",
        "doctor",
        "serving",
        "verify",
        "service.local.folder",
        "service.store.backup",
        "service.store.migrate_postgres",
        "service.notify.browser",
        "",
    ),
    "__main__": ("stdio", "background", "cli"),
}
# Third parties keep to their ring.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "sqlalchemy": (
        "service.store",
        "service.rows",
        "service.similar",
        "service.ladders",
        "service.lifecycle",
        "service.loops",
        "service.people",
        "service.guesses",
        "service.sessions",
        "service.sign_in",
        "service.joining",
        "service.invitations",
        "service.leaving",
        "service.loop_settings",
        "service.checks",
        "service.feed",
        "service.keys",
        "service.web.limits",
        "service.media",
        "service.members",
        "service.templates",
        "service.tokens",
        "service.membership",
        "service.search",
        "service.outbox",
        "service.webhooks",
        "service.notify",
        "service.operating",
    ),
    "asyncpg": ("service.store", "service.broker"),
    "segno": ("service.qr",),
    "pythonjsonlogger": ("service.web.logs",),
    "alembic": ("service.store",),
    "fastapi": ("service.web.app", "service.api", "service.web.auth", "service.web.envelope", "service.web.faults"),
    "starlette": ("service", "tools.http"),
    "uvicorn": ("service.run", "service.web.protocol"),
    "httptools": (),
    "jinja2": ("service.inbox",),
    "nh3": ("service.inbox",),
    "markdown_it": ("service.inbox",),
    "mcp": ("tools", "demo"),
    "httpx2": ("sdk.http", "service.outgoing.wire"),
    "httpx": (),
    "tomlkit": ("clients.toml",),
    "requests": (),
    "click": ("cli", "reviewing", "terminal", "demo"),
    "desktop_notifier": ("service.notify",),
    "apprise": ("service.notify",),
    "pywebpush": ("service.notify",),
    "py_vapid": ("service.notify",),
    "cryptography": ("service.notify",),
    "aiosmtplib": ("service.notify",),
    "standardwebhooks": ("contract.signatures", "webhooks"),
    "argon2": ("service.passwords",),
    "prometheus_client": ("service.operating",),
    "pygments": ("service.inbox",),
}
MAX_LINES = 400


def name_of(path: Path) -> str:
    """`service.api.requests` for its file; a package's own name for its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def imports_of(path: Path) -> set[str]:
    """Every module the file imports, at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    """Whether a module lies in a package, or is it."""
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_ring_allows(path: Path) -> None:
    name = name_of(path)
    rule = max((package for package in LAW if package == "" or within(name, package)), key=len)
    assert rule or name == "", f"{name} has no place in the law of imports: add it"
    for imported in sorted(imports_of(path)):
        if not within(imported, "hitl_mcp"):
            continue
        inner = imported.removeprefix("hitl_mcp").removeprefix(".")
        own = rule != "" and within(inner, rule)
        root_name = inner in ("", "__version__")
        allowed = own or any(within(inner, package) if package else root_name for package in LAW[rule])
        assert allowed, f"{name} must not import {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_third_party_stays_in_its_ring(path: Path) -> None:
    name = name_of(path)
    for imported in imports_of(path):
        for library, places in ONLY_IN.items():
            if within(imported, library):
                assert any(within(name, place) for place in places), f"{name} must not import {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_stays_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_service_and_client_never_meet_but_on_the_wire() -> None:
    for path in MODULES:
        name = name_of(path)
        for imported in imports_of(path):
            if within(name, "sdk") or within(name, "tools") or within(name, "contract"):
                assert not within(imported, "hitl_mcp.service"), f"{name} imports {imported}"
            if within(name, "service"):
                assert not within(imported, "hitl_mcp.sdk"), f"{name} imports {imported}"
