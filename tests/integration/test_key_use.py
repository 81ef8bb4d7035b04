"""A relay's directory tells auth which keys were used, once a second at most, over the real services' streams."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.common.errors import Unavailable
from services.relay.directory.grpc_directory import USED_EVERY_S, GrpcDirectory
from tests.unit.auth.harness import World, world


async def accessed(made: World, key_id: str) -> object:
    return (await made.call("GET", f"/api/token/{key_id}"))["accessed_time"]


async def reaches(made: World, key_id: str, expected: int) -> None:
    async with asyncio.timeout(10):
        while await accessed(made, key_id) != expected:  # noqa: ASYNC110 (another task's effect cannot be awaited)
            await asyncio.sleep(0.01)


async def test_a_used_key_is_reported_with_the_time_of_its_report(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        used, idle = await made.key(), await made.key()
        directory = GrpcDirectory(made.stub, b"p" * 32, "relay-1", made.clock, 60.0)
        await directory.start()
        async with asyncio.timeout(10):
            while directory.peek(used["key"]) is None:  # noqa: ASYNC110 (the snapshot arrives on its stream)
                await asyncio.sleep(0.01)
        now_s = made.clock.now_us() // 1_000_000
        made.clock.advance(USED_EVERY_S)
        await reaches(made, used["id"], now_s + 1)
        made.clock.advance(30)
        assert directory.peek(used["key"]) is not None
        await reaches(made, used["id"], now_s + 31)
        assert await accessed(made, idle["id"]) is None
        await directory.stop()


async def test_before_its_first_snapshot_a_relay_knows_of_no_model_that_it_is_missing(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        directory = GrpcDirectory(made.stub, b"p" * 32, "relay-1", made.clock, 60.0)
        with pytest.raises(Unavailable) as refused:
            directory.find("ws_1", "acme/small")
        assert refused.value.code == "auth_unavailable"
        await directory.start()
        async with asyncio.timeout(10):
            while not directory.ready()["models"]:  # noqa: ASYNC110 (the snapshot arrives on its stream)
                await asyncio.sleep(0.01)
        assert directory.find("ws_1", "acme/small") is None
        await directory.stop()
