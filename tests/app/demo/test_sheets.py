"""The files of the demo company's documents, read back from the store as a browser would."""

import datetime as dt
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from app.demo import sheets
from app.files import Store
from queries.vocabulary import documents, opportunities, organizers


def text_of(file: bytes) -> str:
    return str(pypdfium2.PdfDocument(file)[0].get_textpage().get_text_range())


def test_every_document_has_the_file_that_its_row_tells_of(loaded: Connection, tmp_path: Path) -> None:
    store, told = Store(str(tmp_path)), []
    sheets.write(loaded, store, lambda what, share: told.append((what, share)))
    found = loaded.execute(
        sa.select(documents, organizers.c.company_name, opportunities.c.value)
        .join_from(documents, organizers, organizers.c.id == documents.c.organizer_id)
        .join(opportunities, opportunities.c.id == documents.c.opportunity_id)
    ).all()
    assert len(found) == len(told) > 300
    for row in found:
        file = store.read(row.storage_path)
        assert file
        assert len(file) == row.file_size
    for row in found[:: len(found) // 10]:
        text = text_of(store.read(row.storage_path) or b"")
        assert row.file_name.removesuffix(".pdf") in text
        assert row.company_name in text or "see the record" in text
        assert f"{row.value:,.2f}" in text
        assert (" by " in text) == row.is_signed


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Café (Nord) \\ Süd)", "Café (Nord) \\ Süd)"),
        ("会議 & Co", "see the record"),
        (r"(\)" * 80, r"(\)" * 15),
        ("x" * 300, "x" * 90),
        ("title" + "_" * 85, "title" + "_" * 85),
    ],
)
def test_any_name_is_text_on_a_page_of_the_same_length(name: str, shown: str) -> None:
    written = {"title": "Proposal", "about": "Gala", "value": "CAD 1.00", "day": f"{dt.date(2026, 1, 2)}", "signed": ""}
    file = sheets.filled(organizer=name, **written)
    assert len(file) == len(sheets.form())
    assert shown in text_of(file)
