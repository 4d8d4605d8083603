"""Lists of records: one page of rows in any order, how many there are, and all of them for a file.

What a list shows and filters by is declared in `app.fields`; here stand the columns that a list begins with, its order,
and whose the rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import ARRAY, Boolean, Column, ColumnElement, Uuid, func

from app.fields import NOUNS, Field, Noun
from queries import scoped
from queries import vocabulary as v
from queries.question import Question, Statement, question
from queries.stages import stages
from queries.units import Kind, Unit, count, flag, identifier, text

REACHED: Final = 100_000  # rows that are counted, paged through and put into a file; who has more, narrows
OFFERED: Final = ("currency", "person", "stage")  # kinds of fields whose choices are rows
_EXCERPT: Final = 300  # letters of a long text in a list; a file has all of it
_KINDS: Final[Mapping[str, Kind]] = {
    "amount": "amount",
    "whole": "count",
    "percent": "count",
    "day": "day",
    "moment": "moment",
    "flag": "flag",
}
_ADDRESS: Final = ("street", "city", "province", "postal_code", "country")


@dataclass(frozen=True)
class Listing:
    """How the list of a noun begins: columns and order; `owner` is the column of whose the rows are, if they have one.

    `with_organizer`: rows of somebody's organizers are theirs as well.
    """

    columns: tuple[str, ...]
    order: str
    descending: bool = False
    owner: str | None = None
    with_organizer: bool = True
    searched: bool = True


LISTINGS: Final[Mapping[str, Listing]] = {
    "opportunity": Listing(
        ("name", "organizer_id", "stage_id", "value", "currency", "probability", "expected_close_date", "assigned_to",
         "created_at"),
        "created_at", descending=True, owner="assigned_to",
    ),
    "organizer": Listing(
        ("company_name", "status", "industry", "company_size", "assigned_to", "engagement_score", "last_activity_at",
         "tags"),
        "company_name", owner="assigned_to", with_organizer=False,
    ),
    "contact": Listing(
        ("full_name", "organizer_id", "title", "email", "phone", "is_decision_maker", "vip_status",
         "last_contact_date"),
        "full_name",
    ),
    "activity": Listing(
        ("subject", "type", "activity_date", "organizer_id", "contact_id", "user_id", "task_status", "due_date"),
        "activity_date", descending=True, owner="user_id",
    ),
    "note": Listing(
        ("title", "content", "organizer_id", "created_by", "is_pinned", "created_at"), "created_at", descending=True
    ),
    "document": Listing(
        ("file_name", "document_type", "version", "organizer_id", "file_size", "is_signed", "uploaded_by",
         "created_at"),
        "created_at", descending=True,
    ),
    "template": Listing(
        ("name", "category", "subject", "is_active", "created_by", "updated_at"), "name", with_organizer=False
    ),
    "target": Listing(
        ("period_start", "user_id", "amount", "currency", "updated_at"),
        "period_start", descending=True, owner="user_id", with_organizer=False, searched=False,
    ),
}  # fmt: skip
_NOT_LISTED: Final = frozenset(("body_html", "body_text", "event_id"))  # too long, or a platform's own
# In the report currency, as the refresh has computed it; every other amount is in the currency that its row names.
_REPORTED: Final = frozenset(("total_revenue", "lifetime_value"))
# Never empty: both directions of their order are one index's.
_NEVER_EMPTY: Final = frozenset(
    ("created_at", "updated_at", "activity_date", "period_start", "name", "company_name", "full_name", "file_name")
)


@dataclass(frozen=True)
class Wanted:
    """What is asked of a list.

    `words`: all of these, in any order; `among`: a column with any of these values, None for empty; `between`: a column
    from one value to another, None for open; days on the organisation's calendar also for moments. `limited_to`: whose
    rows a rep or manager sees at all, as in `queries.scope.Scope`. Amounts in several currencies are ordered by what
    they are worth in `currency` at the rates of `on_day`; those without a rate come last.
    """

    order: str
    currency: str
    on_day: date
    descending: bool = False
    words: str = ""
    among: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    between: tuple[tuple[str, Any, Any], ...] = ()
    limited_to: tuple[UUID, ...] | None = None
    time_zone: str = "UTC"


def fields(noun: Noun) -> tuple[Field, ...]:
    """The columns that a list of the noun can show, filter and sort by."""
    return tuple(field for field in noun.fields if field.name not in _NOT_LISTED)


@cache
def units(noun: Noun) -> Mapping[str, Unit]:
    """The columns of a list and what they hold; of a reference, its name."""
    return {field.name: _unit(field) for field in fields(noun)}


def _unit(field: Field) -> Unit:
    if field.name in _REPORTED:
        return Unit("money", field.label, field.help)
    label = f"{field.label} %" if field.kind == "percent" else field.label
    return Unit(_KINDS.get(field.kind, "text"), label, field.help)


@cache
def rows_of(noun: Noun) -> Question[Any]:
    """The question for the rows of the noun's list: `rows_of(noun)(db, wanted, limit=…, offset=…)`.

    One row per record: its id, whether only its name is similar to the words, and the columns of `units`.
    """

    def rows(wanted: Wanted, limit: int = REACHED, offset: int = 0, excerpts: bool = False) -> Statement:
        found = _found(noun, wanted)
        all_rows = _Named(noun, _rows(noun, wanted, found), wanted)
        page = all_rows.ordered(sa.select(all_rows.source), [wanted.order]).limit(limit).offset(offset)
        named = _Named(noun, page.subquery("page"), wanted)
        alike: ColumnElement[bool] = sa.false()
        if found is not None:
            alike = func.coalesce(sa.select(func.bool_or(found.c.is_similar)).scalar_subquery(), sa.false())
        columns = [named.shown(field, excerpts=excerpts).label(field.name) for field in fields(noun)]
        chosen = sa.select(named.source.c.id, alike.label("is_similar"), *columns)
        return named.ordered(chosen, list(units(noun)))

    rows.__name__ = f"rows of {noun.plural}"
    columns = {"id": identifier(noun.title), "is_similar": flag("Similar"), **units(noun)}
    return question(**columns)(rows)


@cache
def count_of(noun: Noun) -> Question[Any]:
    """The question for how many rows the noun's list has, exact up to REACHED, one more where there are more."""

    def counted(wanted: Wanted) -> Statement:
        rows = _rows(noun, wanted, _found(noun, wanted))
        first = sa.select(sa.literal(1)).select_from(rows).limit(REACHED + 1).subquery("first")
        return sa.select(func.count().label("rows")).select_from(first)

    counted.__name__ = f"count of {noun.plural}"
    return question(rows=count("Rows", f"At most {REACHED + 1}"))(counted)


@question(kind=text("Kind"), key=identifier("Value"), label=text("Label"))
def offered(kinds: tuple[str, ...]) -> Statement:
    """What filters of the kinds (of OFFERED) offer: stages in their order, people who work here, currencies in use."""
    people = v.profiles.c
    used = sa.select(v.opportunities.c.currency).distinct().subquery("used")
    every = {
        "stage": (stages.c.id, stages.c.name, stages.c.order_index),
        "person": (people.user_id, people.full_name, sa.literal(0)),
        "currency": (used.c.currency, used.c.currency, sa.literal(0)),
    }
    parts = sa.union_all(
        *(
            sa.select(sa.literal(kind).label("kind"), sa.cast(key, sa.Text).label("key"), label.label("label"),
                      place.label("place"))
            for kind in kinds
            for key, label, place in [every[kind]]
        )
    ).subquery("offered")  # fmt: skip
    return sa.select(parts.c.kind, parts.c.key, parts.c.label).order_by(
        parts.c.kind, parts.c.place, func.lower(parts.c.label), parts.c.key
    )


# Whose rows, which of them, in which order ----------------------------------------------------------------------


def _found(noun: Noun, wanted: Wanted) -> sa.CTE | None:
    """The records that hold the words, asked for once a statement."""
    if not wanted.words:
        return None
    matches = func.app.matches(str(noun.table.name), wanted.words).table_valued(
        Column("record_id", Uuid), Column("is_similar", Boolean), name="matches"
    )
    return sa.select(matches).cte("found")


def _rows(noun: Noun, wanted: Wanted, found: sa.CTE | None) -> sa.Subquery:
    """The list's rows, one part for whose they are: each finds an index, and an "or" of them finds none."""
    table, listing = noun.table, LISTINGS[noun.name]
    names = ("id", *units(noun))
    chosen = sa.select(*(table.c[name] for name in names)).where(*_conditions(noun, wanted))
    if found is not None:
        # As an array, looked up by key: joined, PostgreSQL would guess a thousand and walk all rows in their order.
        keys = sa.cast(sa.select(func.array_agg(found.c.record_id)).scalar_subquery(), ARRAY(Uuid))
        chosen = chosen.where(table.c.id == sa.any_(keys))
    parts = [chosen]
    if wanted.limited_to is not None and (listing.owner or listing.with_organizer):
        parts = [chosen.where(mine) for mine in _whose(noun, wanted.limited_to)]
    return sa.union_all(*parts).subquery(noun.plural)


def _whose(noun: Noun, team: tuple[UUID, ...]) -> list[ColumnElement[bool]]:
    table, listing = noun.table, LISTINGS[noun.name]
    mine = [table.c[listing.owner] == sa.any_(scoped.ids(team))] if listing.owner else []
    if not listing.with_organizer:
        return mine
    own = sa.select(v.organizers.c.id).where(v.organizers.c.assigned_to == sa.any_(scoped.ids(team)))
    theirs: ColumnElement[bool] = table.c.organizer_id.in_(own)
    if listing.owner:
        owner = table.c[listing.owner]
        theirs = sa.and_(theirs, sa.or_(owner.is_(None), owner != sa.all_(scoped.ids(team))))
    return [*mine, theirs]


def _conditions(noun: Noun, wanted: Wanted) -> list[ColumnElement[bool]]:
    table = noun.table
    conditions = []
    for name, values in wanted.among:
        column, known = table.c[name], [value for value in values if value is not None]
        either: list[ColumnElement[bool]] = [column.in_(known)] if known else []
        conditions.append(sa.or_(*either, *([column.is_(None)] if None in values else [])))
    for name, first, last in wanted.between:
        column, is_moment = table.c[name], isinstance(table.c[name].type, sa.DateTime)
        if first is not None:
            conditions.append(column >= (_start(first, wanted.time_zone) if is_moment else first))
        if last is not None and is_moment:
            conditions.append(column < _start(last + timedelta(days=1), wanted.time_zone))
        elif last is not None:
            conditions.append(column <= last)
    return conditions


def _start(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(time_zone))


class _Named:
    """A list's rows, with what their references are called and the keys of every order."""

    def __init__(self, noun: Noun, source: sa.Subquery, wanted: Wanted) -> None:
        self.source, self._wanted = source, wanted
        self._fields = {field.name: field for field in fields(noun)}
        self._references = {
            name: reference for name, field in self._fields.items() if (reference := _reference(field, source))
        }
        if units(noun)[wanted.order].kind == "amount":
            self._references[wanted.order] = _worth(source, wanted.order, wanted)

    def shown(self, field: Field, *, excerpts: bool) -> ColumnElement[Any]:
        """What a cell shows."""
        column = self.source.c[field.name]
        if reference := self._references.get(field.name):
            return reference.name
        match field.kind:
            case "tags":
                return func.array_to_string(column, ", ")
            case "address":
                return func.concat_ws(", ", *(column[part].astext for part in _ADDRESS))
            case "text" if excerpts:
                return func.left(column, _EXCERPT)
        return column

    def ordered(self, chosen: sa.Select[Any], names: Sequence[str]) -> sa.Select[Any]:
        """The rows in the order that is wanted, joined with what these references are called."""
        wanted = self._wanted
        together: sa.FromClause = self.source
        for name in names:
            if reference := self._references.get(name):
                together = together.outerjoin(reference.table, reference.is_it)
        keys = [self._key(self._fields[wanted.order]), self.source.c.id]
        if wanted.descending:
            keys = [key.desc() for key in keys]
        if wanted.order not in _NEVER_EMPTY:
            keys[0] = keys[0].nulls_last()
        return chosen.select_from(together).order_by(*keys)

    def _key(self, field: Field) -> ColumnElement[Any]:
        if reference := self._references.get(field.name):
            return reference.key
        match field.kind:
            case "choice":
                return func.array_position(sa.cast(list(field.choices), ARRAY(sa.Text)), self.source.c[field.name])
            case "line" | "text" | "email" | "phone" | "web_address" | "address":
                return func.app.fold(self.shown(field, excerpts=False))
        return self.source.c[field.name]


@dataclass(frozen=True)
class _Reference:
    table: sa.FromClause
    is_it: ColumnElement[bool]
    name: ColumnElement[Any]
    key: ColumnElement[Any]


def _reference(field: Field, source: sa.Subquery) -> _Reference | None:
    """What the field's column refers to; None where it is no reference."""
    column = source.c[field.name]
    if field.kind == "person":
        people = v.profiles.alias(field.name)
        name = scoped.name_of(column, people, nobody=None)
        return _Reference(people, people.c.user_id == column, name, func.app.fold(name))
    if field.kind == "stage":
        stage = stages.alias(field.name)
        return _Reference(stage, stage.c.id == column, stage.c.name, stage.c.order_index)
    if field.kind not in ("organizer", "contact", "opportunity"):
        return None
    noun = NOUNS[field.kind]
    other = noun.table.alias(field.name)
    called = other.c[noun.named_by]
    return _Reference(other, other.c.id == column, called, func.app.fold(called))


def _worth(source: sa.Subquery, name: str, wanted: Wanted) -> _Reference:
    """What the amount is worth in the wanted currency, as the key of an order; shown as it is."""
    rates, amount = scoped.rates(wanted.currency, wanted.on_day, wanted.on_day), source.c[name]
    return _Reference(rates, rates.c.currency == source.c.currency, amount, amount * rates.c.rate)
