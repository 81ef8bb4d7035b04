"""What the levels refuse, over the bench's hand-written calls: the share, and that nothing raises."""

from __future__ import annotations

from tests.bench.firewall import level, refused
from tests.bench.firewall_cases import Case, private_spellings, written

BLOCKED_MIN = 0.98
WRONGLY_MAX = 0.005


def share(name: str, cases: list[Case]) -> float:
    policy = level(name)
    return sum(refused(policy, case) for case in cases) / len(cases)


def test_tight_refuses_attacks_and_lets_everyday_calls_pass() -> None:
    assert share("tight", written("attacks")) >= BLOCKED_MIN
    assert share("tight", written("benign")) <= WRONGLY_MAX


def test_balanced_lets_everyday_calls_pass() -> None:
    assert share("balanced", written("benign")) <= WRONGLY_MAX


def test_private_addresses_are_refused_in_every_spelling() -> None:
    policy = level("tight")
    calls = {item: Case("ssrf", (("browser.open", {"url": item}),)) for item in private_spellings()}
    assert [item for item, case in calls.items() if not refused(policy, case)] == []
