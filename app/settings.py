"""Where the data are and how to serve them: from the command line, the environment and `.streamlit/secrets.toml`."""

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app import embedded
from app.errors import Misconfigured

ROOT = Path(__file__).parents[1]  # holds .streamlit/, in the source tree and where the package is installed


@dataclass(frozen=True)
class Settings:
    """Everything that is decided before the start. Addresses hold passwords, so they stay out of its repr."""

    database_url: str | None = field(default=None, repr=False)
    migration_database_url: str | None = field(default=None, repr=False)
    data_dir: Path = field(default_factory=lambda: user_data_path("eventos"))
    files: str | None = None  # a directory or s3://bucket/prefix for documents; None: `files` in the data directory
    files_endpoint: str | None = None  # of an S3 store that is not Amazon's
    smtp: str | None = field(default=None, repr=False)  # smtp://user:password@host:587, for `eventos deliver`
    smtp_from: str | None = None  # whom its emails come from
    host: str = "127.0.0.1"
    port: int | None = None  # None: the first free one from 8501 on
    token: str | None = field(default=None, repr=False)  # None: a new one at every start
    sign_in_as: str | None = None
    is_embedded: bool = False
    has_identity_provider: bool = False

    @classmethod
    def load(cls, **chosen: Any) -> "Settings":
        """The settings chosen on the command line, or else in the environment, or else in the secrets files."""
        secrets = _secrets()

        def said(name: str) -> str | None:
            value = os.environ.get(name) or secrets.get(name)
            return str(value) if value else None

        return cls(
            database_url=_checked("DATABASE_URL", said("DATABASE_URL")),
            migration_database_url=_checked("MIGRATION_DATABASE_URL", said("MIGRATION_DATABASE_URL")),
            files=_checked_files(said("EVENTOS_FILES")),
            files_endpoint=said("EVENTOS_FILES_ENDPOINT"),
            smtp=said("EVENTOS_SMTP"),
            smtp_from=said("EVENTOS_SMTP_FROM"),
            has_identity_provider=isinstance(secrets.get("auth"), dict),
            **{name: value for name, value in chosen.items() if value is not None},
        )

    @contextmanager
    def reachable(self) -> Iterator["Settings"]:
        """Yields settings with addresses: these, or where there is none, the embedded server's, run for the block."""
        if self.database_url or self.migration_database_url:
            yield self
            return
        with embedded.server(self.data_dir) as server:
            yield replace(
                self,
                database_url=_checked("DATABASE_URL", server.url("eventos_app")),
                migration_database_url=_checked("MIGRATION_DATABASE_URL", server.url("eventos_owner")),
                is_embedded=True,
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at this host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secrets() -> dict[str, Any]:
    """Streamlit's secrets files, later ones over earlier ones, in Streamlit's order."""
    secrets: dict[str, Any] = {}
    for folder in dict.fromkeys((Path.home(), Path.cwd(), ROOT)):
        file = folder / ".streamlit" / "secrets.toml"
        try:
            secrets |= tomllib.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured(f"{file} is not valid TOML: {error}.") from None
    return secrets


def _checked_files(address: str | None) -> str | None:
    """The address of the file store, or a sentence that says what it may be."""
    if address and "://" in address and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", address):
        raise Misconfigured(f"EVENTOS_FILES is {address}, and may be a directory or s3://bucket/prefix.")
    return address


def _checked(name: str, address: str | None) -> str | None:
    """The address with the driver that we use, or a sentence that does not repeat its password."""
    if not address:
        return None
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise Misconfigured(f"{name} is not an address of the form postgresql://name:password@host:5432/database.")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
