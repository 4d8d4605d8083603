"""Records edited in a grid: keyed by id, only the columns that are meant to be edited, one save for all of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final
from uuid import UUID

import streamlit as st

from app import fields
from app.cache import asking
from app.commands import records, targets
from app.commands.records import Done
from app.components import sheet
from app.components.sheet import Column, Row
from app.fields import NOUNS, Field, Noun
from app.viewer import Viewer
from queries import record as questions
from queries.scope import Period

_MOST_LETTERS: Final = 20_000
_ORGANIZER: Final = Field("organizer", "Organizer", "line", editable=False)


def editor(viewer: Viewer, noun: str, ids: Sequence[str | UUID]) -> None:
    """Draws the editable grid of these records: the noun's fields with `in_grid`, those that the viewer's role may
    change to be typed into. Saves by itself, with its own buttons and sentences."""
    it = NOUNS[noun]
    name = f"{noun}/grid/"
    which = [UUID(str(one)) for one in sheet.rows_kept(name) or ids]
    with asking(viewer) as ask:
        found = ask(questions.several, noun, tuple(which))
        people, stages = ask(questions.people_offered, viewer.team), ask(questions.stages_offered)
    names = {
        "person": {str(row.id): str(row.name) for row in people.itertuples()},
        "stage": {str(row.id): str(row.name) for row in stages.itertuples()},
    }
    columns = _columns(viewer, it, names)
    stored = {
        row.id: json.loads(str(row.record), parse_float=str) | {"organizer": row.organizer}
        for row in found.itertuples()
    }
    rows = {str(one): {column: stored[str(one)][column] for column in columns} for one in which if str(one) in stored}

    def save(by: Viewer, changes: Mapping[str, tuple[Row, Row]], key: UUID) -> Done:
        return records.edit_many(it, by=by, changes={UUID(row): both for row, both in changes.items()}, key=key)

    sheet.draw(viewer, name, f"The grid of {it.plural}", columns, rows, save, it.named_by)


def target_grid(viewer: Viewer, quarters: Sequence[date]) -> None:
    """Draws what each person is to win in each of these quarters, in the report currency; managers and admins type."""
    currency, may_type = viewer.organisation.report_currency, viewer.role in NOUNS["target"].editors
    with asking(viewer) as ask:
        found = ask(questions.target_amounts, tuple(quarters), currency, viewer.team)
    amount = NOUNS["target"].field("amount")
    assert amount is not None  # noqa: S101  (declared in app.fields)
    person = Field("person", "Whose", "line", editable=False)
    columns = {"person": Column(person, st.column_config.TextColumn("Whose", pinned=True), is_editable=False)}
    for quarter in quarters:
        item = replace(amount, name=quarter.isoformat(), required=False)
        heading = f"{Period.of('quarter', quarter, viewer.organisation.fiscal_year_first_month).label}, {currency}"
        columns[item.name] = Column(
            item, st.column_config.NumberColumn(heading, min_value=0, format="localized"), may_type
        )
    rows: dict[str, Row] = {}
    for row in found.itertuples():
        empty = dict.fromkeys(quarter.isoformat() for quarter in quarters)
        cells = rows.setdefault(str(row.user_id), {"person": row.person, **empty})
        if row.amount is not None:
            cells[f"{row.period_start:%Y-%m-%d}"] = str(row.amount)

    def save(by: Viewer, changes: Mapping[str, tuple[Row, Row]], key: UUID) -> Done:
        cells = {
            (UUID(person), date.fromisoformat(quarter)): (base[quarter], given[quarter])
            for person, (base, given) in changes.items()
            for quarter in given
        }
        return targets.set_amounts(by=by, cells=cells, currency=currency, key=key)

    sheet.draw(viewer, "target/grid/", "The grid of targets", columns, rows, save, "person")


def _columns(viewer: Viewer, noun: Noun, names: Mapping[str, Mapping[str, str]]) -> dict[str, Column]:
    editable = {item.name for item in noun.given_by(viewer.role)} if viewer.role in noun.editors else set()
    columns = {
        item.name: Column(item, _config(item, names), item.name in editable) for item in noun.fields if item.in_grid
    }
    first, *others = columns
    organizer = Column(_ORGANIZER, st.column_config.TextColumn(_ORGANIZER.label), is_editable=False)
    return {first: columns[first], "organizer": organizer, **{name: columns[name] for name in others}}


def _config(item: Field, names: Mapping[str, Mapping[str, str]]) -> Any:
    config = st.column_config
    common: dict[str, Any] = {"help": item.help or None}
    match item.kind:
        case "amount":
            return config.NumberColumn(item.label, format="localized", step=0.01, **common)
        case "whole" | "percent":
            return config.NumberColumn(item.label, step=1, **common)
        case "day":
            return config.DateColumn(item.label, format="YYYY-MM-DD", **common)
        case "moment":
            return config.DatetimeColumn(item.label, format="YYYY-MM-DD HH:mm", step=60, **common)
        case "flag":
            return config.CheckboxColumn(item.label, **common)
        case "choice":
            return config.SelectboxColumn(
                item.label, options=item.choices, format_func=lambda one: fields.label(str(one)), **common
            )
        case "person" | "stage":
            known = names[item.kind]
            return config.SelectboxColumn(
                item.label, options=list(known), format_func=lambda one: known.get(str(one), str(one)), **common
            )
        case _:
            return config.TextColumn(item.label, max_chars=item.longest or _MOST_LETTERS, **common)
