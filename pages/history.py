"""Who changed what, when and why; and the way back. Read by executives, undone by admins."""

from app import identity
from app.components import drawer, editing, freshness, history

viewer = identity.require("executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    editing.strips(viewer)
    history.head()
    history.changes(viewer)


freshness.live(body)
drawer.place({**editing.drawers(), "change": history.change})
