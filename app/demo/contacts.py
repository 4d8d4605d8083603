"""The people at organizers."""

import functools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.demo import words
from app.demo.arrays import Flags, Ints
from app.demo.clock import Clock
from app.demo.columns import Batch, batch, counts, draw, moments, new_ids, pick, some
from app.demo.organizers import Organizers
from app.demo.people import plain_letters
from app.demo.timelines import Timeline, engagement

NO_ONE = 0.12
"""Share of activities with nobody in particular."""

INFLUENCE = ("low", "medium", "high")
PREFERENCES = {"email": 0.62, "phone": 0.22, "whatsapp": 0.06, "any": 0.10}
TAGS = {"{}": 0.7, "{newsletter}": 0.2, "{speaks French}": 0.1}


@dataclass(frozen=True)
class Contacts:
    """The contacts of a block, sorted by organizer, the primary one first."""

    ids: pa.Array
    organizer: Ints
    start: Ints
    """Of each organizer: its primary contact; the last entry is the number of all."""
    created: Ints
    title: Ints
    is_vip: Flags

    def __len__(self) -> int:
        return len(self.organizer)

    @property
    def is_primary(self) -> Flags:
        """The first of each organizer."""
        return np.isin(np.arange(len(self)), self.start[:-1])

    def somebody(self, rng: np.random.Generator, organizer: Ints, at: Ints) -> Ints:
        """Who was spoken to: mostly the first ones, nobody who was not known yet; -1 for no one in particular."""
        count = self.start[organizer + 1] - self.start[organizer]
        found = self.start[organizer] + (count * rng.random(len(organizer)) ** 1.7).astype(np.int64)
        known = np.where(self.created[found] <= at, found, self.start[organizer])
        return np.where(rng.random(len(organizer)) < NO_ONE, -1, known)


def meet(rng: np.random.Generator, clock: Clock, organizers: Organizers) -> Contacts:
    """Three people at an organizer on average, at least one."""
    count = 1 + rng.poisson(2.0, len(organizers))
    start = np.concatenate([[0], np.cumsum(count)])
    organizer = np.repeat(np.arange(len(organizers)), count)
    known = organizers.created[organizer]
    later = rng.random(len(organizer)) < 0.35
    later[start[:-1]] = False
    met = np.where(later, known + ((clock.today - known) * rng.random(len(organizer))).astype(np.int64), known)
    shares = [title.weight for title in words.TITLES]
    return Contacts(
        ids=new_ids(rng, len(organizer)),
        organizer=organizer,
        start=start,
        created=clock.moment(met, np.where(later, rng.integers(30_000, 60_000, len(organizer)), 8 * 3600)),
        title=rng.choice(len(shares), len(organizer), p=shares),
        is_vip=rng.random(len(organizer)) < 0.05,
    )


def rows(
    rng: np.random.Generator, clock: Clock, contacts: Contacts, organizers: Organizers, happened: Timeline
) -> Batch:
    """The contacts table; `happened` are the activities with each."""
    count = len(contacts)
    every, now = np.arange(count), np.full(count, clock.now)
    places = [organizers.place[organizer] for organizer in contacts.organizer]
    # Everywhere some of the people have English names.
    language = [place.language if own else "en" for place, own in zip(places, rng.random(count) < 0.85, strict=True)]
    names, mailboxes = _names(language, rng.integers(0, 1 << 30, (count, 2)))
    emails: list[str] = []
    taken: set[tuple[int, str]] = set()
    for number, (organizer, mailbox) in enumerate(zip(contacts.organizer, mailboxes, strict=True)):
        unused = mailbox if mailbox and (organizer, mailbox) not in taken else f"{mailbox or 'contact'}{number}"
        taken.add((organizer, unused))
        emails.append(f"{unused}@{organizers.slug[organizer]}.example")
    decides = np.array([title.decides for title in words.TITLES])[contacts.title]
    created = moments(contacts.created)
    return batch(
        "crm_contacts",
        id=contacts.ids,
        organizer_id=pick(organizers.ids, contacts.organizer),
        full_name=pa.array(names),
        title=pick([title.name for title in words.TITLES], contacts.title),
        department=pick([title.department for title in words.TITLES], contacts.title),
        email=pa.array(emails),
        phone=pick(words.phones(rng, places), every),
        mobile=pick(words.phones(rng, places), np.where(rng.random(count) < 0.4, every, -1)),
        linkedin_url=pick(
            [f"https://www.linkedin.example/in/{mailbox or number}" for number, mailbox in enumerate(mailboxes)],
            np.where(rng.random(count) < 0.5, every, -1),
        ),
        is_primary=pa.array(contacts.is_primary),
        is_decision_maker=pa.array(decides),
        vip_status=pa.array(contacts.is_vip),
        influence_level=pick(INFLUENCE, np.minimum(1 * decides + contacts.is_vip + rng.integers(0, 2, count), 2)),
        communication_preference=draw(rng, PREFERENCES, count),
        timezone=pa.array([place.zone for place in places]),
        language=pa.array(language),
        last_contact_date=moments(happened.latest(every, now)),
        engagement_score=counts(engagement(happened, every, now)),
        notes=some(rng, words.CONTACT_NOTES, count, 0.15),
        tags=draw(rng, TAGS, count),
        created_at=created,
        updated_at=created,
    )


def _names(language: list[str], draws: Ints) -> tuple[list[str], list[str]]:
    """Full names, and what stands before the @ of their addresses; empty for names without a Latin letter."""
    names, mailboxes = [], []
    for one, (first_draw, last_draw) in zip(language, draws, strict=True):
        firsts, lasts = words.FIRST_NAMES[one], words.LAST_NAMES[one]
        first, last = firsts[first_draw % len(firsts)], lasts[last_draw % len(lasts)]
        names.append(last + first if one in words.FAMILY_FIRST else f"{first} {last}")
        mailboxes.append(_mailbox(first, last))
    return names, mailboxes


@functools.cache
def _mailbox(first: str, last: str) -> str:
    return ".".join(filter(None, (plain_letters(part).replace(" ", "").strip(".-") for part in (first, last))))
