"""Counters of stateful rules (`rate`, `sequence`, `cap_cost`) as pure arithmetic over small states.

Contract with whoever stores them: `Evaluation.asks` names the counters a call needs (none for a policy without
stateful rules); the store reads their states, calls `Evaluation.decide(states, now_us)` and writes the returned
`CounterWrite`s, all as one atomic step per evaluation (locks in key order, or compare-and-swap and decide again),
so that replicas agree. A state is opaque text; an unknown, expired or unreadable one is the empty state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

US_PER_S = 1_000_000
RATE_POINTS_MAX = 128
"""Exact call times kept per counter; beyond them neighbours merge into the later one, which only counts longer."""
RESERVATIONS_MAX = 256
"""Open reservations of a run; beyond them the oldest count as spent."""
RESERVATION_S = 3_600
"""A reservation nobody settled counts as spent after this time."""
CAP_KEEP_S = 30 * 86_400
"""How long a run's spend is remembered after its last change."""

States = Mapping[str, str]
"""Counter key → state as last written; a missing key is a counter that never counted."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """Whose calls these are. A run is the triple workspace, key, run id; without a run id the request is the run."""

    workspace_id: str
    key_id: str
    request_id: str
    run_id: str = ""
    worst_case_nano_usd: int = 0

    def scope(self, per: str) -> str:
        """What a counter `per: run|key|workspace` belongs to."""
        if per == "workspace":
            return "workspace"
        if per == "key":
            return f"key\0{self.key_id}"
        return f"run\0{self.key_id}\0{self.run_id or 'request ' + self.request_id}"


@dataclass(frozen=True, slots=True)
class CounterAsk:
    """One counter that is needed, by its key; keys are unique per workspace and at most 80 characters."""

    key: str


@dataclass(frozen=True, slots=True)
class CounterWrite:
    """The state a counter takes; it may be forgotten after `expires_at_us`."""

    key: str
    state: str
    expires_at_us: int


def counter_key(kind: str, rule_id: str, *parts: str) -> str:
    """A short stable key: readable kind and rule, the rest hashed."""
    digest = hashlib.sha256("\0\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{rule_id[:32]}:{digest[:32]}"


def cap_key(context: CallContext) -> str:
    """The spend counter of a run, shared by every cap on it."""
    return counter_key("cap", "", context.scope("run"))


def count_call(state: str, now_us: int, window_s: int) -> tuple[int, str]:
    """Counts one more call: how many the window that ends now has, this one included, and the new state."""
    since_us = now_us - window_s * US_PER_S
    points = [[at, n] for at, n in _pairs(_load(state)) if at > since_us]
    # Replicas' clocks differ a little; a call never counts as older than one that was counted before it.
    at_us = max(now_us, points[-1][0]) if points else now_us
    points.append([at_us, 1])
    if len(points) > RATE_POINTS_MAX:
        points = [[right[0], left[1] + right[1]] for left, right in zip(points[0:-1:2], points[1::2], strict=False)] + (
            [points[-1]] if len(points) % 2 else []
        )
    return sum(n for _, n in points), _dump(points)


def advance_chain(
    state: str, now_us: int, window_s: int, needs: Sequence[int], takes: Sequence[bool]
) -> tuple[bool, str]:
    """One call against a chain of steps: `needs[i]` calls of step i, `takes[i]` whether this call is one.

    Answers whether the call completes the chain, and the state if the call passes. The state holds, per number of
    calls already matched in order, the latest time at which such a chain began; that is all an exact answer needs.
    """
    total = sum(needs)
    since_us = now_us - window_s * US_PER_S
    raw = _load(state)
    began = [at if isinstance(at, int) and at > since_us else 0 for at in raw] if isinstance(raw, list) else []
    began = (began + [0] * total)[:total]
    step_of = [index for index, need in enumerate(needs) for _ in range(need)]
    fires = False
    # From the end, so that one call takes one place of each chain.
    for done in range(total - 1, -1, -1):
        start_us = now_us if done == 0 else began[done - 1]
        if not start_us or not takes[step_of[done]]:
            continue
        if done == total - 1:
            fires = True
        began[done] = max(began[done], start_us)
    return fires, _dump(began)


def reserve(state: str, now_us: int, request_id: str, worst_case_nano_usd: int, cap_nano_usd: int) -> tuple[bool, str]:
    """Spend + reservations + this request's worst case against the cap: whether it fits, and the state if reserved.

    Idempotent by request: its own reservation is counted once.
    """
    spent, held = _money(state, now_us)
    held.pop(request_id, None)
    total = spent + sum(amount for _, amount in held.values()) + worst_case_nano_usd
    held[request_id] = (now_us, worst_case_nano_usd)
    return total <= cap_nano_usd, _money_state(spent, held)


def settle(state: str, now_us: int, request_id: str, cost_nano_usd: int) -> str | None:
    """The state after a request ended; None when nothing changes, as for a request settled before."""
    spent, held = _money(state, now_us)
    if request_id not in held:
        return None
    del held[request_id]
    return _money_state(spent + max(0, cost_nano_usd), held)


def _money(state: str, now_us: int) -> tuple[int, dict[str, tuple[int, int]]]:
    raw = _load(state)
    if not isinstance(raw, dict):
        return 0, {}
    spent = int(raw["spent"])
    held: dict[str, tuple[int, int]] = {}
    for request_id, (at_us, amount) in raw["held"].items():
        if at_us + RESERVATION_S * US_PER_S <= now_us:
            spent += amount
        else:
            held[request_id] = (at_us, amount)
    return spent, held


def _money_state(spent: int, held: dict[str, tuple[int, int]]) -> str:
    while len(held) > RESERVATIONS_MAX:
        oldest = min(held, key=lambda request_id: held[request_id][0])
        spent += held.pop(oldest)[1]
    return _dump({"spent": spent, "held": {request_id: list(entry) for request_id, entry in held.items()}})


def _pairs(raw: Any) -> list[tuple[int, int]]:
    return [(int(at), int(n)) for at, n in raw] if isinstance(raw, list) else []


def _load(state: str) -> Any:
    if not state:
        return None
    try:
        return json.loads(state)
    except ValueError:
        return None


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
