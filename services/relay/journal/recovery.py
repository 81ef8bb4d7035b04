"""What a relay does with its predecessor's journal: settles open attempts as unknown outcomes. Pure.

A recovered spend takes the lowest sequence its lease has no record of, and a running total that is the sum of
all recorded spends: whatever order the killed relay settled in, the entries add up to the last total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orca.events.v1.events_pb2 import Envelope, LeasePosition, Spend
from services.common.eventlog import topics
from services.relay.journal.frames import Finished, Record, Spent
from services.relay.journal.state import JournalState

LOST = "lost"
LOST_CODE = "relay_stopped"
Stamp = Callable[[Envelope], None]


def spent_of(spend: Spend) -> list[Spent]:
    """What a spend takes from its leases."""
    return [(position.lease_id, position.sequence, amount) for position, amount in _positions(spend)]


def _positions(spend: Spend) -> Iterator[tuple[LeasePosition, int]]:
    """Its place under each lease, and what it takes there: refused answers count on the workspace's lease and on
    the one for refused answers, not on the key's."""
    used = spend.settled_nano_usd + spend.unconfirmed_nano_usd
    if spend.HasField("key_lease"):
        yield spend.key_lease, used
    if spend.HasField("workspace_lease"):
        yield spend.workspace_lease, used + spend.blocked_nano_usd
    if spend.HasField("blocked_lease"):
        yield spend.blocked_lease, spend.blocked_nano_usd


def settle_lost(state: JournalState, stamp: Stamp) -> list[Finished]:
    """Frames that end every open request of the predecessor; applies them to the state.

    `stamp` gives an envelope its producer, sequence and time, and an id where it has none.
    """
    frames = []
    for request_id, attempts in list(state.open.items()):
        frames.append(_lost_request(state, request_id, attempts, stamp))
    return frames


def _lost_request(state: JournalState, request_id: str, attempts: dict[int, bytes], stamp: Stamp) -> Finished:
    records: list[Record] = []
    all_spent: list[Spent] = []
    last = Envelope()
    for _, raw in sorted(attempts.items()):
        last = Envelope.FromString(raw)
        for position, amount in _positions(last.spend):
            all_spent.append(_number(state, position, amount))
        stamp(last)
        records.append((topics.SPEND, last.key_id.encode(), "spend", last.SerializeToString()))
    request = _request_event(request_id, last, len(attempts))
    stamp(request)
    records.append((topics.REQUESTS, request.key_id.encode(), "request", request.SerializeToString()))
    state.open.pop(request_id, None)
    return Finished(request_id, records, all_spent)


def _number(state: JournalState, position: LeasePosition, amount: int) -> Spent:
    position.sequence = state.next_sequence(position.lease_id)
    state.record(position.lease_id, position.sequence, amount)
    position.running_total_nano_usd = state.leases[position.lease_id].total
    return position.lease_id, position.sequence, amount


def _request_event(request_id: str, spent: Envelope, attempts: int) -> Envelope:
    event = Envelope(
        workspace_id=spent.workspace_id,
        key_id=spent.key_id,
        owner_user_id=spent.owner_user_id,
        request_id=request_id,
        run_id=spent.run_id,
        step_id=spent.step_id,
        parent_step_id=spent.parent_step_id,
        conversation_id=spent.conversation_id,
        environment=spent.environment,
    )
    request = event.request
    request.model = spent.spend.model
    request.channel_id = spent.spend.channel_id
    request.status = LOST
    request.error_code = LOST_CODE
    request.attempts = attempts
    request.estimated = True
    return event
