"""Email templates filled in, and the emails that automatic actions have written with them."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, func
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from queries import vocabulary as v
from queries.question import Statement, question
from queries.units import count, flag, identifier, moment, text

VARIABLES: Final[Mapping[str, str]] = {
    "company_name": "Name of the organizer",
    "contact_name": "Full name of its primary contact, or else of who decides there",
    "event_name": "The event that the opportunity is about, or else the organizer's next one",
    "event_date": "Its day, as in 3 May 2027",
    "opportunity_name": "Name of the opportunity",
    "stage_name": "The stage that it is in",
    "value": "What it would bring, with its currency",
    "expected_close": "The day on which it is expected to close",
    "owner_name": "Who looks after it",
    "organisation_name": "Our own name, from the settings",
}
"""What may stand in a template as {{name}}, in the order in which it is offered; `app.template_details` fills it in."""

STATUSES: Final = ("waiting", "sending", "sent", "failed", "unknown", "cancelled")

places_of = func.app.template_places
retry_letter = func.app.retry_letter


def _filled(template: str, details: Any, *, for_html: bool = False) -> sa.ColumnElement[str]:
    return sa.type_coerce(func.app.filled_in(template, details, for_html), Text)


@question(
    subject=text("Subject"),
    body_text=text("Text"),
    body_html=text("HTML", "What was filled in is escaped; the rest is the template's own"),
    recipient=text("To"),
    places=text("Places", "Names that stand in the template, by the alphabet, each in a line"),
    missing=text("Missing", "Those of them that nothing is known for, each in a line"),
)
def preview(subject: str, body_text: str, body_html: str, organizer_id: UUID, opportunity_id: UUID | None) -> Statement:
    """One row: the template as it would read for the organizer and its opportunity, from what the viewer sees."""
    details = sa.select(
        func.coalesce(
            func.app.template_details(organizer_id, opportunity_id, type_=JSONB), sa.cast(sa.literal("{}"), JSONB)
        ).label("known")
    ).cte("details")
    place = func.app.template_places(" ".join((subject, body_text, body_html))).table_valued("name").alias("place")
    named = sa.select(place.c.name).cte("named")
    recipient = (
        sa.select(v.contacts.c.email).where(v.contacts.c.id == func.app.recipient_of(organizer_id)).scalar_subquery()
    )

    def listed(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[str]:
        names = aggregate_order_by(sa.literal("\n"), named.c.name)
        return sa.select(func.string_agg(named.c.name, names)).where(*where).scalar_subquery()

    unknown = sa.not_(func.jsonb_exists(details.c.known, named.c.name))
    return sa.select(
        _filled(subject, details.c.known).label("subject"),
        _filled(body_text, details.c.known).label("body_text"),
        _filled(body_html, details.c.known, for_html=True).label("body_html"),
        recipient.label("recipient"),
        listed().label("places"),
        listed(unknown).label("missing"),
    )


@question(
    letter_id=identifier("Email"),
    queued_at=moment("Written"),
    status=text("Status", "waiting: for the next delivery; unknown: interrupted while it was handed over"),
    recipient=text("To"),
    subject=text("Subject"),
    template=text("Template"),
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    opportunity=text("Opportunity"),
    attempts=count("Attempts"),
    sent_at=moment("Sent"),
    problem=text("Problem"),
    can_be_retried=flag("Can be retried"),
    total=count("Emails", "All with this status"),
)
def letters(status: str | None = None, limit: int = 200) -> Statement:
    """The emails that stages have written, the latest first; those of one status, or all."""
    out, deal, company = v.outbox, v.opportunities, v.organizers
    statement = (
        sa.select(
            out.c.id.label("letter_id"),
            out.c.queued_at,
            out.c.status,
            out.c.recipient,
            out.c.subject,
            out.c.template_name.label("template"),
            out.c.organizer_id,
            company.c.company_name.label("organizer"),
            deal.c.name.label("opportunity"),
            out.c.attempts,
            out.c.sent_at,
            out.c.problem,
            out.c.status.in_(("failed", "unknown", "cancelled")).label("can_be_retried"),
            func.count().over().label("total"),
        )
        .select_from(
            out.outerjoin(company, company.c.id == out.c.organizer_id).outerjoin(
                deal, deal.c.id == out.c.opportunity_id
            )
        )
        .order_by(out.c.queued_at.desc(), out.c.id)
        .limit(limit)
    )
    return statement if status is None else statement.where(out.c.status == status)


@question(body_text=text("Text"), body_html=text("HTML"))
def letter(letter_id: UUID) -> Statement:
    """One email as it was written; no row where there is none, or none that the viewer may see."""
    return sa.select(v.outbox.c.body_text, v.outbox.c.body_html).where(v.outbox.c.id == letter_id)


@question(status=text("Status"), letters=count("Emails"))
def letter_counts() -> Statement:
    """How many emails there are of each status."""
    return sa.select(v.outbox.c.status, func.count().label("letters")).group_by(v.outbox.c.status)


@question(automatic_actions=flag("Automatic actions", "Whether entering a stage sets off what the stage says"))
def switches() -> Statement:
    """What is switched on for the whole organisation."""
    return sa.select(v.settings.c.automatic_actions)
