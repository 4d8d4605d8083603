from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests import scored
from tests.conftest import Given
from tests.pages.conftest import LOOKING, Open, errors, metrics, said
from tests.personas import PERSONAS

NAMES = {"Acme Conferences", "Birch Festivals", "Cedar Rallies"}


@pytest.fixture
def company(owner: Connection) -> None:
    scored.insert(owner)


@pytest.fixture
def health(opened: Open) -> Callable[..., AppTest]:
    """health("rita"): the page as she sees it."""
    return partial(opened, page="health")


def names(app: AppTest) -> set[str]:
    return set(app.dataframe[0].value["organizer"]) if len(app.dataframe) else set()


@pytest.mark.parametrize("who", LOOKING)
def test_an_empty_company_looks_intended(health: Callable[..., AppTest], who: str) -> None:
    app = health(who)
    assert errors(app) == []
    assert [title.value for title in app.title] == ["Health"]
    assert "Accounts will stand here" in said(app)
    assert metrics(app)["Median health"] == "–"
    assert metrics(app)["Revenue at risk"] == "–"


def test_where_nothing_is_scored_it_says_how_to_get_scores(
    health: Callable[..., AppTest], owner: Connection, given: Given
) -> None:
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    app = health("rita")
    assert errors(app) == []
    assert "eventos refresh" in said(app)
    assert "1\N{NO-BREAK SPACE}organizer not scored yet" in said(app)
    assert names(app) == {"Acme"}


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("rita", {"Acme Conferences", "Cedar Rallies"}),
        ("ravi", {"Birch Festivals"}),
        ("olaf", set()),
        ("max", NAMES),
        ("eve", NAMES),
        ("ada", NAMES),
    ],
)
def test_each_sees_their_own_accounts(health: Callable[..., AppTest], company: None, who: str, seen: set[str]) -> None:
    app = health(who)
    assert errors(app) == []
    assert names(app) == seen
    assert len(app.metric) == 6


def test_the_numbers_above_are_those_of_the_accounts_below(health: Callable[..., AppTest], company: None) -> None:
    app = health("max")
    # 1,400.03 × 60 % + 800 × 10 %; Cedar has no probability, and Dune has churned.
    assert metrics(app) == {
        "Median health": "30 of 100",
        "■ High risk": "2",
        "Revenue at risk": "CA$920",
        "Churned": "1",
        "Won in 12 months": "CA$2.20K",
        "Organizers": "3",
    }
    assert "CA$2,200.03 won in 12 months · CA$920.02 at risk" in said(app)
    assert app.dataframe[0].value["revenue_at_risk"].sum() == pytest.approx(920.02)
    assert len(app.get("plotly_chart")) == 6


def test_the_page_says_what_churn_means_and_how_far_to_believe_the_model(
    health: Callable[..., AppTest], company: None
) -> None:
    app = health("eve")
    assert "neither wins nor holds an event within 1.5 × its own usual gap" in said(app)
    assert "AUC 0.92" in said(app)
    assert "**0.110**" in said(app)
    assert "would have had 0.233" in said(app)
    assert "**480** past cases, of which **190** churned" in said(app)


def test_where_the_model_abstains_no_money_is_said_to_be_at_risk(
    health: Callable[..., AppTest], owner: Connection
) -> None:
    scored.insert(owner, abstains=True)
    app = health("max")
    assert errors(app) == []
    assert metrics(app)["Revenue at risk"] == "–"
    assert metrics(app)["■ High risk"] == "2"
    assert "The churn model abstains, so the risk follows health" in said(app)
    assert "a model takes 50" in said(app)
    assert "Value by churn risk" in [header.value for header in app.subheader]


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        ("■ High risk", {"Acme Conferences", "Cedar Rallies"}),
        ("● Low", {"Birch Festivals"}),
        ("▲ Medium", set()),
        ("Churned", {"Dune Dances"}),
    ],
)
def test_lists_of_accounts(health: Callable[..., AppTest], company: None, chosen: str, seen: set[str]) -> None:
    app = health("max")
    app.segmented_control(key="accounts").set_value(chosen).run()
    assert errors(app) == []
    assert names(app) == seen


def test_accounts_are_put_in_order_and_searched(health: Callable[..., AppTest], company: None) -> None:
    app = health("max")
    assert next(iter(app.dataframe[0].value["organizer"])) == "Acme Conferences"
    app.selectbox(key="accounts.order").set_value("Lowest health").run()
    assert list(app.dataframe[0].value["organizer"]) == ["Cedar Rallies", "Acme Conferences", "Birch Festivals"]
    app.text_input(key="list.search").set_value("RAVI health").run()
    assert names(app) == {"Birch Festivals"}


@pytest.mark.parametrize("segment", ["Industry", "Company size", "Lead source", "Owner"])
def test_the_distribution_is_parted_by_each_segment(
    health: Callable[..., AppTest], company: None, segment: str
) -> None:
    app = health("max")
    app.selectbox(key="segment").set_value(segment).run()
    assert errors(app) == []


def test_movers_take_two_days_in_any_order(health: Callable[..., AppTest], company: None) -> None:
    app = health("max")
    app.segmented_control(key="movers.view").set_value("Table").run()
    assert list(app.dataframe[0].value["change"]) == [-25, 4]
    start, end = (picker for picker in app.date_input if (picker.key or "").startswith("health."))
    first, last = start.value, end.value
    start.set_value(last).run()
    end.set_value(first).run()
    assert errors(app) == []
    assert list(app.dataframe[0].value["change"]) == [-25, 4]


def test_a_filter_that_leaves_nothing_is_named(health: Callable[..., AppTest], company: None) -> None:
    app = health("max", industry="arts", owner=str(PERSONAS["ravi"].id))
    assert errors(app) == []
    assert names(app) == set()
    assert "Nothing matches the filters" in said(app)


def test_a_past_day_has_the_scores_of_that_day(health: Callable[..., AppTest], company: None) -> None:
    app = health("max", as_of="2020-02-01")
    assert errors(app) == []
    assert metrics(app)["Median health"] == "–"
    assert "as it was at the end of 1 Feb 2020" in said(app)


@pytest.mark.parametrize("picture", ["risk", "levels", "distribution", "movers", "model", "retention"])
def test_behind_each_picture_stand_its_table_and_its_sql(
    health: Callable[..., AppTest], company: None, picture: str
) -> None:
    app = health("max")
    for view in ("Table", "SQL"):
        app.segmented_control(key=f"{picture}.view").set_value(view).run()
        assert errors(app) == []
    assert "select" in app.code[0].value.lower()
