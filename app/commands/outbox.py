"""What people decide about emails that stages have written: to send one again, or not at all."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from app.database import writing
from app.errors import Conflict
from app.viewer import Viewer
from queries.templates import retry_letter
from queries.vocabulary import outbox


def retry(*, by: Viewer, ids: Sequence[UUID]) -> int:
    """Writes the emails anew from what is known now, for the next delivery; returns how many now wait.

    Raises Conflict where one of them has been sent or waits already; nothing was changed then.
    """
    with writing(by) as db:
        states = [db.scalar(sa.select(retry_letter(letter))) for letter in ids]
        if None in states:
            raise Conflict("One of them was sent, or waits, already. Nothing was changed.")
    return states.count("waiting")


def cancel(*, by: Viewer, ids: Sequence[UUID]) -> None:
    """Keeps the emails from being sent; raises Conflict where one of them no longer waits: nothing was changed then."""
    waiting = sa.and_(outbox.c.id.in_(ids), outbox.c.status.in_(("waiting", "failed", "unknown")))
    with writing(by) as db:
        if db.execute(sa.update(outbox).where(waiting).values(status="cancelled")).rowcount != len(set(ids)):
            raise Conflict("One of them has been sent, or cancelled, meanwhile. Nothing was changed.")
