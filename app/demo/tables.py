"""The tables of organizers and of opportunities, with everything that is computed on them, as of the anchor."""

import json

import numpy as np
import pyarrow as pa

from app.demo import history, scores, words
from app.demo.arrays import NEVER, Flags, Ints
from app.demo.columns import Batch, batch, counts, dates, decimals, draw, join, moments, pick, some
from app.demo.company import Company
from app.demo.deals import Deals
from app.demo.editions import Editions
from app.demo.events import Events
from app.demo.history import Versions
from app.demo.money import CURRENCIES
from app.demo.organizers import Organizers
from app.demo.people import ADMIN
from app.demo.scores import Scores
from app.demo.timelines import engagement

STATES = ("active", "inactive", "prospect", "archived")
ACTIVE, INACTIVE, PROSPECT, ARCHIVED = range(4)

FORGOTTEN_DAYS = 540
"""Days after which somebody who never bought is no longer a prospect."""

TIDIED_AWAY = 0.15
"""Share of the inactive organizers that somebody has archived."""


def organizers(
    rng: np.random.Generator,
    company: Company,
    clients: Organizers,
    editions: Editions,
    events: Events,
    deals: Deals,
    versions: Versions,
    scored: Scores,
) -> Batch:
    """The organizers table."""
    clock, people, count = company.clock, company.people, len(clients)
    every, at = np.arange(count), np.full(count, clock.now)
    now = versions.current
    organizer, status = deals.organizer[versions.deal[now]], versions.status[now]
    closed = np.where(versions.closed[now] == NEVER, clock.today, versions.closed[now])
    worth = company.rates.converted(versions.value[now], versions.currency[now], closed)
    won = np.bincount(organizer, worth * (status == history.WON), count)
    expected = np.bincount(organizer, worth * (status == history.OPEN) * versions.probability[now] / 100, count)
    is_client = clients.is_founder | (np.bincount(organizer, status == history.WON, count) > 0)
    is_busy = np.bincount(organizer, status == history.OPEN, count) > 0
    last_year = events.is_held & (editions.day >= clock.today - 365)
    today = scored.day == clock.today
    created = clock.moment(clients.created, 8 * 3600)
    is_handed_over = clients.handover < clock.now
    return batch(
        "crm_organizers",
        id=clients.ids,
        company_name=pa.array(clients.name),
        industry=pick([industry.name for industry in words.INDUSTRIES], clients.industry),
        company_size=pick(list(words.SIZES), clients.size),
        website=pa.array([f"https://www.{slug}.example" for slug in clients.slug]),
        status=pick(STATES, _states(rng, company, clients, is_client, is_busy)),
        lead_source=draw(rng, words.SOURCES, count),
        primary_email=pa.array([f"info@{slug}.example" for slug in clients.slug]),
        primary_phone=pa.array(words.phones(rng, clients.place)),
        address=_addresses(rng, clients),
        annual_events=counts(np.bincount(editions.organizer[last_year], minlength=count)),
        total_revenue=decimals(np.round(won * 100).astype(np.int64)),
        lifetime_value=decimals(np.round((won + expected) * 100).astype(np.int64)),
        engagement_score=counts(engagement(scored.activities, every, at)),
        health_score=counts(scored.health[today]),
        churn_risk=pick(scores.RISKS, scored.risk[today]),
        event_history=_event_histories(clients, editions, events),
        tags=draw(rng, words.TAGS, count),
        assigned_to=pick(people.ids, clients.owner_at(every, at)),
        created_by=pick(people.ids, np.where(clients.owner >= 0, clients.owner, ADMIN)),
        created_at=moments(created),
        updated_at=moments(np.where(is_handed_over, clients.handover, created)),
        last_activity_at=moments(scored.activities.latest(every, at)),
        scored_at=moments(at),
        version=counts(1 + is_handed_over),
    )


def opportunities(
    rng: np.random.Generator, company: Company, clients: Organizers, events: Events, deals: Deals, versions: Versions
) -> Batch:
    """The opportunities table: of each the version that holds at the anchor."""
    people, now = company.people, versions.current
    deal, count = versions.deal[now], len(now)
    edition = deals.edition[deal]
    reason = rng.integers(0, len(words.LOSS_REASONS), count)
    return batch(
        "crm_opportunities",
        id=pick(deals.ids, deal),
        organizer_id=pick(clients.ids, deals.organizer[deal]),
        event_id=pick(events.ids, np.where(events.is_listed[edition], edition, -1)),
        stage_id=pick(company.stages.ids, versions.stage[now]),
        name=join(pick(events.name, edition), " – ", pick([one.name for one in words.SERVICES], deals.service[deal])),
        description=some(rng, words.DEAL_NOTES, count, 0.55),
        value=decimals(versions.value[now]),
        currency=pick(CURRENCIES, versions.currency[now]),
        probability=counts(versions.probability[now]),
        probability_source=pick(history.SOURCES, 1 * versions.is_manual[now]),
        probability_set_by=pick(people.ids, versions.set_by[now]),
        probability_set_at=moments(versions.set_at[now]),
        probability_reason=pick(words.OVERRIDE_REASONS, versions.reason[now]),
        expected_close_date=dates(versions.expected[now]),
        actual_close_date=dates(versions.closed[now]),
        status=pick(history.STATUSES, versions.status[now]),
        loss_reason=pick(words.LOSS_REASONS, np.where(versions.status[now] == history.LOST, reason, -1)),
        assigned_to=pick(people.ids, versions.owner[now]),
        created_at=moments(deals.created[deal]),
        updated_at=moments(versions.at[now]),
        last_stage_change_at=moments(versions.stage_entered[now]),
        version=counts(versions.seq[now]),
    )


def _states(rng: np.random.Generator, company: Company, clients: Organizers, is_client: Flags, is_busy: Flags) -> Ints:
    today = company.clock.today
    silent_days = np.maximum(1.5 * 365.25 / clients.cadence, 180)
    gone = is_client & (clients.left != NEVER) & (clients.left + silent_days < today)
    forgotten = ~is_client & (clients.created < today - FORGOTTEN_DAYS)
    is_over = (gone | forgotten) & ~is_busy
    over = np.where(rng.random(len(clients)) < TIDIED_AWAY, ARCHIVED, INACTIVE)
    return np.where(is_over, over, np.where(is_client, ACTIVE, PROSPECT))


def _addresses(rng: np.random.Generator, clients: Organizers) -> pa.Array:
    numbers = rng.integers((1, 0, 10_000), (999, len(words.STREETS), 99_999), (len(clients), 3)).tolist()
    return pa.array(
        [
            json.dumps(
                {
                    "street": f"{number} {words.STREETS[street]}",
                    "city": place.city,
                    "province": place.province,
                    "postal_code": str(code),
                    "country": place.country,
                },
                ensure_ascii=False,
            )
            for place, (number, street, code) in zip(clients.place, numbers, strict=True)
        ]
    )


def _event_histories(clients: Organizers, editions: Editions, events: Events) -> pa.Array:
    """Each organizer's past events with revenue and satisfaction, as the document's JSON."""
    listed: list[list[dict[str, str | float]]] = [[] for _ in range(len(clients))]
    held = np.flatnonzero(events.is_held)
    for organizer, identity, day, revenue, felt, was_asked in zip(
        editions.organizer[held].tolist(),
        pick(events.ids, held).to_pylist(),
        editions.day[held].astype("datetime64[D]").astype(str).tolist(),
        events.revenue[held].round(2).tolist(),
        editions.satisfaction[held].tolist(),
        events.was_asked[held].tolist(),
        strict=True,
    ):
        answer = {"satisfaction": felt} if was_asked else {}
        listed[organizer].append({"event_id": identity, "event_date": day, "revenue": revenue, **answer})
    return pa.array([json.dumps(one) for one in listed])
