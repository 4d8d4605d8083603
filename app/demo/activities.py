"""Calls, emails, meetings, notes, tasks and days on site, with the habits of a week and of a day."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.demo import truth, words
from app.demo.arrays import NEVER, Flags, Ints, Rows, lognormal
from app.demo.clock import DAY, Clock, weekday, workday
from app.demo.columns import Batch, batch, counts, moments, new_ids, pick, some
from app.demo.contacts import Contacts
from app.demo.deals import Deals
from app.demo.editions import Editions
from app.demo.events import Events
from app.demo.history import Versions
from app.demo.organizers import Organizers
from app.demo.people import HEAD, People
from app.demo.timelines import Timeline

KINDS = tuple(truth.PEAK_HOUR)
CALL, EMAIL, MEETING, NOTE, TASK, EVENT = range(6)
SHARES = (0.26, 0.38, 0.13, 0.09, 0.14, 0.0)
"""Of everything but days on site."""

STATUSES = ("pending", "completed", "cancelled")
PENDING, COMPLETED, CANCELLED = range(3)

ON_DEAL = 5.5
"""Activities on an opportunity that lives for two months."""

BETWEEN_DEALS = 9.0
"""Activities a year with an organizer that belong to no opportunity."""

AROUND_EVENT = 3.2
"""Activities on the day of an event and in the week after."""

QUIET_AFTER = 20 * DAY
"""So long is an opportunity that will be abandoned still worked on in its last stage."""

WITH_MANAGER = 0.12
"""Share of meetings that are the manager's."""

HAS_NEXT_STEP = 0.76
"""Share of the open opportunities that somebody pursues which have a task or an appointment ahead."""

LEFT_UNDONE, UNDONE_DAYS = 0.22, 60
"""Share of the tasks of the last days that are still pending, and so overdue; and which days."""

CALLED_OFF = 0.07
"""Share of the other tasks that were cancelled."""

LATE = 0.2
"""Share of the completed tasks that were completed after they were due."""

METADATA = ("{}", '{"direction": "outgoing"}', '{"direction": "incoming"}')


@dataclass(frozen=True)
class Occasions(Rows):
    """What is or was to be done, before it is known who did it and when exactly."""

    organizer: Ints
    deal: Ints
    """-1: of no opportunity."""
    event: Ints
    """Edition of the day on site; -1 otherwise."""
    kind: Ints
    day: Ints
    earliest: Ints
    """Moment before which it can't have been."""


@dataclass(frozen=True)
class Activities(Rows):
    """The activities of a block."""

    organizer: Ints
    deal: Ints
    event: Ints
    kind: Ints
    at: Ints
    """Moment; a pending or cancelled task's is when it is or was due."""
    due: Ints
    status: Ints
    """Of a task; -1 otherwise."""
    created: Ints

    @property
    def has_happened(self) -> Flags:
        """What engagement counts, if it lies in the past."""
        return np.asarray((self.status < 0) | (self.status == COMPLETED))

    def timeline(self, clock: Clock, owner: Ints) -> Timeline:
        """What engagement counts, by organizer or by contact (`owner` of each activity; -1 is nobody's)."""
        counted = self.has_happened & (self.at < clock.now) & (owner >= 0)
        return Timeline(owner[counted], self.at[counted])


def work(
    rng: np.random.Generator,
    clock: Clock,
    organizers: Organizers,
    editions: Editions,
    events: Events,
    deals: Deals,
    versions: Versions,
) -> Activities:
    """What was done, and what is planned."""
    occasions = Occasions.together(
        [
            _on_deals(rng, clock, organizers, deals),
            _between(rng, clock, organizers),
            _around_events(rng, clock, organizers, editions, events),
        ]
    )
    shown = rng.random(len(occasions.day)) < organizers.interest(occasions.organizer, occasions.day)
    return Activities.together([_done(rng, clock, occasions.only(shown)), _planned(rng, clock, deals, versions)])


def rows(
    rng: np.random.Generator,
    people: People,
    organizers: Organizers,
    contacts: Contacts,
    contact: Ints,
    events: Events,
    deals: Deals,
    versions: Versions,
    done: Activities,
) -> Batch:
    """The activities table; `contact` is who each activity was with."""
    count, is_task = len(done.at), done.kind == TASK
    minutes = np.where(done.kind == CALL, 5 * rng.integers(1, 10, count), 30 * rng.integers(1, 5, count))
    is_listed = (done.event >= 0) & events.is_listed[done.event]
    completed = np.where(done.status == COMPLETED, done.at, NEVER)
    return batch(
        "crm_activities",
        id=new_ids(rng, count),
        organizer_id=pick(organizers.ids, done.organizer),
        contact_id=pick(contacts.ids, contact),
        opportunity_id=pick(deals.ids, done.deal),
        event_id=pick(events.ids, np.where(is_listed, done.event, -1)),
        type=pick(KINDS, done.kind),
        subject=_subjects(rng, deals, done),
        description=some(rng, words.DETAILS, count, 0.25),
        activity_date=moments(done.at),
        duration_minutes=counts(minutes, np.isin(done.kind, (CALL, MEETING))),
        is_task=pa.array(is_task),
        task_status=pick(STATUSES, done.status),
        due_date=moments(done.due),
        completed_at=moments(completed),
        user_id=pick(people.ids, _who(rng, people, organizers, deals, versions, done)),
        metadata=pick(METADATA, np.where(done.kind <= EMAIL, rng.integers(1, 3, count), 0)),
        created_at=moments(done.created),
        updated_at=moments(np.maximum(done.created, completed)),
    )


def _on_deals(rng: np.random.Generator, clock: Clock, organizers: Organizers, deals: Deals) -> Occasions:
    created, end = deals.created, np.minimum(deals.closes, clock.now)
    end = np.where(deals.is_abandoned, np.minimum(end, deals.last_stage_entered + QUIET_AFTER), end)
    effort = ON_DEAL * ((end - created) / DAY / 60) ** 0.6 * np.exp(organizers.attention[deals.organizer])
    effort *= np.where(deals.wins, truth.WON_ACTIVITY, 1.0) * deals.is_kept
    deal = np.repeat(np.arange(len(deals)), rng.poisson(effort))
    moment = created[deal] + (rng.random(len(deal)) * (end - created)[deal]).astype(np.int64)
    day = _weekly(rng, clock, clock.day(moment), clock.day(created)[deal])
    return Occasions(deals.organizer[deal], deal, np.full(len(deal), -1), _kinds(rng, len(deal)), day, created[deal])


def _between(rng: np.random.Generator, clock: Clock, organizers: Organizers) -> Occasions:
    since = np.maximum(organizers.created, clock.start)
    days = clock.today - since
    usual = BETWEEN_DEALS / 365.25 * np.where(organizers.is_founder, 1.0, 0.7)
    organizer = np.repeat(np.arange(len(organizers)), rng.poisson(usual * days * np.exp(organizers.attention)))
    count, none = len(organizer), np.full(len(organizer), -1)
    day = since[organizer] + (rng.random(count) * days[organizer]).astype(np.int64)
    day = _weekly(rng, clock, day, since[organizer])
    return Occasions(organizer, none, none, _kinds(rng, count), day, clock.moment(since[organizer], 8 * 3600))


def _around_events(
    rng: np.random.Generator, clock: Clock, organizers: Organizers, editions: Editions, events: Events
) -> Occasions:
    """On site on the day, and a word in the week after."""
    since = np.maximum(organizers.created, clock.start)[editions.organizer]
    seen = np.flatnonzero(events.is_held & (editions.day >= since + 10))
    event = np.repeat(seen, rng.poisson(AROUND_EVENT, len(seen)))
    count, held = len(event), editions.day[event]
    on_site = rng.random(count) < 0.5
    later = _weekly(rng, clock, np.minimum(held + rng.integers(1, 8, count), clock.today), held + 1)
    kind = np.where(on_site, EVENT, rng.integers(CALL, EMAIL + 1, count))
    day = np.where(on_site, held, later)
    return Occasions(
        editions.organizer[event], np.full(count, -1), event, kind, day, clock.moment(since[event], 8 * 3600)
    )


def _kinds(rng: np.random.Generator, count: int) -> Ints:
    return rng.choice(len(SHARES), count, p=SHARES)


def _weekly(rng: np.random.Generator, clock: Clock, days: Ints, earliest: Ints) -> Ints:
    """A day of the same week by the habits of the week, where that is neither too early nor too late."""
    drawn = days - weekday(days) + rng.choice(7, len(days), p=truth.WEEKDAY_SHARE)
    return np.where((drawn >= earliest) & (drawn < clock.today), drawn, days)


def _hours(rng: np.random.Generator, kind: Ints) -> Ints:
    """Seconds of the day by the habits of the day; meetings begin on the half hour."""
    peak = np.array([truth.PEAK_HOUR[name] for name in KINDS])[kind]
    spread = np.array([truth.HOUR_SIGMA[name] for name in KINDS])[kind]
    seconds = (np.clip(rng.normal(peak, spread), 6.5, 22.5) * 3600).astype(np.int64)
    return np.where(kind == MEETING, seconds // 1800 * 1800, seconds)


def _done(rng: np.random.Generator, clock: Clock, occasions: Occasions) -> Activities:
    """What was done until the anchor, with tasks that were not done or called off."""
    kind, count = occasions.kind, len(occasions.kind)
    soon = occasions.earliest + rng.integers(300, 7200, count)
    at = np.maximum(clock.moment(occasions.day, _hours(rng, kind)), soon)
    is_task = kind == TASK
    undone = (at > clock.now - UNDONE_DAYS * DAY) & (rng.random(count) < LEFT_UNDONE)
    called_off = rng.random(count) < CALLED_OFF
    status = np.where(is_task, np.where(undone, PENDING, np.where(called_off, CANCELLED, COMPLETED)), -1)
    in_time, too_late = at + rng.integers(0, 3 * DAY, count), at - rng.integers(DAY, 9 * DAY, count)
    due = np.where(status == COMPLETED, np.where(rng.random(count) < LATE, too_late, in_time), at)
    asked = np.minimum(at, due) - rng.integers(DAY // 4, 12 * DAY, count)
    logged = np.minimum(at + rng.exponential(1500, count).astype(np.int64), clock.now - 1)
    return Activities(
        organizer=occasions.organizer,
        deal=occasions.deal,
        event=occasions.event,
        kind=kind,
        at=at,
        due=np.where(is_task, due, NEVER),
        status=status,
        created=np.where(is_task, np.maximum(asked, occasions.earliest), logged),
    ).only(at < clock.now)


def _planned(rng: np.random.Generator, clock: Clock, deals: Deals, versions: Versions) -> Activities:
    """What is planned for open opportunities."""
    now = versions.current
    open_deals = versions.deal[now[versions.status[now] == 0]]
    pursued = open_deals[~deals.is_abandoned[open_deals] & (rng.random(len(open_deals)) < HAS_NEXT_STEP)]
    deal = np.repeat(pursued, rng.choice([1, 2, 3], len(pursued), p=[0.62, 0.28, 0.10]))
    count, none = len(deal), np.full(len(deal), -1)
    kind = rng.choice([TASK, MEETING, CALL], count, p=[0.6, 0.25, 0.15])
    day = workday(clock.today + np.minimum(lognormal(rng, 6.0, 0.9, count), 80).astype(np.int64))
    at = clock.moment(day, _hours(rng, kind))
    is_task = kind == TASK
    created = np.maximum(clock.now - rng.integers(3600, 14 * DAY, count), deals.created[deal] + 60)
    return Activities(
        organizer=deals.organizer[deal],
        deal=deal,
        event=none,
        kind=kind,
        at=at,
        due=np.where(is_task, at, NEVER),
        status=np.where(is_task, PENDING, -1),
        created=np.minimum(created, clock.now - 1),
    )


def _who(
    rng: np.random.Generator,
    people: People,
    organizers: Organizers,
    deals: Deals,
    versions: Versions,
    done: Activities,
) -> Ints:
    """The owner of the account at the time, or who sells to somebody else's account; the manager now and then."""
    seller = np.full(len(deals), -1)
    seller[versions.deal[versions.current]] = versions.owner[versions.current]
    is_split = (done.deal >= 0) & deals.is_split[done.deal]
    user = np.where(is_split, seller[done.deal], organizers.owner_at(done.organizer, done.at))
    user = np.where(user >= 0, user, HEAD)
    joins = (done.kind == MEETING) & (rng.random(len(user)) < WITH_MANAGER) & (people.manager[user] >= 0)
    return np.where(joins, people.manager[user], user)


def _subjects(rng: np.random.Generator, deals: Deals, done: Activities) -> pa.Array:
    """Every subject that there can be, written once; each activity takes one."""
    texts = [words.SUBJECTS[kind] for kind in KINDS]
    named = [_within_a_sentence(service.name) for service in words.SERVICES]
    written = [text.format(service=service) for kind in texts for text in kind for service in named]
    lengths = np.array([len(kind) for kind in texts])
    starts = np.cumsum(lengths) - lengths
    text = starts[done.kind] + (rng.random(len(done.kind)) * lengths[done.kind]).astype(np.int64)
    service = np.where(done.deal >= 0, deals.service[done.deal], rng.integers(0, len(words.SERVICES), len(text)))
    return pick(written, text * len(words.SERVICES) + service)


def _within_a_sentence(name: str) -> str:
    return name if name[1].isupper() else name[0].lower() + name[1:]
