"""The counts of activities: whatever is done, they are those of the activities, whoever looks."""

import datetime as dt
from collections.abc import Iterator
from threading import Thread
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import superuser_of
from tests.personas import PERSONAS
from tests.schema.conftest import own_database
from tests.schema.session import Session
from tests.tables import id_of

NOON = dt.datetime(2025, 11, 5, 12, tzinfo=dt.UTC)
LOOKING = [name for name, person in PERSONAS.items() if person.role and person.is_active]


@pytest.fixture
def company(db: Session) -> Session:
    """Organizers of Rita, Olaf and nobody, each with two contacts; Rita's and Olaf's have a deal."""
    for name, owner in (("acme", "rita"), ("other", "olaf"), ("free", None)):
        db.insert("crm_organizers", id=name, company_name=name, assigned_to=owner)
        for number in (1, 2):
            db.insert("crm_contacts", id=f"{name} {number}", organizer_id=name, full_name=name,
                      email=f"{name}{number}@client.example")  # fmt: skip
        if owner:
            db.insert("crm_opportunities", id=f"{name} deal", organizer_id=name, name=name, stage_id="Lead", value=1)
    return db


def _insert(db: Session, name: str = "call", **values: object) -> Any:
    return db.insert("crm_activities", **{"id": name, "organizer_id": "acme", "type": "call", "subject": "Call",
                                          "user_id": "rita", "activity_date": NOON} | values)  # fmt: skip


def _kept(db: Session) -> list[Any]:
    return db.rows(
        "select user_id, assigned_to, quarter_hour, type, activities from crm_activity_counts_by_person"
        " where activities <> 0 order by quarter_hour, type, user_id, assigned_to"
    )


def test_a_quarter_of_an_hour_holds_what_happens_in_it(company: Session) -> None:
    for number, seconds in enumerate([-1, 0, 899, 900]):
        _insert(company, f"call {number}", activity_date=NOON + dt.timedelta(seconds=seconds))
    quarters = [(row.quarter_hour - NOON, row.activities) for row in _kept(company)]
    assert quarters == [(dt.timedelta(minutes=minutes), number) for minutes, number in ((-15, 1), (0, 2), (15, 1))]


def test_an_edit_that_changes_no_count_writes_none(company: Session) -> None:
    _insert(company)
    before = company.rows("select ctid, xmin from crm_activity_counts_by_person")
    with company.connection.transaction():
        company.update("crm_activities", "call", subject="Another", activity_date=NOON + dt.timedelta(minutes=3))
    assert company.rows("select ctid, xmin from crm_activity_counts_by_person") == before


def test_an_organizer_that_is_handed_over_takes_its_counts_along(company: Session) -> None:
    _insert(company, user_id="olaf")
    company.update("crm_organizers", "acme", assigned_to="ravi")
    assert [(row.user_id, row.assigned_to) for row in _kept(company)] == [(PERSONAS["olaf"].id, PERSONAS["ravi"].id)]
    with company.acting("rita"):
        assert company.one("select count(*) from crm_activity_counts_by_person where activities > 0") == 0


def test_an_organizer_that_is_removed_takes_its_counts_along(company: Session) -> None:
    _insert(company, organizer_id="free", contact_id="free 1")
    company.run("delete from crm_organizers where id = %s", id_of("free"))
    assert _kept(company) == []
    assert company.one("select app.miscounted_activities()") == 0


def test_a_wrong_count_is_found_and_counted_anew(company: Session) -> None:
    _insert(company)
    company.run("update crm_activity_counts set activities = 2")
    assert company.one("select app.miscounted_activities()") == 1
    company.run("update crm_activity_counts_by_person set activities = 0")
    assert company.one("select app.miscounted_activities()") == 2
    company.run("select app.recount_activities()")
    assert company.one("select app.miscounted_activities()") == 0


# Whatever is done -----------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["one", "two", "three", "four"])
_ORGANIZERS = st.sampled_from(["acme", "other", "free"])
_ACTIVITY = st.fixed_dictionaries({
    "organizer_id": _ORGANIZERS,
    "contact": st.sampled_from([None, 1, 2]),
    "with_deal": st.booleans(),
    "by_parent": st.booleans(),
    "minutes": st.integers(-40, 40) | st.integers(-10**6, 10**6),
    "status": st.sampled_from([None, None, None, "pending", "completed", "cancelled"]),
    "user_id": st.sampled_from(["rita", "ravi", "max", "olaf", "ada"]),
})  # fmt: skip
_STEPS = st.one_of(
    st.tuples(st.just("write"), _NAMES, _ACTIVITY),
    st.tuples(st.just("remove"), _NAMES, st.none()),
    st.tuples(st.just("move all"), _ORGANIZERS, _ACTIVITY),
    st.tuples(st.just("settle all"), st.sampled_from(["pending", "completed", "cancelled"]), st.none()),
    st.tuples(st.just("hand over"), _ORGANIZERS, st.sampled_from([None, "rita", "ravi", "max", "olaf"])),
    st.tuples(st.just("remove contact"), _ORGANIZERS, st.sampled_from([1, 2])),
    st.tuples(st.just("merge contact"), _ORGANIZERS, _ORGANIZERS),
    st.tuples(st.just("remove organizer"), st.just("free"), st.none()),
    st.tuples(st.just("remove deal"), st.sampled_from(["acme", "other"]), st.none()),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, min_size=1, max_size=15))
def test_the_counts_are_those_of_the_activities(company: Session, steps: list[tuple[str, str, Any]]) -> None:
    with company.undone():
        for step in steps:
            _act(company, *step)
        assert company.one("select app.miscounted_activities()") == 0
        for name in LOOKING:
            with company.acting(name):
                assert _seen(company, "crm_activity_counts_by_person") == _counted(company), name
                everything = PERSONAS[name].role in ("executive", "admin")
                assert _seen(company, "crm_activity_counts") == (_counted(company) if everything else []), name
        kept = _kept(company)
        company.run("select app.recount_activities()")
        assert _kept(company) == kept


def _act(db: Session, what: str, which: str, how: Any) -> None:
    if what == "write":
        _write(db, which, how)
    elif what == "remove":
        db.run("delete from crm_activities where id = %s", id_of(which))
    elif what == "move all":
        if db.rows("select 1 from crm_organizers where id = %s", id_of(which)):
            db.run("update crm_activities set organizer_id = %s, contact_id = null, opportunity_id = null,"
                   " activity_date = activity_date + interval '7 minutes', user_id = %s",
                   id_of(which), PERSONAS[how["user_id"]].id)  # fmt: skip
    elif what == "settle all":
        db.run("update crm_activities set task_status = %s where is_task", which)
    elif what == "hand over":
        db.run("update crm_organizers set assigned_to = %s where id = %s", how and PERSONAS[how].id, id_of(which))
    elif what == "remove contact":
        db.run("delete from crm_contacts where id = %s", id_of(f"{which} {how}"))
    elif what == "merge contact":
        if db.rows("select 1 from crm_organizers where id = %s", id_of(how)):
            db.run("update crm_contacts set organizer_id = %s where id = %s and not exists (select from crm_activities"
                   " where contact_id = crm_contacts.id and opportunity_id is not null)",
                   id_of(how), id_of(f"{which} 1"))  # fmt: skip
    elif what == "remove organizer":
        db.run("delete from crm_organizers where id = %s", id_of(which))
    else:
        db.run("delete from crm_opportunities where organizer_id = %s", id_of(which))


def _write(db: Session, which: str, how: Any) -> None:
    organizer, contact, status = how["organizer_id"], how["contact"], how["status"]
    person, deal = f"{organizer} {contact}", f"{organizer} deal"
    if not db.rows("select from crm_organizers where id = %s", id_of(organizer)):
        return
    theirs = "select from crm_contacts where id = %s and organizer_id = %s"
    if contact and not db.rows(theirs, id_of(person), id_of(organizer)):
        return
    with_deal = how["with_deal"] and db.rows("select from crm_opportunities where id = %s", id_of(deal))
    values = {
        "organizer_id": None if how["by_parent"] and (contact or with_deal) else organizer,
        "contact_id": person if contact else None,
        "opportunity_id": deal if with_deal else None,
        "activity_date": NOON + dt.timedelta(minutes=how["minutes"]),
        "type": "task" if status else "email", "is_task": bool(status), "task_status": status,
        "user_id": how["user_id"],
    }  # fmt: skip
    if db.rows("select from crm_activities where id = %s", id_of(which)):
        db.update("crm_activities", which, **values)
    else:
        db.insert("crm_activities", id=which, subject="Hello", **values)


def _seen(db: Session, table: str) -> list[Any]:
    return db.rows(
        f"select quarter_hour, type, sum(activities) from {table}"
        " group by 1, 2 having sum(activities) <> 0 order by 1, 2"
    )


def _counted(db: Session) -> list[Any]:
    """From the activities that this viewer may see."""
    return db.rows(
        "select to_timestamp(floor(extract(epoch from activity_date) / 900) * 900), type, count(*) from crm_activities"
        " where task_status is distinct from 'pending' and task_status is distinct from 'cancelled'"
        " group by 1, 2 order by 1, 2"
    )


# Two at once ----------------------------------------------------------------------------------------------------


@pytest.fixture
def committed(cluster: Any) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    """Two connections to a database of their own, with an organizer of Rita's that somebody has spoken to."""
    with (
        own_database(cluster, "two_at_once") as name,
        superuser_of(cluster, name) as one,
        superuser_of(cluster, name) as other,
    ):
        one.execute(
            "insert into crm_organizers (company_name, assigned_to) values ('Acme', %s)", (PERSONAS["rita"].id,)
        )
        one.execute(
            "insert into crm_activities (organizer_id, type, subject, user_id, activity_date)"
            " select id, 'call', 'Call', assigned_to, '2199-01-01' from crm_organizers"
        )
        yield one, other


LOG = (
    "insert into crm_activities (organizer_id, type, subject, user_id, activity_date)"
    " select id, 'call', 'Call', created_by, '2199-01-01' from"
    " (select id, (select user_id from crm_user_roles where role = 'admin') as created_by from crm_organizers) as acme"
)
HAND_OVER = "update crm_organizers set assigned_to = (select user_id from crm_user_roles where role = 'executive')"


@pytest.mark.parametrize(
    ("first", "second"), [(LOG, HAND_OVER), (HAND_OVER, LOG)], ids=["log first", "hand over first"]
)
def test_an_organizer_may_be_handed_over_while_somebody_logs(
    committed: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], first: str, second: str
) -> None:  # fmt: skip
    one, other = committed
    waiting = Thread(target=lambda: other.execute(second.encode()))
    blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
    with one.transaction():
        one.execute(first.encode())
        waiting.start()
        while waiting.is_alive() and one.execute(blocked, (other.info.backend_pid,)).fetchone() != (True,):
            pass
    waiting.join()
    assert one.execute("select app.miscounted_activities()").fetchone() == (0,)
