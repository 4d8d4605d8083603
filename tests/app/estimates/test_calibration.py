import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.estimates.calibration import (
    calibrate,
    jeffreys,
    known_on,
    reliability,
    score_forecasters,
    score_overrides,
)

TODAY = dt.date(2026, 6, 30)
STAGES = pd.DataFrame(
    {
        "stage_id": ["lead", "qualified", "proposal"],
        "stage": ["Lead", "Qualified", "Proposal"],
        "position": [1, 2, 3],
        "set_probability": [0.1, 0.25, 0.5],
    }
)
REACH = {
    "stage_id": "qualified",
    "entered_on": "2026-01-01",
    "set_probability": 0.25,
    "expected_close_date": "2026-03-31",
    "outcome": "open",
    "closed_on": None,
}


def reaches(*rows: dict[str, Any]) -> pd.DataFrame:
    """Reaches of one opportunity each, unless a row says otherwise."""
    frame = pd.DataFrame([{"opportunity_id": f"o{number}"} | REACH | row for number, row in enumerate(rows)])
    days = ["entered_on", "expected_close_date", "closed_on"]
    return frame.astype(dict.fromkeys(days, "datetime64[s]") | {"set_probability": float})


def closed(outcome: str, n: int, **more: Any) -> list[dict[str, Any]]:
    return [{"outcome": outcome, "closed_on": "2026-03-01"} | more] * n


def row(frame: pd.DataFrame, stage: str = "Qualified") -> pd.Series:
    return frame[frame["stage"] == stage].iloc[0]


# Intervals ------------------------------------------------------------------------------------------------


def test_the_interval_holds_95_percent_of_the_posterior() -> None:
    low, high = jeffreys([3, 18], [20, 40])
    grid = (np.arange(200_000) + 0.5) / 200_000
    for wins, n, a, b in zip([3, 18], [20, 40], low, high, strict=True):
        density = np.exp((wins - 0.5) * np.log(grid) + (n - wins - 0.5) * np.log(1 - grid))
        below = np.cumsum(density) / density.sum()
        assert below[np.searchsorted(grid, a)] == pytest.approx(0.025, abs=1e-3)
        assert below[np.searchsorted(grid, b)] == pytest.approx(0.975, abs=1e-3)


def test_the_interval_of_nobody_and_everybody_reaches_to_the_end() -> None:
    low, high = jeffreys([0, 10, 0], [10, 10, 0])
    assert low.tolist() == [0, pytest.approx(0.7828, abs=1e-4), 0]
    assert high.tolist() == [pytest.approx(0.2172, abs=1e-4), 1, 1]


def test_the_interval_keeps_its_level_on_average() -> None:
    n, wins = 30, np.arange(31)
    low, high = jeffreys(wins, np.full(31, n))
    rates = np.linspace(0.02, 0.98, 193)
    choose = np.array([float(np.prod([(n - k) / (k + 1) for k in range(w)])) for w in wins])
    chance = choose * rates[:, None] ** wins * (1 - rates[:, None]) ** (n - wins)
    held = (chance * ((low <= rates[:, None]) & (rates[:, None] <= high))).sum(axis=1)
    assert held.mean() == pytest.approx(0.95, abs=0.005)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_rate_and_narrows_with_more_of_the_same(wins: int, losses: int) -> None:
    n = wins + losses
    low, high = jeffreys(wins, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= wins / n <= high
        narrow_low, narrow_high = jeffreys(10 * wins, 10 * n)
        assert narrow_high - narrow_low <= high - low


# What was known on a day ----------------------------------------------------------------------------------

ENTRIES = pd.DataFrame(
    {
        "opportunity_id": ["a", "a", "a", "b"],
        "stage_id": ["lead", "proposal", "lead", "lead"],
        "entered_on": pd.to_datetime(["2026-01-05", "2026-02-01", "2026-02-10", "2026-03-01"]),
        "set_probability": [0.1, 0.5, 0.1, 0.1],
        "expected_close_date": pd.to_datetime(["2026-04-01", "2026-05-01", "2026-06-01", None]),
    }
)
CLOSINGS = pd.DataFrame(
    {
        "opportunity_id": ["a", "a"],
        "outcome": ["lost", "won"],
        "closed_on": pd.to_datetime(["2026-02-20", "2026-05-20"]),
        "reopened_on": pd.to_datetime(["2026-04-02", None]),
    }
)


@pytest.mark.parametrize(
    ("day", "known"),
    [
        ("2026-01-31", {("a", "lead"): "open"}),
        ("2026-02-20", {("a", "lead"): "lost", ("a", "proposal"): "lost"}),
        ("2026-04-01", {("a", "lead"): "lost", ("a", "proposal"): "lost", ("b", "lead"): "open"}),
        ("2026-04-02", {("a", "lead"): "open", ("a", "proposal"): "open", ("b", "lead"): "open"}),
        ("2026-06-01", {("a", "lead"): "won", ("a", "proposal"): "won", ("b", "lead"): "open"}),
    ],
)
def test_an_opportunity_is_what_it_was_on_the_day(day: str, known: dict[tuple[str, str], str]) -> None:
    found = known_on(ENTRIES, CLOSINGS, dt.date.fromisoformat(day))
    assert (
        dict(zip(zip(found["opportunity_id"], found["stage_id"], strict=True), found["outcome"], strict=True)) == known
    )


def test_a_stage_entered_twice_is_reached_once_and_a_skipped_one_not_at_all() -> None:
    found = known_on(ENTRIES, CLOSINGS, TODAY)
    assert found.loc[found["opportunity_id"] == "a", "stage_id"].tolist() == ["lead", "proposal"]
    first = found[(found["opportunity_id"] == "a") & (found["stage_id"] == "lead")].iloc[0]
    assert first["expected_close_date"] == pd.Timestamp("2026-04-01")


@settings(max_examples=25, deadline=None)
@given(
    st.dates(dt.date(2026, 1, 1), TODAY),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["won", "lost", "abandoned"]), st.integers(1, 400)),
        max_size=5,
    ),
)
def test_a_poisoned_future_changes_nothing(day: dt.date, future: list[tuple[str, str, int]]) -> None:
    later = [(name, outcome, pd.Timestamp(day) + pd.Timedelta(days=ahead)) for name, outcome, ahead in future]
    closings = pd.concat(
        [CLOSINGS, pd.DataFrame([(*one, pd.NaT) for one in later], columns=CLOSINGS.columns).astype(CLOSINGS.dtypes)]
    )
    entries = pd.concat(
        [
            ENTRIES,
            pd.DataFrame([(n, "qualified", at, 0.9, at) for n, _, at in later], columns=ENTRIES.columns).astype(
                ENTRIES.dtypes
            ),
        ]
    )
    before, after = known_on(ENTRIES, CLOSINGS, day), known_on(entries, closings, day)
    pd.testing.assert_frame_equal(before, after)
    pd.testing.assert_frame_equal(calibrate(before, STAGES, day), calibrate(after, STAGES, day))


def test_what_nobody_could_know_is_refused() -> None:
    for late in ({"entered_on": "2026-07-01"}, {"outcome": "won", "closed_on": "2026-07-01"}):
        with pytest.raises(ValueError, match="nobody knew on 2026-06-30"):
            calibrate(reaches(late), STAGES, TODAY)
        with pytest.raises(ValueError, match="nobody knew on 2026-06-30"):
            score_forecasters(reaches(late), STAGES, TODAY)


# Calibration ----------------------------------------------------------------------------------------------


def test_ever_wins_by_hand() -> None:
    frame = reaches(*closed("won", 24), *closed("lost", 16), *closed("abandoned", 3), {}, {})
    found = row(calibrate(frame, STAGES, TODAY))
    assert (found["n"], found["wins"], found["open"], found["abandoned"]) == (40, 24, 2, 3)
    assert found["rate"] == pytest.approx(0.6)
    assert (found["low"], found["high"]) == pytest.approx((0.4456, 0.7405), abs=1e-4)
    assert found["outside"]  # 25 % is far under it
    assert found["estimate"] == pytest.approx(24.5 / 41)  # the neighbours have nothing to lend
    assert found["suggestion"] == pytest.approx(0.6)
    assert found["reason"] == ""


@pytest.mark.parametrize(
    ("case", "counts"),
    [
        ({"outcome": "won", "closed_on": "2026-03-31"}, "wins"),
        ({"outcome": "won", "closed_on": "2026-04-01"}, "n"),
        ({"outcome": "lost", "closed_on": "2026-02-01"}, "n"),
        ({"outcome": "abandoned", "closed_on": "2026-02-01"}, "n"),
        ({"outcome": "abandoned", "closed_on": "2026-05-01"}, "n"),
        ({"expected_close_date": "2026-06-29"}, "n"),
        ({"expected_close_date": "2026-06-30"}, "open"),
        ({"expected_close_date": "2027-01-01"}, "open"),
        ({"expected_close_date": None}, "undated"),
        ({"expected_close_date": None, "outcome": "won", "closed_on": "2026-02-01"}, "undated"),
    ],
)
def test_by_its_expected_close_each_opportunity_counts_once(case: dict[str, Any], counts: str) -> None:
    found = row(calibrate(reaches(case), STAGES, TODAY, "by_expected_close"))
    expected = dict.fromkeys(["n", "wins", "open", "undated"], 0) | {counts: 1}
    expected["n"] |= expected["wins"]
    assert found[list(expected)].to_dict() == expected


@pytest.mark.parametrize(
    ("n", "reason"),
    [
        (0, "No history for this stage."),
        (1, "Not enough closed deals: 1, "),
        (29, "Not enough closed deals: 29, "),
        (30, ""),
    ],
)
def test_too_little_history_is_a_sentence_and_no_suggestion(n: int, reason: str) -> None:
    found = row(calibrate(reaches({}, *closed("won", n)), STAGES, TODAY))
    assert found["reason"].startswith(reason)
    assert bool(found["reason"]) == bool(reason)
    abstains = found[["estimate", "alpha", "beta", "suggestion", "outside"]].isna()
    assert abstains.tolist() == [n < 30] * 5
    assert pd.isna(found["rate"]) == (n == 0)


def test_no_history_at_all_is_a_row_for_every_stage() -> None:
    found = calibrate(reaches({}).iloc[:0], STAGES, TODAY)
    assert found["stage"].tolist() == ["Lead", "Qualified", "Proposal"]
    assert found["n"].tolist() == [0, 0, 0]
    assert found["reason"].tolist() == ["No history for this stage."] * 3


def test_neighbours_lend_little_and_in_proportion_to_what_they_have() -> None:
    qualified = [*closed("won", 15), *closed("lost", 15)]
    proposal = [one | {"stage_id": "proposal"} for one in [*closed("won", 80), *closed("lost", 20)]]
    lead = [one | {"stage_id": "lead"} for one in closed("lost", 2)]
    found = row(calibrate(reaches(*qualified, *proposal, *lead), STAGES, TODAY))
    # ½ + 15 wins and five deals' worth of 80 %; ½ + 15 losses, one deal's worth of losses, and both of Lead's two.
    assert (found["alpha"], found["beta"]) == pytest.approx((15.5 + 4, 15.5 + 1 + 2))
    assert found["rate"] == 0.5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=3, max_size=3))
def test_estimates_stay_between_what_the_stage_and_its_neighbours_say(counts: list[tuple[int, int]]) -> None:
    rows = [
        one | {"stage_id": stage}
        for stage, (wins, losses) in zip(STAGES["stage_id"], counts, strict=True)
        for one in [*closed("won", wins), *closed("lost", losses)]
    ]
    found = calibrate(reaches({}, *rows).iloc[1:], STAGES, TODAY)
    assert (found["n"] == [wins + losses for wins, losses in counts]).all()
    known = found.dropna(subset=["estimate"])
    assert known["estimate"].between(0, 1, inclusive="neither").all()
    assert known["suggestion"].between(0.01, 0.99).all()
    # At most ten lent deals and Jeffreys' one against at least thirty.
    assert ((known["estimate"] - known["rate"]).abs() <= 11 / 41).all()


def test_planted_rates_lie_in_their_intervals_as_often_as_promised() -> None:
    rng = np.random.default_rng(7)
    truth = np.array([0.11, 0.31, 0.61])
    held = []
    for _ in range(80):
        wins = rng.binomial(120, truth)
        rows = [
            one | {"stage_id": stage}
            for stage, won in zip(STAGES["stage_id"], wins, strict=True)
            for one in [*closed("won", won), *closed("lost", 120 - won)]
        ]
        found = calibrate(reaches(*rows), STAGES, TODAY)
        held.append((found["low"] <= truth) & (truth <= found["high"]))
    assert 0.91 < np.mean(held) < 0.99


# Reliability and scores -----------------------------------------------------------------------------------


def test_the_reliability_curve_by_hand() -> None:
    found = reliability(
        pd.DataFrame({"forecast": [0.0, 0.3, 0.34, 0.39, 1.0, 1.0], "won": [False, True, False, False, True, True]})
    )
    assert found["bin_low"].tolist() == pytest.approx([0, 0.3, 0.9])
    assert found["forecast"].tolist() == pytest.approx([0, 1.03 / 3, 1])
    assert found["rate"].tolist() == pytest.approx([0, 1 / 3, 1])
    assert found["n"].tolist() == [1, 3, 2]
    assert reliability(pd.DataFrame({"forecast": [], "won": []})).empty


def history(rng: np.random.Generator, n: int, truth: dict[str, float]) -> pd.DataFrame:
    """Opportunities that reached a first stage and, the more likely ones, a second; closed one a day."""
    rows = []
    (first, low), (second, high) = truth.items()
    for number in range(n):
        goes_on = rng.random() < low / high
        outcome = "won" if goes_on and rng.random() < high else "lost"
        day = pd.Timestamp("2025-01-01") + pd.Timedelta(days=number * 500 // n)
        for stage in (first, second) if goes_on else (first,):
            default = float(STAGES.set_index("stage_id").loc[stage, "set_probability"])
            rows.append(
                {"opportunity_id": f"d{number}", "stage_id": stage, "set_probability": default}
                | {"outcome": outcome, "closed_on": day, "entered_on": day - pd.Timedelta(days=20)}
            )
    return reaches(*rows)


def test_scores_agree_with_their_definitions_on_the_later_slice() -> None:
    frame = history(np.random.default_rng(3), 300, {"qualified": 0.4, "proposal": 0.6})
    cut = dt.date(2025, 9, 1)
    found = score_forecasters(frame, STAGES, TODAY, cut=cut).set_index("forecaster")
    earlier, later = (part for _, part in frame.groupby(frame["closed_on"] >= pd.Timestamp(cut)))
    won = (later["outcome"] == "won").to_numpy(dtype=float)
    base = (earlier.drop_duplicates("opportunity_id")["outcome"] == "won").mean()
    learnt = calibrate(earlier, STAGES, cut).set_index("stage_id")["estimate"]
    forecasts = {
        "set": later["set_probability"].to_numpy(dtype=float),
        "calibrated": later["stage_id"].map(learnt).to_numpy(dtype=float),
        "base": np.full(len(later), base),
    }
    for name, forecast in forecasts.items():
        assert found.loc[name, "brier"] == pytest.approx(((forecast - won) ** 2).mean())
        assert found.loc[name, "log_loss"] == pytest.approx(-np.log(np.where(won == 1, forecast, 1 - forecast)).mean())
        gaps = [abs((forecast - won)[np.floor(forecast * 10) == one].sum()) for one in range(10)]
        assert found.loc[name, "ece"] == pytest.approx(sum(gaps) / len(won))
        assert found.loc[name, "n"] == len(later)
        assert found.loc[name, "brier_low"] <= found.loc[name, "brier"] <= found.loc[name, "brier_high"]
    assert found.loc["set", ["brier_saved", "brier_saved_low", "brier_saved_high"]].tolist() == [0, 0, 0]


def test_the_bootstrap_resamples_whole_opportunities() -> None:
    frame = history(np.random.default_rng(5), 400, {"qualified": 0.4, "proposal": 0.6})
    found = score_forecasters(frame, STAGES, TODAY, cut=dt.date(2025, 7, 1), draws=4000).set_index("forecaster")
    later = frame[frame["closed_on"] >= pd.Timestamp("2025-07-01")]
    error = (later["set_probability"] - (later["outcome"] == "won")) ** 2
    each = error.groupby(later["opportunity_id"]).agg(["sum", "size"])
    rng = np.random.default_rng(1)
    picked = rng.integers(0, len(each), (4000, len(each)))
    sums, sizes = each["sum"].to_numpy()[picked].sum(axis=1), each["size"].to_numpy()[picked].sum(axis=1)
    low, high = np.quantile(sums / sizes, [0.025, 0.975])
    assert found.loc["set", "brier_low"] == pytest.approx(low, abs=0.004)
    assert found.loc["set", "brier_high"] == pytest.approx(high, abs=0.004)


def test_calibrated_values_are_better_where_the_set_ones_are_wrong() -> None:
    frame = history(np.random.default_rng(11), 1200, {"qualified": 0.55, "proposal": 0.85})
    found = score_forecasters(frame, STAGES, TODAY).set_index("forecaster")
    assert found.loc["calibrated", "brier_saved_low"] > 0
    assert found.loc["calibrated", "ece"] < 0.05 < found.loc["set", "ece"]
    again = score_forecasters(frame, STAGES, TODAY).set_index("forecaster")
    pd.testing.assert_frame_equal(found, again)  # seeded


def test_certain_forecasts_have_finite_scores() -> None:
    frame = history(np.random.default_rng(2), 200, {"qualified": 0.4, "proposal": 0.6})
    frame["set_probability"] = np.where(frame["stage_id"] == "qualified", 0.0, 1.0)
    found = score_forecasters(frame, STAGES, TODAY)
    assert np.isfinite(found.select_dtypes("number")).all().all()


@pytest.mark.parametrize("n", [0, 1, 40])
def test_too_little_to_learn_and_to_test_on_is_a_sentence(n: int) -> None:
    frame = reaches({}, *closed("won", n))
    found = score_forecasters(frame, STAGES, TODAY)
    assert found["brier"].isna().all()
    assert found["reason"].str.startswith("Not enough closed deals to learn from").all()


def test_defaults_that_nobody_knows_are_not_scored() -> None:
    frame = history(np.random.default_rng(4), 300, {"qualified": 0.4, "proposal": 0.6})
    frame.loc[frame["stage_id"] == "proposal", "set_probability"] = np.nan
    found = score_forecasters(frame, STAGES, TODAY, cut=dt.date(2025, 7, 1))
    assert found["n"].tolist() == found["opportunities"].tolist()


# Overrides ------------------------------------------------------------------------------------------------


def overrides(rng: np.random.Generator, owner: str, n: int, insight: float, hope: float) -> pd.DataFrame:
    won = rng.random(n) < 0.5
    known = 0.5 + insight * np.where(won, 1, -1) + hope
    return pd.DataFrame(
        {
            "opportunity_id": [f"{owner}{number}" for number in range(n)],
            "owner_id": owner,
            "override": np.clip(known + rng.normal(0, 0.05, n), 0, 1),
            "stage_probability": 0.5,
            "outcome": np.where(won, "won", "lost"),
        }
    )


def test_who_knows_better_and_who_only_hopes() -> None:
    rng = np.random.default_rng(8)
    frame = pd.concat(
        [overrides(rng, "sharp", 80, 0.2, 0), overrides(rng, "rosy", 80, 0, 0.25), overrides(rng, "new", 12, 0.3, 0)]
    )
    found = score_overrides(frame).set_index("owner_id")
    assert found.loc["sharp", "low"] > 0
    assert found.loc["rosy", "high"] < 0
    assert found.loc["sharp", "brier_stage"] == pytest.approx(0.25)
    assert found.loc["sharp", "saved"] == pytest.approx(0.25 - found.loc["sharp", "brier_override"])
    assert found["n"].to_dict() == {"new": 12, "rosy": 80, "sharp": 80}
    assert pd.isna(found.loc["new", "low"])
    assert found.loc["new", "reason"].startswith("Not enough closed deals: 12")


def test_several_overrides_of_one_opportunity_count_as_one_and_undecided_ones_not() -> None:
    frame = pd.DataFrame(
        {
            "opportunity_id": ["a", "a", "b", "c"],
            "owner_id": "rita",
            "override": [0.9, 0.7, 0.4, 0.8],
            "stage_probability": [0.5, 0.5, 0.5, 0.5],
            "outcome": ["won", "won", "lost", "abandoned"],
        }
    )
    found = score_overrides(frame).iloc[0]
    assert found["n"] == 2
    assert found["brier_override"] == pytest.approx(((0.01 + 0.09) / 2 + 0.16) / 2)
    assert score_overrides(frame.iloc[3:]).empty
