from decimal import Decimal
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from app.charts import pipeline, style
from app.estimates.survival import CONVERSION
from queries.pipeline import expected_revenue_by_stage, movement

LONG = "An extraordinarily long name of a stage, <b>bold</b> & more"


def stages(**columns: list[Any]) -> pd.DataFrame:
    rows = {
        "stage_id": ["a", "b"],
        "stage": ["Lead", LONG],
        "color": ["#6b7280", "#1e1b4b"],
        "position": [1, 2],
        "default_probability": [0.1, 0.5],
        "opportunities": [3, 0],
        "value": [Decimal("1000.50"), Decimal(0)],
        "expected_revenue": [Decimal("100.05"), Decimal(0)],
        "without_rate": [1, 0],
        "median_age_days": [12.0, None],
        "normal_age_days": [30.0, None],
        "stalled": [1, None],
    } | columns
    units = expected_revenue_by_stage.columns
    return pd.DataFrame({name: pd.Series(values, dtype=units[name].dtype) for name, values in rows.items()})


def terms(*rows: tuple[str, str, str, str, int | None]) -> pd.DataFrame:
    columns = list(zip(*[(place, *row) for place, row in enumerate(rows)], strict=True))
    return pd.DataFrame(
        {
            name: pd.Series(
                [Decimal(cell) for cell in cells] if unit.kind == "money" else list(cells), dtype=unit.dtype
            )
            for (name, unit), cells in zip(movement.columns.items(), columns, strict=True)
        }
    )


MOVED = (
    ("start", "Start", "1000", "100", 3),
    ("new", "New", "500", "50", 1),
    ("reopened", "Reopened", "0", "0", 0),
    ("stage_default", "Stage defaults", "0", "-20.5", 2),
    ("end", "End", "1500", "129.50", None),
)


def texts(figure: Any) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def test_value_lies_behind_expected_revenue_in_the_stage_colours() -> None:
    value, expected = pipeline.expected_revenue_by_stage(stages(), "CAD").figure.data
    assert list(value.x) == [1000.5, 0]
    assert list(expected.x) == [100.05, 0]
    assert list(expected.marker.color) == ["#6b7280", "#1e1b4b"]
    assert value.marker.color[0] == "rgba(107,114,128,0.28)"
    assert value.width == expected.width


def test_a_bar_knows_its_stage_also_an_unknown_one() -> None:
    chart = pipeline.expected_revenue_by_stage(stages(stage_id=["a", None]), "CAD")
    for trace in chart.figure.data:
        assert list(trace.customdata) == ["a", "unknown"]


def test_stages_of_the_same_name_stay_two_bars() -> None:
    figure = pipeline.expected_revenue_by_stage(stages(stage=["Lead", "Lead"]), "CAD").figure
    assert list(figure.data[0].y) == [0, 1]


def test_names_are_text_and_long_ones_are_cut_but_whole_in_the_hover_text() -> None:
    figure = pipeline.expected_revenue_by_stage(stages(), "CAD").figure
    name = texts(figure)[2]
    assert name.endswith("…")
    assert len(name) <= pipeline.NAME
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in figure.data[0].hovertext[1]


def test_a_bar_says_its_numbers_in_a_sentence() -> None:
    chart = pipeline.expected_revenue_by_stage(stages(), "CAD")
    assert "3\N{NO-BREAK SPACE}open opportunities worth CA$1,000.50" in chart.figure.data[0].hovertext[0]
    assert "Expected revenue CA$100.05" in chart.figure.data[0].hovertext[0]
    assert "Lead CA$100 of CA$1.00K" in chart.words
    assert texts(chart.figure)[1] == "<b>CA$100</b> of CA$1.00K · 3"


def test_a_stage_without_a_normal_age_has_no_mark_and_says_why() -> None:
    bars, marks = pipeline.age_in_stage(stages()).figure.data
    assert [*bars.x] == [12, None]
    assert [*marks.x] == [30, None]
    assert "too few finished stays" in bars.hovertext[1]


def test_the_funnel_shows_entries_and_what_drops_off() -> None:
    row = {
        "stage_id": ["a"], "stage": ["Lead"], "color": ["#6b7280"], "position": [1], "entries": [40], "open": [4],
        "converted": [0.62], "lost": [0.25], "back": [0.05], "undecided": [0.08],
    }  # fmt: skip
    frame = pd.DataFrame({name: pd.Series(cells, dtype=CONVERSION[name].dtype) for name, cells in row.items()})
    chart = pipeline.conversion_funnel(frame)
    assert list(chart.figure.data[0].x) == [40]
    assert texts(chart.figure) == [
        "Lead · 40",
        "<b>62\N{NO-BREAK SPACE}%</b> go on · 30\N{NO-BREAK SPACE}% drop off",
    ]
    assert "4 still here" in chart.figure.data[0].hovertext[0]


@pytest.mark.parametrize(
    ("measure", "shown", "amounts"),
    [
        ("expected_revenue", ["start", "new", "stage_default", "end"], [100, 50, -20.5, 129.5]),
        ("value", ["start", "new", "end"], [1000, 500, 1500]),
    ],
)
def test_the_waterfall_shows_the_terms_that_moved_something(
    measure: pipeline.Measure, shown: list[str], amounts: list[float]
) -> None:
    bars = pipeline.movement(terms(*MOVED), measure, "CAD").figure.data[0]
    assert list(bars.customdata) == shown
    assert list(bars.x) == amounts
    assert sum(amounts[:-1]) == amounts[-1]
    assert bars.measure[0] == bars.measure[-1] == "absolute"
    assert set(bars.measure[1:-1]) == {"relative"}


def test_signs_are_written_and_the_totals_have_none() -> None:
    bars = pipeline.movement(terms(*MOVED), "expected_revenue", "CAD").figure.data[0]
    assert list(bars.text) == ["CA$100", "+CA$50", "−CA$20", "CA$130"]


def test_plotly_finds_nothing_wrong_with_any_figure() -> None:
    frame = pd.DataFrame({name: pd.Series(dtype=unit.dtype) for name, unit in CONVERSION.items()})
    for chart in (
        pipeline.expected_revenue_by_stage(stages(), "CAD"),
        pipeline.age_in_stage(stages()),
        pipeline.conversion_funnel(frame),
        pipeline.movement(terms(*MOVED), "value", "CAD"),
    ):
        assert go.Figure(chart.figure.to_dict()).data  # raises what it finds


def test_every_chart_of_nothing_is_a_chart() -> None:
    empty = stages().iloc[:0]
    assert pipeline.expected_revenue_by_stage(empty, "CAD").figure.layout.height > 0
    assert pipeline.age_in_stage(empty).figure.layout.height > 0
    nobody = pd.DataFrame({name: pd.Series(dtype=unit.dtype) for name, unit in CONVERSION.items()})
    assert pipeline.conversion_funnel(nobody).figure.layout.height > 0


def test_colours_are_the_data_s_or_stand_ins_for_the_reader_s_appearance() -> None:
    for name in ("ACCENT", "UP", "DOWN", "TOTAL", "GROUND", "QUIET"):
        assert 1 <= int(getattr(style, name)[1:]) <= 10
