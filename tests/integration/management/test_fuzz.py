"""Property-based calls against the served, merged OpenAPI document find no 5xx and no answer that it does not tell.

Examples are few per operation and the same in every run: this is a net, `test_bad_input.py` is the list.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.plane import ROOT_TOKEN, Plane

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 12
TRUTHS = [content_type_conformance, response_schema_conformance, status_code_conformance]
ENDS_THE_RUN = frozenset({("DELETE", "/api/workspace/{workspace_id}")})


async def operations(plane: Plane) -> list[Any]:
    """Every operation of the document as it is served."""
    document = (await plane.http.get("/api/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(document)
    # An operation that cannot be read has no `ok`, and ends the test.
    return [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]


async def test_no_operation_answers_5xx(plane: Plane) -> None:
    workspace = await plane.workspace("fuzz")
    loop = asyncio.get_running_loop()
    tried: dict[str, int] = {}

    async def send(case: Case[Any]) -> httpx.Response:
        prepared = case.as_transport_kwargs(base_url="http://orca")
        kept = {name: prepared[name] for name in ("method", "url", "params", "json", "data") if prepared.get(name)}
        headers = {"Authorization": f"Bearer {ROOT_TOKEN}", "X-Workspace-Id": workspace}
        plane.http.cookies.clear()
        content = kept.pop("data", None)
        return await plane.http.request(**kept, content=content, headers=headers)

    def explore(operation: Any) -> None:
        @seed(1)
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(operation.as_strategy())
        def check(case: Case[Any]) -> None:
            answer = asyncio.run_coroutine_threadsafe(send(case), loop).result(30)
            assert answer.status_code < 500, (case.method, case.formatted_path, case.body, answer.text)
            case.validate_response(answer, checks=TRUTHS)
            tried[operation.label] = tried.get(operation.label, 0) + 1

        check()

    found = await operations(plane)
    for operation in found:
        if (operation.method.upper(), operation.path) not in ENDS_THE_RUN:
            await asyncio.to_thread(explore, operation)
    assert len(tried) == len(found) - len(ENDS_THE_RUN)
    print(f"\n{sum(tried.values())} calls to {len(tried)} operations")
