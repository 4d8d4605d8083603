"""The whole company as rows to load: first what everybody shares, then block after block of organizers."""

import datetime as dt
import math
from collections.abc import Iterator

import numpy as np

from app.demo import (
    activities,
    changes,
    company,
    contacts,
    deals,
    events,
    history,
    money,
    organizers,
    papers,
    people,
    scores,
    tables,
    truth,
)
from app.demo.columns import Batch
from app.demo.company import Company

BLOCK = 500
"""At most so many organizers are made at a time: about 100,000 rows, so that memory stays the same at every scale."""

FEWEST = 20
"""Organizers of the smallest company."""


def grow(seed: int, anchor: dt.date, scale: float) -> Iterator[Batch]:
    """The rows of the company, parents before children; the same ones for the same arguments."""
    rng = np.random.default_rng([seed, 0])
    founded = company.found(rng, anchor, scale)
    yield from people.rows(founded.people, founded.clock)
    yield from founded.stages.rows(founded.people)
    yield money.rate_rows(rng, founded.clock, founded.rates)
    yield papers.templates(rng, founded.clock, founded.people)
    ledger = money.Ledger(founded.clock, founded.rates, founded.people)
    count = max(round(truth.ORGANIZERS * scale), FEWEST)
    blocks = math.ceil(count / BLOCK)
    for number in range(blocks):
        size = count * (number + 1) // blocks - count * number // blocks
        yield from _block(np.random.default_rng([seed, 1 + number]), founded, ledger, number, size)
    yield ledger.target_rows(rng)


def _block(rng: np.random.Generator, of: Company, ledger: money.Ledger, number: int, count: int) -> Iterator[Batch]:
    """Some organizers with everything that hangs on them."""
    clients, editions = organizers.settle(rng, of, count, first=number == 0)
    persons = contacts.meet(rng, of.clock, clients)
    offers = deals.sell(rng, of, clients, editions, first=number == 0)
    versions = history.versions(of, offers, changes.happen(rng, of, clients, offers))
    held = events.hold(rng, of, clients, editions, offers, versions)
    done = activities.work(rng, of.clock, clients, editions, held, offers, versions)
    spoken_to = persons.somebody(rng, done.organizer, done.created)
    scored = scores.score(of.clock, clients, editions, held, offers, done)

    won = versions.current[versions.status[versions.current] == history.WON]
    ledger.book(versions.owner[won], versions.value[won], versions.currency[won], versions.closed[won])

    yield tables.organizers(rng, of, clients, editions, held, offers, versions, scored)
    yield scores.rows(scored, clients)
    yield contacts.rows(rng, of.clock, persons, clients, done.timeline(of.clock, spoken_to))
    yield events.rows(rng, clients, editions, held)
    yield tables.opportunities(rng, of, clients, held, offers, versions)
    yield history.rows(of, clients, offers, versions)
    yield activities.rows(rng, of.people, clients, persons, spoken_to, held, offers, versions, done)
    yield papers.notes(rng, of.clock, of.people, clients, persons, offers)
    yield papers.documents(rng, of.clock, of.people, clients, offers, number * 100 * BLOCK)
