"""A question to the database: one SQLAlchemy Core statement, and exactly the columns that it answers with."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from queries.units import Unit

P = ParamSpec("P")
Statement = sa.Select[*tuple[Any, ...]]
# A SQL editor takes % as it is; a driver wants it twice.
_EDITOR = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


class Question(Generic[P]):
    """Calling it with an open connection answers with a frame; `sql` shows the statement.

    The frame has exactly the declared columns, in their order and dtypes. The connection carries the viewer, so the
    same question answers each viewer with the rows that their policies show.
    """

    def __init__(self, build: Callable[P, Statement], columns: Mapping[str, Unit]) -> None:
        self.build = build
        self.columns = columns
        self.name = f"{build.__module__}.{build.__name__}"
        self.__doc__ = build.__doc__

    def __call__(self, db: sa.Connection, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        """The answer; raises KeyError where the statement's columns are not the declared ones."""
        result = db.execute(self.build(*args, **kwargs))
        names = list(result.keys())
        if names != list(self.columns):
            raise KeyError(f"{self.name} declares {list(self.columns)} and selects {names}")
        rows = result.fetchall()
        return pd.DataFrame(
            {
                name: pd.Series([row[index] for row in rows], dtype=unit.dtype)
                for index, (name, unit) in enumerate(self.columns.items())
            }
        )

    def sql(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The statement with its values written in, as it would run in a SQL editor."""
        compiled = self.build(*args, **kwargs).compile(dialect=_EDITOR, compile_kwargs={"literal_binds": True})
        return str(compiled)


def question(**columns: Unit) -> Callable[[Callable[P, Statement]], Question[P]]:
    """Makes a function that builds a statement a question with these columns."""

    def declare(build: Callable[P, Statement]) -> Question[P]:
        return Question(build, columns)

    return declare
