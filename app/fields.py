"""What people keep here: every column declared once, for forms, grids, lists, history, commands and tests.

`read` is the one way from what somebody typed to what is stored. It changes nothing but this: spaces and empty lines at
both ends go, an empty text is nothing and an empty flag a no, tags lose repetitions, and a web address without a scheme
gets https://. What has two meanings is refused, never guessed.
"""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa

from app import formats, typed
from app.errors import Invalid, InvalidFields
from app.viewer import Role, Viewer
from queries import vocabulary as v

Kind = Literal[
    "line", "text", "choice", "amount", "whole", "percent", "currency", "day", "moment", "flag", "email",
    "web_address", "phone", "tags", "time_zone", "language", "address",
    "person", "organizer", "contact", "opportunity", "stage", "event",
]  # fmt: skip
REFERENCES: Final = frozenset(("person", "organizer", "contact", "opportunity", "stage", "event"))

WRITERS: Final[tuple[Role, ...]] = ("rep", "manager", "admin")
MANAGERS: Final[tuple[Role, ...]] = ("manager", "admin")
ADMINS: Final[tuple[Role, ...]] = ("admin",)


@dataclass(frozen=True)
class Field:
    """A column, what people call it, and what may be written into it by whom.

    `longest` counts letters, `most` is the largest number. A field that is not editable is computed or kept by the
    database: it is shown, and refused when given. A fixed one is given when the record is made, and never changes.
    `initial` is what a new record's form begins with, and what the record gets where the form doesn't give it.
    """

    name: str
    label: str
    kind: Kind
    required: bool = False
    longest: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    help: str = ""
    in_grid: bool = False
    editable: bool = True
    fixed: bool = False
    roles: tuple[Role, ...] = WRITERS
    initial: Callable[[Viewer], Any] | None = None

    def may_be_given(self, role: Role, *, creating: bool) -> bool:
        """Whether somebody of this role may fill it in, in a new record or in one that is there."""
        return self.editable and (creating or not self.fixed) and role in self.roles


@dataclass(frozen=True)
class Noun:
    """A kind of record. `plural` is its page's address too; `named_by` is the column that names a record."""

    name: str
    plural: str
    title: str
    icon: str
    table: sa.Table
    named_by: str
    fields: tuple[Field, ...]
    version: str | None = "version"
    creators: tuple[Role, ...] = WRITERS
    editors: tuple[Role, ...] = WRITERS
    deleters: tuple[Role, ...] = ADMINS

    def field(self, name: str) -> Field | None:
        """The field of this column; None for a column that is none of people's business."""
        return next((field for field in self.fields if field.name == name), None)

    def given_by(self, role: Role, *, creating: bool = False) -> tuple[Field, ...]:
        """The fields that a form of this role shows."""
        return tuple(field for field in self.fields if field.may_be_given(role, creating=creating))


# The columns ---------------------------------------------------------------------------------------------------

_ORGANIZER: Final = Field("organizer_id", "Organizer", "organizer", required=True)
_TAGS: Final = Field("tags", "Tags", "tags", help="Words of your own to find it by.")
_CREATED: Final = Field("created_at", "Created", "moment", editable=False)
_UPDATED: Final = Field("updated_at", "Last changed", "moment", editable=False)
_EVENT: Final = Field("event_id", "Event", "event", help="The event that this is about.")


def _report_currency(viewer: Viewer) -> str:
    return viewer.organisation.report_currency


def _own(viewer: Viewer) -> UUID:
    return viewer.id


def _this_minute(_: Viewer) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def _computed(name: str, label: str, kind: Kind, choices: tuple[str, ...] = ()) -> Field:
    return Field(name, label, kind, choices=choices, editable=False)


OPPORTUNITY: Final = Noun(
    "opportunity",
    "opportunities",
    "Opportunity",
    ":material/handshake:",
    v.opportunities,
    "name",
    (
        Field("name", "Name", "line", required=True, longest=200, in_grid=True),
        _ORGANIZER,
        Field("stage_id", "Stage", "stage", required=True, in_grid=True),
        Field("value", "Value", "amount", required=True, in_grid=True, help="What it brings if it is won."),
        Field(*("currency", "Currency", "currency"), required=True, in_grid=True, initial=_report_currency),
        Field(
            *("probability", "Probability", "percent"),
            in_grid=True,
            help="Empty: as the stage says, also after a move. A number is your own and stays until you change it.",
        ),
        Field(
            *("probability_source", "Probability from", "choice"),
            choices=("stage", "manual", "import", "model"),
            help="stage: it follows the stage; manual: somebody set it.",
        ),
        Field("probability_reason", "Why this probability", "text", longest=2000),
        Field("expected_close_date", "Expected close", "day", in_grid=True),
        _EVENT,
        Field("assigned_to", "Owner", "person", in_grid=True, roles=MANAGERS, initial=_own),
        Field("description", "Description", "text", longest=20_000),
        Field("actual_close_date", "Closed on", "day", help="Of an opportunity that is won or lost."),
        Field("loss_reason", "Why it was lost", "text", longest=2000),
        _computed("status", "Status", "choice", ("open", "won", "lost", "abandoned")),
        _computed("expected_revenue", "Expected revenue", "amount"),
        _computed("last_stage_change_at", "In this stage since", "moment"),
        _computed("probability_set_by", "Probability set by", "person"),
        _computed("probability_set_at", "Probability set at", "moment"),
        _CREATED,
        _UPDATED,
    ),
)

ORGANIZER: Final = Noun(
    "organizer",
    "organizers",
    "Organizer",
    ":material/apartment:",
    v.organizers,
    "company_name",
    (
        Field("company_name", "Company", "line", required=True, longest=200),
        Field(
            *("status", "Status", "choice"),
            required=True,
            choices=("active", "inactive", "prospect", "archived"),
            initial=lambda _: "active",
        ),
        Field("industry", "Industry", "line", longest=100),
        Field(*("company_size", "Size", "choice"), choices=("startup", "small", "medium", "large", "enterprise")),
        Field(
            *("lead_source", "Came through", "choice"),
            choices=("referral", "inbound", "outbound", "event", "marketing", "partner"),
        ),
        Field("website", "Website", "web_address", longest=2000),
        Field("primary_email", "Email", "email", longest=320),
        Field("primary_phone", "Phone", "phone", longest=50),
        Field("address", "Address", "address", longest=200),
        _TAGS,
        Field("assigned_to", "Owner", "person", roles=MANAGERS, initial=_own),
        _computed("health_score", "Health", "whole"),
        _computed("churn_risk", "Churn risk", "choice", ("low", "medium", "high")),
        _computed("engagement_score", "Engagement", "whole"),
        _computed("total_revenue", "Revenue", "amount"),
        _computed("lifetime_value", "Lifetime value", "amount"),
        _computed("annual_events", "Events a year", "whole"),
        _computed("last_activity_at", "Last activity", "moment"),
        _computed("created_by", "Created by", "person"),
        _CREATED,
        _UPDATED,
    ),
)

CONTACT: Final = Noun(
    "contact",
    "contacts",
    "Contact",
    ":material/person:",
    v.contacts,
    "full_name",
    (
        Field("full_name", "Name", "line", required=True, longest=200, in_grid=True),
        _ORGANIZER,
        Field("title", "Title", "line", longest=200, in_grid=True),
        Field("department", "Department", "line", longest=200),
        Field("email", "Email", "email", required=True, longest=320, in_grid=True),
        Field("phone", "Phone", "phone", longest=50, in_grid=True),
        Field("mobile", "Mobile", "phone", longest=50, in_grid=True),
        Field("linkedin_url", "LinkedIn", "web_address", longest=2000),
        Field("is_primary", "Primary contact", "flag", help="An organizer has one; making this one it takes it back."),
        Field("is_decision_maker", "Decides", "flag", in_grid=True),
        Field("vip_status", "VIP", "flag", in_grid=True),
        Field("influence_level", "Influence", "choice", choices=("low", "medium", "high"), in_grid=True),
        Field(
            *("communication_preference", "Prefers", "choice"),
            required=True,
            choices=("email", "phone", "whatsapp", "any"),
            initial=lambda _: "email",
        ),
        Field(
            *("timezone", "Time zone", "time_zone"),
            required=True,
            initial=lambda viewer: viewer.organisation.time_zone,
        ),
        Field(*("language", "Language", "language"), required=True, help="en, fr, fr-CA …", initial=lambda _: "en"),
        Field("notes", "Notes", "text", longest=20_000),
        _TAGS,
        _computed("last_contact_date", "Last contact", "moment"),
        _CREATED,
        _UPDATED,
    ),
)

ACTIVITY: Final = Noun(
    "activity",
    "activities",
    "Activity",
    ":material/forum:",
    v.activities,
    "subject",
    (
        Field(
            *("type", "Kind", "choice"),
            required=True,
            choices=("call", "email", "meeting", "note", "task", "event"),
            in_grid=True,
        ),
        Field("subject", "Subject", "line", required=True, longest=300, in_grid=True),
        Field("organizer_id", "Organizer", "organizer"),
        Field("contact_id", "Contact", "contact"),
        Field("opportunity_id", "Opportunity", "opportunity"),
        _EVENT,
        Field("activity_date", "When", "moment", required=True, in_grid=True, initial=_this_minute),
        Field("duration_minutes", "Minutes", "whole", most=100_000, in_grid=True),
        Field("due_date", "Due", "moment", in_grid=True, help="Of a task."),
        Field(*("task_status", "Task", "choice"), choices=("pending", "completed", "cancelled"), in_grid=True),
        Field("description", "Description", "text", longest=20_000),
        Field("user_id", "Whose", "person", fixed=True, roles=ADMINS),
        _computed("completed_at", "Completed", "moment"),
        _CREATED,
        _UPDATED,
    ),
)

NOTE: Final = Noun(
    "note",
    "notes",
    "Note",
    ":material/sticky_note_2:",
    v.notes,
    "title",
    (
        Field("title", "Title", "line", longest=200),
        Field("content", "Note", "text", required=True, longest=100_000),
        Field("organizer_id", "Organizer", "organizer"),
        Field("contact_id", "Contact", "contact"),
        Field("opportunity_id", "Opportunity", "opportunity"),
        Field("is_pinned", "Pinned", "flag"),
        _TAGS,
        _computed("created_by", "Written by", "person"),
        _CREATED,
        _UPDATED,
    ),
    deleters=WRITERS,
)

DOCUMENT: Final = Noun(
    "document",
    "documents",
    "Document",
    ":material/description:",
    v.documents,
    "file_name",
    (
        Field("file_name", "File", "line", required=True, longest=255, fixed=True),
        Field("organizer_id", "Organizer", "organizer", required=True, fixed=True),
        Field("opportunity_id", "Opportunity", "opportunity", fixed=True),
        Field("document_type", "Kind", "choice", choices=("contract", "proposal", "invoice", "presentation", "other")),
        _computed("version", "Version", "whole"),
        _computed("file_type", "Format", "line"),
        _computed("file_size", "Size", "whole"),
        _computed("is_signed", "Signed", "flag"),
        _computed("signed_at", "Signed at", "moment"),
        _computed("signed_by", "Signed by", "person"),
        _computed("uploaded_by", "Uploaded by", "person"),
        _CREATED,
    ),
    version="row_version",
)

TEMPLATE: Final = Noun(
    "template",
    "templates",
    "Email template",
    ":material/mail:",
    v.email_templates,
    "name",
    (
        Field("name", "Name", "line", required=True, longest=200, roles=ADMINS),
        Field("description", "Description", "text", longest=2000, roles=ADMINS),
        Field(
            *("category", "Kind", "choice"),
            choices=("welcome", "follow_up", "proposal", "reminder", "thank_you", "other"),
            roles=ADMINS,
        ),
        Field("subject", "Subject", "line", required=True, longest=500, roles=ADMINS),
        Field("body_text", "Text", "text", longest=500_000, roles=ADMINS),
        Field("body_html", "HTML", "text", required=True, longest=500_000, roles=ADMINS),
        Field("is_active", "Active", "flag", roles=ADMINS),
        _computed("created_by", "Created by", "person"),
        _CREATED,
        _UPDATED,
    ),
    creators=ADMINS,
    editors=ADMINS,
)

EVENT: Final = Noun(
    "event",
    "events",
    "Event",
    ":material/event:",
    v.event_records,
    "name",
    (
        Field("name", "Name", "line", required=True, longest=200),
        Field("organizer_id", "Organizer", "organizer", required=True, fixed=True),
        Field("event_date", "Date", "day"),
        Field("venue", "Venue", "line", longest=200),
        Field("attendance", "Attendance", "whole", most=2_147_483_647),
        _CREATED,
    ),
    version=None,
)

TARGET: Final = Noun(
    "target",
    "targets",
    "Target",
    ":material/target:",
    v.targets,
    "period_start",
    (
        Field("user_id", "Whose", "person", required=True, roles=MANAGERS),
        Field("period_start", "Quarter", "day", required=True, roles=MANAGERS, help="Its first day."),
        Field("amount", "Target", "amount", required=True, in_grid=True, roles=MANAGERS),
        Field("currency", "Currency", "currency", required=True, roles=MANAGERS, initial=_report_currency),
        _CREATED,
        _UPDATED,
    ),
    creators=MANAGERS,
    editors=MANAGERS,
)

NOUNS: Final[Mapping[str, Noun]] = {
    noun.name: noun for noun in (OPPORTUNITY, ORGANIZER, CONTACT, ACTIVITY, NOTE, DOCUMENT, TEMPLATE, EVENT, TARGET)
}


# From what was typed to what is stored, and back -----------------------------------------------------------------


def read(field: Field, given: Any, time_zone: str = "UTC") -> Any:
    """What is stored for what was typed, or None where nothing was; raises Invalid with a sentence and the field.

    A moment written without an offset is one on the clocks of the time zone. A stored value comes back as it is.
    """
    if given is None or isinstance(given, str) and not given.strip() or field.kind == "tags" and not given:
        if field.required:
            raise Invalid(f"{field.label} is needed.", field.name)
        return copy(_NOTHING.get(field.kind))
    try:
        return _READERS[field.kind](field, given, time_zone)
    except Invalid as refused:
        raise Invalid(str(refused), field.name) from refused


def read_all(noun: Noun, given: Mapping[str, Any], time_zone: str = "UTC") -> dict[str, Any]:
    """What is stored for each of these fields; raises InvalidFields with the sentences of all that can't be."""
    values: dict[str, Any] = {}
    refusals: dict[str, str] = {}
    for name, value in given.items():
        field = noun.field(name)
        if field is None:
            raise Invalid(f"{noun.title} has no field called {name}.")
        try:
            values[name] = read(field, value, time_zone)
        except Invalid as refused:
            refusals[name] = str(refused)
    if refusals:
        raise InvalidFields(refusals)
    return values


def shown(field: Field, value: Any, time_zone: str = "UTC") -> str:
    """A stored value, or its JSON in the audit, as text for people; of a reference, its id."""
    if value is None or value in ([], {}, ""):
        return formats.MISSING
    writer = _WRITERS.get(field.kind)
    return writer(value, time_zone) if writer else str(value)


def label(word: str) -> str:
    """A stored word as people read it: thank_you → Thank you."""
    return word.replace("_", " ").capitalize()


_NOTHING: Final[Mapping[str, Any]] = {"tags": [], "address": {}, "flag": False}

_READERS: Final[Mapping[str, Callable[[Field, Any, str], Any]]] = {
    "line": lambda field, given, _: typed.line(given, field.longest or 200),
    "phone": lambda field, given, _: typed.line(given, field.longest or 50),
    "text": lambda field, given, _: typed.text(given, field.longest or 20_000),
    "choice": lambda field, given, _: typed.choice(given, field.choices),
    "amount": lambda _field, given, _: typed.amount(given),
    "whole": lambda field, given, _: typed.whole(given, field.most or 2_147_483_647),
    "percent": lambda _field, given, _: typed.percent(given),
    "currency": lambda _field, given, _: typed.currency(given),
    "day": lambda _field, given, _: typed.day(given),
    "moment": lambda _field, given, time_zone: typed.moment(given, time_zone),
    "flag": lambda _field, given, _: typed.flag(given),
    "email": lambda _field, given, _: typed.email(given),
    "web_address": lambda _field, given, _: typed.web_address(given),
    "tags": lambda _field, given, _: typed.tags(given),
    "time_zone": lambda _field, given, _: typed.time_zone(given),
    "language": lambda _field, given, _: typed.language(given),
    "address": lambda field, given, _: typed.address(given, field.longest or 200),
    **{kind: lambda _field, given, _: typed.identifier(given) for kind in REFERENCES},
}

_WRITERS: Final[Mapping[str, Callable[[Any, str], str]]] = {
    "choice": lambda value, _: label(value),
    "amount": lambda value, _: f"{Decimal(str(value)):,.2f}",
    "whole": lambda value, _: formats.count(value),
    "percent": lambda value, _: f"{value}{formats.GAP}%",
    "day": lambda value, _: formats.day(value if isinstance(value, date) else date.fromisoformat(value)),
    "moment": lambda value, time_zone: formats.moment(
        value if isinstance(value, datetime) else datetime.fromisoformat(value), time_zone
    ),
    "flag": lambda value, _: "Yes" if value else "No",
    "tags": lambda value, _: ", ".join(value),
    "address": lambda value, _: ", ".join(str(value[part]) for part in typed.ADDRESS if value.get(part)),
}
