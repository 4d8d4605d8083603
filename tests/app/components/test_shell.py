from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import app


def script() -> None:
    from datetime import date
    from uuid import UUID

    import streamlit as st

    from app.components import shell
    from app.site_map import Page
    from app.viewer import Organisation, Viewer

    viewer = Viewer(
        id=UUID(int=1), email="rita@example.com", full_name="Rita [x](y)", role="rep", role_version="1", team=(),
        time_zone="America/Toronto", organisation=Organisation("Northern Lights", "CAD", "America/Toronto", 1),
        today=date(2025, 11, 22),
    )  # fmt: skip
    groups = {
        "Review": [Page("pipeline", "Pipeline", ":material/filter_alt:", "", frozenset({"rep", "admin"}))],
        "Administration": [Page("stages", "Stages", ":material/tune:", "", frozenset({"admin"}))],
    }
    chosen, menu = shell.navigation(viewer, groups)
    shell.sidebar(viewer, menu)
    st.caption(chosen.title)
    if chosen.url_path:
        chosen.run()


def test_a_role_is_shown_its_own_pages_and_groups() -> None:
    found = AppTest.from_function(script).run()
    assert not found.exception
    assert [link.proto.label for link in found.get("page_link")] == ["Pipeline"]
    said = [caption.value for caption in found.caption]
    assert "Review" in said
    assert "Administration" not in said
    assert "\\[x\\]\\(y\\)" in found.get("popover")[0].proto.popover.label


def test_another_role_s_address_says_so_and_does_not_crash() -> None:
    found = AppTest.from_function(script)
    found._page_hash = calc_hash("stages")
    found.run()
    assert not found.exception
    assert found.title[0].value == "This page is not for your role"


def test_no_folder_beside_the_entry_is_a_way_past_it() -> None:
    assert not (Path(app.__file__).parent / "pages").exists()
    assert PagesManager(str(Path(app.__file__).with_name("main.py"))).uses_pages_directory is False
