"""Columns as bytes: every type, every missing value, and ids in order."""

from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Double, Integer, Uuid

from app import database as doors
from app.jobs import columns
from queries import vocabulary as v

# The order of uuids is that of their bytes, which end in nothing as often as in anything else.
IDS = [UUID(int=number) for number in (256, 2**64, 2**64 + 1, 2**127, 2**127 + 2**64)]


@pytest.mark.usefixtures("owner")
def test_every_type_and_what_is_missing() -> None:
    given = sa.values(
        sa.column("number", Integer),
        sa.column("large", BigInteger),
        sa.column("share", Double),
        sa.column("is_one", Boolean),
        sa.column("id", Uuid),
        sa.column("at", v.Moment),
        name="given",
    ).data(
        [
            (-5, 2**40, 0.1, True, IDS[0], pd.Timestamp("2025-03-09 05:30Z").to_pydatetime()),
            (None, None, None, None, None, None),
        ]
    )
    typed = sa.select(*(sa.cast(column, column.type).label(column.name) for column in given.c))
    with doors.owning() as connection:
        found = columns.read(connection, typed, dealt_by="id")
    first = int(np.flatnonzero(found["is_one"])[0])  # rows come in the order of the database
    other = 1 - first
    assert [found[name][first] for name in ("number", "large", "share")] == [-5, 2**40, 0.1]
    assert [found[name][other] for name in ("number", "large")] == [0, 0]
    assert np.isnan(found["share"][other])
    numbers, ids = columns.codes(found["id"])
    assert (numbers[first], numbers[other], columns.texts(ids)) == (0, -1, [str(IDS[0])])
    days = columns.days(found["at"], "America/Toronto")
    assert days[first] == pd.Timestamp("2025-03-09")
    assert pd.isna(days[other])
    assert columns.days(found["at"], "Pacific/Kiritimati")[first] == pd.Timestamp("2025-03-09")
    assert columns.days(found["at"], "Pacific/Honolulu")[first] == pd.Timestamp("2025-03-08")


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("dealt_by", [None, "id"])
def test_no_rows(dealt_by: str | None) -> None:
    with doors.owning() as connection:
        found = columns.read(connection, sa.select(v.organizers.c.id).where(sa.false()), dealt_by)
    assert columns.codes(found["id"])[0].tolist() == []


def test_ids_are_numbered_in_their_order() -> None:
    mixed = [IDS[place] for place in (3, 0, 4, 1, 2, 0)]
    numbers, ids = columns.codes(columns.bytes_of(pd.Series(mixed)))
    assert numbers.tolist() == [3, 0, 4, 1, 2, 0]
    assert columns.texts(ids) == [str(one) for one in IDS]
    some = columns.bytes_of(pd.Series([*IDS[1:3], IDS[4]]))
    assert columns.numbered(columns.bytes_of(pd.Series(mixed)), some).tolist() == [-1, -1, 2, 0, 1, -1]
    assert columns.numbered(some, some[:0]).tolist() == [-1, -1, -1]
