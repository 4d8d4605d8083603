"""The pieces of the Health page and of an organizer's own page: numbers, sentences, accounts and records as lists."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats
from app.charts import health as charts
from app.charts.health import RISKS
from app.components import metrics, searchable, shell
from app.components.markdown import literal
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, behind, nothing_there, picture, table
from app.components.two_days import TwoDays
from app.estimates.churn import HORIZON, PATIENCE, SHORTEST
from app.estimates.health import LOW_TO, MEDIUM_TO
from queries.health import MOVED_OVER, Order, Segment
from queries.scope import Scope

CHURN: Final = (
    f"An organizer of events churns when it neither wins nor holds an event within {PATIENCE} × its own usual gap"
    f" between events, and never under {SHORTEST} days."
)
NO_ACCOUNTS: Final = Empty(
    "Accounts will stand here",
    "They come with an import (eventos import), or with the demo company (eventos demo).",
)
NO_SCORES: Final = Empty(
    "Scores will stand here",
    "They come with the daily refresh, or at once with: eventos refresh",
)
NOTHING_AT_RISK: Final = Empty("Nothing is at risk", "No account that won anything in 12 months can churn by then.")
NOTHING_MOVED: Final = Empty("No health score has moved", "Choose two days further apart: scores are kept daily.")
NO_MODEL: Final = Empty("The report card will stand here", NO_SCORES.how)
NOT_TRIED: Final = Empty("No calibration curve", "There was too little to try the model on.")
NO_COHORTS: Final = Empty("Newcomers will stand here, by quarter", NO_SCORES.how)
NOTHING_MISSING: Final = "- Nothing is missing: a next step is planned, and somebody who decides was reached."
NOT_FOUND: Final = "This organizer was not found, or it is not yours to see."
ORGANIZER: Final = shell.PAGES / "organizer.py"
SHOWN: Final = 1000  # rows of a list, the first ones
POINTS: Final = 150  # accounts in the picture of the risk: those with the most at stake

Card = Mapping[Any, Any]
"""A row of `report_cards`."""

_BY: Final[Mapping[str, Segment]] = {
    "Industry": "industry",
    "Company size": "company_size",
    "Lead source": "lead_source",
    "Owner": "owner",
}
_ORDERS: Final[Mapping[str, Order]] = {
    "Revenue at risk": "revenue_at_risk",
    "Churn probability": "churn_probability",
    "Lowest health": "health",
    "Largest fall": "change",
    "Won in 12 months": "value",
    "Name": "organizer",
}
_LISTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "All": {},
    f"{RISKS['high'].mark} High risk": {"risk": "high"},
    f"{RISKS['medium'].mark} Medium": {"risk": "medium"},
    f"{RISKS['low'].mark} Low": {"risk": "low"},
    "Churned": {"churned": True},
}
_COLUMNS: Final = (
    "organizer", "health", "change", "churn_risk", "churn_probability", "value", "revenue_at_risk", "owner",
    "industry", "company_size", "last_seen_on", "runs_out_on", "churned_on", "observed_share",
)  # fmt: skip
_HELPS: Final = {
    "no_next_step": "Plan a next step: nothing is pending or scheduled.",
    "no_decision_maker": "Find out who decides: no contact is marked as a decision maker.",
}


# The numbers above the page ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """What the churn model has to say by the scope's day, or why it says nothing."""

    card: Card | None
    """Its report card, None before the first refresh."""

    @classmethod
    def of(cls, cards: pd.DataFrame) -> "Model":
        """The churn model's among the report cards."""
        found = cards[cards["model"] == "churn"]
        return cls(None if found.empty else found.iloc[0].to_dict())

    @property
    def speaks(self) -> bool:
        """Whether there are churn probabilities."""
        return self.card is not None and not self.card["abstained"]

    @property
    def reason(self) -> str:
        """Why there are none."""
        return "" if self.speaks or self.card is None else str(self.card["reason"])


def headline(figures: Answer, trend: pd.DataFrame, churned: pd.DataFrame, model: Model, scope: Scope) -> None:
    """The six numbers, each against the period before as of the day as far into it, and what churn means."""
    currency, units = scope.currency, figures.columns
    now, before = metrics.now_and_before(figures)
    scored = not pd.isna(now["scored_on"])
    left, left_before = _churned(churned, scope), _churned(churned, scope.before())
    worth = formats.short_money(now["revenue_at_risk"], currency) if model.speaks else formats.MISSING
    why_none = "" if model.speaks else f" {model.reason or 'The refresh has not run yet.'}"
    metrics.row(
        [
            Metric(
                "Median health",
                f"{now['median_health']:.0f} of 100"
                if scored and not pd.isna(now["median_health"])
                else formats.MISSING,
                formats.more(now["median_health"], before["median_health"]),
                units["median_health"].sentence,
                metrics.sparkline(trend["median_health"]) if scored else None,
            ),
            Metric(
                f"{RISKS['high'].mark} High risk",
                formats.count(now["high_risk"]) if scored else formats.MISSING,
                formats.more(now["high_risk"], before["high_risk"]) if not pd.isna(before["scored_on"]) else None,
                f"{units['high_risk'].sentence} High: {_level_rule('high', model)}.",
                metrics.sparkline(trend["high_risk"]) if scored else None,
                good="down",
            ),
            Metric(
                "Revenue at risk",
                worth,
                formats.change(now["revenue_at_risk"], before["revenue_at_risk"]) if model.speaks else None,
                f"{units['revenue_at_risk'].sentence}{why_none}",
                good="down",
            ),
            Metric(
                "Churned",
                formats.count(left) if scored else formats.MISSING,
                left - left_before if scored and left != left_before else 0 if scored else None,
                f"In {scope.period.label}. {CHURN} Those that came back since are not counted.",
                _weekly(churned, scope) if scored else None,
                good="down",
            ),
            Metric(
                "Won in 12 months",
                formats.short_money(now["value"], currency),
                formats.change(now["value"], before["value"]),
                f"{units['value'].sentence} Of the organizers that have not churned.",
            ),
            Metric(
                "Organizers",
                formats.count(now["organizers"]),
                formats.change(now["organizers"], before["organizers"]),
                f"{units['organizers'].sentence} {formats.counted(int(now['churned']), 'other')} had churned.",
                good="neither",
            ),
        ]
    )
    notes = [CHURN, f"Changes compare with {metrics.compared_with(scope)}."]
    if unscored := int(now["unscored"]):
        notes.append(f"{formats.counted(unscored, 'organizer')} not scored yet: eventos refresh, or tomorrow.")
    if without_rate := int(now["without_rate"]):
        subject = formats.counted(without_rate, "deal")
        notes.append(f"{subject} won without an exchange rate to {currency}: in no money total.")
    if model.reason:
        abstains = ":material/visibility_off: The churn model abstains, so the risk follows health."
        notes.append(f"{abstains} {literal(model.reason)}")
    st.caption(" ".join(notes))


def _churned(days: pd.DataFrame, scope: Scope) -> int:
    first, last = pd.Timestamp(scope.period.start), pd.Timestamp(min(scope.as_of, scope.period.end - timedelta(days=1)))
    return int(days.loc[days["day"].between(first, last), "organizers"].sum())


def _weekly(days: pd.DataFrame, scope: Scope) -> list[float]:
    ends = [pd.Timestamp(scope.as_of - timedelta(weeks=week)) for week in range(12, -1, -1)]
    week = pd.Timedelta(days=6)
    return [float(days.loc[days["day"].between(end - week, end), "organizers"].sum()) for end in ends]


def _level_rule(level: str, model: Model) -> str:
    if not model.speaks:
        return {"high": "health under 35", "medium": "health from 35 to 59", "low": "health from 60 on"}[level]
    low, medium = formats.share(LOW_TO), formats.share(MEDIUM_TO)
    rules = {"high": f"from {medium} on", "medium": f"from {low} on", "low": f"under {low}"}
    return f"{rules[level]} to churn within {HORIZON} days; who has no probability, by health"


def levels(model: Model) -> str:
    """Which risk is which, in one line."""
    return " · ".join(
        f"{found.mark}{formats.GAP}{found.word.lower()}:{formats.GAP}{rule.replace(' ', formats.GAP)}"
        for found, rule in zip(
            RISKS.values(),
            (f"under {formats.share(LOW_TO)}", f"from {formats.share(LOW_TO)}", f"from {formats.share(MEDIUM_TO)}")
            if model.speaks
            else ("health from 60", "from 35", "under 35"),
            strict=True,
        )
    )


# Choices -------------------------------------------------------------------------------------------------


def segment() -> Segment:
    """By what the reader parts the distribution."""
    return _BY.get(st.session_state.get("segment", ""), "industry")


def segment_switch() -> None:
    """Chooses it, and says what the colours are."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.selectbox("By", list(_BY), key="segment", label_visibility="collapsed", width=150)
        st.caption(f"Health, {charts.DIRECTION}: ■ under 35 · ▲ 35 to 59 · ● from 60", width="stretch")


def moved_days(scope: Scope) -> TwoDays:
    """From which day's scores to which: the last thirty days."""
    return TwoDays(f"health.{scope.as_of}", scope.as_of - MOVED_OVER, scope.as_of, scope.as_of)


def moved_controls(scope: Scope) -> None:
    """The two days."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        moved_days(scope).fields(("From", "To"))


def chosen_list() -> tuple[str, dict[str, Any]]:
    """The list of accounts that the reader has chosen: its name, and which accounts in which order."""
    name: str = st.session_state.get("accounts", "All")
    order = _ORDERS.get(st.session_state.get("accounts.order", ""), "revenue_at_risk")
    name = name if name in _LISTS else "All"
    return name, {**_LISTS[name], "order": order}


def list_controls() -> None:
    """Chooses among the lists, and their order."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.segmented_control(
            "Accounts", list(_LISTS), key="accounts", default="All", required=True, label_visibility="collapsed"
        )
        st.selectbox(
            "First", list(_ORDERS), key="accounts.order", width=190, label_visibility="collapsed",
            format_func=lambda name: f"By {name[:1].lower()}{name[1:]}",
        )  # fmt: skip


# Accounts ------------------------------------------------------------------------------------------------


def accounts(answer: Answer, setting: Setting, key: str, title: str, empty: Empty = NO_ACCOUNTS) -> None:
    """Accounts with a search, what they add up to, and the export; a click on a name opens the organizer's page."""
    frame = answer.frame
    words = searchable.field(key, title, answer.only(_COLUMNS), setting, "Search organizer, owner or industry")
    if frame.empty:
        nothing_there(setting, empty, key)
        return
    found = searchable.found(frame, ("organizer", "owner", "industry"), words)
    total = int(frame["total"].iloc[0])
    of = "" if len(found) == total else f" of {formats.count(total)}"
    st.caption(
        f"{formats.counted(len(found), 'organizer')}{of}"
        f" · {formats.money(found['value'].sum(), setting.currency)} won in 12 months"
        f" · {formats.money(found['revenue_at_risk'].sum(), setting.currency)} at risk"
    )
    shown = found.assign(churn_risk=[charts.risk(level) for level in found["churn_risk"]])
    listed(replace(answer, frame=shown).only(_COLUMNS), setting, key, title)


def listed(answer: Answer, setting: Setting, key: str, title: str) -> None:
    """A table of organizers; a click on a name opens its page."""
    opener = f"{key}.open"
    st.session_state[f"{opener}.ids"] = answer.frame["organizer_id"].tolist()
    name = st.column_config.ButtonColumn(
        answer.columns["organizer"].label, type="tertiary", width=220, pinned=True, alignment="left",
        help="Opens the organizer's page", on_click=_open, args=(opener,), key=opener,
    )  # fmt: skip
    health = st.column_config.ProgressColumn(
        "Health", help=f"{charts.DIRECTION}: the weighted mean of the parts that were observed", format="%d",
        min_value=0, max_value=100, width=110,
    )  # fmt: skip
    chosen = {"organizer": name} | ({"health": health} if "health" in answer.columns else {})
    table(key, title, answer, setting, {"owner": 130}, chosen)


def _open(opener: str) -> None:
    click = st.session_state[opener]
    ids = st.session_state[f"{opener}.ids"]
    if click and click["row"] < len(ids):
        st.switch_page(ORGANIZER, query_params={"id": ids[click["row"]]})


def page_link(organizer_id: str) -> None:
    """A link to the organizer's own page."""
    st.page_link(
        ORGANIZER, label="Open the organizer's page", icon=":material/open_in_new:", query_params={"id": organizer_id}
    )


def at_stake(row: Mapping[Any, Any], currency: str) -> str:
    """What an account brings, and what of it is at risk, in one line."""
    value = formats.money(row["value"], currency)
    if pd.isna(row["churn_probability"]):
        return f"{value} won in 12 months · {charts.risk(row['churn_risk'])} risk by its health"
    chance = f"{100 * row['churn_probability']:.1f}{formats.GAP}%"
    return (
        f"{value} won in 12 months × {chance} to churn within {HORIZON} days"
        f" = {formats.money(row['revenue_at_risk'], currency)} at risk"
    )


def would_help(needs: pd.DataFrame) -> list[str]:
    """What is missing at an organizer, as sentences with their numbers."""
    found = []
    for need, number in needs[["help", "numbers"]].itertuples(index=False):
        if need == "unreached":
            some = formats.counted(int(number), "decision maker")
            found.append(f"Speak to somebody who decides: none of {some} was reached in 90 days.")
        elif need == "silent":
            since = "there never was an activity" if pd.isna(number) else f"nothing happened for {formats.days(number)}"
            found.append(f"Get in touch: {since}.")
        else:
            found.append(_HELPS[need])
    return found


def account(found: Answer, why: Answer, needs: pd.DataFrame, wins: Answer, setting: Setting) -> None:
    """An account in the drawer: how it stands and why, what would help, and the wins that its value is made of."""
    if found.frame.empty:
        st.caption(NOT_FOUND)
        return
    row = found.frame.iloc[0].to_dict()
    st.caption(standing(row))
    page_link(str(row["organizer_id"]))
    if not pd.isna(row["scored_on"]):
        st.markdown(at_stake(row, setting.currency))
        why_picture(why, setting, "drawer")
    help_list(needs)
    won = formats.counted(len(wins.frame), "opportunity", "opportunities")
    total = formats.money(wins.frame["value"].sum(), setting.currency)
    if len(wins.frame):
        records(wins, setting, "wins", "Won in 12 months", f"{won} won in 12 months · {total}")


def cohort(found: Answer, setting: Setting, quarters: int) -> None:
    """The newcomers of a quarter in the drawer; those that were lost first."""
    frame = found.frame
    if frame.empty:
        nothing_there(setting, NO_COHORTS, "cohort")
        return
    total = int(frame["total"].iloc[0])
    first = "" if len(frame) == total else f", the first {len(frame):,} below"
    kept = f" · {formats.count(frame['kept'].sum())} kept" if not first else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        later = formats.counted(quarters, "quarter")
        st.caption(f"{formats.counted(total, 'newcomer')}{kept} {later} later{first}", width="stretch")
        behind("cohort", "Newcomers", found, setting)
    listed(found.only([name for name in found.columns if name != "total"]), setting, "cohort", "Newcomers")


def standing(row: Mapping[Any, Any]) -> str:
    """How an organizer's scores stand, and its clock, in a line that Markdown shows as it is."""
    if pd.isna(row["scored_on"]):
        return f"{literal(row['owner'])} · not scored yet: the daily refresh, or eventos refresh, does it."
    said = [
        literal(row["owner"]),
        f"health {row['health']:.0f} of 100, high is good",
        f"{charts.risk(row['churn_risk'])} risk",
        f"{formats.share(row['observed_share'])} of the score's weight observed",
    ]
    if not pd.isna(row["churned_on"]):
        said.append(f"churned on {formats.day(row['churned_on'])}")
    elif not pd.isna(row["runs_out_on"]):
        said.append(f"churns on {formats.day(row['runs_out_on'])} unless it wins or holds an event before")
    return " · ".join(said)


def why_picture(why: Answer, setting: Setting, key: str) -> None:
    """What moved the churn probability, where there is one, or else the health score, in points that add up to it."""
    of = {kind: why.frame[why.frame["kind"] == kind].reset_index(drop=True) for kind in ("churn", "health")}
    kind = "churn" if len(of["churn"]) else "health"
    rows = of[kind]
    frozen = "" if rows.empty or pd.isna(rows["frozen_on"].iloc[0]) else ", as it was when it churned"
    shown = replace(why, frame=rows).only(("part", "points", "observed"))
    total = rows["points"].sum()
    if kind == "churn":
        picture(
            f"{key}-churn", "Why this churn probability", shown, setting, lambda: charts.reasons(rows),
            note=f"In points of 100; they add up to {total:.1f}{formats.GAP}%{frozen}", empty=NO_SCORES,
            hint="From what an average organizer whose time runs out has, to this one's. Right is worse.",
        )  # fmt: skip
    else:
        health_picture(why, setting, key)


def health_picture(why: Answer, setting: Setting, key: str) -> None:
    """The parts of the health score, in points that add up to it."""
    rows = why.frame[why.frame["kind"] == "health"].reset_index(drop=True)
    frozen = "" if rows.empty or pd.isna(rows["frozen_on"].iloc[0]) else ", as it was when it churned"
    shown = replace(why, frame=rows).only(("part", "points", "observed"))
    missing = [name.lower() for part, name in charts.PARTS.items() if part not in set(rows["part"])]
    left_out = f" · not observed: {', '.join(missing)}" if missing and len(rows) else ""
    picture(
        f"{key}-health", "Why this health score", shown, setting,
        lambda: charts.parts(rows),
        note=f"Adds up to {rows['points'].sum():.1f} of 100, high is good{frozen}{left_out}", empty=NO_SCORES,
        hint="Full: the points it has. Pale: the most that the part can bring. What was not observed is left out.",
    )  # fmt: skip


def help_list(needs: pd.DataFrame) -> None:
    """What would help, as a list."""
    sentences = would_help(needs)
    said = "\n".join(f"- {literal(sentence)}" for sentence in sentences)
    st.markdown(f"**What would help**\n\n{said or NOTHING_MISSING}")


# How far to believe it -----------------------------------------------------------------------------------


def report_card(card: Card) -> str:
    """The churn model's report card in words."""
    learnt = (
        f"Learnt from **{formats.count(card['n'])}** past cases, of which **{formats.count(card['events'])}** churned,"
        f" at {formats.counted(int(card['cutoffs']), 'cut-off')} from {formats.day(card['first_cutoff'])}"
        f" to {formats.day(card['last_cutoff'])}."
    )
    if card["abstained"]:
        return f"**It abstains.** {literal(card['reason'])} {learnt if card['cutoffs'] else ''}"
    return (
        f"{learnt} Judged on the cut-offs from {formats.day(card['held_out_from'])} on, which it had not seen: of one"
        f" that churned and one that did not it ranked the right one higher in **{formats.share(card['auc'])}**"
        f" of pairs (AUC {card['auc']:.2f}, luck: 0.50). Its Brier score is **{card['brier']:.3f}**; saying"
        f" {formats.share(card['base_rate'])} of everybody would have had {card['brier_base']:.3f} (0 is best)."
        f" Made on {formats.day(card['as_of'])}."
    )


def learnt(effects: pd.DataFrame) -> str:
    """What the model has learnt, strongest first, in a line."""
    if effects.empty:
        return ""
    strongest = [
        f"{charts.FEATURES.get(feature, feature).lower()} ({'more' if effect > 0 else 'less'})"
        for feature, effect in effects[["feature", "effect"]].head(4).itertuples(index=False)
    ]
    return f"What moves it most, and whether more of it means more churn or less: {', '.join(strongest)}."


# Records -------------------------------------------------------------------------------------------------


def records(
    answer: Answer,
    setting: Setting,
    key: str,
    title: str,
    note: str,
    widths: Mapping[str, int] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> None:
    """Records as a table under a line that says what they are, with the export."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(note, width="stretch")
        behind(key, title, answer, setting)
    table(key, title, _on_the_viewer_s_clock(answer, setting), setting, widths, columns)


def records_menu(answer: Answer, setting: Setting, key: str, title: str) -> None:
    """The SQL and the files of records that stand written out."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        behind(key, title, answer, setting)


def _on_the_viewer_s_clock(answer: Answer, setting: Setting) -> Answer:
    """Moments as the viewer's clock shows them; a browser would take its own."""
    moments = [name for name, unit in answer.columns.items() if unit.kind == "moment"]
    local = {name: answer.frame[name].dt.tz_convert(setting.time_zone) for name in moments}
    return replace(answer, frame=answer.frame.assign(**local))


def organizer_id(text: str | None) -> UUID | None:
    """The id in an address; None where it is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return None
