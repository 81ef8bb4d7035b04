"""Every answer of auth is what its OpenAPI document tells, to the last field."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.unit.auth.harness import World, until

PRICE = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}


async def test_each_answer_is_as_documented(world: World) -> None:
    document = (await world.http.get("/openapi.json")).json()
    described = {
        (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "$ref" in operation["responses"]["200"]["content"]["application/json"]["schema"]
    }

    async def told(method: str, template: str, body: Any = None, **ids: str) -> Any:
        answer = await world.http.request(method, template.format(**ids), json=body)
        assert answer.status_code == 200, answer.text
        schema = document["paths"][template][method.lower()]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        Draft202012Validator({**document, "$ref": schema["$ref"]}).validate(answer.json())
        described.discard((method.lower(), template))
        return answer.json()["data"]

    login = {"email": "admin@orca.local", "password": "correct horse"}
    await told("POST", "/api/user/login", login)
    world.http.cookies.clear()
    user = await told("GET", "/api/user/self")
    await told("PUT", "/api/user/self", {"name": "Ada"})
    await told("POST", "/api/user/access_tokens", {"name": "ci"})
    await told("GET", "/api/user/access_tokens")
    (workspace,) = (await told("GET", "/api/workspace"))["items"]
    await told("GET", "/api/workspace/{workspace_id}", workspace_id=workspace["id"])
    await told("PUT", "/api/workspace/{workspace_id}", {"name": "w"}, workspace_id=workspace["id"])
    await told("GET", "/api/workspace/settings")
    await told("PUT", "/api/workspace/settings", {"capture_bodies": True})
    member = await told("POST", "/api/workspace/members", {"email": "a@b", "role": "viewer", "password": "long enough"})
    await told("PUT", "/api/workspace/members/{user_id}", {"role": "admin"}, user_id=member["user_id"])
    await told("GET", "/api/workspace/members")
    key = await told("POST", "/api/token", {"name": "k", "credit_limit_usd": "1", "owner_user_id": user["id"]})
    await told("PUT", "/api/token/{key_id}", {"blocked_output_limit_usd": 0}, key_id=key["id"])
    await told("POST", "/api/token/{key_id}/successor", key_id=key["id"])
    await told("GET", "/api/token/{key_id}", key_id=key["id"])
    channel = await told("POST", "/api/channel", {"name": "c", "base_url": "http://127.0.0.1:9", "models": ["a/b"]})
    await told("PUT", "/api/channel/{channel_id}", {"timeout_ms": 5}, channel_id=channel["id"])
    await told("GET", "/api/channel/{channel_id}", channel_id=channel["id"])
    await told("GET", "/api/channel")
    await told("POST", "/api/channel/{channel_id}/test", channel_id=channel["id"])
    await told("GET", "/api/model/{model_id}", model_id="a/b")
    await told("PUT", "/api/model/{model_id}", PRICE, model_id="a/b")
    await told("GET", "/api/model")
    world.servers["ledger"].close()
    await told("GET", "/api/token")

    async def audited() -> bool:
        return bool((await told("GET", "/api/audit"))["items"])

    await until(audited)
    second = await told("POST", "/api/workspace", {"name": "second"})
    await told("DELETE", "/api/workspace/{workspace_id}", workspace_id=second["id"])
    await told("DELETE", "/api/token/{key_id}", key_id=key["id"])
    await told("DELETE", "/api/channel/{channel_id}", channel_id=channel["id"])
    await told("DELETE", "/api/model/{model_id}", model_id="a/b")
    await told("DELETE", "/api/workspace/members/{user_id}", user_id=member["user_id"])
    token = await told("POST", "/api/user/access_tokens", {"name": "short"})
    await told("DELETE", "/api/user/access_tokens/{token_id}", token_id=token["id"])
    await told("GET", "/api/status")
    await told("POST", "/api/user/logout")
    assert described == set()


async def test_the_document_tells_what_a_key_may_be(world: World) -> None:
    schemas = (await world.http.get("/openapi.json")).json()["components"]["schemas"]
    create, update = schemas["KeyCreate"], schemas["KeyUpdate"]
    assert (create["required"], "required" in update) == (["name"], False)
    assert update["properties"]["status"]["enum"] == ["enabled", "disabled"]
    for name in ("rpm_limit", "tpm_limit", "max_concurrency", "expired_time"):
        least, most = (int(update["properties"][name][bound]) for bound in ("minimum", "maximum"))
        for value, status in ((most, 200), (most + 1, 422), (least - 1, 422)):
            answer = await world.http.post("/api/token", json={"name": "k", name: value})
            assert answer.status_code == status, (name, value, answer.text)
