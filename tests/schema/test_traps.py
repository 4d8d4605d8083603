"""Each trap of the schema document, closed: one statement about our schema, shown to be false of the schema as written.

The order, and the names of the sections, are those of the table of decisions about the document.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import psycopg
import pytest
from psycopg.errors import (
    CheckViolation,
    ForeignKeyViolation,
    InsufficientPrivilege,
    InvalidSchemaName,
    NumericValueOutOfRange,
    RestrictViolation,
    UndefinedColumn,
    UndefinedTable,
    UniqueViolation,
)  # fmt: skip

from app import embedded
from tests.personas import PERSONAS
from tests.schema import catalogue, document
from tests.schema.conftest import own_database
from tests.schema.session import Session
from tests.tables import id_of

ACCEPTED = pytest.fail.Exception  # what should have been refused was not


@dataclass(frozen=True)
class Trap:
    """A statement about the schema; what happens to it in the schema as written, and why."""

    holds: Callable[[Session], None]
    fails_with: type[BaseException]
    because: str


TRAPS: dict[str, Trap] = {}


def trap(fails_with: type[BaseException], because: str) -> Callable[[Callable[[Session], None]], None]:
    def register(statement: Callable[[Session], None]) -> None:
        TRAPS[statement.__name__] = Trap(statement, fails_with, because)

    return register


def organizer(db: Session, name: str = "acme", owner: str = "rita", **values: object) -> None:
    db.insert("crm_organizers", id=name, company_name=name, assigned_to=owner, **values)


def opportunity(
    db: Session, name: str = "gala", on: str = "acme", owner: str = "rita", stage: str = "Lead", **values: object
) -> None:
    db.insert(
        "crm_opportunities",
        **{"id": name, "name": name, "organizer_id": on, "stage_id": stage, "value": 100, "assigned_to": owner}
        | values,
    )


def contact(db: Session, name: str = "cleo", on: str = "acme", **values: object) -> None:
    db.insert(
        "crm_contacts",
        **{"id": name, "full_name": name, "organizer_id": on, "email": f"{name}@client.example"} | values,
    )


def activity(db: Session, name: str = "call", owner: str = "rita", **values: object) -> None:
    db.insert("crm_activities", **{"id": name, "type": "call", "subject": name, "user_id": owner} | values)


# Numbers ------------------------------------------------------------------------------------------------------


@trap(CheckViolation, "days since a future activity are negative, and taking away a negative number adds: 130 of 100")
def an_organizer_with_a_meeting_next_month_can_be_edited(db: Session) -> None:
    organizer(db)
    activity(db, organizer_id="acme", activity_date=dt.datetime.now(dt.UTC) + dt.timedelta(days=60))
    db.update("crm_organizers", "acme", industry="Sports")


@trap(AssertionError, "its trigger is on the organizer, so an activity changes nothing until somebody presses Save")
def an_activity_raises_the_engagement_by_itself(db: Session) -> None:
    organizer(db)
    activity(db, organizer_id="acme")
    assert db.read("crm_organizers", "acme").engagement_score == 10


@trap(AssertionError, "without activities the days are null, LEAST(50, null) is 50, and 50 points are taken away")
def an_edit_leaves_the_engagement_alone(db: Session) -> None:
    organizer(db)
    before = db.read("crm_organizers", "acme").engagement_score
    db.update("crm_organizers", "acme", industry="Sports")
    assert db.read("crm_organizers", "acme").engagement_score == before


@trap(AssertionError, "it counts activities by organizer_id only")
def an_activity_with_a_contact_or_an_opportunity_counts(db: Session) -> None:
    organizer(db)
    contact(db)
    opportunity(db)
    activity(db, "one", contact_id="cleo")
    activity(db, "two", opportunity_id="gala")
    db.update("crm_organizers", "acme", industry="Sports")
    assert db.read("crm_organizers", "acme").engagement_score == 20


@trap(AssertionError, "a trigger assigns the generated column, to no effect")
def expected_revenue_is_computed_in_one_place(db: Session) -> None:
    assert db.rows("select from pg_trigger where tgname = 'calculate_opportunity_revenue'") == []
    organizer(db)
    opportunity(db, probability=30)
    assert db.read("crm_opportunities", "gala").expected_revenue == 30


@trap(UndefinedTable, "only the rounded column is there to be summed, and it says 1.00")
def a_hundred_halves_of_a_cent_are_fifty_cents(db: Session) -> None:
    organizer(db)
    for number in range(100):
        opportunity(db, f"deal {number}", value="0.01", probability=50)
    assert db.one("select sum(expected_revenue) from crm_opportunities") == 1  # the document's column, kept as it is
    assert db.one("select round(sum(value * probability / 100), 2) from analytics.open_opportunities") == Decimal(
        "0.50"
    )


@trap(AssertionError, "the default of 50 has nothing to do with the stage")
def a_new_opportunity_forecasts_what_its_stage_does(db: Session) -> None:
    organizer(db)
    opportunity(db, stage="Negotiation")
    assert db.read("crm_opportunities", "gala").probability == 75


@trap(AssertionError, "it keeps the probability that it had")
def a_lost_opportunity_forecasts_nothing(db: Session) -> None:
    organizer(db)
    opportunity(db)
    assert db.update("crm_opportunities", "gala", stage_id="Lost").expected_revenue == 0


@trap(AssertionError, "the probability never follows the stage")
def a_stage_s_probability_follows_the_stage(db: Session) -> None:
    organizer(db)
    opportunity(db)
    assert db.update("crm_opportunities", "gala", stage_id="Negotiation").probability == 75
    assert db.update("crm_opportunities", "gala", stage_id="Won").probability == 100
    assert db.update("crm_opportunities", "gala", stage_id="Qualified").probability == 25


@trap(UndefinedColumn, "nothing tells a person's own probability from the default")
def a_person_s_own_probability_is_marked_and_kept(db: Session) -> None:
    organizer(db)
    opportunity(db)
    with db.acting("rita"):
        db.run("update crm_opportunities set probability = 60, probability_reason = 'They called'")
    db.update("crm_opportunities", "gala", stage_id="Negotiation")
    found = db.read("crm_opportunities", "gala")
    assert (found.probability, found.probability_source) == (60, "manual")
    assert (found.probability_set_by, found.probability_reason) == (PERSONAS["rita"].id, "They called")
    assert found.probability_set_at


@trap(AssertionError, "the stages are inserted without their flags")
def won_and_lost_are_closed(db: Session) -> None:
    assert db.rows("select name, is_won from crm_pipeline_stages where is_closed order by name") == [
        ("Lost", False),
        ("Won", True),
    ]


@trap(ACCEPTED, "the flags are independent")
def a_stage_that_is_won_is_closed(db: Session) -> None:
    with db.refused(CheckViolation):
        db.insert("crm_pipeline_stages", name="Signed", order_index=7, is_won=True)


@trap(ACCEPTED, "names are not unique")
def two_stages_can_not_be_called_won(db: Session) -> None:
    with db.refused(UniqueViolation):
        db.insert("crm_pipeline_stages", name="won", order_index=7)


@trap(ACCEPTED, "status and stage are independent")
def nothing_is_won_in_stage_lost(db: Session) -> None:
    organizer(db)
    with db.refused(CheckViolation):
        opportunity(db, stage="Lost", status="won")


@trap(AssertionError, "the stage sets nothing")
def entering_a_closed_stage_closes_and_leaving_it_reopens(db: Session) -> None:
    organizer(db)
    opportunity(db)
    won = db.update("crm_opportunities", "gala", stage_id="Won")
    assert won.status == "won"
    assert won.actual_close_date
    reopened = db.update("crm_opportunities", "gala", stage_id="Lead")
    assert (reopened.status, reopened.actual_close_date) == ("open", None)


@trap(AssertionError, "a column default is set once and nothing ever moves it")
def the_dates_of_the_last_change_are_maintained(db: Session) -> None:
    organizer(db)
    contact(db)
    opportunity(db)
    entered = db.read("crm_opportunities", "gala").last_stage_change_at
    assert db.update("crm_opportunities", "gala", value=200).last_stage_change_at == entered
    assert db.update("crm_opportunities", "gala", stage_id="Proposal").last_stage_change_at > entered
    called = dt.datetime(2026, 1, 5, 15, 0, tzinfo=dt.UTC)
    activity(db, organizer_id="acme", contact_id="cleo", activity_date=called)
    assert db.read("crm_organizers", "acme").last_activity_at == called
    assert db.read("crm_contacts", "cleo").last_contact_date == called


@trap(AssertionError, "four tables have the column and no trigger")
def updated_at_moves_in_every_table_that_has_it(db: Session) -> None:
    organizer(db)
    activity(db, organizer_id="acme")
    db.insert("crm_notes", organizer_id="acme", content="Hello", created_by="rita")
    db.insert("crm_email_templates", name="Welcome", subject="Welcome", body_html="Welcome")
    for table, column in [("crm_organizers", "industry"), ("crm_activities", "subject"), ("crm_notes", "content"),
                          ("crm_email_templates", "subject"), ("crm_pipeline_stages", "description")]:  # fmt: skip
        before = db.rows(f"select id, updated_at from {table} order by id limit 1")[0]
        db.run(f"update {table} set {column} = 'Changed' where id = %s", before.id)
        assert db.read(table, before.id).updated_at > before.updated_at, table


@trap(ACCEPTED, "currency is any text")
def a_banana_is_no_currency(db: Session) -> None:
    organizer(db)
    for currency in ("banana", "", "usd", "US", "XXX"):
        with db.refused(CheckViolation):
            opportunity(db, currency=currency)


@trap(UndefinedTable, "there are no rates, so that yen are added to dollars")
def currencies_have_dated_rates_to_one_report_currency(db: Session) -> None:
    assert db.one("select report_currency from crm_settings") == "CAD"
    db.insert("crm_exchange_rates", currency="JPY", rate_date="2026-01-01", rate="0.0088")
    with db.refused(CheckViolation):
        db.insert("crm_exchange_rates", currency="CAD", rate_date="2026-01-01", rate=2)


@trap(ACCEPTED, "NUMERIC takes NaN, and one NaN makes every sum NaN")
def an_amount_is_a_number_from_zero(db: Session) -> None:
    organizer(db)
    for value in ("NaN", "-0.01"):
        with db.refused(CheckViolation):
            opportunity(db, value=value)
    with db.refused(NumericValueOutOfRange):
        opportunity(db, value="Infinity")


@trap(psycopg.DataError, "DATE takes infinity and the year 10000, which the driver can't read back")
def a_day_is_one_that_can_be_read_back(db: Session) -> None:
    organizer(db)
    for day in ("infinity", "-infinity", "10000-01-01", "0044-03-15 BC", "1899-12-31", "2201-01-01"):
        with db.refused(CheckViolation):
            opportunity(db, expected_close_date=day)
        with db.refused(CheckViolation):
            activity(db, organizer_id="acme", activity_date=day)


@trap(UndefinedTable, "there is no history: no conversion, no velocity, no accuracy")
def an_opportunity_s_past_is_kept(db: Session) -> None:
    organizer(db)
    opportunity(db)
    db.update("crm_opportunities", "gala", stage_id="Proposal")
    history = db.rows(
        "select stage_id, valid_to from crm_opportunity_history where opportunity_id = %s order by seq", id_of("gala")
    )
    assert [row.valid_to is None for row in history] == [False, True]


@trap(UndefinedTable, "there is no audit: nobody can say who did it")
def who_changed_what_is_kept(db: Session) -> None:
    organizer(db)
    with db.acting("rita"):
        db.run("update crm_organizers set industry = 'Sports'")
    entry = db.rows("select * from crm_audit where record_id = %s order by id", id_of("acme"))[-1]
    assert (entry.actor, entry.verb, entry.old, entry.new) == (
        PERSONAS["rita"].id,
        "update",
        {"industry": None},
        {"industry": "Sports"},
    )


@trap(ACCEPTED, "the usual GRANT ALL lets a rep write any column of an own row")
def a_rep_can_not_fake_what_is_computed(db: Session) -> None:
    organizer(db)
    opportunity(db)
    with db.acting("rita"):
        for assignment in ("total_revenue = 1e6", "lifetime_value = 1e6", "health_score = 100",
                           "churn_risk = 'low'", "annual_events = 99", "engagement_score = 100", "created_at = now()",
                           "created_by = null"):  # fmt: skip
            with db.refused(InsufficientPrivilege):
                db.run(f"update crm_organizers set {assignment}")
        with db.refused(InsufficientPrivilege):
            db.run("update crm_opportunities set ai_score = 100")


@trap(UndefinedColumn, "there is no version, and whatever changes a row moves updated_at")
def a_refresh_of_scores_clashes_with_nobody(db: Session) -> None:
    organizer(db)
    before = db.one("select version from crm_organizers")
    audited = db.one("select count(*) from crm_audit")
    db.update(
        "crm_organizers", "acme", health_score=80, churn_risk="high", total_revenue=5, scored_at=dt.datetime.now(dt.UTC)
    )
    assert db.one("select version from crm_organizers") == before
    assert db.one("select count(*) from crm_audit") == audited


@trap(AssertionError, "forty columns with a default take null all the same")
def a_column_with_a_default_is_never_null(db: Session) -> None:
    assert db.rows(
        """
        select attrelid::regclass, attname from pg_attribute
        where attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r')
          and attnum > 0 and atthasdef and attgenerated = '' and not attnotnull
          and attname <> 'created_by'  -- null where a job wrote the row
        """
    ) == []  # fmt: skip


@trap(AssertionError, "nothing sets a closing date; a date taken from the moment in UTC would be November's")
def an_evening_of_october_in_toronto_is_october(db: Session) -> None:
    organizer(db)
    opportunity(db)
    db.run("set local eventos.effective_time = '2025-11-01 02:00Z'")
    assert db.update("crm_opportunities", "gala", stage_id="Won").actual_close_date == dt.date(2025, 10, 31)


@trap(NumericValueOutOfRange, "numeric(12, 2) ends at ten billion")
def a_deal_of_ten_billion_yen_fits(db: Session) -> None:
    organizer(db)
    opportunity(db, value=10_000_000_000, currency="JPY")
    assert db.read("crm_opportunities", "gala").value == 10_000_000_000


# Access -------------------------------------------------------------------------------------------------------


@trap(AssertionError, "only 'assigned to me' and 'admin' are asked")
def managers_see_their_team_and_executives_all(db: Session) -> None:
    organizer(db)
    organizer(db, "other", owner="olaf")
    for name, count in [("max", 1), ("mona", 1), ("eve", 2), ("ada", 2)]:
        with db.acting(name):
            assert db.one("select count(*) from crm_organizers") == count, name


@trap(InsufficientPrivilege, "row-level security is on and there is no policy")
def notes_documents_and_templates_can_be_used(db: Session) -> None:
    organizer(db)
    db.insert("crm_email_templates", name="Welcome", subject="Welcome", body_html="Welcome")
    with db.acting("rita"):
        db.insert("crm_notes", organizer_id="acme", content="Hello", created_by="rita")
        db.insert("crm_documents", organizer_id="acme", file_name="offer.pdf", file_type="application/pdf", file_size=1,
                  storage_path="a", uploaded_by="rita")  # fmt: skip
        assert db.one("select count(*) from crm_email_templates") == 1


@trap(AssertionError, "has_role is not defined; as usually written it looks the roles up in pg_temp first")
def a_temporary_table_makes_nobody_admin(db: Session) -> None:
    organizer(db, owner="olaf")
    with db.acting("rita"):
        for table in ("user_roles", "crm_user_roles"):
            db.run(f"create temp table {table} as select %s::uuid as user_id, 'admin' as role", PERSONAS["rita"].id)
            db.run(f"grant select on {table} to public")
        db.run("create temp table crm_profiles as select %s::uuid as user_id, true as is_active", PERSONAS["rita"].id)
        assert db.one("select count(*) from public.crm_organizers") == 0
        assert not db.one("select public.has_role(%s, 'admin')", PERSONAS["rita"].id)


@trap(ACCEPTED, "the check asks whose the activity is, not whose the organizer")
def an_activity_can_not_be_put_on_a_colleague_s_organizer(db: Session) -> None:
    organizer(db, owner="ravi")
    with db.acting("rita"), db.refused(InsufficientPrivilege):
        db.run(
            "insert into crm_activities (organizer_id, type, subject, user_id) values (%s, 'call', 'Mine', %s)",
            id_of("acme"), PERSONAS["rita"].id,
        )  # fmt: skip


@trap(ACCEPTED, "the check asks whose the opportunity is, not whose the organizer")
def an_opportunity_can_not_be_put_on_a_colleague_s_organizer(db: Session) -> None:
    organizer(db, owner="ravi")
    stage = db.one("select id from crm_pipeline_stages where name = 'Lead'")
    with db.acting("rita"), db.refused(InsufficientPrivilege):
        db.run(
            "insert into crm_opportunities (organizer_id, stage_id, name, value, assigned_to)"
            " values (%s, %s, 'Mine', 1, %s)",
            id_of("acme"), stage, PERSONAS["rita"].id,
        )  # fmt: skip


@trap(AssertionError, "the contact's activities are deleted with it, whoever wrote them")
def a_contact_s_removal_keeps_the_activities_and_notes(db: Session) -> None:
    organizer(db)
    contact(db)
    activity(db, organizer_id="acme", contact_id="cleo", owner="ravi")
    db.insert("crm_notes", contact_id="cleo", organizer_id="acme", content="Hello", created_by="ravi")
    db.run("delete from crm_contacts")
    assert db.rows("select contact_id, organizer_id from crm_activities") == [(None, id_of("acme"))]
    assert db.rows("select contact_id, organizer_id from crm_notes") == [(None, id_of("acme"))]


@trap(ACCEPTED, "the organizer's opportunities are deleted with it")
def an_organizer_with_opportunities_can_not_be_removed(db: Session) -> None:
    organizer(db)
    opportunity(db, stage="Won")
    with db.acting("ada"), db.refused((ForeignKeyViolation, RestrictViolation)):  # the latter since PostgreSQL 18
        db.run("delete from crm_organizers")


@trap(ACCEPTED, "GRANT ALL holds TRUNCATE, which no policy stops")
def nobody_empties_a_table(db: Session) -> None:
    for name in ("rita", "ada"):
        with db.acting(name), db.refused(InsufficientPrivilege):
            db.run("truncate crm_organizers cascade")
    with db.superuser():
        db.run("set local role anon")
        with db.refused(InsufficientPrivilege):
            db.run("truncate crm_organizers cascade")


@trap(ACCEPTED, "GRANT ALL holds TRIGGER, and the trigger runs with the rights of whoever changes the table next")
def nobody_hangs_a_trigger_on_a_table(db: Session) -> None:
    with db.acting("rita"):
        db.run("create function pg_temp.grab() returns trigger language plpgsql as 'begin return new; end'")
        with db.refused(InsufficientPrivilege):
            db.run("create trigger grab before update on crm_organizers for each row execute function pg_temp.grab()")


@trap(AssertionError, "a deal is seen by its owner only, so that a sum depends on whether it joins organizers")
def a_deal_is_seen_by_its_owner_and_by_its_organizer_s(db: Session) -> None:
    organizer(db, owner="rita")
    opportunity(db, owner="ravi")
    for name in ("rita", "ravi"):
        with db.acting(name):
            assert db.one("select sum(value) from crm_opportunities") == 100, name


@trap(UndefinedTable, "nobody can be taken off but by deleting the user, whom foreign keys hold")
def a_leaver_sees_nothing_and_leaves_everything(db: Session) -> None:
    organizer(db)
    with db.refused(ForeignKeyViolation):
        db.run("delete from auth.users where id = %s", PERSONAS["rita"].id)
    db.run("update crm_profiles set is_active = false where user_id = %s", PERSONAS["rita"].id)
    with db.acting("rita"):
        assert db.one("select count(*) from crm_organizers") == 0
    assert db.read("crm_organizers", "acme").assigned_to == PERSONAS["rita"].id


# Integrity and speed ------------------------------------------------------------------------------------------


@trap(AssertionError, "six foreign keys have no index")
def every_foreign_key_has_an_index(db: Session) -> None:
    assert [*catalogue.foreign_keys_without_index(db)] == []


@trap(InvalidSchemaName, "there is no search, and under row-level security @@ scans the table")
def a_search_ignores_accents_and_case(db: Session) -> None:
    organizer(db, "Événements Montréal")
    with db.acting("rita"):
        found = db.rows("select label from app.search('evenements montreal', '{crm_organizers}')")
        assert found == [("Événements Montréal",)]


@trap(UniqueViolation, "a unique index is checked row by row")
def two_stages_can_change_places(db: Session) -> None:
    db.run("update crm_pipeline_stages set order_index = 3 - order_index where order_index in (1, 2)")
    assert [row.name for row in db.rows("select name from crm_pipeline_stages order by order_index limit 2")] == [
        "Qualified",
        "Lead",
    ]


@trap(
    InvalidSchemaName, "within one UPDATE the unique index is checked row by row, and it works or fails by their order"
)
def another_contact_can_become_the_primary_one(db: Session) -> None:
    organizer(db)
    contact(db, "cleo", is_primary=True)
    contact(db, "dina")
    for name in ("dina", "cleo"):
        with db.acting("rita"):
            assert db.one("select app.make_primary_contact(%s)", id_of(name)) == 1
        assert [row.full_name for row in db.rows("select full_name from crm_contacts where is_primary")] == [name]


@trap(ACCEPTED, "contact, opportunity and organizer are three independent foreign keys")
def what_belongs_to_another_organizer_is_refused(db: Session) -> None:
    organizer(db)
    organizer(db, "other")
    contact(db, on="other")
    opportunity(db, on="other")
    for parent in ({"contact_id": "cleo"}, {"opportunity_id": "gala"}):
        with db.refused(ForeignKeyViolation):
            activity(db, organizer_id="acme", **parent)
        with db.refused(ForeignKeyViolation):
            db.insert("crm_notes", organizer_id="acme", content="Hello", created_by="rita", **parent)


@trap(ACCEPTED, "every parent may be null")
def nothing_hangs_on_nothing(db: Session) -> None:
    with db.refused(CheckViolation):
        activity(db)
    with db.refused(CheckViolation):
        db.insert("crm_notes", content="Hello", created_by="rita")
    with db.refused(CheckViolation):
        db.insert("crm_documents", file_name="a", file_type="a", file_size=1, storage_path="a", uploaded_by="rita")


@trap(ACCEPTED, "is_task, type and task_status are independent")
def a_task_is_a_task_in_every_column(db: Session) -> None:
    organizer(db)
    for values in ({"is_task": True}, {"type": "task"}, {"task_status": "pending"}, {"type": "task", "is_task": True},
                   {"due_date": dt.datetime.now(dt.UTC)}):  # fmt: skip
        with db.refused(CheckViolation):
            activity(db, organizer_id="acme", **values)


@trap(ACCEPTED, "any text is an email, and the same one twice")
def emails_are_some_and_unique_for_an_organizer(db: Session) -> None:
    organizer(db)
    contact(db)
    for email in ("", "cleo", "a b@example.com", "@", "a@b@c"):
        with db.refused(CheckViolation):
            contact(db, "dina", email=email)
    with db.refused(UniqueViolation):
        contact(db, "dina", email="CLEO@client.example")


@trap(ACCEPTED, "any text is a time zone, and a page that uses it raises")
def time_zones_exist(db: Session) -> None:
    organizer(db)
    for zone in ("Mars/Phobos", "", "america/toronto", "EST5EDT,M3.2.0,M11.1.0", "Foo/Bar-5", "+05"):
        with db.refused(CheckViolation):
            contact(db, timezone=zone)


@trap(ACCEPTED, "the same file and version twice: which one was signed?")
def a_document_s_version_is_there_once(db: Session) -> None:
    organizer(db)
    file = {
        "organizer_id": "acme",
        "file_name": "offer.pdf",
        "file_type": "application/pdf",
        "file_size": 1,
        "uploaded_by": "rita",
    }
    db.insert("crm_documents", **file, storage_path="a")
    with db.refused(UniqueViolation):
        db.insert("crm_documents", **file, storage_path="b")


@trap(ACCEPTED, "signed without a signer or a date")
def a_signature_has_a_signer_and_a_date(db: Session) -> None:
    organizer(db)
    file = {
        "organizer_id": "acme",
        "file_name": "offer.pdf",
        "file_type": "application/pdf",
        "file_size": 1,
        "uploaded_by": "rita",
    }
    for values in ({"is_signed": True}, {"signed_by": "rita"}, {"is_signed": True, "signed_by": "rita"}):
        with db.refused(CheckViolation):
            db.insert("crm_documents", **file, storage_path="a", **values)


@trap(ACCEPTED, "a link with javascript: runs in the reader's browser")
def a_website_is_on_the_web(db: Session) -> None:
    for website in ("javascript:alert(1)", "data:text/html,x", "ftp://example.com", "http://", "https://a b", ""):
        with db.refused(CheckViolation):
            organizer(db, website=website)


@trap(ACCEPTED, "JSONB takes any shape")
def json_has_the_shape_that_its_readers_expect(db: Session) -> None:
    for column, value in [("address", "[]"), ("address", "1"), ("event_history", "{}"), ("event_history", '"x"')]:
        with db.refused(CheckViolation):
            organizer(db, **{column: value})


@trap(ACCEPTED, "text has no bound: a note of 10 MB, a company's name of one")
def texts_have_a_length(db: Session) -> None:
    organizer(db)
    with db.refused(CheckViolation):
        db.insert("crm_notes", organizer_id="acme", content="x" * 10_000_000, created_by="rita")
    with db.refused(CheckViolation):
        organizer(db, "other", industry="x" * 1_000_000)


@trap(UndefinedColumn, "nothing tells the second writer that there was a first")
def the_second_writer_of_two_notices(db: Session) -> None:
    organizer(db)
    assert db.run("update crm_organizers set industry = 'Sports' where version = 1") == 1
    assert db.run("update crm_organizers set industry = 'Music' where version = 1") == 0


@pytest.mark.parametrize("name", TRAPS)
def test_closed(db: Session, name: str) -> None:
    TRAPS[name].holds(db)


@pytest.mark.parametrize("name", TRAPS)
def test_open_in_the_schema_as_written(as_written: Session, name: str) -> None:
    with pytest.raises(TRAPS[name].fails_with):
        TRAPS[name].holds(as_written)


def test_the_document_s_script_needs_a_platform_and_runs_once(cluster: embedded.Server, as_written: Session) -> None:
    """Ours runs on a plain PostgreSQL and a second time: tests/app/test_schema.py."""
    with (
        own_database(cluster, "plain", "template0") as name,
        psycopg.connect(cluster.url("postgres", name)) as plain,
        pytest.raises(InvalidSchemaName, match='"auth" does not exist'),
    ):
        plain.execute(document.statements().encode())
    with as_written.refused(psycopg.errors.DuplicateTable):
        as_written.run(document.statements())
