"""The health score of an organizer: 0 to 100, high is good; what it is made of, and how much of that could be seen."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.estimates import churn
from app.estimates.churn import STRETCH, WINDOW, Past
from app.estimates.logistic import tenths

Floats = npt.NDArray[np.float64]

WEIGHTS: Final = {"engagement": 30, "trend": 15, "clock": 25, "satisfaction": 20, "pipeline": 10}
"""Of the parts; those that were not observed are left out, and the others weigh more."""

LOW_FROM, MEDIUM_FROM = 60, 35
"""Health from which the risk is low, and medium, where no model tells it."""

LOW_TO, MEDIUM_TO = 0.2, 0.5
"""Churn probabilities below which the risk is low, and medium."""

WORST, BEST = 1, 5
"""Of a satisfaction; what lies outside was not answered on our scale and is not observed."""


def parts(past: Past, engagement: npt.ArrayLike, open_opportunities: npt.ArrayLike) -> pd.DataFrame:
    """The parts of each organizer's score as of `past.today`, 0–100 each, nan where there is nothing to see.

    - `engagement`: the engagement score; without any activity ever it is not observed
    - `trend`: activities of the last 90 days among those of the last 180, against the same share a year before where
      there were some: half as it was, or half of them, is 50
    - `clock`: full within half the usual gap since the last event or win, nothing after one and a half
    - `satisfaction`: mean of the answers after the events of the last two years, 1 is 0 and 5 is 100
    - `pipeline`: 50 for one open opportunity, 100 for more; none is a finding: 0
    """
    count, today = past.organizers, past.today
    activities = past.activities
    organizer = activities["organizer"].to_numpy(dtype=np.int64)
    stretch, n = activities["stretch"].to_numpy(dtype=np.int64), activities["n"].to_numpy(dtype=float)
    is_known = np.bincount(organizer, n, count) > 0

    def among(first: int) -> Floats:
        now = np.bincount(organizer, n * (stretch == first), count)
        both = now + np.bincount(organizer, n * (stretch == first + 1), count)
        return np.asarray(np.divide(now, both, out=np.full(count, np.nan), where=both > 0))

    lately, last_year = among(0), among(WINDOW // 2 // STRETCH)
    known = last_year + lately > 0
    with np.errstate(invalid="ignore"):
        trend = np.where(known, lately / (lately + last_year), lately)

    now = churn.clock(past, today)
    # Without any gap known, the shortest patience stands for one and a half of them.
    gap = np.fmax(now.gap, churn.SHORTEST / churn.PATIENCE)
    answers = past.answers[(past.answers["day"] <= today) & (past.answers["day"] > today - WINDOW)]
    answers = answers[answers["satisfaction"].between(WORST, BEST)]
    asked = np.bincount(answers["organizer"], minlength=count)
    told = np.bincount(answers["organizer"], answers["satisfaction"].to_numpy(dtype=float), count)
    mean = np.divide(told, asked, out=np.full(count, np.nan), where=asked > 0)
    return pd.DataFrame(
        {
            "engagement": np.where(is_known, np.asarray(engagement, dtype=float), np.nan),
            "trend": 100 * trend,
            "clock": 100 * np.clip(churn.PATIENCE - (today - now.last) / gap, 0, 1),
            "satisfaction": 100 * (mean - WORST) / (BEST - WORST),
            "pipeline": np.minimum(100.0, 50 * np.asarray(open_opportunities, dtype=float)),
        }
    )


def score(observed: pd.DataFrame) -> tuple[pd.DataFrame, Floats]:
    """Each part's points, in tenths, adding up to the health score; and the share of the weight that was observed.

    The score is the mean of the observed parts by their weights. A part that was not observed has no points.
    """
    weights = np.array([WEIGHTS[part] for part in observed.columns], dtype=float)
    seen = observed.notna().to_numpy() * weights
    total = seen.sum(axis=1)
    share = np.divide(seen, total[:, None], out=np.zeros_like(seen), where=total[:, None] > 0)
    return tenths(observed.fillna(0) * share), total / weights.sum()


def whole(points: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The score in whole points, halves upwards."""
    return np.floor(points.sum(axis=1).round(1).to_numpy() + 0.5).astype(np.int64)


def risk(health: npt.ArrayLike, probability: npt.ArrayLike | None) -> npt.NDArray[np.str_]:
    """low, medium or high: from the probability to churn, or from health where no model tells one.

    An organizer that has churned, or never had an event, has no probability; its health then says it.
    """
    score = np.asarray(health)
    by_health = np.where(score >= LOW_FROM, "low", np.where(score >= MEDIUM_FROM, "medium", "high"))
    if probability is None:
        return by_health
    chance = np.asarray(probability, dtype=float)
    with np.errstate(invalid="ignore"):
        by_chance = np.where(chance < LOW_TO, "low", np.where(chance < MEDIUM_TO, "medium", "high"))
    return np.where(np.isnan(chance), by_health, by_chance)
