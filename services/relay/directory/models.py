"""The snapshot of channels and prices: routes per workspace, computed when first asked for after a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orca.auth.v1.auth_pb2 import ChannelRecord, ModelRecord
from services.relay.ports import ModelRoute

EVERY_WORKSPACE = ""


@dataclass(frozen=True, slots=True)
class _Routes:
    by_id: Mapping[str, ModelRoute]
    by_bare_id: Mapping[str, ModelRoute | None]
    """None: two models share the bare id."""


class ModelTable:
    """Channels and models at one revision."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, ChannelRecord]] = {}
        self._models: dict[str, dict[str, ModelRecord]] = {}
        self._owner: dict[str, str] = {}
        self._routes: dict[str, _Routes] = {}

    def put_channel(self, record: ChannelRecord) -> None:
        """Applies a channel record or its tombstone."""
        owner = self._owner.pop(record.channel_id, None)
        if owner is not None:
            self._channels[owner].pop(record.channel_id, None)
            self._changed(owner)
        if not record.deleted:
            self._owner[record.channel_id] = record.workspace_id
            self._channels.setdefault(record.workspace_id, {})[record.channel_id] = record
            self._changed(record.workspace_id)

    def put_model(self, record: ModelRecord) -> None:
        """Applies a model record or its tombstone."""
        models = self._models.setdefault(record.workspace_id, {})
        if record.deleted:
            models.pop(record.model_id, None)
        else:
            models[record.model_id] = record
        self._changed(record.workspace_id)

    def models(self, workspace_id: str) -> Mapping[str, ModelRoute]:
        """All routes of a workspace by full model id."""
        return self._of(workspace_id).by_id

    def find(self, workspace_id: str, model: str) -> ModelRoute | None:
        """By full id, or by bare id where that is unambiguous."""
        routes = self._of(workspace_id)
        return routes.by_id.get(model) or routes.by_bare_id.get(model)

    def _changed(self, workspace_id: str) -> None:
        if workspace_id == EVERY_WORKSPACE:
            self._routes.clear()
        else:
            self._routes.pop(workspace_id, None)

    def _of(self, workspace_id: str) -> _Routes:
        routes = self._routes.get(workspace_id)
        if routes is None:
            routes = self._build(workspace_id)
            # Only workspaces that own something are kept, so that the cache is bounded by the snapshot.
            if workspace_id in self._channels or workspace_id in self._models:
                self._routes[workspace_id] = routes
        return routes

    def _build(self, workspace_id: str) -> _Routes:
        serving: dict[str, list[tuple[ChannelRecord, str]]] = {}
        for owner in {workspace_id, EVERY_WORKSPACE}:
            for channel in self._channels.get(owner, {}).values():
                if channel.enabled:
                    for model in channel.models:
                        serving.setdefault(model.id, []).append((channel, model.upstream_id or model.id))
        by_id: dict[str, ModelRoute] = {}
        by_bare_id: dict[str, ModelRoute | None] = {}
        for model_id in sorted(serving):
            channels = sorted(serving[model_id], key=lambda served: (served[0].priority, served[0].channel_id))
            route = ModelRoute(model_id, self._price(workspace_id, model_id), tuple(channels))
            by_id[model_id] = route
            _, _, bare = model_id.partition("/")
            if bare:
                by_bare_id[bare] = None if bare in by_bare_id else route
        return _Routes(by_id, by_bare_id)

    def _price(self, workspace_id: str, model_id: str) -> ModelRecord:
        for owner in (workspace_id, EVERY_WORKSPACE):
            record = self._models.get(owner, {}).get(model_id)
            if record is not None:
                return record
        return ModelRecord(workspace_id=workspace_id, model_id=model_id, priced=False)
