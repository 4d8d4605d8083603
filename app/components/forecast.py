"""The pieces of the Forecast page: its row of numbers, and what stands in its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats
from app.charts.forecast import SEPARATOR
from app.components import drawer, metrics
from app.components.markdown import literal
from app.components.metrics import Metric
from app.components.picture import Answer, Empty, Setting, behind, nothing_there, table
from app.components.review import Reading
from app.estimates.forecast import DRAWS, Forecast
from queries import forecast
from queries.forecast import Bar
from queries.scope import Period, PeriodKind, Scope
from queries.units import Unit, identifier, money, share, text

PAGE: Final = "forecast"
WITHOUT: Final = ("closing",)  # of the scope: every forecast is of what closes in the period, and says what does not
NOTHING: Final = Empty(
    "What is won and what may come will stand here",
    "Opportunities come with an import (eventos import), or with the demo company (eventos demo).",
)
CERTAIN: Final = Empty("Nothing here is uncertain", "No open opportunity can still move what this period brings.")
SHOWN: Final = 1000  # rows of a list, the largest first
MOST_MONTHS: Final = 6  # that are shown one by one; longer periods by quarter
LEVELS: Final[Mapping[str, float]] = {"P10": 0.1, "P50": 0.5, "P90": 0.9}
MOST_CONTRIBUTIONS: Final = 5  # named; all others together are one more bar
WHOLE: Final = "period"  # the key of the row that sums the others

RANGE: Final[Mapping[str, Unit]] = {
    "p10": money("P10", "The total stays at or under it in one of ten simulated periods"),
    "p50": money("P50", "As many simulated periods lie above as below"),
    "p90": money("P90", "The total stays at or under it in nine of ten simulated periods"),
}
BARS: Final[Mapping[str, Unit]] = {
    "row": identifier("Row"),
    "label": text("Period"),
    **{
        name: forecast.months.columns[name]
        for name in ("won", "commit", "best_case", "pipeline", "weighted", "target", "opportunities", "without_rate")
    },
    **RANGE,
}
HISTOGRAM: Final[Mapping[str, Unit]] = {
    "low": money("From"),
    "high": money("To"),
    "share": share("Chance", "Share of the simulated periods whose total lies here"),
}
CONTRIBUTIONS: Final[Mapping[str, Unit]] = {
    "opportunity_id": identifier("Opportunity"),
    "name": text("Opportunity"),
    "organizer": text("Organizer"),
    "owner": text("Owner"),
    "value": forecast.open_opportunities.columns["value"],
    "chance": share("Chance", "That it is won, and in the period: simulated"),
    "contribution": share(
        "Contribution", "Covariance of its revenue with the total, as a share of the total's variance: they add up to 1"
    ),
}


# What a period consists of ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A month or quarter of the period: the key of its row, its days, and the months that are added up for it."""

    key: str
    period: Period
    months: tuple[date, ...]


def parts(period: Period) -> list[Part]:
    """The months of a period, or its quarters where it is long; none where it is a single one."""
    first = period.start.replace(day=1)
    months = [first]
    while (following := (months[-1] + timedelta(days=32)).replace(day=1)) < period.end:
        months.append(following)
    kind: PeriodKind = "quarter" if len(months) > MOST_MONTHS else "month"
    grouped: dict[Period, list[date]] = {}
    for month in months:
        grouped.setdefault(Period.of(kind, month, period.fiscal_year_first_month), []).append(month)
    if len(grouped) == 1:
        return []
    return [Part(part.start.isoformat(), part, tuple(months)) for part, months in grouped.items()]


def attainment(won: Any, target: Any) -> float | None:
    """Won as a share of the target; None without one."""
    return None if pd.isna(target) or not target else float(won / target)


def coverage(pipeline: Any, won: Any, target: Any) -> float | None:
    """What is open for each unit of money that the target still lacks; None where it is reached or none is set."""
    return None if pd.isna(target) or target <= won else float(pipeline / (target - won))


def _total(amounts: pd.Series) -> Decimal | None:
    known = amounts.dropna()
    return sum(known, Decimal(0)) if len(known) else None


def bars(months: pd.DataFrame, outside: pd.DataFrame, whole: Forecast, scope: Scope) -> pd.DataFrame:
    """BARS: the whole period with its range, its parts, and what is open in no month."""
    starts = pd.to_datetime(months["month"]).dt.date
    summed = ("won", "commit", "best_case", "pipeline", "weighted", "target")
    counted = ("opportunities", "without_rate")

    def row(key: str, label: str, of: pd.DataFrame) -> dict[str, Any]:
        amounts = {name: _total(of[name]) for name in summed}
        return {"row": key, "label": label} | amounts | {name: of[name].sum() for name in counted}

    range_ = {name.lower(): whole.quantile(level) for name, level in LEVELS.items()}
    rows = [row(WHOLE, scope.period.label, months) | range_]
    rows += [row(part.key, part.period.label, months[starts.isin(part.months)]) for part in parts(scope.period)]
    for kind, label in (("overdue", "Overdue"), ("undated", "Without a close date")):
        found = outside[outside["kind"] == kind]
        if found["opportunities"].sum():
            amounts = {"pipeline": _total(found["value"]), "weighted": _total(found["expected_revenue"])}
            rows.append({"row": kind, "label": label, **amounts} | {name: found[name].sum() for name in counted})
    return _typed(rows, BARS)


def _typed(rows: Sequence[Mapping[Any, Any]], columns: Mapping[str, Unit]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=unit.dtype) for name, unit in columns.items()}
    )


def names(thresholds: pd.DataFrame) -> dict[str, str]:
    """What the legend calls the bars, with the thresholds of the organisation."""
    commit, best_case = thresholds["commit_from"].iloc[0], thresholds["best_case_from"].iloc[0]
    return {
        "won": "Won",
        "commit": f"Commit, from {formats.share(commit)}",
        "best_case": f"Best case, from {formats.share(best_case)}",
        "pipeline": "All open",
        "weighted": "Weighted",
    }


# The row of numbers -------------------------------------------------------------------------------------------


def headline(bars: pd.DataFrame, before: pd.DataFrame, whole: Forecast, months: Answer, scope: Scope) -> None:
    """The five numbers of the forecast, those that were so a period ago against the period before."""
    currency, units = scope.currency, months.columns
    now = bars.iloc[0]
    earlier = {name: _total(before[name]) or Decimal(0) for name in ("won", "weighted", "pipeline")}
    target, target_before = now["target"], _total(before["target"])
    low, high = whole.band(0.8)
    covered = coverage(now["pipeline"], now["won"], target)
    no_target = f"no target for {scope.period.label}"
    metrics.row(
        [
            Metric(
                "Won",
                formats.short_money(now["won"], currency),
                formats.change(now["won"], earlier["won"]),
                f"{units['won'].help}. Attainment is won / target.",
                note=no_target if pd.isna(target) else f"{formats.share(attainment(now['won'], target))} of target",
            ),
            Metric(
                "Weighted",
                formats.short_money(now["weighted"], currency),
                formats.change(now["weighted"], earlier["weighted"]),
                f"{units['weighted'].help} in the period.",
            ),
            Metric(
                "Likely",
                formats.short_money(whole.quantile(0.5), currency),
                None,
                f"Half of {DRAWS:,} simulated periods bring more than this (P50), and eight of ten lie between the"
                " two amounts below (P10 and P90). Unlike the weighted forecast it takes stages at their calibrated"
                " rates, lets closing dates slip, and knows good and bad quarters.",
                note=f"{formats.short_money(low, currency)} to {formats.short_money(high, currency)}",
            ),
            Metric(
                "Chance of target",
                formats.MISSING if pd.isna(target) else formats.share(whole.at_least(float(target))),
                None,
                "Share of the simulated periods that bring the target or more.",
                note=no_target if pd.isna(target) else f"target {formats.short_money(target, currency)}",
            ),
            Metric(
                "Coverage",
                formats.MISSING if covered is None else f"{covered:.1f}×",
                None,
                "Value open in the period / (target − won in the period).",
                note=_to_go(now, target, currency),
            ),
        ]
    )
    earlier_scope = scope.before()
    notes = [f"Changes compare with {_words(earlier_scope)}"]
    if target_before is not None:
        notes[0] += f", when {formats.share(attainment(earlier['won'], target_before))} of the target was won"
    if left_out := int(months.frame["targets_without_rate"].sum()):
        subject = formats.counted(left_out, "target has", "targets have")
        notes.append(f":material/currency_exchange: {subject} no exchange rate to {currency}: not added")
    without_rate = int(bars["without_rate"].drop(index=[*_parts_of(bars)]).sum())
    if without_rate:
        subject = formats.counted(without_rate, "opportunity has", "opportunities have")
        notes.append(f":material/currency_exchange: {subject} no exchange rate to {currency}: in no amount here")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(" · ".join(notes))
        if without_rate:
            st.button("Show", type="tertiary", key="without-rate", on_click=_open_without_rate)


def _open_without_rate() -> None:
    drawer.open_at("bar", f"without_rate{SEPARATOR}{WHOLE}", "Without an exchange rate")


def _words(scope: Scope) -> str:
    """The period as far as it had gone."""
    if scope.as_of < scope.period.start:
        return f"{scope.period.label} as it stood on {formats.day(scope.as_of)}"
    if scope.flow_end < scope.period.end:
        return f"{formats.day(scope.period.start)} to {formats.day(scope.as_of)}"
    return scope.period.label


def _parts_of(bars: pd.DataFrame) -> list[int]:
    return [place for place, key in enumerate(bars["row"]) if key not in (WHOLE, "overdue", "undated")]


def _to_go(now: Any, target: Any, currency: str) -> str:
    if pd.isna(target):
        return "no target"
    if target <= now["won"]:
        return "the target is reached"
    return f"{formats.short_money(target - now['won'], currency)} to go"


# What is sure and what is not ---------------------------------------------------------------------------------


def said(found: Forecast, after: Forecast | None, target: float | None, currency: str) -> None:
    """What the distribution says in a line, and sentences on what it takes for granted."""
    low, half, high = (formats.short_money(found.quantile(level), currency) for level in LEVELS.values())
    chance = "" if target is None else f" · **{formats.share(found.at_least(target))}** reach the target"
    st.caption(f"Likely between **{low}** (P10) and **{high}** (P90), half above **{half}** (P50){chance}")
    if after is not None:
        st.caption("Outline: with what you try")
    if found.reasons:
        st.caption(" ".join(literal(reason) for reason in found.reasons))


def source(run: pd.DataFrame) -> str:
    """Where the probabilities of the simulation come from."""
    rates = "stage rates as set" if run.empty else f"stage rates as calibrated {formats.day(run['as_of'].iloc[0])}"
    return f"{DRAWS:,} simulated periods · {rates}"


def pick_opportunity(opportunity_id: str, rows: pd.DataFrame) -> None:
    """For a callback: opens the opportunity behind a bar; all others together are none."""
    if opportunity_id:
        drawer.open_at(
            "opportunity", opportunity_id, str(rows.loc[rows["opportunity_id"] == opportunity_id, "name"].iloc[0])
        )


def contributions(found: Forecast, deals: pd.DataFrame) -> pd.DataFrame:
    """CONTRIBUTIONS of the few that matter most, and of all others together; no rows where nothing is uncertain."""
    known = found.contributions.dropna(subset=["contribution"])
    known = known[known["contribution"].abs() > 0].sort_values("contribution", ascending=False)
    named = known.head(MOST_CONTRIBUTIONS).merge(
        deals[["opportunity_id", "name", "organizer", "owner", "value"]], on="opportunity_id", how="inner"
    )
    chance = named["expected"] / named["value"].astype(float)
    rows = named.assign(chance=chance)[list(CONTRIBUTIONS)]
    if others := len(known) - len(rows):
        rest = dict.fromkeys(CONTRIBUTIONS) | {
            "name": formats.counted(others, "other opportunity", "other opportunities"),
            "contribution": known["contribution"].sum() - rows["contribution"].sum(),
        }
        rows = pd.DataFrame([*rows.to_dict("records"), rest])
    return _typed(rows.to_dict("records"), CONTRIBUTIONS)


def histogram(found: Forecast) -> pd.DataFrame:
    """HISTOGRAM of the simulated totals."""
    return found.histogram().round({"low": 2, "high": 2})


# The records behind a bar -------------------------------------------------------------------------------------

_BARS: Final[Mapping[str, Sequence[Bar]]] = {
    "won": ("won",),
    "commit": ("commit",),
    "best_case": ("best_case",),
    "pipeline": ("open",),
    "weighted": ("won", "open"),
    "without_rate": ("without_rate",),
}
_RECORDS: Final = (
    "name", "organizer", "owner", "stage", "value", "probability", "expected_revenue", "close_date", "amount",
    "currency",
)  # fmt: skip


def behind_bar(read: Reading, bar: str, row: str = WHOLE, owners: tuple[UUID, ...] | None = None) -> Answer:
    """The opportunities behind a bar of a row, or behind these owners' part of it; they add up to it."""
    if row in ("overdue", "undated"):
        return read.first(forecast.records, SHOWN, bar=row)
    months = next((part.months for part in parts(read.scope.period) if part.key == row), (None,))
    found = [
        read.first(forecast.records, SHOWN, bar=one, month=month, owners=owners)
        for one in _BARS[bar]
        for month in months
    ]
    every = [answer.everything for answer in found if answer.everything]
    frame = pd.concat([answer.frame for answer in found], ignore_index=True)
    number = sum(int(answer.frame["total"].iloc[0]) for answer in found if len(answer.frame))
    return replace(
        found[0],
        frame=frame.assign(total=number),
        everything=lambda: pd.concat([ask() for ask in every], ignore_index=True),
    )


def records(answer: Answer, setting: Setting) -> None:
    """Opportunities as a table, what they add up to, and the export."""
    frame = answer.frame
    if frame.empty:
        nothing_there(setting, Empty("No opportunity is behind this", "Nothing adds up to nothing."), "records")
        return
    total = int(frame["total"].iloc[0])
    of = "" if len(frame) == total else f" of {formats.count(total)}, the largest"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{formats.counted(len(frame), 'opportunity', 'opportunities')}{of}"
            f" · {formats.money(_total(frame['value']), setting.currency)} value"
            f" · {formats.money(_total(frame['expected_revenue']), setting.currency)} expected revenue",
            width="stretch",
        )
        behind("records", "Opportunities", answer.only(_RECORDS), setting)
    table("records", "Opportunities", answer.only(_RECORDS), setting, {"name": 190, "organizer": 170, "owner": 120})


def pick(what: str, rows: pd.DataFrame) -> None:
    """For a callback: opens what is behind a bar of the main picture."""
    drawer.open_at("bar", what, _title(*split(what), rows))


def _title(bar: str, row: str, rows: pd.DataFrame) -> str:
    label = str(rows.loc[rows["row"] == row, "label"].iloc[0])
    return label if row in ("overdue", "undated") else f"{label}: {BARS[bar].label.lower()}"


def split(what: str) -> tuple[str, str]:
    """The bar and the row that a click on the main picture names."""
    bar, _, row = what.partition(SEPARATOR)
    return bar, row
