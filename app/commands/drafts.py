"""What somebody has typed into a form and not saved: kept for them alone, until it is saved or thrown away."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.database import writing
from app.viewer import Viewer
from queries import vocabulary as v


def keep(*, by: Viewer, form: str, base: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Keeps what the form showed and what was typed into it, both as JSON; what it held before is forgotten.

    No open page is drawn again for it. Raises Invalid where it is longer than a million letters.
    """
    drafts = v.drafts
    held = {"base": dict(base), "given": dict(given)}
    kept = insert(drafts).values(user_id=by.id, form=form, **held)
    replaced = kept.on_conflict_do_update(index_elements=["user_id", "form"], set_={**held, "saved_at": sa.func.now()})
    with writing(by, moves_data=False) as db:
        db.execute(replaced)


def discard(*, by: Viewer, form: str) -> None:
    """Forgets what was typed into the form; nothing happens where nothing was."""
    drafts = v.drafts
    with writing(by, moves_data=False) as db:
        db.execute(sa.delete(drafts).where(drafts.c.user_id == by.id, drafts.c.form == form))
