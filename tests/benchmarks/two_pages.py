"""The entry of `served`: what app/main.py does, with an empty page to come from."""

import streamlit as st

from app import identity
from app.components import shell, states


def elsewhere() -> None:
    st.title("Elsewhere")


shell.set_up()
with states.failing_well("app"):
    identity.signed_in()
    pages = [
        st.Page(elsewhere, title="Elsewhere", default=True),
        st.Page(shell.PAGES / "pipeline.py", title="Pipeline", url_path="pipeline"),
    ]
    chosen = st.navigation(pages, position="hidden")
    with st.sidebar:
        for page in pages:
            st.page_link(page)
    chosen.run()
