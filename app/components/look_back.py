"""How good past forecasts were: what was said then, what came, and what that says of the next one.

Rebuilding them takes a while, so it is done when the reader opens the section, and kept for the session: what is over
hardly changes while somebody looks.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

import pandas as pd
import streamlit as st

from app import formats
from app.cache import asking
from app.charts import forecast as charts
from app.charts.style import Chart
from app.components import drawer
from app.components.forecast import RANGE
from app.components.markdown import literal
from app.components.picture import Answer, Empty, Setting, behind, picture, table
from app.estimates import backtest
from app.forecasting import LookBack, look_back
from app.viewer import Viewer
from queries import forecast
from queries.scope import Period, Scope
from queries.units import Unit, count, day, money, share, text

_KEPT: Final = "look-back"
_PATIENCE: Final = 1.0  # seconds without a progress bar
TOO_EARLY: Final = Empty(
    "Too early to judge",
    "Forecasts are rebuilt for every quarter that is over and that a calibration run (eventos calibration) precedes.",
)
_PAST: Final[Mapping[str, Unit]] = {
    "label": text("Period"),
    "as_of": day("Forecast on"),
    **RANGE,
    "actual": money("Came", "What was won in the period"),
}
_COVERAGE: Final[Mapping[str, Unit]] = {
    "band": share("Range", "The chance that it promised"),
    "n": count("Forecasts"),
    "periods": count("Periods"),
    "inside": count("Held", "Forecasts whose range held what came, its ends included"),
    "share": share("Share held"),
    "low": share("From", "Of the 95 % Jeffreys interval, as wide as for as many forecasts as there are periods"),
    "high": share("To"),
    "reason": text("Remark"),
}
_SCORES: Final = (
    "owner", "author", "period_start", "made_on", "amount", "computed", "actual", "error", "computed_error",
)  # fmt: skip


@dataclass(frozen=True)
class _Split:
    """How errors are told apart: by which column, of which frame, and what that is called."""

    by: str
    label: str
    frame: str


_SPLITS: Final[Mapping[str, _Split]] = {
    "Days ahead": _Split("horizon", "Days ahead", "periods"),
    "Owner": _Split("owner", "Owner", "owners"),
    "Stage": _Split("stage", "Stage", "stages"),
}


def _errors(split: _Split) -> Mapping[str, Unit]:
    return {
        split.by: text(split.label),
        "n": count("Forecasts"),
        "periods": count("Periods"),
        "forecast": money("Forecast", "Sum of what was forecast"),
        "actual": money("Came", "Sum of what was won"),
        "bias": money("Bias", "Mean of forecast − what came: above 0, the forecasts were too high"),
        "low": money("Bias from", "95 % interval over periods"),
        "high": money("Bias to", "95 % interval over periods"),
        "absolute_error": money("Absolute error", "Mean of the errors without their sign"),
        "bias_share": share("Bias, share", "Summed errors / what was won"),
        "absolute_share": share("Error, share", "Summed errors without their sign / what was won"),
        "reason": text("Remark"),
    }


def section(viewer: Viewer, scope: Scope, setting: Setting) -> None:
    """The section at the foot of the page; nothing is computed before it is opened."""
    opened = st.expander(
        "How good were past forecasts?", icon=":material/history:", key="look-back.open", on_change="rerun"
    )
    with opened:
        if not opened.open:
            return
        past, scores, made = _rebuilt(viewer, scope)
        pictures(past, scope, setting)
        _adjustments(scores, setting)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Rebuilt {formats.moment(made, viewer.time_zone)} from what was known then.", width="stretch")
            st.button("Rebuild", icon=":material/refresh:", type="tertiary", on_click=_forget, key="look-back.again")


def _forget() -> None:
    st.session_state.pop(_KEPT, None)


def _rebuilt(viewer: Viewer, scope: Scope) -> tuple[LookBack, Answer, datetime]:
    wanted = repr((viewer, scope))
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != wanted:
        place, begun = st.empty(), time.monotonic()

        def progress(doing: str, done: float) -> None:
            if time.monotonic() - begun > _PATIENCE:
                place.progress(min(max(done, 0.0), 1.0), text=doing)

        with asking(viewer) as ask:
            past = look_back(ask, scope, progress)
            scores = ask(forecast.adjustment_scores, scope)
        place.empty()
        sql = partial(forecast.adjustment_scores.sql, scope)
        kept = wanted, past, Answer(scores, forecast.adjustment_scores.columns, sql), datetime.now(UTC)
        st.session_state[_KEPT] = kept
    return kept[1:]


def pictures(past: LookBack, scope: Scope, setting: Setting) -> None:
    """Past forecasts against what came, how often their ranges held, and how far and which way they erred."""
    sql = partial(forecast.open_amounts.sql, scope)
    every = past.periods.assign(ahead=(past.periods["period_end"] - past.periods["as_of"]).dt.days)
    aheads = sorted(every["ahead"].unique(), reverse=True)
    chosen = st.session_state.get("look-back.ahead")
    ahead = chosen if chosen in aheads else aheads[0] if aheads else 0
    rows = every[every["ahead"] == ahead].sort_values("period_start", ignore_index=True)
    rows = rows.assign(
        label=[
            Period.of("quarter", start.date(), scope.period.fiscal_year_first_month).label
            for start in rows["period_start"]
        ]
    )
    left, right = st.columns([3, 2])
    with left:
        picture(
            "look-back", "Past forecasts and what came", Answer(rows, _PAST, sql), setting,
            lambda: charts.look_back(rows, setting.currency),
            note=f"{formats.counted(len(rows), 'quarter', 'quarters')}, each as forecast then",
            empty=TOO_EARLY, hint="Range: P10 to P90, with P50. Mark: what was won in the end.",
            controls=partial(_aheads, aheads) if len(aheads) > 1 else None,
            on_pick=lambda start: drawer.open_at("past", start, f"Won in {_label(rows, start)}"),
        )  # fmt: skip
    with right:
        held = backtest.coverage(every)
        picture(
            "coverage", "How often the range held", Answer(held, _COVERAGE, sql), setting,
            lambda: charts.coverage(held),
            note=_remark(held, "Mark: how often it should"), empty=TOO_EARLY, is_empty=every.empty,
            hint="A range of 80 % should hold what came in eight of ten periods. Line: 95 % interval.",
        )  # fmt: skip
    name = st.session_state.get("look-back.split", "Days ahead")
    split = _SPLITS.get(name, _SPLITS["Days ahead"])
    frame: pd.DataFrame = getattr(past, split.frame)
    errors = backtest.accuracy(frame, split.by)

    def chart() -> Chart:
        return charts.bias(errors, split.by, setting.currency)

    picture(
        "bias", "Too high or too low", Answer(errors, _errors(split), sql), setting, chart,
        note=_remark(errors, "Line: 95 % interval"), empty=TOO_EARLY,
        hint="Mean error of past forecasts; right of the line they were too high, left of it too low.",
        controls=_splits,
    )  # fmt: skip


def _remark(rows: pd.DataFrame, otherwise: str) -> str:
    remarks = sorted({str(reason) for reason in rows["reason"] if reason}) if len(rows) else []
    return literal(remarks[0]) if remarks else otherwise


def _label(rows: pd.DataFrame, start: str) -> str:
    return str(rows.loc[rows["period_start"] == pd.Timestamp(start), "label"].iloc[0])


def _aheads(aheads: list[int]) -> None:
    st.segmented_control(
        "Forecast", aheads, format_func=lambda days: f"{days} days before the end", key="look-back.ahead",
        default=aheads[0], required=True, label_visibility="collapsed",
    )  # fmt: skip


def _splits() -> None:
    st.segmented_control(
        "By", list(_SPLITS), key="look-back.split", default="Days ahead", required=True, label_visibility="collapsed"
    )


def _adjustments(scores: Answer, setting: Setting) -> None:
    title = "Were the managers’ own numbers better?"
    with st.container(border=True, key="card-scores", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(title, anchor=False, width="stretch")
            if len(scores.frame):
                behind("scores", title, scores.only(_SCORES), setting)
        if scores.frame.empty:
            st.caption("Too early to judge: no period is over for which somebody had named a number.")
            return
        judged = scores.frame.dropna(subset=["error", "computed_error"])
        nearer = int((judged["error"].abs() < judged["computed_error"].abs()).sum())
        st.caption(
            f"Nearer to what came than the weighted forecast of the same day: {nearer} of"
            f" {formats.counted(len(judged), 'number')}."
        )
        table("scores", title, scores.only(_SCORES), setting)


def quarter(start: str, scope: Scope) -> Period:
    """The past quarter that begins on the day, as a clicked mark names it."""
    return Period.of("quarter", date.fromisoformat(start), scope.period.fiscal_year_first_month)
