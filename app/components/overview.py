"""What the Overview says, put together once: the page draws it, and so does its one-page PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

import pandas as pd
import streamlit as st

from app import formats, frames
from app.charts.health import RISKS
from app.charts.overview import Track, on_track
from app.components import board_pack, findings, metrics, scope_bar
from app.components.findings import Finding
from app.components.forecast import NOTHING, attainment
from app.components.health import Model
from app.components.markdown import literal
from app.components.metrics import Metric
from app.components.picture import Answer, Setting, behind, picture
from app.components.review import Reading
from app.estimates.forecast import Forecast
from queries import overview, scoped
from queries.scope import Scope

PAGE: Final = "overview"
EACH: Final = 5  # changes of a kind that are named; a file has all of them
MOVED: Final = 1000  # organizers whose health moved most, among which those that fell are looked for
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "won": ("Won", "Nothing was won"),
    "lost": ("Lost", "Nothing was lost"),
    "slip": ("Slipped", "Nothing slipped to a later month"),
    "stage": ("Changed stage", "Nothing moved to another stage"),
}


class Answers(NamedTuple):
    """Everything that the page reads, in one round, each from the question of the page that it leads to."""

    pipeline: Answer
    pipeline_trend: Answer
    stages: Answer
    months: Answer
    outside: Answer
    whole: Forecast
    health: Answer
    health_trend: Answer
    risks: Answer
    model: Model
    fell: Answer
    engagement: Answer
    engagement_trend: Answer
    changes: Answer


@dataclass(frozen=True)
class Group:
    """What changed of one kind: its title, how much it was in all, the largest ones, and what is said of none."""

    title: str
    total: str
    rows: Sequence[Finding]
    nothing: str


@dataclass(frozen=True)
class Overview:
    """The page in words and numbers, as they are shown."""

    organisation: str
    whose: str
    filters: str
    as_of: str
    on: datetime
    metrics: Sequence[Metric]
    notes: str
    track: Track | None
    needs: Sequence[Finding]
    since: str
    changes: Sequence[Group]


def told(read: Reading, found: Answers) -> Overview:
    """What the answers say."""
    scope, setting = read.scope, read.setting
    track = _track(found, scope)
    return Overview(
        organisation=read.viewer.organisation.name,
        whose="The whole company" if read.viewer.team is None else f"What {read.viewer.full_name} may see",
        filters=setting.filters,
        as_of=f"{setting.as_of} ({setting.time_zone})",
        on=pd.Timestamp(setting.moment).tz_convert(setting.time_zone).to_pydatetime(),
        metrics=_metrics(found, track, scope),
        notes=_notes(found, scope),
        track=track if track.target is not None or found.months.frame["opportunities"].sum() else None,
        needs=_needs(found, scope),
        since=formats.day(scope.as_of - overview.WEEK),
        changes=[*_changed(found.changes.frame, scope), _fell(found.fell.frame)],
    )


# Are we on track? ------------------------------------------------------------------------------------------


def _track(found: Answers, scope: Scope) -> Track:
    months, whole = found.months.frame, found.whole
    targets = months["target"].dropna()
    target = float(targets.sum()) if len(targets) else None
    low, high = whole.band(0.8)
    return Track(
        period=scope.period.label,
        currency=scope.currency,
        won=float(months["won"].sum()),
        weighted=float(months["weighted"].sum()),
        target=target,
        chance=None if target is None else whole.at_least(target),
        low=low,
        middle=whole.quantile(0.5),
        high=high,
    )


def _metrics(found: Answers, track: Track, scope: Scope) -> list[Metric]:
    money = partial(formats.short_money, currency=scope.currency)
    deals, deals_before = metrics.now_and_before(found.pipeline)
    state, state_before = metrics.now_and_before(found.health)
    talk, talk_before = metrics.now_and_before(found.engagement)
    scored, speaks = not pd.isna(state["scored_on"]), found.model.speaks
    of_target = attainment(track.won, track.target)
    high = RISKS["high"]
    return [
        Metric(
            "Won",
            money(deals["won_value"]),
            formats.change(deals["won_value"], deals_before["won_value"]),
            found.pipeline.columns["won_value"].sentence,
            metrics.sparkline(found.pipeline_trend.frame["won_value"]),
            note="no target" if of_target is None else f"{formats.share(of_target)} of target",
        ),
        Metric(
            "Expected revenue",
            money(deals["expected_revenue"]),
            formats.change(deals["expected_revenue"], deals_before["expected_revenue"]),
            found.pipeline.columns["expected_revenue"].sentence,
            metrics.sparkline(found.pipeline_trend.frame["expected_revenue"]),
        ),
        Metric(
            "Win rate",
            formats.share(deals["win_rate"]),
            formats.points(deals["win_rate"], deals_before["win_rate"]),
            found.pipeline.columns["win_rate"].sentence,
            metrics.sparkline(found.pipeline_trend.frame["win_rate"]),
        ),
        Metric(
            "Median health",
            f"{state['median_health']:.0f} of 100"
            if scored and not pd.isna(state["median_health"])
            else formats.MISSING,
            formats.more(state["median_health"], state_before["median_health"]),
            found.health.columns["median_health"].sentence,
            metrics.sparkline(found.health_trend.frame["median_health"]) if scored else None,
        ),
        Metric(
            "Revenue at risk",
            money(state["revenue_at_risk"]) if speaks else formats.MISSING,
            formats.change(state["revenue_at_risk"], state_before["revenue_at_risk"]) if speaks else None,
            f"{found.health.columns['revenue_at_risk'].sentence} {found.model.reason}".strip(),
            good="down",
            note=f"{formats.count(state['high_risk'])} at {high.mark} high risk" if scored else "not scored yet",
        ),
        Metric(
            "Activities",
            formats.count(talk["activities"]),
            formats.change(talk["activities"], talk_before["activities"]),
            found.engagement.columns["activities"].sentence,
            metrics.sparkline(found.engagement_trend.frame["activities"]),
        ),
    ]


def _notes(found: Answers, scope: Scope) -> str:
    before = scope.before()
    compared = (
        f"{formats.day(before.period.start)} to {formats.day(before.as_of)}"
        if before.flow_end < before.period.end
        else before.period.label
    )
    notes = [f"Changes compare with {compared}."]
    deals = metrics.now_and_before(found.pipeline)[0]
    if left_out := int(deals["without_rate"]) + int(deals["closed_without_rate"]):
        subject = formats.counted(left_out, "opportunity has", "opportunities have")
        notes.append(f"{subject} no exchange rate to {scope.currency}: in no amount here.")
    if left_out := int(found.months.frame["targets_without_rate"].sum()):
        subject = formats.counted(left_out, "target has", "targets have")
        notes.append(f"{subject} no exchange rate to {scope.currency}: not added.")
    return " ".join(notes)


# What needs me, and what changed -----------------------------------------------------------------------------


def _here() -> dict[str, list[str]]:
    """The choice as the query of an address, so that the page behind a number counts the same."""
    return scope_bar.ADDRESS.now()


def _needs(found: Answers, scope: Scope) -> list[Finding]:
    here, currency = _here(), scope.currency
    overdue = found.outside.frame.set_index("kind").loc["overdue"]
    stalled = int(found.stages.frame["stalled"].fillna(0).sum())
    risky = found.risks.frame.set_index("risk").loc["high"]
    at_stake = (
        f"{formats.short_money(risky['revenue_at_risk'], currency)} at risk"
        if found.model.speaks
        else f"{formats.short_money(risky['value'], currency)} won in 12 months"
    )
    talk = metrics.now_and_before(found.engagement)[0]
    high = RISKS["high"]
    return [
        Finding(
            "Overdue opportunities",
            f"{formats.short_money(overdue['value'], currency)} expected to close before the day",
            formats.count(overdue["opportunities"]), "forecast", here,
        ),
        Finding(
            "Stalled opportunities", "In their stage for longer than 80 % of the finished stays",
            formats.count(stalled), "pipeline", here,
        ),
        Finding(
            "Neglected accounts",
            f"{formats.short_money(talk['neglected_value'], currency)} open, and no activity in 30 days",
            formats.count(talk["neglected"]), "engagement", here,
        ),
        Finding(
            f"Accounts at {high.mark} high risk", at_stake, formats.count(risky["organizers"]), "health", here,
        ),
        Finding(
            "Overdue tasks", f"Of {formats.counted(int(talk['pending']), 'pending one')}",
            formats.count(talk["overdue"]), "engagement", here,
        ),
    ]  # fmt: skip


def _changed(changes: pd.DataFrame, scope: Scope) -> list[Group]:
    groups = []
    for kind, (title, nothing) in KINDS.items():
        rows = changes[changes["kind"] == kind]
        total = ""
        if len(rows):
            worth = formats.short_money(rows["total_value"].iloc[0], scope.currency)
            total = f"{formats.count(rows['total'].iloc[0])} · {worth}"
        groups.append(Group(title, total, [_change(kind, row, scope) for row in frames.rows(rows)], nothing))
    return groups


def _change(kind: str, row: Any, scope: Scope) -> Finding:
    if kind == "stage":
        what = f"{_stage(row.stage_before)} → {_stage(row.stage)}"
    elif kind == "slip":
        what = f"{formats.day(row.expected_before)} → {formats.day(row.expected_close)}"
    else:
        what = row.owner
    amount = formats.short_money(row.value, scope.currency)
    if row.organizer == scoped.OUT_OF_SIGHT:
        return Finding(row.name, what, amount, "pipeline", _here())
    return Finding(row.name, f"{row.organizer} · {what}", amount, "organizer", _of(row.organizer_id))


def _stage(name: Any) -> str:
    return "Unknown stage" if pd.isna(name) else str(name)


def _of(organizer: str) -> dict[str, list[str]]:
    return {"id": [organizer], **_here()}


def _fell(moved: pd.DataFrame) -> Group:
    fell = moved[moved["change"] < 0]
    rows = [
        Finding(
            row.organizer, f"{row.owner} · {_level(row.risk_before)} → {_level(row.churn_risk)}",
            f"{row.before} → {row.health}", "organizer", _of(row.organizer_id),
        )
        for row in frames.rows(fell.head(EACH))
    ]  # fmt: skip
    number = formats.count(len(fell)) if len(moved) < MOVED else f"over {formats.count(len(fell))}"
    return Group("Health fell", number if rows else "", rows, "No health score fell")


def _level(risk: Any) -> str:
    found = RISKS.get(str(risk))
    return formats.MISSING if found is None else f"{found.mark} {found.word.lower()}"


# Drawn ---------------------------------------------------------------------------------------------------------


def draw(page: Overview, found: Answers, setting: Setting) -> None:
    """The whole page below its scope."""
    metrics.row(page.metrics)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(page.notes, width="stretch")
        # Made on the click, away from the rerun, of what is shown already.
        st.download_button(
            "One-page PDF",
            lambda: board_pack.pdf(page),
            f"eventos-overview-{page.on:%Y-%m-%d-%H%M}.pdf",
            "application/pdf",
            key="board-pack",
            on_click="ignore",
            icon=":material/picture_as_pdf:",
        )
    left, right = st.columns([3, 2])
    with left:
        track = page.track
        picture(
            "track", "Are we on track?", found.months, setting,
            lambda: on_track(track),  # type: ignore[arg-type]  # drawn only where there is one
            note="Eight of ten simulated periods end in the band (P10 to P90, mark at P50) · ◆ weighted",
            empty=NOTHING, is_empty=track is None,
            controls=None if track is None else lambda: _say(track.words),
            hint="The table behind it has the months. The Forecast page says what the range is made of.",
        )  # fmt: skip
    with right, st.container(border=True, key="card-needs", height="stretch"):
        st.subheader("What needs me?", anchor=False)
        findings.draw(page.needs, key="needs")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(f"What changed since {page.since}", anchor=False, width="stretch")
        behind("changes", "What changed in a week", found.changes, setting)
    for place in (slice(0, 3), slice(3, None)):
        groups = page.changes[place]
        for column, group in zip(st.columns(len(groups)), groups, strict=True):
            with column, st.container(border=True, key=f"card-{group.title.split()[0].lower()}", height="stretch"):
                _group(group)


def _say(words: str) -> None:
    st.markdown(literal(words))


def _group(group: Group) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{group.title}**", width="stretch")
        st.caption(literal(group.total), width="content")
    if group.rows:
        findings.draw(group.rows, key=f"changed.{group.title}")
    else:
        st.caption(group.nothing)
