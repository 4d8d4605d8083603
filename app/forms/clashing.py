"""Two people changed the same field: both values, who saved the other one and when, and which of them shall hold."""

from typing import Any, Final

import streamlit as st

from app import fields, formats, identity
from app.cache import asking
from app.components.markdown import literal
from app.errors import Clash
from app.fields import Field
from queries import record as questions

_THEIRS: Final = "theirs"
_YOURS: Final = "yours"


def draw(clash: Clash, field: Field, key: str, time_zone: str) -> None:
    """The choice, under the field."""
    saved = "" if clash.at is None else f", {formats.moment(clash.at, time_zone)}"
    words = {
        _THEIRS: f"{_said(field, clash.theirs, time_zone)} :gray[{literal(f'{clash.who} saved it{saved}')}]",
        _YOURS: f"{_said(field, clash.yours, time_zone)} :gray[yours]",
    }
    with st.container(border=True, key=f"{key}.clash".replace(".", "-"), gap="xsmall"):
        st.radio(f":material/call_split: Changed twice. Which {literal(field.label.lower())} holds?",
                 list(words), index=None, format_func=lambda choice: words[choice], key=f"{key}.holds")  # fmt: skip
        if clash.base is not None:
            st.caption(f"It was {_said(field, clash.base, time_zone)}.")


def is_settled(key: str) -> bool:
    """Whether it is chosen for the field with this key which value shall hold."""
    return st.session_state.get(f"{key}.holds") is not None


def takes_theirs(key: str) -> bool:
    """Whether the other one's value was chosen."""
    return bool(st.session_state[f"{key}.holds"] == _THEIRS)


def _said(field: Field, value: Any, time_zone: str) -> str:
    if field.kind in fields.REFERENCES and value is not None:
        with asking(identity.viewer()) as ask:
            found = ask(questions.names, ((field.kind, str(value)),))
        value = found["name"].iloc[0] if len(found) else str(value)
        return f"**{literal(value)}**"
    return f"**{literal(fields.shown(field, value, time_zone))}**"
