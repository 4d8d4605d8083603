"""What people do with opportunities. `ids` are one or several; what each verb raises: see app.commands.records."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from app import formats
from app.commands import records
from app.commands.merging import clashes, read_given
from app.commands.records import Done, Row
from app.errors import InvalidFields, NotAllowed
from app.fields import MANAGERS, OPPORTUNITY
from app.viewer import Viewer
from queries.stages import stages

_NOWHERE: Final[Mapping[UUID, UUID]] = {}

create = partial(records.create, OPPORTUNITY)
edit = partial(records.edit, OPPORTUNITY)
edit_many = partial(records.edit_many, OPPORTUNITY)
delete = partial(records.delete, OPPORTUNITY)


def move(
    *,
    by: Viewer,
    ids: Sequence[UUID],
    stage_id: UUID,
    follow_stage: bool,
    seen: Mapping[UUID, UUID] = _NOWHERE,
    closed_on: date | str | None = None,
    loss_reason: str | None = None,
    key: UUID,
    reason: str | None = None,
) -> Done:
    """Moves them to the stage. One with a probability of its own keeps it unless it is to follow the stage.

    `seen` says in which stage each was seen: one that is elsewhere by now raises Clashes. A closed stage needs what
    `win` and `lose` need.
    """

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        stage = _first(db, stages.c.id == stage_id)
        closing = _closing(by, stage, closed_on, loss_reason) if stage.is_closed else {}

        def wanted(row: Row) -> Mapping[str, Any]:
            if row["stage_id"] == stage_id:
                return {}
            if (was := seen.get(row["id"], row["stage_id"])) != row["stage_id"]:
                raise clashes(db, by, OPPORTUNITY, row, {"stage_id": (was, stage_id)})
            if stage.is_closed:
                _refuse_closed(row)
                return closing
            return {"stage_id": stage_id} | ({"probability": None} if follow_stage else {})

        return records.changed(db, by, OPPORTUNITY, ids, wanted, f"moved to {stage.name}")

    return records.once(by=by, key=key, reason=reason, write=write)


def win(*, by: Viewer, ids: Sequence[UUID], closed_on: date | str, key: UUID, reason: str | None = None) -> Done:
    """Moves open ones to the first stage where they are won, as of that day."""

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        return _close(db, by, ids, _closing(by, _first(db, stages.c.is_won), closed_on, None), "won")

    return records.once(by=by, key=key, reason=reason, write=write)


def lose(
    *,
    by: Viewer,
    ids: Sequence[UUID],
    loss_reason: str,
    closed_on: date | str | None = None,
    key: UUID,
    reason: str | None = None,
) -> Done:
    """Moves open ones to the first stage where they are lost, for this reason; as of today unless a day is given."""

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        return _close(db, by, ids, _closing(by, _first(db, _LOST), closed_on, loss_reason), "lost")

    return records.once(by=by, key=key, reason=reason, write=write)


def abandon(
    *,
    by: Viewer,
    ids: Sequence[UUID],
    loss_reason: str | None = None,
    closed_on: date | str | None = None,
    key: UUID,
    reason: str | None = None,
) -> Done:
    """Closes open ones without a decision: they stand where the lost ones do, and count neither as won nor as lost."""

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        values = {**_closing(by, _first(db, _LOST), closed_on, loss_reason), "status": "abandoned"}
        return _close(db, by, ids, values, "abandoned")

    return records.once(by=by, key=key, reason=reason, write=write)


def reopen(*, by: Viewer, ids: Sequence[UUID], stage_id: UUID, key: UUID, reason: str | None = None) -> Done:
    """Puts closed ones back into an open stage, with its probability; their history keeps when and why they closed."""

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        stage = _first(db, stages.c.id == stage_id)
        if stage.is_closed:
            raise InvalidFields({"stage_id": f"{stage.name} is closed. Choose a stage that is open."})

        def wanted(row: Row) -> Mapping[str, Any]:
            return {"stage_id": stage_id} if row["status"] != "open" else {}

        return records.changed(db, by, OPPORTUNITY, ids, wanted, f"reopened in {stage.name}")

    return records.once(by=by, key=key, reason=reason, write=write)


def reassign(*, by: Viewer, ids: Sequence[UUID], owner: UUID, key: UUID, reason: str | None = None) -> Done:
    """Gives them to somebody else; their organizers stay whose they are."""
    if by.role not in MANAGERS:
        raise NotAllowed("Your role does not reassign opportunities: managers do. Nothing was changed.")

    new = {"assigned_to": owner}
    return records.give(OPPORTUNITY, by=by, ids=ids, values=new, did="reassigned", key=key, reason=reason)


# Closing ---------------------------------------------------------------------------------------------------------

_LOST: Final = sa.and_(stages.c.is_closed, sa.not_(stages.c.is_won))


def _first(db: sa.Connection, condition: sa.ColumnElement[bool]) -> Any:
    stage = db.execute(sa.select(stages).where(condition).order_by(stages.c.order_index).limit(1)).one_or_none()
    if stage is None:
        raise InvalidFields({"stage_id": "There is no such stage any more. Choose another one."})
    return stage


def _closing(by: Viewer, stage: Any, closed_on: date | str | None, loss_reason: str | None) -> dict[str, Any]:
    """What a closed stage asks for, read; what it lacks is said by the rules of opportunities."""
    if stage.is_won and not closed_on:
        raise InvalidFields({"actual_close_date": "Say on which day it was won."})
    read = read_given(OPPORTUNITY, by, {"actual_close_date": closed_on, "loss_reason": loss_reason})
    return {"stage_id": stage.id, "actual_close_date": read["actual_close_date"] or by.today} | (
        {} if stage.is_won else {"loss_reason": read["loss_reason"]}
    )


def _close(
    db: sa.Connection, by: Viewer, ids: Sequence[UUID], values: Mapping[str, Any], did: str
) -> tuple[str, Sequence[UUID]]:
    def wanted(row: Row) -> Mapping[str, Any]:
        _refuse_closed(row)
        return values

    return records.changed(db, by, OPPORTUNITY, ids, wanted, did)


def _refuse_closed(row: Row) -> None:
    if row["status"] != "open":
        since = formats.day(row["actual_close_date"])
        raise InvalidFields(
            {"stage_id": f"{row['name']} was closed as {row['status']} on {since}. Reopen it first, if that is wrong."}
        )
