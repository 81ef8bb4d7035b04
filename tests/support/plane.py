"""The whole management plane in process: five services behind the console, on SQLite, the embedded log and chDB.

Every answer is held to the document that the plane serves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from services.allinone.hosting import with_health
from services.allinone.profile import MODELS
from services.allinone.secrets import load_or_create
from services.allinone.sqlite_log import SqliteEventLog
from services.analytics.app import build as build_analytics
from services.auth.app import build as build_auth
from services.common.clock import SystemClock
from services.common.rpc import LoopbackChannel, LoopbackServer
from services.console.app import build as build_console
from services.firewall.app import build as build_firewall
from services.guardrail.app import build as build_guardrail
from services.ledger.app import build as build_ledger
from tests.support.documented import Documented

ROOT_TOKEN = "orca-at-" + "r" * 43
ROOT_EMAIL = "root@example.test"
ROOT_PASSWORD = "a made-up password"
BUILDERS: dict[str, Any] = {
    "auth": build_auth,
    "guardrail": build_guardrail,
    "firewall": build_firewall,
    "ledger": build_ledger,
    "analytics": build_analytics,
}


@dataclass(frozen=True)
class Plane:
    """The running plane. `call` speaks through the console as any caller would."""

    apps: dict[str, Any]
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, token: str = ROOT_TOKEN, workspace: str = "", **kwargs: Any) -> Any:
        """One request with a bearer token."""
        headers = {"Authorization": f"Bearer {token}", **kwargs.pop("headers", {})}
        if workspace:
            headers["X-Workspace-Id"] = workspace
        self.http.cookies.clear()
        return await self.http.request(method, path, headers=headers, **kwargs)

    async def data(self, method: str, path: str, token: str = ROOT_TOKEN, workspace: str = "", **kwargs: Any) -> Any:
        """The `data` of a call that must succeed."""
        answer = await self.call(method, path, token, workspace, **kwargs)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()["data"]

    async def workspace(self, name: str) -> str:
        """Id of a new workspace, owned by the platform operator."""
        created = await self.data("POST", "/api/workspace", json={"name": name})
        return str(created["id"])

    async def member(self, workspace: str, role: str, email: str) -> str:
        """Access token of a new member (`role` "": of nobody's member any more)."""
        body = {"email": email, "role": role or "viewer", "password": "a long password"}
        added = await self.data("POST", "/api/workspace/members", workspace=workspace, json=body)
        login = await self.http.post("/api/user/login", json={"email": email, "password": body["password"]})
        csrf = {"X-CSRF-Token": login.json()["data"]["csrf_token"]}
        made = await self.http.post("/api/user/access_tokens", json={"name": "t"}, headers=csrf)
        self.http.cookies.clear()
        if not role:
            await self.data("DELETE", f"/api/workspace/members/{added['user_id']}", workspace=workspace)
        return str(made.json()["data"]["token"])


@asynccontextmanager
async def plane(home: Path) -> AsyncIterator[Plane]:
    """A started plane with its first workspace and its platform operator."""
    clock = SystemClock()
    log = SqliteEventLog(home / "events.db", clock)
    await log.start()
    await log.ensure_topics()
    servers = {name: LoopbackServer() for name in (*BUILDERS, "relay")}
    values: dict[str, Any] = {
        "home": home,
        **{name: SecretStr(value) for name, value in load_or_create(home).items()},
        "bootstrap_admin_email": ROOT_EMAIL,
        "bootstrap_admin_password": SecretStr(ROOT_PASSWORD),
        "bootstrap_access_token": SecretStr(ROOT_TOKEN),
        "upstream_allow_cidrs": "127.0.0.0/8",
        "echo_model": True,
    }
    apps: dict[str, Any] = {}
    for name, build in BUILDERS.items():
        fields = {field: value for field, value in values.items() if field in MODELS[name].model_fields}
        apps[name] = await build(
            MODELS[name](**fields),
            channels=lambda target: LoopbackChannel(servers[target]),
            log=log,
            database_url=f"sqlite:///{home / f'{name}.db'}",
            clock=clock,
        )
        apps[name].register(servers[name])
    for app in apps.values():
        await app.start()
    await apps["auth"].bootstrap()
    upstreams = {
        name: httpx.AsyncClient(
            transport=httpx.ASGITransport(with_health(app.asgi, app.ready)), base_url=f"http://{name}"
        )
        for name, app in apps.items()
    }
    console = await build_console(MODELS["console"](), upstreams=upstreams)  # type: ignore[arg-type]
    await console.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(console.asgi), base_url="http://orca") as http:
        documented = Documented((await http.get("/api/openapi.json")).json())

        async def as_told(answer: httpx.Response) -> None:
            await answer.aread()
            documented.check(answer)

        http.event_hooks["response"] = [as_told]
        yield Plane({**apps, "console": console}, http)
    await console.stop()
    for app in reversed(apps.values()):
        await app.stop()
    await log.stop()
