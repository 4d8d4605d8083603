"""The typed views and tables against the catalogue of the migrated database."""

from importlib import import_module

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import PGDialect, ischema_names

from queries.vocabulary import Change, catalogue
from tests.queries.test_question import MODULES

for module in MODULES:
    import_module(module)  # some name tables of their own
ischema_names |= {"xid8": Change, "app.event_tally": sa.types.NullType}
DIALECT = PGDialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
TABLES = sorted(catalogue.tables.values(), key=lambda table: table.fullname)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.fullname)
def test_the_words_are_those_of_the_database(owner: Connection, table: sa.Table) -> None:
    found = {
        column["name"]: column["type"].compile(DIALECT)
        for column in sa.inspect(owner).get_columns(table.name, table.schema)
        if not isinstance(column["type"], sa.types.NullType)
    }
    written = {column.name: column.type.compile(DIALECT) for column in table.columns}
    if table.schema == "analytics":
        assert list(written) == list(found)  # a view is written for the questions: no more than they need
    assert written == {name: found[name] for name in written if name in found}


def test_every_view_is_there(owner: Connection) -> None:
    assert {table.name for table in TABLES if table.schema == "analytics"} == set(
        sa.inspect(owner).get_view_names("analytics")
    )
