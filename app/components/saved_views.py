"""The viewer's own names for scopes of a page: choose one, keep the present one, say which the page opens with."""

from typing import Any
from uuid import UUID

import pandas as pd
import streamlit as st

from app import frames
from app.commands import saved_views
from app.components import states
from app.components.address import Address
from app.components.markdown import literal
from app.errors import Invalid
from app.viewer import Viewer

_NAME = "views.name"
_RENAMING = "views.renaming"
_HINT = "Keep the filters as they are now under a name, to come back to them or to open the page with them."


def default_query(views: pd.DataFrame) -> str | None:
    """What the address of the default view says, or None where there is none."""
    chosen = views.loc[views["is_default"].fillna(False).astype(bool), "query"]
    return None if chosen.empty else str(chosen.iloc[0])


def draw(viewer: Viewer, page: str, views: pd.DataFrame, address: Address) -> None:
    """The menu of views; what the address chooses now would be kept."""
    query = address.query()
    current = views.loc[views["query"] == query, "name"]
    with st.popover(literal(current.iloc[0]) if len(current) else "Views", icon=":material/bookmark:", key="views"):
        if views.empty:
            st.caption(_HINT)
        for view in frames.rows(views):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                _row(viewer, page, UUID(view.view_id), view, address)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Name of the present view", key=_NAME, max_chars=80, placeholder="My quarter")
            st.button("Save", key="views.save", on_click=_save, args=(viewer, page, query))


def _row(viewer: Viewer, page: str, view_id: UUID, view: Any, address: Address) -> None:
    key, name = f"views.{view_id}", view.name
    if st.session_state.get(_RENAMING) == view_id:
        st.session_state.setdefault(f"{key}.name", name)
        st.text_input(
            "New name",
            key=f"{key}.name",
            max_chars=80,
            label_visibility="collapsed",
            on_change=_rename,
            args=(viewer, view_id),
        )
        return
    st.button(
        literal(name), key=key, type="tertiary", width="stretch", on_click=address.choose_query, args=(view.query,)
    )
    st.button(
        "",
        icon=":material/keep:" if view.is_default else ":material/keep_off:",
        help="The page opens with this view" if view.is_default else "Open the page with this view",
        key=f"{key}.default",
        type="tertiary",
        on_click=_make_default,
        args=(viewer, page, None if view.is_default else view_id, name),
    )
    st.button(
        "",
        icon=":material/edit:",
        help="Rename",
        key=f"{key}.rename",
        type="tertiary",
        on_click=st.session_state.update,
        kwargs={_RENAMING: view_id},
    )
    st.button(
        "",
        icon=":material/delete:",
        help="Delete",
        key=f"{key}.delete",
        type="tertiary",
        on_click=_delete,
        args=(viewer, view_id, name),
    )


def _save(viewer: Viewer, page: str, query: str) -> None:
    name = st.session_state[_NAME].strip()

    def save() -> None:
        if not name:
            raise Invalid("A view needs a name.", "name")
        saved_views.save(by=viewer, page=page, name=name, query=query)

    states.attempt(save, f"{name} is saved.")
    st.session_state[_NAME] = ""


def _make_default(viewer: Viewer, page: str, view_id: UUID | None, name: str) -> None:
    states.attempt(
        lambda: saved_views.make_default(by=viewer, page=page, view_id=view_id),
        f"The page opens with {name} now." if view_id else "The page opens without a view now.",
    )


def _rename(viewer: Viewer, view_id: UUID) -> None:
    name = st.session_state[f"views.{view_id}.name"].strip()
    st.session_state[_RENAMING] = None
    if name:
        states.attempt(lambda: saved_views.rename(by=viewer, view_id=view_id, name=name), f"It is called {name} now.")


def _delete(viewer: Viewer, view_id: UUID, name: str) -> None:
    states.attempt(lambda: saved_views.delete(by=viewer, view_id=view_id), f"{name} is deleted.")
