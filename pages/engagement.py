"""Who are we talking to, whom have we dropped? For reps and their managers; executives look."""

from dataclasses import replace
from datetime import date
from typing import Final, Literal
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats, identity
from app.charts import engagement as charts
from app.components import drawer, freshness
from app.components import engagement as pieces
from app.components.engagement import SHOWN
from app.components.picture import picture
from app.components.review import opened, reading
from queries import engagement
from queries.engagement import Cell, Kind

identity.require("rep", "manager", "executive", "admin")

WITHOUT: Final = ("closing",)  # open opportunities are not what this page chooses among
MOVERS: Final = 4  # upwards, and as many downwards


def body() -> None:
    """The page, drawn again whenever the data change."""
    kind = pieces.kind()
    with opened("engagement", "Engagement", WITHOUT) as read:
        scope, viewer = read.scope, read.viewer
        own = viewer.id if viewer.role in ("rep", "manager") else None
        headline, trend = read(engagement.headline), read(engagement.headline_trend)
        next_steps = read(engagement.next_steps)
        hours, days = read(engagement.heatmap, viewer.time_zone, kind), read(engagement.calendar, kind)
        silent = read.first(engagement.neglected, SHOWN)
        accounts, types = read(engagement.top_accounts), read(engagement.by_type)
        contacts, load = read(engagement.reach), read(engagement.task_load)
        due = read(engagement.tasks, own, limit=pieces.DUE)
        bands = read(engagement.score_bands)
        risen, fallen = (read(engagement.scored, only=way, limit=MOVERS) for way in ("risen", "fallen"))
    setting, currency = read.setting, scope.currency
    movers = replace(risen, frame=pd.concat([risen.frame, fallen.frame.iloc[::-1]], ignore_index=True))
    in_period = formats.counted(int(hours.frame["activities"].sum()), "activity", "activities")

    pieces.undo("page")
    pieces.headline(headline, trend.frame, next_steps.frame, scope)
    left, right = st.columns([3, 2])
    with left:
        measure = pieces.measure()
        picture(
            "hours", "When we are in touch", hours, setting,
            lambda: charts.heatmap(hours.frame, measure),
            note=f"{in_period} in {scope.period.label}, on the clock of {viewer.time_zone}",
            empty=pieces.NO_ACTIVITIES, is_empty=not hours.frame["activities"].any() and kind is None,
            hint="By weekday and hour; the darker the more. Daylight saving is observed.",
            controls=pieces.heatmap_controls,
            on_pick=lambda cell: drawer.open_at("hour", f"{cell}|{kind or ''}", _hour_name(cell)),
        )  # fmt: skip
    with right:
        picture(
            "neglected", "Whom we have dropped", silent, setting,
            lambda: charts.neglected(silent.frame, currency),
            note=f"{formats.counted(_total(silent.frame), 'account')}, 30 days without an activity",
            empty=pieces.NOBODY_SILENT,
            hint="By open value. Click an account to log a call, an email, a meeting or a note.",
            controls=lambda: pieces.all_of("neglected", _total(silent.frame), "Whom we have dropped"),
            on_pick=lambda organizer: drawer.open_at("account", organizer, _name(silent.frame, organizer)),
        )  # fmt: skip
    left, right = st.columns([3, 2])
    with left:
        picture(
            "accounts", "Accounts with the most open value, by week", accounts, setting,
            lambda: charts.top_accounts(accounts.frame, currency),
            note=f"Activities in {engagement.ACCOUNT_WEEKS} weeks, whoever did them", empty=pieces.NO_ACCOUNTS,
            hint="The darker the more. Click a cell for its activities, and to log another one.",
            on_pick=lambda cell: drawer.open_at("account-week", cell, _name(accounts.frame, cell.split("|")[0])),
        )  # fmt: skip
    with right:
        picture(
            "load", "Tasks", load, setting, lambda: charts.task_load(load.frame),
            note=f"Overdue in front of pending{_first(load.frame, 'people')}", empty=pieces.NO_TASKS,
            hint="Pending: neither completed nor cancelled. Overdue: due before now. Click a person for the tasks.",
            on_pick=lambda person: drawer.open_at("tasks", person, f"Tasks of {_person(load.frame, person)}"),
        )  # fmt: skip
    if len(due.frame):
        with st.container(border=True, key="card-due"):
            st.subheader("Your next tasks" if own else "The next tasks", anchor=False)
            pieces.due(due, viewer, setting, "due")
            st.caption(f"The first {len(due.frame)} of {_total(due.frame):,} pending, the longest due first")
    left, right = st.columns([3, 2])
    with left:
        picture(
            "types", "Activity by type per week", types, setting, lambda: charts.by_type(types.frame),
            note=f"{engagement.TYPE_WEEKS} weeks, all at one scale", empty=pieces.NO_ACTIVITIES,
            is_empty=not types.frame["activities"].any(),
            on_pick=lambda cell: drawer.open_at("week", cell, _week_name(cell)),
        )  # fmt: skip
    with right:
        picture(
            "reach", "Decision makers reached", contacts, setting, lambda: charts.reach(contacts.frame),
            note=f"In 90 days, by owner; the mark: all contacts{_first(contacts.frame, 'owners')}",
            empty=pieces.NO_CONTACTS,
            hint="Contacts with an activity in 90 days / all contacts. Click an owner for those who were not reached.",
            on_pick=lambda owner: drawer.open_at("unreached", owner, "Not reached in 90 days"),
        )  # fmt: skip
    picture(
        "calendar", "Day by day", days, setting, lambda: charts.calendar(days.frame),
        note=f"{engagement.YEAR_WEEKS} weeks, in the organisation's days", empty=pieces.NO_ACTIVITIES,
        is_empty=not days.frame["activities"].any() and kind is None,
        hint="Of the type that is chosen above; the darker the more.",
        on_pick=lambda day: drawer.open_at("day", f"{day}|{kind or ''}", formats.day(date.fromisoformat(day))),
    )  # fmt: skip
    left, right = st.columns([2, 3])
    with left:
        picture(
            "scores", "Engagement scores", bands, setting, lambda: charts.score_bands(bands.frame),
            note=f"{formats.counted(int(bands.frame['organizers'].sum()), 'organizer')}; high is good",
            empty=pieces.NO_ACCOUNTS, is_empty=not bands.frame["organizers"].any(),
            hint=engagement.SCORE.help,
            on_pick=lambda band: drawer.open_at("band", band, "Organizers by engagement score"),
        )  # fmt: skip
    with right:
        picture(
            "movers", "Whose score moved most", movers, setting, lambda: charts.movers(movers.frame),
            note="From the score of 30 days ago to the score now; right is good", empty=pieces.NOTHING_MOVED,
            on_pick=lambda organizer: drawer.open_at("account", organizer, _name(movers.frame, organizer)),
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


def _kind(text: str) -> Kind | None:
    return text if text in engagement.KINDS else None


def _activities(cell: Cell) -> None:
    with reading("engagement", WITHOUT) as read:
        found = read.first(engagement.activities, SHOWN, cell=cell)
    pieces.activities_list(found, read.setting)


def hour_records(cell: str) -> None:
    """The activities behind a cell of the heatmap; they are as many as it says."""
    weekday, hour, kind = cell.split("|")
    zone = identity.viewer().time_zone
    _activities(Cell(weekday=int(weekday), hour=int(hour), time_zone=zone, kind=_kind(kind)))


def day_records(cell: str) -> None:
    """The activities of a day."""
    day, kind = cell.split("|")
    _activities(Cell(day=date.fromisoformat(day), kind=_kind(kind)))


def week_records(cell: str) -> None:
    """The activities of a week and type."""
    week, kind = cell.split("|")
    _activities(Cell(week=date.fromisoformat(week), kind=_kind(kind)))


def account_records(organizer: str, week: str = "") -> None:
    """An account: how it stands, what can be logged, what is to be done and what was done, or was done in a week."""
    which = UUID(organizer)
    cell = Cell(organizer_id=which, week=date.fromisoformat(week) if week else None)
    with reading("engagement", WITHOUT) as read:
        found = read(engagement.account, which)
        tasks = read(engagement.tasks, organizer_id=which, limit=pieces.DUE)
        done = read.first(engagement.activities, SHOWN, cell=cell)
    if pieces.account(found, which, read.viewer, read.setting):
        pieces.due(tasks, read.viewer, read.setting, "account-due")
        if week:
            st.caption(f"In the week of {charts.week_of(date.fromisoformat(week))}")
        pieces.activities_list(done, read.setting)


def account_week_records(cell: str) -> None:
    """An account, with the activities behind a cell of the grid of accounts."""
    account_records(*cell.split("|"))


def neglected_records(_: str) -> None:
    """All neglected accounts; their values add up to the number above the page."""
    with reading("engagement", WITHOUT) as read:
        found = read.first(engagement.neglected, SHOWN)
    pieces.listed(
        found, read.setting, "neglected-list", "Neglected accounts", "account", "accounts", empty=pieces.NOBODY_SILENT
    )


def unreached_records(owner: str) -> None:
    """The contacts of an owner's accounts who were not reached; with those who were, they are all of them."""
    who: UUID | Literal["nobody"] = "nobody" if owner == "nobody" else UUID(owner)
    with reading("engagement", WITHOUT) as read:
        found = read.first(engagement.unreached, SHOWN, owner=who)
    pieces.listed(
        found, read.setting, "unreached", "Contacts not reached", "contact", "contacts", empty=pieces.NO_CONTACTS
    )


def task_records(person: str) -> None:
    """The pending tasks of a person: the first to complete, and all of them."""
    with reading("engagement", WITHOUT) as read:
        found = read.first(engagement.tasks, SHOWN, person=UUID(person))
    pieces.undo("tasks")
    pieces.due(replace(found, frame=found.frame.head(pieces.DUE)), read.viewer, read.setting, "person-due")
    pieces.listed(found, read.setting, "tasks", "Pending tasks", "pending task", "pending tasks", empty=pieces.NO_TASKS)


def band_records(band: str) -> None:
    """The organizers with a score in the band."""
    with reading("engagement", WITHOUT) as read:
        found = read.first(engagement.scored, SHOWN, band=int(band))
    pieces.listed(
        found, read.setting, "scored", "Engagement scores", "organizer", "organizers", empty=pieces.NO_ACCOUNTS
    )


freshness.live(body)
drawer.place(
    {
        "hour": hour_records,
        "day": day_records,
        "week": week_records,
        "account": account_records,
        "account-week": account_week_records,
        "neglected": neglected_records,
        "unreached": unreached_records,
        "tasks": task_records,
        "band": band_records,
    }
)
