"""Who changed what from what to what: written by triggers, read by those who see the record, changed by nobody."""

import datetime as dt
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.personas import PERSONAS
from tests.schema.company import MATRIX, TABLES, VIEWERS, Row, allowed, build
from tests.schema.session import Session
from tests.tables import id_of


def _entries(db: Session, name: str = "acme") -> list[Any]:
    return db.rows("select * from crm_audit where record_id = %s order by id", id_of(name))


@pytest.fixture
def acme(db: Session) -> Session:
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    return db


def test_an_insert_is_kept_whole(acme: Session) -> None:
    (entry,) = _entries(acme)
    assert (entry.table_name, entry.verb, entry.old) == ("crm_organizers", "insert", None)
    assert (entry.new["company_name"], entry.new["status"], entry.new["industry"]) == ("Acme", "active", None)


def test_an_update_is_kept_as_the_columns_that_changed(acme: Session) -> None:
    acme.update("crm_organizers", "acme", industry="Sports", tags=["big", "new"], status="active")
    entry = _entries(acme)[-1]
    assert (entry.verb, entry.old, entry.new) == (
        "update", {"industry": None, "tags": []}, {"industry": "Sports", "tags": ["big", "new"]},
    )  # fmt: skip


def test_a_value_that_becomes_null_is_kept(acme: Session) -> None:
    acme.update("crm_organizers", "acme", assigned_to=None)
    assert _entries(acme)[-1].new == {"assigned_to": None}


def test_a_delete_is_kept_whole(acme: Session) -> None:
    acme.run("delete from crm_organizers")
    entry = _entries(acme)[-1]
    assert (entry.verb, entry.new, entry.old["company_name"]) == ("delete", None, "Acme")


def test_what_goes_with_it_is_kept_too(acme: Session) -> None:
    acme.insert("crm_contacts", id="cleo", organizer_id="acme", full_name="Cleo", email="cleo@client.example")
    acme.insert("crm_activities", id="call", contact_id="cleo", type="call", subject="Call", user_id="rita")
    acme.run("delete from crm_contacts")
    assert [entry.verb for entry in _entries(acme, "cleo")] == ["insert", "delete"]
    assert _entries(acme, "call")[-1].new == {"contact_id": None}


def test_says_who_by_which_login_when_in_which_transaction_and_why(acme: Session) -> None:
    with acme.acting("rita"):
        acme.run("set local eventos.reason = 'As agreed'")
        acme.run("update crm_organizers set industry = 'Sports'")
    by_job, by_rita = _entries(acme)
    assert (by_job.actor, by_job.login, by_job.reason) == (None, "eventos_owner", None)
    assert (by_rita.actor, by_rita.login, by_rita.reason) == (PERSONAS["rita"].id, "eventos_app", "As agreed")
    assert by_job.transaction_id == by_rita.transaction_id == acme.one("select pg_current_xact_id()")
    assert by_job.occurred_at < by_rita.occurred_at <= acme.one("select clock_timestamp()")


def test_a_job_s_entries_hold_from_when_it_says(acme: Session) -> None:
    acme.run("set local eventos.effective_time = '2024-05-01 00:00Z'")
    acme.update("crm_organizers", "acme", industry="Sports")
    assert _entries(acme)[-1].occurred_at == dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


_SCORED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
COMPUTED = {
    "crm_organizers": {"engagement_score": 1, "health_score": 1, "churn_risk": "high", "total_revenue": 1,
                       "lifetime_value": 1, "annual_events": 1, "last_activity_at": _SCORED, "scored_at": _SCORED},
    "crm_opportunities": {"ai_score": 1, "ai_insights": '{"next_action": "Call"}', "scored_at": _SCORED},
    "crm_contacts": {"last_contact_date": _SCORED, "engagement_score": 1},
}  # fmt: skip


@pytest.mark.parametrize("table", COMPUTED)
def test_what_is_computed_is_no_edit(db: Session, table: str) -> None:
    build(db)
    before = db.rows(f"select id, version from {table} order by id")
    entries = db.one("select count(*) from crm_audit")
    for column, value in COMPUTED[table].items():
        assert db.run(f"update {table} set {column} = %s", value) == len(before)
    assert db.rows(f"select id, version from {table} order by id") == before
    assert db.one("select count(*) from crm_audit") == entries


def test_an_edit_that_changes_nothing_is_none(acme: Session) -> None:
    before = acme.read("crm_organizers", "acme").version
    after = acme.update("crm_organizers", "acme", industry=None, company_name="Acme")
    assert (after.version, len(_entries(acme))) == (before, 1)


EDITED = [table for table in TABLES if table != "crm_saved_views" and "U all" in next(
    line for line in MATRIX.splitlines() if line.startswith(table)
)]  # fmt: skip


@pytest.mark.parametrize("table", EDITED)
def test_every_table_that_people_edit_is_audited_and_has_a_version(db: Session, table: str) -> None:
    build(db)
    form = TABLES[table]
    before = db.rows(
        f"select to_jsonb(record) as record, {form.key} as key from {table} as record order by {form.key} limit 1"
    )[0]
    db.run(f"update {table} set {form.touch} where {form.key} = %s", before.key)
    after = db.one(f"select to_jsonb(record) from {table} as record where {form.key} = %s", before.key)
    entry = db.rows("select * from crm_audit order by id")[-1]
    assert (entry.table_name, entry.record_id) == (table, None if table == "crm_settings" else before.key)
    assert entry.new == {column: after[column] for column in entry.new}
    assert set(form.touch.replace(",", " ").split()) & set(entry.new)
    if table != "events":  # a platform's own may be there instead
        column = "row_version" if table == "crm_documents" else "version"
        assert after[column] == before.record[column] + 1


def test_a_saved_view_has_a_version_and_no_witnesses(db: Session) -> None:
    saved = db.insert("crm_saved_views", id="mine", user_id="rita", page="pipeline", name="Mine", query="")
    assert db.update("crm_saved_views", "mine", name="Ours").version == saved.version + 1
    assert _entries(db, "mine") == []


def test_a_version_is_not_for_anybody_to_set(acme: Session) -> None:
    assert acme.update("crm_organizers", "acme", version=99).version == 1
    assert acme.update("crm_organizers", "acme", version=99, industry="Sports").version == 2


@pytest.mark.parametrize("change", ["update crm_audit set reason = 'x'", "delete from crm_audit", "truncate crm_audit",
                                    "delete from crm_audit where false"])  # fmt: skip
def test_not_even_the_owner_changes_it(acme: Session, change: str) -> None:
    with acme.refused(InsufficientPrivilege, "crm_audit is kept for ever"):
        acme.run(change)
    with acme.superuser(), acme.refused(InsufficientPrivilege, "crm_audit is kept for ever"):
        acme.run(change)


# Whoever may see a record may see who changed it ----------------------------------------------------------------

WITH_HISTORY = [
    "crm_organizers", "crm_contacts", "crm_opportunities", "crm_activities", "crm_notes", "crm_documents", "events",
    "crm_pipeline_stages", "crm_email_templates", "crm_exchange_rates", "crm_targets",
]  # fmt: skip


def test_a_record_s_history_is_seen_by_whoever_sees_the_record(db: Session) -> None:
    build(db)
    db.run(
        "update crm_pipeline_stages set description = 'First talk'"
    )  # made by the migration, before there was an audit
    for name in (name for name in VIEWERS if name not in ("anon", "dora", "nora")):
        for table in WITH_HISTORY:
            records = [found[0] for found in db.rows(f"select id from {table} order by id")]
            with db.acting(name):
                seen = {found[0] for found in db.rows(f"select id from {table}")}
                with_history = {
                    record
                    for record in records
                    if db.one("select count(*) from app.record_history(%s, %s)", table, record)
                }
            assert with_history == seen, f"{name}, {table}"


@pytest.mark.parametrize("name", ["dora", "nora"])
def test_who_sees_nothing_sees_no_history(acme: Session, name: str) -> None:
    assert not allowed(name, "crm_organizers", "S", Row("", "rita"))
    with acme.acting(name):
        assert acme.rows("select * from app.record_history('crm_organizers', %s)", id_of("acme")) == []


@pytest.mark.parametrize(
    "table", ["crm_user_roles", "crm_profiles", "crm_settings", "crm_audit", "pg_authid", "x'; drop table y"]
)
def test_other_tables_have_no_history_for_reps(acme: Session, table: str) -> None:
    with acme.acting("rita"):
        assert acme.rows("select * from app.record_history(%s, %s)", table, PERSONAS["rita"].id) == []


def test_a_removed_record_s_history_is_for_executives_and_admins(acme: Session) -> None:
    acme.run("delete from crm_organizers")
    for name, count in [("rita", 0), ("mona", 0), ("eve", 2), ("ada", 2)]:
        with acme.acting(name):
            assert len(acme.rows("select * from app.record_history('crm_organizers', %s)", id_of("acme"))) == count, (
                name
            )
