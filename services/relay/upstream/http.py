"""Providers over HTTP: guarded dialling, kept connections, no redirects, no compression, bounded answers."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from yarl import URL

from services.common.dialing import AddressRefused, GuardedResolver
from services.common.networks import Network
from services.relay.upstream.connection import Connection, HttpAnswer
from services.relay.upstream.port import Interrupted, NotSent, Target

MAX_CONNECTIONS = 1024
"""Requests under way at once; more wait for their turn within their own time."""
MAX_IDLE = 256
CONNECT_TIMEOUT_S = 10.0
FIRST_ADDRESS_S = 2.0
"""For each address of a name but the last."""
KEEP_ALIVE_S = 15.0
SWEEP_SLACK_S = 0.1
DNS_CACHE_S = 10.0
CACHED_MAX = 1024
_HEADERS = "Content-Type: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: orca-relay\r\n"


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where connections go: those of one origin are interchangeable."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class _Route:
    """What stays the same between requests to one channel; `head` ends before the length's digits."""

    origin: _Origin
    head: bytes


@dataclass(slots=True)
class _Addresses:
    """Checked addresses of a name; each dial begins with another, one that fails is left out until the next look."""

    found: list[str]
    until_s: float


class HttpUpstream:
    """Sends to OpenAI-compatible servers."""

    def __init__(self, allowed: Sequence[Network] = (), tls: ssl.SSLContext | None = None) -> None:
        """`allowed`: private ranges that may be dialled; `tls`: whom to trust, the system's authorities by default."""
        self._resolver = GuardedResolver(allowed)
        self._routes: dict[tuple[str, str], _Route] = {}
        self._names: dict[str, _Addresses] = {}
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._busy: set[Connection] = set()
        self._idle: dict[_Origin, deque[Connection]] = {}
        self._idle_count = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._tls = tls

    async def send(self, target: Target, body: bytes) -> HttpAnswer:
        """Posts to `{base_url}/chat/completions`."""
        route = self._routes.get((target.base_url, target.api_key)) or self._new_route(target)
        left_s = target.total_s
        connection = None if self._turns.locked() else self._take(route.origin)
        if connection is not None:
            await self._turns.acquire()  # a turn is free, so this does not wait
        else:
            clock = asyncio.get_running_loop().time
            ends_s = clock() + left_s
            connection = await self._connected(route.origin, left_s)
            left_s = max(0.0, ends_s - clock())
        self._busy.add(connection)
        answer = connection.post(route.head, body, left_s, target.idle_s)
        try:
            await answer.head()
        except BaseException:
            # Not the connection: where the answer had ended already, it carries somebody else's request by now.
            answer.abort()
            raise
        return answer

    async def close(self) -> None:
        """Closes every connection."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in [*self._busy, *chain(*self._idle.values())]:
            connection.close()
        self._idle.clear()
        self._idle_count = 0

    def _new_route(self, target: Target) -> _Route:
        """Raises NotSent for what is no URL, no header, or no address that may be dialled."""
        try:
            url = URL(target.base_url.rstrip("/") + "/chat/completions")
            # The address is judged as it is dialled.
            if url.scheme not in ("http", "https") or not url.host or url.port is None or url.user or url.password:
                raise NotSent("the channel's base URL is not an http(s) URL without credentials")
            self._resolver.check_literal(url.host)
            head = f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n{_HEADERS}"
            if target.api_key:
                if not target.api_key.isprintable():
                    raise ValueError
                head += f"Authorization: Bearer {target.api_key}\r\n"
            raw = f"{head}Content-Length: ".encode()
        except AddressRefused as error:
            raise NotSent(f"the provider cannot be reached ({type(error).__name__})") from None
        except ValueError:
            raise NotSent("the channel's base URL or credential is malformed") from None
        route = _Route(_Origin(url.raw_host or url.host, url.port, url.scheme == "https"), raw)
        if len(self._routes) >= CACHED_MAX:
            self._routes.clear()
        self._routes[target.base_url, target.api_key] = route
        return route

    def _take(self, origin: _Origin) -> Connection | None:
        """The idle connection that was used last."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            self._idle_count -= 1
            if not connection.closed:
                return connection
        return None

    async def _connected(self, origin: _Origin, total_s: float) -> Connection:
        """A connection and a turn for it. Raises NotSent, Interrupted when the request's own time is over."""
        try:
            async with asyncio.timeout(total_s):
                await self._turns.acquire()
                try:
                    return self._take(origin) or await self._dialled(origin)
                except BaseException:
                    self._turns.release()
                    raise
        except TimeoutError:
            raise Interrupted("the provider did not answer in time", timed_out=True) from None

    async def _dialled(self, origin: _Origin) -> Connection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                addresses = await self._addresses(origin)
                for address in addresses[:-1]:
                    try:
                        async with asyncio.timeout(FIRST_ADDRESS_S):
                            return await self._dial(origin, address)
                    except OSError:  # a time-out is one
                        self._leave_out(origin, address)
                return await self._dial(origin, addresses[-1])
        except OSError as error:
            raise NotSent(f"the provider cannot be reached ({type(error).__name__})") from None
        except ValueError:
            raise NotSent("the channel's base URL or credential is malformed") from None

    async def _dial(self, origin: _Origin, address: str) -> Connection:
        if origin.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(partial(self._done, origin)),
            address,
            origin.port,
            ssl=self._tls if origin.tls else None,
            server_hostname=origin.host.rstrip(".") if origin.tls else None,
        )
        return connection

    async def _addresses(self, origin: _Origin) -> list[str]:
        """Addresses to try, in order. Raises OSError."""
        now_s = asyncio.get_running_loop().time()
        known = self._names.get(origin.host)
        if known is None or known.until_s <= now_s:
            found = await self._resolver.resolve(origin.host, origin.port)
            if len(self._names) >= CACHED_MAX:
                self._names.clear()
            known = self._names[origin.host] = _Addresses([entry["host"] for entry in found], now_s + DNS_CACHE_S)
        order = list(known.found)
        known.found.append(known.found.pop(0))
        return order

    def _leave_out(self, origin: _Origin, address: str) -> None:
        known = self._names.get(origin.host)
        if known is not None and address in known.found and len(known.found) > 1:
            known.found.remove(address)

    def _done(self, origin: _Origin, connection: Connection, reusable: bool) -> None:
        """A request on a connection has ended."""
        self._busy.discard(connection)
        self._turns.release()
        if not reusable:
            return
        if self._idle_count >= MAX_IDLE:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since_s = loop.time()
        self._idle.setdefault(origin, deque()).append(connection)
        self._idle_count += 1
        if self._sweeping is None:
            self._sweeping = loop.call_later(KEEP_ALIVE_S, self._sweep)

    def _sweep(self) -> None:
        """Closes what nobody used for KEEP_ALIVE_S, and forgets origins without connections."""
        loop = asyncio.get_running_loop()
        oldest_s = loop.time() - KEEP_ALIVE_S
        for origin, idle in list(self._idle.items()):
            while idle and (idle[0].closed or idle[0].idle_since_s <= oldest_s):
                idle.popleft().close()
                self._idle_count -= 1
            if not idle:
                del self._idle[origin]
        first_s = min((idle[0].idle_since_s for idle in self._idle.values()), default=None)
        self._sweeping = None if first_s is None else loop.call_later(first_s - oldest_s + SWEEP_SLACK_S, self._sweep)
