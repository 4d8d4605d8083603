"""The events that organizers hold, year after year, until they leave."""

from dataclasses import dataclass

import numpy as np

from app.demo import truth, words
from app.demo.arrays import NEVER, Floats, Ints, rank
from app.demo.clock import Clock, month_start, months, weekday

PAST_YEARS = 2
"""How far back the events of the first clients are known."""

AHEAD_DAYS = 420
"""How far ahead organizers think of their events."""

_DAYS_TO_TUESDAY_TO_THURSDAY = (1, 0, 0, 0, -1, -2, 2)
"""From Monday, Tuesday … Sunday."""


@dataclass(frozen=True)
class Editions:
    """The events of a block of organizers, sorted by organizer and day; not all come about."""

    organizer: Ints
    day: Ints
    month: Ints
    """The season of its name: 0 for January."""
    series: Ints
    """Which of the season's names."""
    satisfaction: Floats
    attendance: Ints

    def __len__(self) -> int:
        return len(self.day)


def days(rng: np.random.Generator, clock: Clock, industry: Ints, cadence: Floats, earliest: Ints) -> tuple[Ints, Ints]:
    """Organizer and day of every event that there would be if nobody ever left, in order."""
    count, horizon, gap = len(industry), clock.today + AHEAD_DAYS, 365.25 / cadence
    seasons = [words.INDUSTRIES[kind].season for kind in industry]
    first_month = months(earliest) // 12 * 12 + np.array([season[rng.integers(len(season))] for season in seasons]) - 1
    first_month += np.where(month_start(first_month) < earliest, 12, 0)
    seasonal = np.maximum(month_start(first_month) + rng.integers(0, 28, count), earliest)
    opening = np.where(cadence > 1, earliest + gap * rng.random(count), seasonal)

    organizer = np.repeat(np.arange(count), np.maximum(np.ceil((horizon - opening) / gap), 1).astype(np.int64))
    place = opening[organizer] + rank(organizer) * gap[organizer]
    day = np.round(place + rng.normal(0, truth.GAP_NOISE, len(place)) * gap[organizer]).astype(np.int64)
    on_weekend = np.array([kind.weekend for kind in words.INDUSTRIES])[industry[organizer]]
    of_week = weekday(day)
    day += np.where(on_weekend, 5 - of_week, np.array(_DAYS_TO_TUESDAY_TO_THURSDAY)[of_week])
    order = np.lexsort((day, organizer))
    order = order[((day >= earliest[organizer]) & (day < horizon))[order]]
    return organizer[order], day[order]


def leavings(
    rng: np.random.Generator,
    clock: Clock,
    organizer: Ints,
    day: Ints,
    felt: Floats,
    cadence: Floats,
    attention: Floats,
    handed_over: Ints,
) -> Ints:
    """The last event of each organizer that leaves after one before the anchor; NEVER for those who stay."""
    handed = handed_over[organizer]
    log_odds = (
        truth.CHURN_BASE
        + truth.CHURN_BY_SATISFACTION * (felt - truth.SATISFACTION[0])
        + truth.CHURN_BY_ATTENTION * attention[organizer]
        + truth.CHURN_BY_HANDOVER * ((handed != NEVER) & (day > handed) & (day <= handed + 365))
    )
    stays_a_year = 1 / (1 + np.exp(log_odds))
    leaves = rng.random(len(day)) > stays_a_year ** (1 / cadence[organizer])
    leaves &= (day >= clock.start) & (day < clock.today)
    stays = clock.today + AHEAD_DAYS
    left = np.full(len(cadence), stays)
    np.minimum.at(left, organizer[leaves], day[leaves])
    return np.where(left == stays, NEVER, left)


def described(
    rng: np.random.Generator,
    organizer: Ints,
    day: Ints,
    felt: Floats,
    industry: Ints,
    cadence: Floats,
    size_factor: Floats,
) -> Editions:
    """The editions with names and attendance."""
    usual = np.array([kind.attendance for kind in words.INDUSTRIES])[industry[organizer]]
    attendance = usual * size_factor[organizer] * np.exp(rng.normal(0, 0.35, len(day)))
    # Who holds several a year alternates between two kinds of the season; a yearly event keeps its name.
    place, often = rank(organizer), cadence[organizer] > 1
    month = months(np.where(often, day, day[np.arange(len(day)) - place])) % 12
    series = rng.integers(0, 60, len(industry))[organizer] + np.where(often, place % 2, 0)
    round_attendance = np.round(attendance, -1).astype(np.int64) + 40
    return Editions(organizer, day, month, series, np.round(felt, 1), round_attendance)
