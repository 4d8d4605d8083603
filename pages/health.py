"""Whom do we risk losing, what would it cost, why? The first page of executives, and of managers who must act on it."""

import streamlit as st

from app import identity
from app.components import drawer, freshness
from app.components import health as pieces
from app.components import health_pictures as pictures
from app.components.health import POINTS, SHOWN
from app.components.health_records import RECORDS, WITHOUT
from app.components.review import opened
from queries import health

identity.require("rep", "manager", "executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    by, (chosen_list, which) = pieces.segment(), pieces.chosen_list()
    with opened("health", "Health", WITHOUT) as read:
        scope = read.scope
        model = pieces.Model.of(read(health.report_cards).frame)
        headline, trend, churned = read(health.headline), read(health.headline_trend), read(health.churned_days)
        most = read.first(health.accounts, POINTS, order="revenue_at_risk" if model.speaks else "value")
        levels, bands = read(health.risk), read(health.distribution, by)
        moved = read(health.movers, *pieces.moved_days(scope).picked())
        found = read.first(health.accounts, SHOWN, **which)
        curve, effects, kept = read(health.calibration, "churn"), read(health.effects, "churn"), read(health.retention)
    setting = read.setting
    standing = pictures.Standing.of(headline, model, setting)

    pieces.headline(headline, trend.frame, churned.frame, model, scope)
    left, right = st.columns([3, 2])
    with left:
        pictures.risk(most, standing)
    with right:
        pictures.levels(levels, standing)
    left, right = st.columns(2)
    with left:
        pictures.distribution(bands, standing, by)
    with right:
        pictures.movers(moved, standing, scope)
    pictures.accounts(found, setting, f"{chosen_list} accounts")
    left, right = st.columns(2)
    with left:
        pictures.model(curve, effects.frame, standing)
    with right:
        pictures.retention(kept, setting)


freshness.live(body)
drawer.place(RECORDS)
