"""A real PostgreSQL for every test: one server a run, a database a worker, the same rows at the start of each test."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import psycopg
import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine

from app import database as doors
from app import embedded, files, schema
from app.settings import Settings
from app.viewer import Viewer
from tests import personas, tables

# A slow machine is no finding, and a check that must be green twice tries the same examples twice.
hypothesis.settings.register_profile("eventos", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("eventos")

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
_TEMPLATE = "migrated"
Given = Callable[[Connection, str, str], None]
Once = Callable[[str, Callable[[], Any]], Any]


@pytest.fixture(scope="session")
def server_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the run's server, the same for every worker."""
    base = tmp_path_factory.getbasetemp()
    return (base if WORKER == "alone" else base.parent) / "server"


@pytest.fixture(scope="session")
def server(server_directory: Path) -> Iterator[embedded.Server]:
    """The run's server; it stops by itself when the last worker has gone."""
    with embedded.server(server_directory) as running:
        yield running


@pytest.fixture(scope="session")
def database(server: embedded.Server, server_directory: Path) -> Settings:
    """This worker's database, a copy of one that was migrated once, with the personas in it."""
    with (server_directory / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with superuser_of(server, "postgres") as root:
            found = root.execute("select from pg_database where datname = %s", [_TEMPLATE]).fetchone()
            if found is None:  # a row without columns is an empty tuple
                root.execute("alter system set fsync = off")  # nobody needs these data after a power failure
                root.execute("select pg_reload_conf()")
                root.execute(f"create database {_TEMPLATE} owner eventos_owner")
                prepare(server, _TEMPLATE)
            root.execute(f"create database test_{WORKER} template {_TEMPLATE} owner eventos_owner")
    return settings_of(server, f"test_{WORKER}", server_directory)


@pytest.fixture
def owner(database: Settings, server: embedded.Server) -> Iterator[Connection]:
    """The owner's connection, each statement committed at once; in the tables, only defaults and the personas."""
    with at_the_start(server, database) as connection:
        yield connection


@pytest.fixture
def superuser(owner: Connection, server: embedded.Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the same database that may do everything, for what even the owner may not."""
    with superuser_of(server, owner.engine.url.database or "") as connection:
        yield connection


@pytest.fixture
def once(owner: Connection) -> Once:
    """once("busy", make) is what make() returned to the first test that asked; for later ones its rows are copied.

    Only for rows that are the same at any time: where make() looks at the clock, they would grow old.
    """
    name = owner.engine.url.database or ""

    def once(state: str, make: Callable[[], Any]) -> Any:
        if (name, state) in _made:
            _go(name, "select way from pristine.ways where state = %s", state)
        else:
            _made[name, state] = make()
            _restoring[name].execute("call pristine.keep(%s)", [state])
        return _made[name, state]

    return once


@pytest.fixture
def viewer(owner: Connection) -> Callable[..., Viewer]:
    """viewer("rita", today=…): the person as the app knows them."""

    def viewer(name: str, today: date | None = None) -> Viewer:
        found = doors.viewer_of(personas.PERSONAS[name].id)
        assert found, f"{name} may not look at anything"
        return replace(found, today=today or found.today)

    return viewer


@pytest.fixture
def reading_as(viewer: Callable[..., Viewer]) -> Callable[..., AbstractContextManager[Connection]]:
    """`with reading_as("rita", today=…) as db:` what she sees."""
    return lambda name, today=None: doors.reading(viewer(name, today))


@pytest.fixture
def writing_as(viewer: Callable[..., Viewer]) -> Callable[..., AbstractContextManager[Connection]]:
    """`with writing_as("rita", reason=…) as db:` what she changes."""
    return lambda name, reason=None: doors.writing(viewer(name), reason)


@pytest.fixture
def given() -> Given:
    """given(owner, "crm_organizers", ascii_table) inserts rows: see tests/tables.py."""
    return tables.given


@pytest.fixture
def shows() -> Callable[[Any, str], None]:
    """shows(frame, ascii_table) asserts what a question answers: see tests/tables.py."""
    return tables.shows


# What the fixtures here and those of the browser tests share --------------------------------------------------


def settings_of(server: embedded.Server, name: str, data_dir: Path) -> Settings:
    """The app's settings for one database of the server."""

    def url(role: str) -> str:
        return server.url(role, name).replace("postgresql:", "postgresql+psycopg:", 1)

    return Settings(url("eventos_app"), url("eventos_owner"), data_dir=data_dir, is_embedded=True)


def missing(what: str) -> NoReturn:
    """Skips the test that needs it; where everything must be there (CI is set), fails it."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")
    raise AssertionError


def prepare(server: embedded.Server, name: str) -> None:
    """Migrates a database, makes the personas work there, and keeps a copy of its rows to come back to."""
    with owner_of(server, name).begin() as connection:
        schema.migrate(connection)
        personas.insert(connection)
    with superuser_of(server, name) as root:
        root.execute((Path(__file__).parent / "pristine.sql").read_text())


@contextmanager
def at_the_start(server: embedded.Server, settings: Settings) -> Iterator[Connection]:
    """Puts the database's rows back, opens the doors to it, and yields its owner's connection."""
    name = settings.migration_database_url.rsplit("/", 1)[1].split("?")[0]  # type: ignore[union-attr]
    _restore(server, name)
    if doors._settings is not settings or doors._doors is None:
        doors.connect(settings)
    files.use(settings)
    with owner_of(server, name).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection


_restoring: dict[str, psycopg.Connection[Any]] = {}  # by database: a new connection would have to plan everything anew
_made: dict[tuple[str, str], Any] = {}


def _restore(server: embedded.Server, name: str) -> None:
    """Puts the database's rows back, without triggers."""
    if name not in _restoring:
        _restoring[name] = superuser_of(server, name)
        _restoring[name].execute("set session_replication_role = replica")
    _go(name, "select way from pristine.changes join pristine.ways using (table_name) where state = %s", "start")


def _go(name: str, which: str, state: str) -> None:
    """Goes the ways to the state, where there are any."""
    ways = _restoring[name].execute(which, [state], prepare=True).fetchall()
    if ways:
        _restoring[name].execute("; ".join(way for (way,) in ways))


def pytest_sessionfinish() -> None:
    """Closes what was kept open for the whole run."""
    for connection in _restoring.values():
        connection.close()


@cache
def owner_of(server: embedded.Server, name: str) -> Engine:
    """Makes connections of the owner's to one database of the server."""
    return create_engine(
        server.url("eventos_owner", name).replace("postgresql:", "postgresql+psycopg:", 1), poolclass=NullPool
    )


def superuser_of(server: embedded.Server, name: str) -> psycopg.Connection[Any]:
    """A connection that may do everything, for what even the owner may not."""
    return psycopg.connect(server.url("postgres", name), autocommit=True)
