"""Opportunities: how each will end is drawn first, then the way there, so that the planted win rates hold exactly."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.demo import truth, ways, words
from app.demo.arrays import NEVER, Flags, Floats, Ints, Rows, lognormal
from app.demo.clock import DAY, Clock, workday
from app.demo.columns import new_ids
from app.demo.company import Company
from app.demo.editions import Editions
from app.demo.money import CURRENCIES, quarters_since
from app.demo.organizers import SPECIAL_AT, Organizers

EACH = 10.6
"""Opportunities begun for each organizer, on average; ten of them fall within the company's years."""

APPETITE = {0.5: 0.38, 1.0: 0.57, 2.0: 0.70, 4.0: 0.80, 6.0: 0.86, 12.0: 1.0}
"""Opportunities a year by the organizer's cadence, compared with each other: more events, but less for each."""

LEAD_DAYS = 135
"""Days from creation to the event, usually."""

AHEAD_DAYS = (55.0, 0.5)
"""Median and log-sigma of the days that are left between an opportunity's natural end and the event."""

VALUE_SIGMA = 0.55
OTHER_CURRENCY = 0.03
"""Share of opportunities not in the organizer's own currency."""

CURRENCY_MISTAKEN = 0.004
"""Share entered in a wrong currency, which is put right within days."""


@dataclass(frozen=True)
class Ways(Rows):
    """What is drawn of an opportunity; `stage` and `entered` are matrices opportunity × step."""

    organizer: Ints
    edition: Ints
    service: Ints
    owner: Ints
    """Position of the first owner; -1 for nobody."""
    is_split: Flags
    wins: Flags
    is_abandoned: Flags
    stage: Ints
    """The stage entered, -1 where there is no such step. The first step with a stage is the creation, the last one the
    end; Lost in between is a loss that was reopened."""
    entered: Ints
    """Moments of the steps; those after the anchor have not happened."""


@dataclass(frozen=True)
class Deals(Ways):
    """The opportunities of a block."""

    ids: pa.Array
    deleted: Ints
    """Moment of deletion; NEVER for those that are kept."""
    value: Ints
    """At the beginning, in cents."""
    currency: Ints
    first_currency: Ints
    """What it was entered in; wrong for a few."""

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def created(self) -> Ints:
        """Moment of creation."""
        return np.asarray(self.entered[np.arange(len(self)), np.argmax(self.stage >= 0, axis=1)])

    @property
    def closes(self) -> Ints:
        """Moment of the end, also where that lies after the anchor."""
        return self.entered[:, -1]

    @property
    def last_stage_entered(self) -> Ints:
        """Moment of the last step before the end."""
        return np.asarray(self.entered[:, :-1].max(axis=1))

    @property
    def is_kept(self) -> Flags:
        """Not deleted."""
        return np.equal(self.deleted, NEVER)


def sell(
    rng: np.random.Generator, company: Company, organizers: Organizers, editions: Editions, *, first: bool
) -> Deals:
    """The opportunities that these events bring in the company's years; one in the first block has no exchange rate."""
    drawn = _draw(rng, company, organizers, editions)
    count, size = len(drawn.owner), organizers.size[drawn.organizer]
    typical = np.array([service.typical for service in words.SERVICES])[drawn.service]
    typical = typical * np.array(words.SIZE_FACTORS)[size]
    elsewhere = rng.random(count) < OTHER_CURRENCY
    currency = np.where(elsewhere, rng.integers(0, 3, count), organizers.currency[drawn.organizer])
    first_currency = np.where(rng.random(count) < CURRENCY_MISTAKEN, (currency + 1) % 3, currency)
    deleted = ways.deletions(rng, company.clock, drawn.stage, drawn.entered)
    if first:
        is_open = (drawn.entered[:, -1] > company.clock.now + 30 * DAY) & ~drawn.is_abandoned & (deleted == NEVER)
        chosen = np.argmax(is_open * (1 + (drawn.organizer == SPECIAL_AT[-1])))
        currency[chosen] = first_currency[chosen] = CURRENCIES.index(words.WITHOUT_RATE)
    return Deals(
        **vars(drawn),
        ids=new_ids(rng, count),
        deleted=deleted,
        value=round_value(typical * np.exp(rng.normal(0, VALUE_SIGMA, count))),
        currency=currency,
        first_currency=first_currency,
    )


def round_value(amount: Floats) -> Ints:
    """Amounts in cents as people quote them: to 50, 100 or 500, a few to the cent."""
    step = np.where(amount < 10_000, 50, np.where(amount < 50_000, 100, 500))
    rounded = np.maximum(np.round(amount / step), 1) * step * 100
    exact = np.round(amount * 100)
    return np.where(exact % 17 == 0, exact, rounded).astype(np.int64)


def _draw(rng: np.random.Generator, company: Company, organizers: Organizers, editions: Editions) -> Ways:
    clock, people = company.clock, company.people
    edition, service = _wishes(rng, clock, organizers, editions)
    organizer, event_day, count = editions.organizer[edition], editions.day[edition], len(edition)
    entry = rng.choice(len(truth.ENTRY_SHARE), count, p=truth.ENTRY_SHARE)
    stays = ways.stays(rng, count)
    # Ripe when it would be won; from there the way is reckoned backwards.
    ripe = event_day - np.ceil(lognormal(rng, *AHEAD_DAYS, count)).astype(np.int64)
    begins = ripe - np.where(np.arange(4) >= entry[:, None], stays, 0).sum(axis=1).astype(np.int64)
    known_since = np.maximum(organizers.created[organizer], clock.start)
    about_then = np.clip(begins, clock.start, clock.today)
    owner = organizers.owner_at(organizer, clock.moment(about_then, 0))
    is_split = (rng.random(count) < truth.SPLIT) & (owner >= 0)
    owner = np.where(is_split, people.choose(rng, about_then), owner)

    effects = (
        np.where(owner >= 0, people.skill[owner], 0.0)
        + truth.SATISFACTION_ON_WIN * (organizers.satisfaction[organizer] - truth.SATISFACTION[0])
        + company.shock[np.clip(quarters_since(clock, ripe), 0, len(company.shock) - 1)]
    )
    counts = (begins >= known_since) & (begins < clock.today)
    log_odds = effects + truth.intercepts(effects[counts], entry[counts], truth.WIN_RATE)[entry]
    is_abandoned = rng.random(count) < truth.ABANDONED
    wins = (rng.random(count) < 1 / (1 + np.exp(-log_odds))) & ~is_abandoned

    stage, days = ways.steps(rng, entry, wins, stays)
    on_detours = np.where(stage[:, ways.DETOURS : -1] >= 0, days[:, ways.DETOURS :], 0).sum(axis=1)
    created = workday(begins - np.ceil(on_detours).astype(np.int64) - 4)
    entered = ways.moments(rng, clock, created, stage, days, is_abandoned, event_day)
    drawn = Ways(organizer, edition, service, owner, is_split, wins, is_abandoned, stage, entered)
    return drawn.only((created >= known_since) & (created < clock.today))


def _wishes(rng: np.random.Generator, clock: Clock, organizers: Organizers, editions: Editions) -> tuple[Ints, Ints]:
    """For each opportunity its edition and service; no service twice for one edition."""
    cadence = organizers.cadence[editions.organizer]
    each = np.array([APPETITE[one] for one in cadence]) / cadence
    # Some events lie too early or too late for an opportunity within the company's years.
    since = np.maximum(organizers.created, clock.start)[editions.organizer]
    counted = (editions.day > since + LEAD_DAYS) & (editions.day < clock.today + LEAD_DAYS)
    wanted = rng.poisson(each * EACH * len(organizers) / each[counted].sum())
    wishes = np.log([service.weight for service in words.SERVICES])
    liked = np.argsort(-wishes - rng.gumbel(size=(len(editions), len(wishes))), axis=1)
    edition, position = np.nonzero(np.arange(len(wishes)) < wanted[:, None])
    return edition, liked[edition, position]
