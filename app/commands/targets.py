"""What each person is to win in each quarter; what each verb raises: see app.commands.records."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.commands import records
from app.commands.merging import merged, read_given
from app.commands.records import Done, Refusals, Row
from app.commands.rules import Desk
from app.errors import InvalidFields, NotAllowed, NotFound
from app.fields import MANAGERS, TARGET
from app.viewer import Viewer
from queries import vocabulary as v

Cell = tuple[UUID, date]  # whose, and the first day of the quarter

create = partial(records.create, TARGET)
edit = partial(records.edit, TARGET)
edit_many = partial(records.edit_many, TARGET)
delete = partial(records.delete, TARGET)


def set_amounts(
    *, by: Viewer, cells: Mapping[Cell, tuple[Any, Any]], currency: str, key: UUID, reason: str | None = None
) -> Done:
    """Sets the targets of a grid of people and quarters: of each cell, the amount that it showed and the one wanted.

    A cell without an amount has no target yet. Raises what `records.edit_many` raises, its rows named by their cells.
    """
    if by.role not in MANAGERS:
        raise NotAllowed("Your role does not set targets: managers do. Nothing was changed.")

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        stored = _locked(db, cells)
        refusals, desk = Refusals(TARGET), Desk(db, by)
        done = []
        for cell, (base, given) in cells.items():
            with refusals.of(cell), records.explained_at_fields(), db.begin_nested():
                done += _set(desk, cell, stored.get(cell), base, given, currency)
        refusals.raise_if_any(len(cells))
        return f"{records.counted(TARGET, len(done))} set.", done

    return records.once(by=by, key=key, reason=reason, write=write)


def _locked(db: sa.Connection, cells: Mapping[Cell, Any]) -> dict[Cell, Row]:
    targets = v.targets.c
    chosen = sa.tuple_(targets.user_id, targets.period_start).in_(list(cells))
    rows = db.execute(
        sa.select(v.targets).where(chosen).order_by(targets.id).with_for_update(key_share=True)
    ).mappings()
    return {(row["user_id"], row["period_start"]): dict(row) for row in rows}


def _set(desk: Desk, cell: Cell, row: Row | None, base: Any, given: Any, currency: str) -> list[UUID]:
    if row is None:
        if base is not None:
            raise NotFound("Somebody has deleted this target meanwhile. Nothing was changed.")
        if given is None:
            return []
        wanted = {"user_id": cell[0], "period_start": cell[1], "amount": given, "currency": currency}
        return [records.insert(desk, TARGET, read_given(TARGET, desk.by, wanted, creating=True))]
    if row["currency"] != currency:
        raise InvalidFields({"amount": f"This target is in {row['currency']}: change it by itself."})
    wanted = merged(desk.db, desk.by, TARGET, row, {"amount": base}, {"amount": given})
    if not (values := records.settled(desk, TARGET, row, wanted)):
        return []
    records.update(desk.db, TARGET, [row], values)
    return [row["id"]]
