from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.charts import engagement, style
from queries import engagement as asked
from queries.question import Question

LONG = "An extraordinarily long name of an organizer, <b>bold</b> & more"
MONDAY = date(2025, 11, 3)


def frame(question: Question[Any], *rows: dict[str, Any]) -> pd.DataFrame:
    """The question's answer with these rows; what they leave out is missing."""
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=unit.dtype) for name, unit in question.columns.items()}
    )


def hours(**busy: int) -> pd.DataFrame:
    """A week in which `d3h9=5` is five activities on Wednesday from 9 to 10."""
    cells = [(weekday, hour, busy.get(f"d{weekday}h{hour}", 0)) for weekday in range(1, 8) for hour in range(24)]
    return frame(asked.heatmap, *({"weekday": d, "hour": h, "activities": n, "per_week": n / 4} for d, h, n in cells))


def days(*numbers: int) -> pd.DataFrame:
    first = date(2025, 11, 3)
    return frame(asked.calendar, *({"day": first + timedelta(days=n), "activities": k} for n, k in enumerate(numbers)))


def accounts() -> pd.DataFrame:
    rows = [("a", "Acme", Decimal(1000)), ("b", LONG, Decimal(0))]
    return frame(
        asked.top_accounts,
        *(
            {"organizer_id": key, "organizer": name, "owner": "Rita", "value": value,
             "week": MONDAY + timedelta(weeks=week), "activities": week if key == "a" else 0}
            for key, name, value in rows for week in range(3)
        ),
    )  # fmt: skip


def types() -> pd.DataFrame:
    weeks = [MONDAY, MONDAY + timedelta(weeks=1)]
    return frame(
        asked.by_type,
        *(
            {"week": week, "type": kind, "activities": place}
            for place, week in enumerate(weeks)
            for kind in asked.KINDS
        ),
    )


def silent() -> pd.DataFrame:
    common = {"owner": "Rita", "opportunities": 1, "without_rate": 0, "total": 2}
    return frame(
        asked.neglected,
        {"organizer_id": "a", "organizer": LONG, "value": Decimal(1000), "days_silent": 40, **common},
        {"organizer_id": "b", "organizer": "Beta", "value": Decimal(0), **common},
    )


def owners(number: int = 1) -> pd.DataFrame:
    return frame(
        asked.reach,
        {"owner": "(nobody)", "contacts": 3, "reached": 1, "reached_share": 1 / 3, "decision_makers": 0,
         "decision_makers_reached": 0},
        *({"owner_id": f"{n}", "owner": LONG, "contacts": 4, "reached": 2, "reached_share": 0.5, "decision_makers": 2,
           "decision_makers_reached": 1, "decision_makers_share": 0.5} for n in range(number)),
    )  # fmt: skip


def people(number: int = 1) -> pd.DataFrame:
    return frame(
        asked.task_load,
        *({"owner_id": f"{n}", "person": LONG, "pending": 5, "overdue": 2, "completed": 0, "on_time": 0}
          for n in range(number)),
    )  # fmt: skip


def bands() -> pd.DataFrame:
    return frame(
        asked.score_bands,
        *(
            {"band": n, "lowest": low, "highest": high, "organizers": n * 7}
            for n, (low, high) in enumerate(asked.BANDS)
        ),
    )


def movers() -> pd.DataFrame:
    common = {"owner": "Rita", "total": 2}
    return frame(
        asked.scored,
        {"organizer_id": "a", "organizer": LONG, "score": 60, "before": 20, "change": 40, **common},
        {"organizer_id": "b", "organizer": "Beta", "score": 0, "before": 98, "change": -98, **common},
    )


def marks(chart: style.Chart, trace: int = 0) -> dict[str, Any]:
    """From customdata to what the mark is coloured."""
    drawn = chart.figure.data[trace]
    return dict(zip(drawn.customdata, drawn.marker.color, strict=True))


def test_a_cell_is_darker_the_more_and_an_empty_frame_for_nothing() -> None:
    chart = engagement.heatmap(hours(d3h9=100, d3h10=25, d7h23=1), "activities")
    colors = marks(chart)
    assert colors["3|9"] == engagement.STEPS[-1]
    assert colors["3|10"] == engagement.STEPS[4]  # half as dark: by the square root
    assert colors["7|23"] == engagement.STEPS[0]
    assert colors["1|9"] == style.CLEAR
    assert chart.figure.data[0].marker.line.color == style.GROUND
    assert "the most, 100\N{NO-BREAK SPACE}activities, on Wednesday 9:00 – 10:00" in chart.words


def test_hours_of_the_night_are_shown_where_something_happened() -> None:
    assert {key.split("|")[1] for key in marks(engagement.heatmap(hours(), "activities"))} == {
        str(hour) for hour in engagement.OFFICE
    }
    assert "1|2" in marks(engagement.heatmap(hours(d5h2=1), "activities"))


def test_a_cell_says_its_count_and_its_rate() -> None:
    chart = engagement.heatmap(hours(d1h9=6), "per_week")
    place = list(chart.figure.data[0].customdata).index("1|9")
    assert chart.figure.data[0].hovertext[place] == (
        "<b>Monday 9:00 – 10:00</b><br>6\N{NO-BREAK SPACE}activities, 1.5 per working week"
    )


def test_the_calendar_ends_today() -> None:
    chart = engagement.calendar(days(*[0] * 7, 5, 1))
    cells = chart.figure.data[0]
    assert len(cells.x) == 9
    assert (cells.x[-1], cells.base[-1] + engagement.CELL / 2) == (1, 1)  # Tuesday of the second week
    assert cells.customdata[-1] == "2025-11-11"
    assert "6\N{NO-BREAK SPACE}activities, 7\N{NO-BREAK SPACE}days without any" in chart.words


def test_accounts_stand_in_their_order_with_their_value() -> None:
    chart = engagement.top_accounts(accounts(), "CAD")
    assert [note.text for note in chart.figure.layout.annotations[:2]] == ["Acme", "<b>CA$1.00K</b> open"]
    assert marks(chart)["a|2025-11-17"] == engagement.STEPS[-1]
    assert marks(chart)["b|2025-11-17"] == style.CLEAR
    assert "1\N{NO-BREAK SPACE}account without any" in chart.words


def test_weeks_of_all_types_are_at_one_scale_and_an_empty_one_can_be_clicked() -> None:
    bars = engagement.by_type(types()).figure.data[0]
    heights = dict(zip(bars.customdata, bars.y, strict=True))
    assert heights["2025-11-10|call"] == heights["2025-11-10|event"] < heights["2025-11-03|call"] < 0


def test_of_many_the_first_are_drawn() -> None:
    assert len(engagement.reach(owners(20)).figure.data[1].x) == engagement.MANY
    assert len(engagement.task_load(people(20)).figure.data[0].x) == engagement.MANY
    assert len(engagement.neglected(pd.concat([silent()] * 9), "CAD").figure.data[0].x) == engagement.FEW


def test_silence_is_said_in_days_or_as_never() -> None:
    said = engagement.neglected(silent(), "CAD")
    assert "CA$1.00K, silent for 40\N{NO-BREAK SPACE}days" in said.words
    assert "Beta CA$0, no activity yet" in said.words


def test_an_owner_without_decision_makers_has_no_bar() -> None:
    ground, bars, _mark = engagement.reach(owners()).figure.data
    assert (bars.x[0], bars.x[1]) == (None, 0.5)
    assert list(ground.customdata) == ["nobody", "0"]


def test_scores_that_rise_and_fall_differ_in_colour_and_in_shape() -> None:
    lines, ends = engagement.movers(movers()).figure.data
    assert list(lines.marker.color) == [style.UP, style.DOWN]
    assert list(ends.marker.symbol) == ["triangle-right", "triangle-left"]
    assert (list(lines.base), list(lines.x)) == ([20, 98], [40, -98])


def test_a_week_is_said_in_words() -> None:
    assert engagement.week_of(date(2025, 11, 3)) == "3 – 9 Nov 2025"
    assert engagement.week_of(date(2025, 10, 27)) == "27 Oct – 2 Nov 2025"
    assert engagement.week_of(date(2025, 12, 29)) == "29 Dec 2025 – 4 Jan 2026"


def charts_of(rows: slice) -> list[style.Chart]:
    return [
        engagement.heatmap(hours(), "per_week"),
        engagement.calendar(days(1).iloc[rows]),
        engagement.top_accounts(accounts().iloc[rows], "CAD"),
        engagement.by_type(types().iloc[rows]),
        engagement.neglected(silent().iloc[rows], "CAD"),
        engagement.reach(owners().iloc[rows]),
        engagement.task_load(people().iloc[rows]),
        engagement.score_bands(bands().iloc[rows]),
        engagement.movers(movers().iloc[rows]),
    ]


def test_plotly_finds_nothing_wrong_with_any_figure() -> None:
    for chart in charts_of(slice(None)):
        assert go.Figure(chart.figure.to_dict()).data  # raises what it finds


def test_every_chart_of_nothing_is_a_chart() -> None:
    for chart in charts_of(slice(0)):
        assert chart.figure.layout.height > 0


def test_a_name_is_text_in_every_chart() -> None:
    for chart in charts_of(slice(None)):
        assert "<b>bold" not in str(chart.figure.to_dict())
