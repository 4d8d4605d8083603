"""The grid of targets: people by the quarters of a fiscal year."""

import streamlit as st

from app.components import grid
from app.viewer import Viewer
from queries.scope import Period

_YEARS = 2  # before and after this one


def of_year(viewer: Viewer) -> None:
    """What each person is to win in each quarter of the chosen fiscal year; those who may, type."""
    month = viewer.organisation.fiscal_year_first_month
    years = [Period.of("year", viewer.today, month)]
    for _ in range(_YEARS):
        years = [years[0].previous(), *years, Period.of("year", years[-1].end, month)]
    with st.container(border=True, key="card-targets"):
        labels = [year.label for year in years]
        year = st.segmented_control(
            "Fiscal year", labels, default=labels[_YEARS], required=True, key="targets.year", persist_state="page"
        )
        chosen = years[labels.index(year)]
        quarters = [Period.of("quarter", chosen.start, month)]
        while quarters[-1].end < chosen.end:
            quarters.append(Period.of("quarter", quarters[-1].end, month))
        grid.target_grid(viewer, [quarter.start for quarter in quarters])
