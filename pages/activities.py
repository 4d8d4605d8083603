"""Every call, email, meeting and task of the viewer’s: find, sort, change. `/activities?id=…` is one of them."""

from app import identity
from app.components import record_list

identity.require("rep", "manager", "executive", "admin")
record_list.page("activity")
