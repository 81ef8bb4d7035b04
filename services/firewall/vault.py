"""Encryption at rest: held answers, credentials of MCP servers, webhook secrets.

AES-256-GCM, each value bound to what it is and whose it is, so that a row copied elsewhere does not open. The
keys per purpose are derived from one secret of the deployment.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HELD = "held answer"
CREDENTIAL = "mcp credential"
WEBHOOK = "webhook secret"

_PURPOSES = (HELD, CREDENTIAL, WEBHOOK)
_NONCE_BYTES = 12
_KEY_BYTES = 32


class Sealed(Exception):
    """The value was sealed under another secret, for another purpose or owner, or was changed."""


class Vault:
    """Seals and opens. Raises ValueError when the deployment's secret is missing or malformed."""

    def __init__(self, secret: str) -> None:
        try:
            master = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            master = b""
        if len(master) != _KEY_BYTES:
            raise ValueError("ORCA_FIREWALL_SECRET must be 32 bytes in base64")
        self._boxes = {
            purpose: AESGCM(
                HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"orca firewall {purpose}".encode()).derive(master)
            )
            for purpose in _PURPOSES
        }

    def seal(self, purpose: str, owner: str, value: bytes) -> bytes:
        """nonce + ciphertext, bound to the owner's id."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._boxes[purpose].encrypt(nonce, value, owner.encode())

    def open(self, purpose: str, owner: str, sealed: bytes) -> bytes:
        """The value. Raises Sealed."""
        try:
            return self._boxes[purpose].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError):
            raise Sealed(f"a {purpose} cannot be opened") from None
