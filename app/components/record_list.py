"""A list of records: searched, filtered, sorted, paged; its rows open, and can be chosen for what is done to many.

What is chosen stands in the address; what is shown can be taken away, all rows of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import pandas as pd
import streamlit as st

from app import database, formats, identity, site_map
from app.cache import asking
from app.components import (
    bulk,
    documents,
    drawer,
    editing,
    freshness,
    grid,
    list_bar,
    list_choice,
    record,
    saved_views,
    shell,
    states,
)
from app.components.address import Address
from app.components.list_choice import PAGE, SIZE, SIZES, Chosen, Offer
from app.components.markdown import literal
from app.components.picture import Answer, Empty, Setting, behind, table
from app.fields import NOUNS, Noun, label
from app.viewer import Viewer
from queries import records
from queries.record import names as names_of
from queries.records import REACHED
from queries.saved_views import saved_views as views_of

OPENED: Final = "id"  # in the address: the one record that is shown
_SCREENFUL: Final = 640  # pixels
_TITLE: Final = 60  # letters of a note that has none
_PAGERS: Final = "list.pagers"
_EMPTY: Final[Mapping[str, Empty]] = {
    "opportunity": Empty("No opportunities yet", "Each sale that may come is one. “New opportunity” begins the first."),
    "organizer": Empty("No organizers yet", "The companies that you work with. “New organizer”, or `eventos import`."),
    "contact": Empty("No contacts yet", "The people at your organizers. “New contact” adds one."),
    "activity": Empty("Nothing done or planned yet", "Calls, emails, meetings and tasks. “New activity” logs one."),
    "note": Empty("No notes yet", "What is worth remembering about an organizer, a contact or an opportunity."),
    "document": Empty("No documents yet", "Proposals and contracts are added on an organizer’s page."),
    "template": Empty("No email templates yet", "An admin writes them; stages send them by themselves."),
    "target": Empty("No targets yet", "What each person is to win in a quarter."),
}
_WIDTHS: Final = {"content": 360, "description": 320, "subject": 260, "organizer_id": 200, "email": 220}


@dataclass(frozen=True)
class List:
    """One page of a list with everything that is drawn of it."""

    viewer: Viewer
    noun: Noun
    chosen: Chosen
    offer: Offer
    views: pd.DataFrame
    total: int  # REACHED + 1 for more
    page: int
    rows: Answer

    @property
    def title(self) -> str:
        """The noun's page as the navigation calls it."""
        return next(page.title for pages in site_map.GROUPS.values() for page in pages if page.name == self.noun.plural)

    @property
    def pages(self) -> int:
        """How many pages can be reached."""
        return max(1, -(-min(self.total, REACHED) // self.chosen.size))

    @property
    def setting(self) -> Setting:
        """What a file of it says of itself."""
        report = self.viewer.organisation.report_currency
        return Setting(self.chosen.words, bool(self.chosen.filters), datetime.now(UTC), self.viewer.time_zone, report)


def page(name: str, above: Callable[[Viewer], None] | None = None) -> None:
    """The whole page of a noun: its list, or the record that `?id=` names; `above` draws what comes before the list."""
    noun = NOUNS[name]

    def body() -> None:
        viewer = identity.viewer()
        editing.strips(viewer)
        which = st.query_params.get(OPENED)
        if which and name == "organizer":
            _open_organizer(which)
        elif which:
            record.page(viewer, name, which)
        else:
            _listed(viewer, noun, above)

    freshness.live(body)
    drawer.place({**editing.drawers(), **documents.drawers()})


def _listed(viewer: Viewer, noun: Noun, above: Callable[[Viewer], None] | None) -> None:
    head = st.container(horizontal=True, vertical_alignment="center", key="head")
    place = st.empty()
    with place.container(), st.skeleton(height=_SCREENFUL):  # seen when reading takes over half a second
        found = read(viewer, noun)
    place.empty()
    where = list_choice.address(noun)
    with head:
        st.title(found.title, anchor=False, width="stretch")
        editing.create_button(viewer, noun.name)
        saved_views.draw(viewer, noun.plural, found.views, where)
    if above:
        above(viewer)
    list_bar.draw(noun, found.offer, found.chosen)
    _card(found)


def read(viewer: Viewer, noun: Noun) -> List:
    """What the address asks of the noun's list, read in one round."""
    with asking(viewer) as ask:
        views = ask(views_of, viewer.id, noun.plural)
        parameters = list_choice.address(noun).parameters(lambda: saved_views.default_query(views))
        named = list_choice.named_in(noun, parameters)
        names = _by_kind(ask(names_of, named)) if named else {}
        kinds = tuple(kind for kind in records.OFFERED if any(it.kind == kind for it in list_choice.filters(noun)))
        offer = Offer.of(noun, (_by_kind(ask(records.offered, kinds)) if kinds else {}) | names)
        chosen = list_choice.chosen(viewer, noun, offer, parameters)
        total = int(ask(records.count_of(noun), chosen.wanted)["rows"].iloc[0])
        number = min(chosen.page, max(1, -(-min(total, REACHED) // chosen.size)))
        question = records.rows_of(noun)
        of_page = {"limit": chosen.size, "offset": (number - 1) * chosen.size, "excerpts": True}
        frame = ask(question, chosen.wanted, **of_page)
    shown = dict.fromkeys((noun.named_by, *chosen.columns))
    rows = Answer(
        frame,
        {name: records.units(noun)[name] for name in shown},
        partial(question.sql, chosen.wanted, **of_page),
        partial(_everything, viewer, noun, chosen),
    )
    return List(viewer, noun, chosen, offer, views, total, number, rows)


def _by_kind(rows: pd.DataFrame) -> dict[str, dict[str, str]]:
    named: dict[str, dict[str, str]] = {}
    for kind, key, name in rows.itertuples(index=False):
        named.setdefault(kind, {})[key] = name
    return named


def _everything(viewer: Viewer, noun: Noun, chosen: Chosen) -> pd.DataFrame:
    # A file is made outside any script run and once: with the viewer who asked, and past what is remembered.
    with database.reading(viewer) as db:
        return records.rows_of(noun)(db, chosen.wanted, limit=REACHED)


def _card(found: List) -> None:
    with st.container(border=True, key="card-list"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(_said(found), width="stretch")
            list_bar.columns(found.noun, found.chosen)
            list_bar.view_switch(found.viewer, found.noun, found.chosen)
            if found.total:
                behind("list", found.title, found.rows, found.setting)
        if not found.total:
            _nothing(found)
            return
        if found.rows.frame["is_similar"].any():
            words = literal(found.chosen.wanted.words)
            st.info(f"Nothing holds {words}. These have a similar name.", icon=":material/spellcheck:")
        if found.chosen.is_grid and found.noun.name in list_bar.GRIDS:
            grid.editor(found.viewer, found.noun.name, found.rows.frame["id"].tolist())
        else:
            _rows(found)
        _pages(found)


def _said(found: List) -> str:
    wanted = found.chosen.wanted
    units = records.units(found.noun)
    worth = f" in {wanted.currency} at today's rates" if units[wanted.order].kind == "amount" else ""
    many = formats.counted(found.total, found.noun.title.lower(), found.title.lower())
    if found.total > REACHED:
        many = f"More than {REACHED:,} {found.title.lower()}, of which the first {REACHED:,} can be reached"
    turned = ", descending" if wanted.descending else ""
    return f"{many} · sorted by {units[wanted.order].label.lower()}{worth}{turned} · as of {found.setting.as_of}"


def _nothing(found: List) -> None:
    if found.chosen.filters:
        states.filtered_to_nothing(found.chosen.words, "list.nothing", list_choice.address(found.noun))
    else:
        empty = _EMPTY[found.noun.name]
        states.nothing_yet(empty.what, empty.how)


def _rows(found: List) -> None:
    frame, name = found.rows.frame, found.noun.named_by
    ids = frame["id"].tolist()
    st.session_state["list.ids"] = ids
    opener = st.column_config.ButtonColumn(
        found.rows.columns[name].label, type="tertiary", width=280, alignment="left", pinned=True, help="Opens it",
        on_click=_open, args=(found.noun,), key="list.open",
    )  # fmt: skip
    selected = table(
        # Positions are what is selected: with other rows it is another table, and nothing stays selected.
        f"list.{hash(tuple(ids))}", found.title, _called(found), found.setting, _WIDTHS, {name: opener},
        on_select="rerun", selection_mode="multi-row", height=min(38 + 35 * len(ids), 740),
    )  # fmt: skip
    bulk.bar(found.viewer, found.noun.name, [ids[row] for row in selected.selection.rows if row < len(ids)])


def _called(found: List) -> Answer:
    """The rows as people read them, each with a name that can be clicked."""
    name, frame = found.noun.named_by, found.rows.frame
    called = {name: frame[name].map(formats.day) if found.noun.name == "target" else frame[name]}
    if found.noun.name == "note":  # its title is often left out
        called[name] = frame[name].fillna(frame["content"].str.slice(0, _TITLE))
    for field in found.noun.fields:
        if field.kind == "choice":
            called[field.name] = frame[field.name].map(label, na_action="ignore")
    return replace(found.rows, frame=frame.assign(**called))


def _open(noun: Noun) -> None:
    click, ids = st.session_state["list.open"], st.session_state["list.ids"]
    if not click or click["row"] >= len(ids):
        return
    if noun.name == "organizer":
        _open_organizer(ids[click["row"]])
    st.query_params[OPENED] = ids[click["row"]]


def _open_organizer(which: str) -> None:
    st.switch_page(shell.PAGES / "organizer.py", query_params={OPENED: which})


def _pages(found: List) -> None:
    where = list_choice.address(found.noun)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        key = _pager(found.page)
        st.pagination(found.pages, default=found.page, key=key, on_change=_turned, args=(where, key))
        list_bar.keep("list.size", found.chosen.size)
        st.selectbox(
            "Rows on a page", SIZES, key="list.size", on_change=_resized, args=(where,), width=110,
            label_visibility="collapsed", format_func=lambda size: f"{size} rows",
        )  # fmt: skip


def _pager(number: int) -> str:
    """The key of the pager: another one where something else than the pager chose the page."""
    key = f"list.page.{st.session_state.setdefault(_PAGERS, 0)}"
    if st.session_state.get(key, number) != number:
        st.session_state[_PAGERS] += 1
        key = f"list.page.{st.session_state[_PAGERS]}"
    return key


def _turned(where: Address, key: str) -> None:
    number = st.session_state[key]
    where.choose(**{PAGE: [] if number == 1 else [str(number)]})


def _resized(where: Address) -> None:
    where.choose(**{SIZE: [str(st.session_state["list.size"])], PAGE: []})
