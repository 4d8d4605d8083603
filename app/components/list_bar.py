"""What stands above a list of records: search, filters, order, columns; each shows the choice and changes it."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import streamlit as st

from app.components import list_choice
from app.components.address import Address
from app.components.list_choice import BETWEEN, COLUMN, GRID, ORDER, PAGE, SHOWN_AS, WORDS, Chosen, Offer
from app.components.markdown import literal
from app.fields import REFERENCES, Field, Noun
from app.viewer import Viewer
from queries import records
from queries.records import LISTINGS

GRIDS: Final = frozenset(("opportunity", "contact", "activity"))
_FIRST: Final = ("stage_id", "status", "type", "document_type", "category", "assigned_to", "user_id")  # not in a menu
_FIRST_DAY: Final = date(1900, 1, 1)  # what the database takes
_LAST_DAY: Final = date(2200, 12, 31)
_WIDE: Final = 260  # pixels


def keep(key: str, value: Any) -> None:
    """Before its widget: makes it show the value, and touches nothing where it does; somebody may be typing there."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value


def draw(noun: Noun, offer: Offer, chosen: Chosen) -> None:
    """The bar, in one row that wraps, and what of the address was left out."""
    where = list_choice.address(noun)
    first = [item for item in list_choice.filters(noun) if item.name in _FIRST]
    rest = [item for item in list_choice.filters(noun) if item.name not in _FIRST]
    with st.container(horizontal=True, vertical_alignment="bottom", key="list-bar", gap="small"):
        if LISTINGS[noun.name].searched:
            _search(chosen, where)
        for item in first:
            _choice(item, offer, chosen, where, 150)
        _menu(rest, offer, chosen, where)
        _order(noun, chosen, where)
        if chosen.filters:
            icon = ":material/filter_alt_off:"
            st.button("Clear", icon=icon, type="tertiary", on_click=where.clear, key="list.clear")
    for sentence in chosen.ignored:
        st.warning(literal(sentence), icon=":material/link_off:")


def view_switch(viewer: Viewer, noun: Noun, chosen: Chosen) -> None:
    """List or grid, for those who may change something and nouns that have one."""
    if noun.name not in GRIDS or viewer.role not in noun.editors:
        return
    icons = {"list": ":material/list:", GRID: ":material/grid_on:"}
    keep("list.as", GRID if chosen.is_grid else "list")
    st.segmented_control(
        "Shown as", list(icons), format_func=icons.__getitem__, required=True, key="list.as", on_change=_shown_as,
        args=(list_choice.address(noun),), label_visibility="collapsed",
    )  # fmt: skip


def _shown_as(where: Address) -> None:
    where.choose(**{SHOWN_AS: [GRID] if st.session_state["list.as"] == GRID else []})


def _search(chosen: Chosen, where: Address) -> None:
    keep("list.words", chosen.wanted.words)
    st.text_input(
        "Search", type="search", key="list.words", max_chars=200, width=200, on_change=_searched, args=(where,),
        placeholder="Names, words …", help="All words, in any order, also only begun. Accents and case don’t matter.",
    )  # fmt: skip


def _searched(where: Address) -> None:
    words = list_choice.searched(st.session_state["list.words"] or "")
    where.choose(**{WORDS: [words] if words else [], PAGE: []})


def _menu(items: list[Field], offer: Offer, chosen: Chosen, where: Address) -> None:
    used = {name for name, *_ in (*chosen.wanted.among, *chosen.wanted.between)}
    number = len(used & {item.name for item in items})
    label = f"Filters: {number}" if number else "Filters"
    with st.popover(label, icon=":material/filter_alt:", key="list.filters", on_change="rerun") as menu:
        if not menu.open:
            return
        with st.grid(2, min_column_width=_WIDE, gap="small"):
            for item in items:
                if item.kind in BETWEEN:
                    _span(item, chosen, where)
                elif item.kind not in REFERENCES - list_choice.CHOSEN_FROM or item.name in used:
                    _choice(item, offer, chosen, where, _WIDE)


def _choice(item: Field, offer: Offer, chosen: Chosen, where: Address, width: int) -> None:
    labels: Mapping[str, str] = offer.labels[item.name]
    key, values = f"list.{item.name}", chosen.keys(item)
    keep(key, values)
    st.multiselect(
        item.label, list(labels), format_func=lambda value: labels.get(value, value), key=key, placeholder="All",
        on_change=_chose, args=(item.name, where), width=width,
    )  # fmt: skip


def _chose(name: str, where: Address) -> None:
    where.choose(**{name: st.session_state[f"list.{name}"], PAGE: []})


def _span(item: Field, chosen: Chosen, where: Address) -> None:
    first, last = next((bounds for name, *bounds in chosen.wanted.between if name == item.name), (None, None))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        for end, value, label in (("first", first, f"{item.label} from"), ("last", last, "to")):
            key = f"list.{item.name}.{end}"
            keep(key, _shown(item, value))
            common: dict[str, Any] = {"key": key, "on_change": _spanned, "args": (item, where), "width": "stretch"}
            if item.kind in ("day", "moment"):
                st.date_input(label, min_value=_FIRST_DAY, max_value=_LAST_DAY, format="YYYY-MM-DD", **common)
            else:
                least, most, step = (0.0, 9e15, 1000.0) if item.kind == "amount" else (0, 2**31, 1)
                st.number_input(label, min_value=least, max_value=most, step=step, **common)


def _shown(item: Field, value: Any) -> Any:
    return float(value) if value is not None and item.kind == "amount" else value


def _spanned(item: Field, where: Address) -> None:
    first, last = (st.session_state[f"list.{item.name}.{end}"] for end in ("first", "last"))
    text = list_choice.span_text(*(f"{end:.2f}" if isinstance(end, float) else end for end in (first, last)))
    where.choose(**{item.name: [text] if text else [], PAGE: []})


def _order(noun: Noun, chosen: Chosen, where: Address) -> None:
    units, wanted = records.units(noun), chosen.wanted
    names = list(dict.fromkeys((noun.named_by, *chosen.columns, wanted.order)))
    keep("list.order", wanted.order)
    st.selectbox(
        "Sort by", names, format_func=lambda name: units[name].label, key="list.order", on_change=_ordered,
        args=(where, wanted.descending), width=150,
    )  # fmt: skip
    st.button(
        "", icon=":material/arrow_downward:" if wanted.descending else ":material/arrow_upward:", key="list.turn",
        help="The largest, latest or last first" if wanted.descending else "The smallest, earliest or first first",
        on_click=_ordered, args=(where, not wanted.descending),
    )  # fmt: skip


def _ordered(where: Address, descending: bool) -> None:
    where.choose(**{ORDER: [f"{'-' if descending else ''}{st.session_state['list.order']}"], PAGE: []})


def columns(noun: Noun, chosen: Chosen) -> None:
    """The menu of the columns that are shown."""
    where = list_choice.address(noun)
    with st.popover(
        "Columns", icon=":material/view_column:", key="list.columns", type="tertiary", on_change="rerun"
    ) as menu:
        if not menu.open:
            return
        units = records.units(noun)
        keep("list.shown", list(chosen.columns))
        st.multiselect(
            "Columns, in their order", list(units), format_func=lambda name: units[name].label, key="list.shown",
            on_change=_showed, args=(noun, where), width=2 * _WIDE, help="The name is always there.",
        )  # fmt: skip


def _showed(noun: Noun, where: Address) -> None:
    names = tuple(st.session_state["list.shown"])
    where.choose(**{COLUMN: [] if names == LISTINGS[noun.name].columns else names})
