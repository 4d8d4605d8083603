"""One organizer, with everything: how it stands and why, what would help, and all that happened. `/organizer?id=…`"""

from typing import Final
from uuid import UUID

import streamlit as st

from app import identity
from app.charts import health as charts
from app.components import documents, drawer, editing, freshness, record
from app.components import health as pieces
from app.components import organizer as own
from app.components.picture import picture
from app.components.review import reading
from app.fields import NOUNS
from queries import health

identity.require("rep", "manager", "executive", "admin")

# Of the scope only the currency means something here: whose it is and since when stands in the records themselves.
WITHOUT: Final = ("period", "owner", "industry", "company_size", "lead_source", "as_of", "closing")


def body() -> None:
    """The page, drawn again whenever the data change."""
    which = pieces.organizer_id(st.query_params.get("id"))
    if which is None:
        own.not_found()
        return
    with reading("organizer", WITHOUT) as read:
        found = read(health.organizer, which)
        why, needs = read(health.why, which), read(health.would_help, which)
        scores, steps = read(health.score_history, which), read(health.next_steps, which)
        deals, wins = read(health.opportunities, which), read(health.wins, which)
        told = {
            deal: read(health.insight, UUID(deal)).frame
            for deal in deals.frame.loc[deals.frame["status"] == "open", "opportunity_id"].head(own.TOLD)
        }
        events, people = read(health.events, which), read(health.contacts, which)
        happened = read(health.timeline, which, limit=own.lines())
        notes, papers = read(health.notes, which), read(health.documents, which)
    setting = read.setting
    if found.frame.empty:
        own.not_found()
        return
    row = found.frame.iloc[0].to_dict()

    editing.strips(read.viewer)
    own.head(row)
    record.head(read.viewer, "organizer", which)
    own.headline(row, found.columns, scores.frame, read.scope)
    left, right = st.columns([3, 2])
    with left:
        pieces.health_picture(why, setting, "organizer")
    with right:
        own.next_steps(needs.frame, steps, setting)
    left, right = st.columns(2)
    with left:
        picture(
            "history", "Scores over time", scores, setting, lambda: charts.history(scores.frame),
            note=f"At every refresh; {charts.DIRECTION}", empty=pieces.NO_SCORES,
            hint="Dotted: from 60 on the risk is low, under 35 it is high, where no churn probability tells it.",
        )  # fmt: skip
    with right:
        own.churn(why, row, setting)
    own.opportunities(deals, told, wins, setting)
    left, right = st.columns([3, 2])
    with left:
        own.timeline(happened, setting)
    with right:
        own.contacts(people, setting)
        own.events(events, setting)
        own.notes(notes, setting)
        documents.card(papers, setting, read.viewer, which)
        record.history(read.viewer, NOUNS["organizer"], which)


freshness.live(body)
drawer.place({**editing.drawers(), **documents.drawers()})
