"""What people do with organizers. `ids` are one or several; what each verb raises: see app.commands.records."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from app import formats
from app.commands import records
from app.commands.records import Done
from app.errors import NotAllowed
from app.fields import MANAGERS, OPPORTUNITY, ORGANIZER
from app.viewer import Viewer
from queries import vocabulary as v

create = partial(records.create, ORGANIZER)
edit = partial(records.edit, ORGANIZER)
edit_many = partial(records.edit_many, ORGANIZER)
delete = partial(records.delete, ORGANIZER)


def archive(*, by: Viewer, ids: Sequence[UUID], key: UUID, reason: str | None = None) -> Done:
    """Puts them away: they and all that hangs on them stay, and count in every report of the past."""
    away = {"status": "archived"}
    return records.give(ORGANIZER, by=by, ids=ids, values=away, did="archived", key=key, reason=reason)


def reactivate(*, by: Viewer, ids: Sequence[UUID], key: UUID, reason: str | None = None) -> Done:
    """Takes them back out of the archive."""
    back, did = {"status": "active"}, "taken out of the archive"
    return records.give(ORGANIZER, by=by, ids=ids, values=back, did=did, key=key, reason=reason)


def reassign(
    *, by: Viewer, ids: Sequence[UUID], owner: UUID, with_opportunities: bool, key: UUID, reason: str | None = None
) -> Done:
    """Gives them to somebody else; with the open opportunities that belong to the same person as their organizer did.

    Closed opportunities stay with whoever closed them.
    """
    if by.role not in MANAGERS:
        raise NotAllowed("Your role does not reassign organizers: managers do. Nothing was changed.")
    new = {"assigned_to": owner}

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        moving = _open_with_owner(db, ids) if with_opportunities else []
        # Before their organizers: whoever gives those away may not change what hangs on them any more.
        _, deals = records.changed(db, by, OPPORTUNITY, moving, lambda _: new, "reassigned")
        said, organizers = records.changed(db, by, ORGANIZER, ids, lambda _: new, "reassigned")
        if deals:
            also = formats.counted(len(deals), "open opportunity", "open opportunities")
            said = f"{said.removesuffix('.')}, with {also}."
        return said, organizers

    return records.once(by=by, key=key, reason=reason, write=write)


def merge(*, by: Viewer, kept: UUID, merged: UUID, key: UUID, reason: str | None = None) -> Done:
    """Moves everything that hangs on `merged` to `kept` and archives it; one change, so that it is undone as one."""

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        names = dict(db.execute(sa.select(v.organizers.c.id, v.organizers.c.company_name)).all())
        db.execute(sa.select(sa.func.app.merge_organizers(kept, merged)))
        return f"{names.get(merged)} was merged into {names.get(kept)}.", [kept, merged]

    return records.once(by=by, key=key, reason=reason, write=write)


def _open_with_owner(db: sa.Connection, ids: Sequence[UUID]) -> Sequence[UUID]:
    deals, organizers = v.opportunities.c, v.organizers.c
    return db.scalars(
        sa.select(deals.id)
        .join(v.organizers, organizers.id == deals.organizer_id)
        .where(organizers.id.in_(ids), deals.status == "open", deals.assigned_to == organizers.assigned_to)
    ).all()
