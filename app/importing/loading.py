"""An export's records → rows of our tables. What is here already stays as it is."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, column, func, select, table
from sqlalchemy.dialects.postgresql import ARRAY

from app.importing import company
from app.importing.copying import Row, copy, without_triggers
from app.importing.history import Version, versions
from app.importing.reading import Export, Rejected
from app.importing.records import Activity, Contact, Event, Opportunity, Organizer, Origin, Record
from app.importing.values import Style

R = TypeVar("R", bound=Record)
PARENTS = ("organizer", "contact", "opportunity")

_history = table("crm_opportunity_history", column("opportunity_id", sa.Uuid), schema="public")


def load(
    connection: Connection,
    export: Export,
    *,
    vendor: str,
    name: str,
    currency: str,
    style: Style,
    said: Callable[[str, float], None],
) -> tuple[Counter[str], list[Rejected]]:
    """Write what isn't here yet, in the connection's transaction; return how many came in, and the rows refused."""
    connection.execute(select(func.set_config("eventos.reason", f"Import of {name}", True)))
    loading = _Loading(connection, export, vendor, currency, style)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("organizers", lambda: loading.take("organizers", "crm_organizers", export.organizers, loading.organizer)),
        ("contacts", lambda: loading.take("contacts", "crm_contacts", export.contacts, loading.contact)),
        ("opportunities", loading.take_opportunities),
        ("events", lambda: loading.take("events", "events", export.events, loading.event)),
        ("activities", lambda: loading.take("activities", "crm_activities", export.activities, loading.activity)),
        ("engagement", loading.finish),
    )
    for number, (step, act) in enumerate(steps):
        said(f"{export.rows[step]:,} {step}" if step in export.rows else step, number / len(steps))
        act()
    return loading.new, loading.rejected


class _Loading:
    def __init__(self, connection: Connection, export: Export, vendor: str, currency: str, style: Style) -> None:
        self.connection = connection
        self.export = export
        self.currency = currency
        self.style = style
        self.new: Counter[str] = Counter()
        self.rejected: list[Rejected] = []
        self.refused: dict[UUID, Origin] = {}  # by the database
        self.gone: set[UUID] = set()  # deleted here since an earlier import
        self.organizer_of: dict[UUID, UUID] = {}  # of contacts and opportunities that are here already
        self.touched: dict[str, set[UUID]] = {"organizer": set(), "contact": set()}
        company.follow_currency(connection, currency)
        self.people, self.new["people"] = company.add_people(connection, export.people, vendor, style.zone.key)
        stages, self.new["stages"] = company.add_stages(connection, export.stages)
        self.versions = {
            deal.id: versions(deal, export.history.get(deal.id, ()), stages, export.today, style)
            for deal in export.opportunities
        }
        self.first_seen = self._first_seen()

    def _first_seen(self) -> dict[UUID, datetime]:
        """An organizer is at least as old as the oldest record that hangs on it."""
        oldest: dict[UUID, datetime] = {}
        hanging = [(deal.organizer, self.versions[deal.id][0].valid_from) for deal in self.export.opportunities]
        children: list[Contact | Activity] = [*self.export.contacts, *self.export.activities]
        hanging += [(child.organizer, child.created) for child in children if child.organizer and child.created]
        for organizer, moment in hanging:
            oldest[organizer] = min(moment, oldest.get(organizer, moment))
        return oldest

    # What comes in ---------------------------------------------------------------------------------------

    def take(self, name: str, into: str, records: Sequence[R], row: Callable[[R], Row]) -> list[R]:
        """Copy the records that aren't here yet; return those that came in."""
        here = self._here(into, [record.id for record in records])
        fresh = [record for record in records if record.id not in here and self._has_parents(record)]
        if not fresh:
            return []
        with without_triggers(self.connection, into):
            refused = copy(self.connection, into, [row(record) for record in fresh])
        for position, reason in refused.items():
            self._refuse(fresh[position], reason)
        taken = [record for position, record in enumerate(fresh) if position not in refused]
        self.new[name] += len(taken)
        return taken

    def take_opportunities(self) -> None:
        """Copy the opportunities that aren't here yet, and their history."""
        ids = [deal.id for deal in self.export.opportunities]
        remembered = select(_history.c.opportunity_id).where(_among(_history.c.opportunity_id, ids)).distinct()
        self.gone = set(self.connection.scalars(remembered)) - self._here("crm_opportunities", ids)
        taken = self.take("opportunities", "crm_opportunities", self.export.opportunities, self.opportunity)
        rows = [row for deal in taken for row in self.history(deal)]
        self.new["history"] += len(rows)
        if copy(self.connection, "crm_opportunity_history", rows):
            raise AssertionError("an opportunity's history was refused that follows from what was accepted")

    def _here(self, name: str, ids: list[UUID]) -> set[UUID]:
        there = table(name, column("id"), column("organizer_id"), schema="public")
        if name in ("crm_contacts", "crm_opportunities"):
            rows = self.connection.execute(select(there.c.id, there.c.organizer_id).where(_among(there.c.id, ids)))
            self.organizer_of |= dict(rows.all())
            return self.organizer_of.keys() & set(ids)
        return set(self.connection.scalars(select(there.c.id).where(_among(there.c.id, ids))))

    def _has_parents(self, record: Record) -> bool:
        """Say whether what the record belongs to is here: refused by the database, deleted by people, or there."""
        parents = [getattr(record, name, None) for name in PARENTS]
        for parent in parents:
            if parent in self.refused:
                self._refuse(record, f"What it belongs to was rejected ({self.refused[parent]}).")
                return False
        return record.id not in self.gone and self.gone.isdisjoint(parents)

    def _refuse(self, record: Record, reason: str) -> None:
        self.refused[record.id] = record.origin
        self.rejected.append(Rejected(record.origin, reason))

    def finish(self) -> None:
        """Derive what follows from the activities, and tell the open dashboards."""
        if self.new.total():
            organizers, contacts = (
                sa.literal(sorted(self.touched[name]), ARRAY(sa.Uuid)) for name in ("organizer", "contact")
            )
            self.connection.execute(select(func.app.update_engagement(organizers, contacts)))
            self.connection.execute(select(func.app.recount_activities()))
            self.connection.execute(select(func.pg_notify("eventos_changed", "")))

    # Records as rows, with everything that the triggers would have derived ---------------------------------

    def organizer(self, record: Organizer) -> Row:
        self.touched["organizer"].add(record.id)
        parts = ("street", "city", "province", "postal_code", "country")
        return {
            "id": record.id,
            "company_name": record.company_name,
            "industry": record.industry,
            "company_size": record.company_size,
            "website": record.website,
            "status": record.status or "active",
            "lead_source": record.lead_source,
            "primary_email": record.primary_email,
            "primary_phone": record.primary_phone,
            "address": Jsonb({part: value for part in parts if (value := getattr(record, part))}),
            "tags": record.tags or [],
            "assigned_to": self._person(record.owner),
            "engagement_score": 0,
            "last_activity_at": None,
            "created_at": record.created or self.first_seen.get(record.id, self.export.today),
        }

    def contact(self, record: Contact) -> Row:
        return {
            "id": record.id,
            "organizer_id": record.organizer,
            "full_name": record.full_name,
            "title": record.title,
            "department": record.department,
            "email": record.email,
            "phone": record.phone,
            "mobile": record.mobile,
            "linkedin_url": record.linkedin_url,
            "is_decision_maker": bool(record.is_decision_maker),
            "notes": record.notes,
            "tags": record.tags or [],
            "created_at": record.created or self.export.today,
        }

    def opportunity(self, record: Opportunity) -> Row:
        first, now = self.versions[record.id][0], self.versions[record.id][-1]
        return {
            "id": record.id,
            "name": record.name,
            "description": record.description,
            "loss_reason": record.loss_reason,
            **self._state(record, now),
            "probability_set_at": now.stage_entered_at,
            "created_at": first.valid_from,
            "updated_at": now.valid_from,
            "last_stage_change_at": now.stage_entered_at,
        }

    def history(self, record: Opportunity) -> list[Row]:
        stays = self.versions[record.id]
        nexts = [*stays[1:], None]
        return [
            {
                "opportunity_id": record.id,
                "seq": number,
                "valid_from": version.valid_from,
                "valid_to": after and after.valid_from,
                "stage_entered_at": version.stage_entered_at,
                "next_stage_id": after.stage if after and version.stage not in (None, after.stage) else None,
                "created_at": stays[0].valid_from,
                **self._state(record, version),
            }
            for number, (version, after) in enumerate(zip(stays, nexts, strict=True), 1)
        ]

    def _state(self, record: Opportunity, version: Version) -> Row:
        """The columns that an opportunity and its history share."""
        return {
            "organizer_id": record.organizer,
            "stage_id": version.stage,
            "value": version.value,
            "currency": record.currency or self.currency,
            "probability": version.probability,
            "probability_source": version.probability_source,
            "expected_close_date": version.expected_close_date,
            "actual_close_date": version.actual_close_date,
            "assigned_to": self._person(record.owner),
            "status": version.status,
        }

    def event(self, record: Event) -> Row:
        return {
            "id": record.id,
            "organizer_id": record.organizer,
            "name": record.name,
            "event_date": record.event_date,
            "venue": record.venue,
            "attendance": record.attendance,
            "created_at": record.created or self.export.today,
        }

    def activity(self, record: Activity) -> Row:
        """A finished task counts from when it was finished, whenever it had been due."""
        is_task = record.type == "task"
        finished = (record.completed or min(record.at, self.style.now)) if record.task_status == "completed" else None
        moved = [self.organizer_of.get(parent) for parent in (record.opportunity, record.contact) if parent]
        organizer = next(filter(None, moved), record.organizer)
        self.touched["organizer"] |= {organizer} if organizer else set()
        self.touched["contact"] |= {record.contact} if record.contact else set()
        return {
            "id": record.id,
            "organizer_id": organizer,
            "contact_id": record.contact,
            "opportunity_id": record.opportunity,
            "type": record.type,
            "subject": record.subject,
            "description": record.description,
            "activity_date": finished or record.at,
            "duration_minutes": record.duration_minutes,
            "is_task": is_task,
            "task_status": record.task_status,
            "due_date": record.at if is_task else None,
            "completed_at": finished,
            "user_id": self._person(record.owner),
            "metadata": Jsonb(record.metadata),
            "created_at": record.created or min(record.at, self.export.today),
        }

    def _person(self, owner: UUID | None) -> UUID | None:
        return self.people[owner] if owner else None


def _among(ids: sa.ColumnElement[UUID], wanted: list[UUID]) -> sa.ColumnElement[bool]:
    return ids == sa.any_(sa.literal(wanted, ARRAY(sa.Uuid)))
