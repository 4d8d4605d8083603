"""The doors to the database: `reading(viewer)` and `writing(viewer)` for people, `owning()` for the owner's jobs.

The engine is private to this module. A door opens one transaction and binds who is looking, their time zone and today
in one statement, for that transaction only. The app's login may do nothing by itself, so a transaction without a
viewer is refused by the database rather than answered.
"""

import json
import logging
import select as polling
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, NullPool, bindparam, create_engine, event, func, literal_column, select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app import schema
from app.errors import Conflict, ConnectionLost, Invalid, Misconfigured, NotAllowed, NotFound, Refused, Unavailable
from app.settings import Settings
from app.viewer import Organisation, Viewer

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# Seconds.
_ROUND_TRIP = 3  # for what a healthy server answers at once: connecting, a ping, the start of a transaction
_READ_TIMEOUT = 5  # for a question; the server stops it then
_WRITE_TIMEOUT = 10  # for a statement that changes something
_GRACE = 1  # more on our side, for a server too frozen to stop anything
_LOCK_TIMEOUT = 3  # to wait for somebody else's change of the same row
_IDLE_TIMEOUT = 10  # without a statement, so that a process that died in mid-change holds no locks
_CHECKOUT = 2.5  # to wait for a free connection before saying "busy"
_LONGEST_PAUSE = 2  # between the listener's attempts to come back

_AT_CONNECT: dict[str, Any] = {
    "connect_timeout": _ROUND_TRIP,
    # Notices a dead network in half a minute instead of two hours; a local socket needs none of it.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

_SCRIPTS = Path(schema.__file__).parent


# The doors ----------------------------------------------------------------------------------------------------


@contextmanager
def reading(viewer: Viewer) -> Iterator[Connection]:
    """Yields a connection that sees what the viewer may see, all of it at one moment, and can change nothing."""
    with _transaction(_opened().reading, _READ_TIMEOUT, _bound(viewer)) as connection:
        yield connection


@contextmanager
def writing(
    viewer: Viewer, reason: str | None = None, *, moves_data: bool = True, timeout: int = _WRITE_TIMEOUT
) -> Iterator[Connection]:
    """Yields a connection that changes what the viewer may change; committed at the end of the block, if it ends well.

    The reason goes into the audit with every change. What no page shows does not move the data version. `timeout` is in
    seconds, of each statement.
    """
    with _transaction(_opened().writing, timeout, {**_bound(viewer), "eventos.reason": reason or ""}) as connection:
        yield connection
    if moves_data:
        _data_has_changed()  # here at once; elsewhere when the notice arrives


@contextmanager
def owning() -> Iterator[Connection]:
    """Yields the owner's connection for a job, in one transaction without time limits, on the configured database."""
    if _settings is None or not _settings.migration_database_url:
        raise Misconfigured(
            "MIGRATION_DATABASE_URL is not set. It is the address of the database with the owner's login."
        )
    engine = create_engine(
        _settings.migration_database_url, poolclass=NullPool, connect_args=_AT_CONNECT, hide_parameters=True
    )
    with explained(), engine.begin() as connection:
        yield connection
    _data_has_changed()


def viewer_of(user_id: UUID) -> Viewer | None:
    """The person as the database knows them now; None for a leaver, somebody without a role, or nobody."""
    with _transaction(_opened().reading, _READ_TIMEOUT, {**_NOBODY, **_claims(user_id)}) as connection:
        person = connection.execute(_VIEWER).one_or_none()
    if person is None:
        return None
    return Viewer(
        id=person.id,
        email=person.email,
        full_name=person.full_name,
        role=person.role,
        role_version=person.role_version,
        team=None if person.team is None else tuple(person.team),
        time_zone=_known(person.time_zone) or person.organisation_time_zone,
        organisation=Organisation(
            name=person.organisation_name,
            report_currency=person.report_currency,
            time_zone=person.organisation_time_zone,
            fiscal_year_first_month=person.fiscal_year_first_month,
        ),
        today=person.today,
    )


def data_version() -> int:
    """A number that moves with every committed change, by anybody anywhere, and never comes back."""
    return _version


def ping() -> None:
    """Returns when the database answers; raises Unavailable when it doesn't in time."""
    with explained(), _opened().reading.connect() as connection:
        connection.execute(select(1))


# Opening and closing them -------------------------------------------------------------------------------------


def use(settings: Settings) -> None:
    """Says where the database is: enough for the owner's jobs."""
    global _settings
    _settings = settings


def connect(settings: Settings) -> None:
    """Opens the doors of this process; raises Misconfigured or Unavailable, with what to do, if they can't be."""
    global _doors, _listener
    disconnect()
    use(settings)
    if not settings.database_url:
        raise Misconfigured("DATABASE_URL is not set. It is the address of the database with the app's login.")
    engine = create_engine(
        settings.database_url,
        connect_args=_AT_CONNECT,
        pool_size=5,  # about as many questions as run at once with twenty people clicking
        max_overflow=5,
        pool_timeout=_CHECKOUT,
        pool_pre_ping=True,  # a connection may have died while nobody used it
        pool_use_lifo=True,  # the rest can go to sleep
        hide_parameters=True,  # people's data stay out of logs
    )
    event.listen(engine, "do_connect", _ImpatientConnection.open)
    try:
        with explained(), engine.connect() as connection:
            if findings := unsafe(connection):
                raise Misconfigured(" ".join(["The app refuses to serve this database.", *findings]))
            schema.check(connection)
            constraints = {
                name: _Constraint(tuple(columns), sentence)
                for name, sentence, columns in connection.exec_driver_sql(_script("constraints.sql"))
            }
    except Refused:
        engine.dispose()
        raise
    _doors = _Doors(
        # All numbers of a page agree, because they come from one snapshot.
        reading=engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
        # The login reads only by default; these transactions say otherwise.
        writing=engine.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=False),
        constraints=constraints,
    )
    _listener = _Listener(settings.database_url)
    _listener.start()


def disconnect() -> None:
    """Closes the doors of this process."""
    global _doors, _listener
    if _listener:
        _listener.stop()
        _listener = None
    if _doors:
        _doors.reading.dispose()
        _doors = None


def unsafe(connection: Connection) -> list[str]:
    """Why this connection's login must not serve this database: sentences, none where all is well."""
    return list(connection.exec_driver_sql(_script("unsafe.sql")).scalars())


@dataclass(frozen=True)
class _Constraint:
    columns: tuple[str, ...]
    sentence: str | None


@dataclass(frozen=True)
class _Doors:
    reading: Engine
    writing: Engine
    constraints: Mapping[str, _Constraint]


_settings: Settings | None = None
_doors: _Doors | None = None


def _opened() -> _Doors:
    if _doors is None:
        raise RuntimeError("app.database.connect(settings) comes first")
    return _doors


def _script(name: str) -> str:
    return (_SCRIPTS / name).read_text(encoding="utf-8").replace("%", "%%")  # a single one starts a parameter


# One transaction ----------------------------------------------------------------------------------------------

_NOBODY = {"TimeZone": "UTC", "eventos.today": "", "eventos.reason": ""}  # today: as the organisation's calendar says
_SETTINGS = (
    *("role", "request.jwt.claims", *_NOBODY),
    *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"),
)
_BIND = select(
    *(func.set_config(literal_column(f"'{name}'"), bindparam(name.replace(".", "_")), true()) for name in _SETTINGS)
)
_VIEWER = select(
    func.app.viewer().table_valued(
        *("id", "email", "full_name", "role", "role_version", "team", "time_zone", "organisation_name"),
        *("report_currency", "organisation_time_zone", "fiscal_year_first_month", "today"),
    )
)


def _claims(user_id: UUID) -> dict[str, str]:
    return {
        "role": "authenticated",
        "request.jwt.claims": json.dumps({"sub": str(user_id), "role": "authenticated"}),
    }


def _bound(viewer: Viewer) -> dict[str, str]:
    return {
        **_claims(viewer.id),
        "TimeZone": viewer.time_zone,
        "eventos.today": viewer.today.isoformat(),
        "eventos.reason": "",
    }


@contextmanager
def _transaction(engine: Engine, timeout: int, settings: Mapping[str, str]) -> Iterator[Connection]:
    limits = {
        "statement_timeout": f"{timeout}s",
        "lock_timeout": f"{_LOCK_TIMEOUT}s",
        "idle_in_transaction_session_timeout": f"{_IDLE_TIMEOUT}s",
    }
    values = {name.replace(".", "_"): value for name, value in {**settings, **limits}.items()}
    with explained(), engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, _ImpatientConnection)  # noqa: S101  (the pool's only kind)
        try:
            with connection.begin():
                connection.execute(_BIND, values)
                driver.patience = timeout + _GRACE
                yield connection
        finally:
            driver.patience = _ROUND_TRIP


class _ImpatientConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that does not answer.

    The server's own timeouts need a server that runs; one that is stopped, swapped out or behind a dead proxy would
    otherwise hold a page for ever.
    """

    patience: float = _ROUND_TRIP

    @classmethod
    def open(cls, _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        """Connects in the place of SQLAlchemy."""
        return cls.connect(*arguments, **options)

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """Waits for the answer as long as `patience` says, then closes the connection and raises OperationalError."""
        end = time.monotonic() + self.patience
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if timeout is None and time.monotonic() >= end:
                self.pgconn.finish()  # its answer may still come, to somebody else's question
                raise psycopg.OperationalError(f"no answer within {self.patience} s") from None
            raise


# What the database refused, in words --------------------------------------------------------------------------

_LOST = "The connection to the database broke. Nothing was saved by this step; try again in a moment."
# Raised by functions of ours, whose sentence is for people.
_OURS: Mapping[str, type[Refused]] = {"U0001": Conflict, "U0002": NotAllowed, "U0003": NotFound}
_STATES: Mapping[str, tuple[type[Refused], str]] = {
    "22": (Invalid, "A value does not have the form that is expected here."),
    "42501": (NotAllowed, "Your role does not allow this. Nothing was changed."),
    "40001": (Conflict, "Somebody else changed the same data at the same moment. Nothing was saved; try again."),
    "40P01": (Conflict, "Somebody else changed the same data at the same moment. Nothing was saved; try again."),
    "55P03": (Unavailable, "Somebody else is changing this right now. Nothing was saved; try again in a moment."),
    "57014": (Unavailable, "This took too long and was stopped. Nothing was lost; narrow the period or the filters."),
    "25006": (Unavailable, "The database takes no changes at the moment. Nothing was saved; reading still works."),
    "25P03": (ConnectionLost, _LOST),
    "57P": (ConnectionLost, _LOST),
    "08": (ConnectionLost, _LOST),
    "53300": (Unavailable, "The database has no free connection. Nothing was lost; try again in a moment."),
    "53": (Unavailable, "The database is out of memory or disk. Nothing was lost; tell whoever runs it."),
    "42": (
        Misconfigured,
        "The database does not fit this version of the app. Run `eventos migrate`, or `eventos check`.",
    ),
    "3F": (
        Misconfigured,
        "The database does not fit this version of the app. Run `eventos migrate`, or `eventos check`.",
    ),
    "28": (Misconfigured, "The database does not accept the login. Check DATABASE_URL and MIGRATION_DATABASE_URL."),
    "3D": (Misconfigured, "There is no such database. Check DATABASE_URL and MIGRATION_DATABASE_URL."),
}


@contextmanager
def explained() -> Iterator[None]:
    """Turns what the driver raises in the block into refusals; what it can't explain stays a defect."""
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable("The database is busy. Nothing was lost; try again in a moment.") from error
    except UnicodeEncodeError as error:
        raise Invalid("The text holds half a character that can't be stored. Type it again.") from error
    except DBAPIError as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        _log.info("%s: %s", type(refusal).__name__, _said(error))
        raise refusal from error


def _refusal(error: DBAPIError) -> Refused | None:
    cause = error.orig
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate
    if state is None:
        if isinstance(cause, psycopg.DataError):
            return Invalid("The text holds a character that can't be stored (NUL). Remove it.")
        if error.connection_invalidated:
            return ConnectionLost(_LOST)
        if isinstance(cause, psycopg.OperationalError):
            return Unavailable("The database can't be reached. Nothing was lost; try again in a moment.")
        return None
    if state in _OURS:
        return _OURS[state](cause.diag.message_primary or "")
    if state.startswith("23") or state == "P0001":
        return _invalid(cause)
    for prefix in (state, state[:3], state[:2]):
        if prefix in _STATES:
            kind, sentence = _STATES[prefix]
            return kind(sentence)
    return None


def _said(error: DBAPIError) -> str:
    """What the database said, without its details, which repeat people's data."""
    cause = error.orig
    return (isinstance(cause, psycopg.Error) and cause.diag.message_primary) or str(cause)


def _invalid(error: psycopg.Error) -> Invalid:
    """The sentence of the constraint or trigger that refused, at its field if it is about one."""
    said = error.diag
    known = _doors.constraints.get(said.constraint_name or "") if _doors else None
    if known is None and said.message_primary and (said.context or "").split("\n")[0].endswith("RAISE"):
        return Invalid(said.message_primary, said.column_name)  # written by us, in a trigger
    if error.sqlstate == "23001":
        left = (said.table_name or "records").removeprefix("crm_").replace("_", " ")
        return Invalid(f"Nothing was removed: {left} still refer to it.")
    columns = known.columns if known else tuple(filter(None, [said.column_name]))
    field = columns[0] if len(columns) == 1 else None
    if known and known.sentence:
        return Invalid(known.sentence, field)
    named = " and ".join(name.removesuffix("_id").replace("_", " ") for name in columns) or "a value"
    sentence = {
        "23502": "{} is needed.",
        "23503": "{} refers to something that is gone, or something still refers to it.",
        "23505": "There is already a record with the same {}.",
        "23P01": "There is already a record with an overlapping {}.",
    }.get(error.sqlstate or "", "{} has a value that is not allowed.")
    text = sentence.format(named)
    return Invalid(text[0].upper() + text[1:], field)


# Hearing of changes -------------------------------------------------------------------------------------------

_version = 0
_moving = threading.Lock()


def _data_has_changed() -> None:
    global _version
    with _moving:
        _version += 1


class _Listener(threading.Thread):
    """Moves the data version when the database says that something changed, and after every time it was deaf."""

    def __init__(self, url: str) -> None:
        super().__init__(name="eventos-changes", daemon=True)
        self._url = url.replace("postgresql+psycopg:", "postgresql:", 1)
        self._stopped = threading.Event()
        self._wake, self._woken = socket.socketpair()

    def run(self) -> None:
        pause = 0.1
        while not self._stopped.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True, **_AT_CONNECT) as connection:
                connection.execute("listen eventos_changed")
                _data_has_changed()  # before it listened, anything may have happened
                pause = 0.1
                self._hear(connection)
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _hear(self, connection: psycopg.Connection[Any]) -> None:
        while True:
            polling.select([connection.fileno(), self._woken.fileno()], [], [])
            if self._stopped.is_set():
                return
            for _notice in connection.notifies(timeout=0):
                _data_has_changed()

    def stop(self) -> None:
        """Ends the thread and its connection."""
        self._stopped.set()
        self._wake.close()
        self.join()
        self._woken.close()


_listener: _Listener | None = None


def _known(time_zone: str) -> str | None:
    try:
        return ZoneInfo(time_zone).key
    except (KeyError, ValueError, OSError):
        return None
