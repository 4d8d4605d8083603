"""The History page: changes in words, found by who and what, and the way back."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import Open
from tests.personas import PERSONAS
from tests.tables import given, id_of

EVIL = "![x](http://evil.example/x) **b** :smile: $x$ <b>"


@pytest.fixture
def history(opened: Open) -> Callable[..., AppTest]:
    """history("ada", kind="crm_notes"): the page as she sees it."""

    def history(who: str, **parameters: list[str] | str) -> AppTest:
        app = opened(who).switch_page("../pages/history.py")
        for name, value in parameters.items():
            app.query_params[name] = value
        return app.run()

    return history


@pytest.fixture
def company(owner: Connection, writing_as: Callable[..., Any]) -> Connection:
    """Two changes: Rita made her two deals dearer, Ada deleted Cleo."""
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    given(owner, "crm_contacts", f"id | organizer_id | full_name | email\ncleo | acme | {EVIL} | cleo@acme.example")
    given(
        owner,
        "crm_opportunities",
        """
        id   | organizer_id | name | stage_id | value | assigned_to
        gala | acme         | Gala | Proposal | 100   | rita
        ball | acme         | Ball | Lead     | 50    | rita
    """,
    )
    with writing_as("rita", "Dearer") as db:
        db.exec_driver_sql("update crm_opportunities set value = value + 1")
    with writing_as("ada") as db:
        db.exec_driver_sql("delete from crm_contacts")
    return owner


def plain(text: str) -> str:
    """As it is read: without what keeps it from being Markdown."""
    return text.translate(dict.fromkeys(map(ord, "\\\u2060\u2068\u2069")))


def told(app: AppTest) -> list[str]:
    assert not app.exception
    return [plain(element.value) for element in app.markdown if ":gray[" in element.value]


def button(app: AppTest, label: str) -> Any:
    return next(each for each in app.button if each.label == label)


@pytest.mark.parametrize("who", ["eve", "ada"])
def test_says_who_did_what_and_why(company: Connection, history: Callable[..., AppTest], who: str) -> None:
    app = history(who)
    deleted, dearer, *set_up = told(app)
    assert deleted.startswith(f"Deleted the contact {EVIL}")
    assert dearer.startswith("Changed 2\N{NO-BREAK SPACE}opportunities  \n:gray[Rita, ")
    assert dearer.endswith("] · “Dearer”")
    assert all("(set-up or import)" in line for line in set_up)
    assert ("Undo" in {each.label for each in app.button}) is (who == "ada")


@pytest.mark.parametrize(("chosen", "number"), [
    ({"by": str(PERSONAS["rita"].id)}, 1), ({"kind": "crm_contacts", "did": "delete"}, 1),
    ({"record": str(id_of("gala")), "did": "update"}, 1), ({"by": str(PERSONAS["ravi"].id)}, 0),
    ({"by": "nobody", "kind": "'", "page": "x", "period": "2", "did": "update"}, 1),
])  # fmt: skip
def test_is_found_by_who_and_what(
    company: Connection, history: Callable[..., AppTest], chosen: dict[str, str], number: int
) -> None:  # fmt: skip
    app = history("ada", **chosen)
    assert len(told(app)) == number
    assert len(app.warning) == (4 if chosen.get("by") == "nobody" else 0)


def test_an_admin_undoes_a_change_and_does_it_again(company: Connection, history: Callable[..., AppTest]) -> None:
    values = "select array_agg(value::integer order by value) from crm_opportunities"
    app = history("ada", kind="crm_opportunities", did="update")
    button(app, "Undo").click().run()
    assert company.exec_driver_sql(values).scalar_one() == [50, 100]
    undone, dearer = told(app)
    assert "Undone: Dearer" in undone
    assert "· undone" in dearer
    assert any("2\N{NO-BREAK SPACE}records are as they were" in element.value for element in app.markdown)
    button(app, "Undo").click().run()  # of the undo
    assert company.exec_driver_sql(values).scalar_one() == [51, 101]
    assert "· undone" not in told(app)[-1]


def test_what_stands_on_a_change_is_named(
    company: Connection, history: Callable[..., AppTest], writing_as: Callable[..., Any]
) -> None:  # fmt: skip
    app = history("ada", by=str(PERSONAS["rita"].id))
    with writing_as("max") as db:
        db.exec_driver_sql("update crm_opportunities set value = 7 where name = 'Gala'")
    button(app, "Undo").click().run()
    assert "Max changed value of the opportunity “Gala”" in plain(app.error[0].value)


def test_a_change_opens_with_every_field(company: Connection, history: Callable[..., AppTest]) -> None:
    app = history("eve", kind="crm_opportunities", did="update")
    button(app, "Details").click().run()
    assert not app.exception
    lines = plain("\n".join(element.value for element in app.markdown))
    assert "**Changed** the opportunity Gala  \nValue: 100.00 → 101.00" in lines


def test_what_was_done_to_many_alike_is_told_once(
    company: Connection, history: Callable[..., AppTest], writing_as: Callable[..., Any]
) -> None:  # fmt: skip
    with writing_as("ada") as db:
        db.exec_driver_sql("update crm_opportunities set expected_close_date = '2027-01-02'")
    app = history("ada", kind="crm_opportunities", did="update")
    button(app, "Details").click().run()
    lines = plain("\n".join(element.value for element in app.markdown))
    assert "**Changed** 2\N{NO-BREAK SPACE}opportunities: Gala, Ball  \nExpected close: – → 2 Jan 2027" in lines


def test_is_not_for_reps_and_managers(opened: Open) -> None:
    for who in ("rita", "max"):
        assert [title.value for title in opened(who, page="history").title] == ["This page is not for your role"]
