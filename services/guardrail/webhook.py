"""Asks operators' webhooks: signed, guarded against internal addresses, bounded in time and size.

Every address is resolved, checked and pinned, at each redirect too; only 307 and 308 are followed, since others
would drop the body. Plain HTTP is dialled only inside `ORCA_UPSTREAM_ALLOW_CIDRS`. A failure is a
`NotEvaluated` with a stable reason; nothing of the question, the answer or the URL is logged.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import aiohttp
from yarl import URL

from services.common.clock import Clock
from services.common.dialing import AddressRefused, GuardedResolver
from services.common.networks import Network
from services.guardrail.ports import NotEvaluated

MAX_ANSWER_BYTES = 256 * 1024
MAX_REDIRECTS = 3
MAX_CONNECTIONS = 256
CONNECT_TIMEOUT_S = 5.0
DNS_CACHE_S = 10
TIMESTAMP_HEADER = "X-Orca-Timestamp"
SIGNATURE_HEADER = "X-Orca-Signature"
_FOLLOWED = (307, 308)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA-256 of `timestamp.body` in hex."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


class HttpWebhook:
    """`ports.Webhook` over aiohttp."""

    def __init__(self, allowed: Sequence[Network], clock: Clock) -> None:
        self._clock = clock
        self._resolvers = {
            "https": GuardedResolver(allowed),
            "http": GuardedResolver(allowed, public=False),
        }
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        # Created on first use, since a session belongs to the running loop.
        session = self._sessions.get(scheme)
        if session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolvers[scheme], limit=MAX_CONNECTIONS, ttl_dns_cache=DNS_CACHE_S
            )
            session = self._sessions[scheme] = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "User-Agent"),
            )
        return session

    async def ask(self, url: str, secret: str, body: bytes, timeout_s: float) -> bytes:
        """See `ports.Webhook`."""
        timestamp = str(self._clock.now_us() // 1_000_000)
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "orca-guardrail",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(secret, timestamp, body),
        }
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        try:
            return await self._follow(URL(url, encoded=True), headers, body, timeout)
        except AddressRefused:
            raise NotEvaluated("address_refused") from None
        except TimeoutError:
            raise NotEvaluated("timeout") from None
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefused)
            raise NotEvaluated("address_refused" if refused else "dependency_down") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise NotEvaluated("dependency_down") from None

    async def _follow(self, url: URL, headers: dict[str, str], body: bytes, timeout: aiohttp.ClientTimeout) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            resolver = self._resolvers.get(url.scheme)
            if resolver is None or not url.host:
                raise NotEvaluated("address_refused")
            resolver.check_literal(url.host)
            async with self._session(url.scheme).post(
                url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                if response.status in _FOLLOWED and (location := response.headers.get("Location")):
                    url = url.join(URL(location))
                    continue
                if not 200 <= response.status < 300:
                    raise NotEvaluated("dependency_down")
                return await _bounded(response)
        raise NotEvaluated("dependency_down")

    async def close(self) -> None:
        """Closes the sessions."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise NotEvaluated("bad_answer")
        parts.append(chunk)
    return b"".join(parts)
