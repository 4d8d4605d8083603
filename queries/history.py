"""What was done to the records, by whom, when and why; and what each person has typed and not saved."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, lt
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ColumnElement, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.units import count, flag, identifier, moment, text

MOST_FIELDS: Final = 500  # of one change that are told field by field
# What hangs on a record of each table: (table, column, whether it goes along when the record is deleted).
_HANGING: Final = {
    "crm_organizers": [(v.contacts, "organizer_id", "goes"), (v.activities, "organizer_id", "goes"),
                       (v.notes, "organizer_id", "goes"), (v.documents, "organizer_id", "goes"),
                       (v.event_records, "organizer_id", "goes"), (v.opportunities, "organizer_id", "prevents")],
    "crm_contacts": [(v.activities, "contact_id", "stays"), (v.notes, "contact_id", "stays")],
    "crm_opportunities": [(v.activities, "opportunity_id", "goes"), (v.notes, "opportunity_id", "goes"),
                          (v.documents, "opportunity_id", "goes")],
    "events": [(v.opportunities, "event_id", "stays"), (v.activities, "event_id", "stays")],
}  # fmt: skip
# Mail hosts at which companies that have nothing to do with each other have addresses.
_ANYBODY_S: Final = (
    *("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "live.com", "aol.com"),
    *("gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com"),
)
_THE_ONE: Final = UUID(int=0)  # in the place of the key of a table with one row
_ALIKE: Final = 0.5  # of the trigrams of two names


@dataclass(frozen=True)
class Changes:
    """Which changes of the audit are asked for; what is None is left open. `until` is the first moment after."""

    since: datetime | None = None
    until: datetime | None = None
    person: UUID | None = None
    table: str | None = None
    verb: str | None = None  # insert, update or delete
    record_id: UUID | None = None


_TOLD: Final = {
    "entry": count("Entry"),
    "change": count("Change", "All that was done in one go has one number, and is undone as one"),
    "at": moment("When"),
    "who": text("Who"),
    "is_mine": flag("By the viewer"),
    "verb": text("What", "insert, update or delete"),
    "field": text("Field", "Missing where the whole record was made or deleted"),
    "was": text("From", "JSON"),
    "now": text("To", "JSON"),
    "why": text("Why"),
    "is_undone": flag("Undone"),
}


@question(**_TOLD)
def of_record(table: str, record_id: UUID) -> Statement:
    """Who changed which field of one record from what to what, the latest first: a row per field.

    None for a record that the viewer may not see; one that is gone is shown to whoever deleted it, and to those who see
    all.
    """
    entry = func.app.record_history(table, record_id).table_valued(
        Column("id", BigInteger), Column("occurred_at", v.Moment), Column("verb", Text), Column("old", JSONB),
        Column("new", JSONB), Column("actor", Uuid), Column("transaction_id", v.Change), Column("reason", Text),
        name="entry",
    )  # fmt: skip
    changed, source = _with_fields(entry)
    return sa.select(*_told(entry, changed)).select_from(source).order_by(entry.c.id.desc(), changed.c.key)


@question(
    **_TOLD,
    table_name=text("Table"),
    record_id=identifier("Record"),
    record=text("Record", "What it is called, or was when it was deleted"),
)
def of_change(change: int) -> Statement:
    """Everything that one change did, record by record and field by field, in the order in which it was done."""
    entry = v.audit.alias("entry")
    changed, source = _with_fields(entry)
    return (
        sa.select(*_told(entry, changed), entry.c.table_name, entry.c.record_id, _name_of(entry).label("record"))
        .select_from(source)
        .where(entry.c.transaction_id == change)
        .order_by(entry.c.id, changed.c.key)
        .limit(MOST_FIELDS)
    )


@question(
    change=count("Change"),
    at=moment("When"),
    who=text("Who"),
    is_mine=flag("By the viewer"),
    records=count("Records"),
    what=text("What", "JSON: how many records of which table were inserted, updated, deleted"),
    record=text("Record", "Where there is one only: what it is called"),
    why=text("Why"),
    is_undone=flag("Undone"),
)
def changes(asked: Changes, most: int, skip: int = 0) -> Statement:
    """The changes in which something of the kind was done, whole, the latest first."""
    entry = v.audit.alias("entry")
    limits: list[tuple[Any, Callable[[Any, Any], ColumnElement[bool]], Any]] = [
        (entry.c.occurred_at, ge, asked.since), (entry.c.occurred_at, lt, asked.until),
        (entry.c.actor, eq, asked.person), (entry.c.table_name, eq, asked.table),
        (entry.c.verb, eq, asked.verb), (entry.c.record_id, eq, asked.record_id),
    ]  # fmt: skip
    page = (
        sa.select(entry.c.transaction_id, func.max(entry.c.id).label("last_id"))
        .where(*(within(column, given) for column, within, given in limits if given is not None))
        .group_by(entry.c.transaction_id)
        .order_by(sa.desc("last_id"))
        .limit(most)
        .offset(skip)
        .subquery("page")
    )
    each = v.audit.alias("each")
    sums = (
        sa.select(
            page.c.transaction_id, page.c.last_id, each.c.table_name, each.c.verb,
            func.count(sa.distinct(func.coalesce(each.c.record_id, _THE_ONE))).label("records"),
        )
        .join_from(page, each, each.c.transaction_id == page.c.transaction_id)
        .group_by(page.c.transaction_id, page.c.last_id, each.c.table_name, each.c.verb)
        .subquery("sums")
    )  # fmt: skip
    done = (
        sa.select(
            sums.c.transaction_id, sums.c.last_id, func.sum(sums.c.records).label("records"),
            sa.cast(func.jsonb_agg(func.jsonb_build_array(sums.c.verb, sums.c.table_name, sums.c.records)), Text)
            .label("what"),
        )
        .group_by(sums.c.transaction_id, sums.c.last_id)
        .subquery("done")
    )  # fmt: skip
    last = v.audit.alias("last")
    return (
        sa.select(
            done.c.transaction_id.label("change"), last.c.occurred_at.label("at"),
            scoped.actor_name(last.c.actor).label("who"), _is_mine(last).label("is_mine"),
            done.c.records, done.c.what, sa.case((done.c.records == 1, _name_of(last))).label("record"),
            last.c.reason.label("why"), _is_undone(last).label("is_undone"),
        )
        .select_from(done)
        .join(last, last.c.id == done.c.last_id)
        .outerjoin(v.profiles, v.profiles.c.user_id == last.c.actor)
        .order_by(done.c.last_id.desc())
    )  # fmt: skip


@question(person_id=identifier("Person"), person=text("Person"))
def people() -> Statement:
    """Everybody who may have changed something, by name."""
    held = v.profiles.c
    named = sa.select(held.user_id.label("person_id"), held.full_name.label("person"))
    return named.order_by(held.full_name, held.user_id)


def _with_fields(entry: Any) -> tuple[Any, sa.FromClause]:
    """An entry's changed fields, each beside it; one that made or deleted a record stands alone."""
    columns = Column("key", Text), Column("value", JSONB)
    fields = func.jsonb_each(sa.case((entry.c.verb == "update", entry.c.new))).table_valued(*columns)
    changed, people = fields.lateral("changed"), v.profiles
    return changed, entry.outerjoin(changed, sa.true()).outerjoin(people, people.c.user_id == entry.c.actor)


def _told(entry: Any, changed: Any) -> list[ColumnElement[Any]]:
    return [
        entry.c.id.label("entry"),
        entry.c.transaction_id.label("change"),
        entry.c.occurred_at.label("at"),
        scoped.actor_name(entry.c.actor).label("who"),
        _is_mine(entry).label("is_mine"),
        entry.c.verb,
        changed.c.key.label("field"),
        sa.cast(entry.c.old[changed.c.key], Text).label("was"),
        sa.cast(changed.c.value, Text).label("now"),
        entry.c.reason.label("why"),
        _is_undone(entry).label("is_undone"),
    ]


def _is_mine(entry: Any) -> ColumnElement[bool]:
    return func.coalesce(entry.c.actor == func.app.actor_id(), sa.false())


def _is_undone(entry: Any) -> ColumnElement[bool]:
    return sa.exists().where(v.undone.c.change == entry.c.transaction_id)


def _name_of(entry: Any) -> ColumnElement[str]:
    """As it is called now, else as the entry that made or deleted it says."""
    names, deleted = v.record_names, v.audit.alias("deleted")
    now = (
        sa.select(names.c.name)
        .where(names.c.table_name == entry.c.table_name, names.c.record_id == entry.c.record_id)
        .scalar_subquery()
    )
    at_its_end = (
        sa.select(func.app.record_name(deleted.c.old))
        .where(deleted.c.table_name == entry.c.table_name, deleted.c.record_id == entry.c.record_id)
        .where(deleted.c.verb == "delete")
        .order_by(deleted.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(now, at_its_end)


# What deleting takes along ---------------------------------------------------------------------------------------


@question(
    table_name=text("Table"),
    records=count("Records"),
    won=count("Won", "Of opportunities: how many of them are won"),
    fate=text("What becomes of it", "goes: is deleted too; stays: without the record; prevents: has to go first"),
)
def goes_along(table: str, record_id: UUID) -> Statement:
    """What deleting a record does to what hangs on it; only what there is, of what the viewer may see."""
    parts: list[Statement] = [
        sa.select(
            sa.literal(str(hanging.name), Text).label("table_name"),
            func.count().label("records"),
            (func.count().filter(hanging.c.status == "won") if "status" in hanging.c else sa.literal(0)).label("won"),
            sa.literal(fate).label("fate"),
        )
        .where(hanging.c[column] == record_id)
        .having(func.count() > 0)
        for hanging, column, fate in _HANGING.get(table, ())
    ]
    nothing = sa.select(*(sa.null().label(name) for name in goes_along.columns)).where(sa.false())
    found = sa.union_all(*(parts or [nothing])).subquery("found")
    return sa.select(*found.c)


# Organizers that may be the same ---------------------------------------------------------------------------------


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    other_id=identifier("Other"),
    other=text("Other"),
    why=text("Why", "What both have in common: name, website, email, or a similar name"),
)
def duplicates(organizer_id: UUID | None = None, most: int = 50) -> Statement:
    """Pairs of organizers that may be one, of those that the viewer sees and that are not archived.

    Of all of them, those that have the name, the website or the email in common; of one organizer also those with a
    similar name, where the database can tell.
    """
    held = v.organizers
    mail = func.lower(func.split_part(held.c.primary_email, "@", 2))
    known = (
        sa.select(
            held.c.id,
            held.c.company_name,
            func.app.bare_name(held.c.company_name).label("bare"),
            func.app.web_domain(held.c.website).label("domain"),
            func.lower(held.c.primary_email).label("email"),
            sa.case((mail.not_in(_ANYBODY_S), func.nullif(mail, ""))).label("mail"),
        )
        .where(held.c.status != "archived")
        .cte("known")
    )
    one, other = known.alias("one"), known.alias("other")
    common = [("name", "bare"), ("website", "domain"), ("email", "email"), ("email host", "mail")]
    order = one.c.id < other.c.id if organizer_id is None else sa.and_(one.c.id == organizer_id, other.c.id != one.c.id)
    pairs = [
        sa.select(one.c.id.label("organizer_id"), one.c.company_name.label("organizer"), other.c.id.label("other_id"),
                  other.c.company_name.label("other"), sa.literal(why).label("why"), sa.literal(place).label("place"))
        .join_from(one, other, one.c[column] == other.c[column]).where(order)
        for place, (why, column) in enumerate(common)
    ]  # fmt: skip
    if organizer_id is not None:
        alike = func.app.likeness(one.c.bare, other.c.bare) >= _ALIKE
        pairs.append(
            sa.select(one.c.id, one.c.company_name, other.c.id, other.c.company_name, sa.literal("similar name"),
                      sa.literal(len(common)))
            .join_from(one, other, alike).where(order, one.c.bare != other.c.bare)
        )  # fmt: skip
    pair = sa.union_all(*pairs).subquery("pair")
    keys = (pair.c.organizer_id, pair.c.organizer, pair.c.other_id, pair.c.other)
    return (
        sa.select(*keys, func.string_agg(pair.c.why, aggregate_order_by(sa.literal(", "), pair.c.place)).label("why"))
        .group_by(*keys)
        .order_by(func.count().desc(), func.min(pair.c.place), pair.c.organizer, pair.c.other_id)
        .limit(most)
    )


# What is typed and not saved -------------------------------------------------------------------------------------

_KEPT: Final = {"base": text("Shown", "JSON"), "given": text("Typed", "JSON"), "saved_at": moment("Typed at")}


@question(form=text("Form"), **_KEPT)
def drafts() -> Statement:
    """What the viewer has typed into forms and not saved, the latest first."""
    held = v.drafts.c
    return sa.select(held.form, *_kept()).order_by(held.saved_at.desc())


@question(**_KEPT)
def draft(form: str) -> Statement:
    """What the viewer has typed into this form and not saved: one row, or none."""
    return sa.select(*_kept()).where(v.drafts.c.form == form)


def _kept() -> list[ColumnElement[Any]]:
    held = v.drafts.c
    return [sa.cast(held.base, Text).label("base"), sa.cast(held.given, Text).label("given"), held.saved_at]
