"""One row of numbers: each with its change against the period before and the way it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from app import formats
from app.components.picture import Answer
from queries.scope import Scope


@dataclass(frozen=True)
class Metric:
    """A number as people read it; `change` is signed text, 0 for none, None where nothing compares."""

    label: str
    value: str
    change: str | int | None
    help: str
    trend: Sequence[float] | None = None
    good: Literal["up", "down", "neither"] = "up"
    note: str | None = None  # a few words below the number


def row(metrics: Sequence[Metric]) -> None:
    """Draws the numbers side by side; on a narrow screen below each other, two abreast."""
    colors: dict[str, Literal["normal", "inverse", "off"]] = {"up": "normal", "down": "inverse", "neither": "off"}
    with st.grid(len(metrics), min_column_width=150, gap="small", key="metrics"):
        for metric in metrics:
            st.metric(
                metric.label,
                metric.value,
                metric.change,
                delta_color=colors[metric.good],
                help=metric.help,
                chart_data=metric.trend,
                delta_description=metric.note,
                border=True,
                height="stretch",
            )


def now_and_before(figures: Answer) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The row of the period, and that of the period before as of the day as far into it."""
    rows = figures.frame.set_index("which")
    return rows.loc["current"].to_dict(), rows.loc["previous"].to_dict()


def compared_with(scope: Scope) -> str:
    """The period before in words, up to the day as far into it."""
    before = scope.before()
    if before.flow_end < before.period.end:
        return f"{formats.day(before.period.start)} to {formats.day(before.as_of)}"
    return before.period.label


def sparkline(values: pd.Series) -> list[float]:
    """A way without gaps: before the first known value it stays at it."""
    return [float(value) for value in values.astype("Float64").ffill().bfill().fillna(0)]
