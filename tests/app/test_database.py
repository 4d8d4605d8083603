import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from app import database as doors
from app import schema
from app.errors import Conflict, ConnectionLost, Invalid, Misconfigured, NotAllowed, Refused, Unavailable
from app.settings import Settings
from app.viewer import Viewer
from tests.conftest import WORKER
from tests.personas import PERSONAS

ReadingAs = Callable[..., Any]
Given = Callable[[Connection, str, str], None]

NAMES = text("select company_name from crm_organizers order by 1")
SETTING = text("select current_setting(:name)")


def in_another_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def heard(since: int) -> bool:
    """Whether the data version moves from there within the two seconds that a page may lag behind."""
    for _ in range(200):
        if doors.data_version() != since:
            return True
        threading.Event().wait(0.01)
    return False


# Reading ------------------------------------------------------------------------------------------------------


def test_everybody_sees_their_own_rows(owner: Connection, given: Given, reading_as: ReadingAs) -> None:
    given(owner, "crm_organizers", """
        company_name | assigned_to
        Rita's       | rita
        Ravi's       | ravi
        Olaf's       | olaf
    """)  # fmt: skip
    seen = {}
    for name in ("rita", "ravi", "max", "mona", "olaf", "eve", "ada"):
        with reading_as(name) as db:
            seen[name] = list(db.scalars(NAMES))
    assert seen == {
        "rita": ["Rita's"],
        "ravi": ["Ravi's"],
        "max": ["Ravi's", "Rita's"],
        "mona": ["Ravi's", "Rita's"],
        "olaf": ["Olaf's"],
        "eve": ["Olaf's", "Ravi's", "Rita's"],
        "ada": ["Olaf's", "Ravi's", "Rita's"],
    }


def test_a_page_reads_one_moment(owner: Connection, given: Given, reading_as: ReadingAs) -> None:
    with reading_as("ada") as db:
        assert list(db.scalars(NAMES)) == []
        given(owner, "crm_organizers", """
            company_name | assigned_to
            Late         | rita
        """)  # fmt: skip
        assert list(db.scalars(NAMES)) == []


def test_reading_changes_nothing(reading_as: ReadingAs) -> None:
    with pytest.raises(Unavailable, match="takes no changes"), reading_as("ada") as db:
        db.execute(text("update crm_settings set organisation_name = 'Mine'"))


def test_the_viewers_time_zone_and_day_are_bound(viewer: Callable[..., Viewer]) -> None:
    rita = replace(viewer("rita", today=date(2026, 3, 31)), time_zone="Europe/Berlin")
    with doors.reading(rita) as db:
        assert db.scalar(SETTING, {"name": "TimeZone"}) == "Europe/Berlin"
        assert db.scalar(text("select app.today()")) == date(2026, 3, 31)
        assert db.scalar(text("select app.viewer_id()")) == rita.id


def test_nothing_of_a_viewer_stays_on_the_connection(reading_as: ReadingAs) -> None:
    with reading_as("ada") as db:
        backend = db.scalar(text("select pg_backend_pid()"))
    with doors._opened().reading.connect() as bare:
        assert bare.scalar(text("select pg_backend_pid()")) == backend
        assert bare.scalar(text("select current_user")) == "eventos_app"
        assert not bare.scalar(text("select current_setting('request.jwt.claims', true)"))
        with pytest.raises(ProgrammingError, match="permission denied"):
            bare.scalars(NAMES)


def test_two_viewers_alternating_and_at_once_never_see_each_others_rows(
    owner: Connection, given: Given, viewer: Callable[..., Viewer]
) -> None:
    given(owner, "crm_organizers", """
        company_name | assigned_to
        rita         | rita
        ravi         | ravi
    """)  # fmt: skip
    people = [viewer("rita"), viewer("ravi")]
    wrong = []

    def look() -> None:
        for turn in range(50):
            person = people[turn % 2]
            with doors.reading(person) as db:
                found = list(db.scalars(NAMES))
            if found != [person.full_name.lower()]:
                wrong.append(found)

    threads = [in_another_thread(look) for _ in range(8)]
    for thread in threads:
        thread.join()
    assert wrong == []


# Writing ------------------------------------------------------------------------------------------------------

RENAME = text("update crm_settings set organisation_name = :name")
NAME = text("select organisation_name from crm_settings")


def test_writing_is_committed_with_its_reason(owner: Connection, writing_as: ReadingAs) -> None:
    with writing_as("ada", reason="we moved") as db:
        db.execute(RENAME, {"name": "Northern Events"})
    assert owner.scalar(NAME) == "Northern Events"
    assert owner.execute(text("select actor, reason from crm_audit order by id desc limit 1")).one() == (
        PERSONAS["ada"].id,
        "we moved",
    )


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_the_block_early_takes_everything_back(
    owner: Connection, writing_as: ReadingAs, end: type[BaseException]
) -> None:
    with pytest.raises(end), writing_as("ada") as db:
        db.execute(RENAME, {"name": "Half"})
        raise end
    assert owner.scalar(NAME) == "EventOS"


def test_a_deactivated_person_is_nobody_at_the_next_look(owner: Connection, viewer: Callable[..., Viewer]) -> None:
    rita = viewer("rita")
    owner.execute(text("update crm_profiles set is_active = false where user_id = :id"), {"id": rita.id})
    assert doors.viewer_of(rita.id) is None
    with doors.reading(rita) as db:  # what is still open for the old viewer sees nothing either
        assert list(db.scalars(NAMES)) == []


def test_a_viewer_is_what_the_database_says(owner: Connection, viewer: Callable[..., Viewer]) -> None:
    assert viewer("max").team is not None
    assert set(viewer("max").team or ()) == {PERSONAS[name].id for name in ("max", "rita", "ravi", "dora")}
    assert viewer("eve").team is None
    assert viewer("rita").organisation.report_currency == "CAD"
    assert [doors.viewer_of(PERSONAS[name].id) for name in ("dora", "nora")] == [None, None]
    assert doors.viewer_of(uuid.uuid4()) is None
    before = viewer("rita").role_version
    owner.execute(text("update crm_user_roles set role = 'admin' where user_id = :id"), {"id": PERSONAS["rita"].id})
    assert viewer("rita").role == "admin"
    assert viewer("rita").role_version != before


def test_a_time_zone_that_this_machine_does_not_know_is_none() -> None:
    assert doors._known("America/Toronto") == "America/Toronto"
    assert doors._known("Mars/Phobos") is None
    assert doors._known("../../etc/passwd") is None


# What the database refuses, in words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_whom", "statement", "refusal", "sentence"),
    [
        (
            "rita",
            "insert into crm_user_roles (user_id, role) values ('{rita}', 'admin')",
            NotAllowed,
            "Your role does not",
        ),
        ("rita", "update crm_audit set reason = 'x'", NotAllowed, "Your role does not"),
        ("ada", "update crm_settings set report_currency = 'banana'", Invalid, "Report currency has a value"),
        ("ada", "update crm_settings set organisation_name = null", Invalid, "Organisation name is needed"),
        ("ada", "insert into crm_user_roles (user_id, role) values ('{rita}', 'rep')", Invalid, "same user"),
        (
            "ada",
            "insert into crm_exchange_rates (currency, rate_date, rate) values ('CAD', '2025-01-01', 1)",
            Invalid,
            "CAD is the report currency",
        ),
        ("ada", "update crm_settings set fiscal_year_first_month = '99999999999'", Invalid, "form that is expected"),
        ("ada", "select pg_sleep(20)", Unavailable, "took too long"),
        ("ada", "select no_such_column from crm_settings", Misconfigured, "eventos migrate"),
        ("ada", "select * from no_such_table", Misconfigured, "eventos migrate"),
    ],
)
def test_refusals_are_sentences(
    owner: Connection,
    writing_as: ReadingAs,
    monkeypatch: pytest.MonkeyPatch,
    as_whom: str,
    statement: str,
    refusal: type[Refused],
    sentence: str,
) -> None:
    monkeypatch.setattr(doors, "_WRITE_TIMEOUT", 1)
    with pytest.raises(refusal, match=sentence), writing_as(as_whom) as db:
        db.execute(text(statement.format(rita=PERSONAS["rita"].id)))


def test_a_refused_value_names_its_field(writing_as: ReadingAs) -> None:
    with pytest.raises(Invalid) as refused, writing_as("ada") as db:
        db.execute(text("update crm_settings set report_currency = 'banana'"))
    assert refused.value.field == "report_currency"


def test_what_is_still_referred_to_is_named(
    owner: Connection, given: Callable[[Connection, str, str], None], writing_as: ReadingAs
) -> None:
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        organizer_id | name | stage_id | value | assigned_to
        acme         | Gala | Lead     | 1     | rita
    """)  # fmt: skip
    with pytest.raises(Invalid, match="Nothing was removed: opportunities still refer to it"), writing_as("ada") as db:
        db.execute(text("delete from crm_organizers"))


@pytest.mark.parametrize(
    ("name", "sentence"), [("a\x00b", "can't be stored"), ("half \ud800 a character", "half a character")]
)
def test_text_that_can_not_be_stored_is_refused_before_it_is_sent(
    owner: Connection, writing_as: ReadingAs, name: str, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence), writing_as("ada") as db:
        db.execute(RENAME, {"name": name})
    assert owner.scalar(NAME) == "EventOS"


def test_what_nobody_foresaw_stays_a_defect(reading_as: ReadingAs) -> None:
    with pytest.raises(ZeroDivisionError), reading_as("ada"):
        raise ZeroDivisionError


def test_two_who_change_each_others_rows_are_told_to_try_again(
    owner: Connection, viewer: Callable[..., Viewer]
) -> None:
    both_hold = threading.Barrier(2)
    outcomes: list[object] = []
    profile = text("update crm_profiles set full_name = full_name || '!' where user_id = :id")
    first, second = PERSONAS["rita"].id, PERSONAS["ravi"].id

    def change(one: uuid.UUID, other: uuid.UUID) -> None:
        try:
            with doors.writing(ada) as db:
                db.execute(profile, {"id": one})
                both_hold.wait()
                db.execute(profile, {"id": other})
            outcomes.append("saved")
        except Refused as refusal:
            outcomes.append(type(refusal))

    ada = viewer("ada")
    threads = [in_another_thread(lambda: change(first, second)), in_another_thread(lambda: change(second, first))]
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [Conflict, "saved"]


def test_a_row_that_somebody_holds_is_waited_for_a_bounded_time(
    owner: Connection, writing_as: ReadingAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "_LOCK_TIMEOUT", 1)
    with writing_as("ada") as holder:
        holder.execute(RENAME, {"name": "Held"})
        with pytest.raises(Unavailable, match="Somebody else is changing this"), writing_as("ada") as db:
            db.execute(RENAME, {"name": "Late"})


def test_a_busy_pool_says_so(viewer: Callable[..., Viewer], monkeypatch: pytest.MonkeyPatch) -> None:
    ada = viewer("ada")
    monkeypatch.setattr(doors._opened().reading.pool, "_timeout", 0.1)
    with ExitStack() as all_of_them:
        for _ in range(10):
            all_of_them.enter_context(doors.reading(ada))
        with pytest.raises(Unavailable, match="busy"), doors.reading(ada):
            pass
    with doors.reading(ada) as db:
        assert db.scalar(NAME)


# A server in trouble ------------------------------------------------------------------------------------------


def backend_of(db: Connection) -> int:
    found = db.scalar(text("select pg_backend_pid()"))
    assert found
    return int(found)


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_frozen_server_does_not_hold_a_page(reading_as: ReadingAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "_READ_TIMEOUT", 1)
    monkeypatch.setattr(doors, "_GRACE", 0)
    with ExitStack() as frozen:
        with pytest.raises(Unavailable, match="try again"), reading_as("ada") as db:
            frozen.enter_context(stopped(backend_of(db)))
            db.scalar(NAME)
        with reading_as("ada") as db:  # another connection answers meanwhile
            assert db.scalar(NAME) == "EventOS"


def test_a_connection_that_froze_while_nobody_used_it_is_replaced(
    reading_as: ReadingAs, viewer: Callable[..., Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "_ROUND_TRIP", 1)
    ada = viewer("ada")
    with doors.reading(ada) as db:
        backend = backend_of(db)
    with stopped(backend), doors.reading(ada) as db:
        assert backend_of(db) != backend


def test_a_killed_connection_is_replaced_and_a_question_under_way_is_told(
    superuser: psycopg.Connection[Any], viewer: Callable[..., Viewer]
) -> None:
    ada = viewer("ada")
    with pytest.raises(ConnectionLost, match="broke"), doors.reading(ada) as db:
        superuser.execute("select pg_terminate_backend(%s, 1000)", [backend_of(db)])
        db.scalar(NAME)
    with doors.reading(ada) as db:
        backend = backend_of(db)
    superuser.execute("select pg_terminate_backend(%s, 1000)", [backend])
    with doors.reading(ada) as db:
        assert db.scalar(NAME) == "EventOS"


def test_the_health_check_answers(owner: Connection) -> None:
    doors.ping()


def test_a_server_that_is_not_there_is_unavailable(owner: Connection, database: Settings, tmp_path: Any) -> None:
    with pytest.raises(Unavailable, match="can't be reached"):
        doors.connect(replace(database, database_url=f"postgresql+psycopg://eventos_app@/eventos?host={tmp_path}"))


# The data version ---------------------------------------------------------------------------------------------


def test_a_change_by_anybody_moves_the_data_version(owner: Connection) -> None:
    before = doors.data_version()
    owner.execute(RENAME, {"name": "Elsewhere"})
    assert heard(before)


def test_our_own_change_moves_it_before_the_next_statement(writing_as: ReadingAs) -> None:
    before = doors.data_version()
    with writing_as("ada") as db:
        db.execute(RENAME, {"name": "Here"})
    assert doors.data_version() > before


def test_a_listener_that_was_cut_off_comes_back_and_moves_it(
    owner: Connection, superuser: psycopg.Connection[Any]
) -> None:
    before = doors.data_version()
    superuser.execute(
        "select pg_terminate_backend(pid, 1000) from pg_stat_activity"
        " where datname = current_database() and query = 'listen eventos_changed'"
    )
    assert heard(before)
    again = doors.data_version()
    owner.execute(RENAME, {"name": "Elsewhere"})
    assert heard(again)


# What the app refuses to serve --------------------------------------------------------------------------------


@pytest.fixture
def connecting_as(superuser: psycopg.Connection[Any], database: Settings) -> Iterator[Callable[..., None]]:
    """connecting_as("bypassrls", member_of="service_role") tries to serve with such a login."""
    role = f"unfit_{WORKER}"

    def connect(options: str = "", member_of: str = "authenticated") -> None:
        superuser.execute(f"create role {role} login noinherit {options}")
        superuser.execute(f"grant {member_of} to {role}")
        doors.connect(replace(database, database_url=(database.database_url or "").replace("eventos_app", role)))

    yield connect
    superuser.execute(f"drop role {role}")


@pytest.mark.parametrize(
    ("options", "member_of", "sentence"),
    [
        ("superuser", "authenticated", "is a superuser"),
        ("bypassrls", "authenticated", "bypasses row-level security"),
        ("", "authenticated, service_role", "is a member of service_role"),
        ("", "anon", "may not become authenticated"),
    ],
)
def test_a_login_that_can_do_too_much_or_too_little_is_refused(
    connecting_as: Callable[..., None], options: str, member_of: str, sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        connecting_as(options, member_of)


def test_the_owners_login_and_the_superusers_are_refused(owner: Connection, database: Settings) -> None:
    with pytest.raises(Misconfigured, match="owns the table"):
        doors.connect(replace(database, database_url=database.migration_database_url))
    superuser = (database.database_url or "").replace("eventos_app", "postgres")
    with pytest.raises(Misconfigured, match="is a superuser"):
        doors.connect(replace(database, database_url=superuser))


@pytest.mark.parametrize(
    ("damage", "repair", "sentence"),
    [
        (
            "alter table crm_notes disable row level security",
            "alter table crm_notes enable row level security",
            "table crm_notes has no row-level security",
        ),
        (
            "create view leak as select * from crm_notes; grant select on leak to authenticated",
            "drop view leak",
            "view leak answers with its owner's rights",
        ),
        (
            "create view inner_leak as select * from crm_notes; create view outer_leak as select * from inner_leak;"
            "grant select on outer_leak to authenticated",
            "drop view outer_leak; drop view inner_leak",
            "view outer_leak answers with its owner's rights",
        ),
        (
            "create materialized view leak as select * from crm_notes; grant select on leak to authenticated",
            "drop materialized view leak",
            "view leak answers with its owner's rights",
        ),
        (
            "drop policy settings_select on crm_settings",
            "create policy settings_select on crm_settings for select to authenticated"
            " using ((select app.viewer_role()) is not null)",
            "table crm_settings allows SELECT to people and has no policy",
        ),
    ],
)
def test_a_database_whose_access_rules_are_damaged_is_refused(
    owner: Connection, database: Settings, damage: str, repair: str, sentence: str
) -> None:
    owner.exec_driver_sql(damage, execution_options={"no_parameters": True})
    try:
        with pytest.raises(Misconfigured, match=sentence):
            doors.connect(database)
    finally:
        owner.exec_driver_sql(repair, execution_options={"no_parameters": True})
    doors.connect(database)


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        ("migration 0001, views 0", "at migration 0001, and this version of EventOS needs"),
        ("migration 9999, views 0", "knows only up to"),
    ],
)
def test_a_schema_that_does_not_fit_is_named(owner: Connection, database: Settings, stated: str, sentence: str) -> None:
    owner.exec_driver_sql(f"comment on schema analytics is '{stated}'")
    try:
        with pytest.raises(Misconfigured, match=sentence):
            doors.connect(database)
    finally:
        owner.exec_driver_sql(f"comment on schema analytics is '{schema.statement()}'")


def test_the_jobs_need_the_owners_address_alone(owner: Connection, database: Settings) -> None:
    doors.use(replace(database, database_url=None))
    with doors.owning() as connection:
        assert connection.scalar(text("select current_user")) == "eventos_owner"
    doors.use(replace(database, migration_database_url=None))
    with pytest.raises(Misconfigured, match="MIGRATION_DATABASE_URL"), doors.owning():
        pass
    with pytest.raises(Misconfigured, match="DATABASE_URL is not set"):
        doors.connect(replace(database, database_url=None))


def test_passwords_are_not_shown(database: Settings) -> None:
    assert "secret" not in repr(
        replace(database, database_url="postgresql://eventos_app:secret@host/eventos", token="secret")
    )
