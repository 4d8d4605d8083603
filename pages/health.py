"""Whom do we risk losing, what would it cost, why? The first page of executives, and of managers who must act on it."""

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats, identity
from app.charts import health as charts
from app.components import drawer, freshness
from app.components import health as pieces
from app.components.health import NO_ACCOUNTS, NO_SCORES, POINTS, SHOWN
from app.components.picture import picture
from app.components.review import opened, reading
from queries import health

if TYPE_CHECKING:
    from queries.health import Risk, Segment

identity.require("rep", "manager", "executive", "admin")

WITHOUT: Final = ("closing",)  # open opportunities are not what this page chooses among
MOVED: Final = ("organizer", "owner", "before", "health", "change", "part", "risk_before", "churn_risk")
AT_RISK: Final = ("organizer", "owner", "health", "churn_risk", "churn_probability", "value", "revenue_at_risk")


def body() -> None:
    """The page, drawn again whenever the data change."""
    by, (chosen_list, which) = pieces.segment(), pieces.chosen_list()
    with opened("health", "Health", WITHOUT) as read:
        scope = read.scope
        model = pieces.Model.of(read(health.report_cards).frame)
        headline, trend, churned = read(health.headline), read(health.headline_trend), read(health.churned_days)
        most = read.first(health.accounts, POINTS, order="revenue_at_risk" if model.speaks else "value")
        levels, bands = read(health.risk), read(health.distribution, by)
        moved = read(health.movers, *pieces.moved_dates(scope))
        found = read.first(health.accounts, SHOWN, **which)
        curve, effects, kept = read(health.calibration, "churn"), read(health.effects, "churn"), read(health.retention)
    setting, currency = read.setting, scope.currency
    now = headline.frame.set_index("which").loc["current"]
    scored = not pd.isna(now["scored_on"])
    nothing = NO_SCORES if now["organizers"] else NO_ACCOUNTS
    as_scored = f"scores of {formats.day(now['scored_on'])}" if scored else "no scores yet"
    shown = most.frame[most.frame["revenue_at_risk" if model.speaks else "value"] > 0].reset_index(drop=True)
    at_stake = formats.counted(len(shown), "account") if len(shown) < POINTS else f"The {POINTS} with the most to lose"

    pieces.headline(headline, trend.frame, churned.frame, model, scope)
    left, right = st.columns([3, 2])
    with left:
        picture(
            "risk", "Who we risk losing, and what it would cost", most.only(AT_RISK), setting,
            lambda: charts.at_risk(shown, currency, by_chance=model.speaks),
            note=f"{at_stake} · the larger, the more at risk · {as_scored}",
            empty=nothing if not scored else pieces.NOTHING_AT_RISK, is_empty=not scored or shown.empty,
            hint="Each point is an account; click it for what it is made of. Up: more to lose. Right: likelier to go.",
            on_pick=lambda organizer: drawer.open_at("account", organizer, _name(shown, organizer)),
        )  # fmt: skip
    with right:
        picture(
            "levels", "Revenue at risk by churn risk" if model.speaks else "Value by churn risk", levels, setting,
            lambda: charts.by_risk(levels.frame, currency, by_chance=model.speaks),
            note=f"At risk of won in 12 months · {pieces.levels(model)}" if model.speaks else pieces.levels(model),
            empty=nothing, is_empty=not scored or not levels.frame["organizers"].any(),
            hint="Churn probability × the value won in 12 months. Click for the accounts, which add up to it.",
            on_pick=lambda level: drawer.open_at("level", level, f"{charts.risk(level)} risk"),
        )  # fmt: skip
    left, right = st.columns(2)
    with left:
        segments = bands.frame["segment"].nunique()
        picture(
            "distribution", "Health by segment", bands, setting, lambda: charts.distribution(bands.frame),
            note=_first(segments, charts.MANY, "segment", "least healthy"),
            empty=nothing, is_empty=bands.frame.empty,
            hint="Of the organizers of each segment. Click a part of a bar for those it is made of.",
            controls=pieces.segment_switch,
            on_pick=lambda part: drawer.open_at("band", f"{by}|{part}", _band_name(part)),
        )  # fmt: skip
    with right:
        picture(
            "movers", "Whose health moved most", moved.only(MOVED), setting, lambda: charts.movers(moved.frame),
            note=_first(_total(moved.frame), charts.FEW, "organizer", "largest changes"),
            empty=pieces.NOTHING_MOVED if scored else nothing,
            controls=partial(pieces.moved_controls, scope),
            on_pick=lambda organizer: drawer.open_at("account", organizer, _name(moved.frame, organizer)),
        )  # fmt: skip
    with st.container(border=True, key="card-accounts"):
        st.subheader("Accounts", anchor=False)
        pieces.list_controls()
        pieces.accounts(found, setting, "list", f"{chosen_list} accounts")
    left, right = st.columns(2)
    with left:
        card = model.card
        picture(
            "model", "How far to believe the churn probability", curve, setting,
            lambda: charts.calibration(curve.frame),
            note="On later dates, with 95 % intervals; on the dotted line what was said came true",
            empty=pieces.NO_MODEL if card is None else pieces.NOT_TRIED,
            hint="Area: the number of past cases.",
            controls=None if card is None else lambda: _words(card, effects.frame),
        )  # fmt: skip
    with right:
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


def account_records(organizer: str) -> None:
    """An account: why it stands where it stands, what would help, and the wins that its value is made of."""
    which = UUID(organizer)
    with reading("health", WITHOUT) as read:
        found, why = read(health.organizer, which), read(health.why, which)
        needs, wins = read(health.would_help, which), read(health.wins, which)
    pieces.account(found, why, needs.frame, wins, read.setting)


def level_records(level: str) -> None:
    """The accounts of a risk; they add up to its bar."""
    risk = cast("Risk", level)
    with reading("health", WITHOUT) as read:
        found = read.first(health.accounts, SHOWN, risk=risk)
    pieces.accounts(found, read.setting, "level", f"Accounts of {risk} risk")


def band_records(part: str) -> None:
    """The organizers of a segment with a health in the band; they are as many as the bar says."""
    by, band, segment = part.split("|", 2)
    with reading("health", WITHOUT) as read:
        found = read.first(
            health.accounts, SHOWN, band=int(band), by=cast("Segment", by), segment=segment, order="health"
        )
    pieces.accounts(found, read.setting, "band", "Accounts by health")


def cohort_records(cell: str) -> None:
    """The newcomers of a quarter, and which of them were kept so many quarters later."""
    began, quarters = cell.split("|")
    with reading("health", WITHOUT) as read:
        found = read.first(health.cohort, SHOWN, began=date.fromisoformat(began), quarters=int(quarters))
    pieces.cohort(found, read.setting, int(quarters))


freshness.live(body)
drawer.place({"account": account_records, "level": level_records, "band": band_records, "cohort": cohort_records})
