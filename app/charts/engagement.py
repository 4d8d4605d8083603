"""The pictures of the Engagement page."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import pandas as pd

from app import formats, frames
from app.charts import drawing, style
from app.charts.style import Chart

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OFFICE = range(7, 20)  # hours that are always shown; others where something happened
STEPS = tuple(f"#0000{number}" for number in range(12, 21))  # stand-ins for the sequential colours, the palest left out
CELL = 0.9  # of a cell's pitch, so that a line of ground lies between two
ROW = 46  # pixels for a bar and its line of text
FEW, MANY = 5, 8  # bars beside a grid; the table holds all
NAME = 30  # letters of a name before it is cut; the whole name stands in the hover text
PLURALS = {
    "call": "Calls",
    "email": "Emails",
    "meeting": "Meetings",
    "note": "Notes",
    "task": "Tasks",
    "event": "Days on site",
}

Measure = Literal["activities", "per_week"]


# Grids ---------------------------------------------------------------------------------------------------


def _cells(
    x: Sequence[float],
    y: Sequence[float],
    amounts: Sequence[float],
    sentences: list[str],
    customdata: list[str],
    height: float = CELL,
) -> dict[str, Any]:
    """A grid of cells that grow with the picture: the darker the more, by the square root; nothing is an empty frame.

    They are bars, because a square marker has the same pixels on a laptop and on a phone, and clicks on the cells of a
    heatmap are not reported.
    """
    most = max(amounts, default=0) or 1
    colors = [
        STEPS[math.ceil(len(STEPS) * math.sqrt(amount / most)) - 1] if amount > 0 else style.CLEAR for amount in amounts
    ]
    return {
        "type": "bar",
        "x": list(x),
        "y": [height] * len(y),
        "base": [row - height / 2 for row in y],
        "width": CELL,
        "marker": {"color": colors, "line": {"color": style.GROUND, "width": 1}, "cornerradius": 2},
        "hovertext": sentences,
        "hovertemplate": drawing.HOVER,
        "customdata": customdata,
        "unselected": {"marker": {"opacity": 1}},
    }


def _rows_axis(names: Sequence[str], **more: Any) -> dict[str, Any]:
    """Rows from top to bottom, each with its name at the left."""
    return {
        "range": [len(names) - 0.5, -0.5],
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "tickfont": {"color": style.INK},
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "fixedrange": True,
        **more,
    }


def _columns_axis(places: Sequence[float], names: Sequence[str], first: float, last: float) -> dict[str, Any]:
    return {
        "range": [first - 0.5, last + 0.5],
        "tickvals": list(places),
        "ticktext": list(names),
        "tickangle": 0,
        "side": "top",
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
    }


def clock(hour: int) -> str:
    """An hour of the day: 9:00 – 10:00."""
    return f"{hour}:00 – {hour + 1}:00"


def heatmap(cells: pd.DataFrame, measure: Measure) -> Chart:
    """Weekdays down, hours across; customdata is `weekday|hour`.

    Hours of the night in which nothing happened are left out.
    """
    busy = set(cells.loc[cells["activities"] > 0, "hour"]) | set(OFFICE)
    first, last = min(busy), max(busy)
    hours = range(first, last + 1, 2)
    shown: list[Any] = list(cells[cells["hour"].between(first, last)].itertuples())
    sentences = [
        f"<b>{WEEKDAYS[cell.weekday - 1]} {clock(cell.hour)}</b><br>"
        f"{formats.counted(cell.activities, 'activity', 'activities')}"
        + ("" if pd.isna(cell.per_week) else f", {cell.per_week:,.1f} per working week")
        for cell in shown
    ]
    amounts = [0.0 if pd.isna(amount) else float(amount) for amount in (getattr(cell, measure) for cell in shown)]
    figure = style.figure(
        7 * 28 + 24,
        [
            _cells(
                [cell.hour for cell in shown], [cell.weekday - 1 for cell in shown], amounts, sentences,
                [f"{cell.weekday}|{cell.hour}" for cell in shown],
            )
        ],
        margin={"l": 0, "r": 0, "t": 24, "b": 0, "pad": 4},
        xaxis=_columns_axis(hours, [str(hour) for hour in hours], first, last),
        yaxis=_rows_axis([name[:3] for name in WEEKDAYS]),
    )  # fmt: skip
    most = max(shown, key=lambda cell: int(cell.activities))
    said = (
        f"the most, {formats.counted(most.activities, 'activity', 'activities')},"
        f" on {WEEKDAYS[most.weekday - 1]} {clock(most.hour)}"
        if most.activities
        else "nothing happened"
    )
    return Chart(figure, f"Grid of activities by weekday and hour: {said}.")


def calendar(days: pd.DataFrame) -> Chart:
    """Weekdays down, weeks across, oldest left; customdata is the day. Days to come have no cell."""
    rows = frames.rows(days)
    dates = [row.day.date() for row in rows]
    sentences = [
        f"<b>{WEEKDAYS[day.weekday()]}, {formats.day(day)}</b><br>"
        f"{formats.counted(row.activities, 'activity', 'activities')}"
        for day, row in zip(dates, rows, strict=True)
    ]
    weeks = [(day - dates[0]).days // 7 for day in dates]
    mondays = [(week, day) for week, day in zip(weeks, dates, strict=True) if day.weekday() == 0]
    months = [(week, f"{day:%b}") for week, day in mondays if day.day <= 7]
    figure = style.figure(
        7 * 20 + 26,
        [
            _cells(
                weeks, [day.weekday() for day in dates], [float(row.activities) for row in rows], sentences,
                [day.isoformat() for day in dates],
            )
        ],
        margin={"l": 0, "r": 0, "t": 24, "b": 0, "pad": 4},
        xaxis=_columns_axis([week for week, _ in months], [month for _, month in months], 0, max(weeks, default=0)),
        yaxis=_rows_axis([name[:3] if place % 2 == 0 else "" for place, name in enumerate(WEEKDAYS)]),
    )  # fmt: skip
    total = int(days["activities"].sum())
    quiet = int((days["activities"] == 0).sum())
    return Chart(
        figure,
        f"Calendar of the last year: {formats.counted(total, 'activity', 'activities')},"
        f" {formats.counted(quiet, 'day')} without any.",
    )


def top_accounts(frame: pd.DataFrame, currency: str) -> Chart:
    """Accounts down with their open value, weeks across; customdata is `organizer_id|week`."""
    rows = frames.rows(frame)
    place = {organizer: number for number, organizer in enumerate(dict.fromkeys(frame["organizer_id"]))}
    weeks = sorted(set(frame["week"]))
    column = {week: number for number, week in enumerate(weeks)}
    sentences = [
        f"<b>{style.literal(row.organizer)}</b><br>"
        f"{formats.counted(row.activities, 'activity', 'activities')} in the week of {formats.day(row.week)}<br>"
        f"{formats.money(row.value, currency)} open"
        for row in rows
    ]
    labels = [
        (style.clipped(each.organizer, NAME), f"<b>{formats.short_money(each.value, currency)}</b> open")
        for each in frame.drop_duplicates("organizer_id").itertuples()
    ]
    figure = style.figure(
        max(len(place), 1) * 42 + 24,
        [
            _cells(
                [column[row.week] for row in rows], [place[row.organizer_id] + 0.02 for row in rows],
                [float(row.activities) for row in rows], sentences,
                [f"{row.organizer_id}|{row.week:%Y-%m-%d}" for row in rows], height=0.44,
            )
        ],
        margin={"l": 0, "r": 0, "t": 20, "b": 0, "pad": 4},
        xaxis=_columns_axis(
            [*range(0, len(weeks), 3)], [f"{week:%-d %b}" for week in weeks[::3]], 0, max(len(weeks) - 1, 0)
        ),
        **style.rows(labels),
    )  # fmt: skip
    silent = frame.groupby("organizer_id")["activities"].sum().eq(0).sum()
    return Chart(
        figure,
        f"Grid of activities by account and week, for the {len(place)} accounts with the most open value;"
        f" {formats.counted(int(silent), 'account')} without any.",
    )


def by_type(frame: pd.DataFrame) -> Chart:
    """A line of bars for each type, one bar a week, all at one scale; customdata is `week|type`."""
    types = list(dict.fromkeys(frame["type"]))
    weeks = sorted(set(frame["week"]))
    column = {week: number for number, week in enumerate(weeks)}
    most = max(int(frame["activities"].max()) if len(frame) else 0, 1)
    rows = frames.rows(frame)
    labels, height = [], 0.52
    for kind in types:
        amounts = frame.loc[frame["type"] == kind, "activities"]
        latest = formats.count(amounts.iloc[-1])
        labels.append((PLURALS[kind], f"<b>{formats.count(amounts.sum())}</b> · {latest} this week"))
    lift = [types.index(row.type) + height / 2 for row in rows]
    figure = style.figure(
        max(len(types), 1) * 56 + 8,
        [
            {
                "type": "bar",
                "x": [column[row.week] for row in rows],
                # Drawn upwards from the row's foot; an empty week keeps a hair, to be seen and clicked.
                "y": [-max(height * row.activities / most, 0.012) for row in rows],
                "base": lift,
                "width": 0.82,
                "marker": {"color": style.ACCENT},
                "hovertext": [
                    f"<b>{PLURALS[row.type]}</b><br>{formats.count(row.activities)}"
                    f" in the week of {formats.day(row.week)}"
                    for row in rows
                ],
                "hovertemplate": drawing.HOVER,
                "customdata": [f"{row.week:%Y-%m-%d}|{row.type}" for row in rows],
                "unselected": {"marker": {"opacity": 1}},
            }
        ],
        xaxis=style.hidden_axis(range=[-0.5, len(weeks) - 0.5]),
        **style.rows(labels),
    )
    said = "; ".join(f"{name} {numbers.replace('<b>', '').replace('</b>', '')}" for name, numbers in labels)
    return Chart(figure, f"Bars of activities per week, by type: {said}.")


# Bars ----------------------------------------------------------------------------------------------------


def _silence(row: Any) -> str:
    return "no activity yet" if pd.isna(row.days_silent) else f"silent for {formats.days(row.days_silent)}"


def _since(row: Any) -> str:
    # Beside a name on a phone there is no room for the whole of it; the title says what it is.
    return "never" if pd.isna(row.days_silent) else formats.days(row.days_silent)


def neglected(accounts: pd.DataFrame, currency: str) -> Chart:
    """The accounts with the most open value among the silent; customdata is the organizer's id."""
    rows = frames.rows(accounts.head(FEW))
    labels = [
        (style.clipped(row.organizer, NAME), f"<b>{formats.short_money(row.value, currency)}</b> · {_since(row)}")
        for row in rows
    ]
    sentences = [
        f"<b>{style.literal(row.organizer)}</b><br>{formats.money(row.value, currency)} in"
        f" {formats.counted(row.opportunities, 'open opportunity', 'open opportunities')}<br>"
        f"{_silence(row).capitalize()}; {style.literal(row.owner)}"
        for row in rows
    ]
    figure = style.figure(
        max(len(rows), 1) * ROW + 8,
        [
            drawing.bars(
                [float(row.value) for row in rows], sentences, [row.organizer_id for row in rows],
                marker={"color": style.ACCENT},
            )
        ],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )  # fmt: skip
    said = "; ".join(f"{row.organizer} {formats.short_money(row.value, currency)}, {_silence(row)}" for row in rows)
    return Chart(figure, f"Bars of open value of accounts without an activity in 30 days: {said}.")


def reach(owners: pd.DataFrame) -> Chart:
    """The share of decision makers that each owner has reached, and a mark at that of all contacts; customdata is the
    owner's id."""
    owners = owners.head(MANY)
    rows = frames.rows(owners)
    labels = [
        (
            style.clipped(row.owner, NAME),
            f"<b>{formats.share(row.decision_makers_share)}</b> ·"
            f" {formats.count(row.decision_makers_reached)} of {formats.count(row.decision_makers)}",
        )
        for row in rows
    ]
    sentences = [
        f"<b>{style.literal(row.owner)}</b><br>Reached in 90 days:<br>"
        f"{formats.count(row.decision_makers_reached)} of"
        f" {formats.counted(row.decision_makers, 'decision maker')}<br>"
        f"{formats.count(row.reached)} of {formats.counted(row.contacts, 'contact')}"
        f" ({formats.share(row.reached_share)})"
        for row in rows
    ]
    ids = [_id(row.owner_id) for row in rows]
    figure = style.figure(
        max(len(rows), 1) * ROW + 8,
        [
            drawing.bars([1.0] * len(rows), sentences, ids, marker={"color": style.GROUND}),
            drawing.bars(
                frames.floats(owners["decision_makers_share"]), sentences, ids, marker={"color": style.ACCENT}
            ),
            drawing.marks(frames.floats(owners["reached_share"]), sentences, ids, **drawing.upright()),
        ],
        xaxis=style.hidden_axis(range=[0, 1.005]),
        **style.rows(labels),
    )
    said = "; ".join(
        f"{row.owner} {formats.share(row.decision_makers_share)} of decision makers,"
        f" {formats.share(row.reached_share)} of contacts"
        for row in rows
    )
    return Chart(figure, f"Bars of the share of decision makers reached in 90 days: {said}.")


def task_load(people: pd.DataFrame) -> Chart:
    """Pending tasks with the overdue ones in front, by person; customdata is the person's id."""
    people = people.head(MANY)
    rows = frames.rows(people)
    labels = [
        (
            style.clipped(row.person, NAME),
            f"<b>{formats.count(row.overdue)} overdue</b> of {formats.count(row.pending)}",
        )
        for row in rows
    ]
    sentences = [
        f"<b>{style.literal(row.person)}</b><br>{formats.counted(row.pending, 'pending task')},"
        f" {formats.count(row.overdue)} overdue<br>"
        f"{formats.counted(row.completed, 'task')} completed in the period, {formats.share(row.on_time_share)} on time"
        for row in rows
    ]
    ids = [_id(row.owner_id) for row in rows]
    figure = style.figure(
        max(len(rows), 1) * ROW + 8,
        [
            drawing.bars(frames.floats(people["pending"]), sentences, ids, marker={"color": style.GROUND}),
            drawing.bars(frames.floats(people["overdue"]), sentences, ids, marker={"color": style.DOWN}),
        ],
        xaxis=style.hidden_axis(rangemode="tozero"),
        **style.rows(labels),
    )
    said = "; ".join(f"{row.person} {row.overdue} overdue of {row.pending}" for row in rows)
    return Chart(figure, f"Bars of pending and overdue tasks by person: {said}.")


def score_bands(bands: pd.DataFrame) -> Chart:
    """How many organizers have which engagement score, high to the right; customdata is the band."""
    rows = frames.rows(bands)
    names = [f"{row.lowest}" if row.lowest == row.highest else f"{row.lowest}–{row.highest}" for row in rows]
    figure = style.figure(
        240,
        [
            {
                "type": "bar",
                "x": list(range(len(rows))),
                "y": frames.floats(bands["organizers"]),
                "width": 0.72,
                "marker": {"color": [style.QUIET if row.highest == 0 else style.ACCENT for row in rows]},
                "text": [formats.count(row.organizers) for row in rows],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertext": [
                    f"<b>Score {name}</b><br>{formats.counted(row.organizers, 'organizer')}"
                    for name, row in zip(names, rows, strict=True)
                ],
                "hovertemplate": drawing.HOVER,
                "customdata": [str(row.band) for row in rows],
                "unselected": {"marker": {"opacity": 1}},
            }
        ],
        margin={"l": 0, "r": 0, "t": 24, "b": 0, "pad": 4},
        xaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": names,
            "title": {"text": "Engagement score, 0 to 100: high is good", "standoff": 8},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
        },
        yaxis=style.hidden_axis(rangemode="tozero"),
    )
    said = "; ".join(f"{row.organizers} with {name}" for name, row in zip(names, rows, strict=True))
    return Chart(figure, f"Bars of organizers by engagement score, high is good: {said}.")


def movers(frame: pd.DataFrame) -> Chart:
    """From the score 30 days ago to the score now, high to the right; customdata is the organizer's id."""
    rows = frames.rows(frame)
    sentences = [
        f"<b>{style.literal(row.organizer)}</b><br>"
        f"From {row.before} to {row.score} in 30 days; {style.literal(row.owner)}"
        for row in rows
    ]
    labels, arrows = drawing.moves(rows, "score", sentences, width=0.12)
    figure = style.figure(
        max(len(rows), 1) * 40 + 8, arrows, xaxis=style.hidden_axis(range=[-2, 102]), **style.rows(labels)
    )
    said = "; ".join(f"{row.organizer} from {row.before} to {row.score}" for row in rows)
    return Chart(figure, f"Engagement scores that moved most in 30 days: {said}.")


def _id(value: Any) -> str:
    return "nobody" if pd.isna(value) else str(value)


def week_of(day: date) -> str:
    """A week in words: 3 – 9 Nov 2025."""
    last = day + timedelta(days=6)
    first = f"{day:%-d}" if day.month == last.month else f"{day:%-d %b}" if day.year == last.year else formats.day(day)
    return f"{first} – {formats.day(last)}"
