"""The pictures of the Pipeline page."""

from typing import Literal

import pandas as pd

from app import formats, frames
from app.charts import drawing, style
from app.charts.style import Chart

ROW = 52  # pixels for a bar and its line of text
TERM = 28  # pixels for a term of the movement
NAME = 26  # letters of a stage's name before it is cut; the whole name stands in the hover text

Measure = Literal["expected_revenue", "value"]


def _height(rows: int) -> int:
    return max(rows, 1) * ROW + 8


def _ids(stages: pd.DataFrame) -> list[str]:
    return stages["stage_id"].fillna("unknown").tolist()


def expected_revenue_by_stage(stages: pd.DataFrame, currency: str) -> Chart:
    """Value behind, expected revenue in front, in the colour of the stage; a bar's customdata is its stage's id."""
    short = [
        (formats.short_money(stage.expected_revenue, currency), formats.short_money(stage.value, currency), stage)
        for stage in frames.rows(stages)
    ]
    sentences = [
        f"<b>{style.literal(stage.stage)}</b><br>"
        f"{formats.counted(stage.opportunities, 'open opportunity', 'open opportunities')}"
        f" worth {formats.money(stage.value, currency)}<br>"
        f"Expected revenue {formats.money(stage.expected_revenue, currency)}"
        for *_, stage in short
    ]
    labels = [
        (style.clipped(stage.stage, NAME), f"<b>{expected}</b> of {value} · {formats.count(stage.opportunities)}")
        for expected, value, stage in short
    ]
    colors = stages["color"].tolist()
    ids = _ids(stages)
    # On dark ground a dark stage colour needs an edge; recolouring it would make it another stage's.
    edge = {"color": style.QUIET, "width": 0.5}
    pale = [style.pale(color) for color in colors]
    figure = style.figure(
        _height(len(stages)),
        [
            drawing.bars(frames.floats(stages["value"]), sentences, ids, marker={"color": pale, "line": edge}),
            drawing.bars(
                frames.floats(stages["expected_revenue"]), sentences, ids, marker={"color": colors, "line": edge}
            ),
        ],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )
    said = "; ".join(f"{stage.stage} {expected} of {value}" for expected, value, stage in short)
    return Chart(figure, f"Bars of expected revenue within the value of open opportunities, by stage: {said}.")


def age_in_stage(stages: pd.DataFrame) -> Chart:
    """Bars of the median age of open opportunities, and a mark at the normal age; customdata is the stage's id."""
    labels, sentences = [], []
    for stage in frames.rows(stages):
        if pd.isna(stage.normal_age_days):
            told, number = "too few finished stays to say what is normal", formats.MISSING
        else:
            told = f"80 % of finished stays took {formats.days(stage.normal_age_days)} or less"
            number = f"<b>{formats.count(stage.stalled)}</b> stalled"
        labels.append((style.clipped(stage.stage, NAME), f"{formats.days(stage.median_age_days)} · {number}"))
        sentences.append(
            f"<b>{style.literal(stage.stage)}</b><br>"
            f"Half of the open opportunities are here for {formats.days(stage.median_age_days)} or longer<br>{told}"
        )
    ids = _ids(stages)
    figure = style.figure(
        _height(len(stages)),
        [
            drawing.bars(
                frames.floats(stages["median_age_days"]), sentences, ids, marker={"color": stages["color"].tolist()}
            ),
            drawing.marks(frames.floats(stages["normal_age_days"]), sentences, ids, **drawing.upright()),
        ],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )
    said = "; ".join(
        f"{stage.stage} {formats.days(stage.median_age_days)}, normal up to {formats.days(stage.normal_age_days)}"
        for stage in frames.rows(stages)
    )
    return Chart(figure, f"Bars of the median age in the stage against its normal age: {said}.")


def conversion_funnel(stages: pd.DataFrame) -> Chart:
    """Entries per stage, from the first to the last, and how many of them go on; customdata is the stage's id."""
    labels, sentences = [], []
    for stage in frames.rows(stages):
        dropped = None if pd.isna(stage.converted) else stage.lost + stage.back
        goes_on, drops = formats.share(stage.converted), formats.share(dropped)
        name = f"{style.clipped(stage.stage, NAME)} · {formats.count(stage.entries)}"
        labels.append((name, f"<b>{goes_on}</b> go on · {drops} drop off"))
        sentences.append(
            f"<b>{style.literal(stage.stage)}</b><br>"
            f"{formats.counted(stage.entries, 'entry', 'entries')} in the period,"
            f" {formats.count(stage.open)} still here<br>"
            f"{goes_on} go on, {formats.share(stage.lost)} are lost, {formats.share(stage.back)} go back,"
            f" {formats.share(stage.undecided)} undecided (estimated)"
        )
    figure = style.figure(
        _height(len(stages)),
        [
            {
                "type": "funnel",
                "x": frames.floats(stages["entries"]),
                "y": list(range(len(stages))),
                "orientation": "h",
                "width": drawing.BAR,
                "textinfo": "none",
                "marker": {"color": stages["color"].tolist()},
                "connector": {"visible": False},
                "hovertext": sentences,
                "hovertemplate": drawing.HOVER,
                "customdata": _ids(stages),
            }
        ],
        xaxis=style.hidden_axis(),
        **style.rows(labels),
    )
    said = "; ".join(
        f"{stage.stage} {formats.counted(stage.entries, 'entry', 'entries')}, {formats.share(stage.converted)} go on"
        for stage in frames.rows(stages)
    )
    return Chart(figure, f"Funnel of the entries into each stage: {said}.")


def movement(terms: pd.DataFrame, measure: Measure, currency: str) -> Chart:
    """A waterfall from the first row to the last, of the terms that moved anything; customdata is the term."""
    last = len(terms) - 1
    moved = terms[(terms[measure] != 0) | terms.index.isin([0, last])].reset_index(drop=True)
    total = moved.index.isin([0, len(moved) - 1])
    amounts = frames.floats(moved[measure])
    labels, sentences = [], []
    for row in frames.rows(moved):
        amount = getattr(row, measure)
        sign = "" if total[row.Index] or amount < 0 else "+"
        labels.append((style.literal(row.label), f"{sign}{formats.short_money(amount, currency)}"))
        behind = "" if total[row.Index] else f"<br>{formats.counted(row.opportunities, 'opportunity', 'opportunities')}"
        sentences.append(f"<b>{style.literal(row.label)}</b><br>{sign}{formats.money(amount, currency)}{behind}")
    figure = style.figure(
        len(moved) * TERM + 16,
        [
            {
                "type": "waterfall",
                "x": amounts,
                "y": list(range(len(moved))),
                "measure": ["absolute" if is_total else "relative" for is_total in total],
                "orientation": "h",
                "width": 0.62,
                "increasing": {"marker": {"color": style.UP}},
                "decreasing": {"marker": {"color": style.DOWN}},
                "totals": {"marker": {"color": style.TOTAL}},
                "connector": {"line": {"color": style.TOTAL, "width": 0.5}},
                "text": [numbers for _, numbers in labels],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertext": sentences,
                "hovertemplate": drawing.HOVER,
                "customdata": moved["term"].tolist(),
            }
        ],
        margin={"l": 0, "r": 84, "t": 8, "b": 0, "pad": 8},  # at the right room for an amount beside the longest bar
        xaxis=style.hidden_axis(rangemode="tozero"),
        yaxis={
            "range": [len(moved) - 0.5, -0.5],
            "tickvals": list(range(len(moved))),
            "ticktext": [name for name, _ in labels],
            "tickfont": {"color": style.INK},
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
            "automargin": True,
            "fixedrange": True,
        },
    )
    said = "; ".join(f"{name} {numbers}" for name, numbers in labels)
    return Chart(figure, f"Waterfall: {said}.")
