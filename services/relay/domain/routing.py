"""In which order a request tries its channels: lower priority number first, equals drawn by weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def failover_order(
    routes: Sequence[T], priority: Callable[[T], int], weight: Callable[[T], int], draw: Callable[[], float]
) -> list[T]:
    """All routes in the order to try them. `draw` gives numbers in [0, 1); weights below 1 count as 0."""
    if len(routes) == 1:
        return list(routes)
    ordered: list[T] = []
    for level in sorted({priority(route) for route in routes}):
        pool = [route for route in routes if priority(route) == level]
        while pool:
            total = sum(max(0, weight(route)) for route in pool)
            mark = draw() * total
            chosen = len(pool) - 1
            for index, route in enumerate(pool):
                mark -= max(0, weight(route))
                if mark < 0:
                    chosen = index
                    break
            ordered.append(pool.pop(chosen))
    return ordered
