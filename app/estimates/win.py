"""How likely an open opportunity is to be won by its expected close, and what speaks for and against it.

A frame of opportunities has one row for each that was open at the end of a past day, or is open today:

    opportunity_id, cutoff (that day), created, entered (its stage), expected (its expected close as held then; missing
    where there was none), probability (as held then, 0–100), value and usual_value (in one currency: its own, and the
    median of its owner's until then), activities (in the 30 days before), slips (moves to a later month until then),
    health (of its organizer, as scored by then), and for past days outcome (`won`, `lost`, `abandoned`, or `open`) and
    closed (when it was closed next; missing where it was not).

Days are whole numbers since 1970-01-01, as floats where they may be missing.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logit

from app.estimates import logistic
from app.estimates.logistic import Model, ReportCard, tenths

Floats = npt.NDArray[np.float64]
Facts = dict[str, Any]

FACTS: Final = (
    *(
        "cutoff",
        "created",
        "entered",
        "expected",
        "probability",
        "value",
        "usual_value",
        "activities",
        "slips",
        "health",
    ),
)
"""What the features are made of."""

CLOCKS: Final = ("age", "stay", "ahead", "overdue", "undated")
"""Features that say when it will be decided, rather than how."""

SPACING: Final = 90
"""Days between cut-offs."""

MOST_CUTOFFS: Final = 8

LATEST: Final = 90
"""Days within which an opportunity is to be won whose expected close has passed, or that has none."""

WORTH_SAYING: Final = 1.0
"""Points from which on a contribution is a risk to be named."""


def target(opportunities: pd.DataFrame) -> Floats:
    """The day by which each is to be won: its expected close, or LATEST days ahead where that is over or missing."""
    expected, cutoff = opportunities["expected"].to_numpy(dtype=float), opportunities["cutoff"].to_numpy(dtype=float)
    return np.where(expected >= cutoff, expected, cutoff + LATEST)


def features(opportunities: pd.DataFrame) -> pd.DataFrame:
    """What the model looks at, one row an opportunity; all of it known at its cut-off.

    - `probability`: log-odds of the probability that it has
    - `age`, `stay`: logarithms of days since it was created, and since it entered its stage
    - `value`: logarithm of its value as a multiple of its owner's usual one
    - `activity`, `slips`: logarithms of activities in the last 30 days, and of moves to a later month
    - `ahead`: logarithm of the days to its target
    - `overdue`, `undated`: 1 where its expected close has passed, or is missing
    - `health`: its organizer's
    """
    known = opportunities[list(FACTS)].astype(float)
    cutoff, expected = known["cutoff"], known["expected"]
    with np.errstate(invalid="ignore", divide="ignore"):
        multiple = known["value"] / known["usual_value"]
        return pd.DataFrame(
            {
                "probability": logit(np.clip(known["probability"] / 100, 0.01, 0.99)),
                "age": np.log1p(np.maximum(cutoff - known["created"], 0)),
                "stay": np.log1p(np.maximum(cutoff - known["entered"], 0)),
                "value": np.log(multiple.where((multiple > 0) & np.isfinite(multiple))),
                "activity": np.log1p(known["activities"]),
                "slips": np.log1p(known["slips"]),
                "ahead": np.log1p(target(opportunities) - cutoff),
                "overdue": 1.0 * (expected < cutoff),
                "undated": 1.0 * expected.isna(),
                "health": known["health"],
            },
            index=opportunities.index,
        )


def samples(past: pd.DataFrame, today: int) -> pd.DataFrame:
    """The samples of all past days: of the opportunities whose target day is over, whether they were won by it."""
    by = target(past)
    over = by <= today
    decided = past[over]
    won = (decided["outcome"] == "won") & (decided["closed"] <= by[over])
    cutoffs = [np.datetime64(int(day), "D").item() for day in decided["cutoff"]]
    return features(decided).assign(cutoff=cutoffs, unit=decided["opportunity_id"], happened=won.to_numpy(dtype=bool))


def learn(past: pd.DataFrame, today: int) -> tuple[Model | None, ReportCard]:
    """The model of what is won by its expected close, or None where it abstains, and its report card."""
    return logistic.learn(samples(past, today), "opportunities won by their expected close", CLOCKS)


def score(model: Model | None, card: ReportCard, opportunities: pd.DataFrame) -> tuple[Floats, pd.DataFrame]:
    """The chance of each to be won by its target, 0–1, and the points in tenths that add up to a hundred times it.

    Where the model abstains it is everybody's base rate, and nothing moves it; missing where not even that is known.
    """
    if model is None:
        base = np.full(len(opportunities), 100 * card.base_rate)
        points = tenths(pd.DataFrame({"base": base}, index=opportunities.index).fillna(0))
        return np.round(base / 100, 3), points
    points = tenths(model.contributions(features(opportunities)))
    return np.asarray(points.sum(axis=1).round(1) / 100), points


def insights(facts: Facts, points: dict[str, float], card: ReportCard) -> dict[str, object]:
    """What to tell about one opportunity: basis, risk_factors, next_action, recommendations, points.

    `facts`: the opportunity's row, with stage, target (a date), chance (0–1, nan where nothing is known),
    has_next_step, and decision_makers and reached (contacts of the organizer: how many decide, and how many of them
    were spoken to in 90 days).
    """
    risks = sorted((value, name) for name, value in points.items() if name != "base" and value <= -WORTH_SAYING)
    todo = _recommendations(facts)
    return {
        "basis": _basis(facts, card),
        "risk_factors": [f"{_said(name, facts)}: {-value:.1f} points less." for value, name in risks],
        "next_action": todo[0] if todo else "Keep to what is planned.",
        "recommendations": todo,
        "points": points,
    }


def _basis(facts: Facts, card: ReportCard) -> str:
    if np.isnan(facts["chance"]):
        return f"No score. {card.reason}"
    by = f"{facts['target']:%d %b %Y}".lstrip("0")
    if card.reason:
        return f"{facts['chance']:.0%} is what all opportunities had; no score of its own. {card.reason}"
    return (
        f"An estimate, not a promise: {facts['chance']:.0%} to be won by {by}, learnt from {card.n:,} past cases; "
        f"in {card.auc:.0%} of pairs it ranked the won one higher."
    )


def _said(name: str, facts: Facts) -> str:
    days = {day: int(facts["cutoff"] - facts[day]) for day in ("created", "entered")}
    sentences: dict[str, Callable[[], str]] = {
        "probability": lambda: f"Its own probability is {facts['probability']:.0f} %",
        "age": lambda: f"It is {_counted(days['created'], 'day')} old",
        "stay": lambda: f"It has been in {facts['stage']} for {_counted(days['entered'], 'day')}",
        "value": lambda: f"Its value is {facts['value'] / facts['usual_value']:.1f} times what its owner usually sells",
        "activity": lambda: f"It saw {_counted(int(facts['activities']), 'activity', 'activities')} in 30 days",
        "slips": lambda: f"Its expected close was put off {_counted(int(facts['slips']), 'time')}",
        "ahead": lambda: f"There are {_counted(int(_ahead(facts)), 'day')} left",
        "overdue": lambda: (
            f"Its expected close passed {_counted(-int(_ahead(facts)), 'day')} ago"
            if facts["expected"] < facts["cutoff"]
            else "Its expected close is ahead"
        ),
        "undated": lambda: "It has no expected close" if np.isnan(facts["expected"]) else "It has an expected close",
        "health": lambda: f"Its organizer's health is {facts['health']:.0f} of 100",
    }
    return sentences[name]()


def _ahead(facts: Facts) -> float:
    expected = facts["expected"]
    return float((facts["cutoff"] + LATEST if np.isnan(expected) else expected) - facts["cutoff"])


def _recommendations(facts: Facts) -> list[str]:
    """What is missing, the most pressing first."""
    found = []
    if not facts["has_next_step"]:
        found.append("Plan a next step: none is pending or scheduled.")
    if facts["expected"] < facts["cutoff"]:
        late = _counted(-int(_ahead(facts)), "day")
        found.append(f"Agree on a new closing date: the expected one passed {late} ago.")
    elif np.isnan(facts["expected"]):
        found.append("Agree on a closing date: there is none.")
    if facts["decision_makers"] and not facts["reached"]:
        some = _counted(int(facts["decision_makers"]), "decision maker")
        found.append(f"Speak to somebody who decides: none of {some} was reached in 90 days.")
    elif not facts["decision_makers"]:
        found.append("Find out who decides: no contact is marked as a decision maker.")
    if not facts["activities"]:
        found.append("Get in touch: nothing happened on it in 30 days.")
    return found


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def day_of(number: float) -> dt.date:
    """The date of a day's number."""
    found: dt.date = np.datetime64(int(number), "D").item()
    return found
