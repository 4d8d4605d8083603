"""Calibration and the month-of-quarter effect on an export that nobody here wrote; see the README of ../shared/data."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from app.estimates.calibration import calibrate
from app.estimates.forecast import Forecast, chances, fit_shock, past_quarters, simulate
from app.estimates.timing import MonthOfQuarter, Slip, fit_month_of_quarter, months_between, quarter_of

EXPORT = Path(__file__).parents[4] / "shared/data/maven"
pytestmark = pytest.mark.skipif(not EXPORT.is_dir(), reason="the Maven export in ../shared/data is not here")

TODAY = dt.date(2017, 12, 31)
STAGES = pd.DataFrame({"stage_id": ["engaging"], "stage": ["Engaging"], "position": [2], "set_probability": [0.5]})
AT_ITS_WORD = Slip({}, "")


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    """Every opportunity that was engaged, at its product's list price."""
    pipeline = pd.read_csv(EXPORT / "sales_pipeline.csv", parse_dates=["engage_date", "close_date"])
    prices = pd.read_csv(EXPORT / "products.csv").set_index("product")["sales_price"]
    engaged = pipeline.dropna(subset=["engage_date"])
    return pd.DataFrame(
        {
            "opportunity_id": engaged["opportunity_id"],
            "stage_id": "engaging",
            "value": engaged["product"].replace("GTXPro", "GTX Pro").map(prices).astype(float),
            "probability": 0.5,
            "set_probability": 0.5,
            "probability_source": "stage",
            "entered_on": engaged["engage_date"],
            "outcome": engaged["deal_stage"].str.lower().replace("engaging", "open"),
            "closed_on": engaged["close_date"],
        }
    )


def test_engaging_calibrates_to_counts_by_hand(deals: pd.DataFrame) -> None:
    found = calibrate(deals.assign(expected_close_date=pd.NaT), STAGES, TODAY).iloc[0]
    assert (found["n"], found["wins"], found["open"]) == (4238 + 2473, 4238, 1589)
    assert found["rate"] == pytest.approx(4238 / 6711)
    assert (found["low"], found["high"]) == (pytest.approx(0.6199, abs=1e-4), pytest.approx(0.6430, abs=1e-4))
    assert found["suggestion"] == 0.63
    assert found["outside"]


def test_who_has_no_expected_close_has_no_second_horizon(deals: pd.DataFrame) -> None:
    found = calibrate(deals.assign(expected_close_date=pd.NaT), STAGES, TODAY, "by_expected_close").iloc[0]
    assert (found["n"], found["undated"]) == (0, len(deals))
    assert found["reason"] == "No expected close was known on entering."


# There are no expected closes to slip from, and what leaps at the quarter's end is the win rate: so an opportunity is
# put into the month in which it closed, as if that had been known when the quarter began, and forecast from there.


def in_its_month(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals.dropna(subset=["closed_on"])
    begun = closed["closed_on"].dt.to_period("Q").dt.start_time
    return closed.assign(seen_on=begun, expected_close_date=closed["closed_on"])


def bands(deals: pd.DataFrame, past: pd.DataFrame, until: dt.date, month: dt.date) -> tuple[Forecast, Forecast, float]:
    """The month's forecast without and with the effect that the past shows, and what came."""
    rates = calibrate(past, STAGES, until)
    past = past.assign(probability=chances(past, rates))
    season = fit_month_of_quarter(past, AT_ITS_WORD, until)
    start, end = months_between(month, quarter_of(month)[1])[:2]
    due = in_its_month(deals)
    due = due[(due["closed_on"] >= pd.Timestamp(start)) & (due["closed_on"] < pd.Timestamp(end))]

    def forecast(effect: MonthOfQuarter | None) -> Forecast:
        shock = fit_shock(past_quarters(past, AT_ITS_WORD, until, effect))
        return simulate(due, start, end, start, rates=rates, season=effect, shock=shock)

    return forecast(None), forecast(season), float(due.loc[due["outcome"] == "won", "value"].sum())


def holds(forecast: Forecast, came: float) -> bool:
    low, high = forecast.band(0.8)
    return low <= came <= high


def test_the_band_with_the_effect_holds_what_the_one_without_misses(deals: pd.DataFrame) -> None:
    """Month by month, each from what was known before it, from the first that has two whole quarters to learn from."""
    months = [dt.date(2017, 10, 1), dt.date(2017, 11, 1), dt.date(2017, 12, 1)]
    found = []
    for month in months:
        until = month - dt.timedelta(days=1)
        past = in_its_month(deals)
        found.append(bands(deals, past[past["closed_on"] <= pd.Timestamp(until)], until, month))
    assert [holds(with_effect, came) for _, with_effect, came in found] == [True, True, True]
    assert [holds(without, came) for without, _, came in found] == [True, True, False]
    # And what the one without holds, it holds by being twice as wide.
    for without, with_effect, _ in found:
        widths = [high - low for low, high in (without.band(0.8), with_effect.band(0.8))]
        assert widths[0] > 1.7 * widths[1]


def test_two_quarters_teach_the_third(deals: pd.DataFrame) -> None:
    """Every month of three quarters, from the other two: more months than there is past to look back on."""
    closed = in_its_month(deals)
    held = {}
    for begun in (dt.date(2017, 4, 1), dt.date(2017, 7, 1), dt.date(2017, 10, 1)):
        others = closed[closed["seen_on"] != pd.Timestamp(begun)]
        for month in months_between(begun, quarter_of(begun)[1])[:3]:
            without, with_effect, came = bands(deals, others, TODAY, month)
            held[month.month] = holds(without, came), holds(with_effect, came)
    assert sum(with_effect for _, with_effect in held.values()) >= 8
    # Each quarter's end is more than the band without the effect reaches to.
    assert [held[month] for month in (6, 9, 12)] == [(False, True)] * 3
