"""The pictures of the Health page: what each says of itself, and what a click on it opens."""

from dataclasses import dataclass
from functools import partial
from typing import Final

import pandas as pd
import streamlit as st

from app import formats
from app.charts import health as charts
from app.components import drawer, metrics
from app.components import health as pieces
from app.components.health import NO_ACCOUNTS, NO_SCORES, POINTS, Model
from app.components.picture import Answer, Empty, Setting, picture
from queries import health
from queries.health import Segment
from queries.scope import Scope

MOVED: Final = ("organizer", "owner", "before", "health", "change", "part", "risk_before", "churn_risk")
AT_RISK: Final = ("organizer", "owner", "health", "churn_risk", "churn_probability", "value", "revenue_at_risk")


@dataclass(frozen=True)
class Standing:
    """What every picture says in the place of scores that are not there yet."""

    setting: Setting
    model: Model
    scored_on: str
    """The day of the scores in words; empty before the first refresh."""
    nothing: Empty

    @classmethod
    def of(cls, headline: Answer, model: Model, setting: Setting) -> "Standing":
        """As of the numbers above the page."""
        now, _ = metrics.now_and_before(headline)
        scored_on = "" if pd.isna(now["scored_on"]) else formats.day(now["scored_on"])
        return cls(setting, model, scored_on, NO_SCORES if now["organizers"] else NO_ACCOUNTS)


def risk(most: Answer, at: Standing) -> None:
    """The accounts with the most to lose, by how likely they go."""
    model, setting = at.model, at.setting
    shown = most.frame[most.frame["revenue_at_risk" if model.speaks else "value"] > 0].reset_index(drop=True)
    at_stake = formats.counted(len(shown), "account") if len(shown) < POINTS else f"The {POINTS} with the most to lose"
    as_scored = f"scores of {at.scored_on}" if at.scored_on else "no scores yet"
    picture(
        "risk", "Who we risk losing, and what it would cost", most.only(AT_RISK), setting,
        lambda: charts.at_risk(shown, setting.currency, by_chance=model.speaks),
        note=f"{at_stake} · the larger, the more at risk · {as_scored}",
        empty=pieces.NOTHING_AT_RISK if at.scored_on else at.nothing, is_empty=not at.scored_on or shown.empty,
        hint="Each point is an account; click it for what it is made of. Up: more to lose. Right: likelier to go.",
        on_pick=lambda organizer: drawer.open_at("account", organizer, _name(shown, organizer)),
    )  # fmt: skip


def levels(found: Answer, at: Standing) -> None:
    """What each risk costs."""
    model, setting = at.model, at.setting
    picture(
        "levels", "Revenue at risk by churn risk" if model.speaks else "Value by churn risk", found, setting,
        lambda: charts.by_risk(found.frame, setting.currency, by_chance=model.speaks),
        note=f"At risk of won in 12 months · {pieces.levels(model)}" if model.speaks else pieces.levels(model),
        empty=at.nothing, is_empty=not at.scored_on or not found.frame["organizers"].any(),
        hint="Churn probability × the value won in 12 months. Click for the accounts, which add up to it.",
        on_pick=lambda level: drawer.open_at("level", level, f"{charts.risk(level)} risk"),
    )  # fmt: skip


def distribution(bands: Answer, at: Standing, by: Segment) -> None:
    """Health in each segment."""
    picture(
        "distribution", "Health by segment", bands, at.setting, lambda: charts.distribution(bands.frame),
        note=_first(bands.frame["segment"].nunique(), charts.MANY, "segment", "least healthy"),
        empty=at.nothing, is_empty=bands.frame.empty,
        hint="Of the organizers of each segment. Click a part of a bar for those it is made of.",
        controls=pieces.segment_switch,
        on_pick=lambda part: drawer.open_at("band", f"{by}|{part}", _band_name(part)),
    )  # fmt: skip


def movers(moved: Answer, at: Standing, scope: Scope) -> None:
    """Whose health rose or fell most between two days."""
    picture(
        "movers", "Whose health moved most", moved.only(MOVED), at.setting, lambda: charts.movers(moved.frame),
        note=_first(_total(moved.frame), charts.FEW, "organizer", "largest changes"),
        empty=pieces.NOTHING_MOVED if at.scored_on else at.nothing,
        controls=partial(pieces.moved_controls, scope),
        on_pick=lambda organizer: drawer.open_at("account", organizer, _name(moved.frame, organizer)),
    )  # fmt: skip


def accounts(found: Answer, setting: Setting, title: str) -> None:
    """The list of accounts that the reader has chosen."""
    with st.container(border=True, key="card-accounts"):
        st.subheader("Accounts", anchor=False)
        pieces.list_controls()
        pieces.accounts(found, setting, "list", title)


def model(curve: Answer, effects: pd.DataFrame, at: Standing) -> None:
    """The churn model's report card and its calibration curve."""
    card = at.model.card
    picture(
        "model", "How far to believe the churn probability", curve, at.setting,
        lambda: charts.calibration(curve.frame),
        note="On later dates, with 95 % intervals; on the dotted line what was said came true",
        empty=pieces.NO_MODEL if card is None else pieces.NOT_TRIED,
        hint="Area: the number of past cases.",
        controls=None if card is None else lambda: _words(card, effects),
    )  # fmt: skip


def retention(kept: Answer, setting: Setting) -> None:
    """How many newcomers of each quarter were kept."""
    picture(
        "retention", "How long newcomers stay", kept, setting, lambda: charts.retention(kept.frame),
        note="By the quarter of their first event or win, with their number", empty=pieces.NO_COHORTS,
        hint=f"{pieces.CHURN} Whoever came back since counts as kept. Click a cell for the organizers.",
        on_pick=lambda cell: drawer.open_at("cohort", cell, "Newcomers of a quarter"),
    )  # fmt: skip


def _words(card: pieces.Card, effects: pd.DataFrame) -> None:
    st.markdown(pieces.report_card(card))
    st.caption(pieces.learnt(effects))


def _first(number: int, most: int, noun: str, which: str) -> str:
    counted = formats.counted(number, noun)
    return f"The {most} {which} of {counted}" if number > most else counted


def _total(rows: pd.DataFrame) -> int:
    return int(rows["total"].iloc[0]) if len(rows) else 0


def _name(rows: pd.DataFrame, organizer: str) -> str:
    return str(rows.loc[rows["organizer_id"] == organizer, "organizer"].iloc[0])


def _band_name(part: str) -> str:
    band, segment = part.split("|", 1)
    lowest, highest = health.BANDS[int(band)]
    return f"{segment}: health {lowest} to {highest}"
