"""What each person is to win in each quarter: a grid to fill in, and every target as a list."""

from app import identity
from app.components import record_list, targets

identity.require("rep", "manager", "executive", "admin")
record_list.page("target", above=targets.of_year)
