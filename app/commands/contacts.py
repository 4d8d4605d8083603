"""What people do with contacts. `ids` are one or several; what each verb raises: see app.commands.records."""

from functools import partial
from uuid import UUID

from app.commands import records
from app.commands.records import Done
from app.fields import CONTACT
from app.viewer import Viewer

create = partial(records.create, CONTACT)
edit = partial(records.edit, CONTACT)
edit_many = partial(records.edit_many, CONTACT)
delete = partial(records.delete, CONTACT)


def make_primary(*, by: Viewer, record_id: UUID, key: UUID, reason: str | None = None) -> Done:
    """Makes this one the organizer's primary contact, and the one that was it no longer."""
    values, did = {"is_primary": True}, "made the primary contact"
    return records.give(CONTACT, by=by, ids=[record_id], values=values, did=did, key=key, reason=reason)
