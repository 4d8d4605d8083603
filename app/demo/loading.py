"""Into the database: in one transaction of the owner's, by COPY, with triggers, keys and indexes out of the way."""

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Text, column, exists, select, table, update

from app.demo import truth, words
from app.demo.clock import ZONE
from app.demo.columns import Batch
from app.demo.growing import grow
from app.errors import Refused

Progress = Callable[[str, float], object]
"""Told what is being done, and the share of the whole that is done."""

_settings = table("crm_settings", *(column(name) for name in words.SETTINGS), schema="public")
_afterwards = table("afterwards", column("step"), column("statement", Text))  # made by clear.sql

_CLEAR = (Path(__file__).parent / "clear.sql").read_text(encoding="utf-8")
_HOLDS = {"crm_organizers": "organizers", "crm_opportunities": "opportunities", "crm_profiles": "people"}

_ROWS_EACH = 220
"""Rows that come with an organizer, about: what the progress bar expects."""

_COPYING = 0.7
"""Share of the time that copying takes; the rest goes into indexes and references."""


def load(
    connection: Connection,
    *,
    scale: float = truth.PLAIN_SCALE,
    seed: int = truth.SEED,
    anchor: dt.date | None = None,
    progress: Progress | None = None,
) -> int:
    """Fills an empty database with the company that this seed grows up to `anchor` (today); returns the number of rows.

    All in the connection's transaction, which must be the owner's: what fails or is interrupted leaves nothing.
    """
    tell = progress or _to_nobody
    for name, what in _HOLDS.items():
        if connection.scalar(select(exists().select_from(table(name, schema="public")))):
            raise Refused(
                f"There are {what} in this database already, and the demo company never mixes with a real one. "
                "Start it in an empty database, for example with another --data-dir."
            )
    rows, expected = 0, truth.ORGANIZERS * scale * _ROWS_EACH
    with _driver(connection).cursor() as cursor:
        cursor.execute(_CLEAR)
        connection.execute(update(_settings).values(words.SETTINGS))
        for batch, csv in _ahead(grow(seed, anchor or dt.datetime.now(ZONE).date(), scale)):
            _copy(cursor, batch, csv)
            rows += batch.rows.num_rows
            tell(f"{words.COMPANY}: {rows:,} rows", _COPYING * min(rows / expected, 1))
        steps = connection.execute(select(_afterwards.c.statement).order_by(_afterwards.c.step)).scalars().all()
        for done, statement in enumerate(steps):
            tell("Indexes and references", _COPYING + (1 - _COPYING) * done / len(steps))
            cursor.execute(statement)
    tell(f"{words.COMPANY}: {rows:,} rows", 1)
    return rows


def _to_nobody(_text: str, _share: float) -> None:
    """The progress of a load that nobody watches."""


def _ahead(batches: Iterator[Batch]) -> Iterator[tuple[Batch, memoryview]]:
    """The batches as COPY reads them, each made while PostgreSQL is busy with the one before."""

    def make() -> tuple[Batch, memoryview] | None:
        batch = next(batches, None)
        return batch and (batch, batch.csv())

    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(make)
        while made := coming.result():
            coming = maker.submit(make)
            yield made


def _copy(cursor: psycopg.Cursor[Any], batch: Batch, csv: memoryview) -> None:
    schema, _, name = batch.table.rpartition(".")
    # Tables that clear.sql emptied take their rows as frozen; auth.users belongs to the platform and is not emptied.
    statement = sql.SQL("copy {} ({}) from stdin (format csv{})").format(
        sql.Identifier(schema or "public", name),
        sql.SQL(", ").join(map(sql.Identifier, batch.rows.column_names)),
        sql.SQL("" if schema else ", freeze"),
    )
    with cursor.copy(statement) as copying:
        copying.write(csv)


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
