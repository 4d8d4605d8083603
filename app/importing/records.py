"""What an import brings: each field declared once, with the form and the bounds that the schema gives it.

The field names are the words of the mapping files. References hold the key of the other record until it is found.
"""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, ClassVar, Literal, get_type_hints
from uuid import UUID

from app.importing import values


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record was read: for the person who has to correct it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file} line {self.line}"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a mapping may put into a field; one without a default has to be filled."""

    parse: values.Parser
    refers_to: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of an export, read."""

    id: UUID
    origin: Origin
    has_key: ClassVar[bool] = True
    has_metadata: ClassVar[bool] = False

    def problems(self) -> Iterator[str]:
        """Yield what contradicts itself in this record, in sentences."""
        yield from ()

    @classmethod
    @cache
    def kinds(cls) -> dict[str, Kind]:
        """Return the fields that a mapping may fill."""
        hints = get_type_hints(cls, include_extras=True)
        return {
            entry.name: replace(kind, required=entry.default is MISSING)
            for entry in fields(cls)
            for kind in getattr(hints[entry.name], "__metadata__", ())
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Record):
    """Somebody who owns records."""

    full_name: Annotated[str, Kind(values.line())]
    email: Annotated[str | None, Kind(values.email)] = None
    manager: Annotated[UUID | None, Kind(values.line(), "people")] = None
    is_active: Annotated[bool | None, Kind(values.flag)] = None
    role: Annotated[str | None, Kind(values.choice("rep", "manager", "executive", "admin"))] = None

    def problems(self) -> Iterator[str]:
        """Yield what contradicts itself in this record, in sentences."""
        if self.manager == self.id:
            yield f"{self.full_name} is said to report to {self.full_name}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Record):
    """A pipeline stage; in the order of their listing, unless they say otherwise."""

    name: Annotated[str, Kind(values.line(80))]
    probability: Annotated[int | None, Kind(values.integer(0, 100))] = None
    outcome: Annotated[Literal["won", "lost"] | None, Kind(values.choice("won", "lost"))] = None
    order: Annotated[int | None, Kind(values.integer(0, 1_000_000))] = None
    color: Annotated[str | None, Kind(values.color)] = None

    def problems(self) -> Iterator[str]:
        """Yield what contradicts itself in this record, in sentences."""
        if not self.outcome and self.probability is None:
            yield f"The stage {self.name} needs a probability, or an outcome (won or lost)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Organizer(Record):
    """A client company."""

    company_name: Annotated[str, Kind(values.line())]
    industry: Annotated[str | None, Kind(values.line(100))] = None
    company_size: Annotated[str | None, Kind(values.choice("startup", "small", "medium", "large", "enterprise"))] = None
    website: Annotated[str | None, Kind(values.web_address)] = None
    status: Annotated[str | None, Kind(values.choice("active", "inactive", "prospect", "archived"))] = None
    lead_source: Annotated[
        str | None, Kind(values.choice("referral", "inbound", "outbound", "event", "marketing", "partner"))
    ] = None
    primary_email: Annotated[str | None, Kind(values.email)] = None
    primary_phone: Annotated[str | None, Kind(values.line(50))] = None
    street: Annotated[str | None, Kind(values.line())] = None
    city: Annotated[str | None, Kind(values.line())] = None
    province: Annotated[str | None, Kind(values.line())] = None
    postal_code: Annotated[str | None, Kind(values.line())] = None
    country: Annotated[str | None, Kind(values.line())] = None
    tags: Annotated[list[str] | None, Kind(values.tags)] = None
    owner: Annotated[UUID | None, Kind(values.line(), "people")] = None
    created: Annotated[datetime | None, Kind(values.past_moment)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact(Record):
    """A person at an organizer."""

    organizer: Annotated[UUID, Kind(values.line(), "organizers")]
    full_name: Annotated[str, Kind(values.line())]
    email: Annotated[str, Kind(values.email)]
    title: Annotated[str | None, Kind(values.line())] = None
    department: Annotated[str | None, Kind(values.line())] = None
    phone: Annotated[str | None, Kind(values.line(50))] = None
    mobile: Annotated[str | None, Kind(values.line(50))] = None
    linkedin_url: Annotated[str | None, Kind(values.web_address)] = None
    is_decision_maker: Annotated[bool | None, Kind(values.flag)] = None
    notes: Annotated[str | None, Kind(values.text(20_000))] = None
    tags: Annotated[list[str] | None, Kind(values.tags)] = None
    created: Annotated[datetime | None, Kind(values.past_moment)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity(Record):
    """A deal as it stands on the export's last day."""

    organizer: Annotated[UUID, Kind(values.line(), "organizers")]
    stage: Annotated[UUID, Kind(values.line(), "stages")]
    name: Annotated[str, Kind(values.line())]
    description: Annotated[str | None, Kind(values.text(20_000))] = None
    value: Annotated[Decimal, Kind(values.amount)]
    currency: Annotated[str | None, Kind(values.currency)] = None
    probability: Annotated[int | None, Kind(values.integer(0, 100))] = None
    expected_close_date: Annotated[date | None, Kind(values.day)] = None
    actual_close_date: Annotated[date | None, Kind(values.past_day)] = None
    # For exports with one column: the expected day while the deal is open, the actual one afterwards.
    close_date: Annotated[date | None, Kind(values.day)] = None
    loss_reason: Annotated[str | None, Kind(values.text(2_000))] = None
    owner: Annotated[UUID | None, Kind(values.line(), "people")] = None
    created: Annotated[datetime | None, Kind(values.past_moment)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known(Record):
    """How a deal stood from a certain moment on: a row of the export's own history."""

    has_key: ClassVar[bool] = False
    opportunity: Annotated[UUID, Kind(values.line(), "opportunities")]
    stage: Annotated[UUID, Kind(values.line(), "stages")]
    at: Annotated[datetime, Kind(values.past_moment)]
    value: Annotated[Decimal | None, Kind(values.amount)] = None
    probability: Annotated[int | None, Kind(values.integer(0, 100))] = None
    expected_close_date: Annotated[date | None, Kind(values.day)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """An event of an organizer."""

    organizer: Annotated[UUID, Kind(values.line(), "organizers")]
    name: Annotated[str, Kind(values.line())]
    event_date: Annotated[date | None, Kind(values.day)] = None
    venue: Annotated[str | None, Kind(values.line())] = None
    attendance: Annotated[int | None, Kind(values.integer(0, 2_000_000_000))] = None
    created: Annotated[datetime | None, Kind(values.past_moment)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity(Record):
    """Something somebody did or is to do with an organizer."""

    has_metadata: ClassVar[bool] = True

    organizer: Annotated[UUID | None, Kind(values.line(), "organizers")] = None
    contact: Annotated[UUID | None, Kind(values.line(), "contacts")] = None
    opportunity: Annotated[UUID | None, Kind(values.line(), "opportunities")] = None
    type: Annotated[str, Kind(values.choice("call", "email", "meeting", "note", "task", "event"))]
    subject: Annotated[str, Kind(values.line(300))]
    description: Annotated[str | None, Kind(values.text(20_000))] = None
    at: Annotated[datetime, Kind(values.moment)]
    duration_minutes: Annotated[int | None, Kind(values.integer(0, 100_000))] = None
    task_status: Annotated[str | None, Kind(values.choice("pending", "completed", "cancelled"))] = None
    completed: Annotated[datetime | None, Kind(values.past_moment)] = None
    owner: Annotated[UUID, Kind(values.line(), "people")]
    created: Annotated[datetime | None, Kind(values.past_moment)] = None
    metadata: dict[str, str] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Yield what contradicts itself in this record, in sentences."""
        if not (self.organizer or self.contact or self.opportunity):
            yield "It belongs to no organizer, contact or opportunity."
        if (self.type == "task") != (self.task_status is not None):
            yield "A task needs a task_status, and nothing else has one."


OBJECTS: dict[str, type[Record]] = {
    "people": Person,
    "stages": Stage,
    "organizers": Organizer,
    "contacts": Contact,
    "opportunities": Opportunity,
    "history": Known,
    "events": Event,
    "activities": Activity,
}
