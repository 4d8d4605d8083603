"""What was refused, said at the field that it was about; what was typed stays as it is."""

from collections.abc import Collection
from typing import Final

import streamlit as st

from app.components.markdown import literal
from app.errors import Invalid, InvalidFields, Refused

_REFUSED: Final = "refused"


def keep(refusal: Refused) -> None:
    """For a callback: the next run says it at its field."""
    if isinstance(refusal, InvalidFields):
        st.session_state[_REFUSED] = refusal.fields
        return
    field = refusal.field if isinstance(refusal, Invalid) else None
    st.session_state[_REFUSED] = {field or "": str(refusal)}


def forget() -> None:
    """For a callback: what was refused before is settled."""
    st.session_state[_REFUSED] = {}


def at(field: str = "") -> None:
    """Where the field's sentence stands, if there is one; without a field, that of the whole."""
    with st.container():  # see states.outcome
        if sentence := st.session_state.get(_REFUSED, {}).get(field):
            st.error(literal(sentence), icon=":material/error:")


def named() -> list[str]:
    """The fields of which something was refused."""
    return [field for field in st.session_state.get(_REFUSED, {}) if field]


def rest(fields: Collection[str]) -> None:
    """Where everything stands that is about none of these fields."""
    for field in st.session_state.get(_REFUSED, {}):
        if field not in fields:
            at(field)
