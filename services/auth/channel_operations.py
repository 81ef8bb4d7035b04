"""Management writes about channels and prices: validate, change, audit, publish, wait until relays have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from services.auth.crypto import CredentialBox
from services.auth.domain.prices import Price
from services.auth.storage.store import Change, Store
from services.auth.storage.tables import CHANNELS, PRICES
from services.auth.watch import Settling
from services.common.errors import Invalid, NotFound
from services.common.http import Principal
from services.common.ids import new_id
from services.common.storage import upsert

CHANNEL_DEFAULTS: Mapping[str, Any] = {
    "priority": 0,
    "weight": 1,
    "enabled": True,
    "timeout_ms": None,
    "max_tokens_field": "max_completion_tokens",
    "extra_answer_fields": [],
    "extra_request_fields": [],
}


class ChannelOperations:
    """One method per write."""

    def __init__(self, store: Store, box: CredentialBox, settle: Settling) -> None:
        self.store = store
        self._box = box
        self._settle = settle

    async def create_channel(self, principal: Principal, body: Mapping[str, Any]) -> Any:
        """A new channel."""
        channel_id = new_id("ch")
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            stored = {
                "id": channel_id,
                "workspace_id": principal.workspace_id,
                "created_time": self.store.now_s(),
                **self._stored(change, channel_id, {}, body),
            }
            await change.tx.execute(CHANNELS.insert().values(**stored))
            await _told(change, "create", channel_id, body, stored["fields"])
        await self._settle(change.revision)
        return await self.store.channel(principal.workspace_id, channel_id)

    async def update_channel(self, principal: Principal, row: Any, body: Mapping[str, Any]) -> Any:
        """Partial update. The credential stays with the origin that it was given for."""
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            # Read again: two partial updates at once both count, the later one in each field it names.
            query = sa.select(CHANNELS).where(CHANNELS.c.id == row.id, CHANNELS.c.deleted.is_(False))
            row = (await change.tx.execute(query)).first()
            if row is None:
                raise NotFound("no such channel")
            stored = self._stored(change, row.id, row.fields, body)
            moved = _origin(stored["fields"]["base_url"]) != _origin(row.fields["base_url"])
            if moved and "api_key" not in body and self._box.open(row.id, row.credential):
                raise Invalid("api_key: needed again, base_url names another host", param="api_key")
            await change.tx.execute(CHANNELS.update().where(CHANNELS.c.id == row.id).values(**stored))
            await _told(change, "update", row.id, body, stored["fields"])
        await self._settle(change.revision)
        return await self.store.channel(principal.workspace_id, row.id)

    def _stored(
        self, change: Change, channel_id: str, before: Mapping[str, Any], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Columns after the fields of `body` are set. Raises Invalid."""
        values = {name: value for name, value in body.items() if name not in ("name", "api_key")}
        fields = {**CHANNEL_DEFAULTS, **before, **values}
        _check_base_url(fields["base_url"])
        fields["models"] = _models(fields["models"])
        stored = {"fields": fields, "version": change.revision, "revision": change.revision, "deleted": False}
        if "name" in body:
            stored["name"] = body["name"]
        if "api_key" in body:
            stored["credential"] = self._box.seal(channel_id, body["api_key"])
        return stored

    async def delete_channel(self, principal: Principal, row: Any) -> None:
        """Removes a channel and its credential."""
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            await change.tx.execute(
                CHANNELS.update()
                .where(CHANNELS.c.id == row.id)
                .values(deleted=True, credential=b"", version=change.revision, revision=change.revision)
            )
            await change.audit("channel_delete", "channel", row.id)
            await change.publish("channel", row.id, "delete", change.revision, {})
        await self._settle(change.revision)

    async def put_price(self, principal: Principal, model_id: str, price: Price | None) -> None:
        """Overrides a model's price, or removes the override (None)."""
        async with self.store.change(principal.user_id, principal.workspace_id) as change:
            values = {
                "workspace_id": principal.workspace_id,
                "model_id": model_id,
                "fields": asdict(price) if price else {},
                "deleted": price is None,
                "revision": change.revision,
            }
            await upsert(change.tx, PRICES, values)
            verb = "price_delete" if price is None else "price_update"
            await change.audit(verb, "model", model_id)
            await change.publish("model", model_id, "delete" if price is None else "update", change.revision, {})
        await self._settle(change.revision)


async def _told(
    change: Change, operation: str, channel_id: str, body: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
    await change.audit(f"channel_{operation}", "channel", channel_id, fields=sorted(body))
    await change.publish("channel", channel_id, operation, change.revision, {"enabled": fields["enabled"]})


def _origin(base_url: str) -> tuple[str, str, int]:
    """Scheme, host and port: who is sent the credential, and whether in the clear."""
    parts = urlsplit(base_url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _check_base_url(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.username or parts.query or parts.fragment:
        raise Invalid("base_url: must be an http(s) URL without credentials or query", param="base_url")


def _models(models: list[Any]) -> list[dict[str, str]]:
    seen: dict[str, dict[str, str]] = {}
    for model in models:
        if isinstance(model, str):
            model = {"id": model, "upstream_id": model.partition("/")[2] or model}
        if model["id"] in seen:
            raise Invalid(f"models: {model['id']} is listed twice", param="models")
        seen[model["id"]] = model
    return list(seen.values())
