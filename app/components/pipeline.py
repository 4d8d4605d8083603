"""The pieces of the Pipeline page: its row of numbers, and opportunities as a list."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd
import streamlit as st

from app import formats
from app.charts.pipeline import Measure
from app.components import metrics, searchable
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, behind, nothing_there, table
from app.components.two_days import TwoDays
from queries.pipeline import Only
from queries.scope import ONE_DAY, Scope

NOTHING: Final = Empty(
    "Open opportunities will stand here",
    "They come with an import (eventos import), or with the demo company (eventos demo).",
)
LISTS: Final[Mapping[str, tuple[Only | None, str]]] = {
    "All open": (None, "Every open opportunity in scope"),
    "Stalled": ("stalled", "In their stage for longer than 80 % of its finished stays"),
    "No next step": ("no_next_step", "Without a pending task or a scheduled activity"),
    "Overdue": ("overdue", "Expected to close before the as-of day"),
    "Without a rate": ("without_rate", "Their currency has no exchange rate: in no money total"),
}
# In this order: what it is, then how it stands; a phone shows the first ones.
_COLUMNS: Final = (
    "name", "organizer", "owner", "stage", "value", "probability", "expected_revenue", "expected_close",
    "days_in_stage", "stalled", "has_next_step", "pushes", "age_days", "probability_source", "amount", "currency",
)  # fmt: skip
_WIDTHS: Final = {"name": 190, "organizer": 170, "owner": 120, "stage": 96}
SHOWN: Final = 1000  # rows of a list, the largest first
_MEASURES: Final[Mapping[str, Measure]] = {"Expected revenue": "expected_revenue", "Value": "value"}
_SEARCHED: Final = ["name", "organizer", "owner", "stage"]


def headline(headline: Answer, trend: pd.DataFrame, scope: Scope) -> None:
    """The six numbers of the pipeline, each against the period before, as of the day as far into it."""
    currency = scope.currency
    now, before = metrics.now_and_before(headline)
    units = headline.columns

    def money(label: str, column: str, more: str = "", trend_column: str | None = None) -> Metric:
        return Metric(
            label,
            formats.short_money(now[column], currency),
            formats.change(now[column], before[column]),
            f"{units[column].sentence}{more}",
            None if trend_column is None else metrics.sparkline(trend[trend_column]),
        )

    abandoned = formats.counted(int(now["abandoned_count"]), "more was abandoned", "more were abandoned")
    metrics.row(
        [
            money("Open value", "open_value", trend_column="open_value"),
            money("Expected revenue", "expected_revenue", trend_column="expected_revenue"),
            money("Won", "won_value", f" {_wins(now)}.", "won_value"),
            Metric(
                "Win rate",
                formats.share(now["win_rate"]),
                formats.points(now["win_rate"], before["win_rate"]),
                f"{units['win_rate'].sentence} {_wins(now)}, {formats.count(now['lost_count'])} lost; {abandoned}."
                f" By value {formats.share(now['win_rate_by_value'])}.",
                metrics.sparkline(trend["win_rate"]),
            ),
            Metric(
                "Sales cycle",
                formats.days(now["cycle_median_days"]),
                formats.more_days(now["cycle_median_days"], before["cycle_median_days"]),
                f"{units['cycle_median_days'].sentence} 80 % took {formats.days(now['cycle_p80_days'])} or less.",
                good="down",
            ),
            money("Velocity a day", "velocity_per_day"),
        ]
    )
    notes = [f"Changes compare with {metrics.compared_with(scope)}"]
    if left_out := int(now["without_rate"]):
        subject = formats.counted(left_out, "open opportunity has", "open opportunities have")
        notes.append(
            f":material/currency_exchange: {subject} no exchange rate to {currency}:"
            " in no money total, listed below under “Without a rate”"
        )
    if left_out := int(now["closed_without_rate"]):
        subject = formats.counted(left_out, "opportunity", "opportunities")
        notes.append(f"{subject} closed in the period without an exchange rate to {currency}: in no won or lost value")
    st.caption(" · ".join(notes))


def _wins(figures: Mapping[Any, Any]) -> str:
    return f"{formats.count(figures['won_count'])} won"


def chosen_list() -> tuple[str, tuple[Only | None, str]]:
    """The list that the reader has chosen: its name, which opportunities are in it, and what that means."""
    name: str = st.session_state.get("list", "All open")
    if name not in LISTS:
        name = "All open"
    return name, LISTS[name]


def list_switch() -> None:
    """Chooses among the lists."""
    st.segmented_control(
        "List", list(LISTS), key="list", default="All open", required=True, label_visibility="collapsed"
    )


def opportunities(answer: Answer, setting: Setting, key: str, title: str, without: str = "") -> None:
    """Opportunities as a table with a search, what they add up to, and the export; `without` is no column of it."""
    frame, columns = answer.frame, [name for name in _COLUMNS if name != without]
    words = searchable.field(key, title, answer.only(columns), setting, "Search opportunity, organizer, owner or stage")
    if frame.empty:
        nothing_there(setting, NOTHING, key)
        return
    found = searchable.found(frame, _SEARCHED, words)
    total = int(frame["total"].iloc[0])
    shown = formats.counted(len(found), "opportunity", "opportunities")
    of = "" if len(found) == total else f" of {formats.count(total)}"
    st.caption(
        f"{shown}{of} · {formats.money(found['value'].sum(), setting.currency)} value"
        f" · {formats.money(found['expected_revenue'].sum(), setting.currency)} expected revenue"
    )
    table(key, title, replace(answer, frame=found).only(columns), setting, _WIDTHS)


def measure() -> Measure:
    """On which amount the reader looks at the movement."""
    return _MEASURES.get(st.session_state.get("measure", ""), "expected_revenue")


def movement_days(scope: Scope) -> TwoDays:
    """From the end of which day to the end of which: the period's."""
    start, end = (min(day - ONE_DAY, scope.as_of) for day in (scope.period.start, scope.flow_end))
    return TwoDays(f"movement.{scope.period.label}.{scope.as_of}", start, end, scope.as_of)


def movement_controls(scope: Scope) -> None:
    """The two days, and on which amount."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        movement_days(scope).fields(("From the end of", "To the end of"))
        st.segmented_control(
            "Amount",
            list(_MEASURES),
            key="measure",
            default="Expected revenue",
            required=True,
            label_visibility="collapsed",
        )


def moved(answer: Answer, setting: Setting) -> None:
    """The opportunities behind a movement, and what they add up to."""
    frame = answer.frame
    if frame.empty:
        st.caption("No opportunity moved this way.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{formats.counted(len(frame), 'opportunity', 'opportunities')}"
            f" · {formats.money(frame['value'].sum(), setting.currency)} value"
            f" · {formats.money(frame['expected_revenue'].sum(), setting.currency)} expected revenue",
            width="stretch",
        )
        behind("moved", "Movement", answer, setting)
    table("moved", "Movement", answer, setting)
