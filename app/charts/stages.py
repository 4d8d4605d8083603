"""The pictures of the Stages page."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from app import formats, frames
from app.charts import drawing, style
from app.charts.style import Chart

ROW: Final = 52  # pixels for a row and its line of text
NAME: Final = 26  # letters of a name before it is cut; the whole name stands in the hover text
SQUARE: Final = 280  # pixels: the height of the reliability plot
MONTHS: Final = 220
FORECASTERS: Final = {"set": "As set", "calibrated": "As history suggests", "base": "One rate for every stage"}


def _per_cent(part: Any, signed: str = "") -> str:
    return formats.MISSING if pd.isna(part) else f"{float(part) * 100:{signed}.0f}"


def interval(low: Any, high: Any) -> str:
    """From one share to another: 35–41 %."""
    if pd.isna(low) or pd.isna(high):
        return formats.MISSING
    return f"{_per_cent(low)}–{_per_cent(high)}{formats.GAP}%"


def reliability(stages: pd.DataFrame, curve: pd.DataFrame) -> Chart:
    """Each stage at its set value and its observed rate with the interval, against the diagonal on which both agree;
    `curve` is the same for all set values there ever were, by ten parts."""
    judged = stages[stages["rate"].notna()]
    sentences, said = [], []
    for stage in frames.rows(judged):
        found = f"{formats.share(stage.rate)} of {formats.count(stage.n)} closed were won"
        sentences.append(
            f"<b>{style.literal(stage.stage)}</b><br>Set to {formats.share(stage.set_probability)}<br>{found},"
            f" 95{formats.GAP}% interval {interval(stage.low, stage.high)}"
        )
        said.append(f"{stage.stage} set {formats.share(stage.set_probability)}, won {formats.share(stage.rate)}")
    rate, low, high = (judged[name].to_numpy(dtype=float) for name in ("rate", "low", "high"))
    colors = judged["color"].tolist()
    axis = {
        "range": [-0.04, 1.04], "tickvals": [0, 0.25, 0.5, 0.75, 1], "tickformat": ".0%", "fixedrange": True,
        "zeroline": False, "ticks": "", "gridcolor": style.GROUND,
    }  # fmt: skip
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip",
            "line": {"color": style.TOTAL, "width": 1, "dash": "dot"},
        },
        {
            "type": "scatter", "mode": "lines+markers",
            "x": curve["forecast"].astype(float).tolist(), "y": curve["rate"].astype(float).tolist(),
            "line": {"color": style.TOTAL, "width": 1}, "marker": {"color": style.TOTAL, "size": 5},
            "hovertext": [
                f"Set to {formats.share(part.bin_low)} to {formats.share(part.bin_high)}, whenever that was:<br>"
                f"{formats.share(part.rate)} of {formats.count(part.n)} were won"
                for part in frames.rows(curve)
            ],
            "hovertemplate": drawing.HOVER,
        },
        *(
            {
                "type": "scatter", "mode": "lines", "x": [at, at], "y": [bottom, top], "hoverinfo": "skip",
                "line": {"color": color, "width": 4},
            }
            for at, bottom, top, color in zip(judged["set_probability"].astype(float), low, high, colors, strict=True)
        ),
        {
            "type": "scatter", "mode": "markers+text",
            "x": judged["set_probability"].astype(float).tolist(), "y": rate.tolist(),
            "marker": {"color": colors, "size": 13, "line": {"color": style.GROUND, "width": 2}},
            "text": [style.clipped(name, 18) for name in judged["stage"]],
            "textposition": [
                "middle left" if at > 0.6 else "middle right" for at in judged["set_probability"].astype(float)
            ],
            "textfont": {"color": style.INK}, "cliponaxis": False,
            "hovertext": sentences, "hovertemplate": drawing.HOVER,
        },
    ]  # fmt: skip
    figure = style.figure(
        SQUARE,
        traces,
        margin={"l": 8, "r": 8, "t": 8, "b": 8, "pad": 4},
        xaxis={**axis, "title": {"text": "Set value"}, "showgrid": False},
        yaxis={**axis, "title": {"text": "Won"}, "automargin": True},
    )
    return Chart(figure, f"Set values against what came true: {'; '.join(said)}.")


def _intervals(
    labels: Sequence[tuple[str, str]],
    sentences: Sequence[str],
    points: pd.DataFrame,
    colors: Sequence[str],
    **axis: Any,
) -> Any:
    """Rows of a point within its interval: `points` has the columns at, low and high."""
    at, low, high = (points[name].astype(float).tolist() for name in ("at", "low", "high"))
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "x": [begin, end], "y": [row, row], "hoverinfo": "skip",
            "line": {"color": style.TOTAL, "width": 6},
        }
        for row, (begin, end) in enumerate(zip(low, high, strict=True))
    ]  # fmt: skip
    traces.append(
        {
            "type": "scatter", "mode": "markers", "x": at, "y": list(range(len(at))),
            "marker": {"color": list(colors), "size": 12, "line": {"color": style.GROUND, "width": 2}},
            "hovertext": list(sentences), "hovertemplate": drawing.HOVER,
        }
    )  # fmt: skip
    return style.figure(max(len(labels), 1) * ROW + 8, traces, xaxis=style.hidden_axis(**axis), **style.rows(labels))


def scores(scores: pd.DataFrame) -> Chart:
    """Three ways to forecast, each with the error that it made and how sure that is: further left is better."""
    labels, sentences = [], []
    for row in frames.rows(scores):
        name, sure = FORECASTERS[row.forecaster], f"{row.brier_low:.3f}–{row.brier_high:.3f}"
        better = "" if row.forecaster == "set" else f" · {_less(row.brier, scores['brier'].iloc[0])}"
        labels.append((name, f"<b>{row.brier:.3f}</b>{better}"))
        sentences.append(
            f"<b>{name}</b><br>Error {row.brier:.3f}, 95{formats.GAP}% interval {sure}"
            f"<br>{_per_cent(row.ece)} points off on average (ECE {row.ece:.3f}), log loss {row.log_loss:.3f}"
        )
    points = scores[["brier", "brier_low", "brier_high"]].set_axis(["at", "low", "high"], axis=1)
    colors = [style.ACCENT if row.forecaster == "calibrated" else style.QUIET for row in frames.rows(scores)]
    figure = _intervals(labels, sentences, points, colors)
    said = "; ".join(f"{name} {number}".replace("<b>", "").replace("</b>", "") for name, number in labels)
    return Chart(figure, f"Errors of three ways to forecast, lower is better: {said}.")


def overrides(owners: pd.DataFrame) -> Chart:
    """Whether each owner's own probabilities were better than the stages': right of the line they were."""
    labels, sentences = [], []
    for row in frames.rows(owners):
        told = row.reason or verdict_on_overrides(row.low, row.high)
        better = "not judged" if row.reason else f"<b>{_less(row.brier_override, row.brier_stage)}</b>"
        labels.append((style.clipped(row.owner, NAME), f"{better} · {formats.count(row.n)} closed"))
        sentences.append(
            f"<b>{style.literal(row.owner)}</b><br>{style.literal(told)}<br>"
            f"Error {row.brier_override:.3f} against {row.brier_stage:.3f} of the stages,"
            f" on {formats.counted(row.n, 'closed opportunity', 'closed opportunities')}"
        )
    points = owners[["saved", "low", "high"]].set_axis(["at", "low", "high"], axis=1).astype("Float64")
    points = points.assign(low=points["low"].fillna(points["at"]), high=points["high"].fillna(points["at"]))
    colors = [
        style.QUIET if pd.isna(row.low) or row.low <= 0 <= row.high else style.UP if row.saved > 0 else style.DOWN
        for row in frames.rows(owners)
    ]
    edges = [0.0, *points["low"].astype(float), *points["high"].astype(float)]
    room = (max(edges) - min(edges) or 1.0) * 0.06
    figure = _intervals(labels, sentences, points, colors, range=[min(edges) - room, max(edges) + room])
    figure.add_shape(
        type="line", x0=0, x1=0, y0=0, y1=1, yref="paper", layer="below", line={"color": style.TOTAL, "width": 1}
    )
    said = "; ".join(f"{name} {number}" for name, number in labels)
    return Chart(figure, f"Error saved by each owner's own probabilities: {said}.")


def verdict_on_overrides(low: Any, high: Any) -> str:
    """What an interval of the error saved says of somebody's own probabilities."""
    if low > 0:
        return "Better than the stage"
    return "Worse than the stage" if high < 0 else "No better and no worse than the stage, as far as one can tell"


def _less(error: Any, than: Any) -> str:
    change = formats.change(error, than)
    if not change:
        return "as much error" if change == 0 else formats.MISSING
    return f"{str(change)[1:]} {'less' if error < than else 'more'} error"


# The preview -----------------------------------------------------------------------------------------------------


def by_stage(stages: pd.DataFrame, currency: str) -> Chart:
    """Expected revenue of each stage: pale as it is, full as it would be."""
    labels, sentences = [], []
    for row in frames.rows(stages):
        before, after = (formats.short_money(amount, currency) for amount in (row.before, row.after))
        arrow = f"{before} → " if row.change else ""
        labels.append((style.clipped(row.stage, NAME), f"{arrow}<b>{after}</b>"))
        sentences.append(
            f"<b>{style.literal(row.stage)}</b><br>{formats.money(row.before, currency)} →"
            f" {formats.money(row.after, currency)}<br>{signed(row.change, currency)}"
        )
    bar: dict[str, Any] = {
        "type": "bar", "y": list(range(len(stages))), "orientation": "h", "width": 0.34,
        "hovertext": sentences, "hovertemplate": drawing.HOVER,
    }  # fmt: skip
    edge = {"color": style.QUIET, "width": 0.5}
    colors = stages["color"].tolist()
    figure = style.figure(
        max(len(stages), 1) * ROW + 8,
        [
            bar | {"x": stages["before"].tolist(), "marker": {"color": [style.pale(c) for c in colors], "line": edge}},
            bar | {"x": stages["after"].tolist(), "marker": {"color": colors, "line": edge}, "width": 0.2},
        ],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )
    said = "; ".join(f"{row.stage} {signed(row.change, currency)}" for row in frames.rows(stages))
    return Chart(figure, f"Change of expected revenue by stage: {said}.")


def by_month(months: pd.DataFrame, currency: str) -> Chart:
    """Expected revenue by the month of the expected close: the frame of what is, filled with what would be."""
    sentences = [
        f"<b>{row.label}</b><br>{formats.money(row.before, currency)} → {formats.money(row.after, currency)}<br>"
        f"{signed(row.change, currency)}"
        for row in frames.rows(months)
    ]
    bar: dict[str, Any] = {
        "type": "bar", "x": list(range(len(months))), "hovertext": sentences, "hovertemplate": drawing.HOVER,
    }  # fmt: skip
    frame = {"color": style.CLEAR, "line": {"color": style.QUIET, "width": 1}}
    figure = style.figure(
        MONTHS,
        [
            bar | {"y": months["after"].tolist(), "width": 0.62, "marker": {"color": style.ACCENT}},
            bar | {"y": months["before"].tolist(), "width": 0.86, "marker": frame},
        ],
        barmode="overlay",
        margin={"l": 0, "r": 0, "t": 8, "b": 8, "pad": 4},
        xaxis={
            "tickvals": list(range(len(months))),
            "ticktext": months["label"].tolist(),
            "showgrid": False,
            "fixedrange": True,
            "automargin": True,
            "ticks": "",
        },
        yaxis={
            "rangemode": "tozero",
            "tickprefix": formats.symbol(currency),
            "tickformat": "~s",
            "nticks": 5,
            "gridcolor": style.GROUND,
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
        },
    )
    said = "; ".join(f"{row.label} {signed(row.change, currency)}" for row in frames.rows(months))
    return Chart(figure, f"Change of expected revenue by month: {said}.")


def by_owner(owners: pd.DataFrame, currency: str) -> Chart:
    """The change of each owner's expected revenue, the largest first."""
    labels = [(style.clipped(row.owner, NAME), signed(row.change, currency, short=True)) for row in frames.rows(owners)]
    sentences = [
        f"<b>{style.literal(row.owner)}</b><br>{formats.money(row.before, currency)} →"
        f" {formats.money(row.after, currency)}<br>{signed(row.change, currency)}"
        for row in frames.rows(owners)
    ]
    figure = style.figure(
        max(len(owners), 1) * 40 + 8,
        [
            {
                "type": "bar",
                "x": owners["change"].tolist(),
                "y": list(range(len(owners))),
                "orientation": "h",
                "width": 0.3,
                "marker": {"color": [style.UP if change > 0 else style.DOWN for change in owners["change"]]},
                "hovertext": sentences,
                "hovertemplate": drawing.HOVER,
            }
        ],
        xaxis=style.hidden_axis(),
        **style.rows(labels),
    )
    said = "; ".join(f"{name} {number}" for name, number in labels)
    return Chart(figure, f"Change of expected revenue by owner: {said}.")


def signed(amount: Any, currency: str, *, short: bool = False) -> str:
    """An amount with its sign, also where it grows: +CA$1.2K."""
    text = formats.short_money(amount, currency) if short else formats.money(amount, currency)
    return f"+{text}" if float(amount) > 0 else text
