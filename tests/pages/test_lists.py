"""The pages of lists: what the address asks for, what each person sees, and names that are up to no good."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import Open
from tests.tables import id_of

Given = Callable[[Connection, str, str], None]
EVIL = "![x](http://evil.example/x) **b** :smile: $x$ <b>"
PAGES = {
    "opportunities": "name", "organizers": "company_name", "contacts": "full_name", "activities": "subject",
    "notes": "title", "documents": "file_name", "templates": "name", "targets": "period_start",
}  # fmt: skip


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    """A row of each kind for Rita with a name that is Markdown, and some opportunities to filter."""
    given(owner, "crm_organizers", f"""
        id   | company_name | assigned_to
        acme | {EVIL}       | rita
        elm  | Elm          | olaf
    """)  # fmt: skip
    given(owner, "crm_opportunities", f"""
        organizer_id | name   | stage_id | value | assigned_to
        acme         | {EVIL} | Proposal | 5     | rita
        acme         | Gala   | Won      | 7000  | rita
        elm          | Expo   | Lead     | 80    | olaf
    """)  # fmt: skip
    given(owner, "crm_contacts", f"organizer_id | full_name | email\nacme | {EVIL} | ann@a.example")
    given(owner, "crm_activities", f"organizer_id | subject | type | user_id\nacme | {EVIL} | call | rita")
    given(owner, "crm_notes", f"organizer_id | title | content | created_by\nacme | {EVIL} | {EVIL} | rita")
    given(owner, "crm_email_templates", f"name | subject | body_html\n{EVIL} | {EVIL} | {EVIL}")
    given(owner, "crm_targets", "user_id | period_start | amount\nrita | 2026-01-01 | 5")
    owner.exec_driver_sql(
        "insert into public.crm_documents (organizer_id, file_name, file_type, file_size, storage_path, uploaded_by)"
        " select id, '![x](evil) $x$', 'application/pdf', 5, 'a', assigned_to from public.crm_organizers"
        " where company_name <> 'Elm'"
    )


def errors(app: AppTest) -> list[str]:
    return [*(element.value for element in app.error), *(element.value for element in app.exception)]


def said(app: AppTest) -> str:
    kinds = (app.caption, app.markdown, app.info, app.warning, app.title, app.button)
    texts = [getattr(element, "value", None) or getattr(element, "label", "") for kind in kinds for element in kind]
    return "\n".join(map(str, texts)).replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")


def names(app: AppTest, page: str = "opportunities") -> list[str]:
    return [str(name) for frame in app.dataframe for name in frame.value.get(PAGES[page], [])]


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_list_says_what_will_be_there(opened: Open, owner: Connection, page: str) -> None:
    app = opened("rita", page)
    assert errors(app) == []
    assert " yet" in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_names_are_text(opened: Open, company: None, page: str) -> None:
    app = opened("rita", page, column=[] if page == "targets" else [PAGES[page]])
    assert errors(app) == []
    assert len(names(app, page)) == (2 if page == "opportunities" else 1)
    for element in (*app.markdown, *app.caption, *app.info, *app.warning):
        assert "![x](" not in element.value


def test_each_sees_their_own_rows(opened: Open, company: None) -> None:
    for who, expected in {"rita": ["Gala", EVIL], "olaf": ["Expo"], "eve": ["Expo", "Gala", EVIL]}.items():
        assert sorted(names(opened(who, "opportunities")), key=str.swapcase) == sorted(expected, key=str.swapcase), who


def test_the_address_says_what_is_shown(opened: Open, company: None) -> None:
    app = opened("rita", "opportunities", q="GÁL", value="1000~", order="-value", column=["value"], size="25")
    assert errors(app) == []
    assert [*app.dataframe[0].value.columns] == ["name", "value"]
    assert names(app) == ["Gala"]
    assert "1 opportunity · sorted by value in CAD at today's rates, descending" in said(app)


def test_what_the_address_does_not_know_is_left_out_with_a_notice(opened: Open, company: None) -> None:
    hidden = str(id_of("elm"))
    app = opened(
        "rita", "opportunities", stage_id=["nope"], organizer_id=[hidden], value="NaN~", order="secret",
        column=["total_revenue"], created_at="2025-02-30~", size="7",
    )  # fmt: skip
    assert errors(app) == []
    assert len(app.warning) == 7
    assert len(names(app)) == 2


def test_a_list_filtered_to_nothing_can_be_cleared(opened: Open, company: None) -> None:
    app = opened("rita", "opportunities", q="zzz")
    assert "Nothing matches the filters" in said(app)
    next(button for button in app.button if button.label == "Clear the filters").click().run()
    assert len(names(app)) == 2


def test_a_name_with_a_slip_is_found_and_said_to_be_similar(opened: Open, company: None) -> None:
    app = opened("rita", "opportunities", q="galla")
    assert names(app) == ["Gala"]
    assert "These have a similar name" in said(app)


@pytest.mark.parametrize("which", ["nonsense", str(id_of("nobody's"))])
def test_a_record_that_is_not_there_says_so(opened: Open, company: None, which: str) -> None:
    app = opened("rita", "notes", id=which)
    assert errors(app) == []
    assert len(app.dataframe) == 0
