"""The parts of a page that are drawn again on their own: their keys for `st.rerun`."""

from typing import Final

import streamlit as st
from streamlit.errors import StreamlitAPIException

BODY: Final = "page"
OPENER: Final = "drawer"
RECORDS: Final = "records"


def draw_again(*parts: str) -> None:
    """For a callback: draws these parts again, or the whole page where one of them is not there yet."""
    try:
        st.rerun(list(parts))
    except StreamlitAPIException:
        st.rerun()
