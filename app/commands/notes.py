"""What people do with notes. `ids` are one or several; what each verb raises: see app.commands.records."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from app.commands import records
from app.commands.records import Done
from app.fields import NOTE
from app.viewer import Viewer

create = partial(records.create, NOTE)
edit = partial(records.edit, NOTE)
edit_many = partial(records.edit_many, NOTE)
delete = partial(records.delete, NOTE)


def pin(*, by: Viewer, ids: Sequence[UUID], is_pinned: bool, key: UUID, reason: str | None = None) -> Done:
    """Keeps them above the others, or no longer."""
    values, did = {"is_pinned": is_pinned}, "pinned" if is_pinned else "unpinned"
    return records.give(NOTE, by=by, ids=ids, values=values, did=did, key=key, reason=reason)
