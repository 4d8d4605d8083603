"""The records behind something that was clicked, in a drawer at the side.

Whoever is clicked calls `open_at` in its callback; `place` stands once on the page and opens what was asked for. The
drawer is no part of the page's body, so that the body can be drawn again beneath it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import streamlit as st

from app.components.fragments import BODY, OPENER, RECORDS, draw_again
from app.components.markdown import literal
from app.components.states import failing_well

WIDTH: Final = 920  # pixels to begin with; the reader may drag its edge

_ASKED: Final = "drawer.asked"
_OPEN: Final = "drawer.open"
_CLOSINGS: Final = "drawer.closings"
_PICKED: Final = "drawer.picked"

Records = Callable[[str], None]


def open_at(kind: str, what: str, title: str) -> None:
    """For a callback: opens the drawer of that kind at the record or group `what`."""
    st.session_state[_ASKED] = kind, what, title
    draw_again(OPENER)


def close() -> None:
    """For a callback: draws the whole page, and that closes the drawer; no line after it is reached."""
    st.session_state[_OPEN] = False
    st.rerun()


def is_open() -> bool:
    """Whether the viewer has a drawer open."""
    return bool(st.session_state.get(_OPEN))


def chart_key(key: str) -> str:
    """The key for a chart that opens the drawer: another one after each closing, so that nothing stays selected there
    and the same bar can be clicked again."""
    return f"{key}.{st.session_state.get(_CLOSINGS, 0)}"


def note_pick(key: str, selection: Sequence[object]) -> bool:
    """For a callback: notes what is selected in the chart of that key, and says whether somebody has just done so."""
    # A click beside a chart that a closing has just taken away brings along once more what had been selected there.
    before, st.session_state[_PICKED] = st.session_state.get(_PICKED), (key, list(selection))
    is_drawn = key == chart_key(key.rpartition(".")[0])
    return bool(selection) and (is_drawn or before != (key, list(selection)))


def place(contents: Mapping[str, Records]) -> None:
    """Where the drawers of a page open, beside its body; `contents` draws each kind."""
    st.session_state[_OPEN] = False  # the whole page is drawn, and that closes an open one

    @st.fragment(key=OPENER)
    def opener() -> None:
        if asked := st.session_state.pop(_ASKED, None):
            kind, what, title = asked
            st.session_state[_OPEN] = True
            st.dialog(literal(title), width=WIDTH, position="right", on_dismiss=_closed)(_drawn)(contents[kind], what)

    opener()


def _drawn(records: Records, what: str) -> None:
    @st.fragment(key=RECORDS)
    def content() -> None:
        with failing_well(RECORDS):
            records(what)

    content()


def _closed() -> None:
    st.session_state[_OPEN] = False
    st.session_state[_CLOSINGS] = st.session_state.get(_CLOSINGS, 0) + 1
    draw_again(BODY)
