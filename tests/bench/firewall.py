"""`make bench-firewall`: how much of a generated attack set the levels refuse, how much of everyday work, and how fast.

Prints; judges nothing. Pass a number to draw another combination of disguises, `-v` to list what got through.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import Counter, defaultdict
from itertools import count

from services.firewall.domain.drafts import admit_rules
from services.firewall.domain.engine import Call, CompiledPolicy
from services.firewall.domain.model import Policy, Surface, Verdict
from services.firewall.domain.presets import levels
from tests.bench.firewall_cases import BENIGN_SQL, Case, attacks, benign, private_spellings, written


def level(name: str) -> CompiledPolicy:
    """The level's policy, compiled."""
    raw = levels()[name]
    if raw is None:
        raise ValueError(f"{name} has no policy")
    numbers = count()
    rules = admit_rules(raw["rules"], lambda: f"rule{next(numbers):04}")
    return CompiledPolicy(Policy("p", "w", name, default_verdict=Verdict(raw["default_verdict"]), rules=rules))


def refused(policy: CompiledPolicy, case: Case) -> bool:
    """True when any call of the case does not pass."""
    calls = [Call(tool, json.dumps(arguments)) for tool, arguments in case.calls]
    return any(item.verdict.restricting for call in calls for item in policy.judge(Surface.MCP, [call]))


def quality(name: str, seed: int, verbose: bool) -> None:
    """Block and false-positive rates of one level."""
    policy = level(name)
    for what, cases, wanted in (
        ("attacks", attacks(seed), True),
        ("benign", benign(seed), False),
        ("attacks by hand", written("attacks"), True),
        ("benign by hand", written("benign"), False),
    ):
        total: Counter[str] = Counter()
        wrong: defaultdict[str, list[Case]] = defaultdict(list)
        for case in cases:
            total[case.family] += 1
            if refused(policy, case) is not wanted:
                wrong[case.family].append(case)
        missed = sum(map(len, wrong.values()))
        share = 1 - missed / len(cases) if wanted else missed / len(cases)
        print(
            f"{name:9} {what:15} {len(cases):5} cases, {'blocked' if wanted else 'blocked wrongly'} {share:.4f}",
            end="  ",
        )
        print(" ".join(f"{family} {len(wrong[family])}/{total[family]}" for family in sorted(total)))
        if verbose:
            for family in wrong.values():
                for case in family[:60]:
                    print("   ", json.dumps(case.calls, ensure_ascii=False)[:220])


def spellings() -> None:
    """Private addresses in every spelling, against one deny rule."""
    rules = admit_rules([{"verdict": "deny", "egress": {"deny": ["private"]}}], lambda: "r")
    policy = CompiledPolicy(Policy("p", "w", "egress", default_verdict=Verdict.ALLOW, rules=rules))
    found = private_spellings()
    passed = [item for item in found if not refused(policy, Case("ssrf", (("t", {"url": item}),)))]
    print(f"private-address spellings: {len(found) - len(passed)} of {len(found)} refused", passed[:5] or "")


def _hundred(*extra: dict[str, object]) -> CompiledPolicy:
    plain = [
        {"verdict": "deny", "tool_name_glob": f"tool{n}.*", "args_match": {"clauses": [{"path": "$..url",
        "op": "contains", "value": f"x{n}"}]}}
        if n % 3
        else {"verdict": "deny", "tool_name_glob": "*", "args_match": {"clauses": [{"path": f"$.k{n}",
        "op": "regex", "value": f"^bad{n}"}]}}
        for n in range(100 - len(extra))
    ]  # fmt: skip
    numbers = count()
    rules = admit_rules([*plain, *extra], lambda: f"rule{next(numbers):04}")
    return CompiledPolicy(Policy("p", "w", "hundred", default_verdict=Verdict.AUDIT, rules=rules))


def speed() -> None:
    """p50 and p99 of one evaluation under a policy of 100 rules; distinct arguments each time. Processor time, so that
    what else the machine does is not counted."""
    acts = {
        "verdict": "deny",
        "semantic_match": {"kinds": ["destructive_shell", "destructive_sql", "credential_access"]},
    }
    reach = {"verdict": "deny", "egress": {"deny": ["private"]}}
    clause = " AND ".join(f"t.c{n} = {n}" for n in range(20))
    long_sql = ";\n".join(f"{sql} /* {n} */" for n, sql in enumerate(BENIGN_SQL * 2))
    long_sql = (long_sql + f"; UPDATE t SET a = 1 WHERE {clause}; DELETE FROM t WHERE {clause}").ljust(4096)[:4096]
    cases = {
        "no parser": (
            _hundred(),
            lambda n: {"city": f"Berlin {n}", "limit": n, "filters": {"a": [1, 2, 3], "q": "hello world"}},
        ),
        "egress": (_hundred(reach), lambda n: {"url": f"https://host{n}.example.com/a/b?c=d", "q": "hello"}),
        "shell": (
            _hundred(acts, reach),
            lambda n: {
                "command": f"cd /app && git status && grep -rn 'x{n}' src | head -20 && npm run build -- --n {n}"
            },
        ),
        "4 KB SQL": (_hundred(acts, reach), lambda n: {"sql": f"-- {n}\n" + long_sql}),
    }
    for name, (policy, arguments) in cases.items():
        rounds = 60 if "SQL" in name else 600
        samples = []
        for n in range(rounds + 20):
            call = Call("agent.tool", json.dumps(arguments(n)))
            started = time.thread_time_ns()
            policy.judge(Surface.MCP, [call])
            samples.append((time.thread_time_ns() - started) / 1e3)
        samples = sorted(samples[20:])
        print(
            f"evaluation, 100 rules, {name:9} p50 {statistics.median(samples):8.0f} us  p99"
            f" {samples[int(len(samples) * 0.99) - 1]:8.0f} us"
        )


def main() -> None:
    """Everything, one line per number."""
    numbers = [int(item) for item in sys.argv[1:] if item.isdigit()]
    seed = numbers[0] if numbers else 7
    for name in ("tight", "balanced"):
        quality(name, seed, "-v" in sys.argv)
    spellings()
    speed()


if __name__ == "__main__":
    main()
