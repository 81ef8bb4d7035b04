"""Never over, as a state machine on the domain: any interleaving of grants, spends, closes, forfeits and reversals."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from services.ledger.domain.granting import Ask, Granted, Refused, decide
from services.ledger.domain.model import Account, Amounts, Kind, Lease, LeaseState
from services.ledger.domain.settlement import Spent, close, forfeit, reverse_forfeit, spend

AMOUNT = st.integers(0, 400)


@dataclass
class Held:
    """A lease, and what its relay knows of it: used so far, and spends that the ledger has not got yet."""

    lease: Lease
    used: int = 0
    on_the_way: tuple[tuple[Spent, int], ...] = ()
    gone: bool = False


class Credit(RuleBasedStateMachine):
    """One account. The relay keeps to used ≤ granted; everything else may happen in any order."""

    leases = Bundle("leases")

    @initialize(kind=st.sampled_from(Kind), limit=st.integers(0, 2_000))
    def open_account(self, kind: Kind, limit: int) -> None:
        self.account = Account(kind, limit)
        self.highest = limit
        self.held: list[Held] = []
        self.reversed = 0
        self.used = 0

    def _move(self, change: Amounts) -> None:
        self.account = replace(self.account, amounts=self.account.amounts + change)

    @rule(target=leases, minimum=AMOUNT, more=AMOUNT)
    def acquire(self, minimum: int, more: int) -> object:
        decision = decide(self.account, Ask(minimum, minimum + more))
        if isinstance(decision, Refused):
            assert self.account.remaining is not None and self.account.remaining < minimum
            return multiple()
        assert isinstance(decision, Granted)
        assert minimum <= decision.amount <= minimum + more
        held = Held(Lease(self.account.kind, decision.amount))
        self.held.append(held)
        self._move(Amounts(held=decision.amount))
        return held

    @rule(held=leases, part=st.floats(0, 1), how=st.sampled_from(("settled", "unconfirmed", "blocked")))
    def use(self, held: Held, part: float, how: str) -> None:
        if held.gone:
            return
        spent = Spent(**{how: int(part * (held.lease.granted - held.used))})
        held.used += spent.used_under(held.lease.kind)
        held.on_the_way += ((spent, held.used),)

    @rule(held=leases, at=st.integers(0, 3))
    def deliver(self, held: Held, at: int) -> None:
        """Spends may arrive late and out of order."""
        if not held.on_the_way:
            return
        at %= len(held.on_the_way)
        (spent, total), held.on_the_way = held.on_the_way[at], held.on_the_way[:at] + held.on_the_way[at + 1 :]
        before = held.lease.outstanding
        held.lease, change = spend(held.lease, spent, total)
        self._move(change)
        self.used += spent.used_under(held.lease.kind)
        assert change.held + change.forfeited >= -before

    @rule(held=leases)
    def finish(self, held: Held) -> None:
        held.gone = True
        held.lease, change = close(held.lease, held.used)
        self._move(change)
        again, nothing = close(held.lease, held.used)
        assert (again, nothing) == (held.lease, Amounts())

    @rule(held=leases)
    def lose(self, held: Held) -> None:
        held.gone = True
        held.lease, change = forfeit(held.lease)
        self._move(change)

    @rule(held=leases)
    def reverse(self, held: Held) -> None:
        held.lease, change = reverse_forfeit(held.lease)
        self._move(change)
        self.reversed -= change.forfeited

    @rule(limit=st.integers(0, 2_000))
    def set_limit(self, limit: int) -> None:
        self.account = replace(self.account, limit=limit)
        self.highest = max(self.highest, limit)

    @invariant()
    def never_over(self) -> None:
        amounts = self.account.amounts
        counted = amounts.settled + amounts.held + amounts.unconfirmed + amounts.forfeited
        if self.account.kind is Kind.WORKSPACE:
            counted += amounts.blocked
        assert counted <= self.highest
        assert min(amounts.settled, amounts.held, amounts.unconfirmed, amounts.forfeited, amounts.overrun) >= 0

    @invariant()
    def amounts_are_the_sum_of_leases(self) -> None:
        amounts = self.account.amounts
        lost = [held.lease for held in self.held if held.lease.state is LeaseState.FORFEITED]
        others = [held.lease for held in self.held if held.lease.state is not LeaseState.FORFEITED]
        assert amounts.held == sum(lease.outstanding for lease in others)
        assert amounts.forfeited == sum(lease.outstanding for lease in lost)

    @invariant()
    def every_spend_is_somewhere(self) -> None:
        amounts = self.account.amounts
        booked = amounts.settled + amounts.unconfirmed + amounts.overrun
        if self.account.kind is Kind.WORKSPACE:
            booked += amounts.blocked
        assert booked == self.used
        assert amounts.overrun <= self.reversed

    def teardown(self) -> None:
        """Once everything has arrived and every relay said its last word, nothing is held."""
        for held in self.held:
            while held.on_the_way:
                self.deliver(held, 0)
            self.finish(held)
        if hasattr(self, "account"):
            assert self.account.amounts.held == 0


TestCredit = Credit.TestCase
TestCredit.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
