"""The distributed event log: Apache Kafka through aiokafka.

The producer is idempotent with acks=all. Per partition one batch is under way at a time, so that what was
stored of a failed send is a prefix per partition and a repetition never reorders. The consumer commits by
hand. Every failure of the broker is LogUnavailable; nothing is lost by it, sending again is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
)

from services.common.eventlog.ports import (
    ConsumedRecord,
    Consumer,
    LogUnavailable,
    NotAssigned,
    OutRecord,
    Producer,
    Rebalance,
    TopicPartition,
    partition_of,
)
from services.common.eventlog.topics import TOPICS, Topic

CONNECT_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_MS = 10_000
BATCH_BYTES_MAX = 1 << 20
REPLICAS_MAX = 3
FETCH_WAIT_MS_MAX = 100

_LOST_MEMBERSHIP = (
    CommitFailedError, IllegalGenerationError, IllegalStateError, RebalanceInProgressError, UnknownMemberIdError,
)  # fmt: skip


def _unavailable(what: str, error: BaseException) -> LogUnavailable:
    return LogUnavailable(f"the event log could not {what}: {type(error).__name__}")


class KafkaEventLog:
    """A cluster. `options` go to every client (TLS, SASL); `session_timeout_ms` bounds a dead member's hold."""

    def __init__(
        self,
        bootstrap: str,
        *,
        topics: Sequence[Topic] = TOPICS,
        session_timeout_ms: int = 10_000,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._topics = tuple(topics)
        self._session_timeout_ms = session_timeout_ms
        self._options = {"bootstrap_servers": bootstrap, "request_timeout_ms": REQUEST_TIMEOUT_MS, **(options or {})}

    async def start(self) -> None:
        """Nothing to open: each producer and consumer connects by itself."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def ensure_topics(self) -> None:
        """Creates missing topics, replicated over up to three brokers; existing ones are left as they are."""
        admin = AIOKafkaAdminClient(**self._options)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await admin.start()
                existing = set(await admin.list_topics())
                replicas = min(REPLICAS_MAX, len((await admin.describe_cluster())["brokers"]))
                missing = [_declared(topic, replicas) for topic in self._topics if topic.name not in existing]
                if missing:
                    answer = await admin.create_topics(missing)
                    for name, code, *_ in answer.topic_errors:
                        if code not in (0, TopicAlreadyExistsError.errno):
                            raise LogUnavailable(f"the event log refused topic {name} with Kafka's error {code}")
        except (KafkaError, OSError, TimeoutError) as error:
            raise _unavailable("create topics", error) from error
        finally:
            await _close(admin.close())

    def producer(self, producer_id: str) -> Producer:
        """A producer; its id names the client in the broker's logs."""
        return KafkaProducer(producer_id, self._options)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> Consumer:
        """A member; the broker shares the partitions among the group's members."""
        options = {**self._options, "session_timeout_ms": self._session_timeout_ms}
        return KafkaConsumer(group, topics, _Listener(on_assigned, on_revoked), options)


def _declared(topic: Topic, replicas: int) -> NewTopic:
    """Two of three replicas must have a record before it is acknowledged."""
    retention_ms = -1 if topic.retention_ms is None else topic.retention_ms
    return NewTopic(
        topic.name,
        topic.partitions,
        replicas,
        topic_configs={
            "retention.ms": str(retention_ms),
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "min.insync.replicas": str(max(1, replicas - 1)),
        },
    )


async def _close(closing: Any) -> bool:
    """Closes a client; a broker that does not answer cannot hold the caller. False = it was cut short."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await closing
            return True
    return False


class KafkaProducer:
    """Sends one after the other. A send that timed out stays under way: its repetition awaits it, not doubles it."""

    def __init__(self, producer_id: str, options: Mapping[str, Any]) -> None:
        self._options = {**options, "client_id": producer_id}
        self._client: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()
        self._open: tuple[tuple[OutRecord, ...], asyncio.Task[None]] | None = None

    async def start(self) -> None:
        """Connects at the first send, so that a service starts while the log is down."""

    async def stop(self) -> None:
        """Flushes for a bounded time and closes."""
        async with self._turn:
            if self._open is not None:
                self._open[1].cancel()
                await asyncio.wait([self._open[1]])
                self._open = None
            await self._discard()

    async def send(self, records: Sequence[OutRecord]) -> None:
        """At most SEND_TIMEOUT_S per call once connected."""
        for record in records:
            record.check()
        async with self._turn:
            rest = tuple(records)
            if self._open is not None:
                earlier = self._open[0]
                await self._finish()
                if rest[: len(earlier)] == earlier:
                    rest = rest[len(earlier) :]
            if rest:
                client = await self._connected()
                self._open = (rest, asyncio.create_task(self._deliver(client, rest)))
                await self._finish()

    async def _finish(self) -> None:
        """Awaits the send under way; on a timeout it stays so, on an error the client is replaced."""
        assert self._open is not None  # noqa: S101 - callers hold the turn and checked
        task = self._open[1]
        done, _ = await asyncio.wait([task], timeout=SEND_TIMEOUT_S)
        if not done:
            raise LogUnavailable("the event log did not acknowledge in time")
        self._open = None
        try:
            task.result()
        except (KafkaError, OSError, TimeoutError) as error:
            await self._discard()
            raise _unavailable("take the records", error) from error

    async def _deliver(self, client: AIOKafkaProducer, records: Sequence[OutRecord]) -> None:
        shares: dict[tuple[str, int], list[OutRecord]] = {}
        counts: dict[str, int] = {}
        for record in records:
            if record.topic not in counts:
                counts[record.topic] = len(await client.partitions_for(record.topic))
            place = (record.topic, partition_of(record.key, counts[record.topic]))
            shares.setdefault(place, []).append(record)
        outcomes = await asyncio.gather(
            *(self._deliver_partition(client, place, share) for place, share in shares.items()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _deliver_partition(
        self, client: AIOKafkaProducer, place: tuple[str, int], records: Sequence[OutRecord]
    ) -> None:
        for batch in self._batches(client, records):
            await (await client.send_batch(batch, place[0], partition=place[1]))

    @staticmethod
    def _batches(client: AIOKafkaProducer, records: Sequence[OutRecord]) -> Iterator[Any]:
        batch = client.create_batch()
        for record in records:
            added = batch.append(key=record.key, value=record.value, headers=list(record.headers), timestamp=None)
            if added is None:
                yield batch
                batch = client.create_batch()
                batch.append(key=record.key, value=record.value, headers=list(record.headers), timestamp=None)
        yield batch

    async def _connected(self) -> AIOKafkaProducer:
        if self._client is None:
            client = AIOKafkaProducer(
                acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES_MAX,
                max_request_size=2 * BATCH_BYTES_MAX, **self._options,
            )  # fmt: skip
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await client.start()
            except BaseException as error:
                await _close(client.stop())
                if isinstance(error, KafkaError | OSError | TimeoutError):
                    raise _unavailable("be reached", error) from error
                raise
            self._client = client
        return self._client

    async def _discard(self) -> None:
        client, self._client = self._client, None
        if client is not None and not await _close(client.stop()):
            # aiokafka's stop flushes without a bound and, cut short, leaves its sender and sockets behind.
            await _close(client._sender.close())
            await _close(client.client.close())


class _Listener(ConsumerRebalanceListener):
    """Hands rebalances on, in the log's own vocabulary."""

    def __init__(self, on_assigned: Rebalance | None, on_revoked: Rebalance | None) -> None:
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self.positions: dict[TopicPartition, int] = {}

    async def on_partitions_revoked(self, revoked: Sequence[Any]) -> None:
        """Before another member gets them."""
        if revoked and self._on_revoked is not None:
            await self._on_revoked(_ours(revoked))
        self.positions.clear()

    async def on_partitions_assigned(self, assigned: Sequence[Any]) -> None:
        """Before they are fetched."""
        if self._on_assigned is not None:
            await self._on_assigned(_ours(assigned))


def _ours(partitions: Sequence[Any]) -> frozenset[TopicPartition]:
    return frozenset(TopicPartition(tp.topic, tp.partition) for tp in partitions)


def _theirs(partition: TopicPartition) -> Any:
    return KafkaPartition(partition.topic, partition.partition)


class KafkaConsumer:
    """One member. `start` returns with an assignment, possibly an empty one."""

    def __init__(self, group: str, topics: Sequence[str], listener: _Listener, options: Mapping[str, Any]) -> None:
        self._group = group
        self._topics = tuple(topics)
        self._listener = listener
        self._options = options
        self._client: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connects, joins and awaits the assignment, at most CONNECT_TIMEOUT_S."""
        client = AIOKafkaConsumer(
            group_id=self._group, enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS_MAX, heartbeat_interval_ms=self._options["session_timeout_ms"] // 3,
            **self._options,
        )  # fmt: skip
        client.subscribe(self._topics, listener=self._listener)
        self._client = client
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError | OSError | TimeoutError):
                raise _unavailable("be joined", error) from error
            raise

    async def stop(self) -> None:
        """Leaves the group at once, so that others need not await the session's end."""
        client, self._client = self._client, None
        self._listener.positions.clear()
        if client is not None:
            await _close(client.stop())

    async def poll(self, max_records: int, timeout_s: float) -> list[ConsumedRecord]:
        """Records of any assigned partitions."""
        client = self._joined()
        try:
            fetched = await client.getmany(timeout_ms=round(timeout_s * 1000), max_records=max_records)
        except (KafkaError, OSError) as error:
            raise _unavailable("be read", error) from error
        records = [
            ConsumedRecord(
                record.topic, record.partition, record.offset, record.key or b"", record.value or b"",
                tuple(record.headers), record.timestamp,
            )
            for share in fetched.values()
            for record in share
        ]  # fmt: skip
        for record in records:
            self._listener.positions[TopicPartition(record.topic, record.partition)] = record.offset + 1
        return records

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Returns when the broker has them."""
        if not positions:
            return
        try:
            await self._joined().commit({_theirs(partition): offset for partition, offset in positions.items()})
        except _LOST_MEMBERSHIP as error:
            raise NotAssigned(f"group {self._group} gave these partitions to another member") from error
        except (KafkaError, OSError) as error:
            raise _unavailable("commit", error) from error

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's next offset, None before its first commit."""
        try:
            offset: int | None = await self._joined().committed(_theirs(partition))
        except (KafkaError, OSError) as error:
            raise _unavailable("tell the committed offset", error) from error
        return offset

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """The next poll reads from this offset."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        try:
            self._joined().seek(_theirs(partition), offset)
        except IllegalStateError as error:
            raise NotAssigned(f"{partition.topic}[{partition.partition}] is not assigned here") from error
        self._listener.positions[partition] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        """As of the last rebalance; empty before `start` and after `stop`."""
        return frozenset() if self._client is None else _ours(tuple(self._client.assignment()))

    def lag(self) -> int:
        """Partitions count from their first fetch on."""
        if self._client is None:
            return 0
        lag = 0
        for partition, position in self._listener.positions.items():
            with contextlib.suppress(IllegalStateError):
                lag += max(0, (self._client.highwater(_theirs(partition)) or position) - position)
        return lag

    def _joined(self) -> AIOKafkaConsumer:
        if self._client is None:
            raise LogUnavailable("this consumer is not started")
        return self._client
