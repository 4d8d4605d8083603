"""What a change takes along and what stays, in numbers, before anybody says yes."""

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd
import streamlit as st

from app import formats
from app.cache import asking
from app.components.markdown import literal
from app.fields import NOUNS
from app.forms.form import Form
from app.viewer import Viewer
from queries import history

_FEW: Final = 5  # suggestions at once
_NOUNS: Final = {noun.table.name: noun for noun in NOUNS.values()}
_FATES: Final = {
    "goes": "Deleted along with it",
    "stays": "Stays, without it",
    "prevents": "Stays, and so it can’t be deleted: archive it instead",
}


def of_deleting(viewer: Viewer, form: Form, _changed: Callable[[], None]) -> None:
    """What goes along with the records, and what stays."""
    noun, ids = form.purpose.noun, form.purpose.ids
    with asking(viewer) as ask:
        found = pd.concat([ask(history.goes_along, noun.table.name, which) for which in ids])
    for fate, said in _FATES.items():
        if parts := _parts(found[found["fate"] == fate]):
            st.markdown(f"**{said}:** {parts}.")
    if found.empty:
        st.markdown("Nothing hangs on it." if len(ids) == 1 else "Nothing hangs on them.")
    st.caption("It can be undone, here and in the history.")


def of_merging(viewer: Viewer, form: Form, changed: Callable[[], None]) -> None:
    """Which organizers may be the same one, and what moves here from the one that is chosen."""
    noun, kept, key = form.purpose.noun, form.purpose.ids[0], form.key("merged")
    merged = form.typed()["merged"]
    with asking(viewer) as ask:
        alike = ask(history.duplicates, kept).head(_FEW)
        moving = ask(history.goes_along, noun.table.name, merged) if merged else None
    if moving is not None:
        st.markdown(f"**Moves here:** {_parts(moving) or 'nothing, it holds nothing'}.")
        st.caption(
            "Contacts with the same email become one. The other organizer is archived, and it can all be undone."
        )
        return
    if len(alike):
        st.markdown("**These may be the same one:**")

    def choose(other: str) -> None:
        st.session_state[key] = other
        changed()

    for row in alike.itertuples():
        st.button(f"{literal(row.other)} :gray[· {literal(row.why)}]", icon=":material/join_inner:",
                  key=f"{key}.{row.other_id}.alike", type="tertiary", on_click=choose,
                  args=(row.other_id,))  # fmt: skip


def _parts(found: pd.DataFrame) -> str:
    """12 activities, 4 opportunities (2 won)."""
    parts = []
    for table, sums in found.groupby("table_name")[["records", "won"]].sum().iterrows():
        noun = _NOUNS[str(table)]
        won = f" ({sums['won']:,} won)" if sums["won"] else ""
        parts.append(formats.counted(int(sums["records"]), noun.name, noun.plural) + won)
    return ", ".join(parts)


OF: Final[Mapping[str, Callable[[Viewer, Form, Callable[[], None]], None]]] = {
    "delete": of_deleting,
    "merge": of_merging,
}
