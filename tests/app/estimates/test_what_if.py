from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.estimates.what_if import Groups, Outcome, added_up, band, with_defaults


def groups(*rows: tuple[str, str, bool, float, float]) -> Groups:
    """Each row one opportunity: stage, owner, whether it inherits, value and probability."""
    frame = pd.DataFrame(rows, columns=["stage_id", "owner", "inherits", "value", "p"])
    return Groups.of(
        frame.assign(
            owner_id=frame["owner"],
            closes="2026-01",
            opportunities=1,
            without_rate=0,
            expected_revenue=frame["value"] * frame["p"],
            squares=frame["value"] ** 2,
            variance=frame["value"] ** 2 * frame["p"] * (1 - frame["p"]),
        )
    )


def with_default(some: Groups, stage_id: str, p: float, follows: Any) -> Outcome:
    return with_defaults(some, {stage_id: p}, follows)


SOME = groups(("a", "x", True, 100, 0.5), ("a", "y", False, 10, 0.3), ("b", "x", True, 1000, 0.2))


@pytest.mark.parametrize(
    ("follows", "expected", "variance"),
    [
        ("new", 253.0, 2500 + 21 + 160_000),
        ("inheriting", 203 + 80.0, 1600 + 21 + 160_000),
        ("all", 200 + 88.0, 1600 + 16 + 160_000),
    ],
)
def test_who_follows_decides_what_changes(follows: str, expected: float, variance: float) -> None:
    outcome = with_default(SOME, "a", 0.8, follows)
    assert outcome.before.sum() == pytest.approx(253)
    assert outcome.after.sum() == pytest.approx(expected)
    assert outcome.variance_after.sum() == pytest.approx(variance)
    assert SOME.sums["expected_revenue"].sum() == pytest.approx(253)


def test_certain_ones_have_no_spread() -> None:
    for percent in (0.0, 1.0):
        assert with_default(SOME, "b", percent, "all").variance_after[2] == 0


def test_nothing_open_is_nothing_before_and_after() -> None:
    outcome = with_default(groups(), "a", 0.5, "all")
    assert added_up(outcome, "owner").empty
    assert band(0, 0, 0) == band(0.0, 0.0, 0.0)
    assert (band(0, 0, 0).p10, band(0, 0, 0).p90) == (0, 0)


cents = st.integers(0, 10**12).map(lambda whole: whole / 1000)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans(), cents, st.just(0.37))))
def test_parts_add_up_to_the_cent_whichever_way_they_are_cut(rows: list[tuple[str, str, bool, float, float]]) -> None:
    outcome = with_default(groups(*rows), "a", 0.61, "inheriting")
    cut = [added_up(outcome, by) for by in ("stage_id", "owner", "closes")]
    for sums in cut:
        assert (sums["before"] + sums["change"]).round(2).tolist() == sums["after"].tolist()
        untouched = sums[sums["before"] == sums["after"]]
        assert (untouched["change"] == 0).all()
    for name in ("before", "change"):
        totals = {round(float(sums[name].sum()), 2) for sums in cut}
        assert max(totals) - min(totals) <= 0.011


def test_what_did_not_follow_does_not_change_by_a_cent() -> None:
    rows = [("b", str(n), True, 0.001 * n, 0.37) for n in range(1, 400)] + [("a", "x", True, 33.33, 0.37)]
    sums = added_up(with_default(groups(*rows), "a", 0.61, "all"), "stage_id").set_index("stage_id")
    assert sums.loc["b", "change"] == 0
    assert sums.loc["a", "change"] == pytest.approx(8.0)


def test_stages_change_together() -> None:
    outcome = with_defaults(SOME, {"a": 0.8, "b": 0.1, "gone": 0.9}, "inheriting")
    assert outcome.after.tolist() == pytest.approx([80, 3, 100])


def test_two_owners_of_one_name_stay_two() -> None:
    frame = pd.DataFrame(
        {"stage_id": "a", "owner": "Sam", "owner_id": ["1", "2"], "closes": "undated", "inherits": True}
    )
    sums = dict.fromkeys(["opportunities", "without_rate", "value", "expected_revenue", "squares", "variance"], 1)
    outcome = with_default(Groups.of(frame.assign(**sums)), "a", 0.5, "all")
    assert added_up(outcome, "owner")[["owner", "opportunities"]].values.tolist() == [["Sam", 1], ["Sam", 1]]


def test_the_band_is_that_of_many_independent_wins() -> None:
    rng = np.random.default_rng(7)
    value, p = rng.uniform(10, 200, 400), rng.uniform(0.05, 0.95, 400)
    won = (rng.random((20_000, 400)) < p) @ value
    about = band(float((value * p).sum()), float((value**2 * p * (1 - p)).sum()), float(value.sum()))
    low, middle, high = np.quantile(won, [0.1, 0.5, 0.9])
    spread = high - low
    for said, true in zip((about.p10, about.p50, about.p90), (low, middle, high), strict=True):
        assert abs(said - true) < 0.03 * spread


def test_the_band_of_one_large_opportunity_stays_within_what_it_can_bring() -> None:
    about = band(50_000, 100_000**2 * 0.25, 100_000)
    assert (about.p10, about.p50, about.p90) == (0, 50_000, 100_000)
