"""What a template has beyond its fields: what may stand in it, and how it reads for somebody real."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import identity
from app.cache import asking
from app.commands import templates as commands
from app.components import letter, states
from app.components.markdown import literal
from app.fields import Field
from app.forms import inputs
from app.viewer import Viewer
from queries import templates as questions
from queries.templates import VARIABLES

_READER: Final = Field("reader", "Preview for", "organizer", help="Anybody whom you may see.")


def aids(viewer: Viewer, given: Mapping[str, Any], key: str = "aids") -> None:
    """Below the fields of a form: the places on offer, those that nothing fills in, and how it would read."""
    with st.expander("What can be filled in", icon=":material/data_object:"):
        for name, meaning in VARIABLES.items():
            st.markdown(f"`{{{{{name}}}}}` {literal(meaning)}")
    _preview(viewer, given, key)


def more(viewer: Viewer, stored: Mapping[str, Any]) -> None:
    """On a template's own page: how it reads for a real organizer."""
    with st.container(border=True, key="card-preview"):
        _preview(viewer, stored, "preview")


def _preview(viewer: Viewer, given: Mapping[str, Any], key: str) -> None:
    subject, body_text, body_html = (str(given.get(name) or "") for name in ("subject", "body_text", "body_html"))
    inputs.draw(_READER, f"{key}.reader", None, lambda: None)
    reader = st.session_state.get(f"{key}.reader")
    organizer = UUID(reader) if reader else UUID(int=0)
    with asking(viewer) as ask:
        # Nobody chosen: the places stay as they are, and what is wrong with them is said all the same.
        row = ask.once(questions.preview, subject, body_text, body_html, organizer, None).iloc[0]
    _said(_lines(row["places"]), _lines(row["missing"]) if reader else [])
    to = f" · to {literal(row['recipient'])}" if isinstance(row["recipient"], str) else ""
    st.markdown(f"**{literal(row['subject'] or 'No subject')}** :gray[{to}]")
    html, text = st.tabs(["HTML", "Text"])
    with html:
        letter.show(row["body_html"], "The email as HTML", f"{key}.html")
    with text:
        st.text(row["body_text"] or "No text: readers without HTML see nothing.")


def _said(places: list[str], missing: list[str]) -> None:
    if unknown := [place for place in places if place not in VARIABLES]:
        st.error(f"Nothing fills in {_named(unknown)}.", icon=":material/error:")
    if empty := [place for place in missing if place in VARIABLES]:
        st.warning(f"For this organizer nothing is known for {_named(empty)}.", icon=":material/help:")
    if unused := [name for name in VARIABLES if name not in places]:
        st.caption(f"Not used: {', '.join(unused)}.".replace("_", "\\_"))


def _named(places: list[str]) -> str:
    return ", ".join(literal(f"{{{{{place}}}}}") for place in places)


def _lines(text: Any) -> list[str]:
    return [] if pd.isna(text) else str(text).split("\n")


def switch(viewer: Viewer) -> None:
    """Whether stages do by themselves what they say; admins turn it on and off."""
    with asking(viewer) as ask:
        is_on = bool(ask(questions.switches)["automatic_actions"].iloc[0])
    key = "automatic.actions"
    st.session_state[key] = is_on
    st.toggle(
        "Automatic actions", key=key, disabled=viewer.role != "admin", on_change=_switched, args=(key,),
        help="When an opportunity enters a stage, the emails and tasks of that stage are written. `eventos deliver`"
        " sends the emails.",
    )  # fmt: skip


def _switched(key: str) -> None:
    viewer, on = identity.viewer(), bool(st.session_state[key])
    states.attempt(
        lambda: commands.switch_automatic_actions(by=viewer, on=on),
        f"Automatic actions are {'on' if on else 'off'}.",
    )
