"""Who is looking: what every door, question and page needs to know of a person."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

Role = Literal["rep", "manager", "executive", "admin"]


@dataclass(frozen=True)
class Organisation:
    """What holds for everybody who works here."""

    name: str
    report_currency: str
    time_zone: str
    fiscal_year_first_month: int


@dataclass(frozen=True)
class Viewer:
    """An active person with a role, as the database knew them at this rerun.

    `team` is whose rows the viewer may see, or None for all; `role_version` moves with the role and with the team,
    so that nothing remembered for the old role answers for the new one.
    """

    id: UUID
    email: str
    full_name: str
    role: Role
    role_version: str
    team: tuple[UUID, ...] | None
    time_zone: str
    organisation: Organisation
    today: date
