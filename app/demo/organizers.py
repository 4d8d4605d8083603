"""Organizers: who they are, who looks after them, how content they are, and when they leave."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.demo import editions, truth, words
from app.demo.arrays import NEVER, Flags, Floats, Ints
from app.demo.clock import Clock
from app.demo.columns import new_ids
from app.demo.company import Company
from app.demo.editions import Editions
from app.demo.money import CURRENCIES
from app.demo.people import People, plain_letters

FOUNDERS = 0.42
"""Share of organizers who were clients when the company began to keep this CRM; the others come one by one."""

SPECIAL_AT = [5 + 11 * number for number in range(len(words.SPECIAL))]
"""Where the special organizers stand in the first block; a tiny company has none."""

JUST_ARRIVED_DAYS = 60
LONGEST_SLUG = 40

_ELISION = re.compile(r"\bde (?=[aeiouéè])", re.IGNORECASE)


@dataclass(frozen=True)
class Organizers:
    """A block of organizers; every attribute is an array over them."""

    ids: pa.Array
    name: list[str]
    slug: list[str]
    place: list[words.Place]
    industry: Ints
    size: Ints
    currency: Ints
    is_founder: Flags
    created: Ints
    """Day."""
    owner: Ints
    """Position of the first owner; -1 for nobody yet."""
    next_owner: Ints
    handover: Ints
    """Moment from which the next owner has the account; far in the future where it stays."""
    cadence: Floats
    """Events a year."""
    satisfaction: Floats
    attention: Floats
    """Logarithm of how much more attention than usual it is given."""
    left: Ints
    """Day of its last event, if it leaves after it before the anchor; NEVER for the others."""

    def __len__(self) -> int:
        return len(self.name)

    def owner_at(self, organizer: Ints, at: Ints) -> Ints:
        """Who owned these organizers at these moments."""
        return np.where(at < self.handover[organizer], self.owner[organizer], self.next_owner[organizer])

    def interest(self, organizer: Ints, days: Ints) -> Floats:
        """The share of its usual activity that an organizer shows: fading before it leaves."""
        left = self.left[organizer]
        faded = np.clip((days - left + truth.FADE_DAYS) / truth.FADE_DAYS, 0, 1)
        return np.where(left == NEVER, 1.0, 1 - faded * (1 - truth.FADE_FLOOR))


def settle(rng: np.random.Generator, company: Company, count: int, *, first: bool) -> tuple[Organizers, Editions]:
    """A block of organizers with their events; the first block holds the special ones."""
    clock, people = company.clock, company.people
    shares = [kind.weight for kind in words.INDUSTRIES]
    industry = rng.choice(len(shares), count, p=shares)
    where = np.array([place.weight for place in words.PLACES])
    place = [words.PLACES[at] for at in rng.choice(len(where), count, p=where / where.sum())]
    name = _names(rng, industry, place)
    slug = [_slug(one) for one in name]
    if first and count > SPECIAL_AT[-1]:
        for at, special in zip(SPECIAL_AT, words.SPECIAL, strict=True):
            name[at], slug[at], place[at] = special.name, special.slug, special.place
    size = rng.choice(len(words.SIZES), count, p=list(words.SIZES.values()))
    cadence = np.array(truth.CADENCE)[rng.choice(len(truth.CADENCE), count, p=truth.CADENCE_SHARE)]
    satisfaction = rng.normal(*truth.SATISFACTION, count)
    attention = rng.normal(0, truth.ATTENTION_SIGMA, count)

    is_founder = rng.random(count) < FOUNDERS
    before = clock.start - rng.integers(60, 700, count)
    within = clock.start + ((clock.today - clock.start - 12) * rng.random(count) ** 0.9).astype(np.int64)
    arrival = np.where(is_founder, before, within)
    earliest = np.where(is_founder, np.minimum(before, clock.start - editions.PAST_YEARS * 365), within + 120)
    organizer, day = editions.days(rng, clock, industry, cadence, earliest)
    opening = np.full(count, clock.today)
    np.minimum.at(opening, organizer, day)
    # A newcomer is entered when talk of its first event begins.
    talk = np.clip(opening - rng.integers(130, 300, count), arrival, clock.today - rng.integers(5, 40, count))
    created = np.where(is_founder, arrival, talk)

    owner = people.choose(rng, np.maximum(created, clock.start))
    is_unassigned = (created > clock.today - JUST_ARRIVED_DAYS) & (rng.random(count) < truth.UNASSIGNED)
    next_owner, handed_over = _handovers(rng, clock, people, owner, created)
    handover = clock.moment(
        np.where(handed_over == NEVER, clock.today, handed_over), rng.integers(33_000, 60_000, count)
    )
    felt = np.clip(satisfaction[organizer] + rng.normal(0, truth.SATISFACTION_VARIES, len(day)), 1, 5)
    left = editions.leavings(rng, clock, organizer, day, felt, cadence, attention, handed_over)
    stays = (left[organizer] == NEVER) | (day <= left[organizer])
    return (
        Organizers(
            ids=new_ids(rng, count),
            name=name,
            slug=slug,
            place=place,
            industry=industry,
            size=size,
            currency=np.array([CURRENCIES.index(one.currency) for one in place]),
            is_founder=is_founder,
            created=created,
            owner=np.where(is_unassigned, -1, owner),
            next_owner=np.where(is_unassigned, -1, next_owner),
            handover=np.where(handed_over == NEVER, np.iinfo(np.int64).max, handover),
            cadence=cadence,
            satisfaction=satisfaction,
            attention=attention,
            left=left,
        ),
        editions.described(
            rng, organizer[stays], day[stays], felt[stays], industry, cadence, np.array(words.SIZE_FACTORS)[size]
        ),
    )


def _names(rng: np.random.Generator, industry: Ints, place: list[words.Place]) -> list[str]:
    names: dict[str, None] = {}  # in their order
    for kind, at in zip(industry, place, strict=True):
        patterns, themes = words.INDUSTRIES[kind].names.get(at.language) or words.ELSEWHERE[at.language]
        province = words.PROVINCES.get(at.province, at.province)
        for attempt in range(30):
            name = patterns[rng.integers(len(patterns))].format(
                city=at.city, theme=themes[rng.integers(len(themes))], province=province
            )
            if at.language == "fr":
                name = _ELISION.sub("d'", name)
            # A second one of the same name would pass for a duplicate.
            if name not in names:
                break
            name = f"{name} {attempt + 2}"
        names[name] = None
    return list(names)


def _slug(name: str) -> str:
    """The name in an address, without its last words where it is long."""
    parts = plain_letters(name).replace(".", "").replace("-", " ").split()
    while len("-".join(parts)) > LONGEST_SLUG:
        parts.pop()
    return "-".join(parts)


def _handovers(rng: np.random.Generator, clock: Clock, people: People, owner: Ints, created: Ints) -> tuple[Ints, Ints]:
    """Who takes over and on which day: after a leaver always, otherwise now and then; NEVER where it stays."""
    count = len(owner)
    since, last = np.maximum(created, clock.start) + 90, clock.today - 20
    some_day = since + (rng.random(count) * np.maximum(last - since, 1)).astype(np.int64)
    leaves = people.left[owner] < clock.today
    changes = leaves | (rng.random(count) < truth.HANDED_OVER) & (some_day < last)
    day = np.where(leaves, people.left[owner], np.minimum(some_day, last))
    taker = people.choose(rng, day, for_good=True)
    changes &= taker != owner
    return np.where(changes, taker, owner), np.where(changes, day, NEVER)
