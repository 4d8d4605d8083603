"""What is chosen on a list of records, read from the parameters of its address; whatever they hold, there is a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from app import fields, formats
from app.components.address import Address, Reading
from app.fields import REFERENCES, Field, Noun
from app.viewer import Viewer
from queries.records import LISTINGS, Wanted
from queries.records import fields as listed

WORDS: Final = "q"
ORDER: Final = "order"
PAGE: Final = "page"
SIZE: Final = "size"
COLUMN: Final = "column"
SHOWN_AS: Final = "as"
GRID: Final = "grid"
NONE: Final = "none"  # for an empty column
SIZES: Final = (25, 50, 100, 250)
FLAGS: Final = {"yes": True, "no": False}
CHOSEN_FROM: Final = frozenset(("choice", "flag", "stage", "person", "currency"))
BETWEEN: Final = frozenset(("amount", "whole", "percent", "day", "moment"))
_LONGEST: Final = 200  # letters of a search that are looked at
_SEPARATOR: Final = "~"


@dataclass(frozen=True)
class Offer:
    """What the filters offer: for each field, keys and labels."""

    labels: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, noun: Noun, offered: Mapping[str, Mapping[str, str]]) -> "Offer":
        """What this list offers of what there is by kind: stages, people, currencies, records in the address."""
        return cls({field.name: _labels(field, offered) for field in filters(noun)})


def _labels(field: Field, offered: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    if field.kind == "choice":
        return {choice: fields.label(choice) for choice in field.choices} | _empty(field)
    if field.kind == "flag":
        return {"yes": "Yes", "no": "No"}
    return dict(offered.get(field.kind, {})) | _empty(field)


def _empty(field: Field) -> dict[str, str]:
    return {} if field.required or not field.editable else {NONE: "(empty)"}


def filters(noun: Noun) -> tuple[Field, ...]:
    """The fields that the list can be filtered by: those with choices, and records that a link names."""
    kinds = CHOSEN_FROM | BETWEEN | REFERENCES
    return tuple(field for field in listed(noun) if field.kind in kinds)


def address(noun: Noun) -> Address:
    """The address of the noun's list."""
    names = (field.name for field in filters(noun))
    return Address(f"list.{noun.plural}", (WORDS, *names, ORDER, COLUMN, SHOWN_AS, SIZE, PAGE))


def named_in(noun: Noun, parameters: Mapping[str, Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """The records (kind, id) that the address names and no filter offers."""
    return tuple(
        (field.kind, value)
        for field in filters(noun)
        if field.kind in REFERENCES - CHOSEN_FROM
        for value in parameters.get(field.name, ())
        if _is_id(value)
    )


@dataclass(frozen=True)
class Chosen:
    """What is asked of the list, how it is shown, the filters in words, and sentences about what was left out."""

    wanted: Wanted
    columns: tuple[str, ...]
    size: int
    page: int
    is_grid: bool
    filters: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def words(self) -> str:
        """Every filter: “gala” · Stage: Won, Lost · Value: from 1,000."""
        return " · ".join(self.filters) or "All"

    def keys(self, item: Field) -> list[str]:
        """The values that the field is filtered by, as the address has them."""
        values = next((values for name, values in self.wanted.among if name == item.name), ())
        return [_key(item, value) for value in values]


def _key(item: Field, value: Any) -> str:
    if value is None:
        return NONE
    return {True: "yes", False: "no"}[value] if item.kind == "flag" else str(value)


def chosen(viewer: Viewer, noun: Noun, offer: Offer, parameters: Mapping[str, Sequence[str]]) -> Chosen:
    """The list that the parameters describe for this viewer."""
    reading, listing = Reading(parameters), LISTINGS[noun.name]
    known = {field.name: field.label for field in listed(noun)}
    order, descending = reading.one(ORDER, lambda text: _order(text, known), "an order") or (
        listing.order,
        listing.descending,
    )
    words = searched((parameters.get(WORDS) or [""])[-1])
    among: list[tuple[str, tuple[Any, ...]]] = []
    between: list[tuple[str, Any, Any]] = []
    said = [f"“{words}”"] if words else []
    for item in filters(noun):
        if item.kind in BETWEEN:
            if bounds := reading.one(item.name, partial(span, item), f"a range of {item.label.lower()}"):
                between.append((item.name, *bounds))
                said.append(f"{item.label}: {_span_said(item, *bounds)}")
        elif values := reading.all(item.name, offer.labels[item.name], f"a value of {item.label.lower()}"):
            among.append((item.name, tuple(_stored(item, value) for value in values)))
            said.append(f"{item.label}: {', '.join(offer.labels[item.name][value] for value in values)}")
    organisation = viewer.organisation
    wanted = Wanted(
        order, organisation.report_currency, viewer.today, descending, words, tuple(among), tuple(between), viewer.team,
        organisation.time_zone,
    )  # fmt: skip
    return Chosen(
        wanted,
        tuple(reading.all(COLUMN, known, "a column")) or listing.columns,
        reading.one(SIZE, lambda text: {str(size): size for size in SIZES}[text], "a number of rows") or SIZES[1],
        reading.one(PAGE, _page, "a page") or 1,
        bool(reading.all(SHOWN_AS, [GRID], "a way to show the list")),
        tuple(said),
        tuple(reading.ignored),
    )


def searched(typed: str) -> str:
    """The words as they are looked for: on one line, without what no text holds."""
    kept = "".join(" " if not letter.isprintable() else letter for letter in typed[:_LONGEST])
    return " ".join(kept.split())


def span(item: Field, text: str) -> tuple[Any, Any]:
    """From and to of “from~to”, either left open; raises ValueError or ArithmeticError for anything else."""
    first, separator, last = text.partition(_SEPARATOR)
    if not separator or not (first or last):
        raise ValueError(text)
    return _bound(item, first), _bound(item, last)


def span_text(first: Any, last: Any) -> str:
    """The range as it stands in the address; nothing for one that is open at both ends."""
    if first is None and last is None:
        return ""
    return f"{'' if first is None else first}{_SEPARATOR}{'' if last is None else last}"


def _bound(item: Field, text: str) -> Any:
    if not text:
        return None
    if item.kind in ("day", "moment"):
        day = date.fromisoformat(text)
        if not date(1900, 1, 1) <= day <= date(2200, 12, 31):
            raise ValueError(text)
        return day
    number = Decimal(text) if item.kind == "amount" else int(text)
    if not 0 <= number < 10**16:  # also without NaN, which compares with nothing
        raise ValueError(text)
    return number


def _span_said(item: Field, first: Any, last: Any) -> str:
    def said(value: Any) -> str:
        return formats.day(value) if item.kind in ("day", "moment") else f"{value:,}"

    if first is None:
        return f"up to {said(last)}"
    return f"from {said(first)}" if last is None else f"{said(first)} – {said(last)}"


def _stored(item: Field, value: str) -> Any:
    if value == NONE:
        return None
    if item.kind == "flag":
        return FLAGS[value]
    return UUID(value) if item.kind in REFERENCES else value


def _order(text: str, known: Mapping[str, str]) -> tuple[str, bool]:
    name = text.removeprefix("-")
    if name not in known:
        raise KeyError(text)
    return name, text.startswith("-")


def _page(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False
