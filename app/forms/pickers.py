"""The choice of a record or a person by typing some of its name: the server searches, and offers a few."""

from collections.abc import Callable

import streamlit as st

from app import identity
from app.cache import asking
from app.components.markdown import literal
from app.fields import Field
from queries import record as questions

Changed = Callable[[], None]


def draw(field: Field, label: str, key: str, changed: Changed, within: str | None) -> None:
    """What is chosen, with a way to choose another; or a box to type into and the few that match.

    `within`: only what belongs to this organizer. What is chosen stands under `key` in the session, as the id's text.
    """
    with st.container(gap="xsmall"):
        if chosen := st.session_state.get(key):
            _chosen(field, label, key, chosen, changed)
        else:
            _search(field, label, key, changed, within)


def _chosen(field: Field, label: str, key: str, chosen: str, changed: Changed) -> None:
    with asking(identity.viewer()) as ask:
        found = ask(questions.names, ((field.kind, chosen),))
    name = found["name"].iloc[0] if len(found) else f"One that you may not see ({chosen})"
    st.markdown(f":small[{label}]", help=field.help or None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{literal(name)}**", width="stretch")
        st.button("", icon=":material/close:", help=f"Choose another: {field.label}", type="tertiary",
                  key=f"{key}.another", on_click=_choose, args=(key, None, changed))  # fmt: skip


def _search(field: Field, label: str, key: str, changed: Changed, within: str | None) -> None:
    words = st.text_input(label, type="search", live="300ms", key=f"{key}.search", help=field.help or None,
                          placeholder="Type some of the name")  # fmt: skip
    if not words and field.kind != "person" and within is None:
        return  # the first six of a hundred thousand are nobody's choice
    viewer = identity.viewer()
    with asking(viewer) as ask:
        if field.kind == "person":
            found = ask(questions.people, words, viewer.team)
        else:
            found = ask(questions.matches, field.kind, words, None if field.kind == "organizer" else within)
    for row in found.itertuples():
        detail = f" :gray[· {literal(row.detail)}]" if row.detail else ""
        st.button(f"{literal(row.name)}{detail}", type="tertiary", key=f"{key}.{row.id}", wrap=False,
                  on_click=_choose, args=(key, str(row.id), changed))  # fmt: skip
    if found.empty and words:
        st.caption("Nothing that you may see begins like this.")


def _choose(key: str, chosen: str | None, changed: Changed) -> None:
    st.session_state[key] = chosen
    st.session_state.pop(f"{key}.search", None)
    changed()
