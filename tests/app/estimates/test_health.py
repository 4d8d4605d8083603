"""The health score: its parts, what a missing one does, and that the points add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.estimates import health
from app.estimates.churn import Past
from tests.app.estimates.test_churn import TODAY, past_of, random_past


def parts_of(past: Past, engagement: float = 40, deals: int = 0) -> dict[str, float]:
    rows = health.parts(past, np.full(past.organizers, engagement), np.full(past.organizers, deals))
    return rows.iloc[0].to_dict()


def test_an_organizer_of_which_nothing_is_known() -> None:
    parts = parts_of(past_of([]))
    assert parts.pop("pipeline") == 0
    assert all(np.isnan(part) for part in parts.values())
    points, observed = health.score(health.parts(past_of([]), [0], [0]))
    assert health.whole(points).tolist() == [0]
    assert observed.tolist() == [0.1]


@pytest.mark.parametrize(
    ("days_ago", "clock"), [(0, 100), (99, 100), (100, 100), (150, 75), (200, 50), (299, 0.5), (300, 0), (900, 0)]
)
def test_the_clock_runs_from_half_the_usual_gap_to_one_and_a_half(days_ago: int, clock: float) -> None:
    last = TODAY - days_ago
    past = past_of([(0, last), (0, last - 200), (0, last - 400)])
    assert parts_of(past)["clock"] == pytest.approx(clock)


@pytest.mark.parametrize(
    ("counts", "trend"),
    [
        ({0: 10, 1: 10}, 50),
        ({0: 10}, 100),
        ({1: 5}, 0),
        ({0: 6, 1: 2}, 75),
        ({0: 6, 1: 2, 4: 6, 5: 2}, 50),  # as in the same season last year
        ({0: 6, 1: 2, 4: 2, 5: 6}, 75),
        ({4: 1, 5: 1}, np.nan),
    ],
)
def test_the_trend_compares_with_before_and_with_last_year(counts: dict[int, int], trend: float) -> None:
    done = [(0, 0, stretch, stretch, n, n) for stretch, n in counts.items()]
    assert parts_of(past_of([], activities=done))["trend"] == pytest.approx(trend, nan_ok=True)


def test_answers_off_the_scale_and_old_ones_say_nothing() -> None:
    told = [(0, TODAY - 10, 5.0), (0, TODAY - 20, 4.0), (0, TODAY - 30, 9.0), (0, TODAY - 30, -1.0)]
    assert parts_of(past_of([], answers=[*told, (0, TODAY - 720, 1.0)]))["satisfaction"] == 87.5
    assert np.isnan(parts_of(past_of([], answers=told[2:]))["satisfaction"])


@pytest.mark.parametrize(("deals", "part"), [(0, 0), (1, 50), (2, 100), (9, 100)])
def test_open_opportunities(deals: int, part: float) -> None:
    assert parts_of(past_of([]), deals=deals)["pipeline"] == part


def test_a_missing_part_leaves_its_weight_to_the_others() -> None:
    observed = pd.DataFrame(
        {
            "engagement": [80, 80],
            "trend": [50, 50],
            "clock": [100, np.nan],
            "satisfaction": [60, np.nan],
            "pipeline": [0, 0],
        }
    )
    points, share = health.score(observed)
    assert points.loc[0].tolist() == [24, 7.5, 25, 12, 0]
    assert share.tolist() == [1, 0.55]
    assert points.loc[1, ["clock", "satisfaction"]].tolist() == [0, 0]
    assert health.whole(points).tolist() == [69, 57]  # (30 × 80 + 15 × 50) / 55 = 57.3


some = st.one_of(st.just(np.nan), st.floats(0, 100))


@given(st.lists(st.tuples(some, some, some, some, some), min_size=1, max_size=6))
def test_points_add_up_to_the_score(rows: list[tuple[float, ...]]) -> None:
    observed = pd.DataFrame(rows, columns=list(health.WEIGHTS))
    points, share = health.score(observed)
    whole = health.whole(points)
    assert ((whole >= 0) & (whole <= 100)).all()
    weights = observed.notna() * list(health.WEIGHTS.values())
    exact = ((observed.fillna(0) * weights).sum(axis=1) / weights.sum(axis=1)).fillna(0)
    np.testing.assert_allclose(points.sum(axis=1), exact, atol=0.0501)
    np.testing.assert_allclose(whole, points.sum(axis=1).round(1), atol=0.5)
    np.testing.assert_allclose(share, weights.sum(axis=1) / 100)


def test_parts_stay_between_0_and_100_whatever_happened() -> None:
    for seed in range(5):
        past = random_past(seed)
        parts = health.parts(past, np.full(past.organizers, 100), np.arange(past.organizers))
        assert ((parts >= 0) & (parts <= 100) | parts.isna()).all(axis=None)


def test_risk_follows_the_probability_or_else_health() -> None:
    assert health.risk([60, 59, 35, 34], None).tolist() == ["low", "medium", "medium", "high"]
    chances = [0.0, 0.2, 0.5, np.nan]
    assert health.risk([10, 10, 90, 34], chances).tolist() == ["low", "medium", "high", "high"]
    assert health.risk([90], [0.1999]).tolist() == ["low"]
