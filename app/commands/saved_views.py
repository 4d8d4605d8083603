"""A person's own names for scopes that they come back to; one of a page's may be what the page opens with."""

from uuid import UUID

import sqlalchemy as sa

from app.database import writing
from app.errors import NotFound
from app.viewer import Viewer
from queries.saved_views import views


def save(*, by: Viewer, page: str, name: str, query: str) -> None:
    """Keeps the page's scope under the name; the same name again (in any case) gets the new scope."""
    own = sa.and_(views.c.user_id == by.id, views.c.page == page, sa.func.lower(views.c.name) == sa.func.lower(name))
    with writing(by) as db:
        if not db.execute(sa.update(views).where(own).values(name=name, query=query)).rowcount:
            db.execute(sa.insert(views).values(user_id=by.id, page=page, name=name, query=query))


def rename(*, by: Viewer, view_id: UUID, name: str) -> None:
    """Gives the view another name."""
    _change(by, view_id, name=name)


def make_default(*, by: Viewer, page: str, view_id: UUID | None) -> None:
    """Opens the page with this view from now on, or with no view."""
    with writing(by) as db:
        others = sa.and_(views.c.user_id == by.id, views.c.page == page, views.c.is_default)
        db.execute(sa.update(views).where(others).values(is_default=False))
        if view_id is not None:
            own = sa.and_(views.c.id == view_id, views.c.user_id == by.id, views.c.page == page)
            _exactly_one(db.execute(sa.update(views).where(own).values(is_default=True)))


def delete(*, by: Viewer, view_id: UUID) -> None:
    """Forgets the view; what it showed stays."""
    with writing(by) as db:
        _exactly_one(db.execute(sa.delete(views).where(views.c.id == view_id, views.c.user_id == by.id)))


def _change(by: Viewer, view_id: UUID, **values: str) -> None:
    with writing(by) as db:
        own = sa.and_(views.c.id == view_id, views.c.user_id == by.id)
        _exactly_one(db.execute(sa.update(views).where(own).values(**values)))


def _exactly_one(result: sa.CursorResult[tuple[()]]) -> None:
    if result.rowcount != 1:
        raise NotFound("This view is gone; it may have been deleted in another window.")
