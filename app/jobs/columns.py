"""Millions of rows as columns: each column comes as the bytes of its values, which numpy takes as they are.

As rows of Python's values the same would take most of a refresh's time, and ten times the memory.
"""

from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Connection, Double, Integer, LargeBinary, Uuid, func

from queries import vocabulary as v

Column = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

NO_ID: Final = UUID(int=0)
NO_MOMENT: Final = np.iinfo(np.int64).min

_KINDS: Final[dict[type[Any], tuple[str, str, Any]]] = {
    Boolean: ("boolsend", "?", False),
    Integer: ("int4send", ">i4", 0),
    BigInteger: ("int8send", ">i8", 0),
    Double: ("float8send", ">f8", float("nan")),
    Uuid: ("uuid_send", "V16", NO_ID),
    type(v.Moment): ("timestamptz_send", ">i8", "-infinity"),
}
"""By type: what makes the bytes, what numpy takes them for, and what stands for a missing value."""

_PARTS: Final = 16
"""Parts in which a large result comes: one value may not be larger than half a gigabyte."""

_2000: Final = 946_684_800_000_000
"""Microseconds from 1970 to the beginning of PostgreSQL's time."""


def read(connection: Connection, statement: sa.Select[Any], dealt_by: str | None = None) -> dict[str, Column]:
    """The statement's columns by name; their rows are in one order, which is the database's.

    Ids are 16 bytes each (see `codes` and `numbered`), moments microseconds since 2000 (see `days`). What is
    missing is 0, nan, False, NO_ID or NO_MOMENT. `dealt_by` names an id of a large result.
    """
    rows = statement.subquery()
    kinds = {column.name: _KINDS[type(column.type)] for column in rows.c}
    nothing = sa.literal(b"", LargeBinary)
    sent = sa.select(
        *(
            func.string_agg(getattr(func, send)(func.coalesce(column, sa.literal(none, column.type))), nothing)
            for column, (send, _, none) in zip(rows.c, kinds.values(), strict=True)
        )
    )
    if dealt_by:
        sent = sent.group_by(func.uuid_hash(rows.c[dealt_by]).op("&")(_PARTS - 1))
    parts = connection.execute(sent.execution_options(stream_results=dealt_by is not None, max_row_buffer=1))
    received: dict[str, list[Column]] = {name: [np.empty(0, kind)] for name, (_, kind, _) in kinds.items()}
    for part in parts:
        for (name, (_, kind, _)), value in zip(kinds.items(), part, strict=True):
            received[name].append(np.frombuffer(value or b"", kind))
    return {name: _native(np.concatenate(received.pop(name))) for name in kinds}  # never all of them twice


def _native(column: Column) -> Column:
    return column.astype(column.dtype.newbyteorder("="), copy=False)


def codes(ids: Column) -> tuple[Ints, Column]:
    """Ids as numbers in their order, -1 for NO_ID, and the ids that have these numbers."""
    (high, highs), (low, lows) = (pd.factorize(_native(half)) for half in ids.view(">u8").reshape(-1, 2).T)
    pair, pairs = pd.factorize(high * (len(lows) + 1) + low)
    halves = highs[pairs // (len(lows) + 1)], lows[pairs % (len(lows) + 1)]
    order = np.lexsort(halves[::-1])
    there = np.column_stack([half[order] for half in halves]).astype(">u8").view("V16").ravel()
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order))
    without = int(len(there) > 0 and UUID(bytes=there[0].tobytes()) == NO_ID)
    return numbers[pair] - without, there[without:]


def texts(ids: Column) -> list[str]:
    """Ids as people write them."""
    return [str(UUID(bytes=one.tobytes())) for one in ids]


def bytes_of(ids: pd.Series) -> Column:
    """UUIDs as `read` brings them."""
    return np.frombuffer(b"".join(one.bytes for one in ids), "V16")


def numbered(ids: Column, among: Column) -> Ints:
    """The place of each id among others, which are in order; -1 where it is none of them."""
    if not len(among):
        return np.full(len(ids), -1)
    there, sought = among.view("S16"), ids.view("S16")
    place = np.minimum(np.searchsorted(there, sought), len(there) - 1)
    return np.where(there[place] == sought, place, -1)


def days(moments: Column, zone: str) -> pd.DatetimeIndex:
    """The days of the moments in a time zone."""
    at = np.where(moments == NO_MOMENT, NO_MOMENT, moments + _2000).view("datetime64[us]")
    there = pd.DatetimeIndex(at, tz="UTC").tz_convert(zone).tz_localize(None)
    return there.normalize().as_unit("s")
