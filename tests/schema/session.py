"""One transaction in which a test is the owner, a person, or nobody, in turn."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.personas import PERSONAS
from tests.tables import id_of


def claims(name: str) -> str:
    """What the app's doors bind for this person."""
    return json.dumps({"sub": str(PERSONAS[name].id), "role": "authenticated"})


class Statements:
    """SQL on a connection, in short words."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def run(self, statement: str, *values: object) -> int:
        """Executes one statement; returns how many rows it touched."""
        return self.connection.execute(statement.encode(), values or None).rowcount

    def rows(self, statement: str, *values: object) -> list[Any]:
        """All rows of a query, as named tuples."""
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(statement.encode(), values or None).fetchall()

    def row(self, statement: str, *values: object) -> Any:
        """The only row of a query."""
        (found,) = self.rows(statement, *values)
        return found

    def one(self, statement: str, *values: object) -> Any:
        """The only value of a query."""
        (found,) = self.row(statement, *values)
        return found

    @contextmanager
    def undone(self) -> Iterator[Self]:
        """What the block did is taken back at its end."""
        with self.connection.transaction(force_rollback=True):
            yield self

    @contextmanager
    def refused(
        self, error: type[psycopg.Error] | tuple[type[psycopg.Error], ...], about: str | None = None
    ) -> Iterator[None]:
        """The block must raise this; what it did is taken back."""
        with pytest.raises(error, match=about), self.connection.transaction():
            yield

    def bind(self, claims: str | None, role: str = "authenticated") -> None:
        """Takes the role and these claims on, until the end of the transaction."""
        self.run(f"set local role {role}")
        self.run("select set_config('request.jwt.claims', %s, true)", claims)


class Session(Statements):
    """A superuser's connection inside a transaction, with the session authorization of the owner unless `acting`.

    Where a column is a uuid, values are written in words: a persona's name is that person, a stage's name that stage,
    any other word an id of its own.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        self.run("set local session authorization eventos_owner")

    def insert(self, table: str, **values: object) -> Any:
        """Inserts a row with these values; returns it as stored."""
        return self.row(
            f"insert into {table} ({', '.join(values)}) values ({', '.join(['%s'] * len(values))}) returning *",
            *self._in_words(table, values),
        )

    def update(self, table: str, record: object, **values: object) -> Any:
        """Changes the row with this id; returns it as stored."""
        return self.row(
            f"update {table} set {', '.join(f'{column} = %s' for column in values)} where id = %s returning *",
            *self._in_words(table, {**values, "id": record}),
        )

    def read(self, table: str, record: object) -> Any:
        """The row with this id."""
        return self.row(f"select * from {table} where id = %s", *self._in_words(table, {"id": record}))

    @contextmanager
    def acting(self, name: str) -> Iterator[Self]:
        """In the block, this person on the app's login; what the block did stays."""
        self.run("reset session authorization")
        self.run("set local session authorization eventos_app")
        self.bind(claims(name))
        yield self
        self.become_owner()

    def become_owner(self) -> None:
        """Back from whomever the session was."""
        self.run("select set_config('request.jwt.claims', '', true)")
        self.run("reset session authorization")
        self.run("set local session authorization eventos_owner")

    @contextmanager
    def superuser(self) -> Iterator[None]:
        """In the block, with every right; what the block did stays."""
        self.run("reset session authorization")
        yield
        self.become_owner()

    def use_only(self, index: str) -> None:
        """Nothing else finds the table's rows from here on: what is chosen does not hang on other tests' dead rows."""
        with self.superuser():
            for setting in ("enable_seqscan = off", "enable_bitmapscan = off"):
                self.run(f"set local {setting}")
            others = self.rows(
                "select indexrelid::regclass from pg_index where indrelid = (select indrelid from pg_index"
                " where indexrelid = %s::regclass) and indexrelid <> %s::regclass"
                " and not exists (select from pg_constraint where conindid = indexrelid)", index, index)  # fmt: skip
            for (other,) in others:
                self.run(f"drop index {other}")

    def _in_words(self, table: str, values: Mapping[str, object]) -> list[object]:
        types = _types(self, table)
        return [
            self._id(table, column, value) if types[column] == "uuid" and isinstance(value, str) else value
            for column, value in values.items()
        ]

    def _id(self, table: str, column: str, word: str) -> UUID:
        if column == "stage_id" or "stages" in table:
            found = self.rows("select id from public.crm_pipeline_stages where name = %s", word)
            if found:
                return found[0].id
        return id_of(word)


def _types(session: Session, table: str) -> dict[str, str]:
    columns = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass"
    return dict(session.rows(columns, table))
