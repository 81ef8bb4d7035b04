"""One anomaly per series and episode: opened when it first fires, updated when it grows, closed when it is quiet."""

from __future__ import annotations

from dataclasses import dataclass, replace

QUIET_CLOSES_US = 10 * 60 * 1_000_000
GROWTH_TOLD = 1.5
# Kinds that are news once: the first time is the anomaly, and the episode is over with it.
ONCE = frozenset({"novel_egress", "novel_path"})


@dataclass(frozen=True, slots=True)
class Firing:
    """Something that fired now. `series` names it within its workspace."""

    workspace_id: str
    kind: str
    series: str
    observed: float
    expected: float
    score: float
    probability: float
    baseline_weeks: int
    key_id: str = ""
    tool_name: str = ""
    run_id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Episode:
    """An anomaly over time."""

    anomaly_id: str
    workspace_id: str
    kind: str
    series: str
    opened_at_us: int
    fired_at_us: int
    told_observed: float
    closed_at_us: int | None = None


def advance(
    episode: Episode | None, firing: Firing | None, now_us: int, new_id: str
) -> tuple[Episode | None, str | None]:
    """The episode after this minute, and the state to tell (`opened`, `updated`, `closed`) if any."""
    if firing is not None:
        if episode is None or (episode.closed_at_us is not None and firing.kind not in ONCE):
            closed = now_us if firing.kind in ONCE else None
            fresh = Episode(
                new_id, firing.workspace_id, firing.kind, firing.series, now_us, now_us, firing.observed, closed
            )
            return fresh, "opened"
        if episode.closed_at_us is not None:
            return episode, None
        if firing.observed >= GROWTH_TOLD * episode.told_observed:
            return replace(episode, fired_at_us=now_us, told_observed=firing.observed), "updated"
        return replace(episode, fired_at_us=now_us), None
    if episode is not None and episode.closed_at_us is None and now_us - episode.fired_at_us >= QUIET_CLOSES_US:
        return replace(episode, closed_at_us=now_us), "closed"
    return episode, None
