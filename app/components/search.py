"""The search box of the shell: over everything that the viewer may see, from every page, with Ctrl K.

Names answer first, then texts; where nothing holds the words, names that are similar. What was found is drawn from
plain data in the browser: a name is text there, whatever it holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import identity
from app.cache import asking
from app.components.list_choice import searched
from app.components.states import failing_well
from app.fields import NOUNS
from app.viewer import Viewer
from queries import search

_HERE: Final = Path(__file__).parent
_PAGES: Final = _HERE.parents[1] / "pages"
_ASKED: Final = "search.asked"
_SHORTEST: Final = 2  # letters: one is in everything
_LAST: Final = 2  # steps after the first
_box = st.components.v2.component(
    "eventos_search",
    html=(_HERE / "search.html").read_text(encoding="utf-8"),
    css=(_HERE / "search.css").read_text(encoding="utf-8"),
    js=(_HERE / "search.js").read_text(encoding="utf-8"),
)


@st.fragment
def box() -> None:
    """The box, wherever it is called; a part of its own, so that typing draws nothing else again."""
    with failing_well("search"):
        words, step = st.session_state.get(_ASKED, ("", 0))
        groups, is_done = _answered(identity.viewer(), words, step) if words else ([], True)
        base = st.get_option("server.baseUrlPath").strip("/")
        _box(
            data={
                "base": f"/{base}" if base else "",
                "words": words,
                "step": step,
                "more": not is_done,
                "groups": groups,
            },
            key="search",
            on_asked_change=_ask,
            on_chosen_change=_open,
        )


def _answered(viewer: Viewer, words: str, step: int) -> tuple[list[dict[str, Any]], bool]:
    """What is found up to this step, by kind, and whether there is nothing more to look for."""
    with asking(viewer) as ask:
        rows = ask(search.found, words, search.NAMES)
        if step > 0:
            rows = pd.concat([rows, ask(search.found, words, search.TEXTS)])
        is_done = step >= _LAST or step > 0 and len(rows) > 0
        alike = step >= _LAST and rows.empty
        if alike:
            rows = ask(search.found, words, (*search.NAMES, *search.TEXTS), alike=True)
    return [_group(noun, of_noun, alike=alike) for noun, of_noun in rows.groupby("noun", sort=False)], is_done


def _group(noun: Any, rows: pd.DataFrame, *, alike: bool) -> dict[str, Any]:
    links = [
        {
            "address": f"/{_page(noun)}?id={row.id}",
            "noun": noun,
            "id": row.id,
            "name": row.label,
            "detail": row.organizer if isinstance(row.organizer, str) else "",
        }
        for row in rows.rename(columns={"name": "label"}).itertuples(index=False)
    ]
    return {"title": f"{NOUNS[noun].plural.capitalize()}{', similar' if alike else ''}", "links": links}


def _page(noun: str) -> str:
    return "organizer" if noun == "organizer" else NOUNS[noun].plural


def _ask() -> None:
    asked: Mapping[str, Any] = st.session_state["search"].asked or {}
    words = searched(str(asked.get("words", "")))
    step = min(max(int(asked.get("step", 0)), 0), _LAST)
    st.session_state[_ASKED] = (words if len(words) >= _SHORTEST else "", step)


def _open() -> None:
    chosen: Mapping[str, Any] = st.session_state["search"].chosen or {}
    noun, which = str(chosen.get("noun")), str(chosen.get("id"))
    if noun in NOUNS:
        st.session_state[_ASKED] = ("", 0)
        st.switch_page(_PAGES / f"{_page(noun)}.py", query_params={"id": str(UUID(which))})
