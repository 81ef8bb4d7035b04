"""Whatever way a request asks for a tool, the firewall sees it."""

from __future__ import annotations

from typing import Any

import pytest

from services.relay.pipeline.policy import advertised

LOOK = {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, []),
        ({"tools": [LOOK], "functions": [{"name": "old"}]}, ["look", "old"]),
        ({"tools": [{"type": "custom", "custom": {"name": "shell"}}]}, ["shell"]),
        ({"tools": [{**LOOK, "custom": {"name": "evil"}}]}, ["look", "evil"]),
        ({"tools": [{"type": "web_search"}]}, ["provider.web_search"]),
        ({"tools": [{"type": "mcp", "function": {"name": "evil"}}]}, ["provider.mcp", "evil"]),
        ({"web_search_options": {}}, ["provider.web_search"]),
        ({"search_parameters": {"mode": "on"}}, ["provider.web_search"]),
        ({"enable_search": True}, ["provider.web_search"]),
        ({"enable_search": False, "search_parameters": None}, []),
        ({"mcp_servers": [{"url": "x"}]}, ["provider.mcp"]),
        (
            {"plugins": [{"id": "web"}, {"id": "file-parser"}, "odd"]},
            ["provider.web_search", "provider.plugin.file-parser"],
        ),
    ],
)
def test_every_way_to_ask_for_a_tool_is_seen(body: dict[str, Any], names: list[str]) -> None:
    assert [call.tool_name for call in advertised(body)] == names
