"""A record's own page: what it is, all its fields, what hangs on it, and its history with the way back."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import fields, formats
from app.cache import Ask, asking
from app.components import actions, documents, editing, shell, templates
from app.components.markdown import literal
from app.fields import NOUNS, REFERENCES, Field, Noun
from app.viewer import Viewer
from queries import history as past
from queries import record as questions

Stored = Mapping[str, Any]  # its columns as JSON

_FEW: Final = 6  # related records of a kind before the rest folds
_ENTRIES: Final = 10  # changes before the rest folds
_LONGEST: Final = 120  # letters of a value in the history
# Where a record's page is: an organizer has one of its own, an event none.
_ADDRESSES: Final = {
    **{noun: NOUNS[noun].plural for noun in ("opportunity", "contact", "activity", "note", "document", "template")},
    "organizer": "organizer",
}
# What is made from a record's page, and which of its columns the new one begins with.
_MADE_HERE: Final = {
    "opportunity": ("activity", "note"),
    "contact": ("activity", "note"),
    "organizer": ("opportunity", "contact", "activity", "note", "event"),
}


def head(viewer: Viewer, noun: str, record_id: UUID) -> None:
    """The buttons of a record, for a page of its own kind; nothing where it is not the viewer's to change."""
    with asking(viewer) as ask:
        found = ask(questions.one, noun, record_id)
    if len(found):
        stored: Stored = json.loads(found["record"].iloc[0], parse_float=str)
        buttons(viewer, NOUNS[noun], stored, may_change=bool(found["may_change"].iloc[0]))


def page(viewer: Viewer, noun: str, record_id: str | UUID) -> None:
    """Draws the record's page, title included: for the body of a page with `freshness.live` and `editing.opener`.

    `noun` is a name of `app.fields.NOUNS`; an id that nobody has, or somebody else, gets one and the same sentence.
    """
    it = NOUNS[noun]
    which = _id(record_id)
    with asking(viewer) as ask:
        found = ask(questions.one, noun, which) if which else None
        if which is None or found is None or found.empty:
            _not_found(it)
            return
        stored: Stored = json.loads(found["record"].iloc[0], parse_float=str)
        referred = _references(it, stored)
        names = {str(row.id): str(row.name) for row in ask(questions.names, referred).itertuples()} if referred else {}
        hanging = ask(questions.related, noun, which) if noun in questions.RELATED else None
    may_change = bool(found["may_change"].iloc[0])
    _head(viewer, it, stored, names, may_change=may_change)
    left, right = st.columns([3, 2])
    with left:
        _more(viewer, it, stored)
        _fields(viewer, it, stored, names)
    with right:
        if hanging is not None:
            _related(viewer, hanging)
        history(viewer, it, which)


def history(viewer: Viewer, noun: Noun, record_id: UUID) -> None:
    """Who changed which field from what to what, when and why; with "Restore" where the viewer may change it."""
    with asking(viewer) as ask:
        found = ask(questions.one, noun.name, record_id)
        may_change = bool(len(found) and found["may_change"].iloc[0])
        told = ask(past.of_record, noun.table.name, record_id)
        names = _names_in(ask, noun, told)
    entries = [list(group) for _, group in groupby(told.itertuples(), lambda row: row.entry)]
    with st.container(border=True, key="card-record-history"):
        st.subheader("History", anchor=False)
        if not entries:
            st.caption("Nothing is known of how it came here.")
        for entry in entries[:_ENTRIES]:
            _entry(viewer, noun, record_id, entry, names, may_change=may_change)
        if len(entries) > _ENTRIES:
            with st.expander(f"{len(entries) - _ENTRIES} earlier", key="history.earlier", on_change="rerun") as rest:
                for entry in entries[_ENTRIES:] if rest.open else ():
                    _entry(viewer, noun, record_id, entry, names, may_change=may_change)


def link(noun: str, record_id: str, name: str, *, icon: str | None = None) -> None:
    """A link to the record's page; its name alone where its kind has none."""
    if noun in _ADDRESSES:
        st.page_link(
            shell.PAGES / f"{_ADDRESSES[noun]}.py", label=literal(name), icon=icon, query_params={"id": record_id}
        )
    else:
        st.markdown(f"{icon or ''} {literal(name)}")


def opener(noun: str, key: str, ids: Sequence[str], label: str) -> Any:
    """For the table of these records: the column by which each opens its page, or its form where it has none."""

    def open_one() -> None:
        click = st.session_state[key]
        if not click or not 0 <= click["row"] < len(ids):
            return
        if noun in _ADDRESSES:
            st.switch_page(shell.PAGES / f"{_ADDRESSES[noun]}.py", query_params={"id": ids[click["row"]]})
        elif which := _id(ids[click["row"]]):
            editing.open_form(noun, which, NOUNS[noun].title)

    return st.column_config.ButtonColumn(label, type="tertiary", alignment="left", on_click=open_one, key=key)


# Its pieces --------------------------------------------------------------------------------------------------------


def _not_found(noun: Noun) -> None:
    st.title(noun.title, anchor=False)
    st.write(f"This {noun.title.lower()} was not found, or it is not yours to see.")
    if noun.name in _ADDRESSES:
        st.page_link(shell.PAGES / f"{noun.plural}.py", label=f"To all {noun.plural}", icon=":material/arrow_back:")


def _head(viewer: Viewer, noun: Noun, stored: Stored, names: Mapping[str, str], *, may_change: bool) -> None:
    name = name_of(noun, stored)
    st.page_link(
        shell.PAGES / f"{_ADDRESSES[noun.name]}.py", label=noun.plural.capitalize(), icon=":material/arrow_back:"
    )
    st.title(literal(name), anchor=False)
    parents = [
        item for item in noun.fields if item.kind in ("organizer", "opportunity", "contact") and stored[item.name]
    ]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for item in parents:
            link(item.kind, stored[item.name], names.get(stored[item.name], item.label), icon=NOUNS[item.kind].icon)
    buttons(viewer, noun, stored, may_change=may_change)


def buttons(viewer: Viewer, noun: Noun, stored: Stored, *, may_change: bool) -> None:
    """What the viewer can do to the record; an executive, and whoever it is not theirs to change, sees none."""
    if not may_change:
        return
    which, name = UUID(stored["id"]), name_of(noun, stored)
    with st.container(horizontal=True, gap="small", key="record-buttons"):
        editing.edit_button(viewer, noun.name, which, name)
        for action in actions.of(noun, viewer):
            if action.fits(stored):
                editing.action_button(action, noun, [which], name)
        for made in _MADE_HERE.get(noun.name, ()):
            editing.create_button(viewer, made, _preset(noun, stored))
        if noun.name == "opportunity":
            documents.upload_button(viewer, UUID(stored["organizer_id"]), which)


def _preset(noun: Noun, stored: Stored) -> dict[str, str]:
    own = {f"{noun.name}_id": stored["id"]}
    return own if noun.name == "organizer" else {**own, "organizer_id": stored["organizer_id"]}


def _more(viewer: Viewer, noun: Noun, stored: Stored) -> None:
    if noun.name == "document":
        documents.detail(viewer, UUID(stored["id"]))
    elif noun.name == "template":
        templates.more(viewer, stored)


def _fields(viewer: Viewer, noun: Noun, stored: Stored, names: Mapping[str, str]) -> None:
    with st.container(border=True, key="card-fields", gap="small"):
        st.subheader("Details", anchor=False)
        short = [item for item in noun.fields if item.kind != "text"]
        for pair in zip(short[::2], [*short[1::2], None], strict=False):
            for column, item in zip(st.columns(2), pair, strict=True):
                if item:
                    column.markdown(f":small[:gray[{literal(item.label)}]]  \n{_said(viewer, item, stored, names)}")
        for item in noun.fields:
            if item.kind == "text" and stored[item.name]:
                st.markdown(f":small[:gray[{literal(item.label)}]]")
                st.text(stored[item.name])


def _said(viewer: Viewer, item: Field, stored: Stored, names: Mapping[str, str]) -> str:
    value = stored[item.name]
    if item.kind in REFERENCES:
        return literal(names.get(value, formats.MISSING) if value else formats.MISSING)
    if item.kind == "amount" and value is not None:
        currency = stored.get("currency", viewer.organisation.report_currency)
        return literal(formats.money(value, currency))
    return literal(fields.shown(item, value, viewer.time_zone))


def _related(viewer: Viewer, hanging: pd.DataFrame) -> None:
    with st.container(border=True, key="card-related"):
        st.subheader("Belongs to it", anchor=False)
        if hanging.empty:
            st.caption("Nothing yet.")
        for kind, group in groupby(hanging.itertuples(), lambda row: str(row.noun)):
            rows = list(group)
            st.markdown(f"**{NOUNS[kind].plural.capitalize()}** :gray[{formats.count(rows[0].total)}]")
            for row in rows[:_FEW]:
                _line(viewer, kind, row)
            if len(rows) > _FEW:
                with st.expander(f"{len(rows) - _FEW} more", key=f"more.{kind}", on_change="rerun") as rest:
                    for row in rows[_FEW:] if rest.open else ():
                        _line(viewer, kind, row)


def _line(viewer: Viewer, kind: str, row: Any) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        link(kind, row.id, row.name or "Without a title", icon=NOUNS[kind].icon)
        detail = f"{fields.label(row.detail)} · " if row.detail and kind != "contact" else ""
        st.caption(literal(f"{detail}{formats.day(row.at.tz_convert(viewer.time_zone))}"))


def _names_in(ask: Ask, noun: Noun, told: pd.DataFrame) -> dict[str, str]:
    """What the records and people are called that an entry names."""
    kinds = {item.name: item.kind for item in noun.fields if item.kind in REFERENCES}
    named = told[told["field"].isin(kinds)]
    values = {
        (kinds[field], json.loads(value))
        for field, was, now in named[["field", "was", "now"]].itertuples(index=False)
        for value in (was, now)
        if isinstance(value, str) and value != "null"
    }
    found = ask(questions.names, tuple(sorted(values))) if values else pd.DataFrame(columns=["id", "name"])
    return {str(row.id): str(row.name) for row in found.itertuples()}


def _entry(
    viewer: Viewer, noun: Noun, record_id: UUID, rows: list[Any], names: Mapping[str, str], *, may_change: bool
) -> None:
    first = rows[0]
    at = f":gray[{literal(first.who)}, {formats.moment(first.at, viewer.time_zone)}]"
    why = f" :gray[“{literal(first.why)}”]" if isinstance(first.why, str) and first.why else ""
    undone = " :gray[· undone]" if first.is_undone is not pd.NA and first.is_undone else ""
    lines = [line for row in rows if (line := _change(viewer, noun, row, names))] or ["Changed by itself"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("  \n".join([*lines, f"{at}{why}{undone}"]), width="stretch")
        if may_change and first.verb == "update" and any(noun.field(row.field) for row in rows):
            st.button("Restore", icon=":material/restore:", type="tertiary", key=f"restore.{first.entry}",
                      help="Gives back what these fields held before", on_click=editing.restore,
                      args=(noun, record_id, int(first.entry)))  # fmt: skip


def _change(viewer: Viewer, noun: Noun, row: Any, names: Mapping[str, str]) -> str:
    if row.verb != "update":
        return "**Created**" if row.verb == "insert" else "**Deleted**"
    item = noun.field(row.field)
    if item is None or not (item.editable or item.name == "status"):
        return ""  # kept by the database for itself
    was, now = (_told(viewer, item, json.loads(value), names) for value in (row.was or "null", row.now or "null"))
    return f"**{literal(item.label)}** {was} → {now}"


def _told(viewer: Viewer, item: Field, value: Any, names: Mapping[str, str]) -> str:
    if item.kind in REFERENCES and value:
        return literal(names.get(value, "(one that you may not see)"))
    said = fields.shown(item, value, viewer.time_zone)
    return literal(said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…")


def name_of(noun: Noun, stored: Stored) -> str:
    """What a record is called."""
    return str(stored[noun.named_by] or f"{noun.title} without a {noun.named_by}")


def _references(noun: Noun, stored: Stored) -> tuple[tuple[str, str], ...]:
    return tuple(
        (item.kind, stored[item.name]) for item in noun.fields if item.kind in REFERENCES and stored[item.name]
    )


def _id(text: str | UUID) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
