"""Where is the money, what is stuck? The first page of reps, and what their managers look at with them."""

from datetime import date, timedelta
from functools import partial
from typing import Final, Literal
from uuid import UUID

import streamlit as st

from app import formats, identity
from app.charts import pipeline as charts
from app.components import drawer, freshness
from app.components import pipeline as pieces
from app.components.picture import Answer, picture
from app.components.pipeline import LISTS, NOTHING
from app.components.review import opened, reading
from app.estimates.survival import CONVERSION, conversion
from queries import pipeline
from queries.scope import Scope

identity.require("rep", "manager", "executive", "admin")

BY_STAGE: Final = ("stage", "opportunities", "value", "expected_revenue", "default_probability", "without_rate")
AGE: Final = ("stage", "opportunities", "median_age_days", "normal_age_days", "stalled")
MOVED: Final = ("label", "value", "expected_revenue", "opportunities")
MEASURES: Final[dict[str, charts.Measure]] = {"Expected revenue": "expected_revenue", "Value": "value"}


def body() -> None:
    """The page, drawn again whenever the data change."""
    chosen_list = st.session_state.get("list", "All open")
    only, meaning = LISTS[chosen_list]
    with opened("pipeline", "Pipeline") as read:
        scope = read.scope
        start, end = movement_dates(scope)
        headline, trend = read(pipeline.headline), read(pipeline.headline_trend)
        stages, stays = read(pipeline.expected_revenue_by_stage), read(pipeline.stage_stay_ends)
        moved, deals = read(pipeline.movement, start, end), read(pipeline.opportunities, only=only)
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
        measure = MEASURES[st.session_state.get("measure") or "Expected revenue"]
        picture(
            "movement", "What moved the pipeline", moved.only(MOVED), setting,
            lambda: charts.movement(moved.frame, measure, currency),
            note=f"From the end of {formats.day(start)} to the end of {formats.day(end)}",
            empty=NOTHING, is_empty=not moved.frame[measure].ne(0).any(), controls=partial(movement_controls, scope),
            on_pick=lambda term: drawer.open_at("movement", term, name_of(moved, term)),
        )  # fmt: skip
    with st.container(border=True, key="card-list"):
        st.subheader("Opportunities", anchor=False)
        st.caption(meaning)
        st.segmented_control(
            "List", list(LISTS), key="list", default="All open", required=True, label_visibility="collapsed"
        )
        pieces.opportunities(deals, setting, "list", f"{chosen_list} opportunities")


def name_of(rows: Answer, key: str) -> str:
    """The label of the row with that key, for the drawer's title."""
    label = "stage" if "stage" in rows.columns else "label"
    by = "stage_id" if label == "stage" else "term"
    return str(rows.frame.loc[rows.frame[by].fillna("unknown") == key, label].iloc[0])


def movement_dates(scope: Scope) -> tuple[date, date]:
    """From the end of which day to the end of which: the period's, or what the reader has picked."""
    start, end = (min(day - timedelta(days=1), scope.as_of) for day in (scope.period.start, scope.flow_end))
    picked = [
        st.session_state.get(f"movement.{which}.{scope.period.label}.{scope.as_of}") for which in ("start", "end")
    ]
    start, end = picked[0] or start, picked[1] or end
    return min(start, end), max(start, end)


def movement_controls(scope: Scope) -> None:
    """The two days, and on which amount."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for which, label, day in zip(
            ("start", "end"), ("From the end of", "To the end of"), movement_dates(scope), strict=True
        ):
            key = f"movement.{which}.{scope.period.label}.{scope.as_of}"
            st.session_state.setdefault(key, day)
            st.date_input(label, max_value=scope.as_of, format="YYYY-MM-DD", key=key, width=140)
        st.segmented_control(
            "Amount",
            list(MEASURES),
            key="measure",
            default="Expected revenue",
            required=True,
            label_visibility="collapsed",
        )


def stage_records(stage: str) -> None:
    """The opportunities behind a stage's bar; they add up to it."""
    which: UUID | Literal["unknown"] = "unknown" if stage == "unknown" else UUID(stage)
    with reading("pipeline") as read:
        deals = read(pipeline.opportunities, stage_id=which)
    pieces.opportunities(deals, read.setting, "records", "Opportunities", without="stage")


def movement_records(term: str) -> None:
    """The opportunities behind a bar of the movement; they add up to it to the cent."""
    with reading("pipeline") as read:
        records = read(pipeline.movement_records, *movement_dates(read.scope), term)
    pieces.moved(records, read.setting)


freshness.live(body)
drawer.place({"stage": stage_records, "movement": movement_records})
