"""Arrays as the generator uses them: columns of many rows at once."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NEVER = int(np.iinfo(np.int64).min)
"""The missing day or moment; numpy's NaT is the same number."""


@dataclass(frozen=True)
class Rows:
    """Arrays of one length, one for each field."""

    def only(self, wanted: Flags) -> Self:
        """The rows where `wanted`."""
        return type(self)(**{column.name: getattr(self, column.name)[wanted] for column in fields(self)})

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """The rows of all parts, one after the other."""
        found = list(parts)
        return cls(
            **{column.name: np.concatenate([getattr(part, column.name) for part in found]) for column in fields(cls)}
        )


def lognormal(rng: np.random.Generator, median: float | Floats, sigma: float | Floats, size: int) -> Floats:
    """Draws whose logarithm is normal around that of the median."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(size)))


def rank(sorted_groups: Ints) -> Ints:
    """0, 1, 2 … within each run of equal values."""
    positions = np.arange(len(sorted_groups))
    return positions - latest(np.diff(sorted_groups, prepend=-1) != 0)


def latest(flags: Flags) -> Ints:
    """For each row the position of the latest row up to it that is flagged; the first one always is."""
    return np.asarray(np.maximum.accumulate(np.where(flags, np.arange(len(flags)), 0)))
