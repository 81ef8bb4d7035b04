"""Every rule type's example of docs/guardrail.md is admitted, fires on what the page says, and not on plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from services.guardrail.domain.draft_fields import RULE_TYPES
from tests.unit.guardrail.calls import check_input, check_output, results, segment
from tests.unit.guardrail.harness import harness

PAGE = Path(__file__).parents[3] / "docs" / "guardrail.md"
PLAIN = "The warranty lasts two years."
SOURCE = segment("The warranty lasts two years.", role="system")
SAID = {
    "secrets": f"aws_secret_access_key = {'q7Zt/2LmXv9RwKc4' + 'Nb1HsYp8Jd6FgUe3TaQx0WzO'}",
    "max_chars": "a" * 200_001,
    "llm_judge": "anything",
    "external": "anything",
}
"""Texts of those examples that the page describes in words."""


def examples() -> Iterator[tuple[dict[str, Any], str]]:
    """(rule, text that it fires on) of each rule type."""
    section = PAGE.read_text().split("## Rule types")[1].split("\n## ")[0]
    for found in re.finditer(r"^\*\*`(\w+)`\*\*.*?`(\{.*?\})`\s+fires(?:\s+on\s+`([^`]*)`)?", section, re.S | re.M):
        rule = json.loads(found[2].replace("\n", " "))
        assert rule["type"] == found[1]
        yield rule, " ".join((found[3] or SAID[rule["type"]]).split())


EXAMPLES = list(examples())


class Agreeing:
    """A webhook that fires on everything but the plain text."""

    async def ask(self, url: str, secret: str, body: bytes, timeout_s: float) -> bytes:
        fired = PLAIN not in body.decode()
        return json.dumps({"fired": fired, "spans": [{"index": 0, "start": 0, "end": 3}] if fired else []}).encode()

    async def close(self) -> None: ...


def test_every_rule_type_has_an_example() -> None:
    assert [rule["type"] for rule, _ in EXAMPLES] == list(RULE_TYPES)


async def test_an_example_fires_on_what_the_page_says(tmp_path: Path) -> None:
    async with harness(tmp_path, asked=Agreeing()) as service:
        kept = await service.create(is_default=True)

        async def status(rule: Mapping[str, Any], said: str) -> str:
            service.judge.words = json.dumps({"violation": said != PLAIN})
            if rule["stage"] == "output":
                answer = await check_output(service, said, sources=[SOURCE])
            else:
                answer = await check_input(service, segment(said))
            [(_, status, _)] = results(answer)
            return status

        found = {}
        for rule, text in EXAMPLES:
            changed = {"name": kept["name"], "is_default": True, "rules": [rule]}
            assert (await service.request("PUT", f"/api/guardrail/{kept['id']}", changed))[0] == 200
            found[rule["type"]] = (await status(rule, text), await status(rule, PLAIN))
    assert found == dict.fromkeys(RULE_TYPES, ("fired", "passed"))
