"""Nobody becomes somebody else, and nobody unknown sees anything: on the app's own login, whatever SQL it sends."""

import json
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import (
    ActiveSqlTransaction,
    DataError,
    InsufficientPrivilege,
    ReadOnlySqlTransaction,
)  # fmt: skip

from app import embedded
from tests.personas import PERSONAS
from tests.schema.company import RULES, TABLES, build
from tests.schema.conftest import own_database
from tests.schema.session import Session, Statements, claims


@pytest.fixture(scope="module")
def company(cluster: embedded.Server) -> Iterator[tuple[embedded.Server, str]]:
    """A database with the company in it: its server and name."""
    with own_database(cluster, "identity") as name:
        with psycopg.connect(cluster.url("postgres", name)) as root:
            build(Session(root))
        yield cluster, name


@pytest.fixture(scope="module")
def app_login(company: tuple[embedded.Server, str]) -> Iterator[psycopg.Connection]:
    """The app's login there."""
    server, name = company
    with psycopg.connect(server.url("eventos_app", name)) as app:
        app.read_only = False
        yield app


@pytest.fixture
def app(app_login: psycopg.Connection) -> Iterator[Statements]:
    """Its transaction, with nobody bound."""
    with Statements(app_login).undone() as session:
        yield session


@pytest.fixture
def rita(app: Statements) -> Statements:
    """The same with a rep bound."""
    app.bind(claims("rita"))
    return app


# Who is looking -----------------------------------------------------------------------------------------------


def test_only_reads_unless_a_transaction_says_otherwise(app_login: psycopg.Connection) -> None:
    app_login.read_only = None
    with Statements(app_login).undone() as app:
        app.bind(claims("ada"))
        with app.refused(ReadOnlySqlTransaction):
            app.run("update crm_settings set organisation_name = 'Ours'")
    app_login.read_only = False


@pytest.mark.parametrize("table", TABLES)
def test_the_login_itself_may_read_nothing(app: Statements, table: str) -> None:
    with app.refused(InsufficientPrivilege, "permission denied for table"):
        app.rows(f"select * from {table}")


NOBODY = {
    "never set": None,
    "empty": "",
    "no object": "[]",
    "an empty object": "{}",
    "a word": '"rita"',
    "a number": "1",
    "null": "null",
    "an empty subject": '{"sub": ""}',
    "a null subject": '{"sub": null}',
    "another key": json.dumps({"user_id": str(PERSONAS["ada"].id)}),
    "a nested subject": json.dumps({"claims": {"sub": str(PERSONAS["ada"].id)}}),
}
MALFORMED = {
    "no json": "not json",
    "half an object": '{"sub": ',
    "no uuid": '{"sub": "ada"}',
    "two uuids": json.dumps({"sub": f"{PERSONAS['ada'].id},{PERSONAS['rita'].id}"}),
    "a subject of an object": json.dumps({"sub": {"id": str(PERSONAS["ada"].id)}}),
    "SQL": json.dumps({"sub": f"{PERSONAS['ada'].id}' or '1'='1"}),
    "NUL": '{"sub": "\\u0000"}',
    "half a character": '{"sub": "\\ud800"}',
}


@pytest.mark.parametrize("bound", NOBODY.values(), ids=NOBODY)
def test_nobody_is_told_so_and_shown_nothing(app: Statements, bound: str | None) -> None:
    app.run("set local role authenticated")
    if bound is not None:
        app.run("select set_config('request.jwt.claims', %s, true)", bound)
    for table in TABLES:
        with app.refused(InsufficientPrivilege, "Nobody is signed in on this connection"):
            app.rows(f"select * from {table}")


@pytest.mark.parametrize("bound", MALFORMED.values(), ids=MALFORMED)
def test_malformed_claims_are_an_error(app: Statements, bound: str) -> None:
    app.bind(bound)
    for table in TABLES:
        with app.refused(DataError):
            app.rows(f"select * from {table}")


def test_an_unknown_person_sees_nothing(app: Statements) -> None:
    app.bind(json.dumps({"sub": str(uuid4())}))
    assert [table for table in TABLES if app.rows(f"select * from {table}")] == []


@pytest.mark.parametrize("name", ["dora", "nora"])
def test_a_leaver_or_newcomer_is_no_viewer(app: Statements, name: str) -> None:
    app.bind(claims(name))
    assert app.rows("select * from app.viewer()") == []


def test_deactivation_holds_at_the_next_statement(db: Session) -> None:
    db.insert("crm_organizers", company_name="Acme", assigned_to="rita")
    with db.acting("rita"):
        assert db.one("select count(*) from crm_organizers") == 1
    db.run("update crm_profiles set is_active = false where user_id = %s", PERSONAS["rita"].id)
    with db.acting("rita"):
        assert db.one("select count(*) from crm_organizers") == 0


def test_claims_of_a_role_mean_nothing(app: Statements) -> None:
    """The role is what the table says, not what the claims say."""
    app.bind(
        json.dumps({"sub": str(PERSONAS["nora"].id), "role": "service_role", "app_role": "admin", "user_role": "admin"})
    )
    assert app.one("select app.viewer_role()") is None
    assert not app.one("select app.is_admin()")


def test_has_role_answers_about_the_viewer_only(rita: Statements) -> None:
    assert rita.one("select has_role(%s, 'rep')", PERSONAS["rita"].id)
    assert not rita.one("select has_role(%s, 'admin')", PERSONAS["rita"].id)
    assert not rita.one("select has_role(%s, 'admin')", PERSONAS["ada"].id)


def test_a_ring_in_the_reporting_line_ends(db: Session) -> None:
    db.run("update crm_profiles set manager_id = %s where user_id = %s", PERSONAS["max"].id, PERSONAS["mona"].id)
    with db.acting("max"):
        team = db.one("select app.team()")
    assert sorted(team) == sorted(PERSONAS[name].id for name in ("max", "mona", "rita", "ravi", "dora"))


def test_the_role_makes_a_manager_not_the_reporting_line(db: Session) -> None:
    db.run("update crm_profiles set manager_id = %s where user_id = %s", PERSONAS["rita"].id, PERSONAS["olaf"].id)
    with db.acting("rita"):
        assert db.one("select app.team()") == [PERSONAS["rita"].id]


# Becoming somebody else ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["service_role", "eventos_owner", "postgres", "anon", "pg_read_all_data"])
def test_takes_no_other_role(app: Statements, role: str) -> None:
    with app.refused(InsufficientPrivilege):
        app.run(f"set role {role}")
    app.bind(claims("rita"))
    with app.refused(InsufficientPrivilege):
        app.run(f"set local role {role}")
    with app.refused(InsufficientPrivilege):
        app.run(f"set local session authorization {role}")


@pytest.mark.parametrize(
    "back", ["reset role", "set role none", "set local role eventos_app", "reset all", "discard all"]
)
def test_resetting_the_role_leads_to_nothing(rita: Statements, back: str) -> None:
    try:
        with rita.connection.transaction():
            rita.run(back)
    except ActiveSqlTransaction:  # discard all
        return
    with rita.refused(InsufficientPrivilege):
        rita.rows("select * from crm_organizers")


@pytest.mark.parametrize(
    "grab",
    [
        "grant eventos_owner to eventos_app",
        "grant service_role to authenticated",
        "alter role eventos_app bypassrls",
        "alter role authenticated superuser",
        "create role intruder superuser",
        "alter table crm_organizers disable row level security",
        "alter table crm_organizers owner to eventos_app",
        "drop policy organizers_select on crm_organizers",
        "create policy mine on crm_organizers for select to authenticated using (true)",
        "create table public.mine ()",
        "create table app.mine ()",
        "create view public.mine as select 1",
        "create function public.mine() returns integer language sql return 1",
        "create function app.mine() returns integer language sql return 1",
        "create or replace function app.is_admin() returns boolean language sql return true",
        "create schema mine",
        "create trigger mine before insert on crm_organizers for each row execute function app.write_audit('id')",
        "create rule mine as on select to crm_notes do instead select 1",
        "set session_replication_role = replica",
        "set row_security = off; select count(*) from crm_organizers",
        "copy crm_organizers from '/dev/null'",
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/passwd')",
        "select lo_import('/etc/passwd')",
        "lock table crm_settings in access exclusive mode",
        "select * from auth.users",
        "select * from pg_authid",
        "select nextval('crm_audit_id_seq')",
        "select setval('crm_audit_id_seq', 1)",
        "call app.protect('public.crm_organizers')",
        "call app.track('public.crm_organizers')",
        "select app.update_engagement('{}', '{}')",
        "select app.may_see('crm_organizers', gen_random_uuid())",
        "insert into crm_audit overriding system value select * from crm_audit",
        "insert into crm_opportunity_history select * from crm_opportunity_history",
        "create extension file_fdw",
    ],
)
def test_cannot_reach_beyond_the_grants(app: Statements, grab: str) -> None:
    for bind in (lambda: None, lambda: app.bind(claims("ada"))):
        bind()
        with app.refused(InsufficientPrivilege):
            app.run(grab)


# Getting between the policies and their helpers ---------------------------------------------------------------

HIJACKS = {
    "a table named as the roles": f"""
        create temp table crm_user_roles as select '{PERSONAS["rita"].id}'::uuid as user_id, 'admin' as role""",
    "a table named as the people": f"""
        create temp table crm_profiles as
        select '{PERSONAS["rita"].id}'::uuid as user_id, true as is_active, null::uuid as manager_id;
        insert into pg_temp.crm_profiles values ('{PERSONAS["ravi"].id}', true, '{PERSONAS["rita"].id}')""",
    "a table named as the organizers": f"""
        create temp table crm_organizers as
        select gen_random_uuid() as id, '{PERSONAS["rita"].id}'::uuid as assigned_to from generate_series(1, 3)""",
    "functions named as the helpers": """
        create function pg_temp.is_admin() returns boolean language sql return true;
        create function pg_temp.sees_all() returns boolean language sql return true;
        create function pg_temp.viewer_role() returns text language sql return 'admin'""",
    "functions named as PostgreSQL's": """
        create function pg_temp.coalesce(boolean, boolean) returns boolean language sql return true;
        create function pg_temp.current_setting(text, boolean) returns text language sql return null;
        create function pg_temp.array_agg(uuid) returns uuid[] language sql return '{}'::uuid[]""",
    "an operator that always agrees": """
        create function pg_temp.agree(text, text) returns boolean language sql return true;
        create operator pg_temp.= (leftarg = text, rightarg = text, function = pg_temp.agree)""",
    "a type named as the columns'": "create domain pg_temp.uuid as text",
    # With an empty search path PostgreSQL still looks for types in pg_temp first, and runs a domain's check with the
    # rights of the function that casts to it.
    "a type that promotes whom it is shown": """
        create function pg_temp.promote(who pg_catalog.uuid) returns boolean language plpgsql as $$
        begin
          update public.crm_user_roles set role = 'admin' where user_id = who;
          return true;
        end $$;
        create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.promote(value))""",
    "another search path": "set local search_path = pg_temp, public",
}


@pytest.fixture
def fresh(company: tuple[embedded.Server, str]) -> Iterator[Statements]:
    """A new session with a rep bound: what a session has once parsed, it does not look up again."""
    server, name = company
    with psycopg.connect(server.url("eventos_app", name)) as app:
        app.read_only = False
        with Statements(app).undone() as session:
            session.bind(claims("rita"))
            yield session


def _all_seen(db: Statements) -> dict[str, int]:
    return {table: db.one(f"select count(*) from public.{table}") for table in TABLES}


@pytest.mark.parametrize("hijack", HIJACKS.values(), ids=HIJACKS)
def test_temporary_objects_take_no_helper_s_place(rita: Statements, fresh: Statements, hijack: str) -> None:
    fresh.run(hijack)
    fresh.run("set local search_path = pg_temp, public, app")
    assert _all_seen(fresh) == _all_seen(rita)
    assert fresh.one("select app.viewer_role()") == "rep"
    assert not fresh.one("select app.is_admin()")
    with fresh.refused(InsufficientPrivilege):
        fresh.run("update public.crm_organizers set assigned_to = %s", PERSONAS["ravi"].id)


SPIED = [
    "uuid", "text", "jsonb", "json", "date", "timestamptz", "timestamp", "regclass", "regrole", "record", "name",
    "xid8", "bool", "int4", "int8", "numeric", "interval", "char", "varchar", "float8", "oid",
]  # fmt: skip


def test_no_function_of_ours_uses_a_temporary_type(fresh: Statements) -> None:
    """Whatever an admin can set off is done, with a spy in the place of every type that could be named so."""
    fresh.run(
        "create function pg_temp.spy() returns boolean language plpgsql as $$ begin"
        " if current_user <> 'authenticated' then raise exception 'spied as %', current_user; end if;"
        " return true; end $$"
    )
    for kind in SPIED:
        base = "text" if kind == "record" else f'"{kind}"'
        fresh.run(f'create domain pg_temp."{kind}" as pg_catalog.{base} check (pg_temp.spy())')
    fresh.bind(claims("ada"))
    assert _all_seen(fresh)["crm_audit"]
    organizer, stage, contact, deal = (
        fresh.one(f"select id from public.{table} order by id limit 1")
        for table in ("crm_organizers", "crm_pipeline_stages", "crm_contacts", "crm_opportunities")
    )
    values = {"owner": PERSONAS["ada"].id, "organizer": organizer, "stage": stage}
    for table, form in TABLES.items():
        if "U" in RULES[table, "admin"]:
            with fresh.undone():
                fresh.run(f"update public.{table} set {form.touch}")
        if "I" in RULES[table, "admin"] and table not in ("crm_profiles", "crm_user_roles"):
            with fresh.undone():
                fresh.connection.execute(f"insert into public.{table} {form.insert}".encode(), values)
    with fresh.undone():
        fresh.run(
            "update public.crm_opportunities set stage_id = (select id from public.crm_pipeline_stages where is_won)"
        )
        fresh.run(
            "update public.crm_pipeline_stages set default_probability = 33, is_closed = false where name = 'Lost'"
        )
        fresh.run("select app.put_probabilities_back(%s)", fresh.one("select id from public.crm_stage_changes"))
        fresh.run("delete from public.crm_opportunities")
        fresh.run("delete from public.crm_organizers")
    fresh.run("select app.make_primary_contact(%s)", contact)
    fresh.bind(claims("rita"))
    for table in TABLES:
        fresh.run("select * from app.record_history(%s, %s)", table, deal)
    fresh.run("select * from app.viewer()")
    fresh.run("select * from app.normal_stage_ages(now(), 0.8, 1)")


TRIGGERS = [
    "app.write_audit('id')", "app.keep_opportunity_history()", "app.keep_stage_history()", "app.settle_opportunity()",
    "app.engage()", "app.fill_organizer()", "app.keep_stage_honest()", "app.keep_rates_meaningful()", "app.announce()",
    "app.refuse_change()", "app.next_version()", "public.update_updated_at_column()",
]  # fmt: skip


@pytest.mark.parametrize("function", TRIGGERS)
def test_our_triggers_can_not_be_hung_on_a_table_of_one_s_own(rita: Statements, function: str) -> None:
    """As a definer's function, on a temporary table called crm_organizers, it would write forged history."""
    rita.run("create temp table crm_organizers (like public.crm_organizers)")
    with rita.refused(InsufficientPrivilege):
        rita.run(
            f"create trigger forged after insert on pg_temp.crm_organizers for each row execute function {function}"
        )


# Learning of hidden rows without seeing them ------------------------------------------------------------------


def test_a_cheap_function_in_the_filter_is_not_shown_hidden_rows(rita: Statements) -> None:
    rita.run("create temp table shown (word text)")
    rita.run(
        "create function pg_temp.shows(word text) returns boolean language plpgsql cost 0.0000001 as"
        " $$ begin insert into pg_temp.shown values (word); return true; end $$"
    )
    for table, column in [("crm_organizers", "company_name"), ("crm_opportunities", "name"),
                          ("crm_profiles", "full_name"), ("crm_contacts", "email"),
                          ("crm_notes", "content"), ("crm_audit", "login")]:  # fmt: skip
        rita.run("delete from shown")
        visible = {row[0] for row in rita.rows(f"select {column} from {table}")}
        rita.run(f"select {column} from {table} where pg_temp.shows({column})")
        assert {word for (word,) in rita.rows("select word from shown")} == visible, table
        rita.run(f"select {column} from {table} where pg_temp.shows({column}) order by {column} limit 1")
        assert {word for (word,) in rita.rows("select word from shown")} == visible, table


@pytest.mark.parametrize(
    "probe",
    [
        "select 1 from crm_opportunities where 1 / (case when name = 'olaf@olaf' then 0 else 1 end) = 1",
        "select 1 from crm_organizers where company_name::integer > 0 and company_name = 'of olaf'",
        "select 1 from crm_notes where (case when content = 'olaf@olaf' then 'x' else '1' end)::integer = 1",
        "update crm_opportunities set value = 1 / (case when name = 'olaf@olaf' then 0 else 1 end)",
        "delete from crm_notes where 1 / (case when content = 'olaf@olaf' then 0 else 1 end) = 1",
        "select 1 from crm_profiles where 1 / (case when full_name = 'Dora' then 0 else 1 end) = 1",
    ],
)
def test_no_error_speaks_of_a_hidden_row(rita: Statements, probe: str) -> None:
    rita.run(probe)


def test_the_statistics_show_no_hidden_values(rita: Statements) -> None:
    assert rita.rows("select * from pg_stats where schemaname = 'public' and tablename like 'crm%%'") == []


def test_a_copy_holds_only_visible_rows(rita: Statements) -> None:
    with rita.connection.cursor() as cursor, cursor.copy("copy crm_organizers (company_name) to stdout") as copy:
        assert {row[0] for row in copy.rows()} == {"of rita", "Without opportunities"}
