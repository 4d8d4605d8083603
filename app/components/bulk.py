"""What can be done to several records at once."""

from collections.abc import Sequence
from uuid import UUID

import streamlit as st

from app import formats
from app.components import actions, editing
from app.fields import NOUNS
from app.viewer import Viewer


def bar(viewer: Viewer, noun: str, ids: Sequence[str | UUID]) -> None:
    """The actions on these records as a row of buttons; nothing where the viewer may do none, or nothing is chosen."""
    it, chosen = NOUNS[noun], tuple(UUID(str(one)) for one in ids)
    offered = [action for action in actions.of(it, viewer) if action.many]
    if not chosen or not offered:
        return
    called = formats.counted(len(chosen), it.name, it.plural)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="bulk-bar"):
        st.markdown(f"**{called}**")
        for action in offered:
            editing.action_button(action, it, chosen, called)
