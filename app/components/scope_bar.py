"""What the reader has chosen to look at, the same on every review page, kept in the address.

The session keeps the choice as the parameters of an address; the widgets show it and write it. (Streamlit's own
`bind="query-params"` would put people's names there instead of their ids, drop what it doesn't know without a word, and
forget the choice on the next page.)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats
from app.components.address import Address, Reading
from app.components.markdown import literal
from app.viewer import Viewer
from queries.scope import Period, PeriodKind, Scope

# Relative to the as-of day, so that a bookmarked "this quarter" stays this quarter. The first is the default.
PERIODS: Final[Mapping[str, tuple[str, PeriodKind, int]]] = {
    "quarter": ("This quarter", "quarter", 0),
    "month": ("This month", "month", 0),
    "year": ("This year", "year", 0),
    "last-month": ("Last month", "month", -1),
    "last-quarter": ("Last quarter", "quarter", -1),
    "last-year": ("Last year", "year", -1),
    "next-month": ("Next month", "month", 1),
    "next-quarter": ("Next quarter", "quarter", 1),
}
CUSTOM: Final = "custom"
SEGMENTS: Final = {"industry": "Industry", "company_size": "Company size", "lead_source": "Lead source"}
NAMES: Final = ("period", "owner", *SEGMENTS, "currency", "as_of", "closing")
FIRST_DAY: Final = date(1900, 1, 1)  # what the database takes
LAST_DAY: Final = date(2200, 12, 31)
COMPARED_FROM: Final = date(1899, 1, 1)  # a period before the first day; left open, Streamlit offers ten years only
_TEAM: Final = "team-"  # before the id of a manager: them and everybody below them
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})")
ADDRESS: Final = Address("scope", NAMES)


@dataclass(frozen=True)
class Offer:
    """What a viewer can choose from: for each parameter the keys and their labels."""

    owners: Mapping[str, str]
    teams: Mapping[str, tuple[UUID, ...]]
    segments: Mapping[str, Sequence[str]]
    currencies: Sequence[str]

    @classmethod
    def of(cls, viewer: Viewer, choices: pd.DataFrame) -> "Offer":
        """What the rows of `pipeline.choices` offer this viewer, people whose rows they can't see left out."""
        visible = None if viewer.team is None else {str(person) for person in viewer.team}
        names: dict[str, str] = {}
        managers: dict[str, str] = {}
        words: dict[str, list[str]] = {kind: [] for kind in (*SEGMENTS, "currency")}
        for kind, key, label, manager in choices[["kind", "key", "label", "manager"]].itertuples(index=False):
            if kind != "owner":
                words[kind].append(key)
            elif visible is None or key in visible:
                names[key], managers[key] = label, manager
        reports: dict[str, list[str]] = {}
        for person, manager in managers.items():
            reports.setdefault(manager, []).append(person)
        teams = {f"{_TEAM}{key}": tuple(map(UUID, _below(key, reports))) for key in names if key in reports}
        labels = {key: f"{names[key.removeprefix(_TEAM)]}'s team" for key in teams}
        report = viewer.organisation.report_currency
        return cls(
            owners=labels | names,
            teams=teams,
            segments={kind: words[kind] for kind in SEGMENTS},
            currencies=[report, *sorted(set(words["currency"]) - {report})],
        )


def _below(key: str, reports: Mapping[str, list[str]]) -> list[str]:
    found = [key]
    for person in found:  # grows while it is read: everybody, level by level
        found += [report for report in reports.get(person, []) if report not in found]
    return found


@dataclass(frozen=True)
class Chosen:
    """A scope, the words that say it, and sentences about parameters that could not be followed."""

    scope: Scope
    filters: tuple[str, ...]
    ignored: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The period and every filter: 2025 Q4 · Rita Roe · closing in the period · CAD."""
        return " · ".join((self.scope.period.label, *self.filters, self.scope.currency))


def chosen(viewer: Viewer, offer: Offer, parameters: Mapping[str, Sequence[str]]) -> Chosen:
    """The scope that the parameters describe for this viewer; whatever they hold, there is one."""
    reading = Reading(parameters)
    as_of = reading.one("as_of", lambda text: _past(text, viewer.today), "a date") or viewer.today
    fiscal = viewer.organisation.fiscal_year_first_month
    period = reading.one("period", lambda text: _period(text, as_of, fiscal), "a period")
    keys = reading.all("owner", offer.owners, "a person or team")
    currency = reading.all("currency", offer.currencies, "a currency")
    segments = {
        kind: reading.all(kind, offer.segments[kind], f"a filter on {title.lower()}")
        for kind, title in SEGMENTS.items()
    }
    closing = bool(reading.all("closing", ["period"], "a choice"))
    people = {person for key in keys for person in offer.teams.get(key) or (UUID(key),)}
    scope = Scope(
        today=viewer.today,
        as_of=as_of,
        period=period or Period.of("quarter", as_of, fiscal),
        currency=(currency or offer.currencies)[-1 if currency else 0],
        time_zone=viewer.organisation.time_zone,
        owners=tuple(sorted(people)) if people else None,
        limited_to=viewer.team,
        industries=tuple(segments["industry"]),
        company_sizes=tuple(segments["company_size"]),
        lead_sources=tuple(segments["lead_source"]),
        closing_in_period=closing,
    )
    filters = [
        *(offer.owners[key] for key in keys),
        *(value for kind in SEGMENTS for value in segments[kind]),
        *(["closing in the period"] if closing else []),
    ]
    return Chosen(scope, tuple(filters), tuple(reading.ignored))


def _past(text: str, today: date) -> date:
    day = date.fromisoformat(text)
    if not FIRST_DAY <= day <= today:
        raise ValueError(text)
    return day


def _period(text: str, as_of: date, fiscal_year_first_month: int) -> Period:
    if dates := _DATES.fullmatch(text):
        start, last = date.fromisoformat(dates[1]), date.fromisoformat(dates[2])
        if not FIRST_DAY <= start <= last <= LAST_DAY:
            raise ValueError(text)
        return Period(start, last + timedelta(days=1), f"{formats.day(start)} – {formats.day(last)}")
    _, kind, offset = PERIODS[text]
    period = Period.of(kind, as_of, fiscal_year_first_month)
    if offset == 0:
        return period
    neighbour = period.end if offset > 0 else period.start - timedelta(days=1)
    return Period.of(kind, neighbour, fiscal_year_first_month)


# The bar -----------------------------------------------------------------------------------------------------


def draw(viewer: Viewer, offer: Offer, choice: Chosen) -> None:
    """The widgets in one row that wraps; each shows the choice and changes it."""
    scope, now = choice.scope, ADDRESS.now()
    names = {key: label for key, (label, *_) in PERIODS.items()} | {CUSTOM: "Other dates"}
    period = (now.get("period") or ["quarter"])[-1]
    is_custom = period not in PERIODS

    def field(name: str, value: Any) -> str:
        # Set before the widget exists: what it shows is the choice, whoever made it.
        key = f"scope.{name}"
        st.session_state[key] = value
        return key

    with st.container(horizontal=True, vertical_alignment="bottom", key="scope-bar", gap="small"):
        st.selectbox(
            "Period",
            list(names),
            format_func=lambda key: _period_label(key, names[key], scope, viewer),
            key=field("period", CUSTOM if is_custom else period),
            on_change=_period_changed,
            args=(scope.period,),
            width=196,
        )
        if is_custom:
            st.date_input(
                "From – to",
                min_value=FIRST_DAY,
                max_value=LAST_DAY,
                key=field("dates", _half_picked() or (scope.period.start, scope.period.end - timedelta(days=1))),
                on_change=_dates_changed,
                width=230,
            )
        st.date_input(
            "As of",
            min_value=FIRST_DAY,
            max_value=viewer.today,
            format="YYYY-MM-DD",
            help="A past day shows the company as it was at the end of it, from its history.",
            key=field("as_of", scope.as_of),
            on_change=_as_of_changed,
            args=(viewer.today,),
            width=140,
        )
        if len(offer.owners) > 1:
            st.multiselect(
                "Owner",
                list(offer.owners),
                format_func=lambda key: offer.owners[key],
                placeholder="Everyone",
                key=field("owner", [key for key in now.get("owner", []) if key in offer.owners]),
                on_change=_changed,
                args=("owner",),
                width=188,
            )
        _segments(offer, scope, field)
        if len(offer.currencies) > 1:
            st.selectbox(
                "Currency",
                offer.currencies,
                key=field("currency", scope.currency),
                on_change=_currency_changed,
                args=(viewer.organisation.report_currency,),
                width=96,
            )
        if now:
            icon = ":material/filter_alt_off:"
            st.button("Clear", icon=icon, type="tertiary", on_click=ADDRESS.clear, key="scope.clear")
    for sentence in choice.ignored:
        st.warning(literal(sentence), icon=":material/link_off:")
    if scope.moment is not None:
        st.info(
            f"You see the company as it was at the end of {formats.day(scope.as_of)}. "
            "Names, segments and reporting lines are today's.",
            icon=":material/history:",
        )


def _segments(offer: Offer, scope: Scope, field: Callable[[str, Any], str]) -> None:
    chosen_now = {"industry": scope.industries, "company_size": scope.company_sizes, "lead_source": scope.lead_sources}
    number = sum(map(len, chosen_now.values()))
    label = f"Segment: {number}" if number else "All segments"
    with st.popover(label, icon=":material/filter_alt:", key="scope.segments"):
        for kind, title in SEGMENTS.items():
            st.multiselect(
                title,
                offer.segments[kind],
                placeholder="All",
                key=field(kind, list(chosen_now[kind])),
                on_change=_changed,
                args=(kind,),
                width=280,
            )


def closing_switch(choice: Chosen) -> None:
    """Which open opportunities count: all, or those expected to close in the period."""
    key = "scope.closing"
    st.session_state[key] = "period" if choice.scope.closing_in_period else "all"
    labels = {"all": "All open", "period": f"Closing in {choice.scope.period.label}"}
    st.segmented_control(
        "Open opportunities",
        list(labels),
        format_func=lambda option: labels[option],
        required=True,
        key=key,
        on_change=_closing_changed,
        label_visibility="collapsed",
    )


def _period_label(key: str, name: str, scope: Scope, viewer: Viewer) -> str:
    if key == CUSTOM:
        return name
    return f"{name} · {_period(key, scope.as_of, viewer.organisation.fiscal_year_first_month).label}"


def _set(name: str, values: Sequence[str]) -> None:
    ADDRESS.choose(**{name: values})


def _changed(name: str) -> None:
    _set(name, st.session_state[f"scope.{name}"])


def _period_changed(shown: Period) -> None:
    key = st.session_state["scope.period"]
    if key == CUSTOM:
        key = f"{shown.start}_{shown.end - timedelta(days=1)}"
    _set("period", [] if key == "quarter" else [key])


def _dates_changed() -> None:
    dates = st.session_state["scope.dates"]
    if len(dates) == 2:  # the reader has picked the second one too
        _set("period", [f"{dates[0]}_{dates[1]}"])


def _half_picked() -> tuple[date, ...]:
    dates: tuple[date, ...] = st.session_state.get("scope.dates", ())
    return dates if len(dates) == 1 else ()


def _currency_changed(report_currency: str) -> None:
    currency = st.session_state["scope.currency"]
    _set("currency", [] if currency == report_currency else [currency])


def _as_of_changed(today: date) -> None:
    day = st.session_state["scope.as_of"]
    _set("as_of", [] if day is None or day == today else [day.isoformat()])


def _closing_changed() -> None:
    _set("closing", ["period"] if st.session_state["scope.closing"] == "period" else [])
