"""What a form wants of a record that others may have changed since: merged field by field, or refused with both values.

`base` is what the form showed, `given` what it holds now. Both may come from a draft, as JSON.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import formats
from app.errors import Clash, Clashes, Invalid, InvalidFields
from app.fields import REFERENCES, Field, Noun, read, shown
from app.viewer import Viewer
from queries import vocabulary as v


def merged(
    db: sa.Connection, by: Viewer, noun: Noun, row: Mapping[str, Any], base: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns to write: what `given` changes of `base`, where the row does not hold it already.

    Raises InvalidFields, and Clashes where the row holds neither.
    """
    touched = {name: value for name, value in given.items() if not _identical(value, base[name])}
    values: dict[str, Any] = {}
    clashing: dict[str, Any] = {}
    for name, wanted in read_given(noun, by, touched).items():
        field = noun.field(name)
        assert field  # noqa: S101  (it was read by it)
        was, stored = (_known(field, value, by.time_zone) for value in (base[name], row[name]))
        if _same(wanted, was) or _same(wanted, stored):
            continue
        if not _same(stored, was):
            clashing[name] = wanted
        values[name] = wanted
    if clashing:
        raise clashes(db, by, noun, row, {name: (base[name], wanted) for name, wanted in clashing.items()})
    return values


def read_given(noun: Noun, by: Viewer, given: Mapping[str, Any], *, creating: bool = False) -> dict[str, Any]:
    """What is stored for what was typed; raises InvalidFields with a sentence for each field that is not the viewer's
    to fill in, or can't be stored as it is."""
    values: dict[str, Any] = {}
    refusals: dict[str, str] = {}
    for name, value in given.items():
        field = noun.field(name)
        if field is None:
            refusals[""] = f"{noun.title} has no field called {formats.quoted(name)}."
        elif not field.may_be_given(by.role, creating=creating):
            why = (
                "is not for your role to change"
                if field.may_be_given("admin", creating=creating)
                else "can’t be changed"
            )
            refusals[name] = f"{field.label} {why}."
        else:
            try:
                values[name] = read(field, value, by.time_zone)
            except Invalid as refusal:
                refusals[name] = str(refusal)
    if refusals:
        raise InvalidFields(refusals)
    return values


def clashes(
    db: sa.Connection, by: Viewer, noun: Noun, row: Mapping[str, Any], fields: Mapping[str, tuple[Any, Any]]
) -> Clashes:
    """The refusal that shows, of each of these fields with its base and its wanted value, what is stored meanwhile, and
    who stored it when, as the record's history says."""
    found = []
    for name, (base, yours) in fields.items():
        who, at = _last_change(db, noun, row["id"], name)
        found.append(Clash(name, base, row[name], yours, who, at))
    said = " ".join(_sentence(noun, clash, by.time_zone) for clash in found)
    return Clashes(f"{said} Nothing was saved: choose what shall hold.", found)


def _last_change(db: sa.Connection, noun: Noun, record_id: Any, field: str) -> tuple[str, datetime | None]:
    history = sa.func.app.record_history(noun.table.name, record_id).table_valued("id", "occurred_at", "new", "actor")
    entries = history.c
    people = v.profiles
    found = db.execute(
        sa.select(people.c.full_name, entries.occurred_at)
        .select_from(history.outerjoin(people, people.c.user_id == entries.actor))
        .where(entries.new.op("?")(field))
        .order_by(entries.id.desc())
        .limit(1)
    ).first()
    return (found.full_name or "Somebody", found.occurred_at) if found else ("Somebody", None)


def _sentence(noun: Noun, clash: Clash, time_zone: str) -> str:
    field = noun.field(clash.field)
    assert field  # noqa: S101  (a clash is of a field)
    when = f" on {formats.moment(clash.at, time_zone)}" if clash.at else ""
    if field.kind in REFERENCES or field.kind == "text":
        return f"{clash.who} changed {field.label}{when}."
    theirs, yours = (shown(field, value, time_zone) for value in (clash.theirs, clash.yours))
    return f"{clash.who} changed {field.label} to {theirs}{when}; you have {yours}."


def _known(field: Field, value: Any, time_zone: str) -> Any:
    """A stored or shown value in the form that typed ones are read into; what nobody could type, as it is."""
    try:
        return read(field, value, time_zone)
    except Invalid:
        return value


def _identical(one: Any, other: Any) -> bool:
    return type(one) is type(other) and str(one) == str(other)


def _same(one: Any, other: Any) -> bool:
    """Forms show a moment to the minute, so that its seconds are nobody's change."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        one, other = (value.replace(second=0, microsecond=0) for value in (one, other))
    return bool(one == other)
