"""The relay's copy of keys and models, fed by auth's streams."""

from __future__ import annotations

import asyncio
from typing import Any

from orca.auth.v1 import auth_pb2
from services.relay.directory.grpc_directory import GrpcDirectory
from tests.support.clock import ManualClock


class Stream:
    """A stream of auth's whose messages the test sends."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def write(self, request: Any) -> None: ...

    async def read(self) -> Any:
        self.asked.set()
        return await self.answer

    def cancel(self) -> bool:
        return True


class Auth:
    """A stub with one stream each."""

    def __init__(self) -> None:
        self.keys, self.models = Stream(), Stream()

    def WatchKeys(self) -> Stream:
        return self.keys

    def WatchChannels(self) -> Stream:
        return self.models


class TestStop:
    async def test_ends_although_a_message_comes_with_it(self) -> None:
        auth = Auth()
        directory = GrpcDirectory(auth, b"pepper", "relay_1", ManualClock(), max_age_s=60)
        await directory.start()
        await asyncio.gather(auth.keys.asked.wait(), auth.models.asked.wait())
        auth.keys.answer.set_result(auth_pb2.WatchKeysResponse())
        auth.models.answer.set_result(auth_pb2.WatchChannelsResponse())
        async with asyncio.timeout(5):
            await directory.stop()
