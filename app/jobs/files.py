"""Files that no document has any more, or never had: removed when nobody can want them back."""

from collections.abc import Callable

import sqlalchemy as sa

from app import database, files
from queries.vocabulary import documents, file_removals

_ROUND = 200  # files that the store is told about before it is noted what is done


def sweep(progress: Callable[[str, float], object] = lambda _what, _share: None) -> int:
    """Removes what is due and finishes what a sweep that was killed has begun; returns how many files are gone.

    First it is settled that no document can have them again, then the store is told, then that it was: killed in
    between, the next one goes on, and an undo meanwhile is refused rather than given a document without its file.
    """
    removals = file_removals
    is_had = sa.exists().where(documents.c.storage_path == removals.c.storage_path)
    is_due = removals.c.keep_until <= sa.func.now(), removals.c.given_up_at.is_(None), sa.not_(is_had)
    is_left = removals.c.given_up_at.is_not(None), removals.c.removed_at.is_(None)
    with database.owning() as db:
        db.execute(sa.update(removals).where(*is_due).values(given_up_at=sa.func.now()))
    gone = 0
    while True:
        with database.owning() as db:
            left = sa.select(removals.c.storage_path).where(*is_left).order_by(removals.c.storage_path).limit(_ROUND)
            paths = db.scalars(left.with_for_update(skip_locked=True)).all()
            if not paths:
                return gone
            for number, path in enumerate(paths):
                files.store().remove(path)
                progress("Removing files", number / len(paths))
            db.execute(sa.update(removals).where(removals.c.storage_path.in_(paths)).values(removed_at=sa.func.now()))
            gone += len(paths)
