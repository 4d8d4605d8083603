"""What happened when, to whom: counted for any moment, and the engagement score that follows from it."""

import numpy as np

from app.demo.arrays import NEVER, Floats, Ints
from app.demo.clock import DAY


class Timeline:
    """Moments that belong to organizers or contacts, sorted so that those of one up to a moment are counted at once."""

    def __init__(self, owner: Ints, at: Ints, worth: Floats | None = None) -> None:
        order = np.lexsort((at, owner))
        self._keys = _key(owner, at)[order]
        self._at = np.append(at[order], NEVER)
        self._sum = np.concatenate([[0.0], np.cumsum(np.ones(len(at)) if worth is None else worth[order])])

    def count(self, owner: Ints, until: Ints) -> Ints:
        """How many each owner has up to and with each moment."""
        return self._upto(owner, until) - self._start(owner)

    def total(self, owner: Ints, until: Ints) -> Floats:
        """What they are worth together."""
        return np.asarray(self._sum[self._upto(owner, until)] - self._sum[self._start(owner)])

    def latest(self, owner: Ints, until: Ints) -> Ints:
        """The last one of each owner up to a moment; NEVER where there is none."""
        end = self._upto(owner, until)
        return np.where(end > self._start(owner), self._at[end - 1], NEVER)

    def _upto(self, owner: Ints, until: Ints) -> Ints:
        return np.searchsorted(self._keys, _key(owner, until), side="right")

    def _start(self, owner: Ints) -> Ints:
        return np.searchsorted(self._keys, owner << 40, side="left")


def _key(owner: Ints, at: Ints) -> Ints:
    return (owner << 40) + at  # moments are below 2**40 until the year 36000


def engagement(activities: Timeline, owner: Ints, at: Ints) -> Ints:
    """10 points for each activity of the last 30 days, at most 100, less 2 for each day since the last, at most 50."""
    recent = activities.count(owner, at) - activities.count(owner, at - 30 * DAY)
    latest = activities.latest(owner, at)
    idle = np.minimum(50, 2 * ((at - np.where(latest == NEVER, 0, latest)) // DAY))
    return np.where(latest == NEVER, 0, np.clip(np.minimum(100, 10 * recent) - idle, 0, 100))
