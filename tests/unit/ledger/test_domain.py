"""The account algebra: a state machine of relays, kills, redelivery and reversals against one small cap."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.ledger.domain.granting import Ask, Granted, Reason, Refused, Unlimited, decide
from services.ledger.domain.model import Account, Amounts, Kind, Lease, LeaseState
from services.ledger.domain.settlement import Spent, added_up, close, forfeit, reverse_forfeit, spend, spend_together

CAP = 100


class TestGranting:
    def test_what_fits_is_granted_and_a_share_at_most(self) -> None:
        account = Account(Kind.KEY, CAP)
        assert decide(account, Ask(10, 15)) == Granted(15)
        assert decide(account, Ask(10, 90)) == Granted(25)
        assert decide(account, Ask(100, 100)) == Granted(100)

    def test_blocked_counts_on_the_workspace_only(self) -> None:
        amounts = Amounts(settled=40, blocked=60)
        assert decide(Account(Kind.KEY, CAP, amounts), Ask(10, 10)) == Granted(10)
        assert decide(Account(Kind.WORKSPACE, CAP, amounts), Ask(10, 10)) == Refused(Reason.EXHAUSTED, 0, 0)

    def test_holds_are_worth_waiting_for(self) -> None:
        account = Account(Kind.KEY, CAP, Amounts(settled=30, held=65, forfeited=1))
        assert decide(account, Ask(10, 10)) == Refused(Reason.HELD, 4, 69)

    def test_unlimited_needs_no_lease_and_frozen_gets_none(self) -> None:
        assert decide(Account(Kind.KEY, None), Ask(10, 10)) == Unlimited()
        assert decide(Account(Kind.KEY, CAP, frozen=True), Ask(10, 10)) == Refused(Reason.FROZEN, CAP, CAP)


class TestOrder:
    def test_spend_before_or_after_the_close_ends_alike(self) -> None:
        lease = Lease(Kind.KEY, 10)
        first, taken = spend(lease, Spent(settled=4), 4)
        early, given = close(first, 4)
        closed, back = close(lease, 4)
        late, moved = spend(closed, Spent(settled=4), 4)
        assert early == late
        assert taken + given == back + moved == Amounts(settled=4, held=-10)


_amounts = st.integers(0, 12)
_spends = st.lists(st.tuples(st.builds(Spent, _amounts, _amounts, _amounts, _amounts), st.integers(0, 100)), min_size=1)
_leases = st.builds(
    Lease,
    st.sampled_from(Kind),
    st.integers(0, 120),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(0, 100),
    st.one_of(st.none(), st.none(), st.integers(0, 100)),
    st.sampled_from(LeaseState),
)


class TestTogether:
    @given(_leases, _spends)
    def test_spends_that_fit_are_booked_as_their_sum(self, lease: Lease, spends: list[tuple[Spent, int]]) -> None:
        one_by_one, change, beyond = lease, Amounts(), 0
        for spent, running_total in spends:
            one_by_one, part = spend(one_by_one, spent, running_total)
            change += part
            beyond += part.overrun - (spent.overrun if lease.kind is not Kind.BLOCKED else 0)
        total = added_up(spent for spent, _ in spends)
        together = spend_together(lease, total, max(running_total for _, running_total in spends))
        if together is not None:
            assert together == (one_by_one, change)
        assert (together is None) == (beyond > 0 or lease.final_used is not None)


@dataclass
class Relay:
    """A replica's own view of one lease."""

    lease: Lease
    used: int = 0
    reserved: int = 0
    alive: bool = True
    """False: killed, its disk lost."""
    unsent: list[tuple[Spent, int]] = field(default_factory=list)
    """Spends not yet consumed, in order."""
    seen: list[tuple[Spent, int]] = field(default_factory=list)
    reversed: bool = False


class NeverOver(RuleBasedStateMachine):
    """settled + held + unconfirmed + forfeited ≤ cap, and the provider's bill ≤ cap, at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(Kind.KEY, CAP)
        self.relays: list[Relay] = []
        self.bill = 0

    def move(self, relay: Relay, lease: Lease, change: Amounts) -> None:
        relay.lease = lease
        self.account = replace(self.account, amounts=self.account.amounts + change)

    def pick(self, index: int, *, alive: bool | None = None) -> Relay | None:
        found = [relay for relay in self.relays if alive is None or relay.alive is alive]
        return found[index % len(found)] if found else None

    @rule(minimum=st.integers(1, 40), wanted=st.integers(1, 80))
    def acquire(self, minimum: int, wanted: int) -> None:
        decision = decide(self.account, Ask(minimum, wanted))
        if isinstance(decision, Granted):
            assert decision.amount >= minimum
            relay = Relay(Lease(Kind.KEY, decision.amount))
            self.relays.append(relay)
            self.move(relay, relay.lease, Amounts(held=decision.amount))

    @rule(index=st.integers(0, 20), reservation=st.integers(1, 40), part=st.integers(0, 40), known=st.booleans())
    def request(self, index: int, reservation: int, part: int, known: bool) -> None:
        relay = self.pick(index, alive=True)
        if relay is None or relay.lease.final_used is not None or relay.used + reservation > relay.lease.granted:
            return
        if relay.lease.state is LeaseState.FORFEITED:
            return
        cost = min(part, reservation)
        self.bill += cost
        spent = Spent(settled=cost) if known else Spent(unconfirmed=reservation)
        relay.used += spent.used_under(Kind.KEY)
        relay.unsent.append((spent, relay.used))

    @rule(index=st.integers(0, 20), at=st.integers(0, 5))
    def consume_out_of_order(self, index: int, at: int) -> None:
        relay = self.pick(index)
        if relay is None or not relay.unsent:
            return
        spent, total = relay.unsent.pop(at % len(relay.unsent))
        self.move(relay, *spend(relay.lease, spent, total))

    @rule(index=st.integers(0, 20), cost=st.integers(0, 40))
    def kill_with_its_disk(self, index: int, cost: int) -> None:
        relay = self.pick(index, alive=True)
        if relay is None or relay.lease.final_used is not None:
            return
        relay.alive = False
        # One request was under way: billed, never told of. It was reserved within the lease.
        self.bill += min(cost, max(0, relay.lease.granted - relay.used))

    @rule(index=st.integers(0, 20))
    def close_with_final_used(self, index: int) -> None:
        relay = self.pick(index, alive=True)
        if relay is not None:
            self.move(relay, *close(relay.lease, relay.used))

    @rule(index=st.integers(0, 20))
    def forfeit(self, index: int) -> None:
        relay = self.pick(index)
        if relay is not None:
            self.move(relay, *forfeit(relay.lease))

    @precondition(lambda self: any(r.lease.state is LeaseState.FORFEITED for r in self.relays))
    @rule(index=st.integers(0, 20))
    def reverse(self, index: int) -> None:
        lost = [relay for relay in self.relays if relay.lease.state is LeaseState.FORFEITED]
        relay = lost[index % len(lost)]
        relay.reversed = True
        self.move(relay, *reverse_forfeit(relay.lease))

    @invariant()
    def never_over(self) -> None:
        amounts = self.account.amounts
        assert self.account.committed <= CAP
        assert min(amounts.settled, amounts.held, amounts.unconfirmed, amounts.forfeited, amounts.overrun) >= 0

    @invariant()
    def amounts_are_what_leases_tie_up(self) -> None:
        open_or_closed = [r.lease for r in self.relays if r.lease.state is not LeaseState.FORFEITED]
        lost = [r.lease for r in self.relays if r.lease.state is LeaseState.FORFEITED]
        assert self.account.amounts.held == sum(lease.outstanding for lease in open_or_closed)
        assert self.account.amounts.forfeited == sum(lease.outstanding for lease in lost)

    @invariant()
    def the_bill_stays_within_the_cap(self) -> None:
        # An Admin who reverses says that nothing was billed; only then can the provider know better.
        if not any(relay.reversed for relay in self.relays):
            assert self.bill <= CAP
            assert self.account.amounts.overrun == 0

    def teardown(self) -> None:
        """Everything arrives, everything is closed: nothing stays held but what a lost disk never told."""
        for relay in self.relays:
            while relay.unsent:
                self.move(relay, *spend(relay.lease, *relay.unsent.pop()))
            if relay.alive:
                self.move(relay, *close(relay.lease, relay.used))
                assert relay.lease.outstanding == 0
        assert self.account.amounts.held == sum(
            r.lease.outstanding for r in self.relays if r.lease.state is not LeaseState.FORFEITED
        )


NeverOver.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestNeverOver = NeverOver.TestCase
