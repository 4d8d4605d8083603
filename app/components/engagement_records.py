"""What stands behind the pictures of the Engagement page: the records that a click opens in the drawer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Final, Literal
from uuid import UUID

import streamlit as st

from app import identity
from app.charts import engagement as charts
from app.components import engagement as pieces
from app.components.engagement import SHOWN
from app.components.review import reading
from queries import engagement
from queries.engagement import Cell, Kind

WITHOUT: Final = ("closing",)  # open opportunities are not what the page chooses among


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


RECORDS: Final[Mapping[str, Callable[[str], None]]] = {
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
