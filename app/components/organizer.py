"""The pieces of an organizer's own page."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

import pandas as pd
import streamlit as st

from app import formats, frames
from app.charts import health as charts
from app.components import health as pieces
from app.components import metrics, record, shell
from app.components.markdown import literal
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, nothing_there, picture
from queries.health import MOVED_OVER
from queries.scope import Scope
from queries.units import Unit

TOLD: Final = 5  # open opportunities whose score is put into sentences
_FEW, _MORE = 40, 100  # lines of the timeline to begin with, and more at each click
_STEPS: Final = 8
_HEIGHT: Final = 460  # pixels of a list before it scrolls by itself

_ICONS: Final[Mapping[str, str]] = {
    "call": "call",
    "email": "mail",
    "meeting": "groups",
    "note": "sticky_note_2",
    "written note": "edit_note",
    "task": "task_alt",
    "event": "event",
    "stage": "arrow_forward",
    "won": "emoji_events",
    "lost": "cancel",
    "abandoned": "do_not_disturb_on",
    "document": "description",
}


def not_found() -> None:
    """The page of an id that nobody has, or somebody else."""
    st.title("Organizer", anchor=False)
    st.write(pieces.NOT_FOUND)
    st.page_link(shell.PAGES / "health.py", label="To all accounts", icon=":material/arrow_back:")


def head(row: Mapping[Any, Any]) -> None:
    """Its name, who it is, and how to reach it."""
    st.page_link(shell.PAGES / "health.py", label="Health", icon=":material/arrow_back:")
    st.title(literal(row["organizer"]), anchor=False)
    who = [row["industry"], row["company_size"], row["lead_source"] and f"came by {row['lead_source']}", row["status"]]
    reach = [row["primary_email"], row["primary_phone"], row["website"]]
    known = [f"owner {row['owner']}", *who, *reach]
    st.caption(" · ".join(literal(part) for part in known if isinstance(part, str) and part))


def headline(row: Mapping[Any, Any], units: Mapping[str, Unit], scores: pd.DataFrame, scope: Scope) -> None:
    """How it stands, with the way its scores came; where nothing is scored yet, how to get that."""
    currency, scored = scope.currency, not pd.isna(row["scored_on"])
    then = scores[scores["scored_on"] <= pd.Timestamp(scope.as_of - MOVED_OVER)]

    def trend(column: str) -> list[float] | None:
        known = scores[column].dropna().tail(13)
        return [float(value) for value in known] if len(known) > 1 else None

    def difference(column: str) -> str | int | None:
        if then.empty or scores.empty:
            return None
        change = int(scores[column].iloc[-1]) - int(then[column].iloc[-1])
        return f"{change:+d}" if change else 0

    chance = row["churn_probability"]
    has_churned = not pd.isna(row["churned_on"])
    if has_churned:
        clock, when = "Churned", formats.ago(row["churned_on"].date(), scope.today)
    else:
        clock = "Clock runs out"
        when = formats.MISSING if pd.isna(row["runs_out_on"]) else formats.ago(row["runs_out_on"].date(), scope.today)
    metrics.row(
        [
            Metric(
                "Health",
                f"{row['health']:.0f} of 100" if scored else formats.MISSING,
                difference("health"),
                f"{units['health'].help}. {formats.share(row['observed_share'])} of its weight was observed."
                " The change is that of 30 days.",
                trend("health"),
            ),
            Metric("Churn risk", charts.risk(row["churn_risk"]), None, f"{units['churn_risk'].help}."),
            Metric(
                "Churn probability",
                formats.MISSING if pd.isna(chance) else f"{100 * chance:.1f}{formats.GAP}%",
                None,
                f"{units['churn_probability'].help}.",
                good="down",
            ),
            Metric(
                "Revenue at risk",
                formats.MISSING if pd.isna(chance) else formats.short_money(row["revenue_at_risk"], currency),
                None,
                f"{units['revenue_at_risk'].help}. Of {formats.money(row['value'], currency)} won in 12 months.",
            ),
            Metric(
                clock,
                when,
                None,
                f"{pieces.CHURN} Last event or win: {formats.day(row['last_seen_on'])};"
                f" usual gap {formats.days(row['usual_gap_days'])}; runs out {formats.day(row['runs_out_on'])}.",
            ),
            Metric(
                "Engagement",
                f"{formats.count(row['engagement'])} of 100",
                difference("engagement"),
                f"{units['engagement'].help}. The change is that of 30 days, at the refresh.",
                trend("engagement"),
            ),
        ]
    )
    if scored:
        said = f"{pieces.CHURN} Scores of {formats.day(row['scored_on'])}; records as they are now."
    else:
        said = f"{pieces.CHURN} Not scored yet: {pieces.NO_SCORES.how}."
    st.caption(said)


def next_steps(needs: pd.DataFrame, steps: Answer, setting: Setting) -> None:
    """What would help, and what is pending or planned."""
    with st.container(border=True, key="card-steps", height="stretch", gap="small"):
        pieces.help_list(needs)
        st.subheader("Next steps", anchor=False)
        rows = frames.rows(steps.frame.head(_STEPS))
        for row in rows:
            when = formats.moment(row.at, setting.time_zone)
            late = f":red[:material/schedule: overdue since {when}]" if row.is_overdue else when
            st.markdown(f"{_icon(row.kind)} {literal(row.subject)}  \n:small[{late} · {literal(row.person)}]")
        if not rows:
            st.caption("Nothing is pending or planned.")
        elif len(steps.frame) > _STEPS:
            st.caption(f"The first {_STEPS} of {len(steps.frame)}, the most pressing first")


def _icon(kind: str) -> str:
    return f":material/{_ICONS.get(kind, 'circle')}:"


def churn(why: Answer, row: Mapping[Any, Any], setting: Setting) -> None:
    """Why it has its churn probability, or why it has none."""
    rows = why.frame[why.frame["kind"] == "churn"].reset_index(drop=True)
    if pd.isna(row["scored_on"]):
        none = pieces.NO_SCORES
    elif not pd.isna(row["churned_on"]):
        none = Empty("It has churned", f"On {formats.day(row['churned_on'])}; no probability is left to explain.")
    elif row["churn_probability"] == 0:
        until = formats.day(row["runs_out_on"])
        none = Empty("It can't churn within 180 days", f"Its clock runs until {until}, whatever happens.")
    else:
        none = Empty("No churn probability", "The model abstains, or the organizer never won or held an event.")
    frozen = "" if rows.empty or pd.isna(rows["frozen_on"].iloc[0]) else ", as it was when it churned"
    picture(
        "churn", "Why this churn probability", replace(why, frame=rows).only(("part", "points")),
        replace(setting, is_filtered=False), lambda: charts.reasons(rows),
        note=f"In points of 100; they add up to {rows['points'].sum():.1f}{formats.GAP}%{frozen}", empty=none,
        hint="From what an average organizer whose time runs out has, to this one's. Right is worse.",
    )  # fmt: skip


def opportunities(deals: Answer, told: Mapping[str, pd.DataFrame], wins: Answer, setting: Setting) -> None:
    """The open ones with what their scores say, then all of them as a list."""
    with st.container(border=True, key="card-opportunities"):
        st.subheader("Opportunities", anchor=False)
        if deals.frame.empty:
            nothing_there(setting, Empty("No opportunities", "They come with the first sale that may be."), "deals")
            return
        rows = frames.rows(deals.frame)
        for row in rows:
            if row.opportunity_id in told:
                _insight(row, told[row.opportunity_id], setting, is_open=row.Index == 0)
        still = int((deals.frame["status"] == "open").sum())
        won = formats.money(wins.frame["value"].sum(), setting.currency)
        pieces.records(
            deals, setting, "deals", "Opportunities",
            f"{formats.counted(len(rows), 'opportunity', 'opportunities')}, {still} open ·"
            f" {formats.counted(len(wins.frame), 'opportunity', 'opportunities')} won in 12 months for {won}",
            {"name": 280, "owner": 130},
            {"name": record.opener("opportunity", "deals.open", deals.frame["opportunity_id"].tolist(), "Opportunity")},
        )  # fmt: skip


def _insight(row: Any, told: pd.DataFrame, setting: Setting, *, is_open: bool) -> None:
    score = "not scored yet" if pd.isna(row.score) else f"estimated at {row.score}{formats.GAP}% to be won"
    value = formats.short_money(row.value, setting.currency)
    with st.expander(f"{literal(row.name)} · {literal(row.stage)} · {value} · {score}", expanded=is_open):
        if told.empty:
            st.caption(f"Not scored yet. {pieces.NO_SCORES.how}.")
            return
        said = told.iloc[0]
        parts = [f"**Next:** {literal(said['next_action'])}" if isinstance(said["next_action"], str) else ""]
        for title, column in (("What speaks against it", "risk_factors"), ("What would help", "recommendations")):
            if isinstance(said[column], str) and said[column]:
                lines = "\n".join(f"- {literal(line)}" for line in said[column].splitlines())
                parts.append(f"**{title}**\n\n{lines}")
        st.markdown("\n\n".join(part for part in parts if part))
        st.caption(literal(said["basis"] or ""))


def events(answer: Answer, setting: Setting) -> None:
    """Its events, past and planned."""
    with st.container(border=True, key="card-events"):
        st.subheader("Events", anchor=False)
        if answer.frame.empty:
            nothing_there(setting, Empty("No events", "Those that it held, or plans, will stand here."), "events")
            return
        past = int(answer.frame["is_past"].fillna(False).sum())
        rated = answer.frame["satisfaction"].dropna()
        mean = f" · satisfaction {rated.mean():.1f} of 5" if len(rated) else ""
        # Event histories name no currency, so the heading must not.
        revenue = replace(answer.columns["revenue"], kind="number")
        shown = replace(
            answer,
            frame=answer.frame.assign(revenue=answer.frame["revenue"].astype("Float64")),
            columns={**answer.columns, "revenue": revenue},
        )
        pieces.records(
            shown, setting, "events", "Events",
            f"{formats.counted(past, 'event')} held, {len(answer.frame) - past} planned or undated{mean}",
            {"name": 220}, {"name": record.opener("event", "events.open", answer.frame["event_id"].tolist(), "Event")},
        )  # fmt: skip


def contacts(answer: Answer, setting: Setting) -> None:
    """Its people, those who decide marked."""
    with st.container(border=True, key="card-contacts"):
        st.subheader("Contacts", anchor=False)
        if answer.frame.empty:
            nothing_there(setting, Empty("No contacts", "Nobody is known there yet."), "contacts")
            return
        deciding = int(answer.frame["is_decision_maker"].fillna(False).sum())
        note = f"{formats.counted(len(answer.frame), 'contact')}, {deciding} of whom decide"
        opener = record.opener("contact", "contacts.open", answer.frame["contact_id"].tolist(), "Name")
        pieces.records(answer, setting, "contacts", "Contacts", note, {"title": 150}, {"name": opener})


def lines() -> int:
    """How many lines of the timeline the reader has asked for."""
    return int(st.session_state.get("timeline.lines", _FEW))


def _more() -> None:
    st.session_state["timeline.lines"] = lines() + _MORE


def timeline(answer: Answer, setting: Setting) -> None:
    """Everything that happened, by month, the latest first."""
    with st.container(border=True, key="card-timeline"):
        st.subheader("Timeline", anchor=False, help="Activities, moves of opportunities, events, notes and documents.")
        if answer.frame.empty:
            nothing_there(setting, Empty("Nothing has happened yet", "Activities, moves and papers will."), "timeline")
            return
        rows = frames.rows(answer.frame)
        for month, those in groupby(rows, lambda row: f"{row.at.tz_convert(setting.time_zone):%B %Y}"):
            st.markdown("  \n".join([f"**{month}**", *(_line(row, setting) for row in those)]))
        if len(rows) == lines():
            st.button("Show more", icon=":material/expand_more:", on_click=_more, key="timeline.more")
        pieces.records_menu(answer, setting, "timeline", "Timeline")


def _line(row: Any, setting: Setting) -> str:
    who = f" · {literal(row.person)}" if row.person else ""
    at = f"{row.at.tz_convert(setting.time_zone):%-d %b, %H:%M}"
    return f"{_icon(row.kind)} {literal(row.title)} :small[:gray[{str(row.kind).capitalize()} · {at}{who}]]"


def notes(answer: Answer, setting: Setting) -> None:
    """What people have written down, as they wrote it."""
    with st.container(border=True, key="card-notes"):
        st.subheader("Notes", anchor=False)
        rows = frames.rows(answer.frame)
        if not rows:
            nothing_there(setting, Empty("No notes", "What people write down will stand here."), "notes")
            return
        with st.container(height=_HEIGHT if len(rows) > 3 else "content", border=False):
            for row in rows:
                pin = ":material/keep: " if row.is_pinned else ""
                title = f"**{literal(row.title)}** · " if isinstance(row.title, str) and row.title else ""
                when = formats.day(row.written_at.tz_convert(setting.time_zone))
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"{pin}{title}:small[{literal(row.person)}, {when}]", width="stretch")
                    record.link("note", row.note_id, "Open")
                st.text(row.content)
        st.caption(formats.counted(len(rows), "note"))
