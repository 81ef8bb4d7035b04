"""Secrets of rules at rest: AES-256-GCM, bound to the rule they belong to."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_INFO = b"orca guardrail rule secrets v1"


class SecretBox:
    """Seals and opens; the key is `ORCA_RULE_SECRET` or, where that is unset, derived from the fingerprint key."""

    def __init__(self, configured: str, fingerprint_key: bytes) -> None:
        """Raises ValueError when the configured key is not 32 bytes in base64."""
        if configured:
            try:
                key = base64.b64decode(configured, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) != 32:
                raise ValueError("ORCA_RULE_SECRET must be 32 bytes in base64")
        else:
            key = HKDF(hashes.SHA256(), 32, salt=None, info=_INFO).derive(fingerprint_key)
        self._aead = AESGCM(key)

    def seal(self, rule_id: str, secret: str) -> bytes:
        """nonce + ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret.encode(), rule_id.encode())

    def open(self, rule_id: str, sealed: bytes) -> str | None:
        """The secret; None when it was sealed for another rule or under another key: its rule is not evaluated."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], rule_id.encode()).decode()
        except InvalidTag:
            return None
