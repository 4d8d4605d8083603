"""The names and sentences of the demo company, from words.toml."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

_READ: Final[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


class Place(NamedTuple):
    """A city with what follows from it."""

    city: str
    province: str
    country: str
    currency: str
    language: str
    zone: str
    phone: str
    weight: float = 0


class Special(NamedTuple):
    """An organizer that every page must be able to show."""

    name: str
    slug: str
    place: Place


class Names(NamedTuple):
    """How organizers are called: a pattern filled with a theme, a city, a province."""

    patterns: tuple[str, ...]
    themes: tuple[str, ...]


class Industry(NamedTuple):
    """A kind of organizer."""

    name: str
    weight: float
    season: tuple[int, ...]
    """Months in which its yearly events fall, the frequent ones more than once."""
    weekend: bool
    attendance: int
    events: tuple[tuple[str, ...], ...]
    """What they are called, for each month of the year."""
    names: dict[str, Names]
    """By language."""


class Service(NamedTuple):
    """Something that the company sells."""

    name: str
    typical: int
    """Value for an organizer of medium size, in its own currency."""
    weight: float


class Title(NamedTuple):
    """A contact's position."""

    name: str
    department: str
    decides: bool
    weight: float


class Template(NamedTuple):
    """An email template."""

    name: str
    category: str
    subject: str
    text: str
    is_active: bool = True


def _places() -> list[Place]:
    """A country's weight is shared by its cities, the first ones having more of it."""
    found = []
    for country, said in _READ["places"].items():
        shares = [1 / (rank + 3) for rank in range(len(said["cities"]))]
        for (city, province, language, zone), share in zip(said["cities"], shares, strict=True):
            weight = said["weight"] * share / sum(shares)
            found.append(Place(city, province, country, said["currency"], language, zone, said["phone"], weight))
    return found


def _names(said: dict[str, Any]) -> Names:
    sectors = [f" {sector}" for sector in said["sectors"]] if "sectors" in said else [""]
    return Names(tuple(said["patterns"]), tuple(theme + sector for theme in said["themes"] for sector in sectors))


def _in_season(events: list[tuple[str, int, int]], month: int) -> tuple[str, ...]:
    """The events that may fall in a month; a season may go over the turn of the year."""
    return tuple(name for name, first, last in events if (month - first) % 12 <= (last - first) % 12)


def _lists(table: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(words) for name, words in _READ[table].items()}


def phones(rng: np.random.Generator, places: Sequence[Place]) -> list[str]:
    """A telephone number at each place; 555 is nobody's."""
    drawn = rng.integers((201, 100), (989, 200), (len(places), 2)).tolist()
    return [f"{place.phone} {area} 555 {line:04d}" for place, (area, line) in zip(places, drawn, strict=True)]


COMPANY: Final[str] = _READ["company"]
DOMAIN: Final[str] = _READ["domain"]
SETTINGS: Final = {
    "organisation_name": COMPANY,
    "report_currency": "CAD",
    "time_zone": "America/Toronto",
    "fiscal_year_first_month": 1,
}
WITHOUT_RATE: Final[str] = _READ["without_rate"]
STAFF: Final = _lists("staff")

PLACES: Final = _places()
PROVINCES: Final[dict[str, str]] = _READ["provinces"]
INDUSTRIES: Final = [
    Industry(
        name=said["name"],
        weight=said["weight"],
        season=tuple(said["season"]),
        weekend=said["weekend"],
        attendance=said["attendance"],
        events=tuple(_in_season(said["events"], month) for month in range(1, 13)),
        names={language: _names(names) for language, names in said["names"].items()},
    )
    for said in _READ["industries"]
]
ELSEWHERE: Final = {language: _names(names) for language, names in _READ["elsewhere"].items()}
SPECIAL: Final = [Special(said["name"], said["slug"], Place(*said["place"])) for said in _READ["special"]]
SIZES: Final[dict[str, float]] = _READ["shares"]["sizes"]
SIZE_FACTORS: Final = [_READ["shares"]["size_factors"][size] for size in SIZES]
SOURCES: Final[dict[str, float]] = _READ["shares"]["sources"]
TAGS: Final[dict[str, float]] = _READ["shares"]["tags"]
STREETS: Final[list[str]] = _READ["streets"]

TITLES: Final = [Title(name, *said) for name, said in _READ["titles"].items()]
FIRST_NAMES: Final = _lists("first_names")
LAST_NAMES: Final = _lists("last_names")
FAMILY_FIRST: Final[list[str]] = _READ["family_first"]
CONTACT_NOTES: Final[list[str]] = _READ["contact_notes"]

MONTHS: Final[list[str]] = _READ["months"]
VENUES: Final[list[str]] = _READ["venues"]

SERVICES: Final = [Service(name, *said) for name, said in _READ["services"].items()]
DEAL_NOTES: Final[list[str]] = _READ["deal_notes"]
LOSS_REASONS: Final[list[str]] = _READ["loss_reasons"]
OVERRIDE_REASONS: Final[list[str]] = _READ["override_reasons"]

SUBJECTS: Final = _lists("subjects")
DETAILS: Final[list[str]] = _READ["details"]
NOTE_TITLES: Final[list[str]] = _READ["note_titles"]
NOTES: Final[list[str]] = _READ["notes"]
TEMPLATES: Final = [Template(**said) for said in _READ["templates"]]
TEMPLATE_VARIABLES: Final[dict[str, str]] = _READ["template_variables"]
