"""Exchange rates, targets and what holds for the whole organisation."""

import pytest
from psycopg.errors import CheckViolation, NumericValueOutOfRange, UniqueViolation

from tests.schema.session import Session


def test_there_is_one_row_of_settings(db: Session) -> None:
    settings = db.row("select * from crm_settings")
    assert (settings.report_currency, settings.time_zone, settings.fiscal_year_first_month) == (
        "CAD",
        "America/Toronto",
        1,
    )
    with db.refused(UniqueViolation):
        db.run("insert into crm_settings default values")
    with db.refused(CheckViolation):
        db.run("insert into crm_settings (id) values (false)")


@pytest.mark.parametrize("change", [
    "organisation_name = ''", "report_currency = 'cad'", "report_currency = 'XXX'", "time_zone = 'Mars/Phobos'",
    "fiscal_year_first_month = 0", "fiscal_year_first_month = 13",
])  # fmt: skip
def test_a_setting_has_a_meaning(db: Session, change: str) -> None:
    with db.refused(CheckViolation):
        db.run(f"update crm_settings set {change}")


def test_a_currency_has_one_rate_a_day(db: Session) -> None:
    db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-01", rate="1.37")
    db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-02", rate="1.38")
    with db.refused(UniqueViolation):
        db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-02", rate="1.39")


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "10000000000", "0.00000000001"])
def test_a_rate_is_a_number_above_zero(db: Session, rate: str) -> None:
    with db.refused((CheckViolation, NumericValueOutOfRange)):
        db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-01", rate=rate)


def test_the_report_currency_has_no_rate(db: Session) -> None:
    with db.refused(CheckViolation, "CAD is the report currency: its rate is 1 and is not entered"):
        db.insert("crm_exchange_rates", currency="CAD", rate_date="2026-01-01", rate=1)
    usd = db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-01", rate="1.37")
    with db.refused(CheckViolation, "CAD is the report currency"):
        db.update("crm_exchange_rates", usd.id, currency="CAD")


def test_the_report_currency_stays_while_rates_lead_to_it(db: Session) -> None:
    db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-01", rate="1.37")
    db.run("update crm_settings set report_currency = 'CAD', organisation_name = 'Ours'")
    with db.refused(CheckViolation, "The report currency stays as it is while exchange rates lead to it"):
        db.run("update crm_settings set report_currency = 'USD'")
    db.run("delete from crm_exchange_rates")
    assert db.run("update crm_settings set report_currency = 'USD'") == 1


def test_a_person_has_one_target_a_quarter(db: Session) -> None:
    db.insert("crm_targets", user_id="rita", period_start="2026-01-01", amount=100)
    db.insert("crm_targets", user_id="ravi", period_start="2026-01-01", amount=100)
    db.insert("crm_targets", user_id="rita", period_start="2026-04-01", amount=100)
    with db.refused(UniqueViolation):
        db.insert("crm_targets", user_id="rita", period_start="2026-01-01", amount=200)
    with db.refused(CheckViolation):
        db.insert("crm_targets", user_id="rita", period_start="2026-07-02", amount=100)


def test_today_is_the_organisation_s_or_the_one_that_is_bound(db: Session) -> None:
    assert db.one("select app.today() = (now() at time zone 'America/Toronto')::date")
    db.run("set local eventos.today = '2025-11-02'")
    assert str(db.one("select app.today()")) == "2025-11-02"
