"""Tables as a test reads them: ASCII in, ASCII out.

    company_name | assigned_to | created_at
    Acme Events  | rita        | 2026-01-05

An empty cell leaves the column to its default, `null` stores a null. Where the column is a uuid, a persona's name is
that person, a stage's name that stage, and any other word is an id of its own: the same word is the same id in every
table. An id comes out as the word that it went in as.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from uuid import NAMESPACE_OID, UUID, uuid5

import pandas as pd
from sqlalchemy import Connection

from tests.personas import PERSONAS

_words: dict[UUID, str] = {persona.id: name for name, persona in PERSONAS.items()}


def id_of(word: str) -> UUID:
    """The id that this word stands for in a table."""
    found = PERSONAS[word].id if word in PERSONAS else uuid5(NAMESPACE_OID, word)
    _words[found] = word
    return found


def given(owner: Connection, table: str, text: str) -> None:
    """Inserts the rows of an ASCII table, committed, with all triggers at work."""
    schema, name = table.split(".") if "." in table else ("public", table)
    types = dict(
        owner.exec_driver_sql(
            "select attname, atttypid::regtype::text from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (f"{schema}.{name}",),
        ).all()
    )
    assert types, f"there is no table {schema}.{name}"
    stages = dict(owner.exec_driver_sql("select name, id from public.crm_pipeline_stages").all())
    header, *rows = _parsed(text)
    for row in rows:
        values = {}
        for column, cell in zip(header, row, strict=True):
            assert column in types, f"{table} has no column {column}"
            if cell == "":
                continue
            values[column] = None if cell == "null" else cell
            if types[column] == "uuid" and cell != "null":
                values[column] = str(stages.get(cell) or id_of(cell))
                _words[UUID(values[column])] = cell
        columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        owner.exec_driver_sql(f"insert into {schema}.{name} ({columns}) values ({marks})", tuple(values.values()))


def shows(frame: pd.DataFrame, text: str) -> None:
    """Asserts that the frame's rows, in their order, are those of the ASCII table, in the columns that it names."""
    header, *rows = _parsed(text)
    missing = [column for column in header if column not in frame.columns]
    assert not missing, f"the frame has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}"
    found = [[_cell(value) for value in row] for row in frame[header].astype(object).itertuples(index=False)]
    assert _drawn(header, found) == _drawn(header, [[_cell(cell) for cell in row] for row in rows])


def _parsed(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip() and not set(line.strip()) <= set("-+| ")]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    widths = {len(row) for row in cells}
    assert len(widths) == 1, f"the table's rows have different numbers of columns:\n{text}"
    return cells


def _cell(value: object) -> str:
    """One value as a table shows it: numbers by what they are worth, ids by their words."""
    if value is None or value is pd.NaT or value is pd.NA or isinstance(value, float) and value != value:
        return ""
    if isinstance(value, UUID):
        return _words.get(value, str(value))
    if isinstance(value, bool | datetime | date):
        return str(value).lower()
    if isinstance(value, float):
        value = round(value, 6)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value).strip()
    return f"{number.normalize():f}" if number.is_finite() else str(value)


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    )
