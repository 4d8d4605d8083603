"""Who may undo is asked of app.may_change and app.may_become: they say what the update policies say."""

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app import embedded
from tests.personas import PERSONAS
from tests.schema.company import RULES, TABLES, Company, allowed, build
from tests.schema.conftest import own_database
from tests.schema.session import Session
from tests.tables import id_of

UNDOABLE = [table for table in TABLES if "U" in RULES[table, "admin"] and table not in ("crm_saved_views", "crm_drafts",
                                                                                       "crm_outbox")]  # fmt: skip


@pytest.fixture
def company(db: Session) -> Company:
    build(db)
    return Company(db)


@pytest.mark.parametrize(("function", "after"), [("may_change", False), ("may_become", True)])
def test_says_what_the_update_policies_say(db: Session, company: Company, function: str, after: bool) -> None:
    for table in UNDOABLE:
        form = TABLES[table]
        rows = db.rows(f"select {form.key}::text as key, to_jsonb(record)::text as row from {table} as record")
        known = {row.key: row for row in company.rows(table)}
        for viewer in PERSONAS:
            with db.acting(viewer):
                said = {row.key for row in rows if db.one(f"select app.{function}(%s, %s::jsonb)", table, row.row)}
            expected = {key for key, row in known.items() if allowed(viewer, table, "U", row, after)}
            assert said == expected, f"{viewer}, {table}"


def test_of_several_rows_each_must_be_the_viewer_s(db: Session, company: Company) -> None:
    both = db.one("select array_agg(to_jsonb(record)) from crm_organizers as record where id = any (%s)",
                  [id_of("of rita"), id_of("of ravi")])  # fmt: skip
    may = "select app.may_change('crm_organizers', variadic %s::jsonb[])"
    for viewer, expected in [("rita", False), ("max", True)]:
        with db.acting(viewer):
            assert db.one(may, [Jsonb(row) for row in both]) is expected
            assert db.one(may, [])


@pytest.mark.parametrize("table", ["crm_audit", "crm_stage_changes", "crm_opportunity_history", "crm_saved_views", "x"])
def test_nobody_changes_what_is_kept_for_ever_or_for_oneself(db: Session, table: str) -> None:
    with db.acting("ada"):
        assert not db.one("select app.may_change(%s, '{}'::jsonb)", table)


def test_a_change_of_a_table_that_comes_later_is_decided_on(db: Session) -> None:
    """Every audited table either can be undone, or says here why not."""
    audited = {name for (name,) in db.rows(
        "select distinct tgrelid::regclass::text from pg_trigger where tgfoid = 'app.write_audit'::regproc"
    )}  # fmt: skip
    not_undone = {
        "crm_stage_changes",  # by the page Stages, which knows what followed
        "crm_outbox",  # what waits there is called off by its own trigger
    }
    assert audited - not_undone == set(db.one("select app.undoable()"))


def test_every_server_undoes(cluster: embedded.Server) -> None:
    """A deletion with what it does to others, and a merge: transactions of their own, so in a database of its own."""
    with own_database(cluster, "undo") as name, psycopg.connect(cluster.url("postgres", name)) as connection:
        with connection.transaction():
            build(Session(connection))
        for deed in ("delete from crm_contacts where organizer_id = %s",
                     "select app.merge_organizers('{}', %s)".format(id_of("of ravi"))):  # fmt: skip
            change = _as_ada(connection, f"{deed} returning pg_current_xact_id()" if "delete" in deed else
                             deed.replace("select", "select pg_current_xact_id(),"), id_of("of rita"))  # fmt: skip
            _as_ada(connection, "select app.undo(%s::text::xid8)", change)
        with connection.transaction():
            db = Session(connection)
            assert db.one("select count(*) from crm_contacts where organizer_id = %s", id_of("of rita")) == 1
            assert db.one("select status from crm_organizers where id = %s", id_of("of rita")) == "active"
            assert db.one("select count(*) from crm_undone where undone_by <> '2'") == 2


def _as_ada(connection: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    with connection.transaction(), Session(connection).acting("ada") as db:
        return db.rows(statement, *values)[0][0]


# A record's history ---------------------------------------------------------------------------------------------


def test_what_somebody_removed_they_still_see_the_history_of(db: Session) -> None:
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    db.insert("crm_notes", id="memo", organizer_id="acme", content="Memo", created_by="rita")
    with db.acting("rita"):
        db.run("delete from crm_notes where id = %s", id_of("memo"))
    for name, count in [("rita", 2), ("ravi", 0), ("max", 0), ("eve", 2), ("dora", 0)]:
        with db.acting(name):
            assert db.one("select count(*) from app.record_history('crm_notes', %s)", id_of("memo")) == count, name


def test_an_adjustment_s_history_is_for_managers_of_its_owner(db: Session) -> None:
    db.insert("crm_forecast_adjustments", id="more", author_id="max", owner_id="rita", period_start="2026-01-01",
              period_end="2026-04-01", amount=1, currency="CAD", reason="A feeling")  # fmt: skip
    for name, count in [("rita", 0), ("max", 1), ("mona", 1), ("olaf", 0), ("eve", 1)]:
        with db.acting(name):
            told = db.rows("select from app.record_history('crm_forecast_adjustments', %s)", id_of("more"))
            assert len(told) == count, name


# What forms keep ------------------------------------------------------------------------------------------------


def test_a_submission_and_a_draft_are_nobody_else_s(db: Session) -> None:
    with db.acting("rita"):
        db.run("insert into crm_submissions (key, result) values (%s, '{}')", id_of("form"))
        db.run("insert into crm_drafts (user_id, form, base, given) values (%s, 'note/new', '{}', '{}')", id_of("rita"))
        assert db.one("select change from crm_submissions") == db.one("select pg_current_xact_id()")
    for name, count in [("rita", 1), ("max", 0), ("ada", 0), ("eve", 0)]:
        with db.acting(name):
            assert db.one("select count(*) from crm_submissions") == db.one("select count(*) from crm_drafts") == count
    assert db.one("select count(*) from crm_audit where table_name in ('crm_drafts', 'crm_submissions')") == 0


# Organizers that may be the same --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "bare"), [
    ("Acme Events Inc.", "acme events"), ("  The ACME-Events, Ltd", "acme events"), ("Müller GmbH & Co. KG", "muller"),
    ("Co", "co"), ("Группа Ивент", "группа ивент"), ("!!!", "!!!"),
])  # fmt: skip
def test_a_bare_name_is_what_tells_companies_apart(db: Session, name: str, bare: str) -> None:
    found = db.one("select app.bare_name(%s)", name)
    assert found in (bare, bare.replace("u", "ü", 1))  # without the extension, accents stay


def test_a_web_address_s_domain(db: Session) -> None:
    assert db.one("select app.web_domain('https://WWW.Acme.example:8080/x?y')") == "acme.example"
