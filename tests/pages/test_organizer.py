from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests import scored
from tests.conftest import Given
from tests.pages.conftest import Open, errors
from tests.tables import id_of

NOT_FOUND = "This organizer was not found, or it is not yours to see."


@pytest.fixture
def company(owner: Connection) -> None:
    scored.insert(owner)


@pytest.fixture
def organizer(opened: Open) -> Callable[[str, str], AppTest]:
    """organizer("rita", id): its page as she sees it."""
    return lambda who, which: opened(who, "organizer", id=which)


def said(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.caption, app.markdown) for element in kind).replace("\\", "")


def title(app: AppTest) -> str:
    return app.title[0].value.strip("\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}")


@pytest.mark.parametrize(("who", "sees"), [("rita", True), ("ravi", False), ("olaf", False), ("max", True),
                                           ("eve", True), ("ada", True)])  # fmt: skip
def test_one_sees_the_organizers_that_are_one_s_own(
    organizer: Callable[[str, str], AppTest], company: None, who: str, sees: bool
) -> None:
    app = organizer(who, str(id_of("acme")))
    assert errors(app) == []
    assert title(app) == ("Acme Conferences" if sees else "Organizer")
    assert (NOT_FOUND in said(app)) is not sees
    assert bool(app.metric) is sees


@pytest.mark.parametrize("which", ["", "acme", "00000000-0000-0000-0000-000000000000", "'; drop table x; --"])
def test_an_id_that_nobody_has_is_said_to_be_unknown(
    organizer: Callable[[str, str], AppTest], company: None, which: str
) -> None:
    app = organizer("ada", which)
    assert errors(app) == []
    assert NOT_FOUND in said(app)


def test_the_reasons_add_up_to_the_scores(organizer: Callable[[str, str], AppTest], company: None) -> None:
    app = organizer("rita", str(id_of("acme")))
    assert errors(app) == []
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Health"] == "30 of 100"
    assert metrics["Churn risk"] == "■\N{NO-BREAK SPACE}High"
    assert metrics["Churn probability"] == "60.0\N{NO-BREAK SPACE}%"
    assert metrics["Revenue at risk"] == "CA$840"
    assert "Adds up to 30.0 of 100, high is good · not observed: trend of activity, satisfaction" in said(app)
    assert "they add up to 60.0\N{NO-BREAK SPACE}%" in said(app)
    for key in ("organizer-health", "churn"):
        app.segmented_control(key=f"{key}.view").set_value("Table").run()
    assert app.dataframe[0].value["points"].sum() == pytest.approx(30)
    assert app.dataframe[1].value["points"].sum() == pytest.approx(60)


def test_it_says_what_would_help(organizer: Callable[[str, str], AppTest], company: None) -> None:
    app = organizer("rita", str(id_of("acme")))
    assert "Plan a next step: nothing is pending or scheduled." in said(app)
    assert "Find out who decides" in said(app)
    assert "there never was an activity" in said(app)


def test_all_that_belongs_to_it_is_there(
    organizer: Callable[[str, str], AppTest], company: None, owner: Connection, given: Given
) -> None:
    given(owner, "crm_contacts", """
        id  | organizer_id | full_name | email         | is_decision_maker
        ann | acme         | Ann Lee   | ann@acme.test | true
    """)  # fmt: skip
    given(owner, "crm_activities", """
        organizer_id | user_id | type | is_task | task_status | due_date   | activity_date | subject
        acme         | rita    | call | false   |             |            | 2026-01-05    | About prices
        acme         | rita    | task | true    | pending     | 2026-01-06 | 2026-01-05    | Send it
    """)  # fmt: skip
    given(owner, "crm_notes", """
        organizer_id | title | content        | created_by
        acme         | Hall  | They want *one | rita
    """)  # fmt: skip
    given(owner, "events", """
        organizer_id | name       | event_date
        acme         | Acme Fest  | 2025-05-01
    """)  # fmt: skip
    given(owner, "crm_documents", """
        organizer_id | file_name    | file_type       | file_size | storage_path | document_type | uploaded_by
        acme         | contract.pdf | application/pdf | 10        | a/b          | contract      | rita
    """)  # fmt: skip
    app = organizer("rita", str(id_of("acme")))
    assert errors(app) == []
    tables = [set(table.value.columns) for table in app.dataframe]
    assert {"file_name", "document_type"} <= tables[-1]
    text = said(app)
    for words in (
        "About prices",
        "Send it",
        "overdue since",
        "Acme Fest",
        "Hall",
        "contract.pdf",
        "1\N{NO-BREAK SPACE}event held",
    ):
        assert words in text, words
    assert app.text[0].value == "They want *one"
    assert "2\N{NO-BREAK SPACE}opportunities won in 12 months for CA$1,400.03" in text


def test_an_organizer_without_anything_looks_intended(
    organizer: Callable[[str, str], AppTest], owner: Connection, given: Given
) -> None:
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme [x](y)  | rita
    """)  # fmt: skip
    app = organizer("rita", str(id_of("acme")))
    assert errors(app) == []
    assert title(app).replace("\\", "") == "Acme [x](y)"
    assert "Not scored yet" in said(app)
    assert "eventos refresh" in said(app)
    for nothing in ("No opportunities", "No events", "No contacts", "No notes", "No documents"):
        assert nothing in said(app)


def test_a_churned_one_keeps_its_reasons(organizer: Callable[[str, str], AppTest], company: None) -> None:
    app = organizer("ravi", str(id_of("dune")))
    assert errors(app) == []
    assert "Churned" in [metric.label for metric in app.metric]
    assert "as it was when it churned" in said(app)


def test_an_opportunity_s_score_is_told_in_sentences(
    organizer: Callable[[str, str], AppTest], company: None, owner: Connection
) -> None:
    owner.exec_driver_sql(
        "update crm_opportunities set ai_score = 37, scored_at = now(), ai_insights = %s where name = 'Fair'",
        (
            '{"basis": "An estimate, not a promise: 37 % to be won.", "next_action": "Agree on a *date*.",'
            ' "risk_factors": ["It is 200 days old: 4.0 points less."], "recommendations": ["Agree on a *date*."]}',
        ),
    )
    app = organizer("ravi", str(id_of("birch")))
    assert errors(app) == []
    assert "estimated at 37\N{NO-BREAK SPACE}% to be won" in app.expander[0].label
    for words in ("Next:", "Agree on a *date*.", "It is 200 days old: 4.0 points less.", "not a promise"):
        assert words in said(app)
