"""Who are we talking to, whom have we dropped? For reps and their managers; executives look."""

from typing import Final

import streamlit as st

from app import identity
from app.components import drawer, freshness
from app.components import engagement as pieces
from app.components import engagement_pictures as pictures
from app.components.engagement import SHOWN
from app.components.engagement_records import RECORDS, WITHOUT
from app.components.review import opened
from queries import engagement

identity.require("rep", "manager", "executive", "admin")

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
    setting = read.setting

    pieces.undo("page")
    pieces.headline(headline, trend.frame, next_steps.frame, scope)
    left, right = st.columns([3, 2])
    with left:
        pictures.hours(hours, setting, scope, viewer, kind)
    with right:
        pictures.neglected(silent, setting)
    left, right = st.columns([3, 2])
    with left:
        pictures.accounts(accounts, setting)
    with right:
        pictures.load(load, setting)
    pictures.next_tasks(due, setting, viewer, own=own is not None)
    left, right = st.columns([3, 2])
    with left:
        pictures.types(types, setting)
    with right:
        pictures.reach(contacts, setting)
    pictures.calendar(days, setting, kind)
    left, right = st.columns([2, 3])
    with left:
        pictures.scores(bands, setting)
    with right:
        pictures.movers(risen, fallen, setting)


freshness.live(body)
drawer.place(RECORDS)
