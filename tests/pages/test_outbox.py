from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import Open
from tests.tables import id_of

Given = Callable[[Connection, str, str], None]
EVIL = "![x](http://evil.example/x) **b** $x$ <b>"


@pytest.fixture
def outbox(opened: Open) -> Callable[[str], AppTest]:
    return lambda who: opened(who, page="outbox")


@pytest.fixture
def company(owner: Connection, given: Given) -> Connection:
    given(owner, "crm_organizers", f"id | company_name | assigned_to\nacme | {EVIL} | rita\nbirch | Birch | olaf")
    for organizer, status, problem in (("acme", "waiting", None), ("acme", "failed", EVIL), ("birch", "waiting", None)):
        owner.exec_driver_sql(
            "insert into crm_outbox (organizer_id, stage_id, template_name, recipient, subject, status, problem)"
            " values (%s, gen_random_uuid(), 'Offer', 'zoe@acme.example', %s, %s, %s)",
            (id_of(organizer), EVIL, status, problem),
        )
    return owner


def words(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.markdown, app.caption) for element in kind)


def buttons(app: AppTest, label: str) -> list[str]:
    return [button.key for button in app.button if button.label == label]


@pytest.mark.parametrize("who", ["max", "eve", "ada"])
def test_it_opens_empty(outbox: Callable[[str], AppTest], owner: Connection, who: str) -> None:
    app = outbox(who)
    assert not app.exception
    assert "No emails yet" in words(app)


def test_reps_are_told_that_it_is_not_for_them(outbox: Callable[[str], AppTest], company: Connection) -> None:
    assert "This page is not for your role" in outbox("rita").title[0].value


@pytest.mark.parametrize(("who", "seen", "decides"), [("max", 2, False), ("eve", 3, False), ("ada", 3, True)])
def test_each_sees_their_rows_and_admins_alone_decide(
    outbox: Callable[[str], AppTest], company: Connection, who: str, seen: int, decides: bool
) -> None:
    app = outbox(who)
    assert not app.exception
    assert len(buttons(app, "Read")) == seen
    assert len(buttons(app, "Cancel")) == (3 if decides else 0)
    assert app.toggle[0].disabled is not decides
    assert "](http" not in words(app)


def test_an_admin_cancels_and_switches(outbox: Callable[[str], AppTest], company: Connection) -> None:
    app = outbox("ada")
    app.button(key=buttons(app, "Cancel")[0]).click().run()
    assert company.exec_driver_sql("select count(*) from crm_outbox where status = 'cancelled'").scalar_one() == 1
    app.toggle[0].set_value(True).run()
    assert company.exec_driver_sql("select automatic_actions from crm_settings").scalar_one()
    assert not app.exception
