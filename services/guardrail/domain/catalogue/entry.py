"""The record of one entity, and shorthands to write it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.guardrail.domain import acceptors
from services.guardrail.domain.context import Context
from services.guardrail.domain.finders import BuiltIn
from services.guardrail.domain.forms import Accept, Form, FormFinder
from services.guardrail.domain.shapes import Shape
from services.guardrail.domain.validators import on_compact


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity. `validation` and `misses` are what the documentation says about it."""

    name: str
    validation: str
    build: Callable[[], BuiltIn]
    context: str = ""
    """Words, `|`-separated, that at least one form needs; empty when none does."""
    misses: str = ""


def forms(*items: Form) -> Callable[[], BuiltIn]:
    """A finder over those forms, built when first used."""
    return lambda: FormFinder(*items)


def free(shape: str, valid: Callable[[str], bool], *, ignore_case: bool = False) -> Form:
    """A form that is found without context; `valid` sees the match without separators."""
    return Form(Shape(shape, ignore_case=ignore_case), acceptors.alone(on_compact(valid)))


def bound(shape: str, valid: Callable[[str], bool], words: str, *, ignore_case: bool = False) -> Form:
    """A form that is found only after one of the words; `valid` sees the match without separators."""
    return Form(Shape(shape, ignore_case=ignore_case), acceptors.whole(on_compact(valid)), Context(words))


def raw(shape: str, accept: Accept, words: str = "", *, ignore_case: bool = False) -> Form:
    """A form with its own acceptor."""
    return Form(Shape(shape, ignore_case=ignore_case), accept, Context(words) if words else None)
