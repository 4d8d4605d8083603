from decimal import Decimal
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from app.charts import health as charts
from app.charts import style
from app.charts.style import Chart
from app.estimates import churn
from app.estimates.health import WEIGHTS
from queries import health
from queries.question import Question

LONG = "An extraordinarily long name of an organizer, <b>bold</b> & more"


def frame(question: Question[Any], **columns: list[Any]) -> pd.DataFrame:
    """Rows of a question: the named columns, the others missing."""
    length = max(map(len, columns.values()), default=0)
    return pd.DataFrame(
        {
            name: pd.Series(columns.get(name, [None] * length), dtype=unit.dtype)
            for name, unit in question.columns.items()
        }
    )


def accounts(**columns: list[Any]) -> pd.DataFrame:
    return frame(
        health.accounts,
        **{
            "organizer_id": ["a", "b", "c"],
            "organizer": ["Acme", LONG, "Cedar"],
            "owner": ["Rita", "Ravi", "Rita"],
            "health": [30, 50, 72],
            "churn_risk": ["high", "medium", "low"],
            "churn_probability": [0.6, 0.3, 0.1],
            "value": [Decimal(1000), Decimal(2000), Decimal(500)],
            "revenue_at_risk": [Decimal(600), Decimal(600), Decimal(50)],
        }
        | columns,
    )


def texts(chart: Chart) -> list[str]:
    return [annotation.text for annotation in chart.figure.layout.annotations]


def test_an_account_stands_at_its_probability_and_value_as_large_as_what_is_at_risk() -> None:
    points = charts.at_risk(accounts(), "CAD", by_chance=True).figure.data[-1]
    assert list(points.x) == [0.6, 0.3, 0.1]
    assert list(points.y) == [1000, 2000, 500]
    assert list(points.customdata) == ["a", "b", "c"]
    assert points.marker.size[0] == points.marker.size[1] == charts.LARGEST > points.marker.size[2]
    assert "CA$1.00K won in 12 months × 60\N{NO-BREAK SPACE}% to churn = CA$600 at risk" in points.hovertext[0]


def test_risks_differ_in_shape_and_word_and_not_in_colour_alone() -> None:
    chart = charts.at_risk(accounts(), "CAD", by_chance=True)
    points = chart.figure.data[-1]
    assert len(set(points.marker.symbol)) == len(set(points.marker.color)) == 3
    assert texts(chart) == ["● Low", "▲ Medium", "■ High"]
    assert [shape.x0 for shape in chart.figure.layout.shapes] == [0.2, 0.5]


def test_without_a_model_accounts_stand_by_health_the_worst_at_the_right() -> None:
    chart = charts.at_risk(accounts(churn_probability=[None] * 3), "CAD", by_chance=False)
    (points,) = chart.figure.data
    assert list(points.x) == [30, 50, 72]
    first, last = chart.figure.layout.xaxis.range
    assert first > last
    assert "0 to 100, high is good" in chart.figure.layout.xaxis.title.text
    assert "to churn" not in points.hovertext[0]


def test_names_beside_points_leave_room_for_each_other() -> None:
    many = accounts(
        organizer_id=list("abcdef"), organizer=["Acme"] * 6, owner=["Rita"] * 6, health=[1] * 6,
        churn_risk=["high"] * 6, churn_probability=[0.5] * 6, value=[Decimal(9)] * 6, revenue_at_risk=[Decimal(4)] * 6,
    )  # fmt: skip
    points = charts.at_risk(many, "CAD", by_chance=True).figure.data[-1]
    named = [side for side, name in zip(points.textposition, points.text, strict=True) if name]
    assert sorted(named) == ["middle left", "middle right", "top center"]  # one at each side, and then no more
    apart = charts.at_risk(accounts(), "CAD", by_chance=True).figure.data[-1].text
    assert [name.strip() for name in apart] == ["Acme", "An extraordinaril…", "Cedar"]


@pytest.mark.parametrize(("by_chance", "amounts"), [(True, [600, 60, 6]), (False, [1000, 2000, 3000])])
def test_bars_of_risk_have_the_highest_first(by_chance: bool, amounts: list[float]) -> None:
    levels = frame(
        health.risk, risk=["low", "medium", "high"], organizers=[3, 2, 1],
        value=[Decimal(3000), Decimal(2000), Decimal(1000)], revenue_at_risk=[Decimal(6), Decimal(60), Decimal(600)],
    )  # fmt: skip
    chart = charts.by_risk(levels, "CAD", by_chance=by_chance)
    (bars,) = chart.figure.data
    assert list(bars.customdata) == ["high", "medium", "low"]
    assert list(bars.x) == amounts
    assert texts(chart)[0] == "■\N{NO-BREAK SPACE}High"
    assert texts(chart)[1].endswith("1\N{NO-BREAK SPACE}organizer")


def test_each_segment_s_bar_is_whole_and_its_parts_know_what_they_are() -> None:
    bands = frame(
        health.distribution, segment=["arts", "arts", "arts", "a|b", "a|b", "a|b"], band=[0, 1, 2] * 2,
        lowest=[0, 35, 60] * 2, highest=[34, 59, 100] * 2, organizers=[1, 1, 2, 0, 0, 3],
        median_health=[50.0] * 3 + [70.0] * 3,
    )  # fmt: skip
    chart = charts.distribution(bands)
    assert [sum(shares) for shares in zip(*(trace.x for trace in chart.figure.data), strict=True)] == [1, 1]
    assert list(chart.figure.data[2].customdata) == ["2|arts", "2|a|b"]
    assert list(chart.figure.data[0].text) == ["■ 1", ""]
    assert texts(chart)[:2] == ["arts", "median <b>50</b> · 4"]
    assert "high is good" in chart.words


def test_movers_go_from_the_earlier_score_to_the_later() -> None:
    moved = frame(
        health.movers, organizer_id=["a", "b"], organizer=["Acme", LONG], owner=["Rita", "Ravi"], before=[80, 20],
        health=[50, 60], change=[-30, 40], part=["clock", None], risk_before=["low", "high"],
        churn_risk=["medium", "low"],
    )  # fmt: skip
    chart = charts.movers(moved)
    _, bars, ends = chart.figure.data
    assert [start + change for start, change in zip(bars.base, bars.x, strict=True)] == list(ends.x) == [50, 60]
    assert list(ends.marker.symbol) == ["triangle-left", "triangle-right"]
    assert texts(chart)[1] == "80 → <b>50</b> (−30)"
    assert "mostly by rebooking clock" in bars.hovertext[0]
    assert "high is good" in chart.figure.layout.xaxis.title.text


def test_the_calibration_curve_has_its_intervals() -> None:
    curve = frame(health.calibration, forecast=[0.2], rate=[0.25], low=[0.1], high=[0.5], n=[40])
    _, points = charts.calibration(curve).figure.data
    assert (points.error_y.array[0], points.error_y.arrayminus[0]) == pytest.approx((0.25, 0.15))
    assert "Said 20\N{NO-BREAK SPACE}%, came true 25\N{NO-BREAK SPACE}%" in points.hovertext[0]


def test_a_cell_of_retention_knows_its_quarter_and_distance() -> None:
    kept = frame(
        health.retention, cohort=["2025-01-01", "2025-01-01", "2025-04-01"], quarters=[0, 1, 0],
        organizers=[4, 4, 2], kept=[4, 3, 2], share=[1.0, 0.75, 1.0],
    )  # fmt: skip
    chart = charts.retention(kept)
    (cells,) = chart.figure.data
    assert list(cells.customdata) == ["2025-01-01|0", "2025-01-01|1", "2025-04-01|0"]
    assert list(cells.text) == ["100", "75", "100"]
    assert list(chart.figure.layout.yaxis.ticktext) == ["2025 Q1 · 4", "2025 Q2 · 2"]


WHY = {
    "kind": ["health", "health", "churn", "churn", "churn"],
    "part": ["engagement", "clock", "base", "overdue", "satisfaction"],
    "points": [12.5, 17.5, 40.0, 25.5, -5.5],
    "observed": [42.0, 70.0, None, None, None],
}


def test_parts_of_the_health_score_stand_within_the_most_that_they_can_bring() -> None:
    why = frame(health.why, **{name: cells[:2] for name, cells in WHY.items()})
    most, points = charts.parts(why).figure.data
    assert sum(most.x) == pytest.approx(100)
    assert sum(points.x) == 30
    assert all(part <= whole for part, whole in zip(points.x, most.x, strict=True))


def test_reasons_add_up_to_the_probability() -> None:
    why = frame(health.why, **{name: cells[2:] for name, cells in WHY.items()})
    (bars,) = charts.reasons(why).figure.data
    assert sum(bars.x[:-1]) == bars.x[-1] == 60
    assert list(bars.text) == ["40.0", "+25.5", "−5.5", "60.0"]
    assert bars.measure[0] == bars.measure[-1] == "absolute"


def test_history_says_which_way_is_good() -> None:
    scores = frame(
        health.score_history, scored_on=["2026-01-01", "2026-02-01"], engagement=[10, 20], health=[40, 60],
        churn_risk=["medium", "low"], churn_probability=[None, 0.1],
    )  # fmt: skip
    chart = charts.history(scores)
    assert list(chart.figure.data[1].y) == [40, 60]
    assert "high is good" in chart.figure.layout.yaxis.title.text
    assert "10\N{NO-BREAK SPACE}% to churn" in chart.figure.data[1].hovertext[1]


def every(rows: int) -> list[Chart]:
    why = frame(health.why, **{name: cells[: 5 * rows] for name, cells in WHY.items()})
    levels = frame(
        health.risk, risk=["low"] * rows, organizers=[1] * rows, value=[Decimal(1)] * rows,
        revenue_at_risk=[Decimal(0)] * rows,
    )  # fmt: skip
    bands = frame(
        health.distribution, segment=[LONG] * 3 * rows, band=[0, 1, 2] * rows, lowest=[0, 35, 60] * rows,
        highest=[34, 59, 100] * rows, organizers=[1, 0, 0] * rows, median_health=[1.0] * 3 * rows,
    )  # fmt: skip
    moved = frame(
        health.movers, organizer_id=["a"] * rows, organizer=[LONG] * rows, owner=[LONG] * rows, before=[1] * rows,
        health=[2] * rows, change=[1] * rows,
    )  # fmt: skip
    half = [0.5] * rows
    curve = frame(health.calibration, forecast=half, rate=half, low=half, high=half, n=[1] * rows)
    kept = frame(
        health.retention, cohort=["2025-01-01"] * rows, quarters=[0] * rows, organizers=[1] * rows, kept=[1] * rows,
        share=[1.0] * rows,
    )  # fmt: skip
    scores = frame(health.score_history, scored_on=["2026-01-01"] * rows, engagement=[1] * rows, health=[1] * rows)
    return [
        charts.at_risk(accounts().head(rows), "CAD", by_chance=True),
        charts.at_risk(accounts(churn_probability=[None] * 3).head(rows), "CAD", by_chance=False),
        charts.by_risk(levels, "CAD", by_chance=True), charts.distribution(bands), charts.movers(moved),
        charts.calibration(curve), charts.retention(kept), charts.parts(why.head(2)),
        charts.reasons(why.tail(3 * rows)), charts.history(scores),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [0, 1])
def test_plotly_finds_nothing_wrong_with_any_figure_of_nothing_or_of_one_row(rows: int) -> None:
    for chart in every(rows):
        assert go.Figure(chart.figure.to_dict()).layout.height > 0  # raises what it finds
        assert chart.words.endswith(".")


def test_names_are_text_and_whole_in_the_hover_text() -> None:
    points = charts.at_risk(accounts(), "CAD", by_chance=True).figure.data[-1]
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in points.hovertext[1]
    assert style.literal("<b>") == "&lt;b&gt;"


def test_whatever_moves_a_score_has_a_name() -> None:
    nothing = churn.Past(
        organizers=1,
        today=20_000,
        occasions=pd.DataFrame(
            {"organizer": [0], "day": [19_000], "is_event": [True], "value": [0.0], "known_from": [0]}
            | {"known_until": [churn.NEVER]}
        ),
        answers=pd.DataFrame({"organizer": [], "day": [], "satisfaction": []}, dtype=float),
        activities=pd.DataFrame(columns=["organizer", "colleague", "stretch", "known", "n", "free"], dtype=float),
    )
    assert {"base", *churn.features(nothing, 20_000).columns} == set(charts.FEATURES)
    assert set(charts.PARTS) == set(WEIGHTS)
