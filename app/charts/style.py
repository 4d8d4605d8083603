"""What every chart has in common: colours, type, margins, and how text from data is written into it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

# Stand-ins that the browser replaces by `chartCategoricalColors` of the appearance that the reader has chosen: a figure
# is the same in light and dark, and switching between them needs no rerun. A browser test watches that it stays so.
ACCENT: Final = "#000001"
UP: Final = "#000002"
DOWN: Final = "#000003"
TOTAL: Final = "#000004"
GROUND: Final = "#000005"
MEDIUM_RISK: Final = "#000006"
HIGH_RISK: Final = "#000009"
OTHER: Final = "#000008"  # a series beside the accent's
INK: Final = "#000037"  # body text
QUIET: Final = "#000010"

CLEAR: Final = "rgba(0,0,0,0)"
LABEL_SIZE: Final = 13
ABOVE: Final = 0.38  # of a row, from the middle of a bar to its line of text

# No tool bar: a picture is exported from its own menu, and zooming bars says nothing.
CONFIG: Final[dict[str, Any]] = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}


def figure(height: int, traces: list[dict[str, Any]], **layout: Any) -> go.Figure:
    """A figure of these traces in the common layout.

    Plotly is spared checking and completing what is written here: that costs ten times as much as the rest, at every
    rerun. The tests let it check every figure.
    """
    common = {
        "template": {},  # Plotly's default one would be copied into each figure
        "height": height,
        "margin": {"l": 0, "r": 8, "t": 8, "b": 0, "pad": 4},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "showlegend": False,
        "dragmode": False,  # a finger that scrolls the page must not drag the chart
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "font": {"size": LABEL_SIZE, "color": QUIET},
    }
    return go.Figure(traces, {**common, **layout}, _validate=False)


def hidden_axis(**more: Any) -> dict[str, Any]:
    """An axis whose amounts stand written at their bars, or whose names stand above them."""
    return {"visible": False, "fixedrange": True, **more}


def rows(labels: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The layout of horizontal bars, each under its own line of text: a name at the left, its numbers at the right.

    Nothing is clipped at any width, and there is no axis to read off. Row `i` of the labels is the bar at y = `i`.
    """
    line = {"yref": "y", "xref": "paper", "yanchor": "middle", "showarrow": False}
    return {
        "yaxis": hidden_axis(range=[len(labels) - 0.7, -0.75]),
        "barmode": "overlay",
        "annotations": [
            annotation
            for row, (name, numbers) in enumerate(labels)
            for annotation in (
                {**line, "y": row - ABOVE, "x": 0, "xanchor": "left", "text": name, "font": {"color": INK}},
                {**line, "y": row - ABOVE, "x": 1, "xanchor": "right", "text": numbers},
            )
        ],
    }


def pale(color: str) -> str:
    """The colour, light enough to lie behind itself."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.28)"


def literal(text: object) -> str:
    """Text from data for a label: Plotly understands a few tags, and a name holds none."""
    return html.escape(" ".join(str(text).split()), quote=False)


def clipped(text: object, length: int) -> str:
    """The text's beginning if it is longer than a label may be."""
    line = " ".join(str(text).split())
    return literal(line if len(line) <= length else line[: length - 1].rstrip() + "…")


@dataclass(frozen=True)
class Chart:
    """A figure, and what it says in words for those who don't see it."""

    figure: go.Figure
    words: str
