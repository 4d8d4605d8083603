"""What a page shows when it has no answer: nothing yet, filtered to nothing, or failed."""

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from app.components import scope_bar
from app.components.address import Address
from app.components.markdown import literal
from app.errors import Refused

_log = logging.getLogger(__name__)


def nothing_yet(what: str, how: str) -> None:
    """An empty place that says what will be here and how to get it there."""
    with st.container(horizontal_alignment="center", height=220, border=False, vertical_alignment="center"):
        st.markdown(f"**{what}**", text_alignment="center", width="content")
        st.caption(how, text_alignment="center", width="content")


def filtered_to_nothing(filters: str, key: str, address: Address = scope_bar.ADDRESS) -> None:
    """An empty place that says which filters left nothing, and offers to clear them."""
    with st.container(horizontal_alignment="center", height=220, border=False, vertical_alignment="center"):
        st.markdown("**Nothing matches the filters**", text_alignment="center", width="content")
        st.caption(literal(filters), text_alignment="center", width="content")
        st.button("Clear the filters", icon=":material/filter_alt_off:", on_click=address.clear, key=f"{key}.clear")


def attempt(change: Callable[[], None], done: str) -> None:
    """For a callback: makes the change; the next `outcome` says that it is done, or why not."""
    with trying():
        change()
        say(done)


@contextmanager
def trying() -> Iterator[None]:
    """For a callback: the next `outcome` says what goes wrong in the block, and the block ends there."""
    try:
        yield
    except Refused as refusal:
        say(str(refusal), well=False)
    except Exception:  # noqa: BLE001  (the last resort)
        say(_logged(), well=False)


def say(sentence: str, *, well: bool = True) -> None:
    """For a callback: the next `outcome` says this."""
    st.session_state["outcome"] = well, sentence


def outcome() -> None:
    """Says once what became of the last attempt."""
    # What comes and goes has a place of its own, here and elsewhere, which is there without it too: a field that moves
    # down is built anew, and loses what is being typed into it.
    with st.container():
        if said := st.session_state.pop("outcome", None):
            well, sentence = said
            if well:
                st.toast(literal(sentence), icon=":material/check:")
            else:
                st.error(literal(sentence), icon=":material/error:")


@contextmanager
def failing_well(place: str) -> Iterator[None]:
    """Shows what goes wrong in the block as one sentence with a way on; the details go to the log, under an id."""
    try:
        yield
    except Refused as refusal:
        _failed(str(refusal), place)
    except Exception:  # noqa: BLE001  (the last resort)
        _failed(_logged(), place)


def _logged() -> str:
    error_id = secrets.token_hex(4)
    _log.exception("error %s", error_id)
    return f"Something went wrong here that should not. Nothing was lost. Tell whoever runs this: error {error_id}."


def _failed(sentence: str, place: str) -> None:
    st.error(literal(sentence), icon=":material/error:")
    st.button("Try again", icon=":material/refresh:", key=f"{place}.retry")
