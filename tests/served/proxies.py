"""Real TLS proxies in front of a server, with the configuration that docs/team.md shows."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import anyio
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.world import WAIT

DOCUMENT = Path(__file__).parents[2] / "docs" / "team.md"
Kind = Literal["caddy", "nginx"]
PORTS = "127.0.0.1:8000"
"""Where the document has the server listen."""


def needs(kind: Kind) -> pytest.MarkDecorator:
    """Skips where the proxy is not installed."""
    path = shutil.which(kind, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/bin")
    return pytest.mark.skipif(path is None, reason=f"needs {kind}: apt-get install {kind}")


@dataclass(frozen=True)
class Proxy:
    """A running proxy.

    Attributes:
        authority: file with the certificate of who signed its own.
    """

    url: str
    authority: Path

    def client(self, key: str | None = None, *, address: str | None = None) -> httpx2.AsyncClient:
        """A program that calls through it, and trusts nothing but its authority.

        Args:
            address: of the machine's own, from which it calls.
        """
        trusted = ssl.create_default_context(cafile=self.authority)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        transport = httpx2.AsyncHTTPTransport(verify=trusted, local_address=address or "127.0.0.1")
        return httpx2.AsyncClient(base_url=self.url, headers=headers, transport=transport, timeout=WAIT * 4)


@asynccontextmanager
async def proxy(kind: Kind, folder: Path, url: str, port: int) -> AsyncGenerator[Proxy]:
    """The proxy for `url` in front of the server on `port`, once it answers."""
    folder.mkdir()
    command, authority = (_caddy if kind == "caddy" else _nginx)(folder, url, port)
    with (folder / "log").open("wb") as log:
        environment = {"HOME": str(folder), "PATH": "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/bin"}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        with anyio.fail_after(WAIT * 2):
            while not await _answers(Proxy(url, authority)):
                assert process.poll() is None, (folder / "log").read_text()
                await anyio.sleep(0.05)
        yield Proxy(url, authority)
    finally:
        process.kill()  # it would wait for the streams of pages that are still open
        process.wait(WAIT)


async def _answers(one: Proxy) -> bool:
    if not one.authority.exists():
        return False
    try:
        async with one.client() as http:
            return (await http.get("/health")).status_code == 200
    except httpx2.TransportError:
        return False


def _shown(language: str, port: int) -> str:
    """The document's configuration, for this server's port."""
    found = re.search(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None and PORTS in found[1]
    return found[1].replace(PORTS, f"127.0.0.1:{port}")


def _caddy(folder: Path, url: str, port: int) -> tuple[list[str], Path]:
    options = f"admin off\nauto_https disable_redirects\nskip_install_trust\nstorage file_system {folder}/kept"
    shown = _shown("text", port).replace("hitl.example.com {", f"{url} {{\n    tls internal")
    (folder / "Caddyfile").write_text(f"{{\n{options}\n}}\n{shown}")
    return ["caddy", "run", "--config", str(folder / "Caddyfile")], folder / "kept/pki/authorities/local/root.crt"


def _nginx(folder: Path, url: str, port: int) -> tuple[list[str], Path]:
    authority = _certificate(folder)
    shown = _shown("nginx", port)
    for former, now in {
        "listen 443 ": f"listen {url.rpartition(':')[2]} ",
        "hitl.example.com": "localhost",
        "/etc/ssl/hitl/fullchain.pem": str(folder / "own.crt"),
        "/etc/ssl/hitl/key.pem": str(folder / "own.key"),
    }.items():
        assert former in shown, former
        shown = shown.replace(former, now)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    kept = "\n".join(f"{name}_temp_path {folder}/{name};" for name in kinds)
    around = f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{around}http {{\naccess_log off;\n{kept}\n{shown}}}\n")
    return ["nginx", "-c", str(folder / "nginx.conf"), "-e", "stderr"], authority


def _certificate(folder: Path) -> Path:
    """A certificate for `localhost` of an authority of its own, whose file is returned."""
    root_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")]), datetime.now(UTC)

    def signed(name: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> bytes:
        begun = x509.CertificateBuilder().subject_name(name).issuer_name(root_name).public_key(key)
        dated = begun.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        made = dated.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
        return made.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    (folder / "own.crt").write_bytes(signed(own_name, own_key.public_key(), names))
    secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "own.key").write_bytes(own_key.private_bytes(serialization.Encoding.PEM, *secret))
    (folder / "root.crt").write_bytes(signed(root_name, root_key.public_key(), x509.BasicConstraints(True, None)))
    return folder / "root.crt"
