"""The emails that stages have written: what waits, what went wrong, and what an admin decides about them."""

from typing import Any, Final
from uuid import UUID

import streamlit as st

from app import formats, identity
from app.cache import asking
from app.commands import outbox as commands
from app.components import drawer, letter, metrics, states, templates
from app.components.markdown import literal
from app.components.metrics import Metric
from app.viewer import Viewer
from queries import templates as questions

_SHOWN: Final = 200
_ICONS: Final = {
    "waiting": ":material/schedule_send:",
    "sending": ":material/outgoing_mail:",
    "sent": ":material/mark_email_read:",
    "failed": ":material/error:",
    "unknown": ":material/help:",
    "cancelled": ":material/cancel_schedule_send:",
}


def head(viewer: Viewer) -> None:
    """The title, with the switch that lets stages write emails at all."""
    states.outcome()
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title("Outbox", anchor=False, width="stretch")
        templates.switch(viewer)


def counts(viewer: Viewer) -> None:
    """How many emails wait, were sent, and need somebody."""
    with asking(viewer) as ask:
        found = dict(ask(questions.letter_counts).itertuples(index=False, name=None))

    def number(*statuses: str) -> str:
        return formats.count(sum(int(found.get(status, 0)) for status in statuses))

    metrics.row(
        [
            Metric("Waiting", number("waiting", "sending"), None, "For the next `eventos deliver`."),
            Metric("Sent", number("sent"), None, "Taken by the mail server."),
            Metric("Need somebody", number("failed", "unknown"), None, "Not sent, or nobody knows; each says why."),
            Metric("Cancelled", number("cancelled"), None, "Will not be sent."),
        ]
    )


def letters(viewer: Viewer) -> None:
    """The emails, the latest first, each with its way on."""
    status = st.segmented_control("Show", questions.STATUSES, key="status", bind="query-params",
                                  label_visibility="collapsed", format_func=str.capitalize)  # fmt: skip
    with asking(viewer) as ask:
        found = ask(questions.letters, status, _SHOWN)
    if found.empty:
        if status:
            states.nothing_yet(f"No email is {status}", "Choose another status, or none for all.")
        else:
            states.nothing_yet("No emails yet", "Stages write them when an opportunity enters, once that is turned on.")
        return
    for row in found.itertuples():
        _letter(row, viewer)
    total = int(found["total"].iloc[0])
    st.caption(formats.counted(total, "email") if total == len(found) else f"The latest {len(found)} of {total}")


def _letter(row: Any, viewer: Viewer) -> None:
    with st.container(border=True, key=f"card-letter-{row.letter_id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            at = formats.moment(row.queued_at, viewer.time_zone)
            about = " · ".join(literal(part) for part in (row.organizer, row.opportunity) if isinstance(part, str))
            to = literal(row.recipient) if isinstance(row.recipient, str) else "nobody"
            subject = literal(row.subject or row.template)
            said = f"{row.status.capitalize()} · {at} · {about}"
            st.markdown(f"{_ICONS[row.status]} **{subject}** to {to}  \n:small[:gray[{said}]]", width="stretch")
            st.button("Read", key=f"read.{row.letter_id}", on_click=drawer.open_at,
                      args=("letter", row.letter_id, row.subject or row.template))  # fmt: skip
            if viewer.role == "admin":
                _decisions(row)
        if isinstance(row.problem, str):
            st.caption(literal(row.problem))


def _decisions(row: Any) -> None:
    if row.can_be_retried:
        st.button("Try again", key=f"retry.{row.letter_id}", on_click=_retry, args=(row.letter_id,))
    if row.status in ("waiting", "failed", "unknown"):
        st.button("Cancel", key=f"cancel.{row.letter_id}", on_click=_cancel, args=(row.letter_id,))


def _retry(letter_id: str) -> None:
    viewer = identity.viewer()
    with states.trying():
        if commands.retry(by=viewer, ids=[UUID(letter_id)]):
            states.say("It waits for the next delivery.")
        else:
            states.say("It still can't be sent; it says why.", well=False)


def _cancel(letter_id: str) -> None:
    viewer = identity.viewer()
    states.attempt(lambda: commands.cancel(by=viewer, ids=[UUID(letter_id)]), "It will not be sent.")


def read(letter_id: str) -> None:
    """In the drawer: the email as it was written."""
    with asking(identity.viewer()) as ask:
        rows = ask(questions.letter, UUID(letter_id))
    if rows.empty:
        st.caption("This email is gone, or it is not yours to see.")
        return
    html, text = st.tabs(["HTML", "Text"])
    with html:
        letter.show(rows["body_html"].iloc[0], "The email as HTML", "letter.html", 520)
    with text:
        st.text(rows["body_text"].iloc[0])
