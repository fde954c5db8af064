"""The outgoing guard over real sockets: what it refuses is never connected to (H5, H12, H39)."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.abc import ByteStream, Listener, SocketAttribute
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_mcp.errors import BadRequest, HITLError, NotConfigured, Unreachable
from hitl_mcp.service.outgoing import Outgoing, fetch_image, fetch_images
from hitl_mcp.service.outgoing.addresses import SETTING, AllowList, is_public
from hitl_mcp.service.outgoing.images import MAX_BYTES, MAX_PIECES
from hitl_mcp.service.outgoing.names import MAX_LOOKUPS, look_up
from tests.world import WAIT, eventually

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 40
GIF = b"GIF89a" + b"\0" * 40
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
NAME = "pictures.example"

Page = Callable[[ByteStream], Awaitable[None]]


@dataclass
class Site:
    """A web server of the test's own; it counts who connects."""

    pages: dict[str, Page]
    scheme: str = "http"
    port: int = 0
    requests: list[str] = field(default_factory=list[str])
    connections: int = 0

    def url(self, path: str = "/x.png", host: str = "127.0.0.1") -> str:
        """An address on this server."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def serve(self, stream: ByteStream) -> None:
        """One connection, one answer."""
        self.connections += 1
        async with stream:
            head = b""
            try:
                while b"\r\n\r\n" not in head:
                    head += await stream.receive()
                self.requests.append(head.decode())
                await self.pages[head.split()[1].decode()](stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return  # the caller has seen enough


@asynccontextmanager
async def site(pages: dict[str, Page] | None = None, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Site]:
    """The server on a free port of loopback; by default its only page is a PNG."""
    on = Site(pages or {"/x.png": page(PNG)}, "https" if tls else "http")
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    on.port = plain.extra(SocketAttribute.local_port)
    listener: Listener[ByteStream] = TLSListener(plain, tls, standard_compatible=False) if tls else plain
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, on.serve)
        with anyio.fail_after(WAIT):
            yield on
        tasks.cancel_scope.cancel()


def page(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Page:
    """An answer of one piece."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]

    async def send(stream: ByteStream) -> None:
        await stream.send("\r\n".join(lines).encode() + body)

    return send


def moved(target: str) -> Page:
    """A redirect."""
    return page(b"", f"Location: {target}", status="302 Found")


def endless(*headers: str) -> Page:
    """A PNG that never ends."""

    async def send(stream: ByteStream) -> None:
        await stream.send("\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode())
        await stream.send(b"10000\r\n" + PNG.ljust(65536, b"\0") + b"\r\n" if headers else PNG)
        while True:
            await stream.send(b"10000\r\n" + b"\0" * 65536 + b"\r\n" if headers else b"\0" * 65536)

    return send


async def stalled(stream: ByteStream) -> None:
    """A PNG whose rest never comes."""
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + PNG)
    await anyio.sleep_forever()


@dataclass
class Names:
    """A name server of the test's own: the answers of each lookup, one after another."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, host: str) -> Sequence[str]:
        """Addresses of a host."""
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


async def refusal(outgoing: Outgoing, url: str, *, seconds: float = WAIT) -> str:
    """What a caller is told who may not have this picture."""
    with pytest.raises(BadRequest) as caught:
        await fetch_image(outgoing, url, seconds=seconds)
    return str(caught.value)


async def untouched(on: Site) -> bool:
    """Whether nobody connected so far: connections are served in their order, so that ours is the first."""
    on.pages["/probe"] = page(PNG)
    await fetch_image(Outgoing(["127.0.0.1"]), on.url("/probe"))
    return on.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "127.0.0.1."])
async def test_a_private_address_is_refused_and_nothing_is_connected(host: str) -> None:
    async with site() as on:
        told = await refusal(Outgoing(), on.url(host=host))
        assert "leads to a private address (" in told and SETTING in told
        assert await untouched(on)


async def test_a_name_of_a_private_address_is_refused_and_the_address_is_not_told() -> None:
    async with site() as on:
        told = await refusal(Outgoing(), on.url(host="localhost"))
        assert (
            "leads to a private address." in told and SETTING in told and "127.0.0.1" not in told and "::1" not in told
        )
        assert await untouched(on)


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "127.0.0.1:{port}", " 127.0.0.0/8:{port} "])
async def test_what_the_operator_named_is_fetched(entry: str) -> None:
    async with site() as on:
        image = await fetch_image(Outgoing([entry.format(port=on.port)]), on.url())
    assert (image.url, image.content_type, image.data) == (on.url(), "image/png", PNG)
    assert image.digest == hashlib.sha256(PNG).hexdigest()
    assert "accept-encoding: identity" in on.requests[0].lower()


async def test_a_name_the_operator_named_is_fetched_whatever_it_resolves_to() -> None:
    async with site() as on:
        names = Names([["127.0.0.1"]])
        await fetch_image(Outgoing([f"Pictures.Example:{on.port}"], resolver=names), on.url(host="PICTURES.example"))
        await fetch_image(Outgoing(["localhost"]), on.url(host="localhost"))
    assert f"host: {NAME}:{on.port}\r\n" in on.requests[0].lower()


async def test_another_port_than_the_named_one_is_refused() -> None:
    async with site() as on:
        for entry in (f"127.0.0.1:{on.port + 1}", f"localhost:{on.port}"):
            assert SETTING in await refusal(Outgoing([entry]), on.url())
        assert await untouched(on)


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async with site() as on:
        names = Names([["93.184.215.14", "127.0.0.1"]])
        assert "private address" in await refusal(Outgoing(resolver=names), f"https://{NAME}:{on.port}/x.png")
        assert await untouched(on)


async def test_a_name_is_resolved_once_so_that_nothing_is_rebound() -> None:
    async with site() as on:
        names = Names([["127.0.0.1"], ["10.0.0.1"]])
        await fetch_image(Outgoing(["127.0.0.1"], resolver=names), on.url(host=NAME))
        assert names.asked == [NAME]
        assert "private address" in await refusal(Outgoing(["127.0.0.1"], resolver=names), on.url(host=NAME))


async def test_the_next_judged_address_is_tried_when_the_first_is_dead() -> None:
    async with site() as on:
        names = Names([["127.0.0.2", "127.0.0.1"]])
        assert (await fetch_image(Outgoing(["127.0.0.0/8"], resolver=names), on.url(host=NAME))).data == PNG


async def test_a_redirect_to_a_private_address_is_refused_and_nothing_is_connected() -> None:
    async with site() as inner, site({"/x.png": moved(inner.url(host="localhost"))}) as on:
        told = await refusal(Outgoing([f"127.0.0.1:{on.port}"]), on.url())
        assert f"redirects to {inner.url(host='localhost')}, which leads to a private address" in told
        assert await untouched(inner)


async def test_redirects_are_followed_three_times() -> None:
    async with site({"/x.png": page(PNG), "/1": moved("/x.png"), "/2": moved("1"), "/3": moved("./2")}) as on:
        on.pages["/4"] = moved(on.url("/3"))
        outgoing = Outgoing(["127.0.0.1"])
        assert (await fetch_image(outgoing, on.url("/3"))).data == PNG
        assert "redirects more than 3 times" in await refusal(outgoing, on.url("/4"))


@pytest.mark.parametrize(
    "target", ["/x.png", "http://[", "ftp://127.0.0.1/x.png", "//u:p@127.0.0.1/", "https://xn--a-/"]
)
async def test_a_redirect_that_leads_nowhere_is_refused(target: str) -> None:
    async with site({"/x.png": moved(target)}) as on:
        assert "redirects" in await refusal(Outgoing(["127.0.0.1"], resolver=Names([["10.1.1.1"]])), on.url())


async def test_without_redirects_the_redirect_is_the_answer() -> None:
    async with site({"/hook": moved("/elsewhere")}) as on:
        outgoing = Outgoing(["127.0.0.1"])
        async with outgoing.open(on.url("/hook"), method="POST", headers={"X-Event": "e1"}, content=b"{}") as answer:
            assert answer.status == 302
    assert on.requests[0].startswith("POST /hook ") and "x-event: e1" in on.requests[0].lower()
    assert "content-length: 2" in on.requests[0].lower()


@pytest.mark.parametrize(
    ("body", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")]
)
async def test_the_first_bytes_decide_the_type(body: bytes, kind: str) -> None:
    async with site({"/x.png": page(body, "Content-Type: text/html")}) as on:
        assert (await fetch_image(Outgoing(["127.0.0.1"]), on.url())).content_type == kind


@pytest.mark.parametrize(
    "body", [SVG, b"<!doctype html>", b"", b"\x89PNG", b"RIFF\0\0\0\0WAVEfmt ", b"BM" + b"\0" * 50]
)
async def test_anything_else_is_refused_whatever_its_server_calls_it(body: bytes) -> None:
    async with site({"/x.png": page(body, "Content-Type: image/png")}) as on:
        told = await refusal(Outgoing(["127.0.0.1"]), on.url())
        assert "PNG, JPEG, GIF and WebP, not SVG" in told and "script" not in told


LARGE: dict[str, Page] = {
    "an honest length": page(PNG, length=MAX_BYTES + 1),
    "no length": endless(),
    "chunks": endless("Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("answer", LARGE.values(), ids=LARGE)
async def test_a_body_that_is_too_large_is_not_read_to_its_end(answer: Page) -> None:
    async with site({"/x.png": answer}) as on:
        assert "larger than 10 MiB" in await refusal(Outgoing(["127.0.0.1"]), on.url())


BROKEN: dict[str, Page] = {
    "too short": page(PNG, length=1000),
    "no number": page(PNG, "Content-Length: many"),
    "no HTTP": lambda stream: stream.send(b"hello\r\n\r\n"),
    "nothing": lambda stream: stream.aclose(),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_an_answer_that_breaks_off_is_no_image(answer: Page) -> None:
    async with site({"/x.png": answer}) as on:
        assert "broke off its answer" in await refusal(Outgoing(["127.0.0.1"]), on.url())


async def test_a_body_in_crumbs_is_refused() -> None:
    crumbs = b"".join(b"1\r\n%c\r\n" % byte for byte in PNG.ljust(MAX_PIECES + 1, b"\0"))
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + crumbs + b"0\r\n\r\n"
    async with site({"/x.png": lambda stream: stream.send(body)}) as on:
        assert "small pieces" in await refusal(Outgoing(["127.0.0.1"]), on.url())


async def test_what_follows_a_length_that_is_too_small_is_not_part_of_the_image() -> None:
    async with site({"/x.png": page(PNG, length=20)}) as on:
        assert (await fetch_image(Outgoing(["127.0.0.1"]), on.url())).data == PNG[:20]


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with site({"/x.png": stalled}) as on:
        assert "was not there within 0.3 seconds" in await refusal(Outgoing(["127.0.0.1"]), on.url(), seconds=0.3)


async def test_compression_and_errors_of_the_server_are_refused() -> None:
    pages = {"/x.png": page(PNG, "Content-Encoding: gzip"), "/gone": page(PNG, status="404 Not Found")}
    async with site(pages) as on:
        assert "compressed" in await refusal(Outgoing(["127.0.0.1"]), on.url())
        assert "status 404" in await refusal(Outgoing(["127.0.0.1"]), on.url("/gone"))


async def test_nobody_there_and_no_such_name() -> None:
    async with site() as on:
        port = on.port
    assert "could not be reached" in await refusal(Outgoing(["127.0.0.1"]), f"http://127.0.0.1:{port}/x.png")
    assert "has no address" in await refusal(Outgoing(), "https://nowhere.invalid/x.png")
    assert "has no address" in await refusal(Outgoing(), f"https://{'a' * 64}.example/x.png")


async def test_lookups_that_were_given_up_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), threading.Semaphore(0)

    def hanging(*_: object, **__: object) -> list[tuple[object, ...]]:
        asked.release()
        answer.wait(WAIT)
        return [(2, 1, 6, "", ("93.184.215.14", 0))]

    def started() -> None:
        for _ in range(MAX_LOOKUPS):
            assert asked.acquire(timeout=WAIT)

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", hanging)
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(MAX_LOOKUPS):
                    tasks.start_soon(look_up, "slow.example")
                await anyio.to_thread.run_sync(started)
                tasks.cancel_scope.cancel()
            with pytest.raises(Unreachable, match="Too many host names"):
                await look_up("slow.example")
        finally:
            answer.set()

        async def free() -> bool:
            with suppress(Unreachable):
                return await look_up("slow.example") == ["93.184.215.14"]
            return False

        await eventually(free)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/x.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//example.com/x.png",
        "x.png",
        "",
        "https:///x.png",
        "https://user:secret@example.com/x.png",
        "https://secret@example.com/x.png",
        "https://example.com:0/x.png",
        "https://example.com:65536/x.png",
        "https://example.com:port/x.png",
        "https://256.1.1.1/x.png",
        "https://0177.0.0.1/x.png",
        "https://[::1/x.png",
        "https://exa mple.com\n/x.png",
        "https://\ud800/x.png",
    ],
)
async def test_an_address_that_is_no_plain_web_address_is_refused(url: str) -> None:
    names = Names([["93.184.215.14"]])
    assert "secret" not in await refusal(Outgoing(resolver=names), url)
    assert names.asked == []


async def test_plain_http_to_a_public_address_names_the_setting() -> None:
    told = await refusal(Outgoing(resolver=Names([["93.184.215.14"]])), "http://example.com/x.png?token=secret")
    assert "http://example.com/x.png is plain http" in told and SETTING in told and "secret" not in told


async def test_an_address_is_checked_without_a_call() -> None:
    async with site() as on:
        await Outgoing(["127.0.0.1"]).check(on.url())
        await Outgoing(resolver=Names([["93.184.215.14"]])).check("https://example.com/hook")
        with pytest.raises(BadRequest):
            await Outgoing().check(on.url())
        with pytest.raises(Unreachable):
            await Outgoing(resolver=Names([[]])).check("https://example.com/hook")
        assert await untouched(on)


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side of TLS for a name, and a client's side that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem, secret)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_the_certificate_is_checked_against_the_name_in_the_address(tmp_path: Path) -> None:
    server, client = certificates(tmp_path, NAME)
    asked_for: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    async with site({"/x.png": page(PNG), "/down": moved("http://127.0.0.1/x.png")}, server) as on:
        names = Names([["127.0.0.1"]])
        outgoing = Outgoing(["127.0.0.1"], resolver=names, tls=client)
        assert (await fetch_image(outgoing, on.url(host=NAME))).data == PNG
        assert "not trusted" in await refusal(outgoing, on.url(host="other.example"))
        assert "not trusted" in await refusal(outgoing, on.url(host="127.0.0.1"))
        assert "not trusted" in await refusal(Outgoing(["127.0.0.1"], resolver=names), on.url(host=NAME))
        assert "from https down to plain http" in await refusal(outgoing, on.url("/down", host=NAME))
    assert asked_for == [NAME, "other.example", None, NAME, NAME]


async def test_several_images_come_in_their_order_and_twice_the_same_is_one_fetch() -> None:
    pages = {"/a": page(PNG), "/b": page(GIF), "/c": page(JPEG)}
    async with site(pages) as on:
        urls = [on.url(path) for path in ("/c", "/a", "/b", "/a")]
        images = await fetch_images(Outgoing(["127.0.0.1"]), urls)
        assert [image.url for image in images] == urls
        assert [image.data for image in images] == [JPEG, PNG, GIF, PNG]
        assert on.connections == 3
    assert await fetch_images(Outgoing(), []) == []


async def test_one_bad_image_refuses_all_at_once() -> None:
    async with site({"/slow": stalled, "/svg": page(SVG)}) as on:
        with pytest.raises(BadRequest, match="/svg is not an image"):
            await fetch_images(Outgoing(["127.0.0.1"]), [on.url("/slow"), on.url("/svg")], seconds=WAIT * 2)


async def test_images_are_bounded_in_number_and_together() -> None:
    async with site({f"/{n}": page(PNG.ljust(8 * 1024**2, b"\0")) for n in range(11)}) as on:
        urls = [on.url(f"/{n}") for n in range(11)]
        with pytest.raises(BadRequest, match="at most 10"):
            await fetch_images(Outgoing(["127.0.0.1"]), urls)
        assert on.connections == 0
        assert len(await fetch_images(Outgoing(["127.0.0.1"]), urls[:2])) == 2
        with pytest.raises(BadRequest, match="together are larger than 20 MiB"):
            await fetch_images(Outgoing(["127.0.0.1"]), urls[:3])


PRIVATE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
]


@st.composite
def private_hosts(draw: st.DrawFn) -> str:
    """A private IPv4 address, as somebody may write it who wants to get past a guard."""
    address = draw(st.sampled_from(PRIVATE).flatmap(lambda network: st.ip_addresses(network=network)))
    assert isinstance(address, IPv4Address)
    number, (a, b, c, d) = int(address), address.packed
    spellings = [
        *(str(address), f"{address}.", str(number), hex(number), f"0{number:o}", f"0X{number:X}"),
        *(f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{c << 8 | d}", f"0{a:o}.0x{b:x}.{c}.{d}", f"{a}。{b}。{c}。{d}"),
        *(f"[::ffff:{address}]", f"[::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}]", f"[64:ff9b::{address}]", f"[::{address}]"),
        *(f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]", f"[2001:0:4136:e378:8000:63bf:{number >> 16 ^ 0xFFFF:x}:1]"),
        *(f"[64:ff9b:1::{address}]", f"[fe80::{address}]", f"[fe80::{address}%25eth0]", f"[fc00::{address}]"),
    ]
    return draw(st.sampled_from(spellings))


async def no_names(host: str) -> list[str]:
    """Knows no name, so that only what a host spells itself is judged."""
    raise Unreachable(f"The name {host} has no address")


@given(private_hosts(), st.sampled_from(["http", "https"]))
@settings(max_examples=300, deadline=None)
def test_no_spelling_of_a_private_address_gets_past(host: str, scheme: str) -> None:
    with pytest.raises(BadRequest):
        anyio.run(Outgoing(resolver=no_names).check, f"{scheme}://{host}/x.png")


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://[", "https://a:", "https://xn--"]))
@settings(max_examples=300, deadline=None)
def test_any_text_is_refused_in_words(text: str, before: str) -> None:
    with pytest.raises(HITLError):
        anyio.run(Outgoing(resolver=no_names).check, f"{before}{text}\0")
    try:
        anyio.run(Outgoing(resolver=no_names).check, f"{before}{text}")
    except HITLError:
        return


@given(st.ip_addresses(v=4), st.ip_addresses(v=6))
@settings(max_examples=500, deadline=None)
def test_only_global_addresses_are_public(four: IPv4Address, six: IPv6Address) -> None:
    wrapped = [IPv6Address(int(IPv6Address(prefix)) + int(four)) for prefix in ("::ffff:0:0", "64:ff9b::")]
    assert {is_public(address) for address in wrapped} == {is_public(four)}
    if is_public(four):
        assert four.is_global and not four.is_multicast and not four.is_reserved
    if is_public(six) and six.ipv4_mapped is None and six not in ip_network("64:ff9b::/96"):
        assert six.is_global and not six.is_multicast and not six.is_reserved and six.teredo is None


@pytest.mark.parametrize("text", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_public(text: str) -> None:
    address = IPv6Address(text) if ":" in text else IPv4Address(text)
    assert is_public(address)


def test_the_operators_list_is_read() -> None:
    allow = AllowList(["Hooks.Internal.", "n8n:5678", "10.0.0.0/8", "[::1]:5678", "fd00::/8", "", " "])
    assert allow.names("hooks.internal", 1) and allow.names("n8n", 5678) and not allow.names("n8n", 80)
    assert allow.covers(IPv4Address("10.9.9.9"), 1) and allow.covers(IPv6Address("::ffff:10.0.0.1"), 1)
    assert allow.covers(IPv6Address("::1"), 5678) and not allow.covers(IPv6Address("::1"), 80)
    assert allow.covers(IPv6Address("fd12::1"), 1) and not allow.covers(IPv4Address("11.0.0.1"), 1)


@pytest.mark.parametrize(
    "entry", ["http://n8n:5678", "n8n:0", "n8n:99999", "10.0.0.1/8", "8080", "a b", "*.internal", "[n8n]"]
)
def test_an_entry_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(NotConfigured, match=SETTING):
        Outgoing([entry])
