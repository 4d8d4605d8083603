"""Are our probabilities right, and what happens if one changes? The first page of admins, read by their managers."""

import streamlit as st

from app import identity
from app.components import drawer, freshness, stage_forms, stage_value
from app.components import stages as pieces
from app.estimates import what_if
from queries import calibration
from queries import stages as questions

identity.require("manager", "executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    with pieces.opened() as read:
        latest = read(calibration.latest)
        calibrated = read(calibration.stages, pieces.horizon())
        curve, scores, overrides = read(calibration.reliability), read(calibration.scores), read(calibration.overrides)
        stages, groups = read.plain(questions.set_up), read(questions.open_groups)
        changes = read.plain(questions.changes_made)
    setting, edits, open_now = read.setting, read.viewer.role == "admin", what_if.Groups.of(groups.frame)

    pieces.headline(calibrated.frame, scores.frame, open_now, setting.currency)
    left, right = st.columns([3, 2])
    with left:
        pieces.evidence(calibrated, latest.frame, setting)
    with right:
        pieces.reliability(calibrated, curve, setting)
    if edits:
        now = stage_value.OpenNow(open_now, groups.sql, setting)
        stage_value.preview(read.viewer, stages.frame, calibrated.frame, now)
    left, right = st.columns(2)
    with left:
        pieces.forecasters(scores, setting)
    with right:
        pieces.scorecard(overrides, setting)
    if edits:
        left, right = st.columns([2, 3])
        with left:
            stage_forms.arrange(read.viewer, stages.frame)
        with right:
            pieces.history(changes, setting, may_undo=True)
    else:
        pieces.history(changes, setting, may_undo=False)


freshness.live(body)
drawer.place({"edit": stage_forms.edit, "create": stage_forms.create, "delete": stage_forms.delete})
