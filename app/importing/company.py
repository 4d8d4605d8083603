"""What an import changes in the company itself: people, stages, the report currency. Through the triggers, so that the
audit shows it."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, column, func, select, table
from sqlalchemy.dialects.postgresql import insert

from app.errors import Refused
from app.formats import quoted
from app.importing.reading import id_of
from app.importing.records import Origin, Person, Stage

# The schema document's own stages: replaced by the export's while nothing uses them and nobody has edited them.
DEFAULT_STAGES = ("Lead", "Qualified", "Proposal", "Negotiation", "Won", "Lost")
STAGE_COLORS = ("#64748b", "#0ea5e9", "#3b82f6", "#6366f1", "#8b5cf6", "#d946ef", "#f59e0b")
OUTCOME_COLORS = {"won": "#10b981", "lost": "#ef4444"}

_users = table("users", column("id", sa.Uuid), column("email", sa.Text), schema="auth")
_profiles = table(
    "crm_profiles",
    column("user_id", sa.Uuid), column("full_name", sa.Text), column("manager_id", sa.Uuid),
    column("time_zone", sa.Text), column("is_active", sa.Boolean),
    schema="public",
)  # fmt: skip
_roles = table("crm_user_roles", column("user_id", sa.Uuid), column("role", sa.Text), schema="public")
_settings = table("crm_settings", column("report_currency", sa.Text), schema="public")
_rates = table("crm_exchange_rates", schema="public")
_opportunities = table("crm_opportunities", column("stage_id", sa.Uuid), schema="public")
_history = table("crm_opportunity_history", column("stage_id", sa.Uuid), schema="public")
_stage_history = table("crm_stage_history", column("stage_id", sa.Uuid), schema="public")
_stages = table(
    "crm_pipeline_stages",
    column("id", sa.Uuid), column("name", sa.Text), column("order_index", sa.Integer), column("color", sa.Text),
    column("is_closed", sa.Boolean), column("is_won", sa.Boolean), column("default_probability", sa.Integer),
    column("version", sa.Integer),
    schema="public",
)  # fmt: skip


def add_people(
    connection: Connection, people: Sequence[Person], vendor: str, time_zone: str
) -> tuple[dict[UUID, UUID], int]:
    """Make the export's people known and give each a role; return who of them is who here, and how many are new.

    Somebody with the same email address is that person. One admin is added where there is none to look at it all.
    """
    emails = dict(connection.execute(select(func.lower(_users.c.email), _users.c.id)).all())
    here = set(emails.values())
    has_admin = select(1).join_from(_roles, _profiles, _roles.c.user_id == _profiles.c.user_id)
    if not connection.scalar(has_admin.where(_roles.c.role == "admin", _profiles.c.is_active).limit(1)):
        people = [*people, _administrator(vendor)]
    stands_for = {
        person.id: emails.get(person.email.lower(), person.id) if person.email and person.id not in here else person.id
        for person in people
    }
    new = [person for person in people if stands_for[person.id] not in here]
    if new:
        connection.execute(insert(_users), _accounts(new, emails, vendor))
    profiles = [
        {
            "user_id": stands_for[person.id],
            "full_name": person.full_name,
            "manager_id": stands_for[person.manager] if person.manager else None,
            "time_zone": time_zone,
            "is_active": person.is_active is not False,
        }
        for person in people
    ]
    if profiles:  # in one statement, so that a manager may come after the people who report there
        connection.execute(insert(_profiles).values(profiles).on_conflict_do_nothing())
    managers = {person.manager for person in people if person.manager}
    roles = [
        {"user_id": person.id, "role": person.role or ("manager" if person.id in managers else "rep")} for person in new
    ]
    if roles:  # who could sign in before keeps the role that an admin gave, or none
        connection.execute(insert(_roles), roles)
    return stands_for, len(new)


def _administrator(vendor: str) -> Person:
    email = f"admin@{_domain(vendor)}"
    name = "Administrator"
    return Person(id=id_of(vendor, "admin", ""), origin=Origin("", 0), full_name=name, email=email, role="admin")


def _accounts(people: Sequence[Person], taken: dict[str, UUID], vendor: str) -> list[dict[str, object]]:
    accounts = dict(taken)
    for person in people:
        email = person.email or f"{_local_part(person)}@{_domain(vendor)}"
        if email.lower() in accounts:
            email = f"{person.id.hex[:8]}.{email}"
        accounts[email.lower()] = person.id
    return [{"id": identity, "email": email} for email, identity in accounts.items() if email not in taken]


def _local_part(person: Person) -> str:
    """The name as an address has it: Zoë O'Neil → zoe.oneil."""
    plain = unicodedata.normalize("NFKD", person.full_name).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub("[^a-z0-9]+", ".", plain).strip(".")[:60] or f"person.{person.id.hex[:8]}"


def _domain(vendor: str) -> str:
    """A domain that never receives mail (RFC 2606)."""
    return f"{vendor.lower().replace('_', '-')}.example"


def add_stages(connection: Connection, stages: Sequence[Stage]) -> tuple[dict[UUID, Stage], int]:
    """Put the export's stages behind those in use; return which of the company's each one is, and how many are new.

    One of a name that is here already is that stage, with the probability it has here.
    """
    if not {stage.id for stage in stages} <= set(connection.scalars(select(_stages.c.id))):
        _drop_default_stages(connection)
    rows = connection.execute(select(_stages)).all()
    here = [_stage(row) for row in rows]
    by_id, by_name = {stage.id: stage for stage in here}, {stage.name.lower(): stage for stage in here}
    new: list[Stage] = []
    for stage in _in_order(stages):
        found = by_id.get(stage.id) or by_name.setdefault(stage.name.lower(), stage)
        if found.outcome != stage.outcome:
            raise Refused(
                f"The stage {quoted(found.name)} is here already and closes deals differently than the export's: "
                "give that one another name in the mapping."
            )
        by_id[stage.id] = found
        if found is stage:
            new.append(stage)
    if new:
        last = max((row.order_index for row in rows), default=0)
        connection.execute(insert(_stages), [_stage_row(stage, last + place) for place, stage in enumerate(new, 1)])
    return by_id, len(new)


def _stage(row: sa.Row[Any]) -> Stage:
    outcome: Literal["won", "lost"] | None = "won" if row.is_won else "lost" if row.is_closed else None
    return Stage(
        id=row.id, origin=Origin("", 0), name=row.name, probability=row.default_probability, outcome=outcome
    )  # fmt: skip


def _stage_row(stage: Stage, position: int) -> dict[str, object]:
    return {
        "id": stage.id,
        "name": stage.name,
        "order_index": position,
        "color": stage.color or OUTCOME_COLORS.get(stage.outcome or "", STAGE_COLORS[position % len(STAGE_COLORS)]),
        "is_closed": stage.outcome is not None,
        "is_won": stage.outcome == "won",
        "default_probability": {"won": 100, "lost": 0, None: stage.probability}[stage.outcome],
    }


def _drop_default_stages(connection: Connection) -> None:
    in_use = [select(used.c.stage_id).where(used.c.stage_id == _stages.c.id) for used in (_opportunities, _history)]
    dropped = connection.scalars(
        sa.delete(_stages)
        .where(_stages.c.name.in_(DEFAULT_STAGES), _stages.c.version == 1, *(~used.exists() for used in in_use))
        .returning(_stages.c.id)
    ).all()
    # Nobody ever worked with them, so the past is not shown with them either; the audit remembers.
    connection.execute(sa.delete(_stage_history).where(_stage_history.c.stage_id.in_(dropped)))


def _in_order(stages: Sequence[Stage]) -> list[Stage]:
    """The open ones before won before lost, each kind as the export has them in order."""
    ranks = {None: 0, "won": 1, "lost": 2}
    return sorted(stages, key=lambda stage: (ranks[stage.outcome], stage.order or 0))


def follow_currency(connection: Connection, currency: str) -> None:
    """Report in the export's currency where the company has nothing yet that another one would count."""
    has_money = sa.or_(*(select(1).select_from(each).exists() for each in (_opportunities, _rates)))
    connection.execute(
        sa.update(_settings)
        .where(_settings.c.report_currency != currency, sa.not_(has_money))
        .values(report_currency=currency)
    )
