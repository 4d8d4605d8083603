import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import embedded, schema
from app.errors import Misconfigured
from tests.conftest import owner_of
from tests.schema import postgres15
from tests.schema.conftest import cluster, own_database  # noqa: F401  (both servers)

Database = tuple[embedded.Server, str]


@pytest.fixture
def empty(cluster: embedded.Server) -> Iterator[Database]:  # noqa: F811
    """A new database of the owner's, on either server."""
    with own_database(cluster, "empty", template="template0") as name:
        yield cluster, name


def migrated(database: Database, to: str = "head") -> list[str]:
    with owner_of(*database).begin() as connection:
        return schema.migrate(connection, to)


def dumped(database: Database) -> str:
    """The whole schema as SQL."""
    server, name = database
    with owner_of(server, name).connect() as connection:
        is_15 = connection.scalar(text("show server_version_num")) < "160000"
    programs = postgres15._BINARIES if is_15 else embedded._binaries()  # each knows its own server's catalogue
    dump = [programs / "pg_dump", "--schema-only", f"--dbname={server.url('eventos_owner', name)}"]
    printed = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    return re.sub(r"^\\(un)?restrict .*$", "", printed, flags=re.MULTILINE)  # a new random word in every dump


def test_a_second_run_changes_nothing(empty: Database) -> None:
    assert migrated(empty) == [file.stem for file in sorted(schema._VERSIONS.glob("*.sql"))]
    once = dumped(empty)
    assert migrated(empty) == []
    assert dumped(empty) == once


def test_from_every_earlier_state_it_comes_to_the_same(empty: Database, cluster: embedded.Server) -> None:  # noqa: F811
    numbers = [schema._number(file) for file in schema._files()]
    applied = [migrated(empty, to=number) for number in numbers]
    assert [len(names) for names in applied] == [1] * len(numbers)
    assert migrated(empty) == []  # but the views are there now
    with own_database(cluster, "at_once", template="template0") as name:
        migrated((cluster, name))
        assert dumped(empty) == dumped((cluster, name))


def test_the_script_for_a_sql_editor_comes_to_the_same(empty: Database, cluster: embedded.Server) -> None:  # noqa: F811
    server, name = empty
    psql = [embedded._binaries() / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    subprocess.run(
        [*psql, server.url("eventos_owner", name)], input=schema.script(), check=True, capture_output=True, text=True
    )
    assert migrated(empty) == []
    with own_database(cluster, "by_us", template="template0") as other:
        migrated((cluster, other))
        assert dumped(empty) == dumped((cluster, other))


def test_a_migration_that_fails_leaves_nothing(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dumped(empty)
    shutil.copytree(schema._VERSIONS, tmp_path / "versions")
    (tmp_path / "versions" / "9999_broken.sql").write_text("create table crm_half (); select 1 / 0;")
    monkeypatch.setattr(schema, "_VERSIONS", tmp_path / "versions")
    with pytest.raises(DBAPIError, match="division by zero"):
        migrated(empty)
    assert dumped(empty) == before


def test_two_at_once_wait_for_each_other_and_give_up_in_time(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_LOCK_TIMEOUT", "200ms")
    with owner_of(*empty).begin() as first, owner_of(*empty).begin() as second:
        schema.migrate(first)
        with pytest.raises(DBAPIError, match="lock timeout"):
            schema.migrate(second)


def test_who_waited_for_another_finds_nothing_left_to_do(empty: Database) -> None:
    outcome: list[list[str]] = []
    second = threading.Thread(target=lambda: outcome.append(migrated(empty)))
    with owner_of(*empty).begin() as first:
        schema.migrate(first)
        second.start()
        waiting = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
        with owner_of(*empty).execution_options(isolation_level="AUTOCOMMIT").connect() as watcher:
            while not watcher.scalar(waiting):
                assert second.is_alive()
    second.join()
    assert outcome == [[]]


def test_a_newer_database_is_left_alone(empty: Database) -> None:
    migrated(empty)
    with owner_of(*empty).begin() as connection:
        connection.execute(text("update app.alembic_version set version_num = '9999'"))
        connection.execute(text("comment on schema analytics is 'migration 9999, views 0'"))
    with pytest.raises(Misconfigured, match="at migration 9999, and this version of EventOS knows only up to"):
        migrated(empty)


def test_a_changed_view_is_rebuilt_and_an_unchanged_one_left(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated(empty)
    views = "select min(oid::int) from pg_class where relnamespace = 'analytics'::regnamespace"

    def oldest_view() -> int:
        with owner_of(*empty).begin() as connection:
            found = connection.scalar(text(views))
        assert found
        return int(found)

    before = oldest_view()
    migrated(empty)
    assert oldest_view() == before
    shutil.copytree(schema._VIEWS, tmp_path / "views")
    (tmp_path / "views" / "a_new_one.sql").write_text(
        "create view analytics.a_new_one with (security_invoker = true) as select * from analytics.open_opportunities;"
    )
    monkeypatch.setattr(schema, "_VIEWS", tmp_path / "views")
    for remembered in (schema._views_script, schema.statement):
        remembered.cache_clear()
    try:
        migrated(empty)
        assert oldest_view() > before
        with owner_of(*empty).begin() as connection:
            schema.check(connection)
            assert connection.scalar(text("select to_regclass('analytics.a_new_one')")) == "analytics.a_new_one"
    finally:
        for remembered in (schema._views_script, schema.statement):
            remembered.cache_clear()


def test_a_database_without_a_schema_says_so(empty: Database) -> None:
    with owner_of(*empty).begin() as connection, pytest.raises(Misconfigured, match="no EventOS schema yet"):
        schema.check(connection)


def test_every_process_writes_the_same_views() -> None:
    """Two processes that disagreed would each refuse the other's database."""
    script = "from app import schema; print(schema._views_script())"
    found = {
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": str(seed)}, check=True,
            capture_output=True,
        ).stdout
        for seed in range(1, 7)
    }  # fmt: skip
    assert len(found) == 1
