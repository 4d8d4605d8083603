"""A record's own page as each role sees it, without a browser."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import Open
from tests.pages.test_forms import company, deal, errors, said
from tests.tables import id_of

__all__ = ["company"]

Given = Callable[[Connection, str, str], None]
ACTIONS = {"edit", "move", "win", "lose", "abandon", "reopen", "reassign", "delete"}


def offered(app: AppTest, noun: str) -> set[str]:
    keys = [button.key or "" for button in app.button]
    found = {key.removeprefix(f"{noun}.") for key in keys if key.startswith(f"{noun}.")}
    return found | {"edit" for key in keys if key.startswith("edit.")}


@pytest.mark.parametrize(
    ("who", "actions"),
    [
        ("rita", {"edit", "move", "win", "lose", "abandon"}),
        ("max", {"edit", "move", "win", "lose", "abandon", "reassign"}),
        ("ada", ACTIONS - {"reopen"}),
        ("eve", set()),
    ],
)
def test_each_role_is_offered_what_it_may_do(opened: Open, company: Connection, who: str, actions: set[str]) -> None:
    app = opened(who, page="opportunities", id=str(id_of("gala")))
    assert errors(app) == []
    assert "Gala" in app.title[0].value
    assert offered(app, "opportunity") == actions


def test_a_closed_deal_can_be_reopened_and_not_moved(opened: Open, company: Connection) -> None:
    company.exec_driver_sql(
        "update crm_opportunities set stage_id = (select id from crm_pipeline_stages where is_won) where name = 'Gala'"
    )
    app = opened("rita", page="opportunities", id=str(id_of("gala")))
    assert offered(app, "opportunity") == {"edit", "reopen"}


@pytest.mark.parametrize("which", ["gala", "nowhere"])
def test_a_hidden_record_and_a_missing_one_are_the_same(opened: Open, company: Connection, which: str) -> None:
    app = opened("olaf", page="opportunities", id=str(id_of(which)))
    assert errors(app) == []
    assert [title.value for title in app.title] == ["Opportunity"]
    assert "This opportunity was not found, or it is not yours to see." in said(app)


def test_an_address_that_is_none_says_so(opened: Open, company: Connection) -> None:
    app = opened("rita", page="opportunities", id="'; drop table x; --")
    assert errors(app) == []
    assert "not found" in said(app)


def test_what_hangs_on_it_is_there_and_its_text_is_text(opened: Open, company: Connection, given: Given) -> None:
    given(company, "crm_activities", """
        organizer_id | opportunity_id | user_id | type | subject
        acme         | gala           | rita    | call | About [prices](x)
    """)  # fmt: skip
    company.exec_driver_sql("update crm_opportunities set description = '# Big' where name = 'Gala'")
    app = opened("rita", page="opportunities", id=str(id_of("gala")))
    assert errors(app) == []
    assert "**Activities** :gray[1]" in said(app)
    assert [text.value for text in app.text] == ["# Big"]
    assert "(x)" not in "".join(element.value for element in app.markdown)  # every sign of it is escaped


def test_a_task_is_completed_at_a_click_and_taken_back(opened: Open, company: Connection, given: Given) -> None:
    given(company, "crm_activities", """
        id   | organizer_id | user_id | type | is_task | task_status | due_date   | subject
        send | acme         | rita    | task | true    | pending     | 2027-01-06 | Send it
    """)  # fmt: skip
    app = opened("rita", page="activities", id=str(id_of("send")))

    def status() -> str:
        return str(company.exec_driver_sql("select task_status from crm_activities").scalar_one())

    app.button(key="activity.complete").click().run()
    assert errors(app) == []
    assert status() == "completed"
    assert "complete" not in offered(app, "activity")
    app.button(key="done.undo").click().run()
    assert status() == "pending"
    app.button(key="activity.complete").click().run()
    assert status() == "completed"


def test_the_history_says_who_changed_what_and_gives_it_back(opened: Open, company: Connection) -> None:
    app = opened("rita", page="opportunities", id=str(id_of("gala")))
    company.exec_driver_sql("update crm_opportunities set name = 'Winter gala' where name = 'Gala'")
    company.exec_driver_sql("update crm_opportunities set value = 7 where name = 'Winter gala'")
    app.run()
    assert "**Name** Gala → Winter gala" in said(app)
    assert "**Value** 1,000.00 → 7.00" in said(app)
    rename = [button for button in app.button if (button.key or "").startswith("restore.")][-1]
    rename.click().run()
    assert errors(app) == []
    assert (deal(company, "gala").name, str(deal(company, "gala").value)) == ("Gala", "7.00")
    executive = opened("eve", page="opportunities", id=str(id_of("gala")))
    assert "Winter gala" in said(executive)
    assert not [button for button in executive.button if (button.key or "").startswith("restore.")]
