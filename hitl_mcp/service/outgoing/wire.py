"""The one import of the HTTP library here: addresses are parsed, calls are made and failures are put in words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

import httpx2

from hitl_mcp import __version__
from hitl_mcp.errors import BadRequest
from hitl_mcp.service.outgoing.addresses import Address

URL = httpx2.URL
Transport = httpx2.AsyncHTTPTransport
Response = httpx2.Response
TransportError = httpx2.RequestError

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 10.0

_HEADERS = {"User-Agent": f"hitl-mcp-server/{__version__}", "Accept-Encoding": "identity"}
_MAX_SHOWN = 200


def trusted() -> ssl.SSLContext:
    """The certificates of the operating system. Slow: it reads them all."""
    return httpx2.create_ssl_context(trust_env=False)


def new_transport(tls: ssl.SSLContext) -> Transport:
    """For one call, or one origin. Not a client: that keeps cookies, logs addresses, and reads redirects unjudged."""
    return httpx2.AsyncHTTPTransport(verify=tls, trust_env=False)


async def send(
    transport: Transport,
    url: URL,
    host: str,
    addresses: Sequence[Address],
    *,
    method: str,
    headers: Mapping[str, str],
    content: bytes | None,
    silence: float = SILENCE_SECONDS,
) -> Response:
    """Call the first of the addresses that can be connected to; the Host header and TLS keep the name.

    Args:
        transport: of this call, or of this origin.
        url: what is asked for.
        host: the name that the certificate must carry.
        addresses: at least one; nothing else is connected to.
        method: of HTTP.
        headers: in addition to those of every call.
        content: the body.
        silence: seconds without a byte after which it is given up.

    Raises: TransportError.
    """
    timeout = httpx2.Timeout(silence, connect=CONNECT_SECONDS).as_dict()
    failed: httpx2.RequestError = httpx2.ConnectError("no address")
    for address in addresses:
        request = httpx2.Request(
            method,
            url.copy_with(host=str(address)),
            headers={**_HEADERS, **headers, "Host": url.netloc.decode("ascii")},
            content=content,
            extensions={"sni_hostname": host, "timeout": timeout},
        )
        try:
            return await transport.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:  # nothing was sent yet
            failed = error
    raise failed


def parsed(url: str) -> URL:
    """Raises: BadRequest when it is no web address at all."""
    try:
        return httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        raise refused("It is not a valid web address such as https://example.com/picture.png") from None


def joined(base: URL, target: str) -> URL:
    """Where a redirect leads. Raises: BadRequest."""
    try:
        return base.join(target)
    except (httpx2.InvalidURL, ValueError):
        raise refused(f"{shown(base)} redirects to something that is not a web address") from None


def shown(url: URL) -> str:
    """For messages: without user, password, query and fragment, which may be secret; of bounded length."""
    text = str(url.copy_with(userinfo=b"", query=None, fragment=None))
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def why(error: TransportError) -> str:
    """What went wrong, to follow the address in a sentence."""
    if isinstance(error, httpx2.ConnectError):
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return "shows a certificate that is not trusted" if untrusted else "could not be reached"
    return "did not answer in time" if isinstance(error, httpx2.TimeoutException) else "broke off its answer"


def refused(sentence: str) -> BadRequest:
    """The guard's refusal; the sentence says what would be accepted."""
    return BadRequest("The address may not be called", sentence)
