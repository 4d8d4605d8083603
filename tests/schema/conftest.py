"""The schema's tests speak SQL, to PostgreSQL 18 and 15, in transactions that are always undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from app import embedded
from tests.conftest import WORKER, missing, prepare, superuser_of
from tests.schema import document, postgres15
from tests.schema.session import Session


@pytest.fixture(
    scope="session",
    params=["18", pytest.param("15", marks=pytest.mark.postgres15)],
    ids=["postgres18", "postgres15"],
)
def cluster(request: pytest.FixtureRequest) -> Iterator[embedded.Server]:
    """A server with a database `migrated`, which holds the newest schema and the personas."""
    if request.param == "18":
        request.getfixturevalue("database")  # makes it
        yield request.getfixturevalue("server")
    elif not postgres15.is_installed():
        missing("PostgreSQL 15 (on Debian 12 the package postgresql-15)")
    else:
        with postgres15.server() as server:
            with superuser_of(server, "postgres") as root:
                root.execute("create role eventos_owner login createrole")
                root.execute("create database migrated owner eventos_owner")
            prepare(server, "migrated")
            yield server


@contextmanager
def own_database(cluster: embedded.Server, name: str, template: str = "migrated") -> Iterator[str]:
    """A database of this worker's own, named so; yields the name."""
    name = f"{name}_{WORKER}"
    with superuser_of(cluster, "postgres") as root:
        root.execute(f"drop database if exists {name} with (force)")
        root.execute(f"create database {name} template {template} owner eventos_owner")
        yield name
        root.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def _migrated(cluster: embedded.Server) -> Iterator[psycopg.Connection[Any]]:
    with own_database(cluster, "schema") as name, superuser_of(cluster, name) as connection:
        connection.autocommit = False
        yield connection


@pytest.fixture
def db(_migrated: psycopg.Connection[Any]) -> Iterator[Session]:
    """The owner's session in the newest schema, with the default stages and the personas."""
    with _migrated.transaction(force_rollback=True):
        yield Session(_migrated)


@pytest.fixture(scope="session")
def _as_written(cluster: embedded.Server) -> Iterator[psycopg.Connection[Any]]:
    if not document.PATH.exists():
        pytest.skip(f"the schema document is not there: {document.PATH}")
    with own_database(cluster, "as_written", "template0") as name, superuser_of(cluster, name) as connection:
        document.load(connection)
        connection.autocommit = False
        yield connection


@pytest.fixture
def as_written(_as_written: psycopg.Connection[Any]) -> Iterator[Session]:
    """The owner's session in the schema as the document has it, with the same personas."""
    with _as_written.transaction(force_rollback=True):
        yield Session(_as_written)
