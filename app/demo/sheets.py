"""The files of the demo company's documents: a page each, filled in where its form has room."""

import datetime as dt
import io
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select

from app.demo import words
from app.files import Store
from queries.vocabulary import documents, opportunities, organizers, profiles

_ROOM: Final = 90  # letters of a blank: what fits on a line
_LABELS: Final = {
    "organizer": "Prepared for",
    "about": "Opportunity",
    "value": "Value",
    "day": "Date",
    "signed": "Signed",
}
_BLANKS: Final = ("title", *_LABELS)
_ELSEWHERE: Final = b"see the record, this page has other letters"
_TERMS: Final = (
    "Planning, staff and equipment as agreed with the organizer, on the days of the event.",
    "A third is due on signing, the rest thirty days after the last day of the event.",
    "Free of charge until ninety days before the first day; half of the value after that.",
)


@cache
def form() -> bytes:
    """The page with its blanks, each as long as what is written into it: so every file has this length."""
    from reportlab.pdfgen.canvas import Canvas  # half a second, for whoever grows a company

    file = io.BytesIO()
    page = Canvas(file, pageCompression=0, invariant=1)
    page.setFont("Helvetica-Bold", 12)
    page.drawString(72, 760, words.COMPANY)
    page.setFont("Helvetica-Bold", 20)
    page.drawString(72, 700, _blank("title"))
    for line, (name, label) in enumerate(_LABELS.items()):
        page.setFont("Helvetica-Bold", 10)
        page.drawString(72, 650 - 24 * line, label)
        page.setFont("Helvetica", 10)
        page.drawString(170, 650 - 24 * line, _blank(name))
    for line, term in enumerate(_TERMS):
        page.drawString(72, 490 - 20 * line, f"{line + 1}.  {term}")
    page.setFont("Helvetica-Oblique", 8)
    page.drawString(72, 60, "Made up for a demo company: nobody offers this to anybody.")
    page.save()
    return file.getvalue()


def filled(**written: str) -> bytes:
    """The page with these words in its blanks; what its typeface has no letters for is left to the record."""
    return re.sub(
        "|".join(map(_blank, _BLANKS)).encode(),
        lambda blank: _fitted(written[blank[0].strip(b"_").decode()]),
        form(),
    )


def write(connection: Connection, store: Store, progress: Callable[[str, float], object]) -> None:
    """Puts the files of all documents into the store; its connection must be the owner's."""
    deals = opportunities.c
    amount = func.concat(deals.currency, " ", func.to_char(deals.value, "FM999,999,999,990.00"))
    asked = select(
        documents.c.storage_path,
        func.regexp_replace(documents.c.file_name, r"\.pdf$", "").label("title"),
        organizers.c.company_name.label("organizer"),
        deals.name.label("about"),
        amount.label("value"),
        _day(documents.c.created_at).label("day"),
        func.coalesce(_day(documents.c.signed_at) + " by " + profiles.c.full_name, "").label("signed"),
    ).select_from(
        documents.join(organizers, organizers.c.id == documents.c.organizer_id)
        .join(opportunities, deals.id == documents.c.opportunity_id)
        .outerjoin(profiles, profiles.c.user_id == documents.c.signed_by)
    )
    found = connection.execute(asked).mappings().all()
    for number, row in enumerate(found):
        texts = dict(row)
        store.write(texts.pop("storage_path"), io.BytesIO(filled(**texts)))
        progress("Files of documents", number / len(found))


def _day(moment: ColumnElement[dt.datetime]) -> ColumnElement[str]:
    return func.to_char(moment, "FMDD FMMonth YYYY")


def _blank(name: str) -> str:
    return name.ljust(_ROOM, "_")


def _fitted(text: str) -> bytes:
    try:
        letters = text.encode("cp1252")
    except UnicodeEncodeError:
        letters = _ELSEWHERE
    # A bracket or a backslash in a PDF's text has a backslash before it.
    written = re.sub(rb"([()\\])", rb"\\\1", letters)
    return written.ljust(_ROOM) if len(written) <= _ROOM else _fitted(text[:-1])
