"""What another value of a stage would do, before it is saved, and saving it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats, frames
from app.charts import stages as charts
from app.charts.style import Chart
from app.commands import stages as commands
from app.components import refusals, states
from app.components.fragments import BODY, draw_again
from app.components.markdown import literal
from app.components.picture import Answer, Empty, Setting, picture
from app.components.stages import offer_undo, reading
from app.errors import Conflict, Refused
from app.estimates import what_if
from app.viewer import Viewer
from queries import stages as questions
from queries.units import count, money, text

NOTHING_OPEN: Final = Empty(
    "Nothing is open", "Without open opportunities another value changes nothing but later ones."
)
CHANGE: Final = {
    "before": money("Now", "Expected revenue as it is"),
    "after": money("Then", "Expected revenue if the value were set and they followed"),
    "change": money("Change"),
    "opportunities": count("Open opportunities"),
}
FOLLOWS: Final[Mapping[what_if.Follows, str]] = {
    "new": "Only new entries",
    "inheriting": "New entries and all that inherit",
    "all": "All, also those with their own value",
}
MONTHS_AHEAD: Final = 12
OWNERS: Final = 7  # the rest are one bar
NO_CHANGE: Final = Empty("Nobody's expected revenue changes", "Move the slider, or choose who follows.")


@dataclass(frozen=True)
class OpenNow:
    """The open opportunities in groups, the statement that they came from, and what their pictures have in common."""

    groups: what_if.Groups
    sql: Callable[[], str]
    setting: Setting


@st.fragment
def preview(viewer: Viewer, stages: pd.DataFrame, calibrated: pd.DataFrame, now: OpenNow) -> None:
    """A slider, what its value would do, and the way to save it. It asks nothing: all is there in `now`."""
    with states.failing_well("preview"):
        _preview(viewer, stages, calibrated, now)


def _preview(viewer: Viewer, stages: pd.DataFrame, calibrated: pd.DataFrame, now: OpenNow) -> None:
    offered = {stage.stage_id: stage for stage in frames.rows(stages) if not stage.is_closed}
    st.subheader("What happens if a value changes", anchor=False)
    if not offered:
        states.nothing_yet("There is no open stage", "Make one below.")
        return
    stage_id = _chosen_stage(offered)
    stage = offered[stage_id]
    suggestion = calibrated.set_index("stage_id")["suggestion"].get(stage_id)
    left, right = st.columns([2, 3])
    with left, st.container(border=True, key="card-value", height="stretch"):
        percent = _value(stage_id, stage, suggestion)
        follows = _follows(now.groups, stage_id)
        outcome = what_if.with_defaults(now.groups, {stage_id: percent / 100}, follows)
        _totals(outcome, now.setting.currency)
        _saving(viewer, stage_id, stage, percent, follows)
    with right:
        stages_side, owners_side = st.columns(2)
        with stages_side:
            _change("by-stage", "By stage", _by_stage(outcome, stages), "stage", charts.by_stage, now)
        with owners_side:
            _change("by-owner", "By owner", _by_owner(outcome), "owner", charts.by_owner, now)
        months = _by_month(outcome, viewer)
        _change("by-month", "By month of the expected close", months, "label", charts.by_month, now)


def _chosen_stage(offered: Mapping[str, Any]) -> str:
    if st.session_state.get("stages.chosen") not in offered:
        st.session_state["stages.chosen"] = next(iter(offered))
    chosen = st.segmented_control(
        "Stage",
        list(offered),
        format_func=lambda stage_id: literal(offered[stage_id].stage),
        key="stages.chosen",
        required=True,
        label_visibility="collapsed",
    )
    return str(chosen)


def _value(stage_id: str, stage: Any, suggestion: Any) -> int:
    key, seen, now = (
        f"stages.value.{stage_id}",
        f"stages.seen.{stage_id}",
        formats.whole_percent(stage.default_probability),
    )
    # What the admin saw when the slider was moved; somebody else's value is taken over only while it was not.
    before = st.session_state.get(seen)
    is_moved = before is not None and st.session_state.get(key, now) not in (before[1], now)
    if not is_moved and st.session_state.get(key) != now:  # written anew, it would undo what the hand is doing just now
        st.session_state[key] = now
    if before is None or not is_moved or before[1] == now:
        st.session_state[seen] = before = int(stage.version), now
    name = literal(stage.stage)
    percent = int(st.slider(f"Probability in {name}", 0, 100, key=key, format="%d %%"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if pd.isna(suggestion):
            st.caption(f"Set to {now}{formats.GAP}%. Not enough closed deals for a suggestion.")
        else:
            suggested = formats.whole_percent(suggestion)
            st.button(
                f"Take the suggestion, {suggested}{formats.GAP}%",
                icon=":material/auto_awesome:",
                key="stages.suggest",
                disabled=percent == suggested,
                on_click=st.session_state.update,
                args=({key: suggested},),
            )
            st.caption(f"Set to {now}{formats.GAP}%", width="content")
    if before[1] != now:
        st.warning(f"Somebody else has set it to {now}{formats.GAP}% meanwhile; you have {percent}{formats.GAP}%.")
    refusals.at("probability")
    return percent


def _follows(groups: what_if.Groups, stage_id: str) -> what_if.Follows:
    each, here = groups.sums["opportunities"], groups.of_stage(stage_id)
    inherits, own = int(each[here & groups.inherits].sum()), int(each[here & ~groups.inherits].sum())
    captions = {
        "new": "Open opportunities keep what they have",
        "inheriting": f"{formats.counted(inherits, 'open opportunity', 'open opportunities')} here",
        "all": f"and {formats.count(own)} more, which somebody gave another one",
    }
    chosen: what_if.Follows = st.radio(
        "Who follows",
        list(FOLLOWS),
        index=1,
        format_func=lambda each: FOLLOWS[each],
        captions=list(captions.values()),
        key="stages.follows",
    )
    return chosen


def _totals(outcome: what_if.Outcome, currency: str) -> None:
    most = float(outcome.groups.sums["value"].sum())
    before, after = float(outcome.before.sum()), float(outcome.after.sum())
    now = what_if.band(before, float(outcome.variance_before.sum()), most)
    then = what_if.band(after, float(outcome.variance_after.sum()), most)
    rows = [
        ("**Expected revenue**", before, after),
        ("about, 1 in 10 below (P10)", now.p10, then.p10),
        ("about, half below (P50)", now.p50, then.p50),
        ("about, 9 in 10 below (P90)", now.p90, then.p90),
    ]
    lines = ["| All open opportunities | now | then |", "|---|--:|--:|"]
    for label, one, other in rows:
        shown = (literal(formats.short_money(amount, currency)) for amount in (one, other))
        lines.append(f"| {label} | {' | '.join(shown)} |")
    st.markdown("\n".join(lines))
    without = int(outcome.groups.sums["without_rate"].sum())
    left_out = (
        f" {formats.counted(without, 'opportunity has', 'opportunities have')} no exchange rate and" if without else ""
    )
    counted_out = f"{left_out} {'is' if without == 1 else 'are'} in no sum." if without else ""
    st.caption(
        "The band is that of independent wins if the set values were right. Where a stage is calibrated, the Forecast"
        f" uses its history instead.{counted_out}"
    )


def _saving(viewer: Viewer, stage_id: str, stage: Any, percent: int, follows: what_if.Follows) -> None:
    st.text_area("Why", key="stages.reason", height=68, placeholder="What makes the new value better?")
    refusals.at("reason")
    refusals.at()
    is_same = percent == formats.whole_percent(stage.default_probability)
    st.button(
        f"Save {percent}{formats.GAP}% for {literal(stage.stage)}",
        type="primary",
        key="stages.save",
        width="stretch",
        disabled=is_same and follows == "new",
        on_click=_save,
        args=(viewer, stage_id, str(stage.stage), percent, follows),
    )


def _save(viewer: Viewer, stage_id: str, name: str, percent: int, follows: what_if.Follows) -> None:
    seen = f"stages.seen.{stage_id}"
    try:
        saved = commands.set_probability(
            by=viewer,
            stage_id=UUID(stage_id),
            probability=percent,
            follows=follows,
            reason=st.session_state["stages.reason"],
            version=st.session_state[seen][0],
        )
    except Refused as refusal:
        refusals.keep(refusal)
        if isinstance(refusal, Conflict):  # both values are on the screen now: the next save is meant so
            with reading() as read:
                version = read.plain(questions.set_up).frame.set_index("stage_id")["version"].get(stage_id)
            st.session_state[seen] = (version, st.session_state[seen][1])
        return
    refusals.forget()
    st.session_state[seen] = st.session_state[seen][0], percent  # the slider may be on its way elsewhere already
    st.session_state["stages.reason"] = ""
    followed = formats.counted(saved.opportunities, "open opportunity followed", "open opportunities followed")
    effect = charts.signed(saved.effect, viewer.organisation.report_currency)
    sentence = f"{name} is at {percent} % now. {followed}: {effect} expected revenue."
    states.say(sentence)
    offer_undo(saved.change_id, sentence)
    draw_again(BODY)


# Sums for the charts ---------------------------------------------------------------------------------------------


def _by_stage(outcome: what_if.Outcome, stages: pd.DataFrame) -> pd.DataFrame:
    sums = what_if.added_up(outcome, "stage_id")
    return stages[["stage_id", "stage", "color", "place"]].merge(sums, on="stage_id").sort_values("place")


def _by_month(outcome: what_if.Outcome, viewer: Viewer) -> pd.DataFrame:
    months = pd.period_range(pd.Timestamp(viewer.today), periods=MONTHS_AHEAD, freq="M").astype(str).tolist()
    sums = what_if.added_up(outcome, "closes")
    named = sums["closes"].where(sums["closes"].isin([*months, "overdue", "undated"]), "later")
    shown = sums.drop(columns="closes").groupby(named).sum().round(2)
    shown = shown.reindex([each for each in ["overdue", *months, "later", "undated"] if each in shown.index])
    labels = {"overdue": "Overdue", "later": "Later", "undated": "No date"}
    return shown.assign(label=[labels.get(each) or f"{pd.Period(each):%b %y}" for each in shown.index])


def _by_owner(outcome: what_if.Outcome) -> pd.DataFrame:
    sums = what_if.added_up(outcome, "owner")
    ordered = sums.reindex(sums["change"].abs().sort_values(ascending=False, kind="stable").index)
    moved = ordered[ordered["change"] != 0]
    top, rest = moved.iloc[:OWNERS], moved.iloc[OWNERS:]
    if rest.empty:
        return top
    others = rest[["opportunities", "before", "after", "change"]].sum().round(2)
    return pd.concat([top, pd.DataFrame([{"owner": f"{len(rest)} others", **others}])], ignore_index=True)


def _change(
    key: str,
    title: str,
    sums: pd.DataFrame,
    label: str,
    chart: Callable[[pd.DataFrame, str], Chart],
    now: OpenNow,
) -> None:
    change = float(sums["change"].sum())
    setting = now.setting
    said = charts.signed(change, setting.currency) if change else "no change"
    picture(
        key, title, Answer(sums, {label: text(title), **CHANGE}, now.sql), setting,
        lambda: chart(sums, setting.currency),
        note=f"In all {said}", empty=NOTHING_OPEN if not len(now.groups.inherits) else NO_CHANGE,
    )  # fmt: skip
