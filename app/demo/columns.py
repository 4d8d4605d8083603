"""Columns of rows to load: Arrow arrays, made a block at a time and written as CSV without a Python loop."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from app.demo.arrays import Flags, Ints


class Batch(NamedTuple):
    """Rows of one table, columns by their names in the database."""

    table: str
    rows: pa.Table

    def csv(self) -> memoryview:
        """The rows as PostgreSQL's COPY reads them: CSV without a header, nothing for null."""
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(self.rows, sink, pyarrow.csv.WriteOptions(include_header=False))
        return memoryview(sink.getvalue())


def batch(table: str, **columns: pa.Array) -> Batch:
    """Rows of `table` from columns of one length."""
    return Batch(table, pa.table(columns))


_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint8).reshape(256, 2)
_DIGITS = [place for place in range(36) if place not in (8, 13, 18, 23)]


def new_ids(rng: np.random.Generator, count: int) -> pa.Array:
    """Random UUIDs (version 4) as text."""
    raw = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    written = np.full((count, 36), ord("-"), dtype=np.uint8)
    written[:, _DIGITS] = _HEX[raw].reshape(count, 32)
    offsets = np.arange(0, 36 * count + 1, 36, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(written))


def pick(values: pa.Array | Sequence[str | None], index: Ints) -> pa.Array:
    """values[index], null where the index is negative."""
    source = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return source.take(pa.array(index, mask=index < 0))


def draw(rng: np.random.Generator, shares: Mapping[str, float], count: int) -> pa.Array:
    """Words at random, each with its share."""
    return pick(list(shares), rng.choice(len(shares), count, p=list(shares.values())))


def some(rng: np.random.Generator, values: Sequence[str], count: int, share: float = 1) -> pa.Array:
    """Words at random, all as frequent, in this share of the rows; null in the others."""
    return pick(values, np.where(rng.random(count) < share, rng.integers(0, len(values), count), -1))


def join(*parts: pa.Array | str) -> pa.Array:
    """The parts of each row written one after the other; null where one of them is."""
    return pc.binary_join_element_wise(*parts, "")


def decimals(units: Ints, places: int = 2) -> pa.Array:
    """Exact decimal numbers: so many units of their last place."""
    wide = np.empty((len(units), 2), dtype=np.int64)  # a decimal128 is two words, the low one first
    wide[:, 0] = units
    wide[:, 1] = units >> 63
    return pa.Array.from_buffers(pa.decimal128(18, places), len(units), [None, pa.py_buffer(wide)])


def moments(seconds: Ints) -> pa.Array:
    """Timestamps in UTC; NEVER is null."""
    return pa.array(seconds.astype("datetime64[s]")).cast(pa.timestamp("s", "UTC"))


def dates(days: Ints) -> pa.Array:
    """Dates; NEVER is null."""
    return pa.array(days.astype("datetime64[D]"))


def counts(values: Ints, known: Flags | None = None) -> pa.Array:
    """Whole numbers; null where not known."""
    return pa.array(values, mask=None if known is None else ~known)


def every(value: str | int | bool | None, count: int) -> pa.Array:
    """The same value in each row."""
    return pa.repeat(pa.scalar(value, pa.string() if value is None else None), count)
