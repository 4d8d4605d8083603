"""The pictures of the Engagement page: what each says of itself, and what a click on it opens."""

from dataclasses import replace
from datetime import date

import pandas as pd
import streamlit as st

from app import formats
from app.charts import engagement as charts
from app.components import drawer
from app.components import engagement as pieces
from app.components.picture import Answer, Setting, picture
from app.viewer import Viewer
from queries import engagement
from queries.engagement import Kind
from queries.scope import Scope


def hours(found: Answer, setting: Setting, scope: Scope, viewer: Viewer, kind: Kind | None) -> None:
    """Activities by weekday and hour, on the viewer's clock."""
    in_period = formats.counted(int(found.frame["activities"].sum()), "activity", "activities")
    measure = pieces.measure()
    picture(
        "hours", "When we are in touch", found, setting,
        lambda: charts.heatmap(found.frame, measure),
        note=f"{in_period} in {scope.period.label}, on the clock of {viewer.time_zone}",
        empty=pieces.NO_ACTIVITIES, is_empty=not found.frame["activities"].any() and kind is None,
        hint="By weekday and hour; the darker the more. Daylight saving is observed.",
        controls=pieces.heatmap_controls,
        on_pick=lambda cell: drawer.open_at("hour", f"{cell}|{kind or ''}", _hour_name(cell)),
    )  # fmt: skip


def neglected(found: Answer, setting: Setting) -> None:
    """The silent accounts with the most open value."""
    picture(
        "neglected", "Whom we have dropped", found, setting,
        lambda: charts.neglected(found.frame, setting.currency),
        note=f"{formats.counted(_total(found.frame), 'account')}, 30 days without an activity",
        empty=pieces.NOBODY_SILENT,
        hint="By open value. Click an account to log a call, an email, a meeting or a note.",
        controls=lambda: pieces.all_of("neglected", _total(found.frame), "Whom we have dropped"),
        on_pick=lambda organizer: drawer.open_at("account", organizer, _name(found.frame, organizer)),
    )  # fmt: skip


def accounts(found: Answer, setting: Setting) -> None:
    """Weeks of the accounts with the most open value."""
    picture(
        "accounts", "Accounts with the most open value, by week", found, setting,
        lambda: charts.top_accounts(found.frame, setting.currency),
        note=f"Activities in {engagement.ACCOUNT_WEEKS} weeks, whoever did them", empty=pieces.NO_ACCOUNTS,
        hint="The darker the more. Click a cell for its activities, and to log another one.",
        on_pick=lambda cell: drawer.open_at("account-week", cell, _name(found.frame, cell.split("|")[0])),
    )  # fmt: skip


def load(found: Answer, setting: Setting) -> None:
    """Pending and overdue tasks by person."""
    picture(
        "load", "Tasks", found, setting, lambda: charts.task_load(found.frame),
        note=f"Overdue in front of pending{_first(found.frame, 'people')}", empty=pieces.NO_TASKS,
        hint="Pending: neither completed nor cancelled. Overdue: due before now. Click a person for the tasks.",
        on_pick=lambda person: drawer.open_at("tasks", person, f"Tasks of {_person(found.frame, person)}"),
    )  # fmt: skip


def next_tasks(due: Answer, setting: Setting, viewer: Viewer, *, own: bool) -> None:
    """The pending tasks that come first, to be completed here; nothing where there are none."""
    if due.frame.empty:
        return
    with st.container(border=True, key="card-due"):
        st.subheader("Your next tasks" if own else "The next tasks", anchor=False)
        pieces.due(due, viewer, setting, "due")
        st.caption(f"The first {len(due.frame)} of {_total(due.frame):,} pending, the longest due first")


def types(found: Answer, setting: Setting) -> None:
    """Activities by type and week."""
    picture(
        "types", "Activity by type per week", found, setting, lambda: charts.by_type(found.frame),
        note=f"{engagement.TYPE_WEEKS} weeks, all at one scale", empty=pieces.NO_ACTIVITIES,
        is_empty=not found.frame["activities"].any(),
        on_pick=lambda cell: drawer.open_at("week", cell, _week_name(cell)),
    )  # fmt: skip


def reach(found: Answer, setting: Setting) -> None:
    """The share of decision makers that each owner has reached."""
    picture(
        "reach", "Decision makers reached", found, setting, lambda: charts.reach(found.frame),
        note=f"In 90 days, by owner; the mark: all contacts{_first(found.frame, 'owners')}",
        empty=pieces.NO_CONTACTS,
        hint="Contacts with an activity in 90 days / all contacts. Click an owner for those who were not reached.",
        on_pick=lambda owner: drawer.open_at("unreached", owner, "Not reached in 90 days"),
    )  # fmt: skip


def calendar(found: Answer, setting: Setting, kind: Kind | None) -> None:
    """Activities by day, of a year."""
    picture(
        "calendar", "Day by day", found, setting, lambda: charts.calendar(found.frame),
        note=f"{engagement.YEAR_WEEKS} weeks, in the organisation's days", empty=pieces.NO_ACTIVITIES,
        is_empty=not found.frame["activities"].any() and kind is None,
        hint="Of the type that is chosen above; the darker the more.",
        on_pick=lambda day: drawer.open_at("day", f"{day}|{kind or ''}", formats.day(date.fromisoformat(day))),
    )  # fmt: skip


def scores(found: Answer, setting: Setting) -> None:
    """How many organizers have which score."""
    picture(
        "scores", "Engagement scores", found, setting, lambda: charts.score_bands(found.frame),
        note=f"{formats.counted(int(found.frame['organizers'].sum()), 'organizer')}; high is good",
        empty=pieces.NO_ACCOUNTS, is_empty=not found.frame["organizers"].any(),
        hint=engagement.SCORE.help,
        on_pick=lambda band: drawer.open_at("band", band, "Organizers by engagement score"),
    )  # fmt: skip


def movers(risen: Answer, fallen: Answer, setting: Setting) -> None:
    """Whose score rose most, and whose fell most."""
    moved = replace(risen, frame=pd.concat([risen.frame, fallen.frame.iloc[::-1]], ignore_index=True))
    picture(
        "movers", "Whose score moved most", moved, setting, lambda: charts.movers(moved.frame),
        note="From the score of 30 days ago to the score now; right is good", empty=pieces.NOTHING_MOVED,
        on_pick=lambda organizer: drawer.open_at("account", organizer, _name(moved.frame, organizer)),
    )  # fmt: skip


def _total(rows: pd.DataFrame) -> int:
    return int(rows["total"].iloc[0]) if len(rows) else 0


def _first(rows: pd.DataFrame, many: str) -> str:
    return f" · {charts.MANY} of {len(rows)} {many}" if len(rows) > charts.MANY else ""


def _name(rows: pd.DataFrame, organizer: str) -> str:
    return str(rows.loc[rows["organizer_id"] == organizer, "organizer"].iloc[0])


def _person(rows: pd.DataFrame, person: str) -> str:
    return str(rows.loc[rows["owner_id"] == person, "person"].iloc[0])


def _hour_name(cell: str) -> str:
    weekday, hour = (int(part) for part in cell.split("|")[:2])
    return f"{charts.WEEKDAYS[weekday - 1]} {charts.clock(hour)}"


def _week_name(cell: str) -> str:
    week, kind = cell.split("|")
    return f"{charts.PLURALS[kind]} in the week of {charts.week_of(date.fromisoformat(week))}"
