"""What was done is taken back: a whole change as one, or what one entry of a record's history took away.

A change is one transaction, by its number: what a command returns as `Done.change`.
"""

from uuid import UUID

import sqlalchemy as sa

from app import formats
from app.commands.records import Done
from app.database import writing
from app.errors import NotFound
from app.fields import Noun
from app.viewer import Viewer
from queries import vocabulary as v

_PATIENCE = 60  # seconds: thousands of records are put back by one statement
_this_change = sa.func.pg_current_xact_id(type_=v.Change)


def undo(*, by: Viewer, change: int) -> Done:
    """Puts back whatever the change did, in any number of records; what comes back can be undone in its turn.

    Raises Conflict, naming who, what and when, where a later change stands on it; NotAllowed where the viewer neither
    made it nor is an admin, or may not change all of its records; NotFound where there is no such change.
    """
    with writing(by, timeout=_PATIENCE) as db:
        return _undo(db, change)


def restore(*, by: Viewer, noun: Noun, record_id: UUID, entry: int) -> Done:
    """Gives the record's fields that an entry of its history changed what they held before it, whoever changed them
    since; a record that the entry removed comes back, with all that went with it.

    The first is an ordinary edit: raises NotAllowed where the viewer may not change the record, Invalid where its rules
    refuse the value. Raises NotFound where there is no such entry, or none that the viewer may see.
    """
    history = sa.func.app.record_history(noun.table.name, record_id).table_valued(
        sa.column("id", sa.BigInteger), sa.column("verb", sa.Text), sa.column("occurred_at", v.Moment),
        sa.column("transaction_id", v.Change),
    )  # fmt: skip
    with writing(by, "Restored from the history", timeout=_PATIENCE) as db:
        found = db.execute(sa.select(history).where(history.c.id == entry)).one_or_none()
        if found is None:
            raise NotFound("There is no such entry in the history, or it is not for you to see.")
        if found.verb == "delete":
            return _undo(db, found.transaction_id)
        db.execute(sa.select(sa.func.app.restore(noun.table.name, record_id, entry)))
        when = formats.moment(found.occurred_at, by.time_zone)
        return Done(db.execute(sa.select(_this_change)).scalar_one(), f"As it was before {when}.", (record_id,))


def _undo(db: sa.Connection, change: int) -> Done:
    number = sa.literal(change, v.Change)
    undone = sa.func.app.undo(number).table_valued(sa.column("records", sa.ARRAY(sa.Uuid)), sa.column("name", sa.Text))
    records, name, made = db.execute(sa.select(undone, _this_change)).one()
    is_back = f"{name} is as it was." if name else f"{formats.counted(len(records), 'record')} are as they were."
    return Done(made, f"Undone: {is_back}", tuple(records))
