from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from app.charts import forecast, style
from app.estimates import backtest

NAMES = {
    "won": "Won", "commit": "Commit ≥ 75 %", "best_case": "Best case ≥ 40 %", "pipeline": "Pipeline",
    "weighted": "Weighted",
}  # fmt: skip
LONG = "An extraordinarily long name of an opportunity, <b>bold</b> & more"


def rows(**columns: list[Any]) -> pd.DataFrame:
    cells = {
        "row": ["period", "2026-10-01", "overdue"],
        "label": ["2026 Q4", "October 2026", "Overdue"],
        "won": [Decimal("700.50"), Decimal("700.50"), None],
        "commit": [Decimal(300), Decimal(100), Decimal(0)],
        "best_case": [Decimal(500), Decimal(200), Decimal(0)],
        "pipeline": [Decimal(900), Decimal(400), Decimal(80)],
        "weighted": [Decimal(1200), Decimal(900), Decimal(40)],
        "target": [Decimal(1500), None, None],
        "p10": [900.0, None, None],
        "p50": [1150.0, None, None],
        "p90": [1400.0, None, None],
        "opportunities": [9, 4, 2],
    } | columns
    return pd.DataFrame({name: pd.Series(values) for name, values in cells.items()})


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def texts(figure: Any) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def even(least: float, most: float, bins: int = 10) -> pd.DataFrame:
    edges = np.linspace(least, most, bins + 1)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "share": [1 / bins] * bins})


def past(**columns: list[Any]) -> pd.DataFrame:
    days = {"period_start": "2026-01-01", "period_end": "2026-04-01", "as_of": "2026-03-01"}
    numbers = {"forecast": 100.0, "actual": 130.0}
    levels = {f"p{level:02}": 100.0 + level for level in (5, 10, 25, 50, 75, 90, 95)}
    row = {name: [pd.Timestamp(day)] for name, day in days.items()} | {
        name: [amount] for name, amount in (numbers | levels).items()
    }
    return pd.DataFrame({"label": ["2026 Q1"], **row, **columns})


# Against the target -------------------------------------------------------------------------------------------


def test_what_is_open_begins_where_won_ends_and_is_nested() -> None:
    found = traces(forecast.against_target(rows(), NAMES, "CAD").figure)
    assert list(found["Won"].x) == [700.5, 700.5, None]
    assert list(found["Won"].base) == [0, 0, 0]
    for bar in ("Commit ≥ 75 %", "Best case ≥ 40 %", "Pipeline"):
        assert list(found[bar].base) == [700.5, 700.5, 0]
    assert list(found["Commit ≥ 75 %"].x) == [300, 100, 0]
    strengths = [found[bar].opacity for bar in ("Pipeline", "Best case ≥ 40 %", "Commit ≥ 75 %")]
    assert strengths == sorted(strengths)


def test_every_bar_knows_itself_and_its_row() -> None:
    figure = forecast.against_target(rows(), NAMES, "CAD").figure
    found = traces(figure)
    assert list(found["Commit ≥ 75 %"].customdata) == ["commit|period", "commit|2026-10-01", "commit|overdue"]
    assert found["Weighted"].customdata[0] == "weighted|period"
    assert found["Target"].hoverinfo == "skip"  # a click goes through it to the bar


def test_the_range_and_the_target_are_drawn_where_they_are_known() -> None:
    found = traces(forecast.against_target(rows(), NAMES, "CAD").figure)
    assert list(found["Target"].x) == [1500, None, None]
    assert list(found["P10–P90, P50"].x) == [900, 1400, None]
    without = traces(forecast.against_target(rows(target=[None] * 3, p50=[None] * 3), NAMES, "CAD").figure)
    assert "Target" not in without
    assert "P10–P90, P50" not in without


def test_a_row_says_its_numbers_in_a_line_and_a_sentence() -> None:
    chart = forecast.against_target(rows(), NAMES, "CAD")
    assert texts(chart.figure)[1] == "<b>CA$1.20K</b> weighted · target CA$1.50K"
    assert texts(chart.figure)[3] == "<b>CA$900</b> weighted · 4 open"
    sentence = traces(chart.figure)["Commit ≥ 75 %"].hovertext[0]
    assert sentence == "<b>2026 Q4</b><br>Commit ≥ 75 %: CA$300.00"
    assert "Overdue: won –, CA$40 weighted · 2 open" in chart.words
    weighted = traces(chart.figure)["Weighted"].hovertext
    assert "Target: CA$1,500.00<br>Likely between CA$900.00 and CA$1,400.00" in weighted[0]
    assert weighted[1] == "<b>October 2026</b><br>Weighted: CA$900.00"


# The distribution ---------------------------------------------------------------------------------------------


def test_totals_from_the_target_on_stand_out() -> None:
    figure = forecast.distribution(even(0, 100), {"P10": 10, "P50": 50, "P90": 90}, 70, "CAD").figure
    assert list(figure.data[0].marker.color) == [style.TOTAL] * 7 + [style.ACCENT] * 3
    assert texts(figure) == ["P10", "P50", "P90", "Target"]
    assert [shape.x0 for shape in figure.layout.shapes] == [10, 50, 90, 70]


def test_levels_that_fall_together_share_their_name() -> None:
    figure = forecast.distribution(even(0, 100), {"P10": 10, "P50": 12, "P90": 90}, None, "CAD").figure
    assert texts(figure) == ["P10 P50", "P90"]
    assert set(figure.data[0].marker.color) == {style.ACCENT}


@pytest.mark.parametrize(("target", "words"), [(10_000, "Target CA$10.0K →"), (-9_000, "← Target −CA$9.00K")])
def test_a_target_far_away_is_named_at_the_edge(target: float, words: str) -> None:
    figure = forecast.distribution(even(0, 100), {"P10": 10, "P50": 50, "P90": 90}, target, "CAD").figure
    assert texts(figure)[-1] == words
    assert figure.layout.xaxis.range[1] < 200


def test_one_certain_total_is_one_bar() -> None:
    one = pd.DataFrame({"low": [499.5], "high": [500.5], "share": [1.0]})
    figure = forecast.distribution(one, {"P10": 500, "P50": 500, "P90": 500}, 500, "CAD").figure
    assert texts(figure) == ["P10 P50 P90", "Target"]
    assert list(figure.data[0].y) == [1]


def test_the_outline_of_a_what_if_is_as_dense_as_the_bars() -> None:
    figure = forecast.distribution(
        even(0, 100), {"P10": 10, "P50": 50, "P90": 90}, None, "CAD", what_if=even(0, 200)
    ).figure
    # The same chance in bins twice as wide is half as dense.
    assert max(figure.data[1].y) == pytest.approx(figure.data[0].y[0] / 2)
    assert figure.data[1].y[-1] == 0


# Opportunities ------------------------------------------------------------------------------------------------


def spread() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "opportunity_id": ["a", None],
            "name": [LONG, "12 others"],
            "organizer": ["Acme", None],
            "value": [Decimal(1000), None],
            "chance": [0.5, None],
            "contribution": [0.8, 0.2],
        }
    )


def test_contributions_name_their_opportunity_and_the_others_open_nothing() -> None:
    figure = forecast.contributions(spread(), "CAD").figure
    assert list(figure.data[0].customdata) == ["a", ""]
    assert len(texts(figure)[0]) <= forecast.NAME
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in figure.data[0].hovertext[0]
    assert texts(figure)[1] == "<b>80\N{NO-BREAK SPACE}%</b> · CA$1.00K"
    assert "CA$1,000.00, won in the period in 50\N{NO-BREAK SPACE}%" in figure.data[0].hovertext[0]


def test_two_forecasts_are_compared_on_one_scale() -> None:
    pair = pd.DataFrame(
        {"label": ["As it is", "What if"], "p10": [10.0, 20.0], "p50": [50.0, 60.0], "p90": [90.0, 95.0],
         "chance": [0.4, None]}
    )  # fmt: skip
    chart = forecast.compared(pair, 70.0, "CAD")
    assert texts(chart.figure)[1] == "<b>CA$50</b> · <b>40\N{NO-BREAK SPACE}%</b> to reach the target"
    assert texts(chart.figure)[3] == "<b>CA$60</b>"
    low, high = chart.figure.layout.xaxis.range
    assert low < 10
    assert high > 95


# Looking back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "symbol", "words"), [(130.0, "circle", "within the range"), (500.0, "x", "outside the range")]
)
def test_what_came_is_within_the_range_or_not(actual: float, symbol: str, words: str) -> None:
    figure = forecast.look_back(past(actual=[actual]), "CAD").figure
    bands, _, came = figure.data
    assert bands.base[0] == 110
    assert bands.y[0] == 80
    assert list(came.marker.symbol) == [symbol]
    assert words in came.hovertext[0]
    assert came.customdata[0] == "2026-01-01"


@pytest.mark.parametrize(("actual", "words"), [(130.0, "CA$30 too low"), (60.0, "CA$40 too high"), (100.0, "right")])
def test_a_bias_is_said_in_words(actual: float, words: str) -> None:
    chart = forecast.bias(backtest.accuracy(past(actual=[actual])), "horizon", "CAD")
    assert words in texts(chart.figure)[1]
    assert words in chart.words
    low, high = chart.figure.layout.xaxis.range
    assert low == -high  # nothing is nearer to one side


def test_coverage_stands_beside_what_it_should_be() -> None:
    chart = forecast.coverage(backtest.coverage(past()))
    ticks, dots = chart.figure.data[1], chart.figure.data[2]
    assert list(ticks.x) == [0.5, 0.8, 0.9]
    assert list(dots.x) == [1, 1, 1]
    assert "held 1 of 1" in texts(chart.figure)[1]


# All ----------------------------------------------------------------------------------------------------------


def test_plotly_finds_nothing_wrong_with_any_figure() -> None:
    pair = pd.DataFrame({"label": ["As it is"], "p10": [10.0], "p50": [50.0], "p90": [90.0], "chance": [None]})
    levels = {"P10": 10.0, "P50": 50.0, "P90": 90.0}
    for chart in (
        forecast.against_target(rows(), NAMES, "CAD"),
        forecast.distribution(even(0, 100), levels, 20, "CAD", what_if=even(10, 90)),
        forecast.contributions(spread(), "CAD"),
        forecast.compared(pair, None, "CAD"),
        forecast.look_back(past(), "CAD"),
        forecast.bias(backtest.accuracy(past()), "horizon", "CAD"),
        forecast.coverage(backtest.coverage(past())),
    ):
        assert go.Figure(chart.figure.to_dict()).data  # raises what it finds


def test_every_chart_of_nothing_is_a_chart() -> None:
    for chart in (
        forecast.against_target(rows().iloc[:0], NAMES, "CAD"),
        forecast.contributions(spread().iloc[:0], "CAD"),
        forecast.look_back(past().iloc[:0], "CAD"),
        forecast.bias(backtest.accuracy(past().iloc[:0]), "horizon", "CAD"),
        forecast.coverage(backtest.coverage(past().iloc[:0])),
    ):
        assert chart.figure.layout.height > 0


@pytest.mark.parametrize(("least", "most"), [(0, 1), (3, 3), (-7e6, 12e6), (0.001, 0.0015), (1e9, 1.1e9)])
def test_the_amounts_of_an_axis_are_round_and_few(least: float, most: float) -> None:
    ticks = forecast._round_amounts(least, most, 4)
    assert 1 <= len(ticks) <= 5
    assert all(least <= tick <= most for tick in ticks)
