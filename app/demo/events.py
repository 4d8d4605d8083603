"""Which of the events took place with us or are planned, what they brought, and what was said afterwards."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.demo import truth, words
from app.demo.arrays import Flags, Floats, Ints
from app.demo.clock import DAY, months
from app.demo.columns import Batch, batch, counts, dates, join, moments, new_ids, pick, some
from app.demo.company import Company
from app.demo.deals import Deals
from app.demo.editions import Editions
from app.demo.history import Versions
from app.demo.organizers import Organizers

FEE = 6_000
"""What an event without an opportunity of its own brings at a client of medium size, from standing agreements."""

PLANNED_AHEAD = 240
"""Days before it that a client's event is entered, at the earliest."""


@dataclass(frozen=True)
class Events:
    """What is known of each edition."""

    ids: pa.Array
    name: pa.Array
    is_listed: Flags
    """There is a row for it."""
    is_held: Flags
    """It has taken place with us."""
    created: Ints
    revenue: Floats
    """In the report currency."""
    was_asked: Flags


def hold(
    rng: np.random.Generator,
    company: Company,
    organizers: Organizers,
    editions: Editions,
    deals: Deals,
    versions: Versions,
) -> Events:
    """Clients hold their events with us; others are on the list while there is an offer, and clients once it is won."""
    clock, count = company.clock, len(editions)
    now = versions.current
    deal, status = versions.deal[now], versions.status[now]
    won = deal[status == 1]
    client_since = np.where(organizers.is_founder, 0, np.iinfo(np.int64).max)
    np.minimum.at(client_since, deals.organizer[won], deals.closes[won])
    client_since = client_since[editions.organizer]
    at = clock.moment(editions.day, 12 * 3600)
    known = editions.day >= np.where(organizers.is_founder, 0, organizers.created)[editions.organizer]
    is_held = (at > client_since) & (editions.day < clock.today) & known

    has_offer, is_won = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    has_offer[deals.edition[deal[status == 0]]] = True
    is_won[deals.edition[won]] = True
    is_client = client_since < clock.now
    planned = (editions.day >= clock.today) & (
        has_offer | is_won | is_client & (editions.day < clock.today + PLANNED_AHEAD - 60)
    )
    created = np.maximum(
        at - rng.integers(120, PLANNED_AHEAD, count) * DAY,
        clock.moment(organizers.created, 10 * 3600)[editions.organizer],
    )
    # Not before the first deal was won: else the row would tell beforehand that it will be.
    created = np.maximum(created, np.where(is_client, client_since, 0))

    booked = now[status == 1]
    worth = company.rates.converted(versions.value[booked], versions.currency[booked], versions.closed[booked])
    revenue = np.bincount(deals.edition[won], worth, count)
    size = np.array(words.SIZE_FACTORS)[organizers.size[editions.organizer]]
    fee = np.round(FEE * size * np.exp(rng.normal(0, 0.3, count)), -2)
    return Events(
        ids=new_ids(rng, count),
        name=_names(organizers, editions),
        is_listed=is_held | planned,
        is_held=is_held,
        created=np.minimum(created, clock.now - DAY),
        revenue=np.where(revenue > 0, revenue, fee),
        was_asked=is_held & (rng.random(count) > truth.SATISFACTION_UNKNOWN),
    )


def _names(organizers: Organizers, editions: Editions) -> pa.Array:
    """Spring Congress 2026; with the month where there are several a year."""
    known = [kind.events[month] for kind in words.INDUSTRIES for month in range(12)]
    lengths = np.array([len(names) for names in known])
    season = organizers.industry[editions.organizer] * 12 + editions.month
    chosen = (np.cumsum(lengths) - lengths)[season] + editions.series % lengths[season]
    series = pick([name for names in known for name in names], chosen)
    month = months(editions.day)
    year = pick([str(1970 + number) for number in range(150)], month // 12)
    often = organizers.cadence[editions.organizer] > 1
    monthly = join(series, ", ", pick(words.MONTHS, month % 12), " ", year)
    return pc.if_else(pa.array(often), monthly, join(series, " ", year))


def rows(rng: np.random.Generator, organizers: Organizers, editions: Editions, events: Events) -> Batch:
    """The events table."""
    listed = np.flatnonzero(events.is_listed)
    organizer = editions.organizer[listed]
    city = pa.array([one.city for one in organizers.place])
    return batch(
        "events",
        id=pick(events.ids, listed),
        organizer_id=pick(organizers.ids, organizer),
        name=pick(events.name, listed),
        event_date=dates(editions.day[listed]),
        venue=pick(join(some(rng, words.VENUES, len(organizers)), " ", city), organizer),
        attendance=counts(editions.attendance[listed]),
        created_at=moments(events.created[listed]),
    )
