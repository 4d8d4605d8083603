"""What people note down of their work: something that was done, and a task that is done now."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as _insert

from app.database import writing
from app.errors import Conflict
from app.viewer import Viewer
from queries.vocabulary import activities, withdraw_activity

Loggable = Literal["call", "email", "meeting", "note"]


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
