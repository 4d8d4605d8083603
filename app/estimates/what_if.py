"""What another default probability of a stage would do to the open opportunities, from sums alone.

However many opportunities there are, an answer is arithmetic on the numbers of `Groups`: some milliseconds, while
somebody moves a slider.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

Follows = Literal["new", "inheriting", "all"]
Floats = npt.NDArray[np.float64]

TAIL: Final = 0.1
SUMMED: Final = ("opportunities", "without_rate", "value", "expected_revenue", "squares", "variance")
CUTS: Final = ("stage_id", "owner", "closes")


@dataclass(frozen=True)
class Groups:
    """Added-up opportunities, made ready once.

    `sums` holds the columns of SUMMED; `cuts` holds for each of CUTS its labels in their order, and the place of each
    group's label among them.
    """

    sums: Mapping[str, Floats]
    inherits: npt.NDArray[np.bool_]
    cuts: Mapping[str, tuple[list[str], npt.NDArray[np.intp]]]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Groups":
        """From the columns of `queries.stages.open_groups`: those of SUMMED and CUTS, owner_id and inherits.

        `squares` is Σ value², `variance` Σ value² p (1 − p). Two owners of one name stay two.
        """
        owner = frame["owner"].astype(str) + "\0" + frame["owner_id"].fillna("").astype(str)
        cuts = {}
        for name, column in (("stage_id", frame["stage_id"]), ("owner", owner), ("closes", frame["closes"])):
            place, labels = pd.factorize(column.astype(str), sort=True)
            cuts[name] = [str(label).partition("\0")[0] for label in labels], place
        sums = {name: frame[name].to_numpy(dtype=float) for name in SUMMED}
        return cls(sums, frame["inherits"].to_numpy(dtype=bool), cuts)

    def of_stage(self, stage_id: str) -> npt.NDArray[np.bool_]:
        """Which groups are in the stage."""
        labels, place = self.cuts["stage_id"]
        return place == labels.index(stage_id) if stage_id in labels else np.zeros_like(self.inherits)


@dataclass(frozen=True)
class Outcome:
    """For each group its expected revenue before and after, and the variances of what it brings."""

    groups: Groups
    before: Floats
    after: Floats
    variance_before: Floats
    variance_after: Floats


@dataclass(frozen=True)
class Band:
    """What is won with 10 %, 50 % and 90 % certainty of being less; about, see `band`."""

    p10: float
    p50: float
    p90: float


def with_defaults(groups: Groups, probabilities: Mapping[str, float], follows: Follows) -> Outcome:
    """What comes of it if the defaults of these stages were so (0–1), and these opportunities followed."""
    before, variance = groups.sums["expected_revenue"], groups.sums["variance"]
    after, variance_after = before.copy(), variance.copy()
    for stage_id, p in probabilities.items():
        here = groups.of_stage(stage_id)
        follow = {"new": np.zeros_like(here), "inheriting": here & groups.inherits, "all": here}[follows]
        after[follow] = groups.sums["value"][follow] * p
        variance_after[follow] = groups.sums["squares"][follow] * p * (1 - p)
    return Outcome(groups, before, after, variance, variance_after)


def added_up(outcome: Outcome, by: str) -> pd.DataFrame:
    """One row for each `by` of CUTS, in its order: opportunities, before, after and change, in cents that add up."""
    labels, place = outcome.groups.cuts[by]

    def sums(amounts: Floats) -> Floats:
        return np.bincount(place, amounts, len(labels)).astype(float)

    before = sums(outcome.before)
    change = _cents(sums(outcome.after) - before)
    cents = _cents(before)
    return pd.DataFrame(
        {
            by: labels,
            "opportunities": sums(outcome.groups.sums["opportunities"]).astype(int),
            "before": cents,
            "after": np.round(cents + change, 2),
            "change": change,
        }
    )


def band(mean: float, variance: float, most: float) -> Band:
    """Quantiles of a sum of many independent wins: the normal distribution with its exact mean and variance, kept
    between nothing and everything. It is about right where no single opportunity makes up most of the sum."""
    spread = float(ndtri(1 - TAIL)) * float(np.sqrt(max(variance, 0.0)))
    low, middle, high = (float(np.clip(mean + step, 0.0, most)) for step in (-spread, 0.0, spread))
    return Band(low, middle, high)


def _cents(amounts: Floats) -> Floats:
    # Differences of rounded running totals: rounded one by one, the parts would miss the total by some cents.
    return np.round(np.diff(np.round(np.cumsum(amounts), 2), prepend=0.0), 2)
