"""How good past forecasts were: their errors, and how often their bands held what came.

A frame of past forecasts has one row for each forecast that was rebuilt as of a past day:

    as_of, period_start, period_end (the day after the last), forecast (the mean or P50), actual, and for the bands p05,
    p10, p25, p75, p90, p95,

besides what it is grouped by (`owner_id`, `stage_id` …). Money is float in one currency, days are datetime64. Errors
are forecast − actual: above 0, the forecast was too high. The forecasts of one period share its luck, so periods are
counted, not forecasts, wherever it is said how sure a number is.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from app.estimates.calibration import jeffreys

BANDS: Final = {0.5: ("p25", "p75"), 0.8: ("p10", "p90"), 0.9: ("p05", "p95")}

ENOUGH: Final = 8
"""Past periods from which on a bias or a coverage says something: two years of quarters."""

COUNTS: Final = ("n", "periods", "forecast", "actual")
ERRORS: Final = ("bias", "low", "high", "absolute_error", "bias_share", "absolute_share", "reason")

HORIZONS: Final = (
    (30, "up to 30 days ahead"),
    (60, "31 to 60 days ahead"),
    (92, "61 to 92 days ahead"),
    (10**6, "more"),
)
"""Days from the forecast to the end of its period, and their name."""


def accuracy(forecasts: pd.DataFrame, by: str = "horizon") -> pd.DataFrame:
    """The errors of past forecasts, one row for each value of `by`: `horizon` or a column of the frame.

    Result: `by`, `n`, `periods`, `forecast` and `actual` (sums), `bias` (mean over periods of their mean error) with
    `low` and `high` (95 % interval of Student's t; missing for one period), `absolute_error` (mean), `bias_share` and
    `absolute_share` (summed errors as a share of what was won; missing where nothing was), and `reason` where the
    periods are too few to take the bias for more than luck.
    """
    known = _with_horizon(forecasts)
    known = known.assign(error=known["forecast"] - known["actual"])
    rows = []
    for value, part in known.groupby(by, sort=True, observed=True):
        each = part.groupby("period_start")["error"].mean()
        reach = stdtrit(len(each) - 1, 0.975) * each.std() / np.sqrt(len(each)) if len(each) > 1 else np.nan
        actual = part["actual"].sum()
        rows.append(
            {
                by: value,
                "n": len(part),
                "periods": len(each),
                "forecast": part["forecast"].sum(),
                "actual": actual,
                "bias": each.mean(),
                "low": each.mean() - reach,
                "high": each.mean() + reach,
                "absolute_error": part["error"].abs().mean(),
                "bias_share": part["error"].sum() / actual if actual else np.nan,
                "absolute_share": part["error"].abs().sum() / actual if actual else np.nan,
                "reason": _reason(len(each)),
            }
        )
    return pd.DataFrame(rows, columns=[by, *COUNTS, *ERRORS])


def coverage(forecasts: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """How often the actual lay in the 50, 80 and 90 % bands, ends included: one row per band, or per band and `by`.

    Result: `by` if given, `band`, `n`, `periods`, `inside`, `share`, `low`, `high` (95 % Jeffreys interval, as wide as
    for as many forecasts as there are periods) and `reason` where the periods are too few to judge.
    """
    known = _with_horizon(forecasts)
    parts = known.groupby(by, sort=True, observed=True) if by else [(None, known)]
    rows = []
    for value, part in parts:
        periods = part["period_start"].nunique()
        for band, (low, high) in BANDS.items():
            inside = part["actual"].between(part[low], part[high]).sum()
            share = inside / len(part) if len(part) else np.nan
            ends = jeffreys(share * periods if periods else 0, periods)
            rows.append(
                {
                    by: value,
                    "band": band,
                    "n": len(part),
                    "periods": periods,
                    "inside": inside,
                    "share": share,
                    "low": float(ends[0]),
                    "high": float(ends[1]),
                    "reason": _reason(periods),
                }
            )
    columns = ["band", "n", "periods", "inside", "share", "low", "high", "reason"]
    return pd.DataFrame(rows)[[by, *columns] if by else columns] if rows else pd.DataFrame(columns=columns)


def _with_horizon(forecasts: pd.DataFrame) -> pd.DataFrame:
    ahead = (forecasts["period_end"] - forecasts["as_of"]).dt.days
    limits = [days for days, _ in HORIZONS]
    named = pd.cut(ahead, [-1, *limits], labels=[name for _, name in HORIZONS])
    return forecasts.assign(horizon=named)


def _reason(periods: int) -> str:
    if periods >= ENOUGH:
        return ""
    return f"Too early to judge: past periods: {periods}, and a judgement takes {ENOUGH}."
