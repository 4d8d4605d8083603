"""The way of an opportunity through the stages: which it sees, how long it stays, and when it ends."""

import numpy as np

from app.demo import truth
from app.demo.arrays import NEVER, Flags, Floats, Ints, lognormal
from app.demo.clock import DAY, Clock, months, quarter_end, weekday, workday

OFFICE_HOURS = (9 * 3600, 17 * 3600 + 1800)

AWAY_DAYS = (12, 75)
"""How long a loss that is reopened was lost."""

SECOND_TRY_DAYS = (12.0, 0.6)
"""Median and log-sigma of the stay after that."""

DETOURS = 4
"""The column of the steps where the detours begin: back, again, lost, reopened; the end stands last."""


def stays(rng: np.random.Generator, count: int) -> Floats:
    """Days in each open stage, for opportunities that go on from it."""
    return np.column_stack([_stay(rng, np.full(count, stage)) for stage in range(DETOURS)])


def steps(rng: np.random.Generator, entry: Ints, wins: Flags, days: Floats) -> tuple[Ints, Floats]:
    """The stages that are entered, in their order, -1 for steps that are left out; and the days in each but the end.

    `days` are those in the open stages; detours are added.
    """
    count = len(entry)
    skips = (rng.random(count) < truth.SKIPS_PROPOSAL) & (entry < truth.PROPOSAL)
    reach = np.stack([truth.reached_when_lost(first) for first in range(3)])[entry]
    lost_from = (rng.random(count)[:, None] < reach).sum(axis=1) + entry - 1
    # Who skips Proposal and would have been lost there is lost before: so the rates of the stages that are seen hold.
    lost_from = np.where(skips & (lost_from == truth.PROPOSAL), truth.QUALIFIED, lost_from)
    deepest = np.where(wins, truth.NEGOTIATION, lost_from)
    every = np.arange(DETOURS)
    seen = (every >= entry[:, None]) & (every <= deepest[:, None]) & ~((every == truth.PROPOSAL) & skips[:, None])
    before = deepest - np.where(skips & (deepest == truth.NEGOTIATION), 2, 1)
    returns = (rng.random(count) < truth.STEPS_BACK) & (before >= entry)
    reopens = rng.random(count) < truth.REOPENED
    entered = [
        np.where(seen, every, -1),
        np.where(returns, before, -1),
        np.where(returns, deepest, -1),
        np.where(reopens, truth.LOST, -1),
        np.where(reopens, deepest, -1),
        np.where(wins, truth.WON, truth.LOST),
    ]
    detours = [
        _stay(rng, np.maximum(before, 0)),
        _stay(rng, deepest),
        rng.uniform(*AWAY_DAYS, count),
        lognormal(rng, *SECOND_TRY_DAYS, count),
    ]
    return np.column_stack(entered), np.column_stack([days, *detours])


def moments(
    rng: np.random.Generator,
    clock: Clock,
    created: Ints,
    stage: Ints,
    days: Floats,
    is_abandoned: Flags,
    event_day: Ints,
) -> Ints:
    """When each step is entered; NEVER for those that are left out. Also for steps that lie after the anchor."""
    count, open_steps = stage.shape[0], stage.shape[1] - 1
    wins = stage[:, -1] == truth.WON
    dead = lognormal(rng, *truth.ABANDONED_AFTER_DAYS, count) * is_abandoned
    last = np.where(stage[:, :-1] >= 0, np.arange(open_steps), 0).max(axis=1)
    longer = days.copy()
    longer[np.arange(count), last] *= np.where(wins, 1.0, truth.LOSING_TAKES)
    longer[np.arange(count), last] += dead
    entered = np.full(stage.shape, NEVER)
    today, exact = created, created.astype(np.float64)
    for step in range(open_steps):
        here = stage[:, step] >= 0
        entered[:, step] = np.where(here, in_office(rng, clock, today), NEVER)
        exact = np.where(here, np.maximum(exact, today) + longer[:, step], exact)
        # At most one step a day, none on a weekend.
        today = np.where(here, np.maximum(workday(np.floor(exact).astype(np.int64)), workday(today + 1)), today)
    entered[:, -1] = in_office(rng, clock, np.where(wins, _rush(rng, today, event_day), today))
    return entered


def deletions(rng: np.random.Generator, clock: Clock, stage: Ints, entered: Ints) -> Ints:
    """When the few entered by mistake are deleted: within three weeks, while still open; NEVER for the others."""
    created = np.where(stage >= 0, entered, clock.now).min(axis=1)
    first_end = np.where(stage >= truth.WON, entered, np.iinfo(np.int64).max).min(axis=1)
    at = created + rng.integers(DAY // 2, 20 * DAY, len(stage))
    is_mistake = (rng.random(len(stage)) < truth.DELETED) & (at < np.minimum(first_end, clock.now))
    return np.where(is_mistake, at, NEVER)


def in_office(rng: np.random.Generator, clock: Clock, days: Ints) -> Ints:
    """A moment within office hours of each day; of days far ahead only that they are ahead."""
    return clock.moment(np.minimum(days, clock.last), rng.integers(*OFFICE_HOURS, len(days)))


def _stay(rng: np.random.Generator, stage: Ints) -> Floats:
    median, sigma = np.array(truth.STAY_MEDIAN_DAYS)[stage], np.array(truth.STAY_SIGMA)[stage]
    return lognormal(rng, median, sigma, len(stage))


def _rush(rng: np.random.Generator, ripe: Ints, event_day: Ints) -> Ints:
    """Wins ripe in the first two months of a quarter wait for its last weeks, where the event leaves time."""
    end = quarter_end(ripe) - np.minimum(rng.exponential(7.0, len(ripe)), 27).astype(np.int64)
    end -= np.maximum(weekday(end) - 4, 0)  # the Friday before
    waits = (months(ripe) % 3 < 2) & (rng.random(len(ripe)) < truth.RUSH_SHARE) & (end > ripe) & (end < event_day - 1)
    return np.where(waits, end, ripe)
