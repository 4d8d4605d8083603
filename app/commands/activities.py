"""What people do with activities: what was done is noted down, a task is done now, put off or called off.

`ids` are one or several; what a verb with a key raises: see app.commands.records.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as _insert

from app.commands import records
from app.commands.records import Done
from app.database import writing
from app.errors import Conflict, InvalidFields
from app.fields import ACTIVITY
from app.viewer import Viewer
from queries.vocabulary import activities, withdraw_activity

Loggable = Literal["call", "email", "meeting", "note"]

create = partial(records.create, ACTIVITY)
edit = partial(records.edit, ACTIVITY)
edit_many = partial(records.edit_many, ACTIVITY)
delete = partial(records.delete, ACTIVITY)


def complete_tasks(*, by: Viewer, ids: Sequence[UUID], key: UUID, reason: str | None = None) -> Done:
    """Completes the tasks now, which is when they count as activities."""
    return _settle(by, ids, "completed", key, reason)


def cancel(*, by: Viewer, ids: Sequence[UUID], key: UUID, reason: str | None = None) -> Done:
    """Calls the tasks off: they will never count as activities."""
    return _settle(by, ids, "cancelled", key, reason)


def _settle(by: Viewer, ids: Sequence[UUID], status: str, key: UUID, reason: str | None) -> Done:
    def wanted(row: records.Row) -> dict[str, str]:
        if not row["is_task"]:
            raise InvalidFields({"type": f"{row['subject']} is no task."})
        return {"task_status": status}

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        return records.changed(db, by, ACTIVITY, ids, wanted, status)

    return records.once(by=by, key=key, reason=reason, write=write)


def log(*, by: Viewer, activity_id: UUID, organizer_id: UUID, kind: Loggable, subject: str) -> None:
    """Keeps that the viewer did this with the organizer just now. A second click with the same id does nothing."""
    made = {"id": activity_id, "organizer_id": organizer_id, "user_id": by.id, "type": kind, "subject": subject}
    own = sa.select(sa.exists().where(activities.c.id == activity_id, activities.c.user_id == by.id))
    insert = _insert(activities).values(made).on_conflict_do_nothing(index_elements=["id"])
    with writing(by) as db:
        # Not by its row count, which the driver does not say of an insert.
        logged = db.scalar(insert.returning(activities.c.id))
        if logged is None and not db.scalar(own):
            raise Conflict("Somebody else has logged something else under this id. Nothing was logged; try again.")


def withdraw(*, by: Viewer, activity_id: UUID) -> None:
    """Takes back what the viewer has just logged; raises Conflict where it is too late for that."""
    with writing(by) as db:
        if not db.scalar(sa.select(withdraw_activity(activity_id))):
            raise Conflict("It has been changed meanwhile, or was logged over ten minutes ago: an admin can remove it.")


def complete(*, by: Viewer, task_id: UUID, version: int) -> datetime:
    """Completes the task now, which is when it counts as an activity; returns when it had been planned for."""
    with writing(by) as db:
        planned = db.scalar(sa.select(activities.c.activity_date).where(activities.c.id == task_id))
        _change(db, task_id, version, "pending", task_status="completed", activity_date=sa.func.now())
    assert isinstance(planned, datetime)  # noqa: S101  (it was changed, so it was there)
    return planned


def reopen(*, by: Viewer, task_id: UUID, version: int, planned: datetime) -> None:
    """Makes a completed task pending again, planned for then."""
    with writing(by) as db:
        _change(db, task_id, version, "completed", task_status="pending", activity_date=planned)


def _change(db: sa.Connection, task_id: UUID, version: int, status: str, **values: object) -> None:
    task = activities.c
    same = task.id == task_id, task.version == version, task.task_status == status
    if db.execute(sa.update(activities).where(*same).values(**values)).rowcount != 1:
        raise Conflict("This task has been changed meanwhile, or it is somebody else's. Nothing was changed.")
