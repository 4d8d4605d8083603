"""Notes, the rows of documents, and email templates. The files of documents are made by `app.demo.sheets`."""

import html
import json

import numpy as np
import pyarrow as pa

from app.demo import sheets, truth, words
from app.demo.arrays import NEVER, Ints
from app.demo.clock import DAY, Clock
from app.demo.columns import Batch, batch, counts, draw, every, join, moments, new_ids, pick, some
from app.demo.contacts import Contacts
from app.demo.deals import Deals
from app.demo.organizers import Organizers
from app.demo.people import ADMIN, HEAD, People

ON_ORGANIZER, ON_DEAL, ON_CONTACT = 0.9, 0.22, 0.08
"""Notes on each organizer, opportunity and contact."""

TAGS = {"{}": 0.7, "{contract}": 0.1, "{venue}": 0.1, "{people}": 0.1}

PROPOSAL, REVISION, CONTRACT = range(3)
PROPOSALS, REVISED, SIGNED = 0.85, 0.2, 0.92
"""Share of proposals that are kept as documents, of those revised, and of contracts signed."""


def notes(
    rng: np.random.Generator, clock: Clock, people: People, organizers: Organizers, contacts: Contacts, deals: Deals
) -> Batch:
    """What people wrote down."""
    company = np.repeat(np.arange(len(organizers)), rng.poisson(ON_ORGANIZER, len(organizers)))
    person = np.flatnonzero(rng.random(len(contacts)) < ON_CONTACT)
    deal = np.flatnonzero((rng.random(len(deals)) < ON_DEAL) & deals.is_kept)
    parts = (company, person, deal)
    organizer = np.concatenate([company, contacts.organizer[person], deals.organizer[deal]])
    count = len(organizer)
    began = clock.moment(np.array(clock.start), 9 * 3600)
    known = np.maximum(clock.moment(organizers.created, 9 * 3600), began)
    met = np.maximum(contacts.created, began)
    since = np.concatenate([known[company], met[person], deals.created[deal]])
    closed = np.minimum(deals.closes, clock.now)
    until = np.concatenate([np.full(len(company) + len(person), clock.now), closed[deal]])
    written = since + (rng.random(count) ** 0.7 * (until - since) * 0.999).astype(np.int64)
    author = organizers.owner_at(organizer, written)

    def of(position: int) -> Ints:
        return np.concatenate(
            [part if place == position else np.full(len(part), -1) for place, part in enumerate(parts)]
        )

    return batch(
        "crm_notes",
        id=new_ids(rng, count),
        organizer_id=pick(organizers.ids, organizer),
        contact_id=pick(contacts.ids, of(1)),
        opportunity_id=pick(deals.ids, of(2)),
        title=some(rng, words.NOTE_TITLES, count, 0.8),
        content=some(rng, words.NOTES, count),
        is_pinned=pa.array(rng.random(count) < 0.08),
        tags=draw(rng, TAGS, count),
        created_by=pick(people.ids, np.where(author >= 0, author, HEAD)),
        created_at=moments(written),
        updated_at=moments(written),
    )


def documents(
    rng: np.random.Generator, clock: Clock, people: People, organizers: Organizers, deals: Deals, first_number: int
) -> Batch:
    """Proposals of opportunities that came so far, in a second version here and there, and contracts of those won."""
    offered, closes = deals.entered[:, truth.PROPOSAL], deals.closes
    is_offered = (offered != NEVER) & (offered < clock.now - DAY) & deals.is_kept & (rng.random(len(deals)) < PROPOSALS)
    lives_on = np.minimum(closes, clock.now) - offered > 6 * DAY
    proposal = np.flatnonzero(is_offered)
    revised = np.flatnonzero(is_offered & lives_on & (rng.random(len(deals)) < REVISED))
    contract = np.flatnonzero(deals.wins & (closes < clock.now) & deals.is_kept)
    deal = np.concatenate([proposal, revised, contract])
    kind = np.repeat([0, 1, 2], [len(proposal), len(revised), len(contract)])
    count, is_contract = len(deal), kind == CONTRACT
    at = np.choose(kind, [offered[deal], offered[deal] + 4 * DAY, closes[deal] - rng.integers(600, 7_200, count)])
    uploader = organizers.owner_at(deals.organizer[deal], at)
    uploader = np.where(uploader >= 0, uploader, HEAD)
    signed = is_contract & (rng.random(count) < SIGNED)
    number = pa.array([f"{first_number + one + 1:06d}" for one in deal])
    service = pick([one.name for one in words.SERVICES], deals.service[deal])
    ids = new_ids(rng, count)
    return batch(
        "crm_documents",
        id=ids,
        organizer_id=pick(organizers.ids, deals.organizer[deal]),
        opportunity_id=pick(deals.ids, deal),
        file_name=join(pick(("Proposal ", "Proposal ", "Contract "), kind), number, " ", service, ".pdf"),
        file_type=every("application/pdf", count),
        file_size=counts(np.full(count, len(sheets.form()))),
        storage_path=join("documents/", ids),
        document_type=pick(("proposal", "proposal", "contract"), kind),
        version=counts(np.where(kind == REVISION, 2, 1)),
        is_signed=pa.array(signed),
        signed_at=moments(np.where(signed, closes[deal], NEVER)),
        signed_by=pick(people.ids, np.where(signed, uploader, -1)),
        uploaded_by=pick(people.ids, uploader),
        created_at=moments(at),
    )


def templates(rng: np.random.Generator, clock: Clock, people: People) -> Batch:
    """The email templates; the admin wrote them."""
    count = len(words.TEMPLATES)
    variables = json.dumps([{"name": name, "description": text} for name, text in words.TEMPLATE_VARIABLES.items()])
    written = moments(clock.moment(clock.start + np.arange(count) * 9, 11 * 3600))
    return batch(
        "crm_email_templates",
        id=new_ids(rng, count),
        name=pa.array([one.name for one in words.TEMPLATES]),
        subject=pa.array([one.subject for one in words.TEMPLATES]),
        body_html=pa.array(
            ["".join(f"<p>{html.escape(part)}</p>" for part in one.text.split("\n\n")) for one in words.TEMPLATES]
        ),
        body_text=pa.array([one.text for one in words.TEMPLATES]),
        category=pa.array([one.category for one in words.TEMPLATES]),
        variables=every(variables, count),
        is_active=pa.array([one.is_active for one in words.TEMPLATES]),
        created_by=pick(people.ids, np.full(count, ADMIN)),
        created_at=written,
        updated_at=written,
    )
