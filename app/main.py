"""The entry: nobody passes without being somebody, and nothing that goes wrong below shows more than a sentence.

Pages lie in `pages/` at the top of the project and never in a folder beside this file: Streamlit would open those
without coming through here.
"""

from collections.abc import Mapping
from typing import Final

from app import identity
from app.components import shell, states
from app.components.shell import Groups, Page
from app.viewer import Role

EVERYBODY: Final[frozenset[Role]] = frozenset(("rep", "manager", "executive", "admin"))

# Grouped as in the navigation. A page is here when it exists.
GROUPS: Final[Groups] = {
    "Review": [
        Page("pipeline", "Pipeline", ":material/filter_alt:", "Where the money is and what is stuck.", EVERYBODY),
    ],
}
# What answers each role's first question.
FIRST: Final[Mapping[Role, str]] = {"rep": "pipeline", "manager": "forecast", "executive": "health", "admin": "stages"}

shell.set_up()
with states.failing_well("app"):
    viewer = identity.signed_in()
    if viewer is None:
        shell.welcome()
    else:
        chosen, menu = shell.navigation(viewer, GROUPS, FIRST[viewer.role])
        shell.sidebar(viewer, menu)
        chosen.run()
