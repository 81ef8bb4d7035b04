"""The worked policies of docs/firewall.md do what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest_asyncio

from services.firewall.domain.presets import templates
from tests.unit.firewall.harness import Harness, harness

PAGE = (Path(__file__).parents[3] / "docs" / "firewall.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| `(.+)` \| (\w+) \| (.*?) ?\|$", re.MULTILINE)


def worked() -> Iterator[tuple[str, str, str, str, str]]:
    for template in templates():
        section = PAGE.split(f"\n### {template['id']}\n", 1)[1].split("\n#", 1)[0]
        for tool, arguments, verdict, label in ROW.findall(section):
            yield template["id"], tool, arguments.replace("\\|", "|"), verdict, label


ROWS = list(worked())


@pytest_asyncio.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness(tmp_path) as built:
        yield built


def test_every_template_is_worked_through() -> None:
    assert {row[0] for row in ROWS} == {item["id"] for item in templates()}
    assert len(ROWS) >= 20


async def test_each_call_is_decided_as_the_page_says(plane: Harness) -> None:
    policies = {}
    for template in templates():
        status, body = await plane.request("POST", "/templates/apply", {"template": template["id"]})
        assert status == 200, body
        policies[template["id"]] = body["data"]["id"]
    told = []
    for template_id, tool, arguments, _, _ in ROWS:
        call = {"policy_id": policies[template_id], "tool_name": tool, "arguments": json.loads(arguments)}
        _, body = await plane.request("POST", "/test", call)
        told.append((body["data"]["verdict"], (body["data"]["rule"] or {"label": ""})["label"]))
    assert told == [(verdict, label) for _, _, _, verdict, label in ROWS]
