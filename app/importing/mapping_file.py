"""Mapping files → mappings. `mappings/README.md` explains the language; what is wrong is refused with its place."""

import codecs
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from app.errors import Refused
from app.formats import quoted
from app.importing.files import Layout
from app.importing.mapping import Expression, Lookup, Mapping, Source
from app.importing.records import OBJECTS
from app.importing.values import TRANSFORMATIONS, number_marks

BUILT_IN = Path(__file__).parent / "mappings"
SETTINGS = ("vendor", "name", "currency", "dates", "numbers", "time_zone", "delimiter", "encoding")


def load(which: str) -> Mapping:
    """Return the mapping of a built-in name or of a file's path."""
    built_in = {file.stem: file for file in sorted(BUILT_IN.glob("*.toml"))}
    path = built_in.get(which, Path(which))
    if not path.is_file():
        known = ", ".join(built_in)
        raise Refused(f"There is no mapping {quoted(which)}. Built in: {known}; or give the path of a mapping file.")
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path.name} is not a mapping file: {error}.") from None
    return _mapping(content, path.name)


def _mapping(content: dict[str, Any], place: str) -> Mapping:
    _only(content, (*SETTINGS, *OBJECTS), place)
    settings = {name: _text(content.get(name, ""), f"{place} {name}") for name in SETTINGS if name != "dates"}
    if not settings["vendor"].isidentifier():
        raise Refused(f"{place} needs a vendor, one word that stays the same: it is part of every record's id.")
    numbers = settings["numbers"] or "1234.00"
    number_marks(numbers)
    return Mapping(
        vendor=settings["vendor"],
        name=settings["name"] or settings["vendor"].capitalize(),
        currency=settings["currency"],
        dates=_dates(content.get("dates", "%Y-%m-%d"), f"{place} dates"),
        numbers=numbers,
        source_zone=_zone(settings["time_zone"], f"{place} time_zone"),
        layout=_layout(settings["delimiter"] or ",", settings["encoding"] or "utf-8", place),
        sources=tuple(_sources(content, place)),
    )


def _sources(content: dict[str, Any], place: str) -> Iterator[Source]:
    for name in OBJECTS:
        sections = content.get(name, [])
        if not isinstance(sections, list) or not all(isinstance(section, dict) for section in sections):
            raise Refused(f"{place}: write a section of {name} as [[{name}]].")
        for number, section in enumerate(sections, 1):
            yield _source(name, section, f"{place} {name} {number}")


def _source(name: str, section: dict[str, Any], place: str) -> Source:
    kind = OBJECTS[name]
    known = ("file", "optional", "where", *(("key", "repeats") if kind.has_key else ()), *kind.kinds())
    _only(section, (*known, "metadata") if kind.has_metadata else known, place)
    required = [field for field, entry in kind.kinds().items() if entry.required] + ["key"] * kind.has_key
    if missing := [field for field in required if field not in section]:
        raise Refused(f"{place} has to say where {' and '.join(missing)} comes from.")
    file = _file(section["file"], place) if "file" in section else None
    # Without a file there are no columns: the words are the values.
    plain = "column" if file else "text"
    return Source(
        object=name,
        place=place,
        file=file,
        optional=section.get("optional") is True,
        repeats=section.get("repeats") is True,
        where={column: tuple(map(str, _list(forms))) for column, forms in _table(section, "where", place).items()},
        key=_expressions(section.get("key", []), plain, f"{place} key"),
        fields={
            field: _expressions(section[field], plain, f"{place} {field}") for field in kind.kinds() if field in section
        },
        metadata={
            label: _expressions(entry, plain, f"{place} metadata {label}")
            for label, entry in _table(section, "metadata", place).items()
        },
    )


def _expressions(entry: object, plain: str, place: str) -> tuple[Expression, ...]:
    return tuple(_expression(part if isinstance(part, dict) else {plain: part}, place) for part in _list(entry))


def _expression(entry: dict[str, Any], place: str) -> Expression:
    _only(entry, ("column", "text", "fix", "lookup", "map", "as", "optional"), place)
    if ("column" in entry) == ("text" in entry):
        raise Refused(f"{place} needs either a column or a text.")
    transformation = entry.get("as")
    if transformation is not None and transformation not in TRANSFORMATIONS:
        known = ", ".join(sorted(TRANSFORMATIONS))
        raise Refused(f"{place}: there is no transformation {quoted(str(transformation))}; there are {known}.")
    lookup = _table(entry, "lookup", place)
    return Expression(
        text=f"{{{entry['column']}}}" if "column" in entry else str(entry["text"]),
        fix=_words(_table(entry, "fix", place)),
        lookup=_lookup(lookup, place) if lookup else None,
        map=_words(_table(entry, "map", place)) if "map" in entry else None,
        transformation=transformation,
        optional=entry.get("optional") is True,
    )


def _lookup(entry: dict[str, Any], place: str) -> Lookup:
    _only(entry, ("file", "key", "column", "optional"), f"{place} lookup")
    if not {"file", "key", "column"} <= set(entry):
        raise Refused(f"{place}: a lookup needs a file, a key and a column.")
    return Lookup(_file(entry["file"], place), str(entry["key"]), str(entry["column"]), entry.get("optional") is True)


def _only(entries: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for entry in entries:
        if entry not in known:
            near = get_close_matches(entry, known, 1)
            raise Refused(
                f"{place}: {quoted(entry)} means nothing here"
                + (f"; did you mean {near[0]}?" if near else f". Known: {', '.join(known)}.")
            )


def _file(entry: object, place: str) -> str:
    name = _text(entry, f"{place} file")
    if not name or "\0" in name or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise Refused(f"{place}: the file {quoted(name)} has to lie in the export's directory.")
    return name


def _text(entry: object, place: str) -> str:
    if not isinstance(entry, str):
        raise Refused(f"{place} has to be text in quotation marks.")
    return entry


def _list(entry: object) -> list[Any]:
    return entry if isinstance(entry, list) else [entry]


def _table(section: dict[str, Any], name: str, place: str) -> dict[str, Any]:
    entry = section.get(name, {})
    if not isinstance(entry, dict):
        raise Refused(f"{place}: write {name} as a table, {name} = {{ … }}.")
    return entry


def _words(table: dict[str, Any]) -> dict[str, str]:
    return {word: str(meaning) for word, meaning in table.items()}


def _dates(entry: object, place: str) -> tuple[str, ...]:
    formats = tuple(_text(form, place) for form in _list(entry))
    for form in formats:
        sample = datetime(2025, 12, 31, 17, 30, tzinfo=UTC).strftime(form)
        try:
            day = datetime.strptime(sample, form).date()  # noqa: DTZ007  (only its day counts here)
        except ValueError:
            day = None
        if day is None or (day.year, day.month, day.day) != (2025, 12, 31):
            raise Refused(f"{place}: {quoted(form)} doesn't say day, month and year, such as %d.%m.%Y.")
    return formats


def _zone(name: str, place: str) -> ZoneInfo | None:
    if name and name not in available_timezones():
        raise Refused(f"{place}: there is no time zone {quoted(name)}, such as UTC or America/Toronto.")
    return ZoneInfo(name) if name else None


def _layout(delimiter: str, encoding: str, place: str) -> Layout:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise Refused(f"{place}: the delimiter is one character, such as a comma, a semicolon or a tab.")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise Refused(f"{place}: there is no encoding {quoted(encoding)}, such as utf-8 or cp1252.") from None
    return Layout(delimiter, encoding)
