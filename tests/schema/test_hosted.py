"""On a hosted PostgreSQL with its own users, functions and events: they stay, and ours are as strict as elsewhere."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import embedded, schema
from tests.conftest import owner_of, superuser_of
from tests.personas import PERSONAS
from tests.schema import catalogue
from tests.schema.conftest import own_database
from tests.schema.session import Session
from tests.schema.test_catalogue import GRANTS
from tests.tables import id_of

# What the platform, and what the other application has in the place of ours: as lines of grants begin
_PLATFORM = ("auth.", "function auth.uid()", "schema auth:")
_APPLICATION = ("events:", "function has_role(", "function update_updated_at_column()", "user_roles:")


@dataclass(frozen=True)
class Hosted:
    """A hosted database with our schema, and what there was before."""

    root: psycopg.Connection[Any]
    has_application: bool
    before: str

    @property
    def theirs(self) -> tuple[str, ...]:
        """How the lines of grants begin that are not ours."""
        return _PLATFORM + _APPLICATION if self.has_application else _PLATFORM


@pytest.fixture(scope="module", params=["migrate", "script", "migrate a new project"])
def hosted(cluster: embedded.Server, request: pytest.FixtureRequest) -> Iterator[Hosted]:
    """Our schema came by `migrate` or through its SQL editor, to a project with another application or to a new one."""
    has_application = request.param != "migrate a new project"
    with own_database(cluster, "hosted", "template0") as name, superuser_of(cluster, name) as root:
        root.execute((Path(__file__).parent / "hosted.sql").read_bytes())
        if has_application:
            root.execute("set session authorization eventos_owner")
            root.execute((Path(__file__).parent / "hosted_application.sql").read_bytes())
            root.execute("reset session authorization")
        root.autocommit = False
        with root.transaction():
            before = _theirs(Session(root))
        if request.param.startswith("migrate"):
            with owner_of(cluster, name).begin() as owner:
                schema.migrate(owner)
        else:
            psql = [embedded._binaries() / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
            address = cluster.url("eventos_owner", name)
            subprocess.run([*psql, address], input=schema.script(), check=True, capture_output=True, text=True)
        yield Hosted(root, has_application, before)


@pytest.fixture
def db(hosted: Hosted) -> Iterator[Session]:
    """The owner's session there, undone at its end."""
    with hosted.root.transaction(force_rollback=True):
        yield Session(hosted.root)


def _theirs(db: Session) -> str:
    """All that the platform and the other application have."""
    found = db.rows(
        """
        select pg_get_functiondef(oid) from pg_proc
        where oid in (
          to_regprocedure('auth.uid()'), to_regproc('public.has_role'), to_regproc('public.update_updated_at_column'))
        union all
        select attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod)
        from pg_attribute where attrelid in ('auth.users'::regclass, to_regclass('events')) and attnum > 0
        union all
        select format('%s %s %s', tablename, policyname, qual) from pg_policies where tablename in ('users', 'events')
        union all
        select format('%s of %s', oid::regclass, relowner::regrole) from pg_class where relname in ('users', 'events')
        order by 1
        """
    )
    grants = [line for line in catalogue.grants(db).splitlines() if line.startswith(_PLATFORM + _APPLICATION)]
    return "\n".join([*(line for (line,) in found), *grants])


def test_what_was_there_stays(hosted: Hosted, db: Session) -> None:
    if not hosted.has_application:
        db.run(
            "drop table events cascade; drop function has_role; drop function update_updated_at_column cascade"
        )  # ours
    assert _theirs(db) == hosted.before
    assert "supabase_auth_admin" in hosted.before
    assert ("Everybody sees events" in hosted.before) == hosted.has_application


def test_ours_are_granted_as_elsewhere(hosted: Hosted, db: Session) -> None:
    """Though whatever is new in public is granted to everybody there."""
    skipped = (*hosted.theirs, "analytics.", "function analytics.")
    granted = [line for line in catalogue.grants(db).splitlines() if not line.startswith(skipped)]
    assert granted == [line for line in GRANTS if not line.startswith(skipped)]


def test_nothing_is_found_in_ours(db: Session) -> None:
    theirs = ("user_roles", "events", "auth.", "has_role(", "update_updated_at_column()", "Everybody sees events")
    assert [
        finding for finding in catalogue.findings(db) if not finding.removeprefix("the body of ").startswith(theirs)
    ] == []


def test_it_works(hosted: Hosted, db: Session) -> None:
    with db.superuser():
        for person in PERSONAS.values():
            db.run("insert into auth.users (id, email) values (%s, %s)", person.id, person.email)
    for name in ("rita", "ravi"):
        db.insert("crm_profiles", user_id=name, full_name=name)
        db.insert("crm_user_roles", user_id=name, role="rep")
    db.insert("events", id="expo", **{"title" if hosted.has_application else "name": "Expo"})
    with db.acting("rita"):
        rita = PERSONAS["rita"].id
        db.run(
            "insert into crm_organizers (id, company_name, assigned_to) values (%s, 'Acme', %s)", id_of("acme"), rita
        )
        db.run(
            "insert into crm_opportunities (id, organizer_id, stage_id, name, value, assigned_to, event_id)"
            " select %s, %s, id, 'Gala', 5, %s, %s from crm_pipeline_stages where name = 'Lead'",
            id_of("gala"), id_of("acme"), rita, id_of("expo"),
        )  # fmt: skip
        assert db.one("select probability from crm_opportunities") == 10
        assert db.row("select email, role from app.viewer()") == ("rita@example.com", "rep")
        assert db.one("select count(*) from app.record_history('crm_opportunities', %s)", id_of("gala")) == 1
        assert db.rows("select * from app.record_history('events', %s)", id_of("expo")) == []
        assert len(db.rows("select * from app.matches('crm_opportunities', 'gala')")) == 1
    with db.acting("ravi"):
        assert db.one("select count(*) from crm_opportunities") == 0
    db.run("delete from events")
    assert db.read("crm_opportunities", "gala").event_id is None
