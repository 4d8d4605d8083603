"""One record with all its columns, what hangs on it, what its references are called, and what a picker offers."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import func

from app.fields import NOUNS
from queries import vocabulary as v
from queries.question import Statement, question
from queries.stages import stages
from queries.units import count, day, flag, identifier, moment, money, text

MOST_MATCHES: Final = 6
MOST_RELATED: Final = 50

_roles = sa.Table("crm_user_roles", v.catalogue, sa.Column("user_id", sa.Uuid), sa.Column("role", sa.Text))

# What hangs on a record, and by which of its columns.
RELATED: Final = {
    "organizer": [
        (noun, "organizer_id") for noun in ("opportunity", "contact", "activity", "note", "document", "event")
    ],
    "opportunity": [(noun, "opportunity_id") for noun in ("activity", "note", "document")],
    "contact": [("activity", "contact_id"), ("note", "contact_id")],
    "event": [("opportunity", "event_id"), ("activity", "event_id")],
}
_AT: Final = {"activity": "activity_date"}  # everything else: when it was made
_DETAIL: Final = {
    "opportunity": "status",
    "contact": "email",
    "activity": "type",
    "document": "document_type",
    "event": "venue",
}


@question(record=text("Record", "Its columns as JSON"), may_change=flag("The viewer's to change"))
def one(noun: str, record_id: UUID) -> Statement:
    """The record with all its columns; no row where there is none that the viewer may see."""
    table = NOUNS[noun].table
    record = _as_json(table)
    return sa.select(
        sa.cast(record, sa.Text).label("record"),
        func.app.may_change(sa.literal(table.name, sa.Text), record).label("may_change"),
    ).where(table.c.id == record_id)


@question(id=identifier(), record=text("Record", "Its columns as JSON"), organizer=text("Organizer"))
def several(noun: str, ids: Sequence[UUID]) -> Statement:
    """These records with all their columns, and whose they are; those that the viewer may not see are left out."""
    table, owner = NOUNS[noun].table, v.organizers
    whose = func.coalesce(owner.c.company_name, "").label("organizer")
    return (
        sa.select(table.c.id, sa.cast(_as_json(table), sa.Text).label("record"), whose)
        .outerjoin(owner, owner.c.id == table.c.organizer_id)
        .where(table.c.id.in_(ids))
    )


@question(kind=text("Kind"), id=identifier(), name=text("Name"))
def names(references: Sequence[tuple[str, str]]) -> Statement:
    """What these (kind, id) are called; those that the viewer may not see are left out."""
    by_kind: dict[str, list[UUID]] = {kind: [] for kind in sorted({kind for kind, _ in references})}
    for kind, which in references:
        by_kind[kind].append(UUID(which))
    parts = [
        sa.select(sa.literal(kind).label("kind"), key.label("id"), name.label("name")).where(key.in_(ids))
        for kind, ids in by_kind.items()
        for key, name in [_named(kind)]
    ]
    return sa.select(sa.union_all(*parts).subquery("named"))


@question(id=identifier(), name=text("Name"), detail=text("Detail", "What tells it from another of the same name"))
def matches(noun: str, words: str, within: str | None = None) -> Statement:
    """A few records that a picker offers for what was typed, as the search finds them; `within`: of this organizer."""
    table, name, owner = NOUNS[noun].table, NOUNS[noun].table.c[NOUNS[noun].named_by], v.organizers
    detail = owner.c.industry if noun == "organizer" else owner.c.company_name
    chosen = sa.select(table.c.id, name.label("name"), func.coalesce(detail, "").label("detail"))
    if noun != "organizer":
        chosen = chosen.outerjoin(owner, owner.c.id == table.c.organizer_id)
        if within is not None:
            chosen = chosen.where(table.c.organizer_id == UUID(within))
    if words and noun == "event":  # which nobody searches elsewhere
        chosen = chosen.where(_holds(name, words))
    elif words:
        found = func.app.matches(sa.literal(table.name, sa.Text), sa.literal(words, sa.Text)).table_valued(
            "record_id", "is_similar", name="found"
        )
        chosen = chosen.where(table.c.id.in_(sa.select(found.c.record_id)))
    return chosen.order_by(func.lower(name), table.c.id).limit(MOST_MATCHES)


@question(id=identifier(), name=text("Name"), detail=text("Detail"))
def people(words: str, among: Sequence[UUID] | None) -> Statement:
    """The people that a picker offers for what was typed; `among` these, or all who work here."""
    found = _working(among)
    if words:
        found = found.where(_holds(v.profiles.c.full_name, words))
    return found.add_columns(sa.literal("").label("detail")).limit(MOST_MATCHES)


@question(id=identifier(), name=text("Name"))
def people_offered(among: Sequence[UUID] | None) -> Statement:
    """Everybody whom a cell of a grid may name: of these, or of all who work here."""
    return _working(among)


@question(id=identifier(), name=text("Stage"), is_closed=flag("Closed"))
def stages_offered() -> Statement:
    """The stages that opportunities may be moved to, in their order."""
    offered = stages.c
    return sa.select(offered.id, offered.name, offered.is_closed).where(offered.is_active).order_by(offered.order_index)


@question(
    noun=text("What"), id=identifier(), name=text("Name"), detail=text("Detail"), at=moment("When"), total=count("All")
)
def related(noun: str, record_id: UUID, most: int = MOST_RELATED) -> Statement:
    """What hangs on the record, the latest first, at most so many of each kind, with how many there are."""
    parts = []
    for child, by in RELATED[noun]:
        table, named_by = NOUNS[child].table.c, NOUNS[child].named_by
        at = table[_AT.get(child, "created_at")]
        detail = table[_DETAIL[child]] if child in _DETAIL else sa.literal("")
        parts.append(
            sa.select(
                sa.literal(child).label("noun"), table.id, table[named_by].label("name"), detail.label("detail"),
                at.label("at"), func.count().over().label("total"),
            )
            .where(table[by] == record_id)
            .order_by(at.desc(), table.id)
            .limit(most)
            .subquery()
        )  # fmt: skip
    together = sa.union_all(*(sa.select(part) for part in parts)).subquery("related")
    return sa.select(together).order_by(together.c.noun, together.c.at.desc(), together.c.id)


@question(
    user_id=identifier("Whose"),
    person=text("Person"),
    period_start=day("Quarter", "Its first day"),
    amount=money("Target", "In the currency that was asked for"),
)
def target_amounts(starts: Sequence[date], currency: str, among: Sequence[UUID] | None) -> Statement:
    """What each person is to win in each of the quarters that start then, a row without an amount where nothing is set.

    `among` these people, or, for who sees all, everybody who sells or leads those who do.
    """
    people, targets = v.profiles.c, v.targets.c
    sells = sa.select(_roles.c.user_id).where(_roles.c.role.in_(("rep", "manager")))
    whose = people.user_id.in_(sells) if among is None else people.user_id.in_(among)
    set_for = sa.and_(targets.user_id == people.user_id, targets.period_start.in_(starts), targets.currency == currency)
    return (
        sa.select(people.user_id, people.full_name.label("person"), targets.period_start, targets.amount)
        .outerjoin(v.targets, set_for)
        .where(people.is_active, whose)
        .order_by(func.lower(people.full_name), people.user_id, targets.period_start)
    )  # fmt: skip


def _holds(name: sa.ColumnElement[str], words: str) -> sa.ColumnElement[bool]:
    """Not by LIKE, in which % and _ are no letters."""
    return func.strpos(func.app.fold(name), func.app.fold(words)) > 0


def _as_json(table: sa.Table) -> sa.ColumnElement[Any]:
    pairs: list[sa.ColumnElement[Any]] = []
    for column in table.c:
        pairs += (
            sa.literal_column(f"'{column.name}'"),
            _moment(column) if isinstance(column.type, sa.DateTime) else column,
        )
    return func.jsonb_build_object(*pairs)


def _moment(column: sa.Column[Any]) -> sa.ColumnElement[str]:
    """The same text whoever looks: JSON says a moment on the clock of the connection."""
    return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')


def _working(among: Sequence[UUID] | None) -> sa.Select[tuple[UUID, str]]:
    people = v.profiles.c
    chosen = sa.select(people.user_id.label("id"), people.full_name.label("name")).where(people.is_active)
    if among is not None:
        chosen = chosen.where(people.user_id.in_(among))
    return chosen.order_by(func.lower(people.full_name), people.user_id)


def _named(kind: str) -> tuple[sa.ColumnElement[UUID], sa.ColumnElement[str]]:
    if kind == "person":
        return v.profiles.c.user_id, v.profiles.c.full_name
    if kind == "stage":
        return stages.c.id, stages.c.name
    table = NOUNS[kind].table.c
    return table.id, table[NOUNS[kind].named_by]
