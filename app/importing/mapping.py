"""What a mapping is: sections that say which columns become which fields, and how. `mapping_file` reads one."""

import re
from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from zoneinfo import ZoneInfo

from app.formats import quoted
from app.importing.files import Layout
from app.importing.values import TRANSFORMATIONS, Style, UnusableError

CELL = re.compile(r"\{([^{}]+)\}")  # in a text: {column}

Cells = Table[str, str]


class NoColumnError(Exception):
    """A file lacks a column that the mapping needs."""

    def __init__(self, column: str, there: Cells) -> None:
        super().__init__(f"has no column {quoted(column)}, or has it twice; there are {', '.join(there)}.")


@dataclass(frozen=True)
class Lookup:
    """A value taken from the row of another file whose `key` column holds what was found here."""

    file: str
    key: str
    column: str
    optional: bool


@dataclass(frozen=True)
class Expression:
    """How one text is made of a row: written, corrected, looked up, translated, transformed, in this order."""

    text: str  # with {column} for a cell
    fix: Table[str, str]
    lookup: Lookup | None
    map: Table[str, str] | None
    transformation: str | None
    optional: bool  # the file may lack the columns

    @cached_property
    def columns(self) -> list[str]:
        """The columns that it needs."""
        return CELL.findall(self.text)

    @cached_property
    def _form(self) -> str:
        return CELL.sub("%s", self.text.replace("%", "%%"))

    @cached_property
    def _is_plain(self) -> bool:
        """A column and nothing more, as most fields are: worth a short cut."""
        return self == Expression(f"{{{self.columns[0]}}}" if self.columns else "", {}, None, None, None, self.optional)

    def of(self, cells: Cells, style: Style, look_up: Callable[[Lookup, str], str]) -> str:
        """Return the text; raise UnusableError where the row has none that the mapping foresees."""
        if self._is_plain:
            return cell(cells, self.columns[0], optional=self.optional)
        found = [cell(cells, column, optional=self.optional) for column in self.columns]
        text = "" if found and not any(found) else self._form % tuple(found)
        text = self.fix.get(text, text)
        if self.lookup and text:
            text = look_up(self.lookup, text)
        if self.map is not None and (text or "" in self.map):
            if text not in self.map and "*" not in self.map:
                raise UnusableError(f"is {quoted(text)}, which the mapping doesn't translate")
            text = self.map.get(text, self.map.get("*", ""))
        if self.transformation and text:
            text = TRANSFORMATIONS[self.transformation](text, style)
        return text


@dataclass(frozen=True)
class Source:
    """One section of a mapping: the rows of a file, or one record written in the mapping itself."""

    object: str
    place: str  # for messages
    file: str | None
    optional: bool  # the export may lack the file
    repeats: bool  # rows of one key are one record, the first of them
    where: Table[str, tuple[str, ...]]
    key: tuple[Expression, ...]
    fields: Table[str, tuple[Expression, ...]]  # the first that isn't empty counts
    metadata: Table[str, tuple[Expression, ...]]

    def wants(self, cells: Cells) -> bool:
        """Say whether a row is meant by this section."""
        return all(
            any(fnmatchcase(cell(cells, column), form) for form in forms) for column, forms in self.where.items()
        )


@dataclass(frozen=True)
class Mapping:
    """How one vendor's export becomes our records."""

    vendor: str
    name: str
    currency: str
    dates: tuple[str, ...]
    numbers: str
    source_zone: ZoneInfo | None
    layout: Layout
    sources: tuple[Source, ...]


def cell(cells: Cells, column: str, *, optional: bool = False) -> str:
    """Return a row's cell; raise NoColumnError where there is none."""
    if column not in cells and not optional:
        raise NoColumnError(column, cells)
    return cells.get(column, "")
