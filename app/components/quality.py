"""The pieces of the Data quality page: how many rows have which problem, and the rows themselves with their remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import pandas as pd
import streamlit as st

from app import formats
from app.components import scope_bar, states
from app.components.health import ORGANIZER
from app.components.markdown import literal
from app.components.picture import Answer, Setting, behind, table
from app.components.review import SCREENFUL, Reading, reading
from queries.quality import PROBLEMS, Problem

PAGE: Final = "quality"
SHOWN: Final = 1000  # rows of a list, the first ones
PROBLEM: Final = "problem"  # in the address
_COUNTS: Final = ("rows", "title", "effect")
_ROWS: Final = ("record", "detail", "organizer", "owner")
_FILE: Final = ("record", "table_name", "title", "detail", "remedy", "organizer", "owner")


@contextmanager
def opened() -> Iterator[Reading]:
    """Draws the page's title, and yields a reading of all that is the viewer's: no filter means anything here."""
    states.outcome()
    st.title("Data quality", anchor=False)
    with st.skeleton(height=SCREENFUL), reading(PAGE, scope_bar.NAMES) as read:
        yield read


def chosen(problems: pd.DataFrame) -> Problem | None:
    """The problem in the address, or the most harmful one that is there; None where there is none."""
    named = st.query_params.get(PROBLEM, "")
    if named in PROBLEMS:
        return named
    there = problems.loc[problems["rows"] > 0, "problem"]
    return None if there.empty else cast("Problem", there.iloc[0])


def counts(problems: Answer, setting: Setting) -> None:
    """Every problem that there is with its number of rows; a click on it shows them."""
    frame = problems.frame
    there = frame[frame["rows"] > 0].reset_index(drop=True)
    clean = frame.loc[frame["rows"] == 0, "title"]
    with st.container(border=True, key="card-problems"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader("What makes the numbers less than true", anchor=False, width="stretch")
            behind("problems", "Data quality", problems, setting)
        if there.empty:
            states.nothing_yet(
                "Nothing to put right", f"{len(frame)} kinds of problems were looked for in what you may see."
            )
            return
        st.caption(
            f"{formats.counted(int(there['rows'].sum()), 'row')} with {formats.counted(len(there), 'problem')},"
            f" of {len(frame)} that are looked for · what you may see, as of {setting.as_of}"
        )
        st.session_state["problems.shown"] = there["problem"].tolist()
        config = st.column_config
        table(
            "problems", "Problems", Answer(there, {name: problems.columns[name] for name in _COUNTS}, problems.sql),
            setting, {"effect": 620},
            {
                "title": config.ButtonColumn(
                    "Problem", type="tertiary", width=330, alignment="left", help="Shows its rows",
                    on_click=_choose, key="problems.open",
                )
            },
        )  # fmt: skip
        if len(clean):
            with st.expander(f"{formats.counted(len(clean), 'problem')} looked for and not found"):
                st.caption(" · ".join(clean))


def _choose() -> None:
    click, shown = st.session_state["problems.open"], st.session_state["problems.shown"]
    if click and click["row"] < len(shown):
        st.query_params[PROBLEM] = shown[click["row"]]


def rows(problem: Problem, found: Answer, setting: Setting) -> None:
    """The rows with the problem, what it does and what ends it; a click on one opens its organizer."""
    title, effect, remedy = PROBLEMS[problem]
    frame = found.frame
    total = 0 if frame.empty else int(frame["total"].iloc[0])
    with st.container(border=True, key="card-rows"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(title, anchor=False, width="stretch")
            behind("rows", title, found.only(_FILE), setting)
        st.markdown(f"{effect} **What ends it:** {remedy}")
        if frame.empty:
            states.nothing_yet("None any more", "Every row of yours that had this problem has been put right.")
            return
        first = "" if len(frame) == total else f", the first {len(frame):,} below; a file has all of them"
        st.caption(f"{formats.counted(total, 'row')} of {literal(frame['table_name'].iloc[0])}{first}")
        names = [name for name in _ROWS if not frame[name].fillna("").eq("").all()]
        if frame["table_name"].iloc[0] == "crm_organizers":
            names.remove("organizer")
        columns = {}
        if frame["organizer_id"].notna().all():
            st.session_state["rows.ids"] = frame["organizer_id"].tolist()
            columns["record"] = st.column_config.ButtonColumn(
                found.columns["record"].label, type="tertiary", width=260, alignment="left",
                help="Opens the organizer’s page", on_click=_open, key="rows.open",
            )  # fmt: skip
        table("rows", title, found.only(names), setting, {"record": 260, "detail": 260, "organizer": 220}, columns)


def _open() -> None:
    click, ids = st.session_state["rows.open"], st.session_state["rows.ids"]
    if click and click["row"] < len(ids):
        st.switch_page(ORGANIZER, query_params={"id": ids[click["row"]]})
