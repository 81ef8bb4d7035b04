"""Providers over HTTP with aiohttp: guarded dialling, no redirects, no compression, bounded answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import aiohttp
from yarl import URL

from services.common.dialing import AddressRefused, GuardedResolver
from services.common.networks import Network
from services.relay.upstream.port import MAX_ANSWER_BYTES, Interrupted, NotSent, Target

MAX_CONNECTIONS = 1024
CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 15.0
DNS_CACHE_S = 10
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "orca-relay"}


class HttpAnswer:
    """One answer of a provider."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.event_stream = response.content_type == "text/event-stream"

    async def read(self) -> bytes:
        """The whole body."""
        parts = [chunk async for chunk in self.chunks()]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        size = 0
        try:
            async for chunk in self._response.content.iter_any():
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    raise Interrupted("the provider's answer is too large")
                yield chunk
        except TimeoutError:
            raise Interrupted("the provider did not answer in time", timed_out=True) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Interrupted(f"the provider's connection broke ({type(error).__name__})") from None
        self._response.release()

    def abort(self) -> None:
        """Closes the connection unless the answer was read to its end."""
        self._response.close()


class HttpUpstream:
    """Sends to OpenAI-compatible servers."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._resolver = GuardedResolver(allowed)
        self._session: aiohttp.ClientSession | None = None

    def _open_session(self) -> aiohttp.ClientSession:
        # Created on first use, since a session belongs to the running loop.
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                limit=MAX_CONNECTIONS,
                keepalive_timeout=KEEP_ALIVE_S,
                ttl_dns_cache=DNS_CACHE_S,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "User-Agent"),
            )
        return self._session

    async def send(self, target: Target, body: bytes) -> HttpAnswer:
        """Posts to `{base_url}/chat/completions`."""
        headers = {**_HEADERS, "Authorization": f"Bearer {target.api_key}"} if target.api_key else _HEADERS
        try:
            url = URL(target.base_url.rstrip("/") + "/chat/completions")
            if url.scheme not in ("http", "https") or not url.host:
                raise NotSent("the channel's base URL is not an http(s) URL")
            self._resolver.check_literal(url.host)
            response = await self._open_session().post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=target.total_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=target.idle_s
                ),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, AddressRefused) as error:
            raise NotSent(f"the provider cannot be reached ({type(error).__name__})") from None
        except (aiohttp.InvalidURL, ValueError):
            raise NotSent("the channel's base URL or credential is malformed") from None
        except TimeoutError:
            raise Interrupted("the provider did not answer in time", timed_out=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Interrupted(f"the provider's connection broke ({type(error).__name__})") from None
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise Interrupted("the provider compressed its answer although that was not accepted")
        return HttpAnswer(response)

    async def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None
