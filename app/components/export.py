"""A result as a file to take away: CSV or XLSX, that says what it shows and that no spreadsheet takes for a program.

A cell such as `=HYPERLINK(…)` runs in the reader's spreadsheet, so text that a spreadsheet would read as a formula gets
an apostrophe in front; numbers stay numbers. Taking one apostrophe off such a text gives back what was stored.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import xlsxwriter

from app.errors import Refused
from queries.units import Kind, Unit

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 1_048_575  # a sheet's rows, less the heading

# Also behind spaces and quotes, which some spreadsheets drop first, and in the full-width forms of other keyboards.
_FORMULA = re.compile(r"""^[\s"']*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]""")
_NOT_FOR_SHEETS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML has no way to write them
_NOT_FOR_NAMES = re.compile(r"[^\w.-]+")

_FORMATS: Mapping[Kind, str] = {
    "money": "#,##0.00",
    "amount": "#,##0.00",
    "count": "#,##0",
    "share": "0.0 %",
    "days": "0",
    "rate": "0.000000",
    "number": "0.0",
    "day": "yyyy-mm-dd",
    "moment": "yyyy-mm-dd hh:mm",
}


@dataclass(frozen=True)
class Source:
    """What an exported table is: its title, the filters that it was read with, as of when, and the money's currency."""

    title: str
    filters: str
    as_of: str
    currency: str

    def file_name(self, extension: str, on: datetime) -> str:
        """A name that tells the files of a folder apart: eventos-stalled-opportunities-2025-11-22-1403.csv."""
        return f"eventos-{_NOT_FOR_NAMES.sub('-', self.title).strip('-').lower()}-{on:%Y-%m-%d-%H%M}.{extension}"


def harmless(text: str) -> str:
    """The text, with an apostrophe in front if a spreadsheet would run it."""
    return f"'{text}" if _FORMULA.match(text) else text


def heading(name: str, unit: Unit, currency: str) -> str:
    """A column's heading, with the currency of its money; an `amount` is in the currency that its row names."""
    return f"{unit.label} ({currency})" if unit.kind == "money" and name != "amount" else unit.label


def _shown(columns: Mapping[str, Unit], currency: str) -> dict[str, tuple[str, Unit]]:
    """Heading and unit of the columns that are for people."""
    for_people = {name: unit for name, unit in columns.items() if unit.kind not in ("id", "color")}
    return {name: (heading(name, unit, currency), unit) for name, unit in for_people.items()}


def as_csv(frame: pd.DataFrame, columns: Mapping[str, Unit], source: Source) -> bytes:
    """UTF-8 with a mark that makes Excel read it so.

    Every row ends with the filters and the as-of time: whatever reads the file still finds its headings in the first
    line, which lines of comment above them would prevent.
    """
    shown = _shown(columns, source.currency)
    table = pd.DataFrame({label: _cells(frame[name], unit) for name, (label, unit) in shown.items()})
    table["Filters"] = harmless(source.filters)
    table["As of"] = source.as_of
    return table.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig", errors="replace")


def _cells(values: pd.Series, unit: Unit) -> pd.Series:
    def cell(value: Any) -> Any:
        if pd.isna(value):
            return None
        match unit.kind:
            case "text":
                return harmless(str(value))
            case "day":
                return f"{value:%Y-%m-%d}"
            case "moment":
                return value.isoformat()
            case _:
                return value

    # As objects: a column of whole numbers with a gap would be written with decimals.
    return pd.Series([cell(value) for value in values], dtype=object)


def as_xlsx(frame: pd.DataFrame, columns: Mapping[str, Unit], source: Source) -> bytes:
    """A workbook: the table, and a sheet that says what it shows and what each column means."""
    if len(frame) > MOST_ROWS:
        raise Refused(f"An XLSX sheet holds {MOST_ROWS:,} rows and this table has {len(frame):,}. Take the CSV file.")
    shown = _shown(columns, source.currency)
    file = io.BytesIO()
    options = {
        "in_memory": True,  # nothing of a viewer's rows in a temporary file
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        sheet = book.add_worksheet("Data")
        sheet.freeze_panes(1, 0)
        for index, (name, (label, unit)) in enumerate(shown.items()):
            style = book.add_format({"num_format": _FORMATS[unit.kind]} if unit.kind in _FORMATS else {})
            sheet.set_column(index, index, 28 if unit.kind == "text" else 16, style)
            sheet.write_string(0, index, label, bold)
            for row, value in enumerate(frame[name], start=1):
                _write(sheet, row, index, value, unit, style)
        if shown and len(frame):
            sheet.autofilter(0, 0, len(frame), len(shown) - 1)
        about = book.add_worksheet("About")
        about.set_column(0, 0, 28)
        about.set_column(1, 1, 90, book.add_format({"text_wrap": True}))
        facts = [
            ("Shows", source.title),
            ("Filters", source.filters),
            ("As of", source.as_of),
            ("Rows", f"{len(frame):,}"),
            *((label, unit.help) for label, unit in shown.values() if unit.help),
        ]
        for row, (name, fact) in enumerate(facts):
            about.write_string(row, 0, _for_sheet(name), bold)
            about.write_string(row, 1, _for_sheet(fact))
    return file.getvalue()


def _write(sheet: Any, row: int, column: int, value: Any, unit: Unit, style: Any) -> None:
    if pd.isna(value):
        return
    match unit.kind:
        case "money" | "amount" | "count" | "share" | "days" | "rate" | "number":
            sheet.write_number(row, column, float(value), style)
        case "day":
            sheet.write_datetime(row, column, value.to_pydatetime(), style)
        case "moment":
            sheet.write_datetime(row, column, value.tz_localize(None).to_pydatetime(), style)
        case "flag":
            sheet.write_boolean(row, column, bool(value), style)
        case _:
            sheet.write_string(row, column, _for_sheet(str(value)), style)


def _for_sheet(text: str) -> str:
    return harmless(_NOT_FOR_SHEETS.sub("\N{REPLACEMENT CHARACTER}", text))[:32_767]  # a cell's most letters
