"""Several firewall replicas on one PostgreSQL database: counters, approvals and their bounds agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from orca.firewall.v1 import firewall_pb2 as pb
from tests.unit.firewall.harness import harness


async def test_rates_caps_and_approvals_are_exact_across_replicas_and_survive_one(
    postgres_url: str, tmp_path: Path
) -> None:
    rules = [
        {"tool_name_glob": "loop", "verdict": "deny", "rate": {"max_calls": 25, "window_seconds": 600, "per": "key"}},
        {"tool_name_glob": "pay", "verdict": "pending_approval"},
        {"verdict": "cap_cost", "cap_cost_cents": 10},
    ]
    cent = 10_000_000
    async with harness(tmp_path, database_url=postgres_url) as one:
        await one.create(is_default=True, default_verdict="allow", rules=rules)
        async with harness(tmp_path, database_url=postgres_url) as two:
            planes = [one, two]
            asked = [planes[n % 2].evaluate(("loop", "{}"), request_id=f"r{n}") for n in range(20)]
            assert {answer.verdict for answer in await asyncio.gather(*asked)} == {pb.VERDICT_ALLOW}
        # The second replica is gone without a word; a third takes its place.
        async with harness(tmp_path, database_url=postgres_url) as three:
            planes = [one, three]
            asked = [planes[n % 2].evaluate(("loop", "{}"), request_id=f"s{n}") for n in range(20)]
            verdicts = Counter(answer.verdict for answer in await asyncio.gather(*asked))
            assert verdicts == {pb.VERDICT_ALLOW: 5, pb.VERDICT_DENY: 15}
            spent = [
                planes[n % 2].evaluate(surface=pb.SURFACE_INBOUND, request_id=f"c{n}", worst_case_nano_usd=2 * cent)
                for n in range(12)
            ]
            reserved = Counter(answer.cost_reserved for answer in await asyncio.gather(*spent))
            assert reserved == {True: 5, False: 7}
            waits = [planes[n % 2].evaluate(("pay", "{}"), key_id="key_p", run_id=f"w{n}") for n in range(30)]
            held = Counter(answer.verdict for answer in await asyncio.gather(*waits))
            assert held == {pb.VERDICT_PENDING_APPROVAL: 20, pb.VERDICT_DENY: 10}
            _, body = await one.request("GET", "/approvals")
            path = f"/approvals/{body['data']['items'][0]['id']}"
            tries = [planes[n % 2].request("POST", f"{path}/{'approve' if n % 3 else 'reject'}") for n in range(6)]
            assert sorted(status for status, _ in await asyncio.gather(*tries)) == [200, 409, 409, 409, 409, 409]
