"""The pieces of the Stages page that everybody reads: the judgement, the scorecards, and what was changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats, frames, identity
from app.cache import Ask, asking
from app.charts import stages as charts
from app.commands import stages as commands
from app.components import metrics, states
from app.components.markdown import literal
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, behind, picture, table
from app.components.review import SCREENFUL
from app.estimates import what_if
from app.viewer import Viewer
from queries.calibration import Horizon
from queries.question import Question
from queries.scope import Period, Scope
from queries.units import count, share, text

HORIZONS: Final[Mapping[Horizon, tuple[str, str]]] = {
    "ever": ("Ever wins", "Of the closed opportunities that were ever in the stage: how many were won in the end."),
    "by_expected_close": (
        "Wins by its expected close",
        "Of those that came into the stage with an expected close: how many were won by that day.",
    ),
}
NO_RUN: Final = Empty(
    "How often opportunities are won from each stage will stand here",
    "`eventos calibration` computes it.",
)
NO_CURVE: Final = Empty("Set values against what came true will stand here", "It takes closed opportunities.")
NO_SCORES: Final = Empty(
    "Which forecasts would have been better will stand here",
    "It takes 30 closed opportunities to learn from and 30 later ones to test on.",
)
NO_OVERRIDES: Final = Empty(
    "Who forecasts better than the stages will stand here",
    "It takes closed opportunities that somebody had given a probability of their own.",
)
JUDGED: Final = {
    "stage": text("Stage"),
    "set_probability": share("Set", "What an opportunity in the stage has unless it has its own"),
    "rate": share("Won", "Won / closed, of those that reached the stage"),
    "interval": text("95 % sure", "The interval that holds the true rate with 95 % certainty (Jeffreys)"),
    "n": count("Closed", "Closed opportunities that reached the stage: the evidence"),
    "open": count("Open", "Reached the stage and are not decided: in no rate"),
    "suggestion": share("Suggestion", "The rate drawn a little towards those of the neighbouring stages"),
    "verdict": text("Verdict"),
}
HISTORY: Final = ("at", "stage", "who", "what", "reason", "follows", "opportunities", "effect")
MOST_OWNERS: Final = 8  # of a scorecard; all are in its table
RECENT: Final = 6
_OFFER: Final = "stages.offer"
_WIDTHS: Final = {"stage": 120, "interval": 90, "verdict": 220}


@dataclass(frozen=True)
class Reading:
    """Asks about the whole company as it is now: there is one set of stages, whatever part of it somebody looks at."""

    ask: Ask
    viewer: Viewer

    @property
    def scope(self) -> Scope:
        """Today, everybody, in the report currency."""
        organisation, today = self.viewer.organisation, self.viewer.today
        period = Period.of("quarter", today, organisation.fiscal_year_first_month)
        return Scope(today, today, period, organisation.report_currency, organisation.time_zone)

    @property
    def setting(self) -> Setting:
        """What the pictures of the page have in common."""
        return Setting("The whole company", False, datetime.now(UTC), self.viewer.time_zone, self.scope.currency)

    def __call__(self, question: Question[Any], *args: Any) -> Answer:
        """The question's answer about the whole company, with its columns and its SQL."""
        return self.plain(question, self.scope, *args)

    def plain(self, question: Question[Any], *args: Any) -> Answer:
        """The same of a question that takes no scope."""
        return Answer(self.ask(question, *args), question.columns, partial(question.sql, *args))


@contextmanager
def reading() -> Iterator[Reading]:
    """Yields a reading for the viewer of this run. It holds a connection: draw after it, not in its block."""
    viewer = identity.viewer()
    with asking(viewer) as ask:
        yield Reading(ask, viewer)


@contextmanager
def opened() -> Iterator[Reading]:
    """Draws the page's title, says what became of the last change, and yields a reading."""
    states.outcome()
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title("Stages", anchor=False, width="stretch")
        horizon_switch()
    with st.container():  # see states.outcome
        _undo_offer()
    with st.skeleton(height=SCREENFUL), reading() as read:
        yield read


# The judgement ---------------------------------------------------------------------------------------------------


def horizon() -> Horizon:
    """What the reader counts as winning."""
    chosen: Horizon = st.session_state.get("horizon", "ever")
    return chosen if chosen in HORIZONS else "ever"


def horizon_switch() -> None:
    """Chooses what counts as winning."""
    st.segmented_control(
        "What counts",
        list(HORIZONS),
        format_func=lambda each: HORIZONS[each][0],
        key="horizon",
        default="ever",
        required=True,
        label_visibility="collapsed",
        persist_state="page",
    )


def headline(calibrated: pd.DataFrame, scores: pd.DataFrame, groups: what_if.Groups, currency: str) -> None:
    """Four numbers: how many stages are off, what that is worth, how large the error is, how many follow the stages."""
    judged = calibrated[calibrated["outside"].notna()]
    off = judged[judged["outside"].astype(bool)]
    suggested = dict(zip(off["stage_id"], off["suggestion"].astype(float), strict=True))
    outcome = what_if.with_defaults(groups, suggested, "inheriting")
    expected, difference = outcome.before.sum(), (outcome.after - outcome.before).sum()
    each = groups.sums["opportunities"]
    number, inherits = int(each.sum()), int(each[groups.inherits].sum())
    error = scores.set_index("forecaster")["brier"].dropna()
    known = not error.empty
    metrics.row(
        [
            Metric(
                "Set outside what came true",
                f"{len(off)} of {len(judged)}" if len(judged) else formats.MISSING,
                None,
                "Stages whose set value lies outside the 95 % interval of the observed rate. Stages with under"
                " 30 closed opportunities are not judged.",
            ),
            Metric(
                "Expected revenue",
                formats.short_money(expected, currency),
                _delta(difference, currency) if len(off) else None,
                "Sum of value × probability of all open opportunities that you see; below, how much more or less it"
                " would be if these stages had the suggested values and all that inherit followed.",
                good="neither",
            ),
            Metric(
                "Inherit from their stage",
                formats.share(inherits / number) if number else formats.MISSING,
                None,
                f"{formats.count(inherits)} of {formats.count(number)} open opportunities that you see have the stage's"
                " probability; the others have one of their own.",
            ),
            Metric(
                "Error of the set values",
                f"{error['set']:.3f}" if known else formats.MISSING,
                formats.change(error["calibrated"], error["set"]) if known else None,
                "Mean squared error of the probability (Brier): 0 is always right, 0.25 a coin toss. Below, what"
                " following history would have changed, tested on later opportunities.",
                good="down",
            ),
        ]
    )


def _delta(difference: float, currency: str) -> str:
    # Streamlit knows a fall by its hyphen.
    return f"{charts.signed(difference, currency, short=True)} as suggested".replace("−", "-")


def judged(calibrated: Answer) -> Answer:
    """The stages with their interval and the verdict in words."""
    frame = calibrated.frame.assign(
        interval=[charts.interval(row.low, row.high) for row in frames.rows(calibrated.frame)],
        verdict=[_verdict(row) for row in frames.rows(calibrated.frame)],
    )
    return replace(calibrated, frame=frame, columns=JUDGED)


def _verdict(stage: Any) -> str:
    if stage.reason:
        return str(stage.reason)
    if not stage.outside:
        return "● within"
    return "▲ set too high" if stage.set_probability > stage.high else "▼ set too low"


def _findings(calibrated: pd.DataFrame) -> list[str]:
    judged = calibrated[calibrated["outside"].notna()]
    if judged.empty:
        return ["No stage has enough closed deals to be judged yet."]
    off = frames.rows(judged[judged["outside"].astype(bool)])
    if not off:
        return ["Every stage keeps what it promises."]
    return [
        f"**{literal(stage.stage)}** promises {formats.share(stage.set_probability)} and keeps"
        f" **{formats.share(stage.rate)}**: {formats.count(stage.wins)} of {formats.count(stage.n)} were won."
        for stage in off
    ]


def evidence(calibrated: Answer, latest: pd.DataFrame, setting: Setting) -> None:
    """The table of what is set and what came true."""
    answer, (name, meaning) = judged(calibrated), HORIZONS[horizon()]
    with st.container(border=True, key="card-evidence", height="stretch", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader("What is set, what came true", anchor=False, help=meaning, width="stretch")
            behind("evidence", "What is set, what came true", answer, setting)
        if latest.empty:
            states.nothing_yet(NO_RUN.what, NO_RUN.how)
        else:
            for sentence in _findings(calibrated.frame):
                st.markdown(sentence)
            shares = {name: answer.frame[name].round(2) for name, unit in JUDGED.items() if unit.kind == "share"}
            whole = replace(answer, frame=answer.frame.assign(**shares))
            table("evidence", "What is set, what came true", whole, setting, _WIDTHS)
        known = "" if latest.empty else f" · history up to {formats.day(latest['as_of'].iloc[0])}"
        st.caption(f"{name}: {meaning[0].lower()}{meaning[1:]} Open ones are in no rate{known}")


def reliability(calibrated: Answer, curve: Answer, setting: Setting) -> None:
    """The plot of the same: on the dotted line, what was promised came true."""
    bins = curve.frame if horizon() == "ever" else curve.frame.iloc[:0]
    closed = int(calibrated.frame["n"].max() if len(calibrated.frame) else 0)
    picture(
        "reliability", "Promised and kept", judged(calibrated), setting,
        lambda: charts.reliability(calibrated.frame, bins),
        note=f"Bars: 95 % interval. Dotted: promise kept. Up to {formats.count(closed)} closed",
        empty=NO_CURVE, is_empty=not calibrated.frame["rate"].notna().any(),
        hint="Each stage at its set value and at the rate that was won. Under the dotted line, it promises too much."
        " The grey curve is all set values there ever were.",
    )  # fmt: skip


def forecasters(scores: Answer, setting: Setting) -> None:
    """Three ways to forecast, by their error."""
    frame = scores.frame
    abstains = frame.empty or bool(frame["brier"].isna().any())
    reason = str(frame["reason"].iloc[0]) if abstains and len(frame) else ""
    tested = "" if abstains else f"{formats.count(frame['opportunities'].iloc[0])} later opportunities"
    picture(
        "scores", "Would history have forecast better?", scores, setting,
        lambda: charts.scores(frame),
        note=reason or f"Error (Brier): 0 is always right, 0.25 a coin toss; bars: 95 % interval · tested on {tested}",
        empty=NO_SCORES, is_empty=abstains,
        hint="As set: the probability of the stage on the day. As history suggests: the rate of what was closed before."
        " One rate: the company's win rate, whatever the stage.",
    )  # fmt: skip


def scorecard(overrides: Answer, setting: Setting) -> None:
    """Whether people know better than their stages."""
    frame = overrides.frame
    shown = frame.loc[frame["reason"].ne("").sort_values(kind="stable").index].head(MOST_OWNERS)
    picture(
        "overrides", "Who knows better than the stage?", overrides, setting,
        lambda: charts.overrides(shown),
        note="Right of the line: own values were better than the stages' · bars: 95 % interval",
        empty=NO_OVERRIDES,
        hint="On closed opportunities with a probability of their own: its squared error against that of the stage's"
        " value which it replaced. Under 30 there is no judgement.",
    )  # fmt: skip


# What was changed ------------------------------------------------------------------------------------------------


def history(changes: Answer, setting: Setting, *, may_undo: bool) -> None:
    """Who changed what, when, why, and what that did."""
    answer = changes.only(HISTORY)
    with st.container(border=True, key="card-history"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader("What was changed", anchor=False, width="stretch")
            behind("history", "What was changed", answer, setting)
        for change in frames.rows(changes.frame.head(RECENT)):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.html(f'<span class="stage-dot" style="background:{change.color}"></span>', width="content")
                st.markdown(_told(change, setting), width="stretch")
                if may_undo and change.can_be_undone is not pd.NA and bool(change.can_be_undone):
                    st.button("Undo", icon=":material/undo:", key=f"undo.{change.change_id}",
                              on_click=_undo, args=(UUID(change.change_id),))  # fmt: skip
        with st.expander(f"All {len(changes.frame)} changes", key="history.all", on_change="rerun") as everything:
            if everything.open:
                table("history", "What was changed", answer, setting, {"what": 220, "reason": 260})


def _told(change: Any, setting: Setting) -> str:
    line = f"**{literal(change.stage)}** {literal(change.what)}"
    if isinstance(change.reason, str) and change.reason:
        line += f" · “{literal(change.reason)}”"
    if not pd.isna(change.opportunities):
        line += f" · {formats.counted(int(change.opportunities), 'opportunity', 'opportunities')} followed"
    if not pd.isna(change.effect):
        line += f", {literal(charts.signed(change.effect, setting.currency, short=True))}"
    if change.undone is not pd.NA and bool(change.undone):
        line += " · undone"
    return f"{line}  \n:gray[{literal(change.who)}, {formats.moment(change.at, setting.time_zone)}]"


def offer_undo(change_id: UUID, sentence: str) -> None:
    """For a callback: the page says what was done, with the way back beside it."""
    st.session_state[_OFFER] = change_id, sentence


def _undo_offer() -> None:
    offer = st.session_state.get(_OFFER)
    if not offer:
        return
    change_id, sentence = offer
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="card-offer"):
        st.markdown(f":material/check: {literal(sentence)}", width="stretch")
        st.button("Undo", icon=":material/undo:", key="stages.undo", on_click=_undo, args=(change_id,))
        st.button("", icon=":material/close:", help="Close", type="tertiary", key="stages.offer.close",
                  on_click=st.session_state.pop, args=(_OFFER,))  # fmt: skip


def _undo(change_id: UUID) -> None:
    viewer = identity.viewer()
    st.session_state.pop(_OFFER, None)
    with states.trying():
        undone = commands.undo(by=viewer, change_id=change_id)
        restored = formats.counted(undone.opportunities, "open opportunity has", "open opportunities have")
        kept = f" {undone.kept:,} that were changed since keep what they have." if undone.kept else ""
        states.say(f"Undone. {restored} what they had before.{kept}")
        for key in [key for key in st.session_state if str(key).startswith("stages.seen.")]:
            del st.session_state[key]
