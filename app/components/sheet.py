"""A grid that is typed into: what it showed, what was typed, and what was refused of that, until it is saved.

The browser may send anything: any column, any row, any value. What counts is what stands in an editable column of a row
that was shown, and the command reads it once more. While something is typed, the rows stay those that were shown,
whatever others save; the command compares with them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from app import fields, formats, identity
from app.cache import asking
from app.commands import drafts
from app.commands.records import Done, by_field
from app.components import editing, states, unsaved
from app.components.markdown import literal
from app.errors import Clash, Invalid, Refused, RowRefusals
from app.fields import Field
from app.forms import clashing
from app.viewer import Viewer
from queries import history

Row = dict[str, Any]
Rows = Mapping[str, Row]
Pending = dict[str, Row]
Save = Callable[[Viewer, Mapping[str, tuple[Row, Row]], UUID], Done]  # by row: what it showed, and what is wanted

_HEIGHT: Final = 560  # pixels before it scrolls
_DTYPES: Final = {"amount": "Float64", "whole": "Int64", "percent": "Int64", "flag": "boolean",
                  "day": "datetime64[s]", "moment": "datetime64[s]"}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of the grid: whose values these are, how Streamlit draws it, and whether it is typed into."""

    field: Field
    config: Any
    is_editable: bool


@dataclass
class Sheet:
    """One grid that somebody has before them."""

    name: str  # under which its draft is kept
    title: str
    columns: Mapping[str, Column]
    time_zone: str
    shown: dict[str, Row] = field(default_factory=dict)
    typed: Pending = field(default_factory=dict)  # before this editor was drawn: on an earlier visit of the page
    kept: Pending = field(default_factory=dict)  # all that is typed, for the next visit
    token: UUID = field(default_factory=uuid4)
    kept_at: datetime | None = None
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the editor."""
        return f"sheet.{self.token}"

    def pending(self) -> Pending:
        """What is typed and not saved, by row and column."""
        found = {row: dict(cells) for row, cells in self.typed.items() if row in self.shown}
        rows = list(self.shown)
        edits = st.session_state.get(self.key, {}).get("edited_rows", {})
        for position, cells in edits.items():
            if 0 <= position < len(rows):
                found.setdefault(rows[position], {}).update(self._allowed(cells))
        changed = {row: self._changed(row, cells) for row, cells in found.items()}
        return {row: cells for row, cells in changed.items() if cells}

    def _allowed(self, cells: Mapping[str, Any]) -> Row:
        return {
            name: _as_typed(self.columns[name].field, value)
            for name, value in cells.items()
            if name in self.columns and self.columns[name].is_editable
        }

    def _changed(self, row: str, cells: Row) -> Row:
        return {name: value for name, value in cells.items() if not self._is_same(name, value, self.shown[row][name])}

    def _is_same(self, name: str, one: Any, other: Any) -> bool:
        item = self.columns[name].field
        try:
            return bool(fields.read(item, one, self.time_zone) == fields.read(item, other, self.time_zone))
        except Invalid:
            return bool(one == other)

    def frame(self) -> pd.DataFrame:
        """The rows as they are drawn, by their keys."""
        rows = [{**row, **self.typed.get(key, {})} for key, row in self.shown.items()]
        columns = {
            name: pd.Series(
                [_cell(column.field, row[name], self.time_zone) for row in rows],
                dtype=_DTYPES.get(column.field.kind, "str"),
                index=list(self.shown),
            )
            for name, column in self.columns.items()
        }
        return pd.DataFrame(columns)

    def clashes(self, now: Rows) -> Iterator[tuple[str, Clash]]:
        """The cells that were refused and that somebody else has changed: the row, and both values."""
        pending = self.pending()
        for row, sentences in self.refused.items():
            for name in sentences:
                if name in pending.get(row, {}) and row in now and now[row][name] != self.shown[row][name]:
                    yield row, Clash(name, self.shown[row][name], now[row][name], pending[row][name], "Somebody", None)

    def cell_key(self, row: str, name: str) -> str:
        """The key of what is drawn about one cell."""
        return f"{self.key}.{row}.{name}"


def rows_kept(name: str) -> list[str] | None:
    """The rows that the grid must go on showing, because something is typed into it; None where nothing is."""
    sheet = st.session_state.get(name)
    return list(sheet.shown) if isinstance(sheet, Sheet) and sheet.pending() else None


def draw(
    viewer: Viewer, name: str, title: str, columns: Mapping[str, Column], rows: Rows, save: Save, named_by: str
) -> None:
    """Draws the grid of these rows, as stored by now; `named_by` is the column by which a sentence names a row."""
    sheet = _open(viewer, name, title, columns, rows)
    pending = sheet.pending()
    if sheet.kept_at:
        st.caption(
            f":material/edit_note: Typed on {formats.moment(sheet.kept_at, viewer.time_zone)} and not saved yet."
        )
    st.data_editor(
        sheet.frame(), key=sheet.key, height=_HEIGHT, hide_index=True, num_rows="fixed", placeholder=formats.MISSING,
        column_config={column: columns[column].config for column in columns},
        disabled=[column for column in columns if not columns[column].is_editable],
        on_change=_keep, args=(sheet,),
    )  # fmt: skip
    _refusals(sheet, rows, named_by)
    with st.container(horizontal=True, vertical_alignment="center"):
        said = formats.counted(len(pending), "row is changed and not saved", "rows are changed and not saved")
        st.caption(said if pending else "Click a cell to change it; nothing is saved until you say so.")
        st.button("Save", type="primary", key=f"{name}.save", disabled=not pending, on_click=_save,
                  args=(sheet, rows, save))  # fmt: skip
        st.button("Discard", key=f"{name}.discard", disabled=not pending, on_click=_discard, args=(sheet,))
    unsaved.guard(bool(pending), f"{name}.guard")


def _open(viewer: Viewer, name: str, title: str, columns: Mapping[str, Column], rows: Rows) -> Sheet:
    sheet = st.session_state.get(name)
    if not isinstance(sheet, Sheet):
        sheet = st.session_state[name] = Sheet(name, title, columns, viewer.time_zone)
        with asking(viewer) as ask:
            kept = ask.once(history.draft, name)
        if len(kept):
            base, draft = json.loads(kept["base"].iloc[0]), kept.iloc[0]
            sheet.shown, sheet.kept = base["shown"], json.loads(draft["given"])
            sheet.token, sheet.kept_at = UUID(base["token"]), draft["saved_at"]
    if sheet.key not in st.session_state:
        sheet.typed = sheet.kept
    if not sheet.pending():
        sheet.shown, sheet.typed, sheet.refused, sheet.kept_at = dict(rows), {}, {}, None
    return sheet


def _refusals(sheet: Sheet, now: Rows, named_by: str) -> None:
    for row, sentences in sheet.refused.items():
        called = literal(sheet.shown.get(row, {}).get(named_by) or "")
        for name, sentence in sentences.items():
            label = sheet.columns[name].field.label if name in sheet.columns else ""
            st.error(" · ".join(part for part in (f"**{called}**" if called else "", label, literal(sentence)) if part),
                     icon=":material/error:")  # fmt: skip
    for row, clash in sheet.clashes(now):
        clashing.draw(clash, sheet.columns[clash.field].field, sheet.cell_key(row, clash.field), sheet.time_zone)


def _keep(sheet: Sheet) -> None:
    sheet.kept = sheet.pending()
    with suppress(Refused):  # what is typed stays in the grid; only its copy is missing
        viewer = identity.viewer()
        if sheet.kept:
            base = {"token": str(sheet.token), "title": sheet.title, "shown": sheet.shown}
            drafts.keep(by=viewer, form=sheet.name, base=base, given=sheet.kept)
        else:
            drafts.discard(by=viewer, form=sheet.name)


def _save(sheet: Sheet, now: Rows, save: Save) -> None:
    viewer, pending = identity.viewer(), sheet.pending()
    for row, clash in list(sheet.clashes(now)):
        cell = sheet.cell_key(row, clash.field)
        if clashing.is_settled(cell):
            sheet.shown[row] = {**sheet.shown[row], clash.field: clash.theirs}
            if clashing.takes_theirs(cell):
                del pending[row][clash.field]
    changes = {row: (_only(sheet.shown[row], cells), cells) for row, cells in pending.items() if cells}
    key = uuid5(sheet.token, json.dumps(changes, sort_keys=True))
    sheet.refused = {}
    try:
        saved = save(viewer, changes, key)
    except RowRefusals as refusal:
        sheet.refused = {str(row): sentences for row, sentences in refusal.rows.items()}
        states.say(str(refusal), well=False)
    except Refused as refusal:
        sheet.refused = {next(iter(changes)): by_field(refusal)} if len(changes) == 1 else {"": {"": str(refusal)}}
    else:
        editing.done(saved)
        _forget(sheet, viewer)


def _discard(sheet: Sheet) -> None:
    states.attempt(lambda: _forget(sheet, identity.viewer()), "What was typed is thrown away.")


def _forget(sheet: Sheet, viewer: Viewer) -> None:
    del st.session_state[sheet.name]
    drafts.discard(by=viewer, form=sheet.name)


def _only(row: Row, cells: Row) -> Row:
    return {name: row[name] for name in cells}


def _as_typed(item: Field, value: Any) -> Any:
    """What the browser sent for a cell, as somebody would type it."""
    if item.kind in ("amount", "whole", "percent") and isinstance(value, int | float) and not isinstance(value, bool):
        exact = Decimal(str(value))
        return f"{exact.normalize():f}" if exact.is_finite() else str(value)
    if item.kind == "day" and isinstance(value, str):
        return value[:10]
    if item.kind == "moment" and isinstance(value, str):
        return value.removesuffix("Z")[:16]  # on the reader's clock, to the minute
    return value


def _cell(item: Field, value: Any, time_zone: str) -> Any:
    """What is stored, or was typed, as the grid draws it; nothing where it can't."""
    if value is None or value == "":
        return None
    with suppress(Invalid):
        read = fields.read(item, value, time_zone)
        match item.kind:
            case "amount":
                return float(read)
            case "moment":
                return read.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
            case "day" if isinstance(read, date):
                return pd.Timestamp(read)
            case "whole" | "percent" | "flag":
                return read
    return None if item.kind in _DTYPES else str(value)
