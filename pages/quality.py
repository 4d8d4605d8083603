"""Which rows make the numbers less than true, and what ends it? Everybody reads it, of the rows that they may see."""

from app import identity
from app.components import freshness
from app.components import quality as pieces
from queries import quality

identity.require("rep", "manager", "executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    with pieces.opened() as read:
        found = read(quality.problems)
        chosen = pieces.chosen(found.frame)
        rows = None if chosen is None else read.first(quality.rows, pieces.SHOWN, problem=chosen)
    pieces.counts(found, read.setting)
    if chosen is not None and rows is not None:
        pieces.rows(chosen, rows, read.setting)


freshness.live(body)
