"""Webhooks out: approvals that wait and that were resolved, told to the workspace's own address.

Each delivery is stored with the change it tells of, sent at least once, retried with back-off and then given
up. HTTPS only; the address is resolved and checked here and what was checked is dialled; no redirect is
followed. The signature covers timestamp and body, so that a captured delivery cannot be replayed later.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import ssl
from collections.abc import Sequence

import aiohttp
from yarl import URL

from services.common.clock import Clock
from services.common.dialing import AddressRefused, GuardedResolver
from services.common.errors import Invalid, Unavailable
from services.common.networks import Network
from services.common.storage import Database
from services.common.tasks import end_task
from services.firewall.storage import approvals as rows
from services.firewall.storage import queries
from services.firewall.storage.approvals import Webhook
from services.firewall.vault import WEBHOOK, Sealed, Vault

log = logging.getLogger("orca.firewall")

URL_CHARS_MAX = 2048
SECRET_CHARS_MIN, SECRET_CHARS_MAX = 8, 256
SEND_TIMEOUT_S = 10.0
ATTEMPTS_MAX = 10
BACKOFF_S, BACKOFF_MAX_S = 1.0, 600.0
BATCH_MAX = 16
POLL_S = 1.0
CALLBACK_SKEW_S = 300

EVENT_HEADER = "X-Orca-Event"
TIMESTAMP_HEADER = "X-Orca-Timestamp"
SIGNATURE_HEADER = "X-Orca-Signature"


def checked_url(text: object) -> str:
    """An address that webhooks may have. Raises Invalid."""

    def refuse(problem: str) -> Invalid:
        return Invalid(f"webhook_url: {problem}", param="webhook_url")

    if not isinstance(text, str) or len(text) > URL_CHARS_MAX or not text.isprintable():
        raise refuse(f"must be a URL of at most {URL_CHARS_MAX} characters")
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise refuse("is not a URL") from None
    if url.scheme != "https" or not url.host or port is None:
        raise refuse("must begin with https:// and name a host")
    if url.user is not None or url.password is not None or url.fragment:
        raise refuse("must hold no credentials and no fragment")
    return str(url)


def checked_secret(text: object) -> str:
    """A signing secret. Raises Invalid."""
    if not isinstance(text, str) or not SECRET_CHARS_MIN <= len(text) <= SECRET_CHARS_MAX or not text.isprintable():
        message = f"webhook_secret: must have {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} printable characters"
        raise Invalid(message, param="webhook_secret")
    return text


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=<HMAC of timestamp.body>`."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verified(secret: bytes, timestamp: str, body: bytes, presented: str, now_s: int) -> bool:
    """A callback's signature is right and no older or newer than `CALLBACK_SKEW_S`."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(int(timestamp) - now_s) > CALLBACK_SKEW_S:
        return False
    expected = signature(secret, timestamp, body)
    return hmac.compare_digest(expected.encode(), presented.strip().encode("utf-8", "replace"))


class Sender:
    """Sends what is due. Every replica runs one; a claim keeps them apart."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        allowed: Sequence[Network],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._resolver = GuardedResolver(allowed)
        self._tls = tls or ssl.create_default_context()
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    def check(self, url: str) -> None:
        """Refuses a literal address that may not be dialled. Raises Invalid."""
        try:
            self._resolver.check_literal(URL(url).host or "")
        except AddressRefused:
            raise Invalid("webhook_url: names an address that may not be dialled", param="webhook_url") from None

    async def start(self) -> None:
        """Starts sending."""
        self._task = asyncio.create_task(self._run(), name="firewall-webhooks")

    async def stop(self) -> None:
        """Stops; what is not delivered stays stored."""
        await end_task(self._task)
        if self._session is not None:
            await self._session.close()

    async def _run(self) -> None:
        while True:
            try:
                sent = await self.send_due()
            except Unavailable as error:
                log.warning("webhooks are waiting", extra={"error_class": type(error).__name__})
                sent = 0
            if sent < BATCH_MAX:
                await asyncio.sleep(POLL_S)

    async def send_due(self) -> int:
        """Sends one batch; returns its size. Raises Unavailable when the database is down."""
        now_us = self._clock.now_us()
        async with self._database.read() as conn:
            if not await rows.webhook_due(conn, now_us):
                return 0
        async with self._database.write() as tx:
            claimed = await rows.claim_webhooks(tx, now_us, int(3 * SEND_TIMEOUT_S * 1_000_000), BATCH_MAX)
        await asyncio.gather(*map(self._send, claimed))
        return len(claimed)

    async def _send(self, webhook: Webhook) -> None:
        async with self._database.read() as conn:
            stored = await queries.read_settings(conn, webhook.workspace_id)
        delivered = True
        if stored.webhook_url and stored.webhook_secret is not None:
            try:
                secret = self._vault.open(WEBHOOK, webhook.workspace_id, stored.webhook_secret)
                delivered = await self._post(stored.webhook_url, secret, webhook)
            except Sealed:
                log.error("a webhook secret cannot be opened", extra={"workspace_id": webhook.workspace_id})
        attempts = webhook.attempts + 1
        async with self._database.write() as tx:
            if delivered or attempts >= ATTEMPTS_MAX:
                await rows.webhook_done(tx, webhook.id)
            else:
                wait_s = min(BACKOFF_S * 2 ** (attempts - 1), BACKOFF_MAX_S)
                await rows.webhook_failed(tx, webhook.id, attempts, self._clock.now_us() + int(wait_s * 1_000_000))

    async def _post(self, url: str, secret: bytes, webhook: Webhook) -> bool:
        body = webhook.body.encode()
        timestamp = str(self._clock.now_us() // 1_000_000)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "orca-firewall",
            EVENT_HEADER: webhook.event,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(secret, timestamp, body),
        }
        try:
            target = URL(url)
            if target.scheme != "https" or not target.host:
                return False
            self._resolver.check_literal(target.host)
            timeout = aiohttp.ClientTimeout(total=SEND_TIMEOUT_S)
            async with self._open().post(
                target, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as answer:
                delivered = 200 <= answer.status < 300
                why = str(answer.status)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            delivered, why = False, type(error).__name__
        if not delivered:
            log.warning("webhook not delivered", extra={"workspace_id": webhook.workspace_id, "reason": why})
        return delivered

    def _open(self) -> aiohttp.ClientSession:
        # Created on first use, since a session belongs to the running loop.
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=self._resolver, limit=BATCH_MAX, ssl=self._tls, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session
