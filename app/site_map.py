"""Every page, whose it is, and where each role begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.viewer import Role


@dataclass(frozen=True)
class Page:
    """A page's file in `pages/`, which is its address too, what the navigation says of it, and whose it is."""

    name: str
    title: str
    icon: str
    help: str
    roles: frozenset[Role]


Groups = Mapping[str, Sequence[Page]]

EVERYBODY: Final[frozenset[Role]] = frozenset(("rep", "manager", "executive", "admin"))
_SEE_ALL: Final[frozenset[Role]] = frozenset(("executive", "admin"))

# Grouped as in the navigation; the group without a name is in none. A page is here when it exists.
GROUPS: Final[Groups] = {
    "Review": [
        Page("overview", "Overview", ":material/space_dashboard:", "On track, what needs me, what changed.", EVERYBODY),
        Page("pipeline", "Pipeline", ":material/filter_alt:", "Where the money is and what is stuck.", EVERYBODY),
        Page("forecast", "Forecast", ":material/query_stats:", "What the period will bring, and how sure.", EVERYBODY),
        Page("engagement", "Engagement", ":material/forum:", "Who we talk to, and whom we have dropped.", EVERYBODY),
        Page("health", "Health", ":material/favorite:", "Whom we risk losing, what it would cost, why.", EVERYBODY),
    ],
    "Records": [
        Page("opportunities", "Opportunities", ":material/handshake:", "Every sale that may come, or came.", EVERYBODY),
        Page("organizers", "Organizers", ":material/apartment:", "Every company that holds events.", EVERYBODY),
        Page("contacts", "Contacts", ":material/person:", "The people at organizers.", EVERYBODY),
        Page("activities", "Activities", ":material/event_note:", "What was done, and what is to be done.", EVERYBODY),
        Page("notes", "Notes", ":material/sticky_note_2:", "What is worth remembering.", EVERYBODY),
        Page("documents", "Documents", ":material/description:", "Proposals, contracts, invoices.", EVERYBODY),
        Page("templates", "Email templates", ":material/mail:", "Emails to fill in.", EVERYBODY),
    ],
    "Administration": [
        Page("stages", "Stages", ":material/tune:", "Whether the probabilities are right.", EVERYBODY - {"rep"}),
        Page("targets", "Targets", ":material/flag:", "What each person is to win in a quarter.", EVERYBODY),
        Page("outbox", "Outbox", ":material/outbox:", "Emails that stages have written.", EVERYBODY - {"rep"}),
        Page("history", "History", ":material/history:", "Who changed what, when and why.", _SEE_ALL),
        Page("quality", "Data quality", ":material/rule:", "Which rows make the numbers less than true.", EVERYBODY),
    ],
    "": [Page("organizer", "Organizer", ":material/apartment:", "One organizer, with everything.", EVERYBODY)],
}
# What answers each role's first question.
FIRST: Final[Mapping[Role, str]] = {"rep": "pipeline", "manager": "forecast", "executive": "health", "admin": "stages"}


def first_page(role: Role, groups: Groups = GROUPS) -> str:
    """The name of the page on which the role begins: its own first one, or the first that it may see."""
    allowed = [page.name for pages in groups.values() for page in pages if role in page.roles]
    return FIRST[role] if FIRST[role] in allowed else allowed[0]
