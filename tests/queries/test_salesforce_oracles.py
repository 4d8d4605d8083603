"""The Salesforce export that nobody here wrote, through the pages' own questions, against sums over its plain files."""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import mean, median

import pytest
from sqlalchemy import Connection

from app import database as doors
from app import embedded, importing
from app.importing.report import Report
from app.settings import Settings
from queries import pipeline
from queries.scope import Period, Scope
from tests.conftest import at_the_start
from tests.personas import PERSONAS

EXPORT = Path(__file__).parents[3] / "shared/data/salesforce"
pytestmark = pytest.mark.skipif(not EXPORT.is_dir(), reason="the Salesforce export in ../shared/data is not here")

LAST_DAY = date(2015, 7, 8)
BY_FORECAST_CATEGORY = {
    "Pipeline": (135, 173_097_896),
    "BestCase": (39, 54_871_032),
    "Forecast": (17, 17_044_891),
}
WON_OF_CLOSED = {2012: (280, 363), 2013: (379, 532), 2014: (465, 621), 2015: (221, 292)}


def read(name: str) -> list[dict[str, str]]:
    with (EXPORT / f"DTC_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, skipinitialspace=True))


def day(text: str) -> date:
    return date.fromisoformat(text)


def load() -> Report:
    with doors.owning() as connection:
        return importing.run(connection, format="salesforce", directory=EXPORT)


@pytest.fixture(scope="module")
def report(server: embedded.Server, database: Settings) -> Iterator[Report]:
    """Imported once for all that only read."""
    with at_the_start(server, database):
        yield load()


@pytest.fixture
def as_ada(report: Report) -> Iterator[Connection]:
    del report
    ada = doors.viewer_of(PERSONAS["ada"].id)
    assert ada
    with doors.reading(ada) as db:
        yield db


def scope(as_of: date, year: int = 2015) -> Scope:
    return Scope(
        today=date(2025, 11, 1), as_of=as_of, period=Period.of("year", date(year, 1, 1)), currency="USD",
        time_zone="America/Toronto",
    )  # fmt: skip


def now_and_then() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("as_of", [LAST_DAY, date(2025, 11, 1)], ids=["on its last day", "today"])


def test_nothing_in_it_needs_rejecting(report: Report) -> None:
    assert not report.rejected
    assert {name: report.rows[name] for name in ("organizers", "opportunities", "history", "activities")} == {
        "organizers": 1001, "opportunities": 1999, "history": 387, "activities": 1999 + 1999,
    }  # fmt: skip


def test_events_are_meetings_and_tasks_are_tasks(as_ada: Connection) -> None:
    counts = "select type, task_status, count(*) from crm_activities group by 1, 2 order by 1, 2"
    assert [tuple(row) for row in as_ada.exec_driver_sql(counts)] == [
        ("meeting", None, 1999), ("task", "completed", 190), ("task", "pending", 1809),
    ]  # fmt: skip


def test_owners_are_reps(as_ada: Connection) -> None:
    owners = {row["Owner.Name"] for row in [*read("Account"), *read("Opportunity")]}
    owners |= {row["OwnerId"] for row in [*read("Event"), *read("Task")]}
    reps = "select full_name from crm_profiles join crm_user_roles using (user_id) where role = 'rep'"
    assert owners <= set(as_ada.exec_driver_sql(reps).scalars())


@now_and_then()
def test_what_is_open(as_ada: Connection, as_of: date) -> None:
    figures = pipeline.headline(as_ada, scope(as_of)).iloc[0]
    assert (figures.open_count, figures.open_value, figures.without_rate) == (191, Decimal(245_013_819), 0)
    open_deals = [row for row in read("Opportunity") if not row["StageName"].startswith("Closed")]
    chance = {row["StageName"]: Decimal(row["Probability"]) / 100 for row in read("OpportunityHistory")}
    assert figures.expected_revenue == sum(Decimal(row["Amount"]) * chance[row["StageName"]] for row in open_deals)


@now_and_then()
def test_where_it_stands(as_ada: Connection, as_of: date) -> None:
    stages = pipeline.expected_revenue_by_stage(as_ada, scope(as_of))
    open_deals = [row for row in read("Opportunity") if not row["StageName"].startswith("Closed")]
    counted = Counter(row["StageName"] for row in open_deals)
    assert dict(zip(stages.stage, stages.opportunities, strict=True)) == counted
    assert list(stages.stage) == [
        "Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Perception Analysis",
        "Proposal/Price Quote", "Negotiation/Review",
    ]  # fmt: skip
    assert list(stages.default_probability) == [0.1, 0.1, 0.2, 0.5, 0.7, 0.75, 0.9]
    category = {row["StageName"]: row["ForecastCategory"] for row in open_deals}
    found = {name: (0, Decimal(0)) for name in BY_FORECAST_CATEGORY}
    for stage in stages.itertuples():
        count, value = found[category[stage.stage]]
        found[category[stage.stage]] = (count + stage.opportunities, value + stage.value)
    assert found == BY_FORECAST_CATEGORY


@now_and_then()
def test_what_was_won_and_lost(as_ada: Connection, as_of: date) -> None:
    closed = [row for row in read("Opportunity") if row["StageName"].startswith("Closed")]
    won = [row for row in closed if row["StageName"] == "Closed Won"]
    assert (len(won), len(closed) - len(won)) == (1345, 463)
    for year, (won_count, closed_count) in WON_OF_CLOSED.items():
        figures = pipeline.headline(as_ada, scope(as_of, year)).iloc[0]
        of_year = [row for row in won if day(row["CloseDate"]).year == year]
        cycles = [(day(row["CloseDate"]) - day(row["CreatedDate"])).days for row in of_year]
        assert (figures.won_count, figures.won_count + figures.lost_count) == (won_count, closed_count)
        assert figures.win_rate == pytest.approx(won_count / closed_count)
        assert figures.won_value == sum(Decimal(row["Amount"]) for row in of_year)
        assert figures.cycle_median_days == median(cycles)


def test_how_long_it_took(as_ada: Connection) -> None:
    taken = as_ada.exec_driver_sql(
        "select closed_on - (created_at at time zone 'America/Toronto')::date, outcome = 'won'"
        " from analytics.closed_opportunities where valid_to is null"
    ).all()
    assert round(mean(days for days, is_won in taken if is_won), 2) == 122.63
    assert round(mean(days for days, _ in taken), 1) == 123.4


@pytest.mark.parametrize("as_of", [date(2012, 12, 31), date(2014, 3, 4), date(2015, 5, 27), date(2015, 7, 1)])
def test_any_day_of_its_past(as_ada: Connection, as_of: date) -> None:
    history: dict[str, list[tuple[date, str, Decimal]]] = {}
    for row in read("OpportunityHistory"):
        step = day(row["CreatedDate"]), row["StageName"], Decimal(row["Amount"])
        history.setdefault(row["OpportunityName"], []).append(step)
    value, stages = Decimal(0), Counter[str]()
    for row in read("Opportunity"):
        steps = sorted(history.get(row["Name"], []))
        created = min([day(row["CreatedDate"]), *(at for at, _, _ in steps)])
        is_closed = row["StageName"].startswith("Closed") and day(row["CloseDate"]) <= as_of
        past = [step for step in steps if step[0] <= as_of]
        stage = past[-1][1] if past else "Unknown stage"
        if created <= as_of and not is_closed and not stage.startswith("Closed"):
            stages[stage] += 1
            value += past[-1][2] if past else steps[0][2] if steps else Decimal(row["Amount"])
    figures = pipeline.headline(as_ada, scope(as_of, as_of.year)).iloc[0]
    assert (figures.open_count, figures.open_value) == (stages.total(), value)
    by_stage = pipeline.expected_revenue_by_stage(as_ada, scope(as_of))
    found = dict(zip(by_stage.stage, by_stage.opportunities, strict=True))
    assert {stage: count for stage, count in found.items() if count} == stages


def test_a_second_import_brings_nothing(report: Report) -> None:
    assert report.new["opportunities"] == 1999
    assert not load().new.total()
