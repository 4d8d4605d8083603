"""Engagement and health as they were on past days, by the definitions of the pages that show them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.demo.activities import Activities
from app.demo.arrays import NEVER, Floats, Ints
from app.demo.clock import DAY, Clock, month, month_start
from app.demo.columns import Batch, batch, counts, dates, join, pick
from app.demo.deals import Deals
from app.demo.editions import Editions
from app.demo.events import Events
from app.demo.organizers import Organizers
from app.demo.timelines import Timeline, engagement

WEIGHTS = {"engagement": 30, "trend": 15, "clock": 25, "satisfaction": 20, "pipeline": 10}
"""Parts of the health score."""

RISKS = ("low", "medium", "high")
LOW_FROM, MEDIUM_FROM = 60, 35
"""Health from which the risk of losing an organizer is low, and medium."""

WEEKS = 13
"""So many last weeks have a score each; the time before has one a month."""


@dataclass(frozen=True)
class Scores:
    """Scores of organizers on days, in the order of the organizers."""

    organizer: Ints
    day: Ints
    parts: dict[str, Floats]
    """0 to 100; nan where there was nothing to see."""
    health: Ints
    observed: Floats
    risk: Ints
    activities: Timeline


def score(
    clock: Clock, organizers: Organizers, editions: Editions, events: Events, deals: Deals, done: Activities
) -> Scores:
    """The monthly and weekly scores of each organizer since it is known, the last one on the anchor."""
    organizer, day = _occasions(clock, organizers)
    at = clock.moment(day, 0)
    activities = done.timeline(clock, done.organizer)
    parts = {
        "engagement": engagement(activities, organizer, at).astype(np.float64),
        "trend": _trend(activities, organizer, at),
        "clock": _rebooking_clock(clock, organizers, editions, events, deals, organizer, at),
        "satisfaction": _satisfaction(clock, editions, events, organizer, at),
        "pipeline": _pipeline(deals, organizer, at),
    }
    seen = np.column_stack([np.where(np.isnan(parts[name]), 0, weight) for name, weight in WEIGHTS.items()])
    points = np.column_stack([np.nan_to_num(parts[name]) for name in WEIGHTS])
    health = np.round((points * seen).sum(axis=1) / seen.sum(axis=1)).astype(np.int64)
    risk = np.where(health >= LOW_FROM, 0, np.where(health >= MEDIUM_FROM, 1, 2))
    return Scores(organizer, day, parts, health, seen.sum(axis=1) / sum(WEIGHTS.values()), risk, activities)


def rows(scores: Scores, organizers: Organizers) -> Batch:
    """The score history."""
    written = [
        join(f'"{name}": ', counts(np.nan_to_num(part).round().astype(np.int64), ~np.isnan(part)).cast(pa.string()))
        for name, part in scores.parts.items()
    ]
    return batch(
        "crm_organizer_scores",
        organizer_id=pick(organizers.ids, scores.organizer),
        scored_on=dates(scores.day),
        engagement_score=counts(scores.parts["engagement"].astype(np.int64)),
        health_score=counts(scores.health),
        churn_risk=pick(RISKS, scores.risk),
        observed_share=pa.array(np.round(scores.observed, 4)),
        parts=join("{", pc.binary_join_element_wise(*written, ", ", null_handling="skip"), "}"),
    )


def _occasions(clock: Clock, organizers: Organizers) -> tuple[Ints, Ints]:
    """Organizers and the days on which they were scored."""
    weekly = clock.today - 7 * np.arange(WEEKS)
    monthly = month_start(np.arange(month(clock.start) + 1, month(clock.today) + 1))
    days = np.unique(np.concatenate([monthly[monthly < weekly.min()], weekly]))
    organizer, day = np.repeat(np.arange(len(organizers)), len(days)), np.tile(days, len(organizers))
    known = day > organizers.created[organizer]
    return organizer[known], day[known]


def _trend(activities: Timeline, organizer: Ints, at: Ints) -> Floats:
    """The last 90 days among the last 180."""
    now, before = activities.count(organizer, at), activities.count(organizer, at - 90 * DAY)
    half_year = now - activities.count(organizer, at - 180 * DAY)
    return np.where(half_year > 0, 100 * (now - before) / np.maximum(half_year, 1), np.nan)


def _rebooking_clock(
    clock: Clock, organizers: Organizers, editions: Editions, events: Events, deals: Deals, organizer: Ints, at: Ints
) -> Floats:
    """Full within half the usual gap since the last event or win, nothing after one and a half."""
    won = deals.wins & (deals.closes < clock.now) & deals.is_kept
    held = events.is_held
    occasions = Timeline(
        np.concatenate([editions.organizer[held], deals.organizer[won]]),
        np.concatenate([clock.moment(editions.day, 12 * 3600)[held], deals.closes[won]]),
    )
    latest = occasions.latest(organizer, at)
    gaps = (at - latest) / DAY / np.maximum(365.25 / organizers.cadence[organizer], 120)
    return np.where(latest == NEVER, np.nan, 100 * np.clip(1.5 - gaps, 0, 1))


def _satisfaction(clock: Clock, editions: Editions, events: Events, organizer: Ints, at: Ints) -> Floats:
    """After the events of the last two years, where somebody asked."""
    asked = events.was_asked
    answers = Timeline(
        editions.organizer[asked], clock.moment(editions.day, 12 * 3600)[asked], editions.satisfaction[asked]
    )
    long_ago = at - 730 * DAY
    count = answers.count(organizer, at) - answers.count(organizer, long_ago)
    total = answers.total(organizer, at) - answers.total(organizer, long_ago)
    return np.where(count > 0, 25 * (total / np.maximum(count, 1) - 1), np.nan)


def _pipeline(deals: Deals, organizer: Ints, at: Ints) -> Floats:
    """Half for one open opportunity, full for more."""
    kept = deals.is_kept
    begun = Timeline(deals.organizer[kept], deals.created[kept])
    ended = Timeline(deals.organizer[kept], deals.closes[kept])
    return np.asarray(np.minimum(100.0, 50 * (begun.count(organizer, at) - ended.count(organizer, at))))
