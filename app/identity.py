"""Who is looking. Today: local sign-in on the embedded database; its other source will be `st.user`, see `signed_in`.

Local sign-in asks no password: whoever holds the token of this start runs the server, so it exists only where the
database is the embedded one and the address is this machine's own. `app.asgi` lets no request through without the
token; a second cookie says as whom a browser continues, signed with the token. What that person may see is asked of
the database at every rerun, so a changed role or a leaver's end counts at the next click.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import streamlit as st
from itsdangerous import BadSignature, Signer
from sqlalchemy import Boolean, Text, Uuid, column, select, table

from app import database
from app.errors import Misconfigured, NotAllowed
from app.settings import Settings, is_loopback
from app.viewer import Role, Viewer


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in."""

    id: UUID
    email: str
    full_name: str
    role: Role


@dataclass(frozen=True)
class LocalSignIn:
    """The token of this start and, with `eventos run --as`, the one person whom every browser continues as."""

    token: str
    port: int
    only: Person | None = None
    _tickets: set[str] = field(default_factory=set, repr=False)

    def ticket(self) -> str:
        """A token that admits once: a browser is started with it, and other users can read that in the process list."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return ticket

    def admits(self, token: str) -> bool:
        """Whether this is the token, or a ticket not used before; how long the answer takes tells nothing about it."""
        if token in self._tickets:
            self._tickets.discard(token)
            return True
        return secrets.compare_digest(token.encode(errors="replace"), self.token.encode(errors="replace"))

    def cookie(self, purpose: str) -> str:
        """The cookie's name: with the port, because browsers show a cookie to every port of this machine."""
        return f"eventos-{purpose}-{self.port}"

    def sign(self, purpose: str, value: str) -> str:
        """The value for the cookie of this purpose, signed."""
        return self._signer(purpose).sign(value).decode()

    def unsign(self, purpose: str, signed: str) -> str | None:
        """The value out of the cookie, or None where somebody else signed it, or nobody did."""
        try:
            return self._signer(purpose).unsign(signed).decode()
        except BadSignature:
            return None

    def _signer(self, purpose: str) -> Signer:
        return Signer(self.token, salt=f"eventos {purpose}", digest_method=hashlib.sha256)


_local: LocalSignIn | None = None


def check(settings: Settings) -> None:
    """Raises Misconfigured, with what to do, where people could not sign in or anybody could."""
    if not settings.is_embedded:
        found = "An [auth] section is there, but" if settings.has_identity_provider else "None is configured, and"
        raise Misconfigured(
            "This is not the embedded database, so people would have to sign in through an identity provider "
            "([auth] in .streamlit/secrets.toml, see secrets.example.toml). "
            f"{found} this version does not sign in through one yet. "
            "Unset DATABASE_URL and MIGRATION_DATABASE_URL to use the embedded database."
        )
    if not is_loopback(settings.host):
        raise Misconfigured(
            f"Local sign-in asks no password, so it is served on this machine only, and {settings.host} is not. "
            "Use --host 127.0.0.1 (or localhost)."
        )


def configure(settings: Settings, port: int) -> LocalSignIn:
    """Opens local sign-in on this port, for everybody or for the one person that the settings name."""
    global _local
    check(settings)
    only = None
    if settings.sign_in_as:
        by_email = {person.email.casefold(): person for person in people()}
        only = by_email.get(settings.sign_in_as.casefold())
        if only is None:
            raise Misconfigured(
                f"Nobody with the address {settings.sign_in_as} works here and has a role. These do: "
                + ", ".join(person.email for person in by_email.values())
                + "."
            )
    _local = LocalSignIn(settings.token or secrets.token_urlsafe(24), port, only)
    return _local


def local() -> LocalSignIn | None:
    """How people sign in on this machine, or None before `configure`."""
    return _local


def signed_in(cookies: Mapping[str, str] | None = None) -> Viewer | None:
    """The person of this script run as the database knows them now, or None: not signed in, left, or without a role.

    A web request, which is none, brings its own cookies.

    An identity provider will have its place here: an address that it has verified, in `st.user`, instead of the cookie.
    """
    if _local is None:
        return None
    if _local.only:
        return database.viewer_of(_local.only.id)
    sent = st.context.cookies if cookies is None else cookies
    user_id = _local.unsign("person", sent.get(_local.cookie("person"), ""))
    return database.viewer_of(UUID(user_id)) if user_id else None


def viewer() -> Viewer:
    """The person of this script run; raises NotAllowed where nobody is signed in.

    Callbacks and fragments may call it; a download's callable runs outside a script run and must be given its viewer.
    """
    found = signed_in()
    if found is None:
        raise NotAllowed("You are not signed in, or no longer. Open the first page to sign in.")
    return found


def require(*roles: Role) -> Viewer:
    """The viewer, if they have one of the roles; raises NotAllowed otherwise."""
    found = viewer()
    if found.role not in roles:
        raise NotAllowed("This page is not for your role.")
    return found


def people() -> list[Person]:
    """Everybody who may sign in, by role and name: for the page "Continue as …" of the embedded database."""
    account = table("users", column("id", Uuid), column("email", Text), schema="auth")
    profile = table(
        "crm_profiles",
        column("user_id", Uuid),
        column("full_name", Text),
        column("is_active", Boolean),
        schema="public",
    )
    held = table("crm_user_roles", column("user_id", Uuid), column("role", Text), schema="public")
    query = (
        select(account.c.id, account.c.email, profile.c.full_name, held.c.role)
        .join(profile, profile.c.user_id == account.c.id)
        .join(held, held.c.user_id == account.c.id)
        .where(profile.c.is_active)
        .order_by(held.c.role, profile.c.full_name, account.c.email)
    )
    with database.owning() as connection:
        return [Person(*row) for row in connection.execute(query)]
