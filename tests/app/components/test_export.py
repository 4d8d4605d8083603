import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from sqlalchemy import Connection

from app.components import export
from app.components.export import Source
from app.errors import Refused
from app.fields import NOUNS
from queries import records, units
from queries.records import LISTINGS, Wanted
from tests import one_of_each

COLUMNS = {
    "id": units.identifier(),
    "name": units.text("Company", "Who it is"),
    "value": units.money("Value"),
    "amount": units.money("Amount"),
    "number": units.count("Deals"),
    "rate": units.share("Win rate"),
    "closing": units.day("Closing"),
    "changed": units.moment("Changed"),
    "stalled": units.flag("Stalled"),
}
SOURCE = Source("Stalled opportunities", "2025 Q4 · Rita · CAD", "22 Nov 2025, 14:03 (America/Toronto)", "CAD")
DANGEROUS = [
    '=HYPERLINK("http://evil","x")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1",
    '"=1', "'=1", " =1", "\uff20x",
]  # fmt: skip
HARMLESS = ["Acme", "O'Neil & Sons", "3 = 4", "5% off", "'tis the season", "#1 events", "a,b", 'say "x"', "two\nlines"]


def frame(*names: str) -> pd.DataFrame:
    rows = {
        "id": ["x"] * len(names),
        "name": list(names),
        "value": [Decimal("-1234.50")] * len(names),
        "amount": [None] * len(names),
        "number": [7, *[pd.NA] * (len(names) - 1)],
        "rate": [0.63] * len(names),
        "closing": [date(2025, 12, 31)] * len(names),
        "changed": [datetime(2025, 11, 2, 2, tzinfo=UTC)] * len(names),
        "stalled": [True] * len(names),
    }
    return pd.DataFrame({name: pd.Series(values, dtype=COLUMNS[name].dtype) for name, values in rows.items()})


def stored(cell: str) -> str:
    """What was stored, as somebody reads it who knows of the apostrophe."""
    return cell[1:] if cell.startswith("'") and export.harmless(cell[1:]) == cell else cell


def csv(table: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(export.as_csv(table, COLUMNS, SOURCE)), keep_default_na=False, dtype={"Company": str})


def xlsx(table: pd.DataFrame) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(export.as_xlsx(table, COLUMNS, SOURCE)))


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert export.harmless(text) == f"'{text}"
    assert csv(frame(text))["Company"][0].startswith("'")
    cell = xlsx(frame(text))["Data"]["A2"]
    assert cell.data_type == "s"
    assert cell.value.startswith("'")
    assert cell.hyperlink is None


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_is_left_alone(text: str) -> None:
    assert export.harmless(text) == text
    assert csv(frame(text))["Company"][0] == text


def test_numbers_stay_numbers_also_negative_ones() -> None:
    found = csv(frame("Acme", "Beta")).iloc[0]
    assert found["Value (CAD)"] == -1234.5
    assert found["Deals"] == "7"  # beside an empty cell, and still no 7.0
    assert found["Win rate"] == 0.63
    row = [cell.value for cell in xlsx(frame("Acme"))["Data"][2]]
    assert row == ["Acme", -1234.5, None, 7, 0.63, datetime(2025, 12, 31), datetime(2025, 11, 2, 2), True]  # noqa: DTZ001  (a sheet knows no zones)


def test_a_file_says_what_it_shows_and_leaves_ids_out() -> None:
    found = csv(frame("Acme"))
    assert list(found.columns) == [
        "Company", "Value (CAD)", "Amount", "Deals", "Win rate", "Closing", "Changed", "Stalled", "Filters", "As of",
    ]  # fmt: skip
    assert found["Filters"][0] == SOURCE.filters
    assert found["As of"][0] == SOURCE.as_of
    about = {row[0].value: row[1].value for row in xlsx(frame("Acme"))["About"].iter_rows()}
    assert about["Filters"] == SOURCE.filters
    assert about["As of"] == SOURCE.as_of
    assert about["Company"] == "Who it is"
    assert (
        SOURCE.file_name("csv", datetime(2025, 11, 22, 14, 3, tzinfo=UTC))
        == "eventos-stalled-opportunities-2025-11-22-1403.csv"
    )


def test_a_title_from_data_makes_a_plain_file_name() -> None:
    title = Source("../../x\0 & <b>", "", "", "CAD").file_name("csv", datetime(2025, 1, 1, tzinfo=UTC))
    assert re.fullmatch(r"eventos-[\w.-]+\.csv", title)
    assert "/" not in title


def test_nothing_to_export_is_a_file_with_headings() -> None:
    assert len(csv(frame("Acme").iloc[:0])) == 0
    assert xlsx(frame("Acme").iloc[:0])["Data"].max_row == 1


def test_more_rows_than_a_sheet_holds_are_refused() -> None:
    many = pd.DataFrame({"number": pd.array([1], dtype="Int64").repeat(export.MOST_ROWS + 1)})
    with pytest.raises(Refused, match="Take the CSV file"):
        export.as_xlsx(many, {"number": units.count("Deals")}, SOURCE)


TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc"))) | st.sampled_from(DANGEROUS + HARMLESS)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_what_comes_back_from_a_csv_file_is_what_was_stored(names: list[str]) -> None:
    assert [stored(cell) for cell in csv(frame(*names))["Company"]] == names


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_what_comes_back_from_a_workbook_is_what_was_stored(names: list[str]) -> None:
    cells = [unescape(row[0].value or "") for row in xlsx(frame(*names))["Data"].iter_rows(min_row=2)]
    shown: Callable[[str], str] = lambda name: re.sub("[\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", name)  # noqa: E731
    assert [stored(cell) for cell in cells] == [shown(name) for name in names]


def test_no_column_of_any_list_leaves_a_formula_in_a_file(
    owner: Connection, reading_as: Callable[[str], AbstractContextManager[Connection]]
) -> None:
    one_of_each.insert(owner)
    for text in (DANGEROUS[0], "\r=1"):  # every one of them is looked at above
        one_of_each.call_everything(owner, text)
        for noun in map(NOUNS.__getitem__, LISTINGS):
            columns = records.units(noun)
            with reading_as("ada") as db:
                rows = records.rows_of(noun)(db, Wanted(noun.named_by, "CAD", date(2025, 11, 1)), limit=9)
            file = io.BytesIO(export.as_csv(rows, columns, SOURCE))
            found = pd.read_csv(file, keep_default_na=False, dtype=str).iloc[0]
            sheet = openpyxl.load_workbook(io.BytesIO(export.as_xlsx(rows, columns, SOURCE)))["Data"]
            cells = {head.value: cell for head, cell in zip(sheet[1], sheet[2], strict=True)}
            for name, unit in columns.items():
                was, label = rows[name].iloc[0], export.heading(name, unit, SOURCE.currency)
                if unit.kind == "text" and not pd.isna(was):
                    assert found[label] == export.harmless(was), (noun.name, name)
                    assert stored(found[label]) == was, (noun.name, name)
                    assert cells[label].data_type == "s", (noun.name, name)
                    assert stored(unescape(cells[label].value).replace("\n", "\r" if "\r" in was else "\n")) == was
                elif unit.kind in ("amount", "money", "count") and not pd.isna(was):
                    assert Decimal(found[label]) == Decimal(str(was)), (noun.name, name)
                    assert cells[label].value == float(was), (noun.name, name)
