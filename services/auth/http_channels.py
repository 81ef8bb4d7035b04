"""Auth's routes about upstream channels and model prices."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.auth import answers, bodies
from services.auth.channel_operations import ChannelOperations
from services.auth.channels import ChannelBook
from services.auth.domain.prices import Price
from services.auth.edge import Admin, Viewer, after, before, given, page_of
from services.auth.prices import with_known_bounds
from services.auth.probe import ChannelProbe
from services.auth.records import model_object
from services.auth.storage.store import Store
from services.auth.storage.tables import CHANNELS
from services.common.answers import Answer, nothing, pages, shows
from services.common.errors import Invalid, NotFound
from services.common.http import Page, Principal, encode_cursor, ok
from services.common.money import parse_usd

MODEL_ID_MAX = 256


def channel_routes(store: Store, operations: ChannelOperations, book: ChannelBook, probe: ChannelProbe) -> APIRouter:
    """Channels."""
    router = APIRouter(tags=["channel"])

    async def found(principal: Principal, channel_id: str) -> Any:
        row = await store.channel(principal.workspace_id, channel_id)
        if row is None:
            raise NotFound("no such channel")
        return row

    def shown(row: Any) -> Answer:
        return {"id": row.id, "name": row.name, "created_time": row.created_time, **row.fields}

    @router.get("/api/channel", responses=pages(answers.Channel))
    async def channels(principal: Admin, page: Page) -> Answer:
        where = (CHANNELS.c.workspace_id == principal.workspace_id) & CHANNELS.c.deleted.is_(False)
        rows = await store.page(CHANNELS, where, page.limit, before(page.cursor))
        return page_of(rows, [shown(row) for row in rows[: page.limit]], page, ("created_time", "id"))

    @router.post("/api/channel", responses=shows(answers.Channel))
    async def channel_create(body: bodies.ChannelCreate, principal: Admin) -> Answer:
        values = {**given(body), "models": body.model_dump()["models"], "api_key": body.api_key}
        return ok(shown(await operations.create_channel(principal, values)))

    @router.get("/api/channel/{channel_id}", responses=shows(answers.Channel))
    async def channel_get(channel_id: str, principal: Admin) -> Answer:
        return ok(shown(await found(principal, channel_id)))

    @router.put("/api/channel/{channel_id}", responses=shows(answers.Channel))
    async def channel_put(channel_id: str, body: bodies.ChannelUpdate, principal: Admin) -> Answer:
        row = await found(principal, channel_id)
        return ok(shown(await operations.update_channel(principal, row, given(body))))

    @router.delete("/api/channel/{channel_id}", responses=nothing())
    async def channel_delete(channel_id: str, principal: Admin) -> Answer:
        await operations.delete_channel(principal, await found(principal, channel_id))
        return ok(None)

    @router.post("/api/channel/{channel_id}/test", responses=shows(answers.ChannelTest))
    async def channel_test(channel_id: str, principal: Admin) -> Answer:
        return ok(await probe.test(book.record(await found(principal, channel_id))))

    return router


def model_routes(store: Store, operations: ChannelOperations, book: ChannelBook) -> APIRouter:
    """Models and their prices. A model's id contains slashes and is the rest of the path."""
    router = APIRouter(tags=["model"])

    @router.get("/api/model", responses=pages(answers.Model))
    async def models(principal: Viewer, page: Page) -> Answer:
        start, prices = after(page.cursor), await book.prices(principal.workspace_id)
        names = [name for name in prices if name > start][: page.limit + 1]
        items = [model_object(name, prices[name]) for name in names[: page.limit]]
        cursor = encode_cursor([names[page.limit - 1]]) if len(names) > page.limit else None
        return ok({"items": items, "next_cursor": cursor})

    @router.get("/api/model/{model_id:path}", responses=shows(answers.Model))
    async def model_get(model_id: str, principal: Viewer) -> Answer:
        prices = await book.prices(principal.workspace_id)
        if model_id not in prices:
            raise NotFound("no such model")
        return ok(model_object(model_id, prices[model_id]))

    @router.put("/api/model/{model_id:path}", responses=shows(answers.Model))
    async def price_put(model_id: str, body: bodies.PriceUpdate, principal: Admin) -> Answer:
        price = _price(body)
        await operations.put_price(principal, _model_id(model_id), price)
        return ok(model_object(model_id, with_known_bounds(model_id, price)))

    @router.delete("/api/model/{model_id:path}", responses=nothing())
    async def price_delete(model_id: str, principal: Admin) -> Answer:
        if model_id not in await store.prices(principal.workspace_id):
            raise NotFound("this model has no override")
        await operations.put_price(principal, model_id, None)
        return ok(None)

    return router


def _model_id(model_id: str) -> str:
    if not 0 < len(model_id) <= MODEL_ID_MAX or not model_id.isprintable() or " " in model_id:
        raise Invalid("id: not a model id", param="id")
    return model_id


def _price(body: bodies.PriceUpdate) -> Price:
    def nano(field: str) -> int | None:
        value = getattr(body, field)
        if value is None:
            return None
        try:
            return parse_usd(value)
        except ValueError as error:
            raise Invalid(f"{field}: {error}", param=field) from None

    inputs, outputs = nano("input_usd_per_mtok") or 0, nano("output_usd_per_mtok") or 0
    cached = nano("cached_input_usd_per_mtok")
    return Price(
        input_nano_usd_per_mtok=inputs,
        cached_input_nano_usd_per_mtok=inputs if cached is None else cached,
        output_nano_usd_per_mtok=outputs,
        request_nano_usd=nano("usd_per_request") or 0,
        context_length=body.context_length or 0,
        max_output_tokens=body.max_output_tokens or 0,
        source="override",
        max_input_nano_usd_per_mtok=max(inputs, cached or 0),
        max_output_nano_usd_per_mtok=outputs,
        tokens_per_byte=body.tokens_per_byte or 1,
    )
