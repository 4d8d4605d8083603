"""The pieces of the Engagement page: its row of numbers, an account to log work on, activities and tasks as lists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, get_args
from uuid import UUID, uuid4

import pandas as pd
import streamlit as st

from app import formats, frames, identity
from app.charts.engagement import PLURALS, Measure
from app.commands import activities
from app.commands.activities import Loggable
from app.components import drawer, metrics, states
from app.components.fragments import BODY, RECORDS, draw_again
from app.components.markdown import literal
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, behind, nothing_there, table
from app.viewer import Viewer
from queries.engagement import KINDS, Kind
from queries.scope import Scope

NO_ACTIVITIES: Final = Empty(
    "Activities will stand here",
    "Log a call, an email, a meeting or a note with an account, or bring them with an import (eventos import).",
)
NO_CONTACTS: Final = Empty("Contacts will stand here", "They come with an import, or with the demo company.")
NO_ACCOUNTS: Final = Empty("Accounts with open opportunities will stand here", "They come with the first opportunity.")
NOBODY_SILENT: Final = Empty("No account is neglected", "Each with an open opportunity had an activity in 30 days.")
NO_TASKS: Final = Empty("No tasks", "Nothing is pending, and nothing was completed in the period.")
NOTHING_MOVED: Final = Empty("No score has moved", "Scores are compared with those that the refresh kept 30 days ago.")
SHOWN: Final = 1000  # rows of a list, the first ones
DUE: Final = 6  # tasks that can be completed from the page itself

_ICONS: Final[Mapping[Loggable, str]] = {
    "call": ":material/call:",
    "email": ":material/mail:",
    "meeting": ":material/groups:",
    "note": ":material/sticky_note_2:",
}
_MEASURES: Final[Mapping[str, Measure]] = {"Count": "activities", "Per working week": "per_week"}
_TYPES: Final[Mapping[str, Kind | None]] = {"All types": None, **{PLURALS[kind]: kind for kind in KINDS}}
_UNDO: Final = "engagement.undo"
_REFUSED: Final = "engagement.refused"
_UNDOABLE: Final = timedelta(minutes=10)  # as long as the database lets one take back what one has logged


# Metrics -------------------------------------------------------------------------------------------------


def headline(headline: Answer, trend: pd.DataFrame, next_steps: pd.DataFrame, scope: Scope) -> None:
    """Six numbers, each against the period before as of the day as far into it."""
    currency, units = scope.currency, headline.columns
    rows = headline.frame.set_index("which")
    now, before = rows.loc["current"].to_dict(), rows.loc["previous"].to_dict()
    without = int(next_steps["without_next_step"].iloc[0])
    steps = formats.counted(without, "open opportunity has", "open opportunities have")

    def count(column: str) -> Metric:
        return Metric(
            units[column].label,
            formats.count(now[column]),
            formats.change(now[column], before[column]),
            units[column].sentence,
            [float(value) for value in trend[column]],
        )

    def reached(label: str, column: str, of: str) -> Metric:
        return Metric(
            label,
            formats.share(now[column]),
            formats.points(now[column], before[column]),
            f"{units[column].sentence} Of {formats.count(now[of])} in scope.",
        )

    metrics.row(
        [
            count("activities"),
            count("organizers"),
            reached("Contacts reached", "reached", "contacts"),
            reached("Deciders reached", "decision_makers_reached", "decision_makers"),
            Metric(
                units["neglected_value"].label,
                formats.short_money(now["neglected_value"], currency),
                formats.change(now["neglected_value"], before["neglected_value"]),
                f"{units['neglected_value'].sentence} {formats.counted(int(now['neglected']), 'account')}.",
                good="down",
            ),
            Metric(
                units["overdue"].label,
                formats.count(now["overdue"]),
                formats.more(now["overdue"], before["overdue"]),
                f"{units['overdue'].sentence} {formats.counted(int(now['pending']), 'task')} pending.",
                good="down",
            ),
        ]
    )
    notes = [f"Changes compare with {metrics.compared_with(scope)}", f"{steps} no next step"]
    if without_rate := int(now["without_rate"]):
        subject = formats.counted(without_rate, "opportunity", "opportunities")
        notes.append(f"{subject} of neglected accounts without an exchange rate to {currency}: not in their value")
    st.caption(" · ".join(notes))


# Choices -------------------------------------------------------------------------------------------------


def kind() -> Kind | None:
    """Which type of activity the reader looks at in the grids; None is all."""
    return _TYPES.get(st.session_state.get("kind", ""))


def measure() -> Measure:
    """What a cell of the heatmap holds."""
    return _MEASURES.get(st.session_state.get("measure-of-hours", ""), "activities")


def all_of(kind: str, number: int, title: str) -> None:
    """Opens the whole list behind a picture of its first rows."""
    st.button(
        f"All {number:,} as a list",
        icon=":material/list:",
        key=f"{kind}.all",
        disabled=not number,
        on_click=drawer.open_at,
        args=(kind, "", title),
    )


def heatmap_controls() -> None:
    """Which type, and on which measure."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox("Type", list(_TYPES), key="kind", label_visibility="collapsed", width=150)
        st.segmented_control(
            "Measure",
            list(_MEASURES),
            key="measure-of-hours",
            default="Count",
            required=True,
            label_visibility="collapsed",
        )


# Lists ---------------------------------------------------------------------------------------------------


def listed(answer: Answer, setting: Setting, key: str, title: str, one: str, many: str, *, empty: Empty) -> None:
    """Records as a table: how many there are, and the export."""
    frame = answer.frame
    if frame.empty:
        nothing_there(setting, empty, key)
        return
    total = int(frame["total"].iloc[0])
    shown = replace(answer, columns={name: unit for name, unit in answer.columns.items() if name != "total"})
    with st.container(horizontal=True, vertical_alignment="center"):
        first = "" if len(frame) == total else f", the first {len(frame):,} below"
        value = ""
        if "value" in frame and len(frame) == total and key == "neglected-list":
            value = f" · {formats.money(frame['value'].sum(), setting.currency)} open"
        st.caption(f"{formats.counted(total, one, many)}{first}{value}", width="stretch")
        behind(key, title, shown, setting)
    table(key, title, _on_the_viewer_s_clock(shown, setting), setting, {"subject": 220, "organizer": 170})


def _on_the_viewer_s_clock(answer: Answer, setting: Setting) -> Answer:
    """Moments as the viewer's clock shows them; a browser would take its own."""
    moments = [name for name, unit in answer.columns.items() if unit.kind == "moment"]
    local = {name: answer.frame[name].dt.tz_convert(setting.time_zone) for name in moments}
    return replace(answer, frame=answer.frame.assign(**local))


def activities_list(answer: Answer, setting: Setting) -> None:
    """The activities behind a cell."""
    listed(answer, setting, "activities", "Activities", "activity", "activities", empty=NO_ACTIVITIES)


# An account ----------------------------------------------------------------------------------------------


def account(answer: Answer, organizer_id: UUID, viewer: Viewer, setting: Setting) -> bool:
    """Who it is, how it stands, and the buttons that log something; False where it can't be seen."""
    if answer.frame.empty:
        st.caption("This organizer is archived, or not yours to see.")
        return False
    row = answer.frame.iloc[0]
    last = formats.moment(row["last_activity"], setting.time_zone)
    st.caption(
        f"{literal(row['owner'])} · {formats.money(row['value'], setting.currency)} in"
        f" {formats.counted(int(row['opportunities']), 'open opportunity', 'open opportunities')}"
        f" · engagement {formats.count(row['score'])} of 100 · last activity {last}"
        f" · {formats.count(row['reached'])} of {formats.counted(int(row['contacts']), 'contact')} reached in 90 days"
    )
    if viewer.role != "executive":
        _logging(organizer_id, str(row["organizer"]))
    return True


def _logging(organizer_id: UUID, name: str) -> None:
    undo("account")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "What about", key="log.subject", max_chars=200, placeholder="What about? (optional)",
            label_visibility="collapsed", width="stretch",
        )  # fmt: skip
        for option in get_args(Loggable):
            st.button(
                option.title(),
                icon=_ICONS[option],
                key=f"log.{option}",
                help=f"Log a {option} with {literal(name)}, now",
                on_click=_log,
                args=(organizer_id, name, option, uuid4()),
            )


def _log(organizer_id: UUID, name: str, option: Loggable, activity_id: UUID) -> None:
    viewer = identity.viewer()
    subject = (st.session_state.get("log.subject") or "").strip() or f"{option.title()} with {name}"[:300]
    done = f"{option.title()} with {name} is logged."

    def log() -> None:
        activities.log(by=viewer, activity_id=activity_id, organizer_id=organizer_id, kind=option, subject=subject)
        _may_undo(done, lambda: activities.withdraw(by=identity.viewer(), activity_id=activity_id))
        st.session_state["log.subject"] = ""

    _attempt(log, done)


# Tasks ---------------------------------------------------------------------------------------------------


def due(tasks: Answer, viewer: Viewer, setting: Setting, key: str) -> None:
    """Tasks with a button each that completes it, where it is the viewer's to complete."""
    rows = frames.rows(tasks.frame)
    for row in rows:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}.{row.task_id}"):
            when = formats.moment(row.due, setting.time_zone)
            late = f":red[:material/schedule: overdue since {when}]" if row.is_overdue else f"due {when}"
            person = "" if row.user_id == str(viewer.id) else f" · {literal(row.person)}"
            st.markdown(f"{literal(row.subject)}  \n:small[{literal(row.organizer)}{person} · {late}]", width="stretch")
            own = viewer.role != "executive" and row.user_id == str(viewer.id) and row.in_sight
            if viewer.role == "admin" or own:
                st.button(
                    "Done",
                    icon=":material/check:",
                    key=f"{key}.{row.task_id}.done",
                    help=f"Complete {literal(row.subject)}",
                    on_click=_complete,
                    args=(UUID(row.task_id), int(row.version), str(row.subject)),
                )


def _complete(task_id: UUID, version: int, subject: str) -> None:
    done = f"{subject}: done."

    def complete() -> None:
        planned = activities.complete(by=identity.viewer(), task_id=task_id, version=version)
        _may_undo(done, lambda: _reopen(task_id, version + 1, planned))

    _attempt(complete, done)


def _reopen(task_id: UUID, version: int, planned: datetime) -> None:
    activities.reopen(by=identity.viewer(), task_id=task_id, version=version, planned=planned)


# Undo ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Undoable:
    sentence: str
    take_back: Callable[[], None]
    until: datetime


def _may_undo(sentence: str, take_back: Callable[[], None]) -> None:
    st.session_state[_UNDO] = _Undoable(sentence, take_back, datetime.now(UTC) + _UNDOABLE)


def undo(key: str) -> None:
    """The last thing that was done here, and the way back from it; in a drawer also why something was refused."""
    if drawer.is_open() and key != "page" and (refused := st.session_state.pop(_REFUSED, None)):
        st.error(literal(refused), icon=":material/error:")
    last: _Undoable | None = st.session_state.get(_UNDO)
    if last is None or last.until < datetime.now(UTC):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}.undo-bar"):
        st.markdown(f":material/check: {literal(last.sentence)}", width="stretch")
        st.button("Undo", icon=":material/undo:", type="tertiary", key=f"{key}.undo", on_click=_take_back)


def _take_back() -> None:
    last: _Undoable | None = st.session_state.pop(_UNDO, None)
    if last is not None:
        _attempt(last.take_back, "Taken back.")


def _attempt(change: Callable[[], None], done: str) -> None:
    """Makes the change and shows it at once, on the page and in an open drawer.

    The drawer says itself how it went: a toast would take its place, since Streamlit keeps both in one container.
    """
    states.attempt(change, done)
    if not drawer.is_open():
        draw_again(BODY)
    well, sentence = st.session_state.pop("outcome")
    st.session_state[_REFUSED] = None if well else sentence
    draw_again(BODY, RECORDS)
