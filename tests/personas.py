"""The people of the tests: one for every way of being looked at.

Ada    admin
Eve    executive
Mona   second-level manager
  Max    manager
    Rita   rep
    Ravi   rep
    Dora   rep who left
Olaf   rep who reports to nobody
Nora   signed up and has no role yet
"""

from dataclasses import dataclass
from uuid import NAMESPACE_DNS, UUID, uuid5

from sqlalchemy import Connection

from app.viewer import Role


@dataclass(frozen=True)
class Persona:
    name: str
    role: Role | None
    manager: str | None = None
    is_active: bool = True

    @property
    def id(self) -> UUID:
        return uuid5(NAMESPACE_DNS, self.name)

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


PERSONAS = {
    persona.name: persona
    for persona in (
        Persona("ada", "admin"),
        Persona("eve", "executive"),
        Persona("mona", "manager"),
        Persona("max", "manager", manager="mona"),
        Persona("rita", "rep", manager="max"),
        Persona("ravi", "rep", manager="max"),
        Persona("olaf", "rep"),
        Persona("dora", "rep", manager="max", is_active=False),
        Persona("nora", None),
    )
}


def insert(owner: Connection) -> None:
    """Makes all of them work here, managers first."""
    for persona in PERSONAS.values():
        owner.exec_driver_sql("insert into auth.users (id, email) values (%s, %s)", (persona.id, persona.email))
        owner.exec_driver_sql(
            "insert into public.crm_profiles (user_id, full_name, manager_id, is_active) values (%s, %s, %s, %s)",
            (persona.id, persona.name.title(), persona.manager and PERSONAS[persona.manager].id, persona.is_active),
        )
        if persona.role:
            owner.exec_driver_sql(
                "insert into public.crm_user_roles (user_id, role) values (%s, %s)", (persona.id, persona.role)
            )
