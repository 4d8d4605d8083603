"""A regularised logistic model of something that happens or not: fitted, held against later dates, and explained.

A frame of samples has one row for each thing that was looked at on a past day:

    cutoff (the day; nothing after it is in the features), unit (whose row it is: one unit's rows share their luck),
    happened (what came after the day), and a column for each feature, missing where it was not known.

Regularisation in standard deviations of the features (Hoerl and Kennard, "Ridge regression", Technometrics 12, 1970,
55–67; le Cessie and van Houwelingen for the logistic model, Applied Statistics 41, 1992, 191–201).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from app.estimates.calibration import reliability

Floats = npt.NDArray[np.float64]

ENOUGH: Final = 50
"""Events from which on a model is tried: with fewer, half a dozen features have less than ten events each (Peduzzi et
al., Journal of Clinical Epidemiology 49, 1996, 1373–1379)."""

HELD_OUT: Final = 1 / 3
"""Share of the cut-offs, the latest ones, that no fitted model has seen when it is judged."""

SURE: Final = 1.645
"""Standard errors by which the model must beat the base rate: it would seem to by luck once in twenty times."""

SAMPLE: Final = ("cutoff", "unit", "happened")


@dataclass(frozen=True)
class Model:
    """A fitted model: log-odds are the intercept plus, for each feature, its effect times (value − mean) / scale."""

    features: tuple[str, ...]
    means: Floats
    scales: Floats
    effects: Floats
    """Of one standard deviation, on the log-odds."""
    intercept: float

    def probability(self, rows: pd.DataFrame) -> Floats:
        """The chance of each row that it happens, 0–1. What is missing counts as the mean."""
        return np.asarray(expit(self.intercept + self._parts(rows).sum(axis=1)))

    def contributions(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What moved each row's probability, in points of 100: a column `base`, then one for each feature; they add up.

        `base` is what a row that is average in everything has. The difference is shared as Aumann and Shapley do
        ("Values of Non-Atomic Games", 1974; Sundararajan, Taly and Yan, ICML 2017, call it integrated gradients), which
        for a function of a sum means: in proportion to each feature's part of the sum. A part has the sign of its
        feature's part of the log-odds, and one that is missing has none.
        """
        parts = self._parts(rows)
        total = parts.sum(axis=1)
        base = float(expit(self.intercept))
        slope = base * (1 - base)
        gained = expit(self.intercept + total) - base
        share = np.divide(gained, total, out=np.full(len(total), slope), where=np.abs(total) > 1e-9)
        points = pd.DataFrame(100 * parts * share[:, None], columns=list(self.features), index=rows.index)
        points.insert(0, "base", 100 * base)
        return points

    def _parts(self, rows: pd.DataFrame) -> Floats:
        values = rows[list(self.features)].to_numpy(dtype=float)
        return np.asarray(np.nan_to_num((values - self.means) / self.scales) * self.effects)


@dataclass(frozen=True)
class ReportCard:
    """What a model may be believed. Measured on the held-out cut-offs, with a model fitted on the earlier ones."""

    n: int
    events: int
    """Of all samples, those to which it happened."""
    cutoffs: tuple[dt.date, ...]
    held_out: tuple[dt.date, ...]
    base_rate: float
    """The share to which it happened, of the earlier cut-offs: what somebody without a model would say."""
    auc: float
    """Chance that one to which it happened had the higher score; one half is luck. Missing where it cannot be said."""
    brier: float
    brier_base: float
    """Of the base rate."""
    curve: pd.DataFrame
    """As `calibration.reliability` has it."""
    effects: dict[str, float]
    """Of one standard deviation of each feature on the log-odds, in the model fitted on everything."""
    reason: str
    """Why the model abstains, in a sentence; empty where it does not."""


def learn(samples: pd.DataFrame, what: str, clocks: tuple[str, ...] = ()) -> tuple[Model | None, ReportCard]:
    """The model fitted on all samples, or None where it abstains, and its report card.

    It abstains under ENOUGH events, without a later cut-off to be judged by, and unless its squared errors there are
    smaller than the base rate's by more than luck (SURE; units, not rows, are counted). `what` names one event in the
    plural: "organizers that churned". `clocks` are features that only say how much time has passed or is left: where a
    model of them alone is as good, nothing is known of whether, only of when, and it abstains as well.
    """
    cutoffs = sorted(pd.unique(samples["cutoff"]))
    held_out = cutoffs[len(cutoffs) - round(len(cutoffs) * HELD_OUT) :] if len(cutoffs) > 1 else []
    later = samples["cutoff"].isin(held_out).to_numpy()
    events = int(samples["happened"].sum())
    early_rate = float(samples.loc[~later, "happened"].mean()) if not later.all() else float("nan")

    def card(reason: str, scores: Floats | None = None, model: Model | None = None) -> ReportCard:
        happened = samples.loc[later, "happened"].to_numpy(dtype=float)
        curve = reliability(pd.DataFrame({"forecast": scores, "won": happened})) if scores is not None else EMPTY
        return ReportCard(
            len(samples),
            events,
            tuple(cutoffs),
            tuple(held_out),
            early_rate,
            auc(scores, happened) if scores is not None else float("nan"),
            float(((scores - happened) ** 2).mean()) if scores is not None else float("nan"),
            float(((early_rate - happened) ** 2).mean()) if len(happened) else float("nan"),
            curve,
            dict(zip(model.features, model.effects.tolist(), strict=True)) if model else {},
            reason,
        )

    if events < ENOUGH:
        return None, card(f"Too little to learn from: {events} {what}, and a model takes {ENOUGH}.")
    tried = fit(samples[~later]) if held_out else None
    if tried is None:
        return None, card("There are no earlier dates to learn from and later ones to be judged by.")
    scores = tried.probability(samples[later])
    if not _is_better(scores, np.full(len(scores), early_rate), samples[later]):
        return None, card(
            f"On later dates it was no surer than saying {early_rate:.0%} of every one: it would pretend to know.",
            scores,
        )
    timing = fit(samples.loc[~later, [*SAMPLE, *clocks]]) if clocks else None
    if timing is not None and not _is_better(scores, timing.probability(samples[later]), samples[later]):
        return None, card("On later dates it knew no more than how much time had passed.", scores)
    model = fit(samples)
    return model, card("", scores, model)


def fit(samples: pd.DataFrame) -> Model | None:
    """The model of these samples; None where it always happened or never. Features that never vary are left out."""
    from sklearn.linear_model import LogisticRegression  # a second to import, which only a refresh has

    happened = samples["happened"].to_numpy(dtype=bool)
    if happened.all() or not happened.any():
        return None
    features = samples.drop(columns=list(SAMPLE))
    scales = features.std(ddof=0)
    varies = (scales > 1e-9).to_numpy()
    if not varies.any():
        return None
    features = features.loc[:, varies]
    means, widths = features.mean().to_numpy(dtype=float), scales.to_numpy(dtype=float)[varies]
    scaled = np.nan_to_num((features.to_numpy(dtype=float) - means) / widths)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(scaled, happened)
    return Model(
        tuple(features.columns), means, widths, fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0])
    )


def auc(scores: Floats, happened: Floats) -> float:
    """The area under the ROC curve (Hanley and McNeil, Radiology 143, 1982, 29–36); missing where all are alike."""
    hits, misses = happened.sum(), len(happened) - happened.sum()
    if not hits or not misses:
        return float("nan")
    ranks = pd.Series(scores).rank().to_numpy()
    return float((ranks[happened > 0].sum() - hits * (hits + 1) / 2) / (hits * misses))


def tenths(points: pd.DataFrame) -> pd.DataFrame:
    """The columns in tenths, each row adding up to its rounded sum: differences of rounded running totals."""
    running = np.floor(points.cumsum(axis=1).to_numpy(dtype=float) * 10 + 0.5) / 10
    return pd.DataFrame(np.diff(running, axis=1, prepend=0).round(1), columns=points.columns, index=points.index)


EMPTY: Final = reliability(pd.DataFrame({"forecast": [], "won": []}, dtype=float))


def _is_better(scores: Floats, others: Floats, samples: pd.DataFrame) -> bool:
    """Whether the squared errors are smaller than the others' by more than luck; units are counted, not rows."""
    happened = samples["happened"].to_numpy(dtype=float)
    saved = (others - happened) ** 2 - (scores - happened) ** 2
    mean = saved.mean()
    per_unit = pd.Series(saved - mean).groupby(samples["unit"].to_numpy()).sum().to_numpy()
    return bool(mean > SURE * np.sqrt((per_unit**2).sum()) / len(saved))
