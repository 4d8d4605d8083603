"""Exchange rates, and targets made of what was won before."""

from dataclasses import dataclass

import numpy as np

from app.demo import words
from app.demo.arrays import Floats, Ints
from app.demo.clock import Clock, month, month_start, months
from app.demo.columns import Batch, batch, dates, decimals, every, moments, new_ids, pick
from app.demo.people import People

CURRENCIES = ("CAD", "USD", "EUR", words.WITHOUT_RATE)
REPORT = 0
"""Position of the report currency."""

LEVEL = {"USD": 1.36, "EUR": 1.48}
"""Canadian dollars for one unit, in the long run."""

MONTHLY_MOVE, COMES_BACK = 0.013, 0.95
"""Standard deviation of a month's change, and what is left of the distance from the level after a month."""

STRETCH, STEP = 1.08, 5_000
"""A target is so many times what the seller and everybody won in a middling quarter of the year before; its steps."""


@dataclass(frozen=True)
class Rates:
    """Rates of the first of each month, in ten-thousandths of a Canadian dollar."""

    first_month: int
    table: Ints
    """Month × currency; 0 where there is no rate."""

    def converted(self, cents: Ints, currency: Ints, days: Ints) -> Floats:
        """What amounts are worth in the report currency; nothing where there is no rate."""
        return np.asarray(cents / 100 * self.table[months(days) - self.first_month, currency] / 10_000)


def walk(rng: np.random.Generator, clock: Clock) -> Rates:
    """A slow walk of each currency around its level, from before the first deal to this month."""
    first = month(clock.start) - 2
    count = month(clock.today) - first + 1
    table = np.zeros((count, len(CURRENCIES)), dtype=np.int64)
    table[:, REPORT] = 10_000
    for currency, level in LEVEL.items():
        off = 0.0
        for row in range(count):
            off = COMES_BACK * off + rng.normal(0, MONTHLY_MOVE)
            table[row, CURRENCIES.index(currency)] = round(level * np.exp(off) * 10_000)
    return Rates(first, table)


def rate_rows(rng: np.random.Generator, clock: Clock, known: Rates) -> Batch:
    """The rates to the report currency."""
    row, currency = np.nonzero(np.where(np.arange(len(CURRENCIES)) == REPORT, 0, known.table))
    days = month_start(row + known.first_month)
    entered = moments(np.minimum(clock.moment(days, 8 * 3600), clock.now))
    return batch(
        "crm_exchange_rates",
        id=new_ids(rng, len(days)),
        currency=pick(CURRENCIES, currency),
        rate_date=dates(days),
        rate=decimals(known.table[row, currency], 4),
        created_at=entered,
        updated_at=entered,
    )


def quarters_since(clock: Clock, days: Ints | int) -> Ints:
    """Quarters since the one in which the company's years begin."""
    return months(np.asarray(days)) // 3 - month(clock.start) // 3


class Ledger:
    """What each person has won in each quarter, in the report currency, and the targets made of it."""

    def __init__(self, clock: Clock, rates: Rates, people: People) -> None:
        self._clock, self._rates, self._people = clock, rates, people
        self._won = np.zeros((len(people.names), int(quarters_since(clock, clock.today)) + 1))

    def book(self, owner: Ints, cents: Ints, currency: Ints, closed: Ints) -> None:
        """Adds sales; nobody's are not booked."""
        worth = self._rates.converted(cents, currency, closed) * (owner >= 0)
        np.add.at(self._won, (owner, quarters_since(self._clock, closed)), worth)

    def target_rows(self, rng: np.random.Generator) -> Batch:
        """A target for each seller and quarter, up to the end of this year and at least the next quarter."""
        clock, people, seen = self._clock, self._people, self._won.shape[1]
        first = month(clock.start) // 3
        quarter = np.arange(first, max((first + seen - 1) // 4 * 4 + 3, first + seen) + 1)
        starts, ends = month_start(quarter * 3), month_start(quarter * 3 + 3) - 1
        sells = people.sells[:, None]
        here = (people.joined[:, None] <= ends) & (people.left[:, None] > starts) & (sells > 0)
        typical = self._won.sum(axis=0) / np.maximum((here * sells).sum(axis=0), 1)[:seen]
        # Made of the year before; in the first year and for what is to come, of the nearest year.
        before = np.clip(np.arange(len(quarter)), 4, seen - 1)[:, None] - np.arange(4, 0, -1)
        amount = STRETCH * (self._won[:, before].mean(axis=2) + typical[before].mean(axis=1) * sells) / 2
        person, position = np.nonzero(here)
        steps = np.maximum(np.round(amount[person, position] / STEP), 1).astype(np.int64)
        decided = clock.moment(np.maximum(starts[position] - 20, clock.start), 15 * 3600)
        decided_at = moments(np.minimum(decided, clock.now))
        return batch(
            "crm_targets",
            id=new_ids(rng, len(person)),
            user_id=pick(people.ids, person),
            period_start=dates(starts[position]),
            amount=decimals(steps * STEP * 100),
            currency=every(CURRENCIES[REPORT], len(person)),
            created_at=decided_at,
            updated_at=decided_at,
        )
