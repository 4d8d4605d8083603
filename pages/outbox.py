"""What has the dashboard written to whom, and what did not arrive?"""

from app import identity
from app.components import drawer, freshness, outbox

viewer = identity.require("manager", "executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    outbox.head(viewer)
    outbox.counts(viewer)
    outbox.letters(viewer)


freshness.live(body)
drawer.place({"letter": outbox.read})
