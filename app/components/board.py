"""The board: open opportunities as cards by stage. A card is moved by mouse, keyboard, or a choice of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
import streamlit as st

from app import formats

SHOWN: Final = 30
"""Cards of a stage: more is no board but a list, which the page has too."""

_HERE: Final = Path(__file__)
_board = st.components.v2.component(
    "eventos_board",
    html='<div class="board"></div><div class="says" aria-live="assertive"></div>',
    css=_HERE.with_name("board.css").read_text(encoding="utf-8"),
    js=_HERE.with_name("board.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Stage:
    """A column of the board; a closed one takes cards and shows none."""

    id: str
    name: str
    color: str
    kind: Literal["open", "won", "lost"]


@dataclass(frozen=True)
class Moved:
    """A card that was put down somewhere else."""

    opportunity: str
    was: str
    to: str


def draw(
    deals: pd.DataFrame,
    stages: Sequence[Stage],
    currency: str,
    *,
    key: str,
    on_moved: Callable[[Moved], None] | None,
    on_opened: Callable[[str, str], None],
) -> None:
    """Draws the board of these open opportunities (the columns of `queries.pipeline.opportunities`).

    `on_moved` is called with a card that was put down elsewhere; without it no card can be moved. `on_opened` gets the
    id and the name of a card whose name was clicked. What the browser says is taken only where it is on the board.
    """

    names = dict(zip(deals["opportunity_id"], deals["name"], strict=True))
    places = {stage.id for stage in stages}

    def event(name: str) -> dict[str, Any]:
        return dict(st.session_state[key].get(name) or {})

    def moved() -> None:
        it = event("moved")
        if on_moved and it.get("id") in names and {it.get("from"), it.get("to")} <= places:
            on_moved(Moved(it["id"], it["from"], it["to"]))

    def opened() -> None:
        if (opportunity := event("opened").get("id")) in names:
            on_opened(str(opportunity), names[opportunity])

    columns = [_column(stage, deals[deals["stage_id"] == stage.id], currency) for stage in stages]
    _board(
        data={"columns": columns, "may_move": on_moved is not None},
        key=key,
        on_moved_change=moved,
        on_opened_change=opened,
    )


def _column(stage: Stage, deals: pd.DataFrame, currency: str) -> dict[str, Any]:
    value = formats.short_money(deals["value"].dropna().sum(), currency)
    return {
        "id": stage.id,
        "name": stage.name,
        "color": stage.color,
        "kind": stage.kind,
        "said": "Put a card here" if stage.kind != "open" else f"{len(deals)} · {value}",
        "note": f"{len(deals) - SHOWN} more in the list" if len(deals) > SHOWN else "",
        "cards": [_card(row, currency) for row in deals.head(SHOWN).itertuples()],
    }


def _card(row: Any, currency: str) -> dict[str, Any]:
    has_value = not pd.isna(row.value)
    return {
        "id": row.opportunity_id,
        "name": row.name,
        "organizer": row.organizer,
        "owner": row.owner,
        "value": formats.short_money(row.value, currency) if has_value else formats.money(row.amount, row.currency),
        "age": formats.days(row.days_in_stage),
        "stalled": bool(row.stalled) if not pd.isna(row.stalled) else False,
    }
