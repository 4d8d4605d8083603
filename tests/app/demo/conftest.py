"""One demo company for all tests of it: its rows as frames, and as a database."""

from collections.abc import Iterator
from datetime import date

import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import Connection, Engine

from app import demo, embedded, schema
from app.demo import growing
from tests.conftest import owner_of
from tests.schema.conftest import own_database

ANCHOR = date(2026, 11, 23)
NOW = pd.Timestamp(ANCHOR, tz="America/Toronto")
SEED = 1


def rows_of(scale: float) -> dict[str, pd.DataFrame]:
    """The company's rows by table."""
    parts: dict[str, list[pa.Table]] = {}
    for batch in growing.grow(SEED, ANCHOR, scale):
        parts.setdefault(batch.table, []).append(batch.rows)
    return {table: pa.concat_tables(rows).to_pandas() for table, rows in parts.items()}


@pytest.fixture(scope="session")
def company() -> dict[str, pd.DataFrame]:
    """The plain company, as `eventos demo` makes it."""
    return rows_of(0.2)


@pytest.fixture(scope="session")
def big_company() -> dict[str, pd.DataFrame]:
    """Five times as much of it, where a share is to be told from a near one."""
    return rows_of(1)


@pytest.fixture(scope="session")
def empty(request: pytest.FixtureRequest, server: embedded.Server) -> Iterator[Engine]:
    """The owner's engine on a database with the schema and nothing else."""
    request.getfixturevalue("database")  # one worker at a time makes the roles, which all databases share
    with own_database(server, "demo_empty", "template1") as name:
        engine = owner_of(server, name)
        with engine.begin() as connection:
            schema.migrate(connection)
        yield engine


@pytest.fixture(scope="session")
def _loaded(empty: Engine, server: embedded.Server) -> Iterator[Engine]:
    with own_database(server, "demo", empty.url.database or "") as name:
        engine = owner_of(server, name)
        with engine.begin() as connection:
            demo.load(connection, scale=0.05, seed=SEED, anchor=ANCHOR)
        yield engine


@pytest.fixture
def loaded(_loaded: Engine) -> Iterator[Connection]:
    """The owner's connection to a quarter of the plain company, in a transaction that is undone."""
    with _loaded.connect() as connection:
        yield connection
