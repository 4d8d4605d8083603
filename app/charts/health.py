"""The pictures of the Health page and of an organizer's own page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from app import formats, frames
from app.charts import drawing, style
from app.charts.engagement import STEPS
from app.charts.style import Chart
from app.estimates.health import LOW_FROM, LOW_TO, MEDIUM_FROM, MEDIUM_TO, WEIGHTS

ROW = 46  # pixels for a bar and its line of text
TERM = 28  # pixels for a term of a sum
NAME, SHORT = 30, 18  # letters of a name before it is cut; of one that stands inside a picture
FEW, MANY = 8, 8  # movers and segments in a picture; the table holds all
NAMED = 4  # points that have their name beside them
SMALLEST, LARGEST = 7, 34  # pixels across a point
DIRECTION: Final = "0 to 100, high is good"


@dataclass(frozen=True)
class Level:
    """A level of risk: its word, and a mark and a shape that tell it apart without its colour."""

    word: str
    mark: str
    symbol: str
    color: str


RISKS: Final[Mapping[str, Level]] = {
    "low": Level("Low", "●", "circle", style.UP),
    "medium": Level("Medium", "▲", "triangle-up", style.MEDIUM_RISK),
    "high": Level("High", "■", "square", style.HIGH_RISK),
}
BANDS: Final = (RISKS["high"], RISKS["medium"], RISKS["low"])  # of health, from the bottom up
PARTS: Final = {
    "engagement": "Engagement",
    "trend": "Trend of activity",
    "clock": "Rebooking clock",
    "satisfaction": "Satisfaction",
    "pipeline": "Open pipeline",
}
FEATURES: Final = {
    "base": "Average, with its clock running out",
    "satisfaction": "Satisfaction after the last event",
    "attention": "Contact before the last event or win",
    "fading": "Contact that fades since",
    "handover": "Somebody else speaks with them",
    "overdue": "How far the clock has run",
    "recency": "Days since the last event or win",
    "frequency": "Events and wins so far",
    "revenue": "Value won so far",
    "tenure": "Time with us",
}


def risk(level: object) -> str:
    """A level of risk in a word with its mark: ■ High."""
    found = RISKS.get(str(level))
    return formats.MISSING if found is None else f"{found.mark}{formats.GAP}{found.word}"


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 8},
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
        **more,
    }


# Who we risk losing --------------------------------------------------------------------------------------


def at_risk(accounts: pd.DataFrame, currency: str, *, by_chance: bool) -> Chart:
    """Accounts by churn probability and value won in 12 months, their area the revenue at risk; customdata is the id.

    Without a churn model (`by_chance` false) they stand by health instead, the worst at the right, and their area is
    the value.
    """
    rows = frames.rows(accounts)
    x = frames.floats(accounts["churn_probability"] if by_chance else accounts["health"])
    y = frames.floats(accounts["value"])
    weights = frames.floats(accounts["revenue_at_risk"] if by_chance else accounts["value"])
    most = max((weight for weight in weights if weight), default=1.0)
    levels = [RISKS.get(row.churn_risk, RISKS["low"]) for row in rows]
    sentences = [
        f"<b>{style.literal(row.organizer)}</b><br>"
        f"{level.mark} {level.word} risk, health {formats.count(row.health)} of 100<br>"
        f"{formats.short_money(row.value, currency)} won in 12 months"
        + (
            f" × {formats.share(row.churn_probability)} to churn"
            f" = {formats.short_money(row.revenue_at_risk, currency)} at risk"
            if by_chance
            else ""
        )
        + f"<br>{style.literal(row.owner)}"
        for row, level in zip(rows, levels, strict=True)
    ]
    top = max((value for value in y if value), default=1.0) * 1.14
    names, sides = _named(rows, x, y, top, by_chance=by_chance)
    points = {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "markers+text",
        "text": names,
        "textposition": sides,
        "textfont": {"color": style.INK, "size": 12},
        "cliponaxis": False,
        "marker": {
            "symbol": [level.symbol for level in levels],
            "color": [level.color for level in levels],
            "size": [SMALLEST + (LARGEST - SMALLEST) * ((weight or 0) / most) ** 0.5 for weight in weights],
            "opacity": 0.82,
            "line": {"color": style.GROUND, "width": 1},
        },
        "hovertext": sentences,
        "hovertemplate": drawing.HOVER,
        "customdata": accounts["organizer_id"].tolist(),
        "unselected": {"marker": {"opacity": 0.82}},
        "selected": {"marker": {"opacity": 1}},
    }
    figure = style.figure(
        300,
        [*_equal(most, top, currency, weights), points] if by_chance else [points],
        margin={"l": 0, "r": 8, "t": 26, "b": 0, "pad": 4},
        xaxis=_axis(
            "Probability to churn within 180 days" if by_chance else f"Health, {DIRECTION}: the worst at the right",
            range=[-0.02, 1.02] if by_chance else [102, -2],
            tickformat=".0%" if by_chance else "d",
            tickvals=[0, LOW_TO, MEDIUM_TO, 0.75, 1] if by_chance else [100, LOW_FROM, MEDIUM_FROM, 0],
        ),
        yaxis=_axis(
            "Won in 12 months", range=[0, top], showgrid=True, gridcolor=style.GROUND, **_money_ticks(top, currency)
        ),
        **_zones(by_chance),
    )
    said = "; ".join(
        f"{row.organizer}, {RISKS.get(row.churn_risk, RISKS['low']).word.lower()} risk,"
        f" {formats.short_money(row.revenue_at_risk if by_chance else row.value, currency)}"
        for row in rows[:NAMED]
    )
    what = "churn probability" if by_chance else f"health ({DIRECTION})"
    return Chart(figure, f"Accounts by {what} and value won in 12 months. The first ones: {said}.")


def _named(
    rows: list[Any], x: list[float | None], y: list[float | None], top: float, *, by_chance: bool
) -> tuple[list[str], list[str]]:
    """The names of the first points and the sides on which they stand, as far as there is room for them."""
    across = [(place or 0) if by_chance else 1 - (place or 0) / 100 for place in x]
    points = list(zip(across, [(place or 0) / top for place in y], strict=True))
    taken = [(left - 0.02, left + 0.02, up - 0.035, up + 0.035) for left, up in points]
    names, sides = [""] * len(rows), ["middle right"] * len(rows)
    for place, row in enumerate(rows[: 4 * NAMED]):
        name = style.clipped(row.organizer, SHORT)
        left, up = points[place]
        width = 0.022 * len(name)  # as on a phone; a laptop leaves more room
        others = [box for other, box in enumerate(taken) if other != place]
        for side, box in (
            ("middle right", (left + 0.03, left + 0.03 + width, up - 0.03, up + 0.03)),
            ("middle left", (left - 0.03 - width, left - 0.03, up - 0.03, up + 0.03)),
            ("top center", (left - width / 2, left + width / 2, up + 0.05, up + 0.11)),
            ("top left", (left - width, left, up + 0.05, up + 0.11)),
        ):
            inside = box[0] >= 0 and box[1] <= 1.02 and box[3] <= 1
            if inside and not any(_overlap(box, other) for other in others):
                names[place], sides[place] = (f"  {name}  " if side.startswith("middle") else name), side
                taken.append(box)
                break
        if sum(map(bool, names)) == NAMED:
            break
    return names, sides


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _zones(by_chance: bool) -> dict[str, Any]:
    """Where one level of risk ends and the next begins, and which is which."""
    edges = (0.0, LOW_TO, MEDIUM_TO, 1.0) if by_chance else (100, LOW_FROM, MEDIUM_FROM, 0)
    dots = {"color": style.TOTAL, "width": 1, "dash": "dot"}
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": dots}
    return {
        "shapes": [{**line, "x0": edge, "x1": edge} for edge in edges[1:3]],
        "annotations": [
            {
                "x": (left + right) / 2, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
                "text": f"{level.mark} {level.word}", "font": {"color": level.color},
            }
            for level, left, right in zip(RISKS.values(), edges, edges[1:], strict=False)
        ],
    }  # fmt: skip


def _equal(most: float, top: float, currency: str, weights: list[float | None]) -> list[dict[str, Any]]:
    """Lines of equal revenue at risk: half of the largest, and a fifth of that, in round numbers."""
    if not any(weights):
        return []
    lines = []
    for amount in (_round(most / 2), _round(most / 10)):
        along = [part / 60 for part in range(1, 61) if amount / (part / 60) <= top]
        if along:
            lines.append(
                {
                    "type": "scatter",
                    "x": along,
                    "y": [amount / part for part in along],
                    "mode": "lines+text",
                    "line": {"color": style.TOTAL, "width": 1},
                    "opacity": 0.6,
                    "text": [f" {formats.short_money(amount, currency)} at risk", *[""] * (len(along) - 1)],
                    "textposition": "middle right",
                    "textfont": {"color": style.QUIET, "size": 11},
                    "hoverinfo": "skip",
                }
            )
    return lines


def _round(amount: float) -> float:
    """The largest of 1, 2, 5, 10 … that is not larger."""
    step = 10.0 ** (len(f"{int(amount)}") - 1)
    return max((step * factor for factor in (1, 2, 5) if step * factor <= amount), default=step)


def _money_ticks(top: float, currency: str) -> dict[str, Any]:
    step = _round(top / 3)
    values = [step * number for number in range(int(top / step) + 1)]
    return {"tickvals": values, "ticktext": [formats.short_money(value, currency) for value in values]}


def by_risk(levels: pd.DataFrame, currency: str, *, by_chance: bool) -> Chart:
    """Revenue at risk by churn risk, or without a churn model the value; the highest first; customdata is the level."""
    rows = frames.rows(levels.iloc[::-1])
    labels, sentences = [], []
    for row in rows:
        worth, lost = formats.short_money(row.value, currency), formats.short_money(row.revenue_at_risk, currency)
        counted = formats.counted(row.organizers, "organizer")
        numbers = f"<b>{lost}</b> of {worth}" if by_chance else f"<b>{worth}</b>"
        labels.append((risk(row.risk), f"{numbers} · {counted}"))
        sentences.append(
            f"<b>{risk(row.risk)}</b><br>{counted} with {worth} won in 12 months"
            + (f"<br>{lost} of it at risk" if by_chance else "")
        )
    names = [row.risk for row in rows]
    colors = [RISKS[name].color for name in names]
    amounts = frames.floats(levels["revenue_at_risk" if by_chance else "value"].iloc[::-1])
    bars = [drawing.bars(amounts, sentences, names, marker={"color": colors})]
    figure = style.figure(
        max(len(rows), 1) * 58 + 8, bars, xaxis=style.hidden_axis(rangemode="tozero"), **style.rows(labels)
    )
    said = "; ".join(f"{row.risk} risk {numbers}" for row, (_, numbers) in zip(rows, labels, strict=True))
    return Chart(figure, f"Bars of value won in 12 months by churn risk: {_plain(said)}.")


def _plain(text: str) -> str:
    return text.replace("<b>", "").replace("</b>", "")


# How healthy, and what moved -----------------------------------------------------------------------------


def distribution(bands: pd.DataFrame) -> Chart:
    """Which share of each segment's organizers has which health, the least healthy segments first; customdata is
    `band|segment`."""
    names = list(dict.fromkeys(bands["segment"]))[:MANY]
    shown = bands[bands["segment"].isin(names)]
    place = {name: row for row, name in enumerate(names)}
    totals = shown.groupby("segment")["organizers"].sum()
    medians = shown.groupby("segment")["median_health"].first()
    labels = [
        (style.clipped(name, NAME), f"median <b>{medians[name]:.0f}</b> · {formats.count(totals[name])}")
        for name in names
    ]
    traces = []
    for band, level in enumerate(BANDS):
        rows = frames.rows(shown[shown["band"] == band])
        shares = [float(row.organizers) / float(totals[row.segment] or 1) for row in rows]
        traces.append(
            {
                **drawing.bars(
                    shares,
                    [
                        f"<b>{style.literal(row.segment)}</b><br>"
                        f"{level.mark} {formats.counted(row.organizers, 'organizer')} ({formats.share(part)})"
                        f" with a health of {row.lowest} to {row.highest}"
                        for row, part in zip(rows, shares, strict=True)
                    ],
                    [f"{row.band}|{row.segment}" for row in rows],
                ),
                "y": [place[row.segment] for row in rows],
                "marker": {"color": level.color, "line": {"color": style.GROUND, "width": 1}},
                "text": [
                    f"{level.mark} {row.organizers}" if part >= 0.1 else ""
                    for row, part in zip(rows, shares, strict=True)
                ],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "insidetextfont": {"color": style.GROUND, "size": 12},
                "textangle": 0,
                "constraintext": "none",
                "width": 0.44,
            }
        )
    figure = style.figure(
        max(len(names), 1) * 48 + 8,
        traces,
        xaxis=style.hidden_axis(range=[0, 1.002]),
        **style.rows(labels) | {"barmode": "stack"},
    )
    said = "; ".join(f"{name} {_plain(numbers)}" for name, numbers in labels)
    return Chart(figure, f"Stacked bars of organizers by health ({DIRECTION}) and segment: {said} organizers.")


def movers(frame: pd.DataFrame) -> Chart:
    """From the health on the earlier day to that on the later one, high to the right; customdata is the id."""
    rows = frames.rows(frame.head(FEW))
    sentences = [
        f"<b>{style.literal(row.organizer)}</b><br>Health from {row.before} to {row.health}"
        + (f", mostly by {PARTS.get(row.part, str(row.part)).lower()}" if not pd.isna(row.part) else "")
        + f"<br>Risk {risk(row.risk_before)} → {risk(row.churn_risk)}<br>{style.literal(row.owner)}"
        for row in rows
    ]
    labels, arrows = drawing.moves(rows, "health", sentences, width=0.14)
    whole, ids = [100.0] * len(rows), [row.organizer_id for row in rows]
    figure = style.figure(
        max(len(rows), 1) * 42 + 36,
        [drawing.bars(whole, sentences, ids, marker={"color": style.GROUND}, width=0.08), *arrows],
        xaxis=_axis(f"Health, {DIRECTION}", range=[-2, 102], tickvals=[0, MEDIUM_FROM, LOW_FROM, 100]),
        **style.rows(labels),
    )
    said = "; ".join(f"{row.organizer} from {row.before} to {row.health}" for row in rows)
    return Chart(figure, f"Health ({DIRECTION}) that moved most: {said}.")


# How far to believe it -----------------------------------------------------------------------------------


def calibration(curve: pd.DataFrame) -> Chart:
    """What the model said against what came true, with 95 % intervals, beside the line on which they are equal."""
    rows = frames.rows(curve)
    most = max((float(row.n) for row in rows), default=1.0)
    figure = style.figure(
        300,
        [
            {
                "type": "scatter", "x": [0, 1], "y": [0, 1], "mode": "lines", "hoverinfo": "skip",
                "line": {"color": style.TOTAL, "width": 1, "dash": "dot"},
            },
            {
                "type": "scatter",
                "x": frames.floats(curve["forecast"]),
                "y": frames.floats(curve["rate"]),
                "mode": "markers",
                "error_y": {
                    "type": "data",
                    "array": [float(row.high - row.rate) for row in rows],
                    "arrayminus": [float(row.rate - row.low) for row in rows],
                    "color": style.TOTAL, "thickness": 1.5, "width": 0,
                },
                "marker": {
                    "size": [8 + 12 * (float(row.n) / most) ** 0.5 for row in rows],
                    "color": style.ACCENT,
                },
                "hovertext": [
                    f"<b>Said {formats.share(row.forecast)}, came true {formats.share(row.rate)}</b><br>"
                    f"of {formats.counted(int(row.n), 'case')};"
                    f" anything from {formats.share(row.low)} to {formats.share(row.high)} would fit"
                    for row in rows
                ],
                "hovertemplate": drawing.HOVER,
            },
        ],
        xaxis=_axis("Said by the model: probability to churn", range=[-0.03, 1.03], tickformat=".0%", nticks=5),
        yaxis=_axis(
            "Came true", range=[-0.03, 1.05], tickformat=".0%", nticks=5, showgrid=True, gridcolor=style.GROUND
        ),
    )  # fmt: skip
    said = "; ".join(f"said {formats.share(row.forecast)}, came true {formats.share(row.rate)}" for row in rows)
    return Chart(figure, f"Calibration of the churn model on later dates: {said}.")


def retention(frame: pd.DataFrame) -> Chart:
    """Quarters of newcomers down, quarters later across, the share kept in each cell; customdata is `day|quarters`."""
    rows = frames.rows(frame)
    cohorts = sorted(set(frame["cohort"]))
    place = {cohort: row for row, cohort in enumerate(cohorts)}
    sizes = dict(zip(frame["cohort"], frame["organizers"], strict=True))
    last = int(frame["quarters"].max()) if len(frame) else 0
    shares = [0.0 if pd.isna(row.share) else float(row.share) for row in rows]
    steps = [min(int(part * len(STEPS)), len(STEPS) - 1) for part in shares]
    figure = style.figure(
        max(len(cohorts), 1) * 26 + 44,
        [
            {
                "type": "bar",
                "x": [int(row.quarters) for row in rows],
                "y": [0.9] * len(rows),
                "base": [place[row.cohort] - 0.45 for row in rows],
                "width": 0.94,
                "marker": {"color": [STEPS[step] for step in steps], "cornerradius": 2},
                "text": [f"{100 * part:.0f}" for part in shares],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "insidetextfont": {"color": [style.GROUND if step > 5 else style.INK for step in steps], "size": 11},
                "hovertext": [
                    f"<b>{_quarter(row.cohort)}, {formats.counted(int(row.quarters), 'quarter')} later</b><br>"
                    f"{formats.count(row.kept)} of {formats.counted(int(row.organizers), 'newcomer')} kept"
                    f" ({formats.share(row.share)})"
                    for row in rows
                ],
                "hovertemplate": drawing.HOVER,
                "customdata": [f"{row.cohort:%Y-%m-%d}|{int(row.quarters)}" for row in rows],
                "unselected": {"marker": {"opacity": 1}},
            }
        ],
        margin={"l": 0, "r": 0, "t": 40, "b": 0, "pad": 4},
        xaxis=_axis(
            "Quarters later; per cent still with us", range=[-0.5, last + 0.5], side="top", ticks="",
            tickvals=list(range(last + 1)),
        ),
        yaxis={
            "range": [len(cohorts) - 0.5, -0.5],
            "tickvals": list(range(len(cohorts))),
            "ticktext": [f"{_quarter(cohort)} · {sizes[cohort]}" for cohort in cohorts],
            "tickfont": {"color": style.INK},
            "showgrid": False, "zeroline": False, "ticks": "", "automargin": True, "fixedrange": True,
        },
    )  # fmt: skip
    kept = {row.cohort: row for row in rows}
    said = "; ".join(
        f"{_quarter(row.cohort)} {formats.share(row.share)} of {row.organizers} after"
        f" {formats.counted(int(row.quarters), 'quarter')}"
        for row in kept.values()
    )
    return Chart(figure, f"Grid of the share kept of each quarter's newcomers: {said}.")


def _quarter(day: Any) -> str:
    return f"{day.year} Q{(day.month + 2) // 3}"


# One organizer -------------------------------------------------------------------------------------------


def parts(why: pd.DataFrame) -> Chart:
    """The points of each part of the health score within the most that it could bring; they add up to the score."""
    rows = frames.rows(why)
    weight = sum(WEIGHTS.get(row.part, 0) for row in rows) or 1
    most = [100 * WEIGHTS.get(row.part, 0) / weight for row in rows]
    labels = [
        (PARTS.get(row.part, row.part), f"<b>{row.points:.1f}</b> of {full:.1f} points")
        for row, full in zip(rows, most, strict=True)
    ]
    sentences = [
        f"<b>{PARTS.get(row.part, row.part)}</b><br>{row.points:.1f} of {full:.1f} points"
        + ("" if pd.isna(row.observed) else f": it stands at {row.observed:.0f} of 100")
        for row, full in zip(rows, most, strict=True)
    ]
    ids = [row.part for row in rows]
    figure = style.figure(
        max(len(rows), 1) * ROW + 8,
        [
            drawing.bars(most, sentences, ids, marker={"color": style.GROUND}),
            drawing.bars([float(row.points) for row in rows], sentences, ids, marker={"color": style.ACCENT}),
        ],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )
    said = "; ".join(f"{name} {_plain(numbers)}" for name, numbers in labels)
    return Chart(figure, f"Points that add up to the health score ({DIRECTION}): {said}.")


def reasons(why: pd.DataFrame) -> Chart:
    """A waterfall from what an average organizer has to this one's churn probability, in points of 100."""
    rows = [row for row in frames.rows(why) if row.part == "base" or abs(row.points) >= 0.05]
    total = float(sum(row.points for row in rows))
    names = [FEATURES.get(row.part, row.part) for row in rows] + ["To churn within 180 days"]
    amounts = [*(float(row.points) for row in rows), total]
    is_total = [row.part == "base" for row in rows] + [True]
    texts = [
        f"{amount:.1f}" if whole else f"{'+' if amount > 0 else '−'}{abs(amount):.1f}"
        for amount, whole in zip(amounts, is_total, strict=True)
    ]
    last = len(names) - 1
    figure = style.figure(
        len(names) * TERM + 16,
        [
            {
                "type": "waterfall",
                "x": amounts,
                "y": list(range(len(names))),
                "measure": ["absolute" if place in (0, last) else "relative" for place in range(len(names))],
                "orientation": "h",
                "width": 0.62,
                # More churn is bad news: what raises it has the colour of down.
                "increasing": {"marker": {"color": style.DOWN}},
                "decreasing": {"marker": {"color": style.UP}},
                "totals": {"marker": {"color": style.TOTAL}},
                "connector": {"line": {"color": style.TOTAL, "width": 0.5}},
                "text": texts,
                "textposition": "outside",
                "cliponaxis": False,
                "hovertext": [
                    f"<b>{style.literal(name)}</b><br>{text} points" for name, text in zip(names, texts, strict=True)
                ],
                "hovertemplate": drawing.HOVER,
            }
        ],
        margin={"l": 0, "r": 48, "t": 8, "b": 0, "pad": 8},
        xaxis=style.hidden_axis(rangemode="tozero"),
        yaxis={
            "range": [len(names) - 0.5, -0.5],
            "tickvals": list(range(len(names))),
            "ticktext": [style.clipped(name, 36) for name in names],
            "tickfont": {"color": style.INK},
            "showgrid": False, "zeroline": False, "ticks": "", "automargin": True, "fixedrange": True,
        },
    )  # fmt: skip
    said = "; ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    return Chart(figure, f"Points of 100 that add up to the churn probability: {said}.")


def history(scores: pd.DataFrame) -> Chart:
    """Health and engagement at every refresh, with the levels at which the risk changes."""
    rows = frames.rows(scores)
    days = [row.scored_on for row in rows]

    def line(column: str, name: str, color: str, width: float) -> dict[str, Any]:
        return {
            "type": "scatter",
            "x": days,
            "y": frames.floats(scores[column]),
            "mode": "lines+markers+text",
            "line": {"color": color, "width": width},
            "marker": {"size": 4 if len(rows) > 1 else 9, "color": color},
            "text": [*[""] * (len(rows) - 1), f" {name}"],
            "textposition": "middle right",
            "textfont": {"color": color},
            "cliponaxis": False,
            "hovertext": [
                f"<b>{formats.day(row.scored_on)}</b><br>{name} {formats.count(getattr(row, column))} of 100<br>"
                f"{risk(row.churn_risk)} risk"
                + ("" if pd.isna(row.churn_probability) else f", {formats.share(row.churn_probability)} to churn")
                for row in rows
            ],
            "hovertemplate": drawing.HOVER,
        }

    edge = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"width": 1, "dash": "dot"}}
    figure = style.figure(
        280,
        [line("engagement", "Engagement", style.TOTAL, 1), line("health", "Health", style.ACCENT, 2.5)],
        margin={"l": 0, "r": 84, "t": 8, "b": 0, "pad": 4},
        shapes=[
            {**edge, "y0": level, "y1": level, "line": {**edge["line"], "color": color}}  # type: ignore[dict-item]
            for level, color in ((LOW_FROM, style.UP), (MEDIUM_FROM, style.HIGH_RISK))
        ],
        xaxis={"showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True, "nticks": 6},
        yaxis=_axis(DIRECTION.capitalize(), range=[-3, 103], tickvals=[0, MEDIUM_FROM, LOW_FROM, 100], showgrid=False),
    )
    said = (
        f"health from {rows[0].health} on {formats.day(rows[0].scored_on)} to {rows[-1].health}"
        f" on {formats.day(rows[-1].scored_on)}"
        if rows
        else "none yet"
    )
    return Chart(figure, f"Lines of health and engagement ({DIRECTION}): {said}.")
