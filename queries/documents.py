"""One document: what it is, its other versions, and who may have signed it. The questions know no scope."""

from uuid import UUID

import sqlalchemy as sa

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.units import count, flag, identifier, moment, text

_uploader, _signer = v.profiles.alias("uploader"), v.profiles.alias("signer")


def _with_people() -> sa.FromClause:
    papers = v.documents
    return papers.outerjoin(_uploader, _uploader.c.user_id == papers.c.uploaded_by).outerjoin(
        _signer, _signer.c.user_id == papers.c.signed_by
    )


@question(
    document_id=identifier("Document"),
    file_name=text("File"),
    file_type=text("Media type", "By its content, whatever the sender said"),
    size=count("Size", "Bytes"),
    document_type=text("Type"),
    version=count("Version", "The first upload of a file name for the organizer is 1"),
    is_signed=flag("Signed"),
    signed_at=moment("Signed on"),
    signed_by=text("Signed by"),
    uploaded_by=text("Uploaded by"),
    uploader_id=identifier("Person"),
    uploaded_at=moment("Uploaded"),
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    opportunity_id=identifier("Opportunity"),
    opportunity=text("Opportunity"),
    storage_path=identifier("File"),
    row_version=count("State", "Moves with every change of the row"),
)
def document(document_id: UUID) -> Statement:
    """The document; no row where there is none, or none that the viewer may see."""
    papers, organizers, deals = v.documents, v.organizers, v.opportunities
    return (
        sa.select(
            papers.c.id.label("document_id"),
            papers.c.file_name,
            papers.c.file_type,
            papers.c.file_size.label("size"),
            papers.c.document_type,
            papers.c.version,
            papers.c.is_signed,
            papers.c.signed_at,
            scoped.name_of(papers.c.signed_by, _signer, nobody=None).label("signed_by"),
            scoped.name_of(papers.c.uploaded_by, _uploader, nobody=None).label("uploaded_by"),
            papers.c.uploaded_by.label("uploader_id"),
            papers.c.created_at.label("uploaded_at"),
            papers.c.organizer_id,
            organizers.c.company_name.label("organizer"),
            papers.c.opportunity_id,
            deals.c.name.label("opportunity"),
            papers.c.storage_path,
            papers.c.row_version,
        )
        .select_from(
            _with_people()
            .outerjoin(organizers, organizers.c.id == papers.c.organizer_id)
            .outerjoin(deals, deals.c.id == papers.c.opportunity_id)
        )
        .where(papers.c.id == document_id)
    )


@question(
    document_id=identifier("Document"),
    version=count("Version"),
    size=count("Size", "Bytes"),
    is_signed=flag("Signed"),
    signed_at=moment("Signed on"),
    signed_by=text("Signed by"),
    uploaded_by=text("Uploaded by"),
    uploaded_at=moment("Uploaded"),
)
def versions(document_id: UUID) -> Statement:
    """All versions of the document, itself among them, the newest first."""
    papers, this = v.documents, v.documents.alias("this")
    same = papers.c.organizer_id == this.c.organizer_id, papers.c.file_name == this.c.file_name
    return (
        sa.select(
            papers.c.id.label("document_id"),
            papers.c.version,
            papers.c.file_size.label("size"),
            papers.c.is_signed,
            papers.c.signed_at,
            scoped.name_of(papers.c.signed_by, _signer, nobody=None).label("signed_by"),
            scoped.name_of(papers.c.uploaded_by, _uploader, nobody=None).label("uploaded_by"),
            papers.c.created_at.label("uploaded_at"),
        )
        .select_from(_with_people().join(this, sa.and_(*same)))
        .where(this.c.id == document_id)
        .order_by(papers.c.version.desc())
    )
