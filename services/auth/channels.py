"""Channels and the models they serve, with prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orca.auth.v1 import auth_pb2
from services.auth.crypto import CredentialBox
from services.auth.domain.prices import ECHO, Price
from services.auth.prices import library_price, with_known_bounds
from services.auth.records import model_record
from services.auth.storage.store import Store

ECHO_CHANNEL_ID = "ch_builtin_echo"


class ChannelBook:
    """Reads channels with credentials, and resolves prices: an override wins over the library."""

    def __init__(self, store: Store, box: CredentialBox, *, echo: bool) -> None:
        self._store = store
        self._box = box
        self._echo = echo

    def builtin(self) -> list[auth_pb2.ChannelRecord]:
        """The echo channel, for every workspace."""
        if not self._echo:
            return []
        model = auth_pb2.ChannelModel(id=ECHO, upstream_id="echo")
        return [
            auth_pb2.ChannelRecord(
                channel_id=ECHO_CHANNEL_ID, name="echo", base_url="builtin:echo", models=[model], weight=1, enabled=True
            )
        ]

    def record(self, row: Any) -> auth_pb2.ChannelRecord:
        """A stored channel as relays need it."""
        if row.deleted:
            return auth_pb2.ChannelRecord(
                channel_id=row.id, workspace_id=row.workspace_id, version=row.version, deleted=True
            )
        fields = row.fields
        return auth_pb2.ChannelRecord(
            channel_id=row.id,
            workspace_id=row.workspace_id,
            name=row.name,
            base_url=fields["base_url"],
            api_key=self._box.open(row.id, row.credential),
            models=[auth_pb2.ChannelModel(**model) for model in fields["models"]],
            priority=fields["priority"],
            weight=fields["weight"],
            enabled=fields["enabled"],
            timeout_ms=fields["timeout_ms"] or 0,
            max_tokens_field=fields["max_tokens_field"],
            extra_answer_fields=fields["extra_answer_fields"],
            extra_request_fields=fields["extra_request_fields"],
            version=row.version,
        )

    async def prices(self, workspace_id: str) -> Mapping[str, Price | None]:
        """Every model of the workspace, by id; None: no price is known."""
        rows = await self._store.channels(workspace_id)
        overrides = await self._store.prices(workspace_id)
        ids = {model["id"] for row in rows for model in row.fields["models"]} | set(overrides)
        if self._echo:
            ids.add(ECHO)
        return {
            model_id: with_known_bounds(model_id, Price(**overrides[model_id]))
            if model_id in overrides
            else library_price(model_id)
            for model_id in sorted(ids)
        }

    async def models(self, workspace_id: str) -> list[auth_pb2.ModelRecord]:
        """The same as relays need it."""
        prices = await self.prices(workspace_id)
        return [model_record(workspace_id, model_id, price) for model_id, price in prices.items()]
