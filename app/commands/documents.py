"""Documents: a file and the row beside it, of which there is never one without the other.

A file is noted before it is written, its row takes the note away in the row's own transaction, and whatever removes the
row leaves a note again (migration 0028). A process that is killed in between leaves a note and not half a document;
`app.jobs.files` removes what notes are about once nobody can want it back. The rest is as for every record.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, BinaryIO, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import files, uploads
from app.commands import records
from app.commands.records import Done
from app.database import writing
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.fields import DOCUMENT, read
from app.viewer import Viewer
from queries import vocabulary as v

TYPE: Final = next(field for field in DOCUMENT.fields if field.name == "document_type")


def upload(
    *,
    by: Viewer,
    key: UUID,
    organizer_id: UUID,
    file_name: str,
    content: BinaryIO,
    opportunity_id: UUID | None = None,
    document_type: str | None = None,
) -> Done:
    """Keeps the file as a document of the organizer; under a name that it has already, as the next version.

    Raises Invalid with what is wrong with the file, NotFound for an organizer that the viewer doesn't see, NotAllowed.
    """
    if by.role not in DOCUMENT.creators:
        raise NotAllowed("Your role does not upload documents. Nothing was kept.")
    if done := records.earlier(by=by, key=key):
        return done
    upload = uploads.checked(file_name, content)
    kind = read(TYPE, document_type)
    with writing(by, moves_data=False) as db:
        if not db.scalar(sa.select(sa.exists().where(v.organizers.c.id == organizer_id))):
            raise NotFound("This organizer is gone, or it is not yours to see.")
        path = db.scalars(sa.select(v.new_file())).one()
    files.store().write(path, content)  # outside any transaction: a slow store holds no lock

    def enter(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        version, document_id = _next_version(db, organizer_id, upload.file_name), uuid4()
        row = {
            "id": document_id,
            "organizer_id": organizer_id,
            "opportunity_id": opportunity_id,
            "file_name": upload.file_name,
            "file_type": upload.media_type,
            "file_size": upload.size,
            "storage_path": path,
            "document_type": kind,
            "version": version,
            "uploaded_by": by.id,
        }
        db.execute(sa.insert(v.documents).values(row))
        of = f" as version {version}" if version > 1 else ""
        return f"{upload.file_name} was uploaded{of}.", [document_id]

    return records.once(by=by, key=key, write=enter)


def _next_version(db: sa.Connection, organizer_id: UUID, file_name: str) -> int:
    papers = v.documents
    # Two uploads of one name at one moment become two versions, one after the other.
    one_at_a_time = sa.func.hashtextextended(f"{organizer_id}/{file_name}", 0)
    db.execute(sa.select(sa.func.pg_advisory_xact_lock(one_at_a_time)))
    newest = sa.select(sa.func.max(papers.c.version)).where(
        papers.c.organizer_id == organizer_id, papers.c.file_name == file_name
    )
    return (db.scalar(newest) or 0) + 1


def sign(
    *, by: Viewer, ids: Sequence[UUID], signed_on: date, signed_by: UUID, key: UUID, reason: str | None = None
) -> Done:
    """Says that the documents are signed, by whom and on which day.

    Raises Invalid for a day that has not come, and Conflict where one is signed already; otherwise as an edit does.
    """
    if signed_on > by.today:
        raise Invalid("A signature is of today or earlier.", "signed_on")
    # Of an earlier day nobody knows the hour: noon is that day wherever it is read.
    noon = datetime.combine(signed_on, time(12), ZoneInfo(by.time_zone))
    signed = {
        "is_signed": True,
        "signed_at": datetime.now(UTC) if signed_on == by.today else noon,
        "signed_by": signed_by,
    }

    def wanted(row: records.Row) -> Mapping[str, Any]:
        if row["is_signed"]:
            raise Conflict("This document is signed already: somebody has said so meanwhile. Nothing was changed.")
        return signed

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        people = v.profiles.c
        if not db.scalar(sa.select(sa.exists().where(people.user_id == signed_by, people.is_active))):
            raise Invalid("This person does not work here any more. Choose somebody else.", "signed_by")
        return records.changed(db, by, DOCUMENT, ids, wanted, "signed")

    return records.once(by=by, key=key, reason=reason, write=write)


def unsign(*, by: Viewer, ids: Sequence[UUID], key: UUID, reason: str | None = None) -> Done:
    """Takes back that the documents are signed; nothing is written for those that are not."""

    def wanted(row: records.Row) -> Mapping[str, Any]:
        return {"is_signed": False, "signed_at": None, "signed_by": None} if row["is_signed"] else {}

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        return records.changed(db, by, DOCUMENT, ids, wanted, "marked as not signed")

    return records.once(by=by, key=key, reason=reason, write=write)
