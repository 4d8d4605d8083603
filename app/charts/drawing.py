"""What several pictures are drawn with: bars, marks, and arrows from a score to another."""

from collections.abc import Sequence
from typing import Any, Final

from app.charts import style

BAR: Final = 0.34  # of a row, for its bar
HOVER: Final = "%{hovertext}<extra></extra>"
UNSELECTED: Final = {"marker": {"opacity": 1}}  # a click opens a drawer; it must not pale the rest
ORGANIZER: Final = 30  # letters of an organizer's name before it is cut; the whole name stands in the hover text


def bars(x: Sequence[float | None], sentences: list[str], customdata: list[str], **more: Any) -> dict[str, Any]:
    """Horizontal bars, one a row from the top, each with its sentence to hover over."""
    return {
        "type": "bar",
        "x": list(x),
        "y": list(range(len(sentences))),
        "orientation": "h",
        "width": BAR,
        "hovertext": sentences,
        "hovertemplate": HOVER,
        "customdata": customdata,
        "unselected": UNSELECTED,
        **more,
    }


def marks(x: Sequence[float | None], sentences: list[str], customdata: list[str], **marker: Any) -> dict[str, Any]:
    """One mark a row, like `bars`."""
    return {
        "type": "scatter",
        "x": list(x),
        "y": list(range(len(sentences))),
        "mode": "markers",
        "marker": marker,
        "hovertext": sentences,
        "hovertemplate": HOVER,
        "customdata": customdata,
        "unselected": UNSELECTED,
    }


def upright() -> dict[str, Any]:
    """The marker of an upright stroke across a bar, no higher than that: above it stands text."""
    return {"symbol": "line-ns", "size": 15, "line": {"width": 3, "color": style.INK}}


def moves(
    moved: Sequence[Any], score: str, sentences: list[str], width: float
) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """Organizers whose score moved: their lines of text, and arrows from `before` to it; customdata is the id."""
    labels, colors, symbols = [], [], []
    for row in moved:
        rose = row.change > 0
        change = f"+{row.change}" if rose else f"−{-row.change}"
        numbers = f"{row.before} → <b>{getattr(row, score)}</b> ({change})"
        labels.append((style.clipped(row.organizer, ORGANIZER), numbers))
        colors.append(style.UP if rose else style.DOWN)
        symbols.append("triangle-right" if rose else "triangle-left")
    ids = [row.organizer_id for row in moved]
    changes, before = [float(row.change) for row in moved], [float(row.before) for row in moved]
    return labels, [
        bars(changes, sentences, ids, base=before, marker={"color": colors}, width=width),
        marks([float(getattr(row, score)) for row in moved], sentences, ids, size=13, color=colors, symbol=symbols),
    ]
