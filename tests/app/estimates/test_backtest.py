import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.estimates.backtest import accuracy, coverage

AMOUNTS = st.integers(0, 10**8).map(lambda cents: cents / 100)


def forecasts(rows: list[tuple[str, str, float, float]], spread: float = 10) -> pd.DataFrame:
    """Quarterly forecasts: as of, first day of the period, forecast, actual; bands of 10, 20 and 30 around it."""
    frame = pd.DataFrame(rows, columns=["as_of", "period_start", "forecast", "actual"])
    frame = frame.astype({"as_of": "datetime64[s]", "period_start": "datetime64[s]"})
    frame["period_end"] = frame["period_start"] + pd.DateOffset(months=3)
    for distance, (low, high) in enumerate([("p25", "p75"), ("p10", "p90"), ("p05", "p95")], start=1):
        frame[low], frame[high] = frame["forecast"] - distance * spread, frame["forecast"] + distance * spread
    return frame


YEARS = forecasts(
    [
        (str(start.date() + pd.Timedelta(days=after)), str(start.date()), 100.0, actual)
        for start, actual in zip(
            pd.date_range("2024-01-01", periods=8, freq="QS"), [90.0, 95, 75, 100, 131, 85, 99, 115], strict=True
        )
        for after in (0, 70)
    ]
)


def test_errors_by_hand() -> None:
    found = accuracy(YEARS).set_index("horizon")
    assert found.index.tolist() == ["up to 30 days ahead", "61 to 92 days ahead"]
    early = found.loc["61 to 92 days ahead"]
    errors = np.array([10, 5, 25, 0, -31, 15, 1, -15])
    assert (early["n"], early["periods"], early["forecast"], early["actual"]) == (8, 8, 800, 790)
    assert early["bias"] == pytest.approx(errors.mean())
    assert early["absolute_error"] == pytest.approx(np.abs(errors).mean())
    assert early["bias_share"] == pytest.approx(10 / 790)
    assert early["absolute_share"] == pytest.approx(102 / 790)
    assert early["high"] - early["bias"] == pytest.approx(2.3646 * errors.std(ddof=1) / np.sqrt(8), rel=1e-3)
    assert early["low"] < 0 < early["high"]
    assert early["reason"] == ""


def test_errors_by_owner_and_stage() -> None:
    frame = YEARS.assign(owner_id=["rita", "ravi"] * 8, actual=YEARS["actual"].where(YEARS.index % 2 == 0, 0.0))
    found = accuracy(frame, "owner_id").set_index("owner_id")
    assert found.loc["ravi", "bias"] == 100
    assert pd.isna(found.loc["ravi", "bias_share"])  # nothing was won: a share of nothing
    assert accuracy(YEARS.assign(stage_id="lead"), "stage_id")["n"].tolist() == [16]


def test_coverage_counts_periods_not_forecasts() -> None:
    found = coverage(YEARS).set_index("band")
    assert found["inside"].to_dict() == {0.5: 8, 0.8: 12, 0.9: 14}
    assert found["share"].tolist() == [0.5, 0.75, 0.875]
    assert (found["n"] == 16).all()
    assert (found["periods"] == 8).all()
    # Two forecasts of one quarter are no two witnesses: as wide as for eight.
    once = coverage(YEARS.iloc[::2]).set_index("band")
    pd.testing.assert_frame_equal(found[["low", "high"]], once[["low", "high"]])
    assert found.loc[0.8, "low"] < 0.8 < found.loc[0.8, "high"]
    assert (found["reason"] == "").all()


def test_coverage_by_horizon() -> None:
    found = coverage(YEARS, "horizon")
    assert found["band"].tolist() == [0.5, 0.8, 0.9] * 2
    assert found["n"].tolist() == [8] * 6


def test_the_ends_belong_to_the_band() -> None:
    certain = forecasts([("2026-01-01", "2026-01-01", 50.0, 50.0)], spread=0)
    assert coverage(certain)["inside"].tolist() == [1, 1, 1]


def test_few_periods_are_a_sentence_and_a_wide_interval() -> None:
    one = YEARS.iloc[:2]
    assert accuracy(one)[["low", "high"]].isna().all().all()
    assert accuracy(one)["reason"].str.startswith("Too early to judge: past periods: 1").all()
    wide = coverage(one)
    assert wide["reason"].str.startswith("Too early to judge").all()
    assert (wide["high"] - wide["low"] > 0.7).all()


def test_no_past_forecasts() -> None:
    assert accuracy(YEARS.iloc[:0]).empty
    nothing = coverage(YEARS.iloc[:0])
    assert nothing["share"].isna().all()
    assert nothing[["low", "high"]].to_numpy().tolist() == [[0, 1]] * 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), AMOUNTS, AMOUNTS), min_size=1, max_size=40))
def test_parts_add_up_and_wider_bands_hold_more(rows: list[tuple[int, float, float]]) -> None:
    starts = pd.date_range("2024-01-01", periods=12, freq="QS")
    frame = forecasts(
        [(str(starts[q].date()), str(starts[q].date()), forecast, actual) for q, forecast, actual in rows]
    )
    found = accuracy(frame)
    assert found["forecast"].sum() == pytest.approx(frame["forecast"].sum())
    assert found["n"].sum() == len(rows)
    assert (found["bias"].abs() <= (frame["forecast"] - frame["actual"]).abs().max() + 1e-9).all()
    held = coverage(frame)
    assert held["inside"].is_monotonic_increasing
    assert ((held["low"] <= held["share"]) & (held["share"] <= held["high"])).all()
