"""One row of numbers: each with its change against the period before and the way it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st


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
