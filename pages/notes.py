"""Every note that the viewer may see: find, sort, change one or many. `/notes?id=…` is one of them."""

from app import identity
from app.components import record_list

identity.require("rep", "manager", "executive", "admin")
record_list.page("note")
