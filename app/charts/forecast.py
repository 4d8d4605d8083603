"""The pictures of the Forecast page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from app import formats, frames
from app.charts import drawing, style
from app.charts.style import Chart

ROW: Final = 50  # pixels for a bar, its line of text above and its range below
LINE: Final = 44  # the same without a range
BAR: Final = 0.32  # of a row, for the bar
BELOW: Final = 0.26  # of a row, from the middle of a bar to the range below it
NAME: Final = 30  # letters of an opportunity's name before it is cut
SEPARATOR: Final = "|"  # in customdata, between the bar and its row
BARS: Final = ("won", "commit", "best_case", "pipeline")
OPEN: Final[Mapping[str, float]] = {"pipeline": 0.22, "best_case": 0.5, "commit": 1.0}  # the surer, the stronger
HISTOGRAM: Final = 196  # pixels
PAST: Final = 300
FAR: Final = 0.7  # of the histogram's width: a target farther away is named at the edge instead of drawn


def _said(trace: dict[str, Any], sentences: Sequence[str]) -> dict[str, Any]:
    return {**trace, "hovertext": list(sentences), "hovertemplate": drawing.HOVER}


def _tick(y: Sequence[float], x: Sequence[float | None], size: int, color: str, **more: Any) -> dict[str, Any]:
    marker = {"symbol": "line-ns", "size": size, "line": {"width": 3, "color": color}}
    return {"type": "scatter", "mode": "markers", "x": list(x), "y": list(y), "marker": marker, **_unselected(), **more}


def _unselected() -> dict[str, Any]:
    return {"unselected": {"marker": {"opacity": 1}}, "selected": {"marker": {"opacity": 1}}}


def _ranges(
    low: Sequence[float | None], high: Sequence[float | None], y: Sequence[float], color: str
) -> dict[str, Any]:
    """One line with ends for each row, as one trace."""
    x, at = [], []
    for start, end, row in zip(low, high, y, strict=True):
        if start is not None and end is not None:
            x += [start, end, None]
            at += [row, row, None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": x,
        "y": at,
        "line": {"width": 3, "color": color},
        "marker": {"symbol": "line-ns", "size": 9, "line": {"width": 3, "color": color}},
        "hoverinfo": "skip",
    }


LEGEND: Final[dict[str, Any]] = {
    "orientation": "h",
    "x": 0,
    "y": 0,
    "yref": "container",
    "yanchor": "bottom",
    "traceorder": "normal",
    "itemclick": False,
    "itemdoubleclick": False,
    "font": {"size": 12},
    "tracegroupgap": 0,
    "entrywidth": 0,
}


def against_target(rows: pd.DataFrame, names: Mapping[str, str], currency: str) -> Chart:
    """One row for the period and each of its parts: won, what is open nested by how sure it is, target and range.

    `rows`: row (its key), label, won, commit, best_case, pipeline, weighted, target, p10, p50, p90, opportunities;
    what is missing is not drawn. `names`: what the legend calls the bars and the weighted amount, the thresholds with
    them. The open opportunities begin where won ends. Customdata: the bar and the row's key, `commit|2026-10-01`.
    """
    at = list(range(len(rows)))
    won = [amount or 0.0 for amount in frames.floats(rows["won"])]
    traces: list[dict[str, Any]] = []
    for bar in ("won", *OPEN):
        amounts = frames.floats(rows[bar])
        sentences = [
            f"<b>{style.literal(label)}</b><br>{style.literal(names[bar])}: {formats.money(amount, currency)}"
            for label, amount in zip(rows["label"], rows[bar], strict=True)
        ]
        trace = {
            "type": "bar",
            "name": names[bar],
            "x": amounts,
            "y": at,
            "base": [0.0] * len(at) if bar == "won" else won,
            "orientation": "h",
            "width": BAR,
            "marker": {"color": style.UP if bar == "won" else style.ACCENT},
            "opacity": OPEN.get(bar, 1.0),
            "customdata": [f"{bar}{SEPARATOR}{row}" for row in rows["row"]],
            "legendrank": BARS.index(bar),
            **_unselected(),
        }
        traces.append(_said(trace, sentences))
    weighted = {
        "type": "scatter",
        "mode": "markers",
        "name": names["weighted"],
        "x": frames.floats(rows["weighted"]),
        "y": at,
        "marker": {"symbol": "diamond", "size": 11, "color": style.INK, "line": {"width": 1.5, "color": style.GROUND}},
        "customdata": [f"weighted{SEPARATOR}{row}" for row in rows["row"]],
        "legendrank": 4,
        **_unselected(),
    }
    traces.append(_said(weighted, [_sentence(row, names["weighted"], currency) for row in frames.rows(rows)]))
    # Range and target lie over bars and open nothing: a click goes through them, and the weighted amount says them.
    if rows["p50"].notna().any():
        below = [row + BELOW for row in at]
        band = _ranges(frames.floats(rows["p10"]), frames.floats(rows["p90"]), below, style.QUIET)
        traces.append(band | {"name": "P10–P90, P50", "legendrank": 5})
        traces.append(_tick(below, frames.floats(rows["p50"]), 13, style.INK, showlegend=False, hoverinfo="skip"))
    if rows["target"].notna().any():
        mark = _tick(at, frames.floats(rows["target"]), 18, style.DOWN, name="Target", hoverinfo="skip")
        traces.append(mark | {"legendrank": 6})
    labels = [(style.clipped(row.label, NAME), _numbers(row, currency)) for row in frames.rows(rows)]
    layout = style.rows(labels)
    layout["yaxis"]["range"] = [len(labels) - 0.55, -0.65]
    figure = style.figure(
        len(rows) * ROW + 48,
        traces,
        margin={"l": 0, "r": 8, "t": 0, "b": 48, "pad": 4},
        xaxis=style.hidden_axis(rangemode="tozero"),
        **{**layout, "showlegend": True, "legend": LEGEND},
    )
    said = "; ".join(
        f"{row.label}: won {_short(row.won, currency)}, {_plain(row, currency)}" for row in frames.rows(rows)
    )
    return Chart(figure, f"Bars of what is won and of what is open, by month, against the target: {said}.")


def _sentence(row: Any, weighted: str, currency: str) -> str:
    lines = [f"<b>{style.literal(row.label)}</b>", f"{weighted}: {formats.money(row.weighted, currency)}"]
    if not pd.isna(row.target):
        lines.append(f"Target: {formats.money(row.target, currency)}")
    if not pd.isna(row.p50):
        low, half, high = (formats.money(amount, currency) for amount in (row.p10, row.p50, row.p90))
        lines += [f"Likely between {low} and {high},", f"as likely above as below {half}"]
    return "<br>".join(lines)


def _short(amount: Any, currency: str) -> str:
    return formats.short_money(amount, currency)


def _numbers(row: Any, currency: str) -> str:
    parts = [f"<b>{_short(row.weighted, currency)}</b> weighted"]
    if not pd.isna(row.target):
        parts.append(f"target {_short(row.target, currency)}")
    else:
        parts.append(f"{formats.count(row.opportunities)} open")
    return " · ".join(parts)


def _plain(row: Any, currency: str) -> str:
    return _numbers(row, currency).replace("<b>", "").replace("</b>", "")


def distribution(
    histogram: pd.DataFrame,
    levels: Mapping[str, float],
    target: float | None,
    currency: str,
    what_if: pd.DataFrame | None = None,
) -> Chart:
    """How likely each total is: bars (`low`, `high`, `share`), from the target on in the accent's colour.

    `levels`: P10, P50 and P90, drawn as lines. `what_if`: the same bars of another forecast, drawn as an outline.
    """
    low, high = histogram["low"].tolist(), histogram["high"].tolist()
    middle = [(start + end) / 2 for start, end in zip(low, high, strict=True)]
    reaches = [target is not None and at >= target for at in middle]
    sentences = [
        f"{_short(start, currency)} to {_short(end, currency)}<br>{formats.share(share)} of the simulated periods"
        for start, end, share in zip(low, high, histogram["share"], strict=True)
    ]
    bars = {
        "type": "bar",
        "x": middle,
        "y": histogram["share"].tolist(),
        "width": [end - start for start, end in zip(low, high, strict=True)],
        "marker": {
            "color": [style.ACCENT if reached or target is None else style.TOTAL for reached in reaches],
            "opacity": 0.75,
        },
        "customdata": [""] * len(middle),
        **_unselected(),
    }
    least, most = min([*low, *levels.values()]), max([*high, *levels.values()])
    traces = [_said(bars, sentences)]
    tallest = float(histogram["share"].max())
    if what_if is not None:
        least, most = min(least, what_if["low"].min()), max(most, what_if["high"].max())
        width = float((histogram["high"] - histogram["low"]).iloc[0])
        # As dense per unit of money as the bars, whose width differs.
        scaled = what_if["share"] * width / (what_if["high"] - what_if["low"])
        tallest = max(tallest, float(scaled.max()))
        outline = {
            "type": "scatter",
            "mode": "lines",
            "x": [what_if["low"].iloc[0], *what_if["low"], what_if["high"].iloc[-1], what_if["high"].iloc[-1]],
            "y": [0.0, *scaled, scaled.iloc[-1], 0.0],
            "line": {"shape": "hv", "width": 2, "color": style.OTHER},
            "hoverinfo": "skip",
        }
        traces.append(outline)
    shapes, notes = [], []
    for amount, name in _together(levels, (most - least) / 14):
        shapes.append(_upright(amount, style.INK, "dot", 0.88))
        notes.append(_note(name, amount, 1.0, style.INK))
    span = (most - least) or max(abs(most), 1.0)
    if target is not None:
        if least - FAR * span <= target <= most + FAR * span:
            least, most = min(least, target), max(most, target)
            shapes.append(_upright(target, style.DOWN, "solid", 1.0))
            place = (target - least) / ((most - least) or 1.0)
            side = "left" if place < 0.1 else "right" if place > 0.9 else "center"
            notes.append(_note("Target", target, 1.12, style.DOWN) | {"xanchor": side})
        else:
            is_right = target > most
            words = f"Target {_short(target, currency)} →" if is_right else f"← Target {_short(target, currency)}"
            edge: dict[str, Any] = {"xref": "paper", "x": float(is_right), "xanchor": "right" if is_right else "left"}
            notes.append(_note(words, 0, 1.12, style.DOWN) | edge)
    ticks = _round_amounts(least, most, 3)
    figure = style.figure(
        HISTOGRAM,
        traces,
        margin={"l": 0, "r": 0, "t": 28, "b": 22, "pad": 2},
        bargap=0,
        shapes=shapes,
        annotations=notes,
        xaxis={
            "range": [least - 0.02 * span, most + 0.02 * span],
            "tickvals": ticks,
            "ticktext": [_short(amount, currency) for amount in ticks],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        yaxis=style.hidden_axis(range=[0, tallest * 1.25]),
    )
    said = ", ".join(f"{name} {_short(amount, currency)}" for name, amount in levels.items())
    aim = "" if target is None else f", target {_short(target, currency)}"
    return Chart(figure, f"Histogram of the simulated totals: {said}{aim}.")


def _upright(x: float, color: str, dash: str, height: float) -> dict[str, Any]:
    line = {"color": color, "width": 2, "dash": dash}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": height, "line": line}


def _note(text: str, x: float, y: float, color: str) -> dict[str, Any]:
    return {
        "text": text, "x": x, "y": y, "xref": "x", "yref": "paper", "xanchor": "center", "yanchor": "top",
        "showarrow": False, "font": {"size": 12, "color": color},
    }  # fmt: skip


def _together(levels: Mapping[str, float], near: float) -> list[tuple[float, str]]:
    """The levels from the least, those that lie too near to each other to be read under one name."""
    groups: list[tuple[float, str]] = []
    for name, amount in sorted(levels.items(), key=lambda item: item[1]):
        if groups and amount - groups[-1][0] <= near:
            groups[-1] = groups[-1][0], f"{groups[-1][1]} {name}"
        else:
            groups.append((amount, name))
    return groups


def _round_amounts(least: float, most: float, number: int) -> list[float]:
    """A few round amounts between the two."""
    span = most - least
    if span <= 0:
        return [least]
    rough = span / number
    unit = 10.0 ** math.floor(math.log10(rough))
    step = min((unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough), default=unit * 10)
    first = math.ceil(least / step)
    return [place * step for place in range(first, math.floor(most / step) + 1)]


def contributions(rows: pd.DataFrame, currency: str) -> Chart:
    """The opportunities that make the spread, the largest share first; customdata is the opportunity's id.

    `rows`: opportunity_id (missing for all others together), name, organizer, value, chance, contribution (0–1).
    """
    sentences, labels = [], []
    for row in frames.rows(rows):
        part = formats.share(row.contribution)
        of = "" if pd.isna(row.value) else f" · {_short(row.value, currency)}"
        labels.append((style.clipped(row.name, NAME), f"<b>{part}</b>{of}"))
        organizer = "" if pd.isna(row.organizer) else f"<br>{style.literal(row.organizer)}"
        worth = (
            ""
            if pd.isna(row.value)
            else f"<br>{formats.money(row.value, currency)}, won in the period in {formats.share(row.chance)} of them"
        )
        sentences.append(f"<b>{style.literal(row.name)}</b>{organizer}{worth}<br>{part} of the uncertainty")
    bars = {
        "type": "bar",
        "x": frames.floats(rows["contribution"]),
        "y": list(range(len(rows))),
        "orientation": "h",
        "width": BAR,
        "marker": {"color": [style.TOTAL if pd.isna(one) else style.ACCENT for one in rows["opportunity_id"]]},
        "customdata": rows["opportunity_id"].fillna("").tolist(),
        **_unselected(),
    }
    figure = style.figure(
        max(len(rows), 1) * LINE + 8,
        [_said(bars, sentences)],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )
    said = "; ".join(f"{row.name} {formats.share(row.contribution)}" for row in frames.rows(rows))
    return Chart(figure, f"Bars of what each opportunity adds to the uncertainty: {said}.")


def compared(rows: pd.DataFrame, target: float | None, currency: str) -> Chart:
    """A range for each forecast, one below the other, with the target: label, p10, p50, p90, chance (missing: none)."""
    at = [float(row) for row in range(len(rows))]
    labels, sentences = [], []
    for row in frames.rows(rows):
        chance = "" if pd.isna(row.chance) else f" · <b>{formats.share(row.chance)}</b> to reach the target"
        labels.append((style.literal(row.label), f"<b>{_short(row.p50, currency)}</b>{chance}"))
        sentences.append(
            f"<b>{style.literal(row.label)}</b><br>P10 {formats.money(row.p10, currency)}"
            f"<br>P50 {formats.money(row.p50, currency)}<br>P90 {formats.money(row.p90, currency)}"
        )
    low, high = frames.floats(rows["p10"]), frames.floats(rows["p90"])
    middle = _tick(at, frames.floats(rows["p50"]), 16, style.INK, customdata=[""] * len(at))
    traces = [_ranges(low, high, at, style.ACCENT), _said(middle, sentences)]
    known = [amount for amount in [*low, *high, target] if amount is not None]
    span = (max(known) - min(known)) or 1.0
    shapes = [] if target is None else [_upright(target, style.DOWN, "solid", 1.0)]
    figure = style.figure(
        len(rows) * LINE + 8,
        traces,
        shapes=shapes,
        xaxis=style.hidden_axis(range=[min(known) - 0.04 * span, max(known) + 0.04 * span]),
        **style.rows(labels),
    )
    said = "; ".join(
        f"{row.label} {_short(row.p10, currency)} to {_short(row.p90, currency)}, half {_short(row.p50, currency)}"
        for row in frames.rows(rows)
    )
    return Chart(figure, f"Ranges P10 to P90 with P50: {said}.")


def look_back(rows: pd.DataFrame, currency: str) -> Chart:
    """Past forecasts as ranges and what came as marks, by period; customdata is the period's first day.

    `rows`: period_start, label, p10, p50, p90, actual. What came within the range is a filled mark, what did not an
    open one in another colour.
    """
    at = list(range(len(rows)))
    low, half, high = (frames.floats(rows[name]) for name in ("p10", "p50", "p90"))
    sentences, inside = [], []
    for row in frames.rows(rows):
        held = bool(row.p10 <= row.actual <= row.p90)
        inside.append(held)
        sentences.append(
            f"<b>{style.literal(row.label)}</b><br>Forecast {formats.money(row.p10, currency)}"
            f" to {formats.money(row.p90, currency)}, half {formats.money(row.p50, currency)}"
            f"<br>Came: {formats.money(row.actual, currency)}, {'within' if held else 'outside'} the range"
        )
    starts = [f"{row.period_start:%Y-%m-%d}" for row in frames.rows(rows)]
    bands = {
        "type": "bar",
        "x": at,
        "y": [end - start for start, end in zip(low, high, strict=True) if start is not None and end is not None],
        "base": low,
        "width": 0.5,
        "marker": {"color": style.ACCENT},
        "opacity": 0.3,
        "name": "Forecast P10–P90",
        "customdata": starts,
        **_unselected(),
    }
    middle = {
        "type": "scatter",
        "mode": "markers",
        "x": at,
        "y": half,
        "marker": {"symbol": "line-ew", "size": 14, "line": {"width": 3, "color": style.ACCENT}},
        "name": "P50",
        "customdata": starts,
        **_unselected(),
    }
    came = {
        "type": "scatter",
        "mode": "markers",
        "x": at,
        "y": frames.floats(rows["actual"]),
        "marker": {
            "symbol": ["circle" if held else "x" for held in inside],
            "size": 11,
            "color": [style.INK if held else style.DOWN for held in inside],
        },
        "name": "What came: ● within, ✕ outside",
        "customdata": starts,
        **_unselected(),
    }
    amounts = [amount for amount in [*low, *high, *frames.floats(rows["actual"])] if amount is not None]
    ticks = _round_amounts(0.0, max(amounts, default=1.0), 4)
    figure = style.figure(
        PAST,
        [_said(trace, sentences) for trace in (bands, middle, came)],
        margin={"l": 0, "r": 8, "t": 8, "b": 60, "pad": 4},
        showlegend=True,
        legend=LEGEND,
        xaxis={
            "tickvals": at,
            "ticktext": [style.literal(label) for label in rows["label"]],
            "tickangle": 0 if len(rows) <= 8 else -45,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        yaxis={
            "rangemode": "tozero",
            "tickvals": ticks,
            "ticktext": [_short(amount, currency) for amount in ticks],
            "gridcolor": style.GROUND,
            "zerolinecolor": style.GROUND,
            "automargin": True,
            "fixedrange": True,
        },
    )
    said = "; ".join(
        f"{row.label} forecast {_short(row.p10, currency)} to {_short(row.p90, currency)},"
        f" came {_short(row.actual, currency)}"
        for row in frames.rows(rows)
    )
    return Chart(figure, f"Past forecasts as ranges, and what came: {said}.")


def bias(rows: pd.DataFrame, by: str, currency: str) -> Chart:
    """How much too high (right) or too low (left) forecasts were on average, with the interval, one row for each `by`.

    `rows`: as `app.estimates.backtest.accuracy` returns them.
    """
    at = [float(row) for row in range(len(rows))]
    labels, sentences = [], []
    for place, row in enumerate(rows.to_dict("records")):
        words = _too(row["bias"], currency)
        name = str(rows[by].iloc[place])
        labels.append((style.clipped(name, NAME), f"<b>{words}</b> · {formats.share(row['absolute_share'])} off"))
        sentences.append(
            f"<b>{style.literal(name)}</b><br>On average {words}<br>"
            f"95 % interval {formats.money(row['low'], currency)} to {formats.money(row['high'], currency)}<br>"
            f"{formats.counted(int(row['periods']), 'past period', 'past periods')}"
        )
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": frames.floats(rows["bias"]),
        "y": at,
        "marker": {"size": 11, "color": style.INK},
    }
    low, high = frames.floats(rows["low"]), frames.floats(rows["high"])
    reach = (
        max((abs(x) for x in [*low, *high, *frames.floats(rows["bias"])] if x is not None), default=1.0) * 1.08 or 1.0
    )
    figure = style.figure(
        max(len(rows), 1) * LINE + 8,
        [_ranges(low, high, at, style.ACCENT), _said(dots, sentences)],
        shapes=[_upright(0.0, style.TOTAL, "dot", 1.0)],
        xaxis=style.hidden_axis(range=[-reach, reach]),
        **style.rows(labels),
    )
    said = "; ".join(f"{name} {_too(value, currency)}" for name, value in zip(rows[by], rows["bias"], strict=True))
    return Chart(figure, f"Average error of past forecasts: {said}.")


def _too(amount: float, currency: str) -> str:
    return f"{_short(abs(amount), currency)} too {'high' if amount > 0 else 'low'}" if round(amount, 2) else "right"


def coverage(rows: pd.DataFrame) -> Chart:
    """How often each band held what came, with the interval and a tick where it should be.

    `rows`: as `app.estimates.backtest.coverage` returns them.
    """
    at = [float(row) for row in range(len(rows))]
    labels, sentences = [], []
    for row in frames.rows(rows):
        held = f"{formats.count(row.inside)} of {formats.count(row.n)}"
        labels.append((f"{formats.share(row.band)} range", f"<b>{formats.share(row.share)}</b> · held {held}"))
        sentences.append(
            f"<b>The {formats.share(row.band)} range held {held}</b><br>"
            f"95 % interval {formats.share(row.low)} to {formats.share(row.high)}, over"
            f" {formats.counted(int(row.periods), 'period', 'periods')}"
        )
    should = _tick(at, frames.floats(rows["band"]), 16, style.DOWN, hoverinfo="skip")
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": frames.floats(rows["share"]),
        "y": at,
        "marker": {"size": 11, "color": style.INK},
    }
    figure = style.figure(
        max(len(rows), 1) * LINE + 8,
        [
            _ranges(frames.floats(rows["low"]), frames.floats(rows["high"]), at, style.ACCENT),
            should,
            _said(dots, sentences),
        ],
        xaxis=style.hidden_axis(range=[-0.02, 1.02]),
        **style.rows(labels),
    )
    said = "; ".join(f"{formats.share(row.band)} range held {formats.share(row.share)}" for row in frames.rows(rows))
    return Chart(figure, f"How often past ranges held what came: {said}.")
