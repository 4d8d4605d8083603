"""What the numbers of the Forecast page are: counted once more in plain Python, among rows that must not count."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from sqlalchemy import Connection

from queries import forecast
from queries.question import Question
from queries.scope import Period
from tests.queries.compare import HALF_A_CENT, records
from tests.queries.conftest import TODAY, Ask, owned_by, scope_of
from tests.queries.history import at, happens
from tests.queries.oracle import Company
from tests.tables import given, id_of, shows

Reading = Callable[..., AbstractContextManager[Connection]]
MEASURES = ("won", "commit", "best_case", "pipeline", "expected_revenue", "weighted")

# The clock says 5 November 2025; this quarter is October to December.


@pytest.fixture
def deals(company: Connection) -> Connection:
    """One deal of every kind that a forecast could count by mistake, or leave out."""
    happens(
        company,
        """
        at               | deal       | organizer_id | assigned_to | stage_id    | value   | currency | probability | expected_close_date | actual_close_date |
        2025-07-01 09:00 | Sure       | acme         | rita        | Negotiation | 100.01  |          |             | 2025-11-30          |                   |
        2025-07-01 09:00 | Dollars    | acme         | rita        | Proposal    | 33.33   | USD      |             | 2025-12-01          |                   |
        2025-07-01 09:00 | Euros      | beta         | ravi        | Proposal    | 77.77   | EUR      | 33          | 2025-12-31          |                   |
        2025-07-01 09:00 | Today      | beta         | ravi        | Lead        | 10      |          |             | 2025-11-05          |                   |
        2025-07-01 09:00 | Yesterday  | acme         | rita        | Lead        | 20      |          |             | 2025-11-04          |                   |
        2025-07-01 09:00 | Long ago   | acme         | rita        | Proposal    | 30      | USD      |             | 2024-01-31          |                   |
        2025-07-01 09:00 | Undated    | beta         | ravi        | Proposal    | 40      |          |             |                     |                   |
        2025-07-01 09:00 | Next year  | acme         | rita        | Proposal    | 50      |          |             | 2026-01-01          |                   |
        2025-07-01 09:00 | Yen        | acme         | rita        | Proposal    | 60      | JPY      |             | 2025-12-01          |                   |
        2025-07-01 09:00 | Olaf's     | gamma        | olaf        | Negotiation | 70      |          | 39          | 2025-12-15          |                   |
        2025-07-01 09:00 | Split      | acme         | ravi        | Negotiation | 80      |          | 40          | 2025-12-15          |                   |
        2025-07-01 09:00 | Leaver's   | beta         | dora        | Negotiation | 90      |          | 74          | 2025-12-15          |                   |
        2025-07-01 09:00 | Nobody's   | gamma        |             | Lead        | 5       |          | 100         | 2025-12-15          |                   |
        2025-07-01 09:00 | Max's own  | acme         | max         | Lead        | 8       |          | 0           | 2025-11-15          |                   |
        2025-07-01 09:00 | Gone       | acme         | rita        | Lead        | 666     |          |             | 2025-12-15          |                   |
        2025-10-03 09:00 | Gone       |              |             | deleted     |         |          |             |                     |                   |
        2025-07-01 09:00 | Won        | acme         | rita        | Won         | 200     | USD      |             |                     | 2025-10-01        |
        2025-07-01 09:00 | Just won   | acme         | rita        | Won         | 300     |          |             |                     | 2025-11-05        |
        2025-07-01 09:00 | Too early  | acme         | rita        | Won         | 400     |          |             |                     | 2025-09-30        |
        2025-07-01 09:00 | Tomorrow   | acme         | rita        | Won         | 500     |          |             |                     | 2025-11-06        |
        2025-10-02 09:00 | Won yen    | acme         | rita        | Won         | 555     | JPY      |             |                     |                   |
        2025-10-02 09:00 | Lost       | acme         | rita        | Lost        | 600     |          |             |                     |                   |
        2025-10-02 09:00 | Max won    | acme         | max         | Won         | 33.33   | EUR      |             |                     |                   |
        """,  # noqa: E501  (a table is as wide as its columns)
    )
    given(
        company,
        "crm_targets",
        """
        user_id | period_start | amount  | currency
        rita    | 2025-10-01   | 1000    | CAD
        ravi    | 2025-10-01   | 100     | USD
        olaf    | 2025-10-01   | 50      | JPY
        rita    | 2026-01-01   | 7777    | CAD
        """,
    )
    return company


def test_the_months_by_hand(deals: Connection, ask: Ask) -> None:
    shows(
        ask("ada", forecast.months),
        """
        month               | won    | commit | best_case | pipeline | expected_revenue | weighted | target | opportunities | without_rate | targets_without_rate
        2025-10-01 00:00:00 | 366.66 | 0      | 0         | 0        | 0                | 366.66   | 383.33 | 3             | 1            | 1
        2025-11-01 00:00:00 | 300    | 100.01 | 100.01    | 118.01   | 76.01            | 376.01   | 383.35 | 4             | 0            | 1
        2025-12-01 00:00:00 | 0      | 5      | 225       | 450.54   | 207.22           | 207.22   | 383.32 | 7             | 1            | 1
        """,  # noqa: E501  (a table is as wide as its columns)
    )
    shows(
        ask("ada", forecast.outside),
        """
        kind    | opportunities | value | expected_revenue | without_rate
        overdue | 2             | 65    | 24.5             | 0
        undated | 1             | 40    | 20               | 0
        """,
    )


def test_the_reporting_line_by_hand(deals: Connection, ask: Ask) -> None:
    found = ask("mona", forecast.roll_up, limited_to=owned_by("mona", "max", "rita", "ravi", "dora"))
    shows(
        found,
        """
        owner              | depth | people | own_won | won    | commit | best_case | pipeline | target | without_rate
        Total              | 0     | 5      | 0       | 666.66 | 100.01 | 320.01    | 493.55   | 1150   | 2
        (former colleague) | 1     | 1      | 0       | 0      | 0      | 90        | 90       |        | 0
        Mona               | 1     | 4      | 0       | 666.66 | 100.01 | 230.01    | 403.55   | 1150   | 2
        Max                | 2     | 3      | 66.66   | 666.66 | 100.01 | 230.01    | 403.55   | 1150   | 2
        Ravi               | 3     | 1      | 0       | 0      | 0      | 80        | 245.54   | 150    | 0
        Rita               | 3     | 1      | 600     | 600    | 100.01 | 150.01    | 150.01   | 1000   | 2
        """,
    )


# The same from the owner's rows, for every viewer and scope ------------------------------------------------------


@dataclass
class Cell:
    amount: Fraction = Fraction(0)
    expected: Fraction = Fraction(0)
    n: int = 0
    without_rate: int = 0


def cells(company: Company, scope: Any, sees: set[Any] | None) -> dict[tuple[Any, str, date | None, str], Cell]:
    """By owner, place, month and band: what `forecast` sums; walked deal by deal."""
    found: dict[tuple[Any, str, date | None, str], Cell] = defaultdict(Cell)
    for versions in company.deals.values():
        known = [row for row in versions if scope.moment is None or row.valid_from < scope.moment]
        if not known or known[-1].is_deleted:
            continue
        deal = known[-1]
        organizer = company.organizers[deal.organizer_id]
        if sees is not None and deal.assigned_to not in sees and organizer.assigned_to not in sees:
            continue
        if scope.owners is not None and deal.assigned_to not in scope.owners:
            continue
        if scope.industries and organizer.industry not in scope.industries:
            continue
        closing, day = deal.expected_close_date, scope.as_of
        if deal.status == "won" and scope.period.start <= deal.actual_close_date < scope.flow_end:
            place, band, closing, day = "period", "won", deal.actual_close_date, deal.actual_close_date
        elif deal.status != "open":
            continue
        else:
            band = "commit" if deal.probability >= 75 else "best_case" if deal.probability >= 40 else "pipeline"
            place = "undated" if closing is None else "overdue" if closing < scope.as_of else "period"
            if place == "period" and not scope.period.start <= closing < scope.period.end:
                continue
        month = closing.replace(day=1) if place == "period" else None
        rate = company.rate(deal.currency, scope.currency, day)
        cell = found[deal.assigned_to, place, month, band]
        cell.n += 1
        cell.without_rate += rate is None
        worth = Fraction(deal.value) * (rate or 0)
        cell.amount += worth
        cell.expected += worth * Fraction(100 if band == "won" else deal.probability, 100)
    return found


def measured(some: list[tuple[str, Cell]]) -> dict[str, Any]:
    def of(*bands: str) -> Fraction:
        return sum((cell.amount for band, cell in some if band in bands), Fraction(0))

    expected = sum((cell.expected for band, cell in some if band != "won"), Fraction(0))
    return {
        "won": of("won"),
        "commit": of("commit"),
        "best_case": of("commit", "best_case"),
        "pipeline": of("commit", "best_case", "pipeline"),
        "expected_revenue": expected,
        "weighted": of("won") + expected,
        "opportunities": sum(cell.n for _, cell in some),
        "without_rate": sum(cell.without_rate for _, cell in some),
    }


def assert_same(row: Any, wanted: dict[str, Any], cells: int) -> None:
    for name, exact in wanted.items():
        if name in MEASURES:
            assert abs(Fraction(row[name]) - exact) <= HALF_A_CENT * 2 * max(cells, 1), name
            assert round(row[name], 2) == row[name]
        else:
            assert row[name] == exact, name


SEES = {
    "ada": None,
    "eve": None,
    "mona": ("mona", "max", "rita", "ravi", "dora"),
    "max": ("max", "rita", "ravi", "dora"),
    "rita": ("rita",),
    "olaf": ("olaf",),
}
SCOPES: list[dict[str, Any]] = [
    {},
    {"currency": "USD"},
    {"currency": "EUR", "period": Period.of("year", TODAY)},
    {"period": Period.of("month", TODAY)},
    {"period": Period.of("quarter", date(2026, 1, 1))},
    {"period": Period(date(2025, 10, 20), date(2025, 12, 16), "some days")},
    {"as_of": date(2025, 10, 2)},
    {"as_of": date(2025, 10, 2), "period": Period.of("quarter", date(2025, 12, 31))},
    {"industries": ("Festivals",)},
    {"owners": owned_by("rita", "max")},
    {"currency": "JPY"},
]


@pytest.mark.parametrize(
    ("who", "chosen"),
    [*((who, SCOPES[0]) for who in SEES), *((who, chosen) for who in ("ada", "max", "rita") for chosen in SCOPES[1:])],
    ids=str,
)
def test_the_numbers_are_those_of_a_second_opinion(
    deals: Connection, ask: Ask, who: str, chosen: dict[str, Any]
) -> None:
    people = SEES[who]
    chosen = {**chosen, "limited_to": owned_by(*people) if people else None}
    scope = scope_of(**chosen)
    wanted = cells(Company(deals), scope, set(owned_by(*people)) if people else None)
    months = ask(who, forecast.months, **chosen)
    for row in records(months):
        own = [(key[3], cell) for key, cell in wanted.items() if key[1] == "period" and key[2] == row["month"].date()]
        assert_same(row, measured(own), len(own))
    total = measured([(key[3], cell) for key, cell in wanted.items() if key[1] == "period"])
    for name in MEASURES[:5]:  # the total is rounded once, by band
        assert abs(Fraction(sum(months[name])) - total[name]) <= 3 * HALF_A_CENT, name
    assert sum(months["opportunities"]) == total["opportunities"]
    for row in records(ask(who, forecast.outside, **chosen)):
        own = [(key[3], cell) for key, cell in wanted.items() if key[1] == row["kind"]]
        found = measured(own)
        assert (row["opportunities"], row["without_rate"]) == (found["opportunities"], found["without_rate"])
        assert abs(Fraction(row["value"]) - found["pipeline"]) <= 2 * HALF_A_CENT * max(len(own), 1)
    lines = records(ask(who, forecast.roll_up, **chosen))
    for row in lines[1:]:
        owner = row["owner_id"] and UUID(row["owner_id"])
        own = [(key[3], cell) for key, cell in wanted.items() if key[1] == "period" and key[0] == owner]
        assert_same({name: row[f"own_{name}"] for name in (*MEASURES, "opportunities")},
                    {name: measured(own)[name] for name in (*MEASURES, "opportunities")}, len(own))  # fmt: skip
    assert_adds_up(lines, months)
    for bar, column in (("won", "won"), ("commit", "commit"), ("best_case", "best_case"), ("open", "pipeline")):
        rows = ask(who, forecast.records, bar, **chosen)
        assert sum(filter(None, rows["value"])) == sum(months[column]), bar
        if bar == "open":
            assert sum(rows["expected_revenue"]) == sum(months["expected_revenue"])
        for month, amount in zip(months["month"], months[column], strict=True):
            rows = ask(who, forecast.records, bar, month.date(), **chosen)
            assert sum(rows["value"]) == amount
    for row in records(ask(who, forecast.outside, **chosen)):
        rows = ask(who, forecast.records, row["kind"], **chosen)
        assert sum(rows["value"]) == row["value"]
        assert sum(rows["expected_revenue"]) == row["expected_revenue"]


def assert_adds_up(lines: list[dict[str, Any]], months: pd.DataFrame) -> None:
    """Each line is its own part and those of the lines below; the first is all of them, and the months."""
    total, *people = lines
    for name in (*MEASURES, "opportunities", "without_rate"):
        assert total[name] == sum(months[name]), name
        assert total[name] == sum(row[name] for row in people if row["manager_id"] is None), name
        for row in people:
            below = sum(each[name] for each in people if each["manager_id"] == (row["owner_id"] or "nobody"))
            own = f"own_{name}"
            assert row[name] == row[own] + below, name
    targets = [amount for amount in months["target"] if amount is not None]
    assert (total["target"] or 0) == sum(targets) == sum(row["own_target"] or 0 for row in people)


# What is set and named -------------------------------------------------------------------------------------------


def test_a_target_without_a_rate_is_counted_and_not_added(deals: Connection, ask: Ask) -> None:
    lines = ask("ada", forecast.roll_up).set_index("owner")
    assert lines.loc["Olaf", ["own_target", "targets_without_rate", "attainment", "coverage"]].isna().tolist() == [
        True, False, True, True,
    ]  # fmt: skip
    assert lines.loc["Olaf", "targets_without_rate"] == lines.loc["Total", "targets_without_rate"] == 1
    assert lines.loc["Total", "target"] == 1150


def test_attainment_and_coverage(deals: Connection, ask: Ask) -> None:
    rita = ask("ada", forecast.roll_up).set_index("owner").loc["Rita"]
    assert rita["attainment"] == pytest.approx(0.6)
    assert rita["coverage"] == pytest.approx(150.01 / 400, rel=1e-4)
    deals.exec_driver_sql("update crm_targets set amount = 600 where user_id = %s", (id_of("rita"),))
    assert pd.isna(ask("ada", forecast.roll_up).set_index("owner").loc["Rita", "coverage"])


def test_a_year_has_the_targets_of_its_quarters_and_a_segment_none(deals: Connection, ask: Ask) -> None:
    year = ask("ada", forecast.months, period=Period.of("year", date(2026, 1, 1)), owners=owned_by("rita"))
    assert sum(filter(None, year["target"])) == 7777
    assert list(ask("ada", forecast.months, industries=("Festivals",))["target"]) == [None] * 3


def test_a_target_set_later_is_none_of_a_past_day(deals: Connection, ask: Ask) -> None:
    assert list(ask("ada", forecast.months, as_of=date(2025, 10, 31))["target"]) == [None] * 3


def test_the_thresholds_are_settings(deals: Connection, ask: Ask) -> None:
    deals.exec_driver_sql("update crm_settings set commit_from = 76, best_case_from = 76")
    months = ask("ada", forecast.months)
    assert list(months["commit"]) == list(months["best_case"]) == [0, 0, 5]


def test_a_period_without_opportunities(deals: Connection, ask: Ask) -> None:
    far = ask("ada", forecast.months, period=Period.of("quarter", date(2031, 1, 1)))
    assert len(far) == 3
    assert (far[list(MEASURES)] == 0).all(axis=None)
    assert ask("ada", forecast.records, "open", period=Period.of("quarter", date(2031, 1, 1))).empty


def test_a_company_without_anything(owner: Connection, ask: Ask) -> None:
    assert (ask("ada", forecast.months)[list(MEASURES)] == 0).all(axis=None)
    assert list(ask("ada", forecast.roll_up)["owner"]) == ["Total"]
    assert ask("ada", forecast.new_business).empty
    assert ask("ada", forecast.adjustment_scores).empty


def test_who_is_in_a_ring_is_counted_once(deals: Connection, ask: Ask) -> None:
    deals.exec_driver_sql("update crm_profiles set manager_id = %s where full_name = 'Mona'", (id_of("rita"),))
    lines = ask("ada", forecast.roll_up)
    assert lines["own_won"].sum() == lines["won"].iloc[0] == Decimal("666.66")
    assert lines["owner_id"].dropna().is_unique


# Names, new business, adjustments --------------------------------------------------------------------------------


def test_what_is_open_and_where_it_stands(deals: Connection, ask: Ask) -> None:
    found = ask("rita", forecast.open_opportunities, limited_to=owned_by("rita"))
    assert set(zip(found["name"], found["place"], found["category"], strict=True)) == {
        ("Sure", "in_period", "commit"), ("Dollars", "in_period", "best_case"), ("Yen", "in_period", "best_case"),
        ("Yesterday", "overdue", "pipeline"), ("Long ago", "overdue", "best_case"), ("Split", "in_period", "best_case"),
        ("Next year", "after", "best_case"), ("Max's own", "in_period", "pipeline"),
    }  # fmt: skip
    amounts = ask("rita", forecast.open_amounts, limited_to=owned_by("rita"))
    assert sorted(amounts["opportunity_id"]) == sorted(found["opportunity_id"])


def test_new_business_did_not_exist_as_far_into_the_period(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal   | organizer_id | assigned_to | stage_id | value | currency |
        2025-07-01 09:00 | Before | acme         | rita        | Proposal | 1     | |
        2025-08-05 23:00 | Seen   | acme         | rita        | Proposal | 10    | |
        2025-08-06 09:00 | New    | acme         | rita        | Proposal | 100   | USD |
        2025-08-06 09:00 | Lost   | acme         | rita        | Proposal | 1000  | |
        2025-08-06 09:00 | Later  | acme         | rita        | Proposal | 10000 | |
        2025-09-01 09:00 | Before |              |             | Won      |       | |
        2025-09-01 09:00 | Seen   |              |             | Won      |       | |
        2025-09-30 23:00 | New    |              |             | Won      |       | |
        2025-09-01 09:00 | Lost   |              |             | Lost     |       | |
        2025-10-01 00:00 | Later  |              |             | Won      |       | |
        """,
    )
    company.exec_driver_sql(
        "insert into crm_calibrations (as_of, history_from, stages, reliability, scores, fitted)"
        " values ('2025-10-01', '2025-03-01', '[]', '[]', '[]', '')"
    )
    # 5 November is as far into its quarter as 5 August was.
    shows(
        ask("ada", forecast.new_business),
        """
        period_start        | amount | opportunities
        2025-07-01 00:00:00 | 150    | 1
        2025-04-01 00:00:00 | 0      | 0
        """,
    )


def test_adjustments_and_how_they_fared(deals: Connection, ask: Ask) -> None:
    at(
        deals,
        "2025-10-20",
        *(
            "insert into crm_forecast_adjustments (author_id, owner_id, period_start, period_end, amount, currency,"
            f" reason, created_at) values ('{id_of(author)}', '{id_of(about)}', '{start}', '{end}', {amount},"
            f" '{currency}', 'So', '{made} 12:00-04')"
            for author, about, start, end, amount, currency, made in (
                ("max", "rita", "2025-10-01", "2026-01-01", 900, "CAD", "2025-10-02"),
                ("mona", "rita", "2025-10-01", "2026-01-01", 800, "USD", "2025-10-03"),
                ("max", "max", "2025-10-01", "2025-11-01", 500, "CAD", "2025-10-02"),
                ("ada", "olaf", "2025-10-01", "2026-01-01", 7, "JPY", "2025-10-02"),
            )
        ),
    )
    shows(
        ask("max", forecast.adjustments),
        """
        owner | author | amount | own_amount | currency | made_on    | is_newest
        Rita  | Mona   | 1200   | 800        | USD      | 2025-10-03 00:00:00 | yes
        Rita  | Max    | 900    | 900        | CAD      | 2025-10-02 00:00:00 | no
        """,
    )
    assert len(ask("max", forecast.adjustments, as_of=date(2025, 10, 2))) == 1
    assert len(ask("eve", forecast.adjustments)) == 3
    assert ask("rita", forecast.adjustments).empty
    lines = ask("ada", forecast.roll_up).set_index("owner")
    assert lines.loc["Rita", "adjustment"] == 1200
    assert lines.loc["Olaf", "adjustment"] is None
    # October is over. On the 2nd, Max's team had won 66.66 + 300 (of Dollars) and nothing open was due in October.
    shows(
        ask("max", forecast.adjustment_scores),
        """
        owner | author | period_start | amount | computed | actual | error  | computed_error
        Max   | Max    | 2025-10-01 00:00:00 | 500    | 366.66   | 366.66 | 133.34 | 0
        """,
    )


def days_in(month: date) -> Iterator[date]:
    yield from (month.replace(day=day) for day in range(1, monthrange(month.year, month.month)[1] + 1))


def test_the_same_numbers_every_day_of_a_month(deals: Connection, ask: Ask) -> None:
    """Won grows with the days, and what is won is open no more."""
    before = Decimal(0)
    for day in days_in(date(2025, 10, 1)):
        months = ask("ada", forecast.months, as_of=day)
        assert sum(months["won"]) >= before
        before = sum(months["won"])


@pytest.mark.parametrize("name", [name for name, each in vars(forecast).items() if isinstance(each, Question)])
def test_the_sql_runs_as_it_is_shown(deals: Connection, ask: Ask, name: str) -> None:
    question = getattr(forecast, name)
    arguments = {"thresholds": (), "records": (scope_of(), "open")}.get(name, (scope_of(),))
    shown = deals.exec_driver_sql(question.sql(*arguments).replace("%", "%%")).mappings().all()
    assert len(shown) == len(question(deals, *arguments))
