"""Every organizer that the viewer may see: find, sort, change one or many."""

from app import identity
from app.components import record_list

# An organizer has a page of its own, `/organizer?id=…`.
identity.require("rep", "manager", "executive", "admin")
record_list.page("organizer")
