"""What was fitted, as text to keep and back: slip, month-of-quarter effect and shock, in a form that stays small.

Shares of curves are kept to a hundred-thousandth, the shock's posterior to six digits where it is not next to nothing.
"""

import json
from typing import Any, Final, NamedTuple

import numpy as np

from app.estimates.forecast import MEANS, SWINGS, Shock
from app.estimates.timing import Curve, MonthOfQuarter, Slip

GRAIN: Final = 100_000
"""Parts into which the shares of a curve are counted."""

NEXT_TO_NOTHING: Final = 1e-7
"""Weights of the posterior that are left out."""


class Fitted(NamedTuple):
    """What the simulation takes besides the stages' rates."""

    slip: Slip
    season: MonthOfQuarter
    shock: Shock


def to_text(fitted: Fitted) -> str:
    """The parameters as JSON."""
    slip, season, shock = fitted
    curves = [
        [stage, kind, curve.first, np.diff(np.round(curve.shares * GRAIN).astype(int), axis=0).T.tolist()]
        for (stage, kind), curve in slip.curves.items()
    ]
    weights = shock.weights.ravel()
    kept = np.flatnonzero(weights > NEXT_TO_NOTHING)
    posterior = [kept.tolist(), [float(f"{weight:.6g}") for weight in weights[kept]]]
    return json.dumps(
        {
            "slip": {"curves": curves, "reason": slip.reason},
            "season": season.__dict__,
            "shock": shock.__dict__ | {"weights": posterior},
        },
        separators=(",", ":"),
    )


def from_text(text: str) -> Fitted:
    """The parameters that `to_text` kept."""
    kept: dict[str, dict[str, Any]] = json.loads(text)
    slip, season, shock = kept["slip"], kept["season"], kept["shock"]
    curves = {
        (stage, kind): Curve(first, np.vstack([np.zeros(3), np.cumsum(steps, axis=1).T / GRAIN]))
        for stage, kind, first, steps in slip["curves"]
    }
    place, weight = shock["weights"]
    weights = np.zeros(len(SWINGS) * len(MEANS))
    weights[place] = weight
    weights = (weights / weights.sum()).reshape(len(SWINGS), len(MEANS))
    pairs = {name: shock[name] and tuple(shock[name]) for name in ("mean_interval", "swing_interval")}
    return Fitted(
        Slip(curves, slip["reason"]),
        MonthOfQuarter(**season | {name: tuple(season[name]) for name in ("effects", "errors")}),
        Shock(**shock | pairs | {"weights": weights}),
    )
