"""An export's files → its records, and every row that can't be one. Knows no database."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID, uuid5

from app.errors import Refused
from app.formats import quoted
from app.importing import files
from app.importing.mapping import Cells, Expression, Lookup, Mapping, NoColumnError, Source, cell
from app.importing.records import (
    OBJECTS,
    Activity,
    Contact,
    Event,
    Known,
    Opportunity,
    Organizer,
    Origin,
    Person,
    Record,
    Stage,
)
from app.importing.values import Style, UnusableError

# Every id is made from the vendor, the kind of record and the key there: the same export gives the same ids.
NAMESPACE = UUID("5b1f0c6e-8f0b-4d0e-9a53-2d8a8c2f7e11")
NOUNS = {
    "people": "the person", "stages": "the stage", "organizers": "the organizer", "contacts": "the contact",
    "opportunities": "the opportunity",
}  # fmt: skip

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is not imported, and why."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


@dataclass(frozen=True)
class Export:
    """What an export's files hold."""

    rows: Counter[str]
    rejected: list[Rejected]
    people: list[Person]
    stages: list[Stage]
    organizers: list[Organizer]
    contacts: list[Contact]
    opportunities: list[Opportunity]
    history: dict[UUID, list[Known]]
    events: list[Event]
    activities: list[Activity]
    today: datetime  # the latest moment that it tells of as past: what it shows as current was known then


@lru_cache(maxsize=65536)  # references repeat
def id_of(vendor: str, name: str, key: str) -> UUID:
    """Return the id that a record of this key has in every import."""
    return uuid5(NAMESPACE, f"{vendor}\x1f{name}\x1f{key}")


def read(mapping: Mapping, directory: Path, style: Style, said: Callable[[str, float], None]) -> Export:
    """Read all files that the mapping names; `said` is told each one's name and the share done before."""
    if not directory.is_dir():
        raise Refused(f"There is no directory {directory}.")
    reading = _Reading(mapping, directory, style)
    for number, source in enumerate(mapping.sources):
        for origin in reading.read(source):
            if origin.line % 1000 == 2:
                said(f"{origin.file}, line {origin.line:,}", number / len(mapping.sources))
    return reading.export()


class _Reading:
    def __init__(self, mapping: Mapping, directory: Path, style: Style) -> None:
        self.mapping = mapping
        self.directory = directory
        self.style = style
        self.rows: Counter[str] = Counter()
        self.rejected: dict[Rejected, None] = {}  # without a row's repetition where two sections read it
        self.records: dict[str, dict[UUID, Record]] = {name: {} for name in OBJECTS}
        self.refused: dict[UUID, Origin] = {}
        self.named: dict[UUID, tuple[str, Origin]] = {}
        self.contact_emails: set[tuple[UUID, str]] = set()
        self.tables: dict[tuple[str, str], dict[str, dict[str, str]]] = {}

    def read(self, source: Source) -> Iterator[Origin]:
        """Take the source's rows; yield where each one was."""
        for origin, row in self._rows(source):
            yield origin
            if row.problem:
                self._reject(origin, row.problem)
                continue
            try:
                if source.wants(row.cells):
                    self._take(source, origin, row.cells)
            except NoColumnError as error:
                raise Refused(f"{source.file} {error}") from None

    def _rows(self, source: Source) -> Iterator[tuple[Origin, files.Row]]:
        if source.file is None:
            yield Origin(source.place, 1), files.Row(1, {})
            return
        path = self.directory / source.file
        if source.optional and not path.is_file():
            return
        for row in files.rows(path, self.mapping.layout):
            yield Origin(source.file, row.line), row

    def _take(self, source: Source, origin: Origin, cells: Cells) -> None:
        """Add the row's record, or reject the row with all that is wrong with it."""
        reasons: list[str] = []
        identity = self._identity(source, cells, reasons)
        if source.repeats and identity in self.records[source.object]:
            return
        self.rows[source.object] += 1
        values: dict[str, Any] = {}
        for name, expressions in source.fields.items():
            try:
                values[name] = self._value(source.object, name, expressions, cells)
            except UnusableError as error:
                reasons.append(_sentence(name, expressions, error))
        if source.metadata:
            values["metadata"] = metadata = {}
            for name, expressions in source.metadata.items():
                try:
                    if text := self._text(expressions, cells):
                        metadata[name] = text
                except UnusableError as error:
                    reasons.append(_sentence(name, expressions, error))
        if not reasons:
            record = OBJECTS[source.object](id=identity, origin=origin, **values)
            reasons += self._problems(record)
        if reasons:
            self.refused.setdefault(identity, origin)
            self._reject(origin, " ".join(reasons))
        else:
            self.records[source.object][identity] = self._completed(record)
            self._name_people(source, values, cells, origin)

    def _identity(self, source: Source, cells: Cells, reasons: list[str]) -> UUID:
        """Return the id that the row's key gives it; a bad key is a reason to reject the row."""
        key = str(self.rows[source.object])  # of what nothing refers to
        try:
            if source.key:
                parts = [expression.of(cells, self.style, self._look_up) for expression in source.key]
                key = "\x1f".join(parts)
                if not any(parts):
                    raise UnusableError("is empty")
                earlier = self.records[source.object].get(id_of(self.mapping.vendor, source.object, key))
                if earlier and not source.repeats:
                    raise UnusableError(f"repeats {earlier.origin}")
        except UnusableError as error:
            reasons.append(_sentence("The key", source.key, error))
        return id_of(self.mapping.vendor, source.object, key)

    def _name_people(self, source: Source, values: dict[str, Any], cells: Cells, origin: Origin) -> None:
        for name, kind in OBJECTS[source.object].kinds().items():
            if kind.refers_to == "people" and (identity := values.get(name)) and identity not in self.named:
                self.named[identity] = self._text(source.fields[name], cells), origin

    def _text(self, expressions: tuple[Expression, ...], cells: Cells) -> str:
        for expression in expressions:
            if text := expression.of(cells, self.style, self._look_up):
                return text
        return ""

    def _value(self, name: str, field: str, expressions: tuple[Expression, ...], cells: Cells) -> object:
        kind = OBJECTS[name].kinds()[field]
        text = self._text(expressions, cells)
        if not text:
            if kind.required:
                raise UnusableError("is empty")
            return None
        value = kind.parse(text, self.style)
        return self._referred(kind.refers_to, text) if kind.refers_to else value

    def _referred(self, name: str, key: str) -> UUID:
        identity = id_of(self.mapping.vendor, name, key)
        if name == "people" or identity in self.records[name]:  # people need no file of their own
            return identity
        origin = self.refused.get(identity)
        why = f"was rejected ({origin})" if origin else "the export doesn't have"
        raise UnusableError(f"names {NOUNS[name]} {quoted(key)}, which {why}")

    def _look_up(self, lookup: Lookup, key: str) -> str:
        table = self.tables.get((lookup.file, lookup.key))
        try:
            if table is None:
                rows = files.rows(self.directory / lookup.file, self.mapping.layout)
                table = {cell(row.cells, lookup.key): row.cells for row in rows if not row.problem}
                self.tables[lookup.file, lookup.key] = table
            if key in table:
                return cell(table[key], lookup.column)
        except NoColumnError as error:
            raise Refused(f"{lookup.file} {error}") from None
        if lookup.optional:
            return ""
        raise UnusableError(f"is {quoted(key)}, and {lookup.file} has no row with that {lookup.key}")

    def _problems(self, record: Record) -> Iterator[str]:
        """Yield what is wrong with a record by itself and among its fellows, in sentences."""
        yield from record.problems()
        match record:
            case Contact() if (record.organizer, record.email.lower()) in self.contact_emails:
                yield f"Its organizer has another contact with the email {quoted(record.email)}."
            case Opportunity() if self._stage(record).outcome:
                name, closed = self._stage(record).name, record.actual_close_date or record.close_date
                if closed is None:
                    yield f"It is in the stage {name} and has no closing date."
                elif closed > self.style.today:
                    yield f"It is in the stage {name}, but its closing date {closed} is in the future."
            case Activity() if len(self._organizers(record)) > 1:
                yield "Its organizer, contact and opportunity don't belong together."

    def _completed(self, record: Record) -> Record:
        """Return the record with what follows from its fellows."""
        match record:
            case Contact():
                self.contact_emails.add((record.organizer, record.email.lower()))
            case Opportunity() if self._stage(record).outcome:
                return replace(record, actual_close_date=record.actual_close_date or record.close_date)
            case Opportunity():
                expected = record.expected_close_date or record.close_date
                return replace(record, expected_close_date=expected, actual_close_date=None)
            case Activity():
                return replace(record, organizer=self._organizers(record).pop())
        return record

    def _stage(self, deal: Opportunity) -> Stage:
        return cast("Stage", self.records["stages"][deal.stage])

    def _organizers(self, activity: Activity) -> set[UUID]:
        parents = (
            self.records["opportunities"].get(activity.opportunity) if activity.opportunity else None,
            self.records["contacts"].get(activity.contact) if activity.contact else None,
        )
        named = {parent.organizer for parent in parents if isinstance(parent, Opportunity | Contact)}
        return named | ({activity.organizer} if activity.organizer else set())

    def _reject(self, origin: Origin, reason: str) -> None:
        self.rejected[Rejected(origin, reason)] = None

    def _all(self, kind: type[R]) -> list[R]:
        return [record for records in self.records.values() for record in records.values() if isinstance(record, kind)]

    def export(self) -> Export:
        people = self.records["people"]
        for identity, (name, origin) in self.named.items():
            people.setdefault(identity, Person(id=identity, origin=origin, full_name=name))
        history: dict[UUID, list[Known]] = {}
        for known in self._all(Known):
            history.setdefault(known.opportunity, []).append(known)
        told = [moment for record in self._all(Record) for moment in self._told(record) if moment]
        return Export(
            self.rows, list(self.rejected), self._all(Person), self._all(Stage), self._all(Organizer),
            self._all(Contact), self._all(Opportunity), history, self._all(Event), self._all(Activity),
            max(told, default=self.style.now),
        )  # fmt: skip

    def _told(self, record: Record) -> Iterator[datetime | None]:
        match record:
            case Opportunity():
                yield record.created
                yield self.style.moment_of(record.actual_close_date) if record.actual_close_date else None
            case Known():
                yield record.at
            case Activity():
                yield record.created
                yield record.completed


def _sentence(name: str, expressions: tuple[Expression, ...], error: UnusableError) -> str:
    columns = " / ".join(dict.fromkeys(column for each in expressions for column in each.columns))
    return f"{columns or name} {error}."
