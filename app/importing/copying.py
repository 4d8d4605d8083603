"""COPY that finds out which rows the database refuses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from app.errors import Refused

Row = Mapping[str, object]


@contextmanager
def without_triggers(connection: Connection, table: str) -> Iterator[None]:
    """Let rows in as they are: what the triggers would derive is in them already."""
    alter = sql.SQL("alter table {} {} trigger user")
    name = sql.Identifier("public", table)
    _driver(connection).execute(alter.format(name, sql.SQL("disable")))
    yield
    _driver(connection).execute(alter.format(name, sql.SQL("enable")))


def copy(connection: Connection, table: str, rows: Sequence[Row]) -> dict[int, str]:
    """Copy rows of the same columns into a table; return the positions of those refused, with the reason."""
    driver = _driver(connection)
    refused: dict[int, str] = {}
    start = 0
    while start < len(rows):
        try:
            _copy(driver, table, rows[start:])
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            position = start + _line(error, table) - 1
            _copy(driver, table, rows[start:position])
            refused[position] = f"The database refuses it: {error.diag.message_primary}."
            start = position + 1
        else:
            break
    return refused


def _copy(driver: psycopg.Connection[Any], table: str, rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns = list(rows[0])
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier("public", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver.transaction(), driver.cursor() as cursor, cursor.copy(statement) as copying:
        for row in rows:
            copying.write_row([row[name] for name in columns])


def _line(error: psycopg.Error, table: str) -> int:
    """The line of the COPY that an error is about, from its context; a refusal of the whole has none."""
    found = re.search(rf"\b{table}, \D*(\d+)", error.diag.context or "")
    if not found:
        raise Refused(f"The database refuses the rows of {table}: {error.diag.message_primary or error}.") from error
    return int(found[1])


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
