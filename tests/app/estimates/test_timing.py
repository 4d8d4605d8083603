import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.estimates.timing import Slip, fit_month_of_quarter, fit_slip, land, months_between, quarter_of

DAY = dt.date(2026, 1, 1)
UNTIL = dt.date(2026, 12, 31)
EDGES = [dt.date(2026, 1, 1), dt.date(2026, 2, 1), dt.date(2026, 3, 1), dt.date(2027, 1, 1)]
NOTHING = Slip({}, "")


def seen(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Snapshots, by default of one day, of opportunities expected to close a fortnight later."""
    usual = {
        "seen_on": DAY,
        "stage_id": "proposal",
        "expected_close_date": "2026-01-15",
        "outcome": "open",
        "probability": 0.5,
    }
    frame = pd.DataFrame([{"opportunity_id": n, "closed_on": None} | usual | row for n, row in enumerate(rows)])
    return frame.astype(dict.fromkeys(["seen_on", "expected_close_date", "closed_on"], "datetime64[s]"))


def opened(*expected: str | None, stage: str = "proposal") -> pd.DataFrame:
    days = pd.Series(expected, dtype="datetime64[s]")
    return pd.DataFrame({"stage_id": stage, "expected_close_date": days})


def ended(outcome: str, day: str, n: int = 1, **more: Any) -> list[dict[str, Any]]:
    return [{"outcome": outcome, "closed_on": day} | more] * n


# Calendar -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "first_month", "start", "after"),
    [
        ("2026-03-31", 1, "2026-01-01", "2026-04-01"),
        ("2026-01-31", 2, "2025-11-01", "2026-02-01"),
        ("2026-02-01", 2, "2026-02-01", "2026-05-01"),
        ("2026-12-31", 12, "2026-12-01", "2027-03-01"),
    ],
)
def test_fiscal_quarters(day: str, first_month: int, start: str, after: str) -> None:
    found = quarter_of(dt.date.fromisoformat(day), first_month)
    assert found == (dt.date.fromisoformat(start), dt.date.fromisoformat(after))
    assert len(months_between(*found)) == 4


# Slip -----------------------------------------------------------------------------------------------------


def test_without_history_dates_are_taken_at_their_word() -> None:
    found = land(opened("2026-01-31", "2026-02-01", "2025-12-31", None), DAY, EDGES, NOTHING)
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_what_was_not_measured_is_said() -> None:
    assert fit_slip(seen([{}]).iloc[:0], UNTIL).reason.startswith("Nothing is known about slipping")
    dated = fit_slip(seen(ended("won", "2026-01-20", 30)), UNTIL)
    assert dated.reason == (
        "Overdue and undated opportunities are left out: how long such ones take to be won is measured from 30 wins on."
    )
    undated = fit_slip(seen(ended("won", "2026-01-20", 30, expected_close_date=None)), UNTIL)
    assert undated.reason == "Closing dates are taken at their word: slipping is measured from 30 wins on."


def test_slip_moves_closing_dates_across_the_month_by_hand() -> None:
    # Of forty, half were won on the day and half twenty days late.
    slip = fit_slip(seen([*ended("won", "2026-01-15", 20), *ended("won", "2026-02-04", 20)]), UNTIL)
    assert land(opened("2026-01-15", "2026-01-05", "2026-02-20"), DAY, EDGES, slip) == pytest.approx(
        np.array([[0.5, 0.5, 0], [1, 0, 0], [0, 0.5, 0.5]])
    )
    # On the second of February only those that slipped are left.
    later = land(
        opened("2026-02-02"), dt.date(2026, 2, 3), EDGES, fit_slip(seen(ended("won", "2026-01-20", 30)), UNTIL)
    )
    assert later.tolist() == [[0, 0, 0]]  # overdue, and nothing is known of such


def test_losing_says_how_soon_something_is_decided_and_giving_up_that_it_never_is() -> None:
    rows = [*ended("won", "2026-01-15", 30), *ended("lost", "2026-03-15", 30), *ended("abandoned", "2026-06-15", 40)]
    slip = fit_slip(seen(rows), UNTIL)
    # For one that would be won if decided: 60 of 100 are decided, and all wins came in January.
    assert land(opened("2026-01-15"), DAY, EDGES, slip) == pytest.approx(np.array([[0.6, 0, 0]]))


def test_a_stage_has_its_own_timing_and_a_new_one_everybodys() -> None:
    quick = ended("won", "2026-01-15", 300, stage_id="negotiation")
    slow = ended("won", "2026-02-14", 300, stage_id="lead")
    slip = fit_slip(seen([*quick, *slow]), UNTIL)
    found = [
        land(opened("2026-01-15", stage=stage), DAY, EDGES, slip)[0, 0] for stage in ("negotiation", "lead", "new")
    ]
    # 300 of one's own, and 30 deals' worth of everybody's, half of them quick.
    assert found == pytest.approx([315 / 330, 15 / 330, 0.5])


def test_overdue_and_undated_ones_take_their_time_from_the_snapshot() -> None:
    rows = [
        *ended("won", "2026-02-10", 30, expected_close_date="2025-12-20"),
        *ended("won", "2026-01-10", 30, expected_close_date=None),
    ]
    slip = fit_slip(seen(rows), UNTIL)
    assert land(opened("2025-12-30", None), DAY, EDGES, slip) == pytest.approx(np.array([[0, 1, 0], [1, 0, 0]]))
    in_february = land(opened("2026-01-30"), dt.date(2026, 2, 1), EDGES, slip)
    assert in_february == pytest.approx(np.array([[0, 0, 1]]))  # forty days on


def test_open_opportunities_count_for_as_long_as_they_were_watched() -> None:
    rng = np.random.default_rng(4)
    wait = rng.exponential(60, 6000).astype(int)
    wins = rng.random(6000) < 0.5
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 12, 6000) * 30, unit="D")
    closed = day + pd.to_timedelta(wait, unit="D")
    known = closed <= pd.Timestamp(UNTIL)
    frame = pd.DataFrame(
        {
            "opportunity_id": range(6000),
            "seen_on": day,
            "stage_id": "proposal",
            "expected_close_date": pd.Series([None] * 6000, dtype="datetime64[s]"),
            "outcome": np.where(known, np.where(wins, "won", "lost"), "open"),
            "closed_on": pd.Series(closed).where(known),
        }
    )
    edges = [dt.date(2027, 1, 1), dt.date(2027, 2, 1), dt.date(2027, 3, 1)]
    found = land(opened(None), edges[0], edges, fit_slip(frame, UNTIL))[0]
    assert found == pytest.approx([1 - np.exp(-31 / 60), np.exp(-31 / 60) - np.exp(-59 / 60)], abs=0.02)
    ended_only = wait[known & wins]
    assert (ended_only < 31).mean() > found[0] + 0.05  # what it would say without them


def test_dates_far_ahead_are_watched_from_the_day_they_were_seen() -> None:
    # Seen at different distances: what was seen late was not at risk before, and says nothing about it.
    early = ended("won", "2026-02-01", 40, expected_close_date="2026-06-01")
    others = [
        {"seen_on": "2026-02-20", "outcome": "won", "closed_on": "2026-06-01", "expected_close_date": "2026-06-01"}
    ] * 60
    slip = fit_slip(seen([*early, *others]), UNTIL)
    assert land(opened("2026-06-01"), DAY, EDGES, slip) == pytest.approx(np.array([[0, 1, 0]]))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["won", "lost", "abandoned", "open"]),
            st.integers(0, 300),
            st.one_of(st.none(), st.integers(-200, 300)),
            st.sampled_from(["lead", "proposal"]),
        ),
        min_size=1,
        max_size=120,
    ),
    st.lists(st.one_of(st.none(), st.integers(-200, 400)), min_size=1, max_size=10),
)
def test_chances_are_chances_and_add_up_over_months(
    rows: list[tuple[str, int, int | None, str]], ahead: list[int | None]
) -> None:
    def day(days: int | None) -> str | None:
        return None if days is None else str(DAY + dt.timedelta(days=days))

    wins = ended("won", "2026-02-01", 30)
    frame = seen(
        [
            {"outcome": outcome, "closed_on": None if outcome == "open" else day(closed)}
            | {"expected_close_date": day(expected), "stage_id": stage}
            for outcome, closed, expected, stage in rows
        ]
        + wins
    )
    slip = fit_slip(frame, UNTIL)
    opportunities = opened(*[day(days) for days in ahead])
    months = land(opportunities, DAY, EDGES, slip)
    assert (months >= -1e-12).all()
    assert (months.sum(axis=1) <= 1 + 1e-9).all()
    assert land(opportunities, DAY, [EDGES[0], EDGES[-1]], slip)[:, 0] == pytest.approx(months.sum(axis=1))


def test_snapshots_that_know_the_future_are_refused() -> None:
    frame = seen(ended("won", "2026-05-01"))
    for refuse in (
        lambda: fit_slip(frame, dt.date(2026, 4, 30)),
        lambda: fit_month_of_quarter(frame, NOTHING, dt.date(2026, 4, 30)),
    ):
        with pytest.raises(ValueError, match="nobody knew on 2026-04-30"):
            refuse()


# Month of quarter -----------------------------------------------------------------------------------------


def quarters(
    rng: np.random.Generator, count: int, rates: list[float], n: int = 200, swing: float = 0.0
) -> pd.DataFrame:
    """Opportunities seen at the beginning of each quarter, n due in each month and closed on the day."""
    parts = []
    for number in range(count):
        start = np.datetime64("2020-01") + 3 * number
        luck = rng.normal(0, swing)
        for month, rate in enumerate(rates):
            chance = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + luck)))
            day = str((start + month).astype("datetime64[D]") + 14)
            parts.append(
                pd.DataFrame(
                    {"opportunity_id": range(n), "stage_id": "engaging", "probability": 0.6}
                    | {"seen_on": str(start.astype("datetime64[D]")), "expected_close_date": day, "closed_on": day}
                    | {"outcome": np.where(rng.random(n) < chance, "won", "lost")}
                )
            )
    days = ["seen_on", "expected_close_date", "closed_on"]
    return pd.concat(parts, ignore_index=True).astype(dict.fromkeys(days, "datetime64[s]"))


def test_a_planted_month_of_quarter_effect_is_found() -> None:
    frame = quarters(np.random.default_rng(1), 8, [0.5, 0.5, 0.8], n=400, swing=0.2)
    found = fit_month_of_quarter(frame, NOTHING, UNTIL)
    odds = np.log(0.6 / 0.4) + np.array(found.effects)
    rates = 1 / (1 + np.exp(-odds))
    # Whatever the level, of which the calibrated rate and the shock take care: 0.5 to 0.5 to 0.8.
    assert rates / rates.sum() == pytest.approx(np.array([0.5, 0.5, 0.8]) / 1.8, abs=0.02)
    assert rates.mean() == pytest.approx(0.6, abs=1e-3)  # months differ; together they bring what they would
    assert found.position(dt.date(2026, 9, 30)) == 2
    assert all(0.02 < error < 0.3 for error in found.errors)
    assert found.reason.startswith("In 8 past quarters the three months won 8")


def test_where_months_do_not_differ_no_effect_is_claimed() -> None:
    rng = np.random.default_rng(2)
    claims = [
        any(fit_month_of_quarter(quarters(rng, 4, [0.6] * 3, n=60, swing=0.3), NOTHING, UNTIL).effects)
        for _ in range(30)
    ]
    assert sum(claims) <= 5  # 1.5 expected


@pytest.mark.parametrize(
    ("count", "n", "until"),
    [(1, 200, UNTIL), (2, 4, UNTIL), (2, 200, dt.date(2020, 6, 29))],
)
def test_an_effect_takes_two_whole_quarters(count: int, n: int, until: dt.date) -> None:
    frame = quarters(np.random.default_rng(3), count, [0.4, 0.4, 0.9], n=n)
    found = fit_month_of_quarter(frame[frame["closed_on"] <= pd.Timestamp(until)], NOTHING, until)
    assert found.effects == (0, 0, 0)
    assert "two whole quarters" in found.reason


def test_certain_opportunities_move_no_effect() -> None:
    frame = quarters(np.random.default_rng(1), 8, [0.5, 0.5, 0.8]).assign(probability=lambda rows: rows.index % 2)
    assert np.isfinite(fit_month_of_quarter(frame, NOTHING, UNTIL).errors).all()


def test_what_closed_nobody_knows_when_is_no_timing() -> None:
    rows = [*ended("won", "2026-01-15", 30), {"outcome": "won", "closed_on": None}]
    assert land(opened("2026-01-15"), DAY, EDGES, fit_slip(seen(rows), UNTIL)).tolist() == [[1, 0, 0]]


def test_quarters_begin_with_the_fiscal_year() -> None:
    frame = quarters(np.random.default_rng(1), 8, [0.5, 0.5, 0.8])
    assert fit_month_of_quarter(frame, NOTHING, UNTIL, first_month=1).effects[2] > 0
    # Its snapshots are in the second month of quarters that begin in December: nothing to learn from.
    assert fit_month_of_quarter(frame, NOTHING, UNTIL, first_month=12).effects == (0, 0, 0)
