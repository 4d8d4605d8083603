"""The questions of the Stages page, against a recomputation in plain Python over rows with decoys among them."""

# ruff: noqa: E501 (tables are read across)

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.estimates import what_if
from queries import stages
from tests.queries.conftest import TODAY, Ask
from tests.queries.history import happens
from tests.tables import id_of

RATES = {"CAD": Fraction(1), "USD": Fraction(3, 2), "EUR": Fraction(2)}
DEFAULTS = {"Lead": 10, "Qualified": 25, "Proposal": 50, "Negotiation": 75}

# probability: empty inherits. What is not open any more, or without a rate, must not count; what is in another
# currency must count at its rate.
DEALS = """
at         | deal    | name    | organizer_id | stage_id    | value   | currency | probability | expected_close_date | assigned_to |
2025-10-01 | gala    | Gala    | acme         | Proposal    | 1000.01 | CAD      |             | 2025-12-24          | rita |
2025-10-01 | summit  | Summit  | acme         | Proposal    | 400     | USD      |             | 2025-12-01          | rita |
2025-10-01 | expo    | Expo    | beta         | Proposal    | 800     | CAD      | 30          | 2025-12-01          | ravi |
2025-10-01 | same    | Same    | beta         | Proposal    | 80      | CAD      | 50          | 2025-12-01          | ravi |
2025-10-01 | noh     | Noh     | acme         | Proposal    | 9999    | JPY      |             | 2025-12-01          | rita |
2025-10-01 | late    | Late    | acme         | Proposal    | 60      | EUR      |             | 2025-11-04          | rita |
2025-10-01 | someday | Someday | acme         | Proposal    | 70      | CAD      |             | null                | null |
2025-10-01 | camp    | Camp    | gamma        | Negotiation | 50      | CAD      |             | 2026-02-01          | olaf |
2025-10-01 | retro   | Retro   | beta         | Proposal    | 70      | CAD      |             | 2025-12-01          | ravi |
2025-10-02 | retro   |         |              | Won         |         |          |             |                     | |
2025-10-01 | lapse   | Lapse   | beta         | Proposal    | 75      | CAD      |             | 2025-12-01          | ravi |
2025-10-02 | lapse   |         |              | Lost        |         |          |             |                     | |
2025-10-01 | oops    | Oops    | beta         | Proposal    | 77      | CAD      |             | 2025-12-01          | ravi |
2025-10-02 | oops    |         |              | deleted     |         |          |             |                     | |
"""
OPEN = [
    ("Proposal", "rita", "2025-12", True, "1000.01", "CAD", 50),
    ("Proposal", "rita", "2025-12", True, "400", "USD", 50),
    ("Proposal", "ravi", "2025-12", False, "800", "CAD", 30),
    ("Proposal", "ravi", "2025-12", False, "80", "CAD", 50),  # the stage's number, and its own all the same
    ("Proposal", "rita", "2025-12", True, "9999", "JPY", 50),
    ("Proposal", "rita", "overdue", True, "60", "EUR", 50),
    ("Proposal", None, "undated", True, "70", "CAD", 50),
    ("Negotiation", "olaf", "2026-02", True, "50", "CAD", 75),
]


@pytest.fixture
def deals(company: Connection) -> Connection:
    happens(company, DEALS)
    return company


def stage_id(owner: Connection, name: str) -> UUID:
    return UUID(str(owner.exec_driver_sql("select id from crm_pipeline_stages where name = %s", (name,)).scalar_one()))


def test_groups_add_up_what_is_open_and_nothing_else(deals: Connection, ask: Ask) -> None:
    expected: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, Fraction(), Fraction(), Fraction(), Fraction()])
    for stage, owner, closes, inherits, amount, currency, percent in OPEN:
        chance, rate = Fraction(percent, 100), RATES.get(currency)
        value = Fraction(amount) * (rate or 0)
        group = expected[str(stage_id(deals, stage)), owner and str(id_of(owner)), closes, inherits]
        for place, more in enumerate(
            (1, int(rate is None), value, value * chance, value**2, value**2 * chance * (1 - chance))
        ):
            group[place] += more
    found = {
        (row.stage_id, None if row.owner == "(nobody)" else row.owner_id, row.closes, row.inherits): row
        for row in ask("ada", stages.open_groups).itertuples()
    }
    assert found.keys() == expected.keys()
    for key, (number, without_rate, value, worth, squares, variance) in expected.items():
        row: Any = found[key]
        assert (row.opportunities, row.without_rate) == (number, without_rate)
        assert (Fraction(row.value), Fraction(row.expected_revenue)) == (value, worth)
        assert row.squares == pytest.approx(float(squares))
        assert row.variance == pytest.approx(float(variance))


@pytest.mark.parametrize(
    ("follows", "followers"),
    [("new", []), ("inheriting", [0, 1, 4, 5, 6]), ("all", [0, 1, 2, 3, 4, 5, 6])],
)
def test_the_preview_is_what_saving_would_do(
    deals: Connection, ask: Ask, follows: what_if.Follows, followers: list[int]
) -> None:
    """Recomputed opportunity by opportunity: the aggregate knows enough."""
    groups = what_if.Groups.of(ask("ada", stages.open_groups))
    outcome = what_if.with_defaults(groups, {str(stage_id(deals, "Proposal")): 0.4}, follows)
    total = variance = 0.0
    for place, (_, _, _, _, amount, currency, percent) in enumerate(OPEN):
        chance = 0.4 if place in followers else percent / 100
        value = float(amount) * float(RATES.get(currency, 0))
        total += value * chance
        variance += value**2 * chance * (1 - chance)
    assert outcome.after.sum() == pytest.approx(total)
    assert outcome.variance_after.sum() == pytest.approx(variance)
    for by in ("stage_id", "closes", "owner"):
        sums = what_if.added_up(outcome, by)
        assert round(sums["after"].sum(), 2) == pytest.approx(round(total, 2), abs=0.011)
        assert (sums["before"] + sums["change"]).round(2).tolist() == sums["after"].tolist()


def test_groups_are_in_the_report_currency_that_is_asked_for(deals: Connection, ask: Ask) -> None:
    groups = ask("ada", stages.open_groups, currency="USD")
    assert float(sum(groups["value"])) == pytest.approx((1000.01 + 800 + 80 + 120 + 70 + 50) / 1.5 + 400)


def test_a_manager_sees_the_groups_of_the_team_alone(deals: Connection, ask: Ask) -> None:
    assert ask("max", stages.open_groups)["opportunities"].sum() == 7  # all but Olaf's
    assert ask("eve", stages.open_groups)["opportunities"].sum() == 8


@pytest.mark.parametrize(("name", "expected", "without_rate"), [
    ("Proposal", Fraction("1000.01") / 2 + 300 + 240 + 40 + 60 + 35, 1),
    ("Negotiation", Fraction("37.5"), 0),
    ("Lead", Fraction(), 0),
])  # fmt: skip
def test_what_a_stage_is_worth(
    deals: Connection, reading_as: Callable[..., Any], name: str, expected: Fraction, without_rate: int
) -> None:
    with reading_as("ada", TODAY) as db:
        row = db.execute(stages.worth(stage_id(deals, name), "CAD", TODAY)).one()
    assert (Fraction(row.expected_revenue), row.without_rate) == (expected, without_rate)


def test_what_a_stage_holds(deals: Connection, reading_as: Callable[..., Any]) -> None:
    with reading_as("ada", TODAY) as db:
        assert stages.held(db, stage_id(deals, "Proposal")).iloc[0].tolist() == [7, 7]
        assert stages.held(db, stage_id(deals, "Won")).iloc[0].tolist() == [1, 0]
        assert stages.held(db, stage_id(deals, "Lead")).iloc[0].tolist() == [0, 0]


def test_the_history_says_what_an_edit_changed(
    owner: Connection, reading_as: Callable[..., Any], shows: Callable[..., None]
) -> None:
    owner.exec_driver_sql("update crm_pipeline_stages set default_probability = 20 where name = 'Lead'")
    owner.exec_driver_sql("update crm_pipeline_stages set name = 'First word', color = '#000000' where name = 'Lead'")
    owner.exec_driver_sql("update crm_pipeline_stages set is_active = false where name = 'First word'")
    owner.exec_driver_sql("update crm_pipeline_stages set is_active = true where name = 'First word'")
    owner.exec_driver_sql("update crm_pipeline_stages set is_closed = true where name = 'First word'")
    owner.exec_driver_sql("update crm_pipeline_stages set is_won = true where name = 'First word'")
    owner.exec_driver_sql("update crm_pipeline_stages set description = 'Hello' where name = 'First word'")
    owner.exec_driver_sql("update crm_pipeline_stages set updated_at = now() where name = 'First word'")
    owner.exec_driver_sql("delete from crm_pipeline_stages where name = 'Qualified'")
    with reading_as("max") as db:
        found = stages.changes_made(db)
    shows(
        found.head(9),
        """
        stage      | who                 | what
        Qualified  | (set-up or import)  | deleted
        First word | (set-up or import)  | description
        First word | (set-up or import)  | counts as won
        First word | (set-up or import)  | made a closed stage
        First word | (set-up or import)  | activated
        First word | (set-up or import)  | deactivated
        First word | (set-up or import)  | renamed from “Lead”; colour #6b7280 → #000000
        Lead       | (set-up or import)  | 10 % → 20 %
        Lost       | (set-up or import)  | created at 0 %
        """,
    )


def test_stages_are_listed_in_their_order(owner: Connection, reading_as: Callable[..., Any]) -> None:
    owner.exec_driver_sql("update crm_pipeline_stages set order_index = 70 where name = 'Lead'")
    with reading_as("max") as db:
        found = stages.set_up(db)
    assert found["stage"].tolist() == ["Qualified", "Proposal", "Negotiation", "Won", "Lost", "Lead"]
    assert found["place"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found["default_probability"].tolist() == [0.25, 0.5, 0.75, 1.0, 0.0, 0.1]


def test_templates_are_the_active_ones(
    owner: Connection, given: Callable[..., None], reading_as: Callable[..., Any]
) -> None:
    given(owner, "crm_email_templates", """
        name    | subject | body_html | is_active
        Welcome | Hello   | Hello     | true
        Old     | Hello   | Hello     | false
    """)  # fmt: skip
    with reading_as("ada") as db:
        assert stages.template_names(db)["name"].tolist() == ["Welcome"]


def test_one_month_counts_from_the_as_of_day(deals: Connection, ask: Ask) -> None:
    """What closes today is not overdue."""
    groups = ask("ada", stages.open_groups, as_of=date(2025, 12, 1), today=date(2025, 12, 1))
    number = groups.groupby("closes")["opportunities"].sum().to_dict()
    assert number == {"2025-12": 5, "2026-02": 1, "overdue": 1, "undated": 1}
    assert sum(groups["expected_revenue"]) == Decimal("1212.505")
