"""Where is the money, what is stuck? The first page of reps, and what their managers look at with them."""

from functools import partial
from typing import Final, Literal
from uuid import UUID

import streamlit as st

from app import formats, identity
from app.charts import pipeline as charts
from app.components import drawer, editing, freshness
from app.components import pipeline as pieces
from app.components.deals import draw as draw_deals
from app.components.picture import Answer, picture
from app.components.pipeline import NOTHING, SHOWN
from app.components.review import opened, reading
from app.estimates.survival import CONVERSION, conversion
from queries import pipeline

viewer = identity.require("rep", "manager", "executive", "admin")

BY_STAGE: Final = ("stage", "opportunities", "value", "expected_revenue", "default_probability", "without_rate")
AGE: Final = ("stage", "opportunities", "median_age_days", "normal_age_days", "stalled")
MOVED: Final = ("label", "value", "expected_revenue", "opportunities")


def body() -> None:
    """The page, drawn again whenever the data change."""
    editing.strips(viewer)
    chosen_list, (only, meaning) = pieces.chosen_list()
    with opened("pipeline", "Pipeline") as read:
        scope = read.scope
        start, end = pieces.movement_days(scope).picked()
        headline, trend = read(pipeline.headline), read(pipeline.headline_trend)
        stages, stays = read(pipeline.expected_revenue_by_stage), read(pipeline.stage_stay_ends)
        moved, deals = read(pipeline.movement, start, end), read.first(pipeline.opportunities, SHOWN, only=only)
    setting, currency = read.setting, scope.currency
    number = int(stages.frame["opportunities"].sum())
    behind = formats.counted(number, "open opportunity", "open opportunities")

    pieces.headline(headline, trend.frame, scope)
    left, right = st.columns([3, 2])
    with left:
        picture(
            "by-stage", "Expected revenue by stage", stages.only(BY_STAGE), setting,
            lambda: charts.expected_revenue_by_stage(stages.frame, currency),
            note=f"Expected of value · {behind}", empty=NOTHING, is_empty=not number,
            hint="Pale: the value of the open opportunities. Full: value × probability.",
            on_pick=lambda stage: drawer.open_at("stage", stage, name_of(stages, stage)),
        )  # fmt: skip
    with right:
        picture(
            "age", "Age in stage", stages.only(AGE), setting,
            lambda: charts.age_in_stage(stages.frame),
            note=f"Median age, mark at the normal age · {behind}", empty=NOTHING, is_empty=not number,
            hint="Normal: the 80th percentile of the finished stays in the stage. Stalled: longer than that.",
            on_pick=lambda stage: drawer.open_at("stage", stage, name_of(stages, stage)),
        )  # fmt: skip
    left, right = st.columns([2, 3])
    with left:
        estimated = conversion(stays.frame)
        entries = formats.counted(int(estimated["entries"].sum()), "entry", "entries")
        open_ends = formats.counted(int(estimated["open"].sum()), "still open", "still open")
        picture(
            "funnel", "Conversion by stage", Answer(estimated, CONVERSION, stays.sql), setting,
            lambda: charts.conversion_funnel(estimated),
            note=f"{entries} in {scope.period.label}, {open_ends}", empty=NOTHING,
            hint="Of the entries in the period. Open ones count until today and no longer (Aalen–Johansen).",
        )  # fmt: skip
    with right:
        measure = pieces.measure()
        picture(
            "movement", "What moved the pipeline", moved.only(MOVED), setting,
            lambda: charts.movement(moved.frame, measure, currency),
            note=f"From the end of {formats.day(start)} to the end of {formats.day(end)}",
            empty=NOTHING, is_empty=not moved.frame[measure].ne(0).any(),
            controls=partial(pieces.movement_controls, scope),
            on_pick=lambda term: drawer.open_at("movement", term, name_of(moved, term)),
        )  # fmt: skip
    with st.container(border=True, key="card-list"):
        st.subheader("Opportunities", anchor=False)
        st.caption(meaning)
        pieces.list_switch()
        draw_deals(read, deals, f"{chosen_list} opportunities")


def name_of(rows: Answer, key: str) -> str:
    """The label of the row with that key, for the drawer's title."""
    label = "stage" if "stage" in rows.columns else "label"
    by = "stage_id" if label == "stage" else "term"
    return str(rows.frame.loc[rows.frame[by].fillna("unknown") == key, label].iloc[0])


def stage_records(stage: str) -> None:
    """The opportunities behind a stage's bar; they add up to it."""
    which: UUID | Literal["unknown"] = "unknown" if stage == "unknown" else UUID(stage)
    with reading("pipeline") as read:
        deals = read.first(pipeline.opportunities, SHOWN, stage_id=which)
    pieces.opportunities(deals, read.setting, "records", "Opportunities", without="stage")


def movement_records(term: str) -> None:
    """The opportunities behind a bar of the movement; they add up to it to the cent."""
    with reading("pipeline") as read:
        records = read(pipeline.movement_records, *pieces.movement_days(read.scope).picked(), term)
    pieces.moved(records, read.setting)


freshness.live(body)
drawer.place({"stage": stage_records, "movement": movement_records, **editing.drawers()})
