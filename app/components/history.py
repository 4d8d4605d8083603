"""The History page: the audit as changes, each whole and with the way back, found by who, what and when."""

import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import fields, formats, identity
from app.cache import Ask, asking
from app.components import drawer, editing, states
from app.components.address import Address, Reading
from app.components.markdown import literal
from app.components.picture import Answer, Setting, behind
from app.fields import NOUNS, REFERENCES, Field, Noun
from app.viewer import Viewer
from queries import history as questions
from queries import record
from queries.history import Changes

PERIODS: Final = {"7": "Last 7 days", "30": "Last 30 days", "90": "Last 90 days", "365": "Last year", "all": "All time"}
VERBS: Final = {"insert": "Added", "update": "Changed", "delete": "Deleted"}
_OF_TABLES: Final = {noun.table.name: noun for noun in NOUNS.values()}
_NAMES: Final = {
    **{table: (noun.name, noun.plural) for table, noun in _OF_TABLES.items()},
    "crm_pipeline_stages": ("stage", "stages"),
    "crm_stage_changes": ("stage probability", "stage probabilities"),
    "crm_exchange_rates": ("exchange rate", "exchange rates"),
    "crm_forecast_adjustments": ("forecast adjustment", "forecast adjustments"),
    "crm_profiles": ("person", "people"),
    "crm_user_roles": ("role", "roles"),
    "crm_settings": ("setting", "settings"),
    "crm_organizer_scores": ("score", "scores"),
    "crm_organizer_health": ("health score", "health scores"),
    "crm_outbox": ("email", "emails"),
}
_PAGE: Final = 25
_KINDS: Final = 4  # of records in a sentence
_NAMED: Final = 6  # of records that were changed alike
_LONGEST: Final = 200  # letters of a value
_ADDRESS: Final = Address("history", ("period", "by", "kind", "did", "record", "page"))


@dataclass(frozen=True)
class _Chosen:
    """What is looked for, in words too, and from which row on."""

    period: str
    who: str | None
    kind: str | None
    did: str | None
    record_id: UUID | None
    page: int
    people: Mapping[str, str]
    ignored: tuple[str, ...]

    @property
    def asked(self) -> Changes:
        """What the question needs."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = None if self.period == "all" else today - timedelta(days=int(self.period))
        who = UUID(self.who) if self.who else None
        return Changes(since=since, person=who, table=self.kind, verb=self.did, record_id=self.record_id)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the period narrows it."""
        return any((self.who, self.kind, self.did, self.record_id))

    @property
    def words(self) -> str:
        """The filters as people say them."""
        who = [f"by {self.people[self.who]}"] if self.who else []
        kind = [f"of {_NAMES[self.kind][1]}"] if self.kind else []
        did = [VERBS[self.did].lower()] if self.did else []
        record = ["of one record"] if self.record_id else []
        return " · ".join([PERIODS[self.period], *who, *kind, *did, *record])


# The page ----------------------------------------------------------------------------------------------------------


def head() -> None:
    """The title."""
    st.title("History", anchor=False)
    st.caption("Everything that anybody changed, the latest first. What was done in one go is one change.")


def changes(viewer: Viewer) -> None:
    """The filters, and the changes that they leave, a page of them."""
    with asking(viewer) as ask:
        chosen = _chosen(ask)
        asked = chosen.asked, _PAGE + 1, chosen.page * _PAGE
        found = ask(questions.changes, *asked)
    _filters(chosen)
    for sentence in chosen.ignored:
        st.warning(literal(sentence), icon=":material/link_off:")
    shown = found.head(_PAGE)
    shown = shown.assign(what=[_summed(row) for row in shown.itertuples()])
    answer = Answer(shown, questions.changes.columns, partial(questions.changes.sql, *asked))
    currency = viewer.organisation.report_currency
    setting = Setting(chosen.words, chosen.is_filtered, datetime.now(UTC), viewer.time_zone, currency)
    with st.container(border=True, key="card-changes"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader("Changes", anchor=False, width="stretch")
            behind("changes", "Changes", answer, setting)
        if shown.empty:
            _nothing(chosen)
        for row in shown.itertuples():
            _line(viewer, row)
    _pages(chosen, more=len(found) > _PAGE)


def _chosen(ask: Ask) -> _Chosen:
    people = {str(row.person_id): str(row.person) for row in ask(questions.people).itertuples()}
    read = Reading(_ADDRESS.parameters(lambda: None))
    wanted = (("period", PERIODS, "a period"), ("by", people, "a person"), ("kind", _NAMES, "a kind of record"),
              ("did", VERBS, "something done"))  # fmt: skip
    period, who, kind, did = (read.one(name, _one_of(known), what) for name, known, what in wanted)
    return _Chosen(
        period or "30", who, kind, did, read.one("record", UUID, "a record"),
        max(0, read.one("page", int, "a page") or 0), people, tuple(read.ignored),
    )  # fmt: skip


def _one_of(known: Container[str]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in known:
            raise KeyError(value)
        return value

    return read


def _filters(chosen: _Chosen) -> None:
    offered = (
        ("period", "When", PERIODS, chosen.period), ("by", "Who", chosen.people, chosen.who),
        ("kind", "Of what", {table: many.capitalize() for table, (_, many) in _NAMES.items()}, chosen.kind),
        ("did", "What", VERBS, chosen.did),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="history-bar"):
        for name, label, options, value in offered:
            key = f"history.{name}"
            if st.session_state.get(key) != value:
                st.session_state[key] = value
            st.selectbox(label, list(options), format_func=options.__getitem__, key=key, placeholder="All", width=180,
                         index=None if name != "period" else 0, on_change=_choose, args=(name,))  # fmt: skip
        if chosen.is_filtered:
            st.button("Clear", icon=":material/filter_alt_off:", type="tertiary", key="history.clear",
                      on_click=_ADDRESS.clear)  # fmt: skip


def _choose(name: str) -> None:
    value = st.session_state[f"history.{name}"]
    _ADDRESS.choose(**{name: [value] if value else [], "page": []})


def _nothing(chosen: _Chosen) -> None:
    if chosen.is_filtered:
        with st.container(horizontal_alignment="center", height=220, border=False, vertical_alignment="center"):
            st.markdown("**Nothing matches the filters**", text_alignment="center", width="content")
            st.caption(literal(chosen.words), text_alignment="center", width="content")
    else:
        states.nothing_yet("What people change will stand here", "Nobody has changed anything in this time.")


def _line(viewer: Viewer, row: Any) -> None:
    change, sentence = int(row.change), str(row.what)
    said, ways = st.columns([5, 1.5], vertical_alignment="center", gap="small")
    why = f" · “{literal(row.why)}”" if isinstance(row.why, str) and row.why else ""
    undone = " · undone" if row.is_undone else ""
    who = f":gray[{literal(row.who)}, {formats.moment(row.at, viewer.time_zone)}]"
    said.markdown(f"{literal(sentence)}{undone}  \n{who}{why}")
    with ways.container(horizontal=True, horizontal_alignment="right", gap="small"):
        st.button("Details", type="tertiary", key=f"details.{change}", on_click=drawer.open_at,
                  args=("change", str(change), sentence))  # fmt: skip
        if viewer.role == "admin" and not row.is_undone:
            st.button("Undo", icon=":material/undo:", type="tertiary", key=f"undo.{change}",
                      on_click=editing.undo_change, args=(change,))  # fmt: skip


def _summed(row: Any) -> str:
    """Changed 20 opportunities, 2 organizers; deleted 1 note. One record with its name."""
    parts = sorted(json.loads(row.what), key=lambda part: -part[2])
    if isinstance(row.record, str) and len(parts) == 1:
        verb, table, _ = parts[0]
        return f"{VERBS[verb]} the {_names(table)[0]} {row.record}"
    said = []
    for verb, word in VERBS.items():
        kinds = [formats.counted(number, *_names(table)) for done, table, number in parts if done == verb]
        rest = [f"{len(kinds) - _KINDS} more kinds"] if len(kinds) > _KINDS else []
        said += [f"{word.lower()} {', '.join([*kinds[:_KINDS], *rest])}"] if kinds else []
    sentence = "; ".join(said)
    return sentence[:1].upper() + sentence[1:]


def _names(table: str) -> tuple[str, str]:
    return _NAMES.get(table, (table, table))


def _pages(chosen: _Chosen, *, more: bool) -> None:
    with st.container(horizontal=True, horizontal_alignment="center", gap="small"):
        for label, page, there in (("Later", chosen.page - 1, chosen.page > 0), ("Earlier", chosen.page + 1, more)):
            if there:
                st.button(label, key=f"history.{label}", on_click=_turn, args=(page,))


def _turn(page: int) -> None:
    _ADDRESS.choose(page=[str(page)] if page else [])


# One change --------------------------------------------------------------------------------------------------------


def change(number: str) -> None:
    """The drawer of one change: every record of it, field by field, and the way back."""
    viewer = identity.viewer()
    with asking(viewer) as ask:
        told = ask(questions.of_change, int(number))
        names = _names_in(ask, told)
    if told.empty:
        st.caption("This change is not for you to see.")
        return
    first = next(told.itertuples())
    st.markdown(f"{literal(first.who)}, {formats.moment(first.at, viewer.time_zone)}")
    if isinstance(first.why, str) and first.why:
        st.markdown(f"“{literal(first.why)}”")
    if first.is_undone:
        st.caption("This was undone.")
    elif viewer.role == "admin":
        st.button("Undo all of it", icon=":material/undo:", type="primary", key="change.undo", on_click=_undo,
                  args=(int(number),))  # fmt: skip
    alike: dict[tuple[str, str, str], list[Any]] = {}
    for _, entry in groupby(told.itertuples(), lambda row: row.entry):
        rows = list(entry)
        alike.setdefault(_said(viewer, rows, names), []).append(rows[0].record)
    for (verb, table, lines), records in alike.items():
        st.markdown(f"**{VERBS[verb]}** {_named(table, records)}{lines}")
    if len(told) == questions.MOST_FIELDS:
        st.caption(f"The first {questions.MOST_FIELDS} fields of it.")


def _undo(number: int) -> None:
    editing.undo_change(number)
    drawer.close()


def _said(viewer: Viewer, rows: list[Any], names: Mapping[str, str]) -> tuple[str, str, str]:
    """What was done to one record, so that many to which the same was done are told at once."""
    first = rows[0]
    noun = _OF_TABLES.get(first.table_name)
    lines = [_field(viewer, noun, row, names) for row in rows] if first.verb == "update" else []
    return first.verb, first.table_name, "".join(f"  \n{line}" for line in lines)


def _named(table: str, records: list[Any]) -> str:
    one, many = _names(table)
    named = [literal(record) for record in records if isinstance(record, str)]
    rest = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    start = f"the {one}" if len(records) == 1 else formats.counted(len(records), one, many)
    return f"{start}{' ' if len(records) == 1 else ': ' if named else ''}{', '.join(named[:_NAMED])}{rest}"


def _field(viewer: Viewer, noun: Noun | None, row: Any, names: Mapping[str, str]) -> str:
    item = noun.field(row.field) if noun else None
    was, now = (_told(viewer, item, json.loads(value), names) for value in (row.was or "null", row.now or "null"))
    return f"{literal(item.label if item else fields.label(row.field))}: {was} → {now}"


def _told(viewer: Viewer, item: Field | None, value: Any, names: Mapping[str, str]) -> str:
    if item is None:
        said = formats.MISSING if value is None else str(value)
    elif item.kind in REFERENCES and value:
        said = names.get(value, "(gone)")
    else:
        said = fields.shown(item, value, viewer.time_zone)
    return literal(said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…")


def _names_in(ask: Ask, told: pd.DataFrame) -> dict[str, str]:
    """What the records and people are called that the change names."""
    named = {
        (item.kind, str(json.loads(value)))
        for row in told[told["verb"] == "update"].itertuples()
        if (noun := _OF_TABLES.get(str(row.table_name)))
        and (item := noun.field(str(row.field)))
        and item.kind in REFERENCES
        for value in (row.was, row.now)
        if isinstance(value, str) and value != "null"
    }
    found = ask(record.names, tuple(sorted(named))) if named else pd.DataFrame(columns=["id", "name"])
    in_it = {str(row.record_id): str(row.record) for row in told.itertuples() if isinstance(row.record, str)}
    return in_it | {str(row.id): str(row.name) for row in found.itertuples()}
