"""The customer's schema document: its SQL, as written, and loaded on the platform that it presupposes."""

import re
from pathlib import Path
from typing import Any

import psycopg

from tests.personas import PERSONAS

PATH = Path(__file__).parents[3] / "shared" / "schema" / "eventos-crm-schema.md"

# What a hosted PostgreSQL of that kind brings: its users, its roles' usual privileges, and the functions that the
# document calls and doesn't define, as its users usually write them.
_PLATFORM = """
create schema auth;
create table auth.users (id uuid primary key default gen_random_uuid(), email text);
create function auth.uid() returns uuid language sql stable
  as $$ select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid $$;
grant usage on schema auth, public to anon, authenticated;
alter default privileges in schema public grant all on tables to anon, authenticated;
create table public.user_roles (user_id uuid not null references auth.users (id), role text not null);
create function public.has_role(who uuid, what text) returns boolean language sql stable security definer
  as $$ select exists (select from user_roles where user_id = who and role = what) $$;
create function public.update_updated_at_column() returns trigger language plpgsql
  as $$ begin new.updated_at = now(); return new; end $$;
create table public.events (id uuid primary key default gen_random_uuid(), name text);
"""


def statements() -> str:
    """Every SQL block of the document in its order, but the migration script, which is empty."""
    blocks = re.findall(r"^```sql\n(.*?)^```", PATH.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(block for block in blocks if "BEGIN;" not in block)


def load(superuser: psycopg.Connection[Any]) -> None:
    """Builds the document's schema, owned by the owner's login, and the personas in it."""
    superuser.execute("grant create on schema public to eventos_owner")
    superuser.execute("set session authorization eventos_owner")
    superuser.execute((_PLATFORM + statements()).encode())
    for person in PERSONAS.values():
        superuser.execute("insert into auth.users (id, email) values (%s, %s)", (person.id, person.email))
        if person.role:
            superuser.execute("insert into public.user_roles (user_id, role) values (%s, %s)", (person.id, person.role))
    superuser.execute("reset session authorization")
