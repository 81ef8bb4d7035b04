"""The scorer over a past: causal, seasonal, silent on noise, awake on spikes; and the command around it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from services.analytics.backtest import run
from services.analytics.domain.anomaly.backtest import SpanTooLong, score
from services.common.errors import Invalid
from tests.unit.analytics.anomaly.simulated import counts, rhythm, times

NAN = float("nan")


def flagged(values: np.ndarray, width_s: int, *, at: np.ndarray, count: bool = True) -> list[int]:
    return np.flatnonzero(score(at, values, width_s=width_s, count=count, floor=10.0).anomalous).tolist()


@pytest.mark.parametrize(("width_s", "mean"), [(300, 40.0), (1800, 300.0), (3600, 400.0)])
def test_noise_is_silent_and_spikes_are_not(width_s: int, mean: float) -> None:
    at = times(8, width_s)
    values = counts(at, mean, dispersion=0.02)
    # Busy hours of weeks that are well known.
    spikes = [int(len(at) * share) for share in (0.53, 0.66, 0.79, 0.95)]
    for index in spikes:
        values[index] *= 5
    assert flagged(values, width_s, at=at) == spikes


def _hard(kind: str, rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
    """Five-minute counts that single buckets tell little about."""
    shape = rhythm(at, weekend=0.8)
    if kind == "sparse":
        return (rng.poisson(0.4 * shape) * rng.integers(1, 3, len(at))).astype(np.float64)
    if kind == "zero-inflated":
        values = rng.poisson(25 * shape * rng.gamma(3, 1 / 3, len(at))).astype(np.float64)
        values[rng.random(len(at)) < 0.4] = 0
        return values
    return np.round(rng.lognormal(3, 0.8, len(at)))


@pytest.mark.parametrize("kind", ["sparse", "zero-inflated", "noisy"])
def test_hard_series_tell_by_the_hour_what_no_bucket_tells(kind: str) -> None:
    at = times(4, 300)
    values = _hard(kind, np.random.default_rng(3), at)
    bursts = [(2_500 + 1_800 * number, 2_512 + 1_800 * number) for number in range(3)]
    for first, end in bursts:
        values[first:end] = np.round((values[first:end] + values.mean()) * 8) + 10
    found = flagged(values, 300, at=at)
    about = {index for first, end in bursts for index in range(first, end + 12)}
    assert [any(first <= index < end for index in found) for first, end in bursts] == [True, True, True]
    assert len([index for index in found if index not in about]) <= 3


def test_the_first_scored_days_know_the_noise_of_those_before() -> None:
    at = times(0.6, 300)
    assert flagged(_hard("zero-inflated", np.random.default_rng(4), at), 300, at=at) == []


def test_growth_and_weekends_are_no_anomaly() -> None:
    at = times(10, 3600)
    assert flagged(counts(at, 300, growth_per_week=0.15), 3600, at=at) == []


def test_an_outage_is_a_drop() -> None:
    at = times(6, 3600)
    values = counts(at, 400)
    values[-30:-26] = 0
    scored = score(at, values, width_s=3600, count=True, floor=10.0)
    assert np.flatnonzero(scored.anomalous).tolist() == list(range(len(at) - 30, len(at) - 26))
    assert (scored.z[-30:-26] < -4).all()


def test_amounts_are_scored_without_counting_noise() -> None:
    at = times(6, 3600)
    values = counts(at, 400) * 1e-4
    values[700] *= 5
    assert flagged(values, 3600, at=at, count=False) == []  # below the floor of 10
    assert np.flatnonzero(score(at, values, width_s=3600, count=False).anomalous).tolist() == [700]


def test_daily_buckets_follow_the_week() -> None:
    at = times(30, 86_400)
    values = counts(at, 5000, dispersion=0.003)
    values[150] *= 4
    assert flagged(values, 86_400, at=at) == [150]


def test_scoring_looks_at_the_past_only() -> None:
    at = times(5, 3600)
    values = counts(at, 200)
    whole = score(at, values, width_s=3600, count=True)
    part = score(at[:700], values[:700], width_s=3600, count=True)
    np.testing.assert_allclose(whole.z[:700], part.z, equal_nan=True)
    np.testing.assert_allclose(whole.expected[:700], part.expected, equal_nan=True)


def test_insufficient_history_is_a_value() -> None:
    at = times(1, 3600)
    scored = score(at, counts(at, 200), width_s=3600, count=True)
    assert np.isnan(scored.z[:48]).all()
    assert not scored.anomalous[:48].any()
    assert not np.isnan(scored.z[48:]).any()


def test_an_anomaly_does_not_teach_the_baseline() -> None:
    at = times(9, 3600)
    values = counts(at, 300, dispersion=0.005)
    clean = score(at, values, width_s=3600, count=True).expected
    for week in range(3, 8):
        values[168 * week + 36] *= 6
    taught = score(at, values, width_s=3600, count=True).expected
    assert taught[168 * 8 + 36] < 2 * clean[168 * 8 + 36]


def test_missing_values_are_skipped() -> None:
    at = times(4, 3600)
    values = counts(at, 300)
    values[400:420] = NAN
    scored = score(at, values, width_s=3600, count=True)
    assert np.isnan(scored.z[400:420]).all()
    assert not scored.anomalous.any()


def test_a_span_without_bound_is_refused() -> None:
    with pytest.raises(SpanTooLong):
        score(np.array([0, 10**10]), np.array([1.0, 2.0]), width_s=3600, count=True)


def backtest(path: Path, text: str, *, tz: str = "UTC", metric: str | None = None) -> list[dict[str, object]]:
    path.write_text(text)
    out = io.StringIO()
    run(path, tz=tz, metric=metric, out=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")


def test_the_command_prints_one_line_per_bucket(tmp_path: Path) -> None:
    at = times(5, 3600)
    values = counts(at, 300)
    values[800] *= 5
    rows = [f"{iso(second)},{int(value)}" for second, value in zip(at, values, strict=True)]
    lines = backtest(tmp_path / "h.csv", "timestamp,value\n" + "\n".join(rows))
    assert len(lines) == len(at)
    assert [index for index, line in enumerate(lines) if line["anomalous"]] == [800]
    assert lines[0] == {
        "timestamp": "2024-01-01 00:00:00", "value": values[0], "expected": None, "score": None, "anomalous": False,
    }  # fmt: skip
    assert set(lines[800]) == {"timestamp", "value", "expected", "score", "anomalous"}
    assert lines[800]["value"] == values[800]


def test_order_repetition_gaps_and_dialect_do_not_matter(tmp_path: Path) -> None:
    at = times(5, 1800)
    values = counts(at, 200)
    values[1100] *= 5
    plain = [f"{second},{int(value)}" for second, value in zip(at, values, strict=True)]
    expected = backtest(tmp_path / "a.csv", "\n".join(plain))
    order = np.random.default_rng(3).permutation(len(plain)).tolist()
    shuffled = [plain[index] for index in order] + plain[:50]
    messy = "\ufeffwhen;noise;value\n" + "\n".join(
        f"{int(row.split(',')[0]) * 1000};x;{row.split(',')[1]}" for row in shuffled
    )
    found = backtest(tmp_path / "b.csv", messy.replace("when", "time"))
    assert [{**line, "timestamp": None} for line in found] == [{**line, "timestamp": None} for line in expected]
    holes = [row for index, row in enumerate(plain) if not 500 <= index < 560]
    holes[20] = holes[20].split(",")[0] + ",NaN"
    holes[21] = holes[21].split(",")[0] + ",-5"
    gappy = backtest(tmp_path / "c.csv", "\n".join([*holes, "", "# end", "not a row"]))
    assert len(gappy) == len(holes)
    assert [line["value"] for line in gappy[20:22]] == [None, None]
    assert [line["timestamp"] for line in gappy if line["anomalous"]] == [str(at[1100])]


def test_the_week_is_local(tmp_path: Path) -> None:
    """The same wall clock all over the world gives the same scores, across a change to summer time."""
    at = times(14, 3600)
    values = counts(at, 300)
    naive = "\n".join(f"{iso(s)},{int(v)}" for s, v in zip(at, values, strict=True))
    aware = "\n".join(
        f"{iso(s).replace(' ', 'T')}{'+02:00' if s >= 1711850400 + 3600 else '+01:00'},{int(v)}"
        for s, v in zip(at, values, strict=True)
        if iso(s) != "2024-03-31 02:00:00"  # does not exist in Berlin
    )
    local = {str(line["timestamp"]): line for line in backtest(tmp_path / "a.csv", naive)}
    zoned = backtest(tmp_path / "b.csv", aware, tz="Europe/Berlin")
    last = zoned[-1]
    twin = local[str(last["timestamp"])[:19].replace("T", " ")]
    assert last["expected"] == pytest.approx(twin["expected"], rel=0.02)


@pytest.mark.parametrize(
    ("text", "tz", "message"),
    [
        ("", "UTC", "there are no lines"),
        ("timestamp,value\nfoo,1\nbar,2\n2024-01-01,1\n", "UTC", r"line 2, column 1 \(timestamp\): is no time"),
        (
            "timestamp;value\n2024-01-01;x\n2024-01-02;y\n2024-01-03;1\n",
            "UTC",
            r"line 2, column 2 \(value\): is no num",
        ),
        ("id,time,n,value\n\n1,2024-01-01,x,1\n2,2024-01-02\n3\n4,x\n", "UTC", r"line 4, column 4: is missing"),
        ("2024-01-01,1\n", "UTC", "there is one row"),
        ("2024-01-01,1\n2024-01-01,2\n", "UTC", "same timestamp"),
        ("1,2\n", "Mars/Olympus", "time zone"),
        ("1970-01-02,1\n2199-01-01,2\n", "UTC", "spans"),
    ],
)
def test_what_is_no_history_is_refused(tmp_path: Path, text: str, tz: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        backtest(tmp_path / "h.csv", text, tz=tz)


def test_dialects_give_the_same_scores(tmp_path: Path) -> None:
    at = times(3, 3600)
    values = counts(at, 200) + 0.5
    values[400] *= 5
    pairs = list(zip(at, values, strict=True))
    plain = backtest(tmp_path / "a.csv", "\n".join(f"{second},{value}" for second, value in pairs))
    dialects = {
        "semicolons and decimal commas": "Zeit;Wert\n" + "\n".join(f"{s};{str(v).replace('.', ',')}" for s, v in pairs),
        "milliseconds, tabs": "\n".join(f"{s * 1000}\t{v}" for s, v in pairs),
        "value first": "requests,when\n" + "\n".join(f"{v},{s}" for s, v in pairs),
        "quoted, offset": "\n".join(f'"{iso(s)}+00:00","{v}"' for s, v in pairs),
        "value of another name": "timestamp,cpu\n" + "\n".join(f"{iso(s)}Z,{v}" for s, v in pairs),
    }
    for name, text in dialects.items():
        found = backtest(tmp_path / "b.csv", text)
        assert (name, [{**line, "timestamp": ""} for line in found]) == (
            name, [{**line, "timestamp": ""} for line in plain],
        )  # fmt: skip


@pytest.mark.parametrize("empty", ["", "NaN", "null", "N/A", "-1", "inf", "unknown"])
def test_a_bucket_without_a_number_has_no_value_and_no_score(tmp_path: Path, empty: str) -> None:
    at = times(2, 3600)
    rows = [f"{second},{int(value)}" for second, value in zip(at, counts(at, 200), strict=True)]
    rows[300] = f"{at[300]},{empty}"
    lines = backtest(tmp_path / "h.csv", "\n".join(rows))
    assert [lines[300][name] for name in ("value", "score", "anomalous")] == [None, None, False]
    assert [line["value"] is None for line in lines].count(True) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        run(tmp_path / "none.csv", tz="UTC", metric=None, out=io.StringIO())


@pytest.mark.parametrize("pattern", ["%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M"])
def test_common_ways_to_write_a_time(tmp_path: Path, pattern: str) -> None:
    seconds = [int(second) for second in times(1, 3600)][:100]
    text = "\n".join(f"{datetime.fromtimestamp(second, UTC).strftime(pattern)},5" for second in seconds)
    assert len(backtest(tmp_path / "h.csv", text)) == 100
    unpadded = "\n".join(f"2024-1-{1 + n // 24} {n % 24}:00:00,5" for n in range(100))
    assert len(backtest(tmp_path / "u.csv", unpadded)) == 100
