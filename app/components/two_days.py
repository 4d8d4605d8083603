"""Two days to compare, up to the as-of day: those of the page, or what the reader has picked instead."""

from dataclasses import dataclass
from datetime import date

import streamlit as st

from app.components.scope_bar import COMPARED_FROM


@dataclass(frozen=True)
class TwoDays:
    """The page's own days; with another `key`, those that the reader has picked are forgotten."""

    key: str
    start: date
    end: date
    latest: date

    def picked(self) -> tuple[date, date]:
        """The two days, the earlier first."""
        start, end = (st.session_state.get(f"{self.key}.{which}") for which in ("start", "end"))
        first, second = start or self.start, end or self.end
        return min(first, second), max(first, second)

    def fields(self, labels: tuple[str, str]) -> None:
        """A field for each, one beside the other in a container of the caller's."""
        for which, label, day in zip(("start", "end"), labels, self.picked(), strict=True):
            key = f"{self.key}.{which}"
            st.session_state.setdefault(key, day)
            st.date_input(
                label, min_value=COMPARED_FROM, max_value=self.latest, format="YYYY-MM-DD", key=key, width=140
            )
