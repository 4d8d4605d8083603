"""Files of an export → rows of cells with their line numbers, in bounded memory."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from app.errors import Refused
from app.importing.values import tidy

# An export with more is none: Salesforce allows 800 fields an object.
MOST_COLUMNS = 1000
# Characters. One line without an end must not fill the memory; the longest text that the schema takes has 100,000.
LONGEST_LINE = 1_000_000
LONGEST_CELL = 131_072


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row by column, or what is wrong with it."""

    line: int
    cells: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True)
class Layout:
    """How a file is written where the file itself doesn't say."""

    delimiter: str = ","
    encoding: str = "utf-8"


def rows(path: Path, layout: Layout) -> Iterator[Row]:
    """Yield the rows below the header. A damaged row says so in `problem`; a damaged file is refused."""
    if not path.is_file():
        raise Refused(f"There is no {path.name} in {path.parent}.")
    if path.suffix.lower() not in READERS:
        raise Refused(f"{path.name} can't be read: save it as CSV (known: {', '.join(READERS)}).")
    return READERS[path.suffix.lower()](path, layout)


def _csv_rows(path: Path, layout: Layout) -> Iterator[Row]:
    with path.open(encoding=_encoding(path, layout.encoding), newline="") as stream:
        # strict: a quotation mark that is never closed, as in a file cut short, is an error and not a long last cell
        reader = csv.reader(_lines(stream, path.name), delimiter=layout.delimiter, skipinitialspace=True, strict=True)
        line = 1
        try:
            header = _header(next(reader, []), path.name)
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield _row(line, header, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            reason = f"a cell is longer than {LONGEST_CELL:,} characters" if "field limit" in str(error) else str(error)
            raise Refused(
                f"{path.name} can't be read from line {line} on: {reason}. Is a quotation mark not closed there?"
            ) from None
        except UnicodeError:
            raise Refused(
                f"{path.name} is not {layout.encoding.upper()} text after line {line}: "
                'save it as UTF-8, or name its encoding in the mapping (encoding = "cp1252" is Windows\').'
            ) from None


READERS: dict[str, Callable[[Path, Layout], Iterator[Row]]] = dict.fromkeys((".csv", ".tsv", ".txt"), _csv_rows)


def _encoding(path: Path, declared: str) -> str:
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if start.startswith(b"PK\x03\x04"):
        raise Refused(f"{path.name} is a ZIP or Excel file with another name: save it as CSV.")
    return "utf-8-sig" if start.startswith(b"\xef\xbb\xbf") else declared


def _lines(stream: TextIO, name: str) -> Iterator[str]:
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise Refused(f"{name} has a line of more than {LONGEST_LINE:,} characters: it is no CSV export.")
        yield line


def _header(cells: list[str], name: str) -> list[str]:
    """Return the columns' names; one that stands twice names neither."""
    columns = Counter(tidy(cell) for cell in cells)
    if not any(columns):
        raise Refused(f"{name} is empty: its first line has to name the columns.")
    if any("\0" in column for column in columns):
        raise Refused(f"{name} is no text file: its first line has a NUL character in it.")
    if len(cells) > MOST_COLUMNS:
        raise Refused(f"{name} has {len(cells):,} columns; more than {MOST_COLUMNS:,} are not read.")
    return [column if columns[column] == 1 else "" for column in map(tidy, cells)]


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    problem = None
    if len(cells) != len(header):
        problem = f"The row has {len(cells):,} cells, the header {len(header):,}."
    elif any("\0" in cell for cell in cells):
        problem = "The row has a NUL character in it."
    return Row(line, {column: tidy(cell) for column, cell in zip(header, cells, strict=False)}, problem)
