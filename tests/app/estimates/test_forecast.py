import datetime as dt
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.estimates import forecast
from app.estimates.calibration import calibrate
from app.estimates.forecast import chances, fit_new_business, fit_shock, past_quarters, simulate
from app.estimates.timing import MonthOfQuarter, Slip, fit_slip

START, END, TODAY = dt.date(2026, 7, 1), dt.date(2026, 10, 1), dt.date(2026, 7, 10)
NO_PAST = pd.DataFrame(columns=["period", "probability", "landing", "won"])


def opened(*rows: tuple[float, float], **more: Any) -> pd.DataFrame:
    """Open opportunities of these values and probabilities, by default manual ones that close in the quarter."""
    usual = {"stage_id": "proposal", "probability_source": "manual", "expected_close_date": "2026-08-15"} | more
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"o{number}" for number in range(len(rows))],
            "value": [float(value) for value, _ in rows],
            "probability": [probability for _, probability in rows],
        }
    )
    return frame.assign(**usual).astype({"expected_close_date": "datetime64[s]"})


def many(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return opened(*zip(np.round(rng.lognormal(9, 1, n), 2), rng.integers(5, 96, n) / 100, strict=True))


def rates(*stages: tuple[str, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(stages, columns=["stage_id", "alpha", "beta"])
    return frame.assign(stage=frame["stage_id"].str.title(), estimate=frame["alpha"] / (frame["alpha"] + frame["beta"]))


# The case with an exact answer ----------------------------------------------------------------------------


def test_independent_opportunities_have_the_exact_mean_and_variance() -> None:
    frame = many(500)
    value, p = frame["value"].to_numpy(), frame["probability"].to_numpy()
    found = simulate(frame, START, END, TODAY)
    mean, variance = (value * p).sum(), (value**2 * p * (1 - p)).sum()
    assert found.mean == pytest.approx(mean, rel=1e-12)
    assert found.deviation == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert found.totals.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 20_000))
    assert found.totals.var() == pytest.approx(variance, rel=0.04)  # four standard errors
    share = value**2 * p * (1 - p) / variance
    assert found.contributions["contribution"].to_numpy() == pytest.approx(share, rel=1e-6)
    assert found.contributions["expected"].to_numpy() == pytest.approx(value * p, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_few_opportunities_have_the_exact_distribution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value, p = rng.integers(1, 40, 12), rng.integers(0, 101, 12) / 100
    exact = np.ones(1)
    for amount, chance in zip(value, p, strict=True):  # by convolution
        exact = np.append(exact, np.zeros(amount)) * (1 - chance) + np.append(np.zeros(amount), exact) * chance
    found = simulate(opened(*zip(value, p, strict=True)), START, END, TODAY, seed=seed)
    seen = np.bincount(found.totals.astype(int), minlength=len(exact)) / len(found.totals)
    assert np.abs(np.cumsum(seen) - np.cumsum(exact)).max() < 1.63 / np.sqrt(20_000)  # Kolmogorov, 1 %


def test_luck_is_independent_between_opportunities() -> None:
    apart = [simulate(opened((1, 0.5)).assign(opportunity_id=name), START, END, TODAY).totals for name in "abcdef"]
    correlation = np.corrcoef(apart)
    assert np.abs(correlation - np.eye(6)).max() < 4 / np.sqrt(20_000)


# Sensible pictures at the edges ---------------------------------------------------------------------------


@pytest.mark.parametrize(("probability", "total"), [(0.0, 7.5), (1.0, 1007.5)])
def test_all_probabilities_0_or_100_leave_nothing_uncertain(probability: float, total: float) -> None:
    shock = fit_shock(NO_PAST)
    found = simulate(opened(*[(0.1, probability)] * 10_000), START, END, TODAY, shock=shock, won=7.5)
    assert set(found.totals) == {total}
    assert (found.mean, found.deviation) == (pytest.approx(total), 0)
    assert found.band(0.9) == (total, total)
    assert (found.at_least(total), found.at_least(total + 0.01)) == (1, 0)
    assert found.contributions["contribution"].isna().all()
    assert found.histogram()["share"].tolist() == [1]


def test_one_opportunity_larger_than_all_others_decides_the_period() -> None:
    found = simulate(opened((1e9, 0.4), *[(1000, 0.5)] * 100), START, END, TODAY)
    assert found.quantile(0.5) < 100_000 < 1e9 < found.quantile(0.65)
    assert found.at_least(1e9) == pytest.approx(0.4, abs=0.015)
    assert found.contributions["contribution"].iloc[0] > 0.999
    assert found.quantile(0.65) in found.totals  # a total that can be, not one between


def test_no_opportunities_bring_what_was_won() -> None:
    found = simulate(opened(), START, END, TODAY, won=12.34, shock=fit_shock(NO_PAST), slip=Slip({}, ""))
    assert set(found.totals) == {12.34}
    assert found.contributions.empty
    assert found.summary() == dict.fromkeys(["won", "mean", *(f"p{n:02}" for n in (5, 10, 25, 50, 75, 90, 95))], 12.34)


def test_a_period_that_is_over_has_what_was_won() -> None:
    found = simulate(opened((100, 0.5)), dt.date(2026, 4, 1), dt.date(2026, 7, 1), TODAY, won=50)
    assert set(found.totals) == {50}


def test_a_missing_value_or_probability_is_left_out_and_said() -> None:
    frame = opened((100, 0.5), (np.nan, 0.5), (100, np.nan))
    found = simulate(frame, START, END, TODAY)
    assert found.mean == pytest.approx(50)
    assert found.reasons == ("Left out for want of a value or a probability: 2.",)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1)), max_size=15),
    st.floats(0, 1e7),
    st.booleans(),
)
def test_totals_lie_between_nothing_and_everything(rows: list[tuple[float, float]], won: float, shocked: bool) -> None:
    frame = opened(*rows)
    shock = fit_shock(NO_PAST) if shocked else None
    found = simulate(frame, START, END, TODAY, won=won, shock=shock, draws=400)
    most = won + frame["value"].sum()
    tolerance = 0.01 + 1e-9 * most
    assert won - tolerance <= found.totals.min()
    assert found.totals.max() <= most + tolerance
    assert won - tolerance <= found.mean <= most + tolerance
    levels = [found.quantile(level) for level in (0.05, 0.1, 0.5, 0.9, 0.95)]
    assert levels == sorted(levels)
    assert found.at_least(0) == 1
    assert found.histogram()["share"].sum() == pytest.approx(1)
    contribution = found.contributions["contribution"]
    assert contribution.isna().all() or contribution.sum() == pytest.approx(1)


# Luck -----------------------------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_luck() -> None:
    frame = many(50)
    first, again, other = (simulate(frame, START, END, TODAY, seed=seed).totals for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).mean() > 0.9


def test_a_what_if_changes_only_what_it_changes() -> None:
    frame = many(40)
    known = rates(("proposal", 60, 40))
    frame.loc[::2, "probability_source"] = "stage"
    shock = fit_shock(NO_PAST)

    def totals(rows: pd.DataFrame) -> Any:
        return simulate(rows, START, END, TODAY, rates=known, shock=shock).totals

    whole, without, alone = totals(frame), totals(frame.drop(index=7)), totals(frame.loc[[7]])
    assert whole == pytest.approx(without + alone, abs=0.011)
    raised = totals(frame.assign(probability=frame["probability"].where(frame.index != 7, 0.99)))
    assert (raised >= whole - 0.011).all()  # a better chance never loses what was won


def test_teams_add_up_to_the_company_in_every_simulation() -> None:
    frame = many(60).sample(frac=1, random_state=1)
    shock = fit_shock(NO_PAST)
    whole = simulate(frame, START, END, TODAY, shock=shock).totals
    teams = [simulate(part, START, END, TODAY, shock=shock).totals for _, part in frame.groupby(frame.index % 3)]
    assert whole == pytest.approx(sum(teams), abs=0.02)


def test_many_small_opportunities_drawn_together_are_as_if_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = many(600).assign(probability_source=["stage", "manual"] * 300)
    known, shock = rates(("proposal", 30, 20)), fit_shock(NO_PAST)
    season = MonthOfQuarter((-0.3, 0.0, 0.3), (0, 0, 0), 1, "")
    apart = simulate(frame, START, dt.date(2027, 1, 1), TODAY, rates=known, shock=shock, season=season)
    monkeypatch.setattr(forecast, "ONE_BY_ONE", 100)
    together = simulate(frame, START, dt.date(2027, 1, 1), TODAY, rates=known, shock=shock, season=season)
    assert (apart.mean, apart.deviation) == (together.mean, together.deviation)
    for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95):
        assert together.quantile(level) == pytest.approx(apart.quantile(level), abs=0.06 * apart.deviation)


# What is not known exactly --------------------------------------------------------------------------------


def test_a_badly_known_rate_widens_the_band_for_the_whole_stage_at_once() -> None:
    frame = opened(*[(1000, 0.5)] * 200, probability_source="stage")
    exact = simulate(frame, START, END, TODAY)
    found = simulate(frame, START, END, TODAY, rates=rates(("proposal", 20, 20)))
    # E[Var] + Var(E), with the variance of Beta(20, 20).
    spread = 0.25 / 41
    assert found.deviation == pytest.approx(1000 * np.sqrt(200 * (0.25 - spread) + 200**2 * spread), rel=0.02)
    assert found.deviation > 2 * exact.deviation
    assert found.contributions["contribution"].to_numpy() == pytest.approx(np.full(200, 1 / 200), rel=1e-6)


def test_contributions_count_what_opportunities_share() -> None:
    small = opened(*[(1000, 0.5)] * 100, probability_source="stage", stage_id="new")
    large = opened((10_000, 0.5)).assign(opportunity_id="large")
    frame = pd.concat([small, large], ignore_index=True)
    alone = simulate(frame, START, END, TODAY).contributions.set_index("opportunity_id")["contribution"]
    shared = simulate(frame, START, END, TODAY, rates=rates(("new", 3, 3)))
    weight = shared.contributions.set_index("opportunity_id")["contribution"]
    assert alone["large"] == pytest.approx(0.5)
    assert weight["large"] < 0.1
    totals = [
        simulate(frame[frame["opportunity_id"] == name], START, END, TODAY, rates=rates(("new", 3, 3))).totals
        for name in ("o1", "large")
    ]
    measured = [np.cov(one, shared.totals)[0, 1] / shared.totals.var() for one in totals]
    assert [weight["o1"], weight["large"]] == pytest.approx(measured, abs=0.006)


def test_manual_probabilities_and_stages_without_evidence_keep_theirs() -> None:
    frame = opened((1, 0.2), (1, 0.2), (1, 0.2)).assign(
        probability_source=["stage", "manual", "stage"], stage_id=["proposal", "proposal", "lead"]
    )
    known = pd.concat([rates(("proposal", 70, 30)), rates(("lead", np.nan, np.nan))])
    assert chances(frame, known).tolist() == pytest.approx([0.7, 0.2, 0.2])
    found = simulate(frame, START, END, TODAY, rates=known)
    assert found.contributions["expected"].tolist() == pytest.approx([0.7, 0.2, 0.2], abs=0.003)
    assert found.reasons == ("Too few closed deals to know better than the set probability: Lead.",)


def test_rates_come_as_calibrate_returns_them() -> None:
    reaches = pd.DataFrame(
        {"opportunity_id": range(40), "stage_id": "proposal", "entered_on": pd.Timestamp("2026-01-01")}
        | {"set_probability": 0.5, "expected_close_date": pd.NaT, "closed_on": pd.Timestamp("2026-02-01")}
        | {"outcome": ["won"] * 30 + ["lost"] * 10}
    )
    stages = pd.DataFrame({"stage_id": ["proposal"], "stage": ["Proposal"], "position": [1], "set_probability": [0.5]})
    known = calibrate(reaches, stages, TODAY)
    found = simulate(opened((100, 0.5), probability_source="stage"), START, END, TODAY, rates=known)
    assert found.mean == pytest.approx(100 * 30.5 / 41, rel=0.01)


def test_slip_carries_revenue_out_of_the_period() -> None:
    rows = [
        {"opportunity_id": n, "seen_on": "2026-01-01", "stage_id": "proposal", "expected_close_date": "2026-01-20"}
        | {"outcome": "won", "closed_on": "2026-01-20" if n % 4 else "2026-03-20"}
        for n in range(80)
    ]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(["seen_on", "expected_close_date", "closed_on"], "datetime64[s]"))
    slip = fit_slip(frame, dt.date(2026, 6, 30))
    found = simulate(opened((100, 1.0), expected_close_date="2026-08-05"), START, END, TODAY, slip=slip)
    assert found.at_least(100) == pytest.approx(0.75, abs=0.015)
    assert found.reasons == (slip.reason,)


def test_a_year_has_the_months_of_its_quarters() -> None:
    frame = opened((100, 0.5), (100, 0.5)).assign(expected_close_date=pd.to_datetime(["2026-08-15", "2026-12-15"]))
    season = MonthOfQuarter((0.0, float(np.log(3)), float(-np.log(3))), (0, 0, 0), 1, "")
    found = simulate(frame, START, dt.date(2027, 1, 1), TODAY, season=season)
    assert found.contributions["expected"].tolist() == pytest.approx([75, 25])


# The shock ------------------------------------------------------------------------------------------------


def outcomes(rng: np.random.Generator, quarters: int, n: int, mean: float, swing: float) -> pd.DataFrame:
    shock = rng.normal(mean, swing, quarters)
    p, landing = rng.choice([0.11, 0.31, 0.5, 0.61], (quarters, n)), rng.choice([0.3, 0.6, 1.0], (quarters, n))
    chance = landing / (1 + (1 - p) / p * np.exp(-shock[:, None]))
    return pd.DataFrame(
        {"period": np.repeat(np.arange(quarters), n), "probability": p.ravel()}
        | {"landing": landing.ravel(), "won": (rng.random((quarters, n)) < chance).ravel()}
    )


def test_a_planted_shock_lies_in_its_interval() -> None:
    rng = np.random.default_rng(6)
    held = []
    for _ in range(30):
        found = fit_shock(outcomes(rng, 16, 300, -0.2, 0.3))
        assert found.mean_interval is not None
        assert found.swing_interval is not None
        held.append(
            (
                found.mean_interval[0] <= -0.2 <= found.mean_interval[1],
                found.swing_interval[0] <= 0.3 <= found.swing_interval[1],
            )
        )
    assert (np.mean(held, axis=0) >= 0.85).all()  # 95 % expected


def test_quarters_that_do_not_differ_have_next_to_no_swing() -> None:
    found = fit_shock(outcomes(np.random.default_rng(1), 20, 1000, 0, 0))
    assert found.swing is not None
    assert found.swing < 0.08
    assert found.mean == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("quarters", "there"), [(0, "are 0"), (1, "is 1"), (7, "are 7")])
def test_a_swing_that_was_not_measured_is_assumed_and_said(quarters: int, there: str) -> None:
    past = outcomes(np.random.default_rng(1), quarters, 50, 0, 0.3) if quarters else NO_PAST
    found = fit_shock(past)
    assert (found.mean, found.mean_interval, found.swing, found.swing_interval) == (None, None, None, None)
    assert found.reason.endswith(f"that takes 8 past quarters, and there {there}.")
    assert simulate(opened((1, 0.5)), START, END, TODAY, shock=found).reasons == (found.reason,)


def test_an_assumed_shock_widens_the_band_and_leaves_the_mean() -> None:
    for p in (0.05, 0.3, 0.5, 0.9):
        frame = opened(*[(100, p)] * 400)
        calm, shaken = (simulate(frame, START, END, TODAY, shock=shock) for shock in (None, fit_shock(NO_PAST)))
        assert shaken.mean == pytest.approx(calm.mean, rel=0.01)
        assert shaken.deviation > 1.3 * calm.deviation


def test_bands_are_wider_the_less_is_known() -> None:
    rng = np.random.default_rng(9)
    frame = opened(*[(100, 0.5)] * 400)
    widths = []
    for quarters in (8, 40):
        shock = fit_shock(outcomes(rng, quarters, 200, 0, 0.1))
        low, high = simulate(frame, START, END, TODAY, shock=shock).band(0.8)
        widths.append(high - low)
    assert widths[0] > widths[1]


def test_a_quarters_shock_is_shared_and_the_next_one_has_its_own() -> None:
    shock = fit_shock(NO_PAST)
    frame = opened(*[(1, 0.5)] * 1000)
    third = simulate(frame, START, END, TODAY, shock=shock).totals
    august = simulate(frame, dt.date(2026, 8, 1), dt.date(2026, 9, 1), TODAY, shock=shock).totals
    later = frame.assign(
        expected_close_date=pd.Timestamp("2026-11-01"), opportunity_id=[f"n{number}" for number in range(1000)]
    )
    fourth = simulate(later, END, dt.date(2027, 1, 1), TODAY, shock=shock).totals
    assert (third == august).all()
    assert abs(np.corrcoef(third, fourth)[0, 1]) < 0.05


def test_past_quarters_hold_only_what_is_over() -> None:
    frame = pd.DataFrame(
        {
            "opportunity_id": [1, 2, 1, 3],
            "seen_on": pd.to_datetime(["2026-01-10", "2026-01-10", "2026-04-10", "2026-04-10"]),
            "stage_id": "proposal",
            "probability": [0.5, 0.25, 0.5, 0.5],
            "expected_close_date": pd.to_datetime(["2026-02-01", "2026-05-01", "2026-05-01", "2026-05-01"]),
            "outcome": ["won", "won", "won", "open"],
            "closed_on": pd.to_datetime(["2026-04-20", "2026-03-31", "2026-04-20", None]),
        }
    )
    found = past_quarters(frame, Slip({}, ""), dt.date(2026, 6, 29))
    assert found["period"].unique().tolist() == [pd.Timestamp("2026-01-01")]
    assert found["landing"].tolist() == [1, 0]
    assert found["won"].tolist() == [False, True]
    over = past_quarters(
        frame, Slip({}, ""), dt.date(2026, 6, 30), MonthOfQuarter((0.0, float(np.log(3)), 0.0), (0, 0, 0), 1, "")
    )
    assert len(over) == 4
    assert over["probability"].tolist() == pytest.approx([0.75, 0.25, 0.75, 0.75])
    assert past_quarters(frame.iloc[:0], Slip({}, ""), TODAY).empty


# New business ---------------------------------------------------------------------------------------------


def test_new_business_adds_what_past_periods_brought() -> None:
    past = pd.Series([90.0, 110, 100, 80, 120, 100, 95, 105])
    fresh = fit_new_business(past)
    found = simulate(opened((100, 0.5)), START, END, TODAY, new_business=fresh)
    assert found.mean == pytest.approx(150, abs=1)
    assert found.deviation > np.hypot(50, past.std())  # the mean of eight is not known exactly either
    rare = fit_new_business(pd.Series([0.0] * 7 + [80]))
    assert simulate(opened(), START, END, TODAY, new_business=rare).totals.min() == 0
    assert fit_new_business(past.iloc[:7]) is None


# All together ---------------------------------------------------------------------------------------------


def test_bands_hold_what_came_as_often_as_they_say() -> None:
    """A company with a planted rate, slip and shock; its past forecasts, each from what was known then."""
    rng = np.random.default_rng(20)
    count, per_quarter = 32, 150
    quarter = np.repeat(np.arange(count), per_quarter)
    start = np.datetime64("2018-01") + 3 * quarter
    seen_on = start.astype("datetime64[D]")
    expected = seen_on + rng.integers(0, 90, len(quarter))
    closed = expected + rng.geometric(1 / 25, len(quarter)) - 5
    closed = np.maximum(closed, seen_on)
    lands_in = (closed.astype("datetime64[M]").astype(int) - np.datetime64("2018-01").astype(int)) // 3
    shock = rng.normal(0, 0.3, count + 10)
    won = rng.random(len(quarter)) < 1 / (1 + np.exp(0.2 - shock[np.minimum(lands_in, count + 9)]))
    deals = pd.DataFrame(
        {
            "opportunity_id": [f"d{number}" for number in range(len(quarter))],
            "seen_on": seen_on.astype("datetime64[s]"),
            "stage_id": "proposal",
            "probability": 0.4,
            "probability_source": "stage",
            "value": rng.lognormal(9, 0.6, len(quarter)),
            "expected_close_date": expected.astype("datetime64[s]"),
            "ends": np.where(won, "won", "lost"),
            "ends_on": closed.astype("datetime64[s]"),
        }
    )
    stages = pd.DataFrame({"stage_id": ["proposal"], "stage": ["Proposal"], "position": [1], "set_probability": [0.4]})
    inside = []
    for number in range(12, count):
        begin = (np.datetime64("2018-01") + 3 * number).astype("datetime64[D]").item()
        end = (np.datetime64("2018-01") + 3 * number + 3).astype("datetime64[D]").item()
        until = begin - dt.timedelta(days=1)
        past = deals[deals["seen_on"] < pd.Timestamp(begin)]
        known = past["ends_on"] <= pd.Timestamp(until)
        past = past.assign(outcome=past["ends"].where(known, "open"), closed_on=past["ends_on"].where(known))
        learnt = calibrate(past.assign(entered_on=past["seen_on"], set_probability=0.4), stages, until)
        slip = fit_slip(past, until)
        swing = fit_shock(past_quarters(past.assign(probability=chances(past, learnt)), slip, until))
        now = deals[deals["seen_on"] == pd.Timestamp(begin)]
        found = simulate(now, begin, end, begin, rates=learnt, slip=slip, shock=swing, draws=4000)
        came = now.loc[(now["ends"] == "won") & (now["ends_on"] < pd.Timestamp(end)), "value"].sum()
        bands = [found.band(level) for level in (0.5, 0.8, 0.9)]
        inside.append([low <= came <= high for low, high in bands])
    held = np.mean(inside, axis=0)
    # Twenty quarters: the intervals of 50, 80 and 90 % reach this far.
    assert all(
        low <= share <= high for share, (low, high) in zip(held, [(0.3, 0.7), (0.6, 0.95), (0.7, 1)], strict=True)
    )


def test_intermediate_case_by_enumeration() -> None:
    """Rates that are drawn once for all, against the mixture of all outcomes over the Beta's quantiles."""
    frame = opened((3, 0.5), (5, 0.5), (11, 0.5), probability_source="stage")
    found = simulate(frame, START, END, TODAY, rates=rates(("proposal", 2, 3)))
    drawn = np.random.default_rng(0).beta(2, 3, 200_000)
    for wins in itertools.product([False, True], repeat=3):
        total = sum(value for value, won in zip((3, 5, 11), wins, strict=True) if won)
        chance = (drawn ** sum(wins) * (1 - drawn) ** (3 - sum(wins))).mean()
        assert (found.totals == total).mean() == pytest.approx(chance, abs=0.012)
