"""Models of what management routes answer with, for the OpenAPI document.

Answers are not validated against them when they are sent: the suites hold every answer to the served document
(`tests/support/documented.py`), so that one that drifts fails a test and not a caller.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

Answer = Any
"""JSON in the envelope: `responses` of its route says what of it the OpenAPI document tells."""
Responses = dict[int | str, dict[str, Any]]


class Shown(BaseModel):
    """Base of answers: they have the listed fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Deleted(Shown):
    """What is gone."""

    id: str
    deleted: Literal[True]


class Version(Shown):
    """One version of a policy and who made it."""

    version: int
    operation: str
    author_id: str
    created_time: int
    snapshot: dict[str, Any] = Field(description="What it said then.")


class Change(Shown):
    """One difference; null on the side that has nothing there."""

    path: str
    before: Any
    after: Any


class Difference(Shown):
    """What changed between two versions."""

    from_: int = Field(alias="from")
    to: int
    changes: list[Change]


@cache
def shows(model: type[BaseModel]) -> Responses:
    """The `responses` of a route that answers with one object."""
    return _data(f"{model.__name__}Answer", model, model.__doc__)


@cache
def pages(model: type[BaseModel]) -> Responses:
    """The `responses` of a route that answers with a page of objects."""
    fields: dict[str, Any] = {"items": (list[model], ...), "next_cursor": (str | None, ...)}  # type: ignore[valid-type]
    page = create_model(f"{model.__name__}Page", __base__=Shown, **fields)
    return _data(f"{model.__name__}PageAnswer", page, "A page of the list.")


@cache
def lists(model: type[BaseModel]) -> Responses:
    """The `responses` of a route that answers with all objects there are."""
    fields: dict[str, Any] = {"items": (list[model], ...)}  # type: ignore[valid-type]
    whole = create_model(f"{model.__name__}List", __base__=Shown, **fields)
    return _data(f"{model.__name__}ListAnswer", whole, "The whole list.")


@cache
def nothing() -> Responses:
    """The `responses` of a route whose success says it all."""
    return _data("NothingAnswer", None, "Done.")


def _data(name: str, data: Any, description: str | None) -> Responses:
    return {
        200: {"model": create_model(name, success=(Literal[True], ...), data=(data, ...)), "description": description}
    }
