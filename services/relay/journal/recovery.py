"""What a relay does with its predecessor's journal: settles open attempts as unknown outcomes. Pure.

A recovered spend takes the lowest sequence its lease has no record of, and a running total that is the sum of
all recorded spends: whatever order the killed relay settled in, the entries add up to the last total.
"""

from __future__ import annotations

from collections.abc import Callable

from orca.events.v1.events_pb2 import Envelope, LeasePosition, Spend
from services.common.eventlog import topics
from services.relay.journal.frames import Finished, Record, Spent
from services.relay.journal.state import JournalState

LOST = "lost"
LOST_CODE = "relay_stopped"
Stamp = Callable[[Envelope], None]


def spent_of(spend: Spend) -> list[Spent]:
    """What a spend takes from its leases; refused answers count on the workspace's alone."""
    used = spend.settled_nano_usd + spend.unconfirmed_nano_usd
    spent: list[Spent] = []
    if spend.HasField("key_lease"):
        spent.append((spend.key_lease.lease_id, spend.key_lease.sequence, used))
    if spend.HasField("workspace_lease"):
        lease = spend.workspace_lease
        spent.append((lease.lease_id, lease.sequence, used + spend.blocked_nano_usd))
    return spent


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
        spend = last.spend
        for present, position, extra in (
            (spend.HasField("key_lease"), spend.key_lease, 0),
            (spend.HasField("workspace_lease"), spend.workspace_lease, spend.blocked_nano_usd),
        ):
            if present:
                all_spent.append(_number(state, position, spend, extra))
        stamp(last)
        records.append((topics.SPEND, last.key_id.encode(), "spend", last.SerializeToString()))
    request = _request_event(request_id, last, len(attempts))
    stamp(request)
    records.append((topics.REQUESTS, request.key_id.encode(), "request", request.SerializeToString()))
    state.open.pop(request_id, None)
    return Finished(request_id, records, all_spent)


def _number(state: JournalState, position: LeasePosition, spend: Spend, extra: int) -> Spent:
    amount = spend.settled_nano_usd + spend.unconfirmed_nano_usd + extra
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
