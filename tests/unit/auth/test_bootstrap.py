"""The first start: an administrator, a workspace and a key are there together or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.auth import key_operations, operations
from services.auth.storage.tables import KEYS, MEMBERS, OUTBOX, TOKENS, USERS, WORKSPACES
from tests.unit.auth.harness import World, world


class KilledError(BaseException):
    """The process ends here."""


async def rows(world: World, *tables: sa.Table) -> list[int]:
    """How many rows each table has."""
    counts = []
    for table in tables:
        found = await world.app._store.one(sa.select(sa.func.count()).select_from(table))
        counts.append(found[0])
    return counts


@pytest.mark.parametrize(
    ("module", "step"),
    [(operations, "hash_password"), (operations, "digest"), (key_operations, "mint_secret")],
    ids=["before the user", "before the token", "before the key"],
)
async def test_a_start_that_is_killed_in_between_is_the_first_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    async with world(tmp_path, bootstrapped=False) as auth:

        def killed(*_args: object) -> None:
            raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(module, step, killed)
            with pytest.raises(KilledError):
                await auth.app.bootstrap()
        assert await rows(auth, USERS, WORKSPACES, MEMBERS, TOKENS, KEYS, OUTBOX) == [0] * 6
        access = await auth.app.bootstrap()
        assert access is not None
        assert await rows(auth, USERS, WORKSPACES, MEMBERS, TOKENS, KEYS) == [1] * 5
        (workspace,) = (await auth.call("GET", "/api/workspace"))["items"]
        (key,) = (await auth.call("GET", "/api/token"))["items"]
        assert (workspace["name"], key["name"], key["credit_limit_usd"]) == ("default", "first", "5")
        assert key["owner_user_id"] == (await auth.call("GET", "/api/user/self"))["id"]
        assert access.key.endswith(key["key"][-4:])
        assert await auth.app.bootstrap() is None
