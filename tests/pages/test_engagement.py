from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests.conftest import Given
from tests.pages.conftest import LOOKING, Open, errors, metrics, said
from tests.personas import PERSONAS

GAP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def company(owner: Connection, given: Given) -> Connection:
    """Rita's account was spoken to an hour ago, Ravi's never; each has a task."""
    given(owner, "crm_organizers", """
        id    | company_name     | industry | assigned_to
        acme  | Acme Conferences | arts     | rita
        birch | Birch *Fests*    | health   | ravi
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        organizer_id | name | stage_id | value | assigned_to
        acme         | Gala | Lead     | 1000  | rita
        birch        | Expo | Lead     | 800   | ravi
    """)  # fmt: skip
    given(owner, "crm_contacts", """
        id  | organizer_id | full_name | email         | is_decision_maker
        ann | acme         | Ann       | a@example.com | true
        ben | birch        | Ben       | b@example.com | true
    """)  # fmt: skip
    recently = datetime.now(UTC) - timedelta(minutes=1)
    given(owner, "crm_activities", f"""
        organizer_id | contact_id | type | is_task | task_status | subject    | user_id | activity_date
        acme         | ann        | call | false   | null        | Hello      | rita    | {recently}
        acme         | null       | task | true    | pending     | Send offer | rita    | 2020-01-01
        birch        | null       | task | true    | pending     | Book hall  | ravi    | 2199-01-01
    """)  # fmt: skip
    return owner


def look(opened: Open, who: str, **parameters: str) -> AppTest:
    return opened(who, "engagement", **parameters)


@pytest.mark.parametrize("who", LOOKING)
def test_everybody_with_a_role_sees_the_whole_page(opened: Open, company: Connection, who: str) -> None:
    app = look(opened, who)
    assert errors(app) == []
    assert [title.value for title in app.title] == ["Engagement"]
    assert len(app.metric) == 6


@pytest.mark.parametrize("who", LOOKING)
def test_an_empty_company_looks_intended(opened: Open, who: str) -> None:
    app = look(opened, who)
    assert errors(app) == []
    assert "Activities will stand here" in said(app)
    assert metrics(app)["Activities"] == "0"
    assert metrics(app)["Contacts reached"] == "–"


def test_one_activity_is_enough(opened: Open, owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    given(owner, "crm_activities", "organizer_id | type | subject | user_id\nacme | note | Hello | rita")
    app = look(opened, "rita")
    assert errors(app) == []
    assert metrics(app)["Activities"] == "1"


@pytest.mark.parametrize(("who", "neglected", "overdue"), [
    ("rita", "CA$0", "1"), ("ravi", "CA$800", "0"), ("max", "CA$800", "1"), ("eve", "CA$800", "1"),
    ("olaf", "CA$0", "0"),
])  # fmt: skip
def test_each_sees_their_own_rows(opened: Open, company: Connection, who: str, neglected: str, overdue: str) -> None:
    found = metrics(look(opened, who))
    assert (found["Neglected value"], found["Overdue tasks"]) == (neglected, overdue)


def test_filters_come_from_the_address(opened: Open, company: Connection) -> None:
    assert metrics(look(opened, "max", owner=str(PERSONAS["ravi"].id)))["Activities"] == "0"
    app = look(opened, "max", industry="health", closing="period")
    assert errors(app) == []
    assert metrics(app)["Activities"] == "0"
    assert "closing" not in said(app)


def test_a_past_day_shows_the_company_as_it_was(opened: Open, company: Connection) -> None:
    app = look(opened, "max", as_of="2020-02-01")
    assert errors(app) == []
    assert (metrics(app)["Activities"], metrics(app)["Overdue tasks"]) == ("0", "0")


def test_a_task_is_completed_from_the_page_and_taken_back(opened: Open, company: Connection) -> None:
    app = look(opened, "rita")
    (done,) = [button for button in app.button if button.label == "Done"]
    app = done.click().run()
    assert errors(app) == []
    assert metrics(app)["Overdue tasks"] == "0"
    assert metrics(app)["Activities"] == "2"
    app = app.button(key="page.undo").click().run()
    assert metrics(app)["Overdue tasks"] == "1"
    assert metrics(app)["Activities"] == "1"


@pytest.mark.parametrize(("who", "buttons"), [("rita", 1), ("ravi", 1), ("max", 0), ("eve", 0), ("ada", 2)])
def test_only_one_s_own_tasks_can_be_completed(opened: Open, company: Connection, who: str, buttons: int) -> None:
    app = look(opened, who)
    assert len([button for button in app.button if button.label == "Done"]) == buttons


def test_a_task_that_somebody_else_has_changed_is_said_so(opened: Open, company: Connection) -> None:
    app = look(opened, "rita")
    company.exec_driver_sql("update crm_activities set subject = 'Another' where subject = 'Send offer'")
    (done,) = [button for button in app.button if button.label == "Done"]
    app = done.click().run()
    assert "changed meanwhile" in errors(app)[0]


@pytest.mark.parametrize("view", ["Table", "SQL"])
@pytest.mark.parametrize("key", ["hours", "accounts", "load", "types", "reach", "calendar", "scores", "neglected"])
def test_behind_each_picture_stand_its_table_and_its_sql(
    opened: Open, company: Connection, key: str, view: str
) -> None:  # fmt: skip
    app = look(opened, "max")
    app.segmented_control(key=f"{key}.view").set_value(view).run()
    assert errors(app) == []
    assert len(app.dataframe if view == "Table" else app.code) == 1


def test_the_type_and_the_measure_are_chosen(opened: Open, company: Connection) -> None:
    app = look(opened, "max")
    app.selectbox(key="kind").set_value("Meetings").run()
    assert errors(app) == []
    assert f"0{GAP}activities in" in said(app)
    app.selectbox(key="kind").set_value("Calls").run()
    app.segmented_control(key="measure-of-hours").set_value("Per working week").run()
    assert errors(app) == []
    assert f"1{GAP}activity in" in said(app)
