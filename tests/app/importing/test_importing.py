"""The whole import on a real database: all or nothing, twice the same, and what the triggers would have derived."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection

from app.errors import Refused
from tests.app.importing.conftest import Company
from tests.app.importing.test_reading import ROWS, with_rows

Contents = Callable[[], dict[str, list[tuple[object, ...]]]]


def rows(owner: Connection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in owner.exec_driver_sql(query)]


def test_a_company_arrives_whole(owner: Connection, company: Company) -> None:
    report = company.load()
    assert not report.failed
    assert str(report) == (
        "The Tiny import is done.\n\n"
        "people                 0 rows read         3 new here\n"
        "stages                 4 rows read         4 new here\n"
        "organizers             2 rows read         2 new here\n"
        "contacts               1 rows read         1 new here\n"
        "opportunities          3 rows read         3 new here\n"
        "history                2 rows read         7 new here\n"
        "events                 1 rows read         1 new here\n"
        "activities             3 rows read         3 new here"
    )
    assert rows(owner, "select report_currency from crm_settings") == [("EUR",)]


def test_stages_replace_the_default_ones(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(
        owner,
        "select name, order_index, default_probability, is_closed, is_won from crm_pipeline_stages order by 2",
    ) == [
        ("Talking", 1, 30, False, False),
        ("Deciding", 2, 60, False, False),
        ("Won", 3, 100, True, True),
        ("Lost", 4, 0, True, False),
    ]


def test_owners_become_reps(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(
        owner,
        """
        select full_name, email, role
        from crm_profiles join auth.users on id = user_id join crm_user_roles using (user_id)
        where email like '%%.example' order by 1
        """,
    ) == [
        ("Ben Hall", "ben.hall@tiny.example", "rep"),
        ("Cleo Marsh", "cleo.marsh@tiny.example", "rep"),
        ("Zoë Ford", "zoe.ford@tiny.example", "rep"),
    ]


def test_organizers_are_as_old_as_their_first_record_and_know_their_last_activity(
    owner: Connection, company: Company
) -> None:
    company.load()
    assert rows(
        owner,
        """
        select company_name, address ->> 'country', full_name, organizer.created_at, last_activity_at, engagement_score
        from crm_organizers as organizer join crm_profiles on user_id = assigned_to order by 1
        """,
    ) == [
        ("Acme Événements", "Canada", "Zoë Ford", noon(1, 2), noon(2, 8), 0),  # Ann's call is yet to come
        ("Bolt", "France", "Ben Hall", noon(2, 1), None, 0),
    ]


def test_opportunities_stand_as_the_export_shows_them(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(
        owner,
        """
        select deal.name, stage.name, value::text, currency, probability, probability_source, status,
          expected_close_date::text, actual_close_date::text, deal.created_at, last_stage_change_at
        from crm_opportunities as deal join crm_pipeline_stages as stage on stage.id = stage_id order by 1
        """,
    ) == [
        ("Fair", "Won", "200.00", "EUR", 100, "stage", "won", None, "2025-03-15", noon(1, 2), noon(3, 15)),
        ("Gala", "Deciding", "1000.50", "EUR", 60, "stage", "open", "2025-09-30", None, noon(1, 10), noon(3, 1)),
        ("Show", "Lost", "300.00", "EUR", 0, "stage", "lost", None, "2025-04-01", noon(2, 1), noon(4, 1)),
    ]


def test_their_history_is_there(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(
        owner,
        """
        select version.seq, valid_from, valid_to, stage.name, next.name, stage_entered_at, version.value::text,
          version.probability, version.expected_close_date::text, version.status, version.created_at
        from crm_opportunity_history as version
        join crm_opportunities as deal on deal.id = opportunity_id and deal.name = 'Gala'
        left join crm_pipeline_stages as stage on stage.id = version.stage_id
        left join crm_pipeline_stages as next on next.id = next_stage_id
        order by seq
        """,
    ) == [
        (1, noon(1, 10), noon(2, 1), None, None, None, "800.00", None, None, "open", noon(1, 10)),
        (2, noon(2, 1), noon(3, 1), "Talking", "Deciding", noon(2, 1), "800.00", 30, "2025-08-31", "open", noon(1, 10)),
        (3, noon(3, 1), None, "Deciding", None, noon(3, 1), "1000.50", 60, "2025-09-30", "open", noon(1, 10)),
    ]


def test_events_are_their_organizers(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(
        owner,
        """
        select company_name, name, event_date::text, attendance
        from events join crm_organizers as organizer on organizer.id = organizer_id
        """,
    ) == [("Acme Événements", "Spring Gala", "2025-04-12", 350)]


def test_a_finished_task_counts_from_when_it_was_finished(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(
        owner,
        """
        select type, subject, activity_date, due_date, task_status, completed_at, full_name, metadata ->> 'kind'
        from crm_activities join crm_profiles using (user_id) order by subject
        """,
    ) == [
        ("call", "Asked for the date", noon(2, 3), None, None, None, "Zoë Ford", "Call"),
        ("task", "Ring Ann", noon(5, 20), noon(5, 20), "pending", None, "Zoë Ford", "To do"),
        ("task", "Send the offer", noon(2, 8), noon(2, 10), "completed", noon(2, 8), "Cleo Marsh", "To do"),
    ]


def noon(month: int, day: int) -> datetime:
    """Noon in Toronto in 2025; the clocks change on 9 March."""
    return datetime(2025, month, day, 16 if (month, day) >= (3, 9) else 17, tzinfo=UTC)


def test_a_second_run_changes_nothing(company: Company, contents: Contents) -> None:
    company.load()
    before = contents()
    report = company.load()
    assert contents() == before
    assert str(report).startswith("Everything in this Tiny export was here already: nothing was changed.")


def test_what_people_changed_since_stays_and_what_is_new_comes(owner: Connection, company: Company) -> None:
    company.load()
    owner.exec_driver_sql("update crm_opportunities set value = 5000 where name = 'Gala'")
    owner.exec_driver_sql("delete from crm_opportunities where name = 'Show'")
    company.change("deals.csv", "d3,c2", "d4,c2,Parade,40,Talking,2025-12-01,2025-05-01,Ben Hall\nd3,c2")
    company.change("calls.csv", "a1,d1", "a4,d3,,Call,About the show,2025-03-01,,,Ben Hall\na1,d1")
    report = company.load()
    assert {name: count for name, count in report.new.items() if count} == {"opportunities": 1, "history": 1}
    assert rows(owner, "select name, value from crm_opportunities order by 1") == [
        ("Fair", Decimal("200.00")), ("Gala", Decimal("5000.00")), ("Parade", Decimal("40.00")),
    ]  # fmt: skip


def test_a_dry_run_writes_nothing_and_says_what_would_come(company: Company, contents: Contents) -> None:
    before = contents()
    report = company.load(dry_run=True)
    assert contents() == before
    assert str(report).startswith("Dry run of the Tiny import: nothing was written.")
    assert report.new["opportunities"] == 3
    assert not report.failed


def test_a_rejected_row_leaves_nothing_imported_and_every_one_is_listed(company: Company, contents: Contents) -> None:
    company.change("deals.csv", "200,Won", "two hundred,Won")
    company.change("calls.csv", "2025-02-03", "2025-02-30")
    before = contents()
    report = company.load()
    assert contents() == before
    assert report.failed
    assert str(report).startswith("The Tiny import was not done: nothing was written.")
    assert str(report).endswith(
        "2 rows rejected. Correct them, or leave them out with --skip-rejected.\n"
        "  deals.csv line 3: amount is “two hundred”, which is not a number written like 1234.00.\n"
        "  calls.csv line 2: at is “2025-02-30”, which is not a date from 1901 to 2200 written like 2025-12-31."
    )
    assert company.load(dry_run=True).failed


def test_rejected_rows_can_be_left_out(owner: Connection, company: Company) -> None:
    company.change("deals.csv", "200,Won", "two hundred,Won")
    report = company.load(skip_rejected=True)
    assert not report.failed
    assert "1 row rejected. They were left out." in str(report)
    assert rows(owner, "select name from crm_opportunities order by 1") == [("Gala",), ("Show",)]
    company.change("deals.csv", "two hundred,Won", "200,Won")
    assert company.load().new["opportunities"] == 1, "corrected, the row comes in later"


def test_what_only_the_database_refuses_is_rejected_with_its_place(
    owner: Connection, company: Company, contents: Contents
) -> None:
    owner.exec_driver_sql("alter table crm_organizers add constraint no_bolt check (company_name <> 'Bolt')")
    try:
        before = contents()
        report = company.load()
        assert contents() == before
        assert [str(rejected) for rejected in report.rejected] == [
            "companies.csv line 3: The database refuses it: "
            'new row for relation "crm_organizers" violates check constraint "no_bolt".',
            "deals.csv line 4: What it belongs to was rejected (companies.csv line 3).",
        ]
        assert company.load(skip_rejected=True).new["organizers"] == 1
        assert rows(owner, "select company_name from crm_organizers") == [("Acme Événements",)]
    finally:
        owner.exec_driver_sql("alter table crm_organizers drop constraint no_bolt")


def test_an_interrupted_import_leaves_nothing(owner: Connection, company: Company, contents: Contents) -> None:
    owner.exec_driver_sql("alter table crm_opportunity_history add constraint none check (false) not valid")
    try:
        before = contents()
        with pytest.raises(AssertionError, match="history was refused"):
            company.load()
        assert contents() == before
    finally:
        owner.exec_driver_sql("alter table crm_opportunity_history drop constraint none")
    disabled = "select count(*) from pg_trigger where tgenabled = 'D'"
    assert rows(owner, disabled) == [(0,)]


def test_where_nobody_could_look_an_admin_is_added(owner: Connection, company: Company) -> None:
    owner.exec_driver_sql("delete from crm_user_roles where role = 'admin'")
    assert company.load().new["people"] == 4
    company.load()
    assert rows(
        owner,
        """
        select full_name, email from crm_profiles join auth.users on id = user_id join crm_user_roles using (user_id)
        where role = 'admin'
        """,
    ) == [("Administrator", "admin@tiny.example")]


def test_people_have_addresses_of_their_own(owner: Connection, company: Company) -> None:
    company.change("companies.csv", "Ben Hall", "Zoe Ford")
    company.change("calls.csv", "Cleo Marsh", "王小明")
    company.load()
    emails = [str(email) for (email,) in rows(owner, "select email from auth.users where email like '%%.example'")]
    assert len(emails) == 4
    assert "zoe.ford@tiny.example" in emails
    assert sum(email.endswith(".zoe.ford@tiny.example") for email in emails) == 1
    assert sum(email.startswith("person.") for email in emails) == 1


STAFF = """
[[people]]
file = "staff.csv"
key = "name"
full_name = "name"
email = "mail"
manager = "boss"
"""


def test_somebody_with_the_same_address_is_that_person(owner: Connection, company: Company) -> None:
    (company.directory / "staff.csv").write_text(
        "name,mail,boss\nZoë Ford,RITA@example.com,\nBen Hall,,Zoë Ford\n", "utf-8"
    )
    company.mapping.write_text(company.mapping.read_text("utf-8") + STAFF, "utf-8")
    company.load()
    assert rows(
        owner,
        """
        select deal.name, full_name, role from crm_opportunities as deal
        join crm_profiles as person on user_id = assigned_to join crm_user_roles using (user_id) order by 1
        """,
    ) == [("Fair", "Rita", "rep"), ("Gala", "Rita", "rep"), ("Show", "Ben Hall", "rep")]
    boss = "select boss.full_name from crm_profiles as one join crm_profiles as boss on boss.user_id = one.manager_id"
    assert rows(owner, f"{boss} where one.full_name = 'Ben Hall'") == [("Rita",)]


def test_stages_in_use_or_edited_stay_and_those_of_the_same_name_are_shared(
    owner: Connection, company: Company, given: Callable[[Connection, str, str], None]
) -> None:
    given(owner, "crm_organizers", "id | company_name\nold | Old")
    given(owner, "crm_opportunities", "organizer_id | stage_id | name | value | currency\nold | Won | Sold | 1 | CAD")
    owner.exec_driver_sql("update crm_pipeline_stages set default_probability = 80 where name = 'Negotiation'")
    company.load()
    assert rows(owner, "select name from crm_pipeline_stages order by order_index") == [
        ("Negotiation",), ("Won",), ("Talking",), ("Deciding",), ("Lost",),
    ]  # fmt: skip
    assert rows(
        owner,
        "select name from crm_opportunities"
        " where stage_id = (select id from crm_pipeline_stages where name = 'Won') order by 1",
    ) == [("Fair",), ("Sold",)]
    assert rows(owner, "select report_currency from crm_settings") == [("CAD",)], "something is counted in it already"


def test_stages_of_one_name_are_one(owner: Connection, company: Company) -> None:
    second = '[[stages]]\nkey = "Second talk"\nname = "talking"\nprobability = 35\n\n[[organizers]]'
    company.change("tiny.toml", "[[organizers]]", second)
    company.change(
        "steps.csv",
        "2025-03-01,Deciding,1000.50",
        "2025-02-15,Second talk,900,2025-09-01\nd1,2025-03-01,Deciding,1000.50",
    )
    company.load()
    assert rows(
        owner,
        """
        select stage.name, version.value::text, version.probability, stage_entered_at
        from crm_opportunity_history as version
        join crm_opportunities as deal on deal.id = opportunity_id and deal.name = 'Gala'
        join crm_pipeline_stages as stage on stage.id = version.stage_id order by seq
        """,
    ) == [
        ("Talking", "800.00", 30, noon(2, 1)),
        ("Talking", "900.00", 30, noon(2, 1)),
        ("Deciding", "1000.50", 60, noon(3, 1)),
    ]


def test_a_stage_of_the_same_name_that_closes_differently_is_refused(
    owner: Connection, company: Company, contents: Contents
) -> None:
    owner.exec_driver_sql("update crm_pipeline_stages set name = 'talking' where name = 'Lost'")
    before = contents()
    with pytest.raises(Refused, match="The stage “talking” is here already and closes deals differently"):
        company.load()
    assert contents() == before


@pytest.mark.parametrize("currency", ["usd", "US", "XXX", ""])
def test_the_currency_has_to_be_one(company: Company, owner: Connection, currency: str) -> None:
    del owner
    company.change("tiny.toml", 'currency = "EUR"', f'currency = "{currency}"')
    with pytest.raises(
        Refused, match=r"The currency is .* which is not a currency code such as CAD: say it with --currency"
    ):
        company.load()


def test_the_open_dashboards_are_told(owner: Connection, company: Company) -> None:
    owner.exec_driver_sql("listen eventos_changed")
    company.load(dry_run=True)
    assert not heard(owner)
    company.load()
    assert heard(owner)


def heard(owner: Connection) -> bool:
    driver = owner.connection.driver_connection
    assert driver is not None
    return bool(list(driver.notifies(timeout=0.2, stop_after=1)))


def test_the_first_edit_finds_everything_as_the_triggers_would_have_left_it(
    owner: Connection, company: Company
) -> None:
    company.load()
    owner.exec_driver_sql(
        """
        update crm_opportunities set stage_id = (select id from crm_pipeline_stages where name = 'Talking')
        where name = 'Gala'
        """
    )
    assert rows(
        owner,
        """
        select version.seq, version.probability, stage.name, next.name, valid_to is null
        from crm_opportunity_history as version
        join crm_opportunities as deal on deal.id = opportunity_id and deal.name = 'Gala'
        left join crm_pipeline_stages as stage on stage.id = version.stage_id
        left join crm_pipeline_stages as next on next.id = next_stage_id
        order by seq
        """,
    ) == [
        (1, None, None, None, False),
        (2, 30, "Talking", "Deciding", False),
        (3, 60, "Deciding", "Talking", False),
        (4, 30, "Talking", None, True),
    ]
    derived = "select id, last_activity_at, engagement_score from crm_organizers order by id"
    before = rows(owner, derived)
    owner.exec_driver_sql("update crm_activities set description = 'looked at'")
    assert rows(owner, derived) == before


def test_stays_are_counted_as_a_recount_would(owner: Connection, company: Company) -> None:
    company.load()
    counts = "select days, stays from crm_stage_stay_counts order by 1, 2"
    counted = rows(owner, counts)
    assert counted == [(28, 1)]
    owner.exec_driver_sql("select app.recount_stage_stays()")
    assert rows(owner, counts) == counted


def test_activities_are_counted_as_a_recount_would(owner: Connection, company: Company) -> None:
    company.load()
    assert rows(owner, "select sum(activities) > 0 from crm_activity_counts") == [(True,)]
    assert rows(owner, "select app.miscounted_activities()") == [(0,)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_what_the_reading_lets_through_the_database_takes(owner: Connection, rows: dict[str, list[list[str]]]) -> None:
    del owner
    with TemporaryDirectory() as directory:
        report = with_rows(Path(directory), rows).load(dry_run=True, skip_rejected=True)
    assert report.new["opportunities"] >= 3
    assert not [str(rejected) for rejected in report.rejected if "database" in rejected.reason]
