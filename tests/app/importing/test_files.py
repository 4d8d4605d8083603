from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Refused
from app.importing.files import Layout, Row, rows

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def written(content: str | bytes, encoding: str = "utf-8", name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return written


def read(path: Path, **layout: str) -> list[Row]:
    return list(rows(path, Layout(**layout)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_shows_in_the_file(written: Written, encoding: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    assert read(written(f"{mark}name,city\r\nÉvénements ✨,Montréal\r\n", encoding)) == [
        Row(2, {"name": "Événements ✨", "city": "Montréal"})
    ]


def test_another_encoding_is_declared(written: Written) -> None:
    path = written("name;city\nCafé;Zürich\n", "cp1252")
    with pytest.raises(Refused, match=r'file\.csv is not UTF-8 text .*encoding = "cp1252"'):
        read(path, delimiter=";")
    assert read(path, delimiter=";", encoding="cp1252") == [Row(2, {"name": "Café", "city": "Zürich"})]


def test_space_around_cells_and_an_exports_apostrophe_are_not_theirs(written: Written) -> None:
    assert read(written(' name , note\n Bolt , "\'=HYPERLINK(1)"\n')) == [
        Row(2, {"name": "Bolt", "note": "=HYPERLINK(1)"})
    ]


def test_a_row_of_several_lines_is_where_it_starts(written: Written) -> None:
    found = read(written('name,note\nBolt,"one\ntwo"\n\nAcme,three\n'))
    assert [(row.line, row.cells["note"]) for row in found] == [(2, "one\ntwo"), (5, "three")]


def test_a_damaged_row_says_so_and_the_others_are_read(written: Written) -> None:
    found = read(written("a,b\n1\n1,2\n1,2,3\n1,\0\n"))
    assert [(row.line, row.problem) for row in found] == [
        (2, "The row has 1 cells, the header 2."),
        (3, None),
        (4, "The row has 3 cells, the header 2."),
        (5, "The row has a NUL character in it."),
    ]


def test_a_column_that_stands_twice_is_none(written: Written) -> None:
    assert read(written("a,b,a\n1,2,3\n"))[0].cells == {"": "3", "b": "2"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "file.csv is empty: its first line has to name the columns."),
        ("\n", "file.csv is empty"),
        (",".join(f"c{number}" for number in range(1001)), "file.csv has 1,001 columns; more than 1,000"),
        ("a" + "," * 999_999, "file.csv has 1,000,000 columns"),
        ("a," * 1_000_000, "a line of more than 1,000,000 characters"),
        ("a,b\n1," + "x" * 131_073 + "\n", "from line 2 on: a cell is longer than 131,072 characters"),
        ('a,b\n1,"never closed\n' + "2,3\n" * 100, "from line 2 on: .* Is a quotation mark not closed"),
        ('a,b\n1,"closed" twice\n', "from line 2 on"),
        ("a\0b,c\n", "no text file"),
        ("name,city\n1,2\n".encode("utf-16-le"), "no text file"),
        (b"PK\x03\x04 and so on", "a ZIP or Excel file with another name"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8 text"),
        (b"a,b\n\xff\xff,1\n", "not UTF-8 text"),
    ],
)
def test_what_is_no_csv_is_refused_with_a_sentence(written: Written, content: str | bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        read(written(content))


def test_a_file_that_is_missing_or_of_another_kind_is_refused(written: Written, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"There is no deals\.csv"):
        read(tmp_path / "deals.csv")
    with pytest.raises(Refused, match=r"deals\.xlsx can't be read: save it as CSV"):
        read(written(b"", name="deals.xlsx"))
