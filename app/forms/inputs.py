"""One field of a form, drawn by its kind. What is typed is JSON, so that a draft keeps it as it is.

Numbers are typed as text: what can't be read stays where it was typed, beneath the sentence that says why.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import streamlit as st

from app import fields
from app.fields import Field
from app.forms import pickers
from app.typed import ADDRESS, FIRST_YEAR, LAST_YEAR

Changed = Callable[[], None]

WIDE: Final = frozenset(("text", "address", "tags"))  # a whole line of the form; all others stand in pairs
_FIRST: Final = datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001  (a clock's, wherever it hangs)
_LAST: Final = datetime(LAST_YEAR, 12, 31)  # noqa: DTZ001
_DAY: Final = "YYYY-MM-DD"
_MINUTE: Final = "%Y-%m-%d %H:%M"


def as_typed(field: Field, stored: Any, time_zone: str) -> Any:
    """How a form shows what is stored, or its JSON: text, a list, a flag; None where nothing is chosen."""
    match field.kind:
        case "flag":
            return bool(stored)
        case "tags":
            return list(stored or [])
        case "address":
            return {part: str((stored or {}).get(part) or "") for part in ADDRESS}
        case "moment" if stored:
            moment = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
            return moment.astimezone(ZoneInfo(time_zone)).strftime(_MINUTE)
        case "choice" | "day" | "moment":
            return str(stored) if stored else None
        case kind if kind in fields.REFERENCES:
            return str(stored) if stored else None
        case _:
            return "" if stored is None else str(stored)


def is_there(field: Field, key: str) -> bool:
    """Whether the field stands in the form: what is not drawn is forgotten by Streamlit."""
    return (f"{key}.{ADDRESS[0]}" if field.kind == "address" else key) in st.session_state


def typed(field: Field, key: str) -> Any:
    """What stands in the field."""
    match field.kind:
        case "address":
            return {part: st.session_state[f"{key}.{part}"] for part in ADDRESS}
        case "day":
            day = st.session_state[key]
            return day.isoformat() if day else None
        case "moment":
            moment = st.session_state[key]
            return moment.strftime(_MINUTE) if moment else None
        case "tags":
            return list(st.session_state[key])
        case _:
            return st.session_state[key]


def draw(
    field: Field,
    key: str,
    start: Any,
    changed: Changed,
    *,
    within: str | None = None,
    stages: Mapping[str, str] | None = None,
) -> None:
    """Draws the field, which begins with `start`; `changed` is called when something else is typed.

    `within`: the organizer whose records a picker offers; `stages`: what each stage that may be chosen is called.

    What it begins with is the widget's own default, at every run: a browser that is still loading the widget when the
    next run comes would take a value that is only set once for none.
    """
    label = f"{field.label} \\*" if field.required else field.label
    common: dict[str, Any] = {"key": key, "help": field.help or None, "on_change": changed}
    match field.kind:
        case "text":
            st.text_area(label, start, height=120, **common)
        case "choice":
            _select(label, {choice: fields.label(choice) for choice in field.choices}, start, common)
        case "stage":
            _select(label, stages or {}, start, common)
        case "flag":
            st.checkbox(label, start, **common)
        case "day":
            day = date.fromisoformat(start) if start else None
            st.date_input(label, day, _FIRST.date(), _LAST.date(), format=_DAY, **common)
        case "moment":
            moment = datetime.strptime(start, _MINUTE) if start else None  # noqa: DTZ007
            st.datetime_input(label, moment, _FIRST, _LAST, format=_DAY, **common)
        case "tags":
            st.multiselect(
                label, start, start, accept_new_options=True, placeholder="Type a word, press Enter", **common
            )
        case "address":
            _address(key, start, changed)
        case kind if kind in fields.REFERENCES:
            st.session_state.setdefault(key, start)
            pickers.draw(field, label, key, changed, within)
        case _:
            st.text_input(label, start, **common)  # of no type: the browser would keep what it finds wrong to itself


def _select(label: str, names: Mapping[str, str], start: str | None, common: Mapping[str, Any]) -> None:
    options = [*names, *([start] if start and start not in names else [])]
    place = options.index(start) if start else None
    st.selectbox(label, options, place, format_func=lambda one: names.get(one, one), placeholder="Choose", **common)


def _address(key: str, start: Mapping[str, str], changed: Changed) -> None:
    for row in (("street", "city"), ("province", "postal_code", "country")):
        for column, part in zip(st.columns(len(row)), row, strict=True):
            column.text_input(fields.label(part), start[part], key=f"{key}.{part}", on_change=changed)
