"""Days and moments of the demo company, vectorised. Days count from 1970-01-01, moments are UTC seconds since then."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from app.demo import truth
from app.demo.arrays import NEVER, Ints

ZONE = ZoneInfo("America/Toronto")
DAY = 86_400


class Clock:
    """The company's calendar around its anchor: everything up to the anchor's first minute has happened."""

    def __init__(self, anchor: dt.date) -> None:
        self.anchor = anchor
        self.today = day_number(anchor)
        start = anchor.replace(year=anchor.year - truth.YEARS, day=min(anchor.day, 28))  # there is no 29 February then
        self.start = day_number(start)
        self.last = self.today + 2 * 366
        """The last day that has moments; what lies further ahead is not told apart from it."""
        self._first = self.start - 3 * 366
        days = range(self._first, self.last + 366)
        # One offset a day is enough: clocks change at night, when nobody here works.
        self._offsets = np.array([_offset(day) for day in days], dtype=np.int64)
        self.now = int(self.moment(np.array(self.today), 0))

    def moment(self, days: Ints, seconds: Ints | int) -> Ints:
        """The moments at these Toronto days and seconds of the day."""
        return days * DAY + seconds - self._offsets[days - self._first]

    def day(self, moments: Ints) -> Ints:
        """The Toronto days of these moments; NEVER stays."""
        known = moments != NEVER
        shifted = np.where(known, moments, self.now)
        found = (shifted + self._offsets[shifted // DAY - self._first]) // DAY
        return np.where(known, found, NEVER)


def day_number(day: dt.date) -> int:
    """The day as the generator counts it."""
    return (day - dt.date(1970, 1, 1)).days


def _offset(day: int) -> int:
    noon = dt.datetime(1970, 1, 1, 12, tzinfo=ZONE) + dt.timedelta(days=day)  # wall time: stays noon
    offset = noon.utcoffset()
    assert offset is not None  # noqa: S101  (an aware datetime has one)
    return int(offset.total_seconds())


def weekday(days: Ints) -> Ints:
    """0 for Monday to 6 for Sunday."""
    return (days + 3) % 7


def workday(days: Ints) -> Ints:
    """The day itself, or the Monday after a weekend."""
    late = weekday(days) - 4
    return days + np.where(late > 0, 3 - late, 0)


def months(days: Ints) -> Ints:
    """Months since January 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month(day: int) -> int:
    """Months since January 1970, of one day."""
    return int(months(np.array(day)))


def month_start(month: Ints) -> Ints:
    """The first day of a month counted since January 1970."""
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def month_end(days: Ints) -> Ints:
    """The last day of each day's month."""
    return month_start(months(days) + 1) - 1


def quarter_end(days: Ints) -> Ints:
    """The last day of each day's calendar quarter."""
    return month_start((months(days) // 3 + 1) * 3) - 1
