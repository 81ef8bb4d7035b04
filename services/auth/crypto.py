"""Passwords (argon2id), bearer secrets (SHA-256 of 256 random bits) and provider credentials (AES-256-GCM)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.errors import TooMany

_NONCE_BYTES = 12
_HASHER = PasswordHasher()
# Verified when the e-mail is unknown, so that both failures take the same time.
_DECOY = _HASHER.hash(os.urandom(16).hex())
_SLOTS = asyncio.Semaphore(2)
WAITING_MAX = 64
"""Passwords that wait for a slot; more are refused, so that nobody can pile up work without a credential."""
_waiting = 0


@asynccontextmanager
async def _slot() -> AsyncIterator[None]:
    global _waiting
    if _waiting >= WAITING_MAX:
        raise TooMany("too many passwords are being checked; try again", retry_after_s=1)
    _waiting += 1
    try:
        async with _SLOTS:
            yield
    finally:
        _waiting -= 1


async def hash_password(password: str) -> str:
    """argon2id with the library's current parameters, off the event loop."""
    async with _slot():
        return await asyncio.to_thread(_HASHER.hash, password)


async def verify_password(stored: str | None, password: str) -> bool:
    """Constant effort, whether the user exists or not."""

    def verify() -> bool:
        try:
            return _HASHER.verify(stored or _DECOY, password) and stored is not None
        except (Argon2Error, InvalidHashError):
            return False

    async with _slot():
        return await asyncio.to_thread(verify)


def mint(prefix: str) -> str:
    """A bearer secret with 256 random bits."""
    return prefix + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def digest(secret: str) -> bytes:
    """What is stored of a bearer secret: its entropy makes a plain hash enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class CredentialBox:
    """Encrypts provider credentials, bound to their channel id."""

    def __init__(self, secret: str) -> None:
        try:
            key = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise ValueError("ORCA_CHANNEL_SECRET must be 32 bytes in base64")
        self._aead = AESGCM(key)

    def seal(self, channel_id: str, credential: str) -> bytes:
        """nonce + ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, credential.encode(), channel_id.encode())

    def open(self, channel_id: str, sealed: bytes) -> str:
        """The credential. Raises cryptography's InvalidTag when it was sealed for another channel or key."""
        return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], channel_id.encode()).decode()
