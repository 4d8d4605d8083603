"""What one opportunity more, less, later or surer would do to the forecast: tried out, and saved nowhere.

The reader's changes are kept for the session, by the opportunity's id: an edit made elsewhere, another filter or
another page takes none of them away.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, Final

import pandas as pd
import streamlit as st

from app import formats
from app.charts import forecast as charts
from app.charts import style
from app.components.forecast import LEVELS
from app.components.markdown import literal
from app.components.picture import Answer, Setting, table
from app.components.scope_bar import FIRST_DAY, LAST_DAY
from app.estimates.forecast import Forecast
from app.forecasting import WhatIf

_CHANGES: Final = "what-if.changes"
_PICKER: Final = "what-if.pick"
MOST: Final = 50  # at once: more is another plan, not a what-if


def changes() -> list[WhatIf]:
    """What the reader tries out at present."""
    return list(_kept().values())


def try_out(opportunity_id: str) -> None:
    """For a callback: takes the opportunity in among those that the reader tries out, as it is."""
    kept = _kept()
    if opportunity_id and len(kept) < MOST:
        st.session_state[_CHANGES] = kept | {opportunity_id: kept.get(opportunity_id, WhatIf(opportunity_id))}


def _kept() -> dict[str, WhatIf]:
    kept: dict[str, WhatIf] = st.session_state.get(_CHANGES, {})
    return kept


def draw(
    deals: pd.DataFrame,
    matter: pd.DataFrame,
    before: Forecast,
    after: Forecast | None,
    target: float | None,
    setting: Setting,
) -> None:
    """The card: what is tried out, each with its three switches, and the forecast before and after.

    `matter`: the opportunities (`opportunity_id`, `name`) that it makes most sense to begin with.
    """
    with st.container(border=True, key="card-what-if", height="stretch", gap="small"):
        st.subheader("What if", anchor=False, help="Another close date, another probability, or without it.")
        kept = _kept()
        by_id = {str(deal.opportunity_id): deal for deal in deals.itertuples()}
        if kept:
            with st.container(horizontal=True, vertical_alignment="center", key="what-if-banner"):
                st.info("This is a what-if: nothing is saved", icon=":material/science:")
                st.button("Reset", icon=":material/undo:", on_click=_reset, key="what-if.reset")
        _picker(by_id, kept, setting.currency)
        for opportunity_id, change in kept.items():
            if opportunity_id in by_id:
                _row(by_id[opportunity_id], change, setting.currency)
            else:
                _gone(opportunity_id)
        if after is not None:
            _compared(before, after, target, setting.currency)
        else:
            _suggestions(matter)


def _picker(by_id: dict[str, Any], kept: dict[str, WhatIf], currency: str) -> None:
    def label(opportunity_id: str) -> str:
        deal = by_id[opportunity_id]
        return f"{deal.name} · {deal.organizer} · {formats.short_money(deal.value, currency)}"

    st.selectbox(
        "Opportunity",
        [opportunity_id for opportunity_id in by_id if opportunity_id not in kept],
        index=None,
        format_func=label,
        placeholder="Try an opportunity: search by its name or organizer",
        key=_PICKER,
        on_change=_picked,
        label_visibility="collapsed",
        disabled=len(kept) >= MOST,
    )


def _suggestions(matter: pd.DataFrame) -> None:
    st.caption(
        "What would the period bring if one closed later, became surer or fell through? Nothing is saved."
        + (" These would move it most:" if len(matter) else "")
    )
    for deal in matter.itertuples():
        st.button(
            literal(deal.name),
            icon=":material/science:",
            key=f"what-if.try.{deal.opportunity_id}",
            on_click=try_out,
            args=(deal.opportunity_id,),
        )


def _row(deal: Any, change: WhatIf, currency: str) -> None:
    opportunity_id = str(deal.opportunity_id)
    percent = round(100 * float(deal.probability if change.probability is None else change.probability))
    held = None if pd.isna(deal.expected_close_date) else deal.expected_close_date.date()

    def field(name: str, value: Any) -> str:
        # Set before the widget exists: what it shows is the change as it is kept.
        key = f"what-if.{opportunity_id}.{name}"
        st.session_state[key] = value
        return key

    with st.container(border=True, gap="xsmall", key=f"what-if-{opportunity_id}"):
        st.markdown(
            f"**{literal(deal.name)}** · {literal(deal.organizer)} · {formats.short_money(deal.value, currency)}"
        )
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.number_input(
                f"Probability, % (is {formats.share(deal.probability)})",
                min_value=0,
                max_value=100,
                step=5,
                key=field("probability", percent),
                on_change=_probability,
                args=(opportunity_id, round(100 * float(deal.probability))),
                disabled=not change.is_in,
                width=170,
            )
            st.date_input(
                f"Close (is {formats.day(held)})",
                min_value=FIRST_DAY,
                max_value=LAST_DAY,
                format="YYYY-MM-DD",
                key=field("close", change.expected_close_date or held),
                on_change=_close,
                args=(opportunity_id, held),
                disabled=not change.is_in,
                width=190,
            )
            st.toggle("In", key=field("in", change.is_in), on_change=_in, args=(opportunity_id,))
            st.button(
                "",
                icon=":material/close:",
                help="Leave it as it is",
                type="tertiary",
                key=f"what-if.{opportunity_id}.leave",
                on_click=_leave,
                args=(opportunity_id,),
            )


def _gone(opportunity_id: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("One opportunity that you try is not open here, or not under these filters: it changes nothing.")
        st.button(
            "Leave it out", type="tertiary", key=f"what-if.{opportunity_id}.leave", on_click=_leave,
            args=(opportunity_id,),
        )  # fmt: skip


def _compared(before: Forecast, after: Forecast, target: float | None, currency: str) -> None:
    def row(label: str, found: Forecast) -> dict[str, Any]:
        levels = {name.lower(): found.quantile(level) for name, level in LEVELS.items()}
        return {"label": label, **levels, "chance": None if target is None else found.at_least(target)}

    rows = pd.DataFrame([row("As it is", before), row("What if", after)])
    chart = charts.compared(rows, target, currency)
    st.plotly_chart(chart.figure, key="what-if.chart", config=style.CONFIG, alt=chart.words)
    st.caption(_sentence(rows, currency))


def _sentence(rows: pd.DataFrame, currency: str) -> str:
    def of(row: Any) -> str:
        return ", ".join(
            f"{name} {formats.short_money(row[name.lower()], currency)}" for name in LEVELS
        ) + ("" if pd.isna(row["chance"]) else f", {formats.share(row['chance'])} to reach the target")  # fmt: skip

    return f"As it is: {of(rows.iloc[0])}. What if: {of(rows.iloc[1])}."


# What the reader does -----------------------------------------------------------------------------------------


def _reset() -> None:
    st.session_state[_CHANGES] = {}


def _picked() -> None:
    try_out(st.session_state[_PICKER])
    st.session_state[_PICKER] = None


def _leave(opportunity_id: str) -> None:
    st.session_state[_CHANGES] = {key: change for key, change in _kept().items() if key != opportunity_id}


def _change(opportunity_id: str, change: Callable[[WhatIf], WhatIf]) -> None:
    kept = _kept()
    st.session_state[_CHANGES] = kept | {opportunity_id: change(kept[opportunity_id])}


def _probability(opportunity_id: str, percent: int) -> None:
    chosen: int | None = st.session_state[f"what-if.{opportunity_id}.probability"]
    share = None if chosen is None or chosen == percent else min(max(chosen, 0), 100) / 100
    _change(opportunity_id, lambda change: replace(change, probability=share))


def _close(opportunity_id: str, held: date | None) -> None:
    chosen: date | None = st.session_state[f"what-if.{opportunity_id}.close"]
    day = None if chosen == held else chosen
    _change(opportunity_id, lambda change: replace(change, expected_close_date=day))


def _in(opportunity_id: str) -> None:
    is_in: bool = st.session_state[f"what-if.{opportunity_id}.in"]
    _change(opportunity_id, lambda change: replace(change, is_in=is_in))


_FACTS: Final = (
    "name", "organizer", "owner", "stage", "value", "probability", "expected_revenue", "expected_close_date", "amount",
    "currency", "place",
)  # fmt: skip


def one(deals: Answer, opportunity_id: str, setting: Setting) -> None:
    """One open opportunity, and the way to try it otherwise."""
    found = replace(deals, frame=deals.frame[deals.frame["opportunity_id"] == opportunity_id])
    if found.frame.empty:
        st.caption("It is not open any more, or not under these filters.")
        return
    table("one", "Opportunity", found.only(_FACTS), setting)
    if st.button(
        "Try it otherwise",
        icon=":material/science:",
        help="Another close date, another probability, or without it: nothing is saved.",
        key="one.try",
    ):
        try_out(opportunity_id)
        st.rerun()  # the drawer closes, and the page shows what is tried
