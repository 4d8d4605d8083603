"""Maven's export comes in by a mapping file alone; its totals, months and stays are those of its plain files."""

import csv
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import mean

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

EXPORT = Path(__file__).parents[3] / "shared/data/maven"
MAPPING = Path(__file__).parents[1] / "mappings/maven.toml"
pytestmark = pytest.mark.skipif(not EXPORT.is_dir(), reason="the Maven export in ../shared/data is not here")

LAST_DAY = date(2017, 12, 31)
WON_OF_CLOSED = {
    3: (531, 647), 4: (285, 586), 5: (438, 805), 6: (531, 641), 7: (308, 627),
    8: (446, 785), 9: (503, 635), 10: (279, 566), 11: (406, 768), 12: (511, 651),
}  # fmt: skip


def read(name: str) -> list[dict[str, str]]:
    with (EXPORT / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def report(server: embedded.Server, database: Settings) -> Report:
    """Imported once for all that only read."""
    with at_the_start(server, database), doors.owning() as connection:
        return importing.run(connection, format=str(MAPPING), directory=EXPORT)


@pytest.fixture
def as_ada(report: Report) -> Iterator[Connection]:
    assert not report.rejected
    ada = doors.viewer_of(PERSONAS["ada"].id)
    assert ada
    with doors.reading(ada) as db:
        yield db


def scope(period: Period) -> Scope:
    return Scope(
        today=date(2025, 11, 1), as_of=LAST_DAY, period=period, currency="USD", time_zone="America/Toronto"
    )  # fmt: skip


def test_its_totals(as_ada: Connection) -> None:
    figures = pipeline.headline(as_ada, scope(Period.of("year", LAST_DAY))).iloc[0]
    assert (figures.won_count, figures.lost_count, figures.open_count) == (4238, 2473, 1589 + 500)
    assert figures.won_value == 10_005_534
    assert figures.win_rate == pytest.approx(4238 / 6711)
    assert figures.cycle_median_days == 57
    prices = {row["product"].replace(" ", ""): Decimal(row["sales_price"]) for row in read("products")}
    open_deals = [row for row in read("sales_pipeline") if not row["close_date"]]
    assert figures.open_value == sum(prices[row["product"].replace(" ", "")] for row in open_deals)


def test_its_months(as_ada: Connection) -> None:
    for month, (won, closed) in WON_OF_CLOSED.items():
        figures = pipeline.headline(as_ada, scope(Period.of("month", date(2017, month, 1)))).iloc[0]
        assert (figures.won_count, figures.won_count + figures.lost_count) == (won, closed), month


def test_every_closed_deal_stayed_in_engaging(as_ada: Connection) -> None:
    stays = as_ada.exec_driver_sql(
        "select stay.days, next.is_won from analytics.stage_stays as stay"
        " join crm_pipeline_stages as stage on stage.id = stay.stage_id and stage.name = 'Engaging'"
        " join crm_pipeline_stages as next on next.id = stay.next_stage_id"
    ).all()
    assert (len(stays), sum(is_won for _, is_won in stays)) == (6711, 4238)
    assert round(mean(days for days, is_won in stays if is_won), 2) == 51.78
    assert round(mean(days for days, _ in stays), 2) == 47.99


def test_open_deals_without_an_account_or_a_value(as_ada: Connection) -> None:
    counted = as_ada.exec_driver_sql(
        "select count(*) filter (where company_name = '(no account)'),"
        " count(*) filter (where description like '%%list price%%')"
        " from crm_opportunities as deal join crm_organizers as organizer on organizer.id = organizer_id"
        " where deal.status = 'open'"
    ).one()
    assert counted == (1425, 2089)


def test_agents_report_to_their_managers(as_ada: Connection) -> None:
    people = as_ada.exec_driver_sql(
        "select boss.full_name, count(*) from crm_profiles as agent"
        " join crm_profiles as boss on boss.user_id = agent.manager_id"
        " join crm_user_roles as held on held.user_id = boss.user_id and held.role = 'manager'"
        " where boss.full_name not in ('Mona', 'Max') group by 1"
    ).all()
    expected: dict[str, int] = {}
    for row in read("sales_teams"):
        expected[row["manager"]] = expected.get(row["manager"], 0) + 1
    assert dict(map(tuple, people)) == expected
