"""The pieces of the Pipeline page: its row of numbers, and opportunities as a list."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd
import streamlit as st

from app import formats
from app.charts.pipeline import Measure
from app.components import metrics
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, behind, nothing_there, table
from app.components.scope_bar import COMPARED_FROM
from queries.pipeline import Only
from queries.scope import Scope
from queries.units import Unit

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
    rows = headline.frame.set_index("which")
    now, before = rows.loc["current"].to_dict(), rows.loc["previous"].to_dict()
    units = headline.columns

    def money(label: str, column: str, more: str = "", trend_column: str | None = None) -> Metric:
        return Metric(
            label,
            formats.short_money(now[column], currency),
            formats.change(now[column], before[column]),
            f"{_said(units[column])}{more}",
            None if trend_column is None else _floats(trend[trend_column]),
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
                f"{_said(units['win_rate'])} {_wins(now)}, {formats.count(now['lost_count'])} lost; {abandoned}."
                f" By value {formats.share(now['win_rate_by_value'])}.",
                _floats(trend["win_rate"]),
            ),
            Metric(
                "Sales cycle",
                formats.days(now["cycle_median_days"]),
                formats.more_days(now["cycle_median_days"], before["cycle_median_days"]),
                f"{_said(units['cycle_median_days'])} 80 % took {formats.days(now['cycle_p80_days'])} or less.",
                good="down",
            ),
            money("Velocity a day", "velocity_per_day"),
        ]
    )
    before_scope = scope.before()
    notes = [
        f"Changes compare with {formats.day(before_scope.period.start)} to {formats.day(before_scope.as_of)}"
        if before_scope.flow_end < before_scope.period.end
        else f"Changes compare with {before_scope.period.label}"
    ]
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


def _said(unit: Unit) -> str:
    return f"{unit.help}."


def _wins(figures: Mapping[Any, Any]) -> str:
    return f"{formats.count(figures['won_count'])} won"


def _floats(values: pd.Series) -> list[float]:
    # A sparkline has no gaps: before the first known value it stays at it.
    return [float(value) for value in values.astype("Float64").ffill().bfill().fillna(0)]


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
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = st.text_input(
            "Search",
            type="search",
            live="300ms",
            placeholder="Search opportunity, organizer, owner or stage",
            key=f"{key}.search",
            label_visibility="collapsed",
            width="stretch",
        )
        behind(key, title, answer.only(columns), setting)
    if frame.empty:
        nothing_there(setting, NOTHING, key)
        return
    found = _found(frame, words or "")
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


def movement_dates(scope: Scope) -> tuple[date, date]:
    """From the end of which day to the end of which: the period's, or what the reader has picked."""
    start, end = (min(day - timedelta(days=1), scope.as_of) for day in (scope.period.start, scope.flow_end))
    picked = [st.session_state.get(_date_key(which, scope)) for which in ("start", "end")]
    start, end = picked[0] or start, picked[1] or end
    return min(start, end), max(start, end)


def movement_controls(scope: Scope) -> None:
    """The two days, and on which amount."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for which, label, day in zip(
            ("start", "end"), ("From the end of", "To the end of"), movement_dates(scope), strict=True
        ):
            key = _date_key(which, scope)
            st.session_state.setdefault(key, day)
            st.date_input(
                label, min_value=COMPARED_FROM, max_value=scope.as_of, format="YYYY-MM-DD", key=key, width=140
            )
        st.segmented_control(
            "Amount",
            list(_MEASURES),
            key="measure",
            default="Expected revenue",
            required=True,
            label_visibility="collapsed",
        )


def _date_key(which: str, scope: Scope) -> str:
    # Another period, or another as-of day, starts with its own days again.
    return f"movement.{which}.{scope.period.label}.{scope.as_of}"


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


def _found(frame: pd.DataFrame, words: str) -> pd.DataFrame:
    """The rows that hold every word somewhere, whatever its case."""
    if not words:
        return frame
    text = frame[_SEARCHED].agg(" ".join, axis=1).str.casefold()
    matches = pd.Series(True, frame.index)
    for word in words.casefold().split():
        matches &= text.str.contains(word, regex=False)
    return frame[matches]
