"""Role × table × verb, generated from the matrix in company.py, on the app's own login."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import GeneratedAlways, InsufficientPrivilege

from app import database, embedded
from tests.conftest import settings_of
from tests.personas import PERSONAS
from tests.schema.company import TABLES, VERBS, VIEWERS, Act, Company, Verb, build
from tests.schema.conftest import own_database
from tests.schema.session import Session, Statements, claims
from tests.schema.test_catalogue import GRANTS

CASES = [pytest.param(table, viewer, id=f"{table}-{viewer}") for table in TABLES for viewer in VIEWERS]
EACH = pytest.mark.parametrize(("table", "viewer"), CASES)
EACH_MOVABLE = pytest.mark.parametrize(
    ("table", "viewer"), [case for case in CASES if TABLES[str(case.values[0])].moves]
)
ON_18 = pytest.mark.parametrize("cluster", ["18"], ids=["postgres18"], indirect=True, scope="session")
ON_15 = pytest.mark.parametrize("cluster", ["15"], ids=["postgres15"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def company_name(cluster: embedded.Server) -> Iterator[str]:
    """The name of a database with the company in it."""
    with own_database(cluster, "company") as name:
        with psycopg.connect(cluster.url("postgres", name)) as root:
            build(Session(root))
        yield name


@pytest.fixture(scope="module")
def root(cluster: embedded.Server, company_name: str) -> Iterator[psycopg.Connection[Any]]:
    """The superuser there, in a transaction."""
    with psycopg.connect(cluster.url("postgres", company_name)) as root, root.transaction(force_rollback=True):
        yield root


@pytest.fixture(scope="module")
def company(root: psycopg.Connection[Any]) -> Company:
    return Company(Session(root))


@pytest.fixture(scope="module")
def act(cluster: embedded.Server, company_name: str, root: psycopg.Connection[Any]) -> Iterator[Act]:
    """act("rita"): her transaction, undone at its end."""

    @contextmanager
    def act(viewer: str) -> Iterator[Statements]:
        if viewer == "anon":
            with Statements(root).undone() as session:
                session.run("reset session authorization")
                session.bind(None, "anon")
                yield session
        else:
            with Statements(app).undone() as session:
                session.bind(claims(viewer))
                yield session

    with psycopg.connect(cluster.url("eventos_app", company_name)) as app:
        app.read_only = False
        yield act


@ON_18
@EACH
def test_sees_exactly(company: Company, act: Act, viewer: str, table: str) -> None:
    assert not [*company.reads(act, viewer, table)]


@ON_18
@EACH
def test_changes_blindly_exactly(company: Company, act: Act, viewer: str, table: str) -> None:
    assert not [*company.blind_updates(act, viewer, table)]


@ON_18
@EACH_MOVABLE
def test_hands_over_exactly(company: Company, act: Act, viewer: str, table: str) -> None:
    assert not [*company.handovers(act, viewer, table)]


@ON_18
@EACH
def test_inserts_exactly(company: Company, act: Act, viewer: str, table: str) -> None:
    assert not [*company.inserts(act, viewer, table)]


@ON_18
@EACH
def test_deletes_exactly(company: Company, act: Act, viewer: str, table: str) -> None:
    assert not [*company.deletes(act, viewer, table)]


@ON_18
@EACH
def test_truncates_nothing(company: Company, act: Act, viewer: str, table: str) -> None:
    assert not [*company.truncates(act, viewer, table)]


@ON_18
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("viewer", ["rita", "ada"])
def test_writes_the_listed_columns_only(act: Act, viewer: str, table: str) -> None:
    """Whatever the policies say, total_revenue, created_by, created_at or an id once given are nobody's to write."""
    granted = next(line for line in GRANTS if line.startswith(f"{table}: authenticated"))
    with act(viewer) as db:
        columns = [name for (name,) in db.rows(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped", table
        )]  # fmt: skip
        for verb, attempt in [("insert", "insert into {0} ({1}) select {1} from {0} where false"),
                              ("update", "update {0} set {1} = {1} where false")]:  # fmt: skip
            listed = re.search(rf"{verb} \((.*?)\)", granted)
            assert [name for name in columns if _may(db, attempt.format(table, name))] == (
                listed[1].split() if listed else []
            )


def _may(db: Statements, statement: str) -> bool:
    try:
        with db.undone():
            db.run(statement)
    except (InsufficientPrivilege, GeneratedAlways):
        return False
    return True


@ON_18
@pytest.mark.parametrize("viewer", ["rita", "mona", "eve", "ada"])
def test_the_doors_lead_to_the_same(
    cluster: embedded.Server, company_name: str, company: Company, tmp_path: Path, viewer: str
) -> None:  # fmt: skip
    class Undone(Exception):  # noqa: N818  (no error)
        pass

    @contextmanager
    def act(name: str) -> Iterator[Statements]:
        person = database.viewer_of(PERSONAS[name].id)
        assert person
        with suppress(Undone), database.writing(person) as connection:
            yield Statements(connection.connection.driver_connection)
            raise Undone

    database.connect(settings_of(cluster, company_name, tmp_path))
    try:
        assert not [
            f"{table}: {found}"
            for verb, table in product((Company.reads, Company.blind_updates), TABLES)
            for found in verb(company, act, viewer, table)
        ]
    finally:
        database.disconnect()


@ON_15
@pytest.mark.postgres15
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_postgres_15_agrees(company: Company, act: Act, verb: Verb) -> None:
    """One viewer of each kind, in one test a verb: nothing but the server differs."""
    assert not [
        f"{viewer}, {table}: {found}"
        for viewer, table in product(("rita", "eve", "dora", "anon"), TABLES)
        for found in verb(company, act, viewer, table)
    ]


# The cases themselves, tested: without any one policy, at least one case must fail -----------------------------

REVEALING = ["nora", "eve", "rita", "max", "ravi", "ada"]  # those whose cases find most, first
NOTICED_BY: dict[tuple[str, str], list[Verb]] = {
    ("SELECT", "using"): [Company.reads],
    ("INSERT", "with check"): [Company.inserts],
    ("UPDATE", "using"): [Company.blind_updates, Company.handovers],
    ("UPDATE", "with check"): [Company.handovers, Company.blind_updates],
    ("DELETE", "using"): [Company.deletes],
}


@pytest.fixture
def mutable(root: psycopg.Connection[Any]) -> tuple[Session, Act]:
    """The owner's session in the company, and people in the same transaction."""
    session = Session(root)

    @contextmanager
    def act(viewer: str) -> Iterator[Statements]:
        with session.undone():
            session.run("reset session authorization")
            session.run("set local session authorization eventos_app")
            session.bind(claims(viewer))
            yield session

    return session, act


@ON_18
@pytest.mark.parametrize("table", TABLES)
def test_the_cases_notice_a_policy_that_lets_everything_through(
    company: Company, mutable: tuple[Session, Act], table: str
) -> None:  # fmt: skip
    owner, act = mutable
    policies = owner.rows("select policyname, cmd, qual, with_check from pg_policies where tablename = %s", table)
    assert policies
    for policy in policies:
        clauses = [clause for clause, now in (("using", policy.qual), ("with check", policy.with_check)) if now]
        if policy.cmd == "UPDATE" and not TABLES[table].moves:
            clauses.remove("with check")  # no column that people may write decides it, so it says what `using` says
        for clause in clauses:
            with owner.undone():
                owner.run(f"alter policy {policy.policyname} on {table} {clause} (true)")
                assert any(
                    found
                    for verb, viewer in product(NOTICED_BY[policy.cmd, clause], REVEALING)
                    for found in verb(company, act, viewer, table)
                ), f"no case fails though {policy.policyname} has {clause} (true)"


@ON_18
@pytest.mark.parametrize("table", TABLES)
def test_the_cases_notice_a_policy_that_is_gone(company: Company, mutable: tuple[Session, Act], table: str) -> None:
    owner, act = mutable
    for policy in owner.rows("select policyname, cmd from pg_policies where tablename = %s", table):
        with owner.undone():
            owner.run(f"drop policy {policy.policyname} on {table}")
            assert any(
                found
                for (command, _), verbs in NOTICED_BY.items() if command == policy.cmd
                for verb, viewer in product(verbs, reversed(REVEALING))
                for found in verb(company, act, viewer, table)
            ), f"no case fails without {policy.policyname}"  # fmt: skip


@ON_18
@pytest.mark.parametrize(("helper", "wrong"), [
    ("app.viewer_role() returns text", "'admin'"),
    ("app.sees_all() returns boolean", "true"),
    ("app.is_admin() returns boolean", "app.sees_all()"),
    ("app.is_admin() returns boolean", "false"),
    ("app.sees_all() returns boolean", "app.is_admin()"),
    ("app.team() returns uuid[]", "(select array_agg(user_id) from public.crm_profiles)"),
    ("app.team() returns uuid[]", "array[app.viewer_id()]"),
    ("app.team() returns uuid[]", "(select array_agg(user_id) from public.crm_profiles"
                                  " where app.viewer_id() in (user_id, manager_id))"),
    ("app.own_organizers() returns setof uuid", "(select id from public.crm_organizers"
                                                " where assigned_to = app.viewer_id())"),
    ("app.own_organizers() returns setof uuid", "(select id from public.crm_organizers)"),
])  # fmt: skip
def test_the_cases_notice_a_helper_that_errs(
    company: Company, mutable: tuple[Session, Act], helper: str, wrong: str
) -> None:  # fmt: skip
    owner, act = mutable
    body = f"begin atomic select * from {wrong} as wrong; end" if "setof" in helper else f"return {wrong}"
    with owner.undone():
        owner.run(
            f"create or replace function {helper} language sql stable security definer set search_path = '' {body}"
        )
        assert any(
            found
            for viewer, table in product((*REVEALING, "mona", "dora"), TABLES)
            for found in company.reads(act, viewer, table)
        ) or any(
            found
            for viewer, table in product(("eve", "ada"), TABLES)
            for found in company.blind_updates(act, viewer, table)
        )
