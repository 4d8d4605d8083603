"""What stands behind the pictures of the Health page: the records that a click opens in the drawer."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from app.components import health as pieces
from app.components.health import SHOWN
from app.components.review import reading
from queries import health

if TYPE_CHECKING:
    from queries.health import Risk, Segment

WITHOUT: Final = ("closing",)  # open opportunities are not what the page chooses among


def account_records(organizer: str) -> None:
    """An account: why it stands where it stands, what would help, and the wins that its value is made of."""
    which = UUID(organizer)
    with reading("health", WITHOUT) as read:
        found, why = read(health.organizer, which), read(health.why, which)
        needs, wins = read(health.would_help, which), read(health.wins, which)
    pieces.account(found, why, needs.frame, wins, read.setting)


def level_records(level: str) -> None:
    """The accounts of a risk; they add up to its bar."""
    risk = cast("Risk", level)
    with reading("health", WITHOUT) as read:
        found = read.first(health.accounts, SHOWN, risk=risk)
    pieces.accounts(found, read.setting, "level", f"Accounts of {risk} risk")


def band_records(part: str) -> None:
    """The organizers of a segment with a health in the band; they are as many as the bar says."""
    by, band, segment = part.split("|", 2)
    with reading("health", WITHOUT) as read:
        found = read.first(
            health.accounts, SHOWN, band=int(band), by=cast("Segment", by), segment=segment, order="health"
        )
    pieces.accounts(found, read.setting, "band", "Accounts by health")


def cohort_records(cell: str) -> None:
    """The newcomers of a quarter, and which of them were kept so many quarters later."""
    began, quarters = cell.split("|")
    with reading("health", WITHOUT) as read:
        found = read.first(health.cohort, SHOWN, began=date.fromisoformat(began), quarters=int(quarters))
    pieces.cohort(found, read.setting, int(quarters))


RECORDS: Final[Mapping[str, Callable[[str], None]]] = {
    "account": account_records,
    "level": level_records,
    "band": band_records,
    "cohort": cohort_records,
}
