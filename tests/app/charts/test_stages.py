"""What the Stages page's pictures show; Plotly checks each figure here, as it doesn't on the page."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from app.charts import stages as charts
from app.charts.style import Chart

NBSP = "\N{NO-BREAK SPACE}"
NASTY = "<b>Löwe & Söhne</b> with a name that is longer than any label may be"


def traces(chart: Chart) -> list[Any]:
    """The figure's traces, after Plotly has looked at all of it."""
    return list(go.Figure(chart.figure.to_dict()).data)


def texts(chart: Chart) -> list[str]:
    return [annotation.text for annotation in chart.figure.layout.annotations]


@pytest.fixture
def calibrated() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stage_id": ["1", "2", "3"],
            "stage": ["Lead", NASTY, "Unproven"],
            "color": ["#112233", "#445566", "#778899"],
            "set_probability": [0.1, 0.75, 0.5],
            "rate": [0.2, 0.6, None],
            "low": [0.15, 0.55, None],
            "high": [0.26, 0.65, None],
            "n": [200, 400, 0],
        }
    ).astype(dict.fromkeys(["set_probability", "rate", "low", "high"], "Float64"))


CURVE = pd.DataFrame(
    {"bin_low": [0.1], "bin_high": [0.2], "forecast": [0.12], "rate": [0.2], "low": [0.1], "high": [0.3], "n": [7]}
)


def test_the_plot_shows_each_stage_that_has_history(calibrated: pd.DataFrame) -> None:
    chart = charts.reliability(calibrated, CURVE)
    found = traces(chart)
    diagonal, curve, lead, other, points = found
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    assert (list(curve.x), list(curve.y)) == ([0.12], [0.2])
    assert (list(lead.x), list(lead.y)) == ([0.1, 0.1], [0.15, 0.26])
    assert other.line.color == "#445566"
    assert list(points.x) == [0.1, 0.75]
    assert list(points.y) == [0.2, 0.6]
    assert "&lt;b&gt;Löwe &amp; Söhne" in points.hovertext[1]
    assert "Set to" in points.hovertext[0]
    assert f"20{NBSP}% of 200 closed were won" in points.hovertext[0]
    assert f"Lead set 10{NBSP}%, won 20{NBSP}%" in chart.words


def test_without_history_there_is_a_plot_with_nothing_in_it(calibrated: pd.DataFrame) -> None:
    assert len(traces(charts.reliability(calibrated.iloc[2:], CURVE.iloc[:0]))) == 3


def test_an_interval_reads_as_one() -> None:
    assert charts.interval(0.354, 0.41) == f"35–41{NBSP}%"
    assert charts.interval(None, None) == "–"


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "forecaster": ["set", "calibrated", "base"],
            "brier": [0.2, 0.15, 0.25],
            "brier_low": [0.19, 0.14, 0.24],
            "brier_high": [0.21, 0.16, 0.26],
            "log_loss": [0.6, 0.5, 0.7],
            "ece": [0.08, 0.02, 0.0],
        }
    )


def test_forecasters_are_told_by_their_error(scores: pd.DataFrame) -> None:
    chart = charts.scores(scores)
    assert texts(chart)[1::2] == [
        "<b>0.200</b>",
        f"<b>0.150</b> · 25{NBSP}% less error",
        f"<b>0.250</b> · 25{NBSP}% more error",
    ]
    points = traces(chart)[-1]
    assert list(points.x) == [0.2, 0.15, 0.25]
    assert "interval 0.140–0.160" in points.hovertext[1]
    assert "2 points off" in points.hovertext[1]
    assert [list(line.x) for line in traces(chart)[:-1]] == [[0.19, 0.21], [0.14, 0.16], [0.24, 0.26]]


def test_owners_are_told_apart_only_where_their_interval_does() -> None:
    owners = pd.DataFrame(
        {
            "owner": ["Better", "Worse", "Unsure", "New"],
            "n": [40, 50, 60, 3],
            "brier_override": [0.1, 0.3, 0.2, 0.1],
            "brier_stage": [0.2, 0.2, 0.21, 0.4],
            "saved": [0.1, -0.1, 0.01, 0.3],
            "low": [0.05, -0.2, -0.02, None],
            "high": [0.15, -0.01, 0.04, None],
            "reason": ["", "", "", "Not enough closed deals: 3, and a judgement takes 30."],
        }
    )
    chart = charts.overrides(owners)
    points = traces(chart)[-1]
    assert len(set(points.marker.color)) == 3
    assert points.marker.color[2] == points.marker.color[3]
    assert texts(chart)[1::2] == [
        f"<b>50{NBSP}% less error</b> · 40 closed",
        f"<b>50{NBSP}% more error</b> · 50 closed",
        f"<b>5{NBSP}% less error</b> · 60 closed",
        "not judged · 3 closed",
    ]
    assert [text.split("<br>")[1] for text in points.hovertext] == [
        "Better than the stage",
        "Worse than the stage",
        "No better and no worse than the stage, as far as one can tell",
        "Not enough closed deals: 3, and a judgement takes 30.",
    ]
    low, high = chart.figure.layout.xaxis.range
    assert low < -0.2
    assert high > 0.3


SUMS = pd.DataFrame(
    {
        "stage_id": ["1", "2"],
        "stage": ["Lead", NASTY],
        "owner": [NASTY, "2 others"],
        "label": ["Overdue", "Nov 26"],
        "color": ["#112233", "#445566"],
        "opportunities": [3, 4],
        "before": [100.0, 2000.0],
        "after": [100.0, 1500.0],
        "change": [0.0, -500.0],
    }
)


def test_the_preview_tells_what_moves_and_what_does_not() -> None:
    chart = charts.by_stage(SUMS, "CAD")
    assert texts(chart)[1::2] == ["<b>CA$100</b>", "CA$2.00K → <b>CA$1.50K</b>"]
    before, after = traces(chart)
    assert (list(before.x), list(after.x)) == ([100, 2000], [100, 1500])
    months = charts.by_month(SUMS, "CAD")
    after, before = traces(months)
    assert (list(before.y), list(after.y)) == ([100, 2000], [100, 1500])
    assert list(months.figure.layout.xaxis.ticktext) == ["Overdue", "Nov 26"]
    owners = charts.by_owner(SUMS, "CAD")
    assert list(traces(owners)[0].x) == [0, -500]
    assert texts(owners)[3] == "−CA$500"
    assert "&lt;b&gt;Löwe" in texts(owners)[0]


@pytest.mark.parametrize("draw", [charts.by_stage, charts.by_month, charts.by_owner])
def test_nothing_is_drawn_as_nothing(draw: Any) -> None:
    assert traces(draw(SUMS.iloc[:0], "CAD"))


@pytest.mark.parametrize(("amount", "text"), [(0, "CA$0.00"), (1, "+CA$1.00"), (-1, "−CA$1.00")])
def test_a_change_has_its_sign(amount: float, text: str) -> None:
    assert charts.signed(amount, "CAD") == text
