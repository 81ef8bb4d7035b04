"""HTTP to MCP servers: the dialled address is the one that was checked, at every hop, and answers are bounded.

The credential is attached here and only to the registered URL itself, so that no redirect carries it. Plain http
is for addresses the operator allowed; everything else needs https.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from ipaddress import ip_address

import httpx2

from services.common.dialing import GuardedResolver
from services.common.networks import Network, contains

ANSWER_BYTES_MAX = 4 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 30.0


class TooLarge(Exception):
    """The server's answer is above the bound."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > ANSWER_BYTES_MAX:
                raise TooLarge
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Checks, pins, authenticates. Raises httpx2.ConnectError for what may not be dialled."""

    def __init__(self, url: str, headers: Mapping[str, str], allowed: Sequence[Network]) -> None:
        self._url = httpx2.URL(url)
        self._headers = dict(headers)
        self._allowed = tuple(allowed)
        self._resolver = GuardedResolver(allowed)
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One hop."""
        url = request.url
        try:
            self._resolver.check_literal(url.host)
            port = url.port or (443 if url.scheme == "https" else 80)
            address = str((await self._resolver.resolve(url.host, port))[0]["host"])
        except (OSError, TimeoutError, UnicodeError):
            raise httpx2.ConnectError("the address may not be dialled or is unknown", request=request) from None
        if url.scheme != "https" and not contains(self._allowed, ip_address(address.partition("%")[0])):
            raise httpx2.ConnectError("the address needs https", request=request)
        headers = request.headers.copy()
        headers["accept-encoding"] = "identity"
        if url == self._url:
            headers.update(self._headers)
        pinned = httpx2.Request(
            request.method,
            url.copy_with(host=address),
            headers=headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        response = await self._inner.handle_async_request(pinned)
        packed = response.headers.get("content-encoding", "identity").lower() != "identity"
        if packed or not isinstance(response.stream, httpx2.AsyncByteStream):
            # The bound is on bytes as they come, and what is packed may be a thousand times as many.
            await response.aclose()
            raise httpx2.ReadError("the answer cannot be read", request=request)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Closes connections."""
        await self._inner.aclose()


def guarded_client(url: str, headers: Mapping[str, str], allowed: Sequence[Network]) -> httpx2.AsyncClient:
    """A client for one server."""
    return httpx2.AsyncClient(
        transport=GuardedTransport(url, headers, allowed),
        timeout=httpx2.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        follow_redirects=False,
        trust_env=False,
    )
