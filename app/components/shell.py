"""What stands around every page: navigation by role, whose dashboard it is, who looks, and the way in and out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import streamlit as st

from app import identity
from app.components import address, links, search, states
from app.components.links import Link
from app.components.markdown import literal
from app.site_map import Groups, first_page
from app.viewer import Role, Viewer

PAGES: Final = Path(__file__).parents[2] / "pages"
MARK: Final = Path(__file__).with_name("mark.svg")
STYLE: Final = Path(__file__).with_name("style.css")
SIDEBAR: Final = 216  # pixels: the names of the pages; the rest is for the pages
PLURALS: Final[Mapping[Role, str]] = {
    "executive": "Executives",
    "manager": "Managers",
    "rep": "Sales reps",
    "admin": "Admins",
}


def set_up() -> None:
    """The window's title and icon, and the look that the theme can't give."""
    st.set_page_config(page_title="EventOS", page_icon=str(MARK), layout="wide", initial_sidebar_state=SIDEBAR)
    st.html(STYLE)


def navigation(viewer: Viewer, groups: Groups) -> tuple[st.Page, Mapping[str, list[st.Page]]]:
    """The page to show, and the pages of the viewer's role by group.

    Every page has one address, whoever looks. The address of another role's page leads to a page that says so.
    """
    pages = [page for members in groups.values() for page in members]
    shown = {
        page.name: st.Page(
            PAGES / f"{page.name}.py", title=page.title, icon=page.icon, help=page.help, url_path=page.name
        )
        for page in pages
        if viewer.role in page.roles
    }
    others = [
        st.Page(_not_for_this_role, title=page.title, url_path=page.name) for page in pages if page.name not in shown
    ]

    def begin() -> None:
        # The browser has been sent on before it came here, see `app.asgi.FrontDoor`; unless nobody could say where to.
        st.switch_page(shown[first_page(viewer.role, groups)], query_params=st.query_params)

    # Streamlit takes the address from the page that it opens first: so that is none of ours.
    chosen = st.navigation([st.Page(begin, title="EventOS", default=True), *shown.values(), *others], position="hidden")
    address.visiting(chosen.url_path)
    menu = {group: [shown[page.name] for page in members if page.name in shown] for group, members in groups.items()}
    return chosen, {group: members for group, members in menu.items() if group and members}


def _not_for_this_role() -> None:
    st.title("This page is not for your role", anchor=False)
    st.write("Choose another one in the navigation, or ask an admin to change your role.")


def sidebar(viewer: Viewer, menu: Mapping[str, list[st.Page]]) -> None:
    """The organisation, its pages (Streamlit's own menu hides where there is one), who looks, and the way out."""
    st.logo(str(MARK), size="large")
    with st.sidebar:
        st.markdown(f"**{literal(viewer.organisation.name)}**")
        search.box()
        for group, pages in menu.items():
            with st.container(gap=None):
                st.caption(group)
                for page in pages:
                    st.page_link(page, width="stretch")
        with st.popover(literal(viewer.full_name), icon=":material/account_circle:", width="stretch", key="account"):
            st.caption(f"{viewer.role.title()} · {literal(viewer.email)}")
            sign_in = identity.local()
            if sign_in is None or not sign_in.only:
                links.draw([Link("/sign-out", "Continue as somebody else")], key="sign-out")


def welcome() -> None:
    """The page "Continue as …" of the embedded database, with everybody who may sign in."""
    with st.container(horizontal_alignment="center"), st.container(width=760, key="welcome"):
        st.image(str(MARK), width=48, alt="")
        st.title("Continue as …", anchor=False)
        people = identity.people()
        if not people:
            states.nothing_yet(
                "Nobody works here yet", "`eventos demo` makes a company with people, `eventos import` brings one."
            )
            return
        st.write(
            "This dashboard runs on your own machine, on its own database. Everybody below works here; "
            "you see what the one you choose may see."
        )
        for role, plural in PLURALS.items():
            if members := [person for person in people if person.role == role]:
                st.subheader(plural, anchor=False)
                cards = [Link(f"/continue-as/{person.id}", person.full_name, person.email) for person in members]
                links.draw(cards, key=f"continue-{role}")
