"""Who calls: access tokens and sessions, and which workspace a call is about."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import Any

from services.auth.crypto import digest, mint, verify_password
from services.auth.domain.attempts import ADDRESS_FAILURES_MAX, Attempts
from services.auth.domain.keys import PREFIX
from services.auth.storage.store import Store
from services.auth.storage.tables import SESSIONS
from services.common.errors import Forbidden, Invalid, NotFound, TooMany, Unauthorized

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_PREFIX = "orca-se-"
TURNS = 64
"""Passwords that are tried at a time, on each replica."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, and the workspace and role of this call (empty and 0 without one)."""

    user: Any
    workspace_id: str
    role: int
    credential: str


class Identity:
    """Authenticates management calls."""

    def __init__(self, store: Store, session_ttl_s: int, address_failures_max: int = ADDRESS_FAILURES_MAX) -> None:
        self._store = store
        self._ttl_s = session_ttl_s
        self._attempts = Attempts()
        self._addresses = Attempts(address_failures_max)
        self._turns = [asyncio.Lock() for _ in range(TURNS)]

    async def login(self, email: str, password: str, address: str) -> tuple[Any, str, str]:
        """(user, session secret, CSRF token). Raises TooMany, or Unauthorized without saying which half was wrong."""
        name = email.strip().lower()
        async with self._turn(name):
            user = await self._store.user_by_email(email)
            now_s = self._store.now_s()
            if wait_s := max(self._attempts.wait_s(name, now_s), self._addresses.wait_s(address, now_s)):
                raise TooMany("too many failed logins; wait", code="too_many_attempts", retry_after_s=wait_s)
            self._attempts.begun(name, now_s)
            self._addresses.begun(address, now_s)
            if not await verify_password(user.password_hash if user else None, password) or user is None:
                raise Unauthorized("e-mail or password is wrong", code="invalid_credentials")
            self._attempts.succeeded(name)
            # Who knows one password must not be able to try others from here for ever.
            self._addresses.succeeded(address, forgives=False)
        secret, csrf = mint(SESSION_PREFIX), mint("")
        async with self._store.change(user.id, "") as change:
            now = self._store.now_s()
            await change.tx.execute(SESSIONS.delete().where(SESSIONS.c.expires_at <= now))
            await change.tx.execute(
                SESSIONS.insert().values(
                    secret_hash=digest(secret), user_id=user.id, csrf_token=csrf, expires_at=now + self._ttl_s
                )
            )
        return user, secret, csrf

    async def confirm(self, user: Any, password: str) -> None:
        """The password of a caller who is logged in: a stolen session must not be able to guess it either.

        Raises TooMany, or Forbidden when it is wrong.
        """
        async with self._turn(user.email):
            now_s = self._store.now_s()
            if wait_s := self._attempts.wait_s(user.email, now_s):
                raise TooMany("too many failed logins; wait", code="too_many_attempts", retry_after_s=wait_s)
            self._attempts.begun(user.email, now_s)
            if not await verify_password(user.password_hash, password):
                raise Forbidden("current_password: is wrong", param="current_password")
            self._attempts.succeeded(user.email)

    def _turn(self, name: str) -> asyncio.Lock:
        """Passwords of one name are tried one after the other: right ones at the same time do not use up the tries."""
        return self._turns[hash(name) % len(self._turns)]

    async def logout(self, session: str) -> None:
        """Ends a session; an unknown one is no error."""
        async with self._store.change("", "") as change:
            await change.tx.execute(SESSIONS.delete().where(SESSIONS.c.secret_hash == digest(session)))

    async def authenticate(
        self, *, authorization: str, session: str, csrf_token: str, method: str, workspace_id: str, no_workspace: bool
    ) -> Caller:
        """The caller. 401 without a valid credential, 403 without CSRF token, 404 for a foreign workspace."""
        if authorization:
            user, credential = await self._by_token(authorization), "access_token"
        elif session:
            user, credential = await self._by_session(session, csrf_token, method), "session"
        else:
            raise Unauthorized("a credential is needed: Authorization: Bearer <access token>, or a session")
        if no_workspace:
            return Caller(user, "", 0, credential)
        roles = {row.workspace_id: row.role for row in await self._store.memberships(user.id)}
        if workspace_id:
            if workspace_id in roles:
                return Caller(user, workspace_id, roles[workspace_id], credential)
            if user.is_root and await self._store.workspace(workspace_id) is not None:
                return Caller(user, workspace_id, 0, credential)
            raise NotFound("no such workspace", param="X-Workspace-Id")
        if len(roles) == 1:
            ((only, role),) = roles.items()
            return Caller(user, only, role, credential)
        if not roles:
            raise Forbidden("you are in no workspace", code="no_workspace")
        raise Invalid("X-Workspace-Id: needed, you are in several workspaces", param="X-Workspace-Id")

    async def _by_token(self, authorization: str) -> Any:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Authorization must be: Bearer <access token>")
        if token.startswith(PREFIX):
            raise Unauthorized("a relay key does not work here; use an access token")
        user = await self._store.user_of_token(digest(token))
        if user is None:
            raise Unauthorized("the access token is not known")
        return user

    async def _by_session(self, session: str, csrf_token: str, method: str) -> Any:
        row = await self._store.session(digest(session))
        if row is None:
            raise Unauthorized("the session has ended; log in again")
        if method not in SAFE_METHODS and not hmac.compare_digest(row.csrf_token.encode(), csrf_token.encode()):
            raise Forbidden("X-CSRF-Token is missing or wrong", code="csrf_failed")
        return row
