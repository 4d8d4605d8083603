"""The schema: numbered .sql files, each one subject, applied in the order of their numbers by Alembic.

`versions/NNNN_subject.sql` is a revision that follows the one before it; the views of `queries/views` are rebuilt
after them in the schema `analytics`. Everything happens in one transaction, so a migration that fails leaves nothing.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select
from sqlalchemy.schema import CreateSchema, DropSchema

import queries
from app.errors import Misconfigured

if TYPE_CHECKING:  # Alembic takes a third of a second to import, and most starts find nothing to migrate
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script

_HERE = Path(__file__).parent
_VERSIONS = _HERE / "versions"
_VIEWS = Path(queries.__file__).with_name("views")
_ONE_AT_A_TIME = 0x45564D47  # the advisory lock of everybody who migrates
_LOCK_TIMEOUT = "5s"  # rather give up than make readers queue behind a waiting migration
_TOO_NEW = (
    "The database is at migration {at}, and this version of EventOS knows only up to {newest}. "
    "Install the newer version again."
)


def migrate(connection: Connection, to: str = "head") -> list[str]:
    """Brings the database up to date in the connection's transaction; returns the names of the migrations applied.

    `to` stops at an earlier migration, without the views, which fit the newest only.
    """
    connection.execute(select(func.set_config("lock_timeout", _LOCK_TIMEOUT, True)))
    connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    if _stated(connection) == statement():
        return []
    at = version(connection) or ""
    if at > newest():
        raise Misconfigured(_TOO_NEW.format(at=at, newest=newest()))
    pending = [file.stem for file in _files() if at < _number(file) and (to == "head" or _number(file) <= to)]
    if pending:
        connection.execute(CreateSchema("app", if_not_exists=True))  # Alembic's table comes before the first migration
        connection.execute(DropSchema("analytics", cascade=True, if_exists=True))  # a view would hold its columns fast
        _context(connection=connection, to=to).run_migrations(apply=_runner(connection))
    if to == "head" and _stated(connection) != statement():
        _runner(connection)(_views_script())
    return pending


def script() -> str:
    """One script from an empty database to the newest schema, for a SQL editor; made without a connection."""
    printed = io.StringIO()
    context = _context(printed=printed)
    with context.begin_transaction():
        context.impl.static_output(str(CreateSchema("app", if_not_exists=True)) + ";")
        context.run_migrations(apply=context.impl.static_output)
        context.impl.static_output(_views_script())
    return printed.getvalue()


def is_there(connection: Connection) -> bool:
    """Whether the database has ever been migrated whole."""
    return _stated(connection) is not None


def version(connection: Connection) -> str | None:
    """The number of the newest migration applied, as the owner sees it; None in a database without any."""
    return _context(connection=connection).get_current_revision()


@cache
def newest() -> str:
    """The number of the newest migration that this version of the app knows."""
    return _number(_files()[-1])


@cache
def statement() -> str:
    """What a database at this version's schema and views says of itself, in the comment on the schema analytics."""
    match = re.search(r"comment on schema analytics is '(.*)'", _views_script())
    assert match  # noqa: S101  (analytics.sql ends with it)
    return match[1]


def check(connection: Connection) -> None:
    """Raises Misconfigured, with what to do, unless the database is at this version's schema and views."""
    stated = _stated(connection)
    if stated == statement():
        return
    if stated is None:
        raise Misconfigured("The database has no EventOS schema yet. Run `eventos migrate` with the owner's login.")
    at = stated.split()[1].rstrip(",")
    if at > newest():
        raise Misconfigured(_TOO_NEW.format(at=at, newest=newest()))
    raise Misconfigured(
        f"The database is at migration {at}, and this version of EventOS needs {_files()[-1].stem} and its "
        "views. Run `eventos migrate` with the owner's login."
    )


def _stated(connection: Connection) -> str | None:
    analytics = func.to_regnamespace("analytics")
    return connection.scalar(select(func.obj_description(analytics, "pg_namespace")))


def _context(
    connection: Connection | None = None, to: str = "head", printed: io.StringIO | None = None
) -> "MigrationContext":
    """Alembic at work on a connection, or printing."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionMap

    scripts = ScriptDirectory(str(_HERE))
    scripts.revision_map = RevisionMap(_scripts)
    return MigrationContext.configure(
        connection=connection,
        dialect_name="postgresql",
        opts={
            "as_sql": printed is not None,
            "output_buffer": printed,
            "script": scripts,
            "version_table_schema": "app",
            "fn": lambda at, _context: scripts._upgrade_revs(to, at),  # noqa: SLF001  (as Alembic's manual does)
        },
    )


def _files() -> list[Path]:
    return sorted(_VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))


def _number(file: Path) -> str:
    return file.name[:4]


def _scripts() -> Iterator["Script"]:
    """Each file as the revision that Alembic would read from a Python file beside it."""
    from alembic.script import Script

    before = None
    for file in _files():
        module = ModuleType(file.stem, doc=file.stem)
        module.__dict__.update(revision=_number(file), down_revision=before, upgrade=_upgrade(file))
        yield Script(module, _number(file), file)
        before = _number(file)


def _upgrade(file: Path) -> Callable[..., None]:
    def upgrade(apply: Callable[[str], object]) -> None:
        apply(file.read_text(encoding="utf-8"))

    return upgrade


def _runner(connection: Connection) -> Callable[[str], object]:
    """Runs a whole script as it stands: without parameters, its percent signs are its own."""

    def run(sql: str) -> None:
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})

    return run


@cache
def _views_script() -> str:
    """analytics.sql with the views in it, each after those it reads, and with the checksum of all that."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(_VIEWS.glob("*.sql"))}
    # Sorted, because the order of a set differs from process to process, and the checksum would with it.
    reads = {name: sorted({other for other in re.findall(r"\banalytics\.(\w+)", text) if other in texts} - {name})
             for name, text in texts.items()}  # fmt: skip
    ordered = "\n".join(texts[name] for name in TopologicalSorter(reads).static_order())
    frame = (_HERE / "analytics.sql").read_text(encoding="utf-8")
    checksum = hashlib.sha256((frame + ordered).encode()).hexdigest()[:16]
    return frame.replace(":views", ordered).replace(":migration", newest()).replace(":checksum", checksum)
