"""The history of opportunities: what they were at every moment, without a gap and without an overlap."""

import datetime as dt
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation

from tests.personas import PERSONAS
from tests.schema.session import Session
from tests.tables import id_of

START = dt.datetime(2025, 1, 1, 12, 0, tzinfo=dt.UTC)
KEPT = (
    "organizer_id", "stage_id", "value", "currency", "probability", "probability_source", "expected_close_date",
    "actual_close_date", "assigned_to", "status",
)  # fmt: skip


def _at(db: Session, hours: float) -> dt.datetime:
    """From now on, changes hold from so many hours after the start."""
    moment = START + dt.timedelta(hours=hours)
    db.run("select set_config('eventos.effective_time', %s, true)", moment.isoformat())
    return moment


def _history(db: Session, name: str = "gala") -> list[Any]:
    return db.rows("select * from crm_opportunity_history where opportunity_id = %s order by seq", id_of(name))


@pytest.fixture
def gala(db: Session) -> Session:
    """A lead called so, made at the start."""
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    db.insert("crm_organizers", id="other", company_name="Other", assigned_to="ravi")
    _at(db, 0)
    db.insert(
        "crm_opportunities", id="gala", organizer_id="acme", name="Gala", stage_id="Lead", value=100, assigned_to="rita"
    )
    return db


def test_begins_with_the_opportunity(gala: Session) -> None:
    (first,) = _history(gala)
    assert (first.seq, first.valid_from, first.valid_to, first.stage_entered_at) == (1, START, None, START)


def test_ends_one_version_where_the_next_begins(gala: Session) -> None:
    moment = _at(gala, 1)
    gala.update("crm_opportunities", "gala", value=200)
    first, second = _history(gala)
    assert (first.valid_to, second.valid_from, second.valid_to) == (moment, moment, None)
    assert (first.value, second.value, second.seq) == (100, 200, 2)


@pytest.mark.parametrize("change", [
    {"value": 5}, {"currency": "USD"}, {"probability": 40}, {"probability_source": "manual"}, {"stage_id": "Proposal"},
    {"expected_close_date": "2026-05-01"}, {"assigned_to": "ravi"}, {"assigned_to": None}, {"organizer_id": "other"},
    {"stage_id": "Won"},
], ids=str)  # fmt: skip
def test_keeps_every_change_that_a_number_depends_on(gala: Session, change: dict[str, object]) -> None:
    _at(gala, 1)
    now = gala.update("crm_opportunities", "gala", **change)
    _, latest = _history(gala)
    assert {column: getattr(latest, column) for column in KEPT} == {column: getattr(now, column) for column in KEPT}


@pytest.mark.parametrize("change", [
    {"name": "Ball"}, {"description": "x"}, {"value": 100}, {"ai_score": 80}, {"loss_reason": None}, {"event_id": None},
    {"stage_id": "Lead"}, {"probability_reason": "x"},
], ids=str)  # fmt: skip
def test_makes_no_version_of_anything_else(gala: Session, change: dict[str, object]) -> None:
    _at(gala, 1)
    gala.update("crm_opportunities", "gala", **change)
    assert len(_history(gala)) == 1


def test_a_stay_lasts_as_long_as_the_stage(gala: Session) -> None:
    for hours, change in enumerate(
        [{"value": 1}, {"stage_id": "Proposal"}, {"value": 2}, {"stage_id": "Lead"}], start=1
    ):
        _at(gala, hours)
        gala.update("crm_opportunities", "gala", **change)
    assert [(row.stage_entered_at - START).seconds // 3600 for row in _history(gala)] == [0, 0, 2, 2, 4]


def test_two_changes_at_one_moment_are_one_version(gala: Session) -> None:
    _at(gala, 1)
    gala.update("crm_opportunities", "gala", stage_id="Proposal")
    gala.update("crm_opportunities", "gala", stage_id="Lead")
    gala.update("crm_opportunities", "gala", value=7)
    first, second = _history(gala)
    assert first.valid_to == second.valid_from
    assert (second.seq, second.value, second.stage_entered_at) == (2, 7, START)


def test_a_change_that_claims_to_be_earlier_than_the_last_replaces_it(gala: Session) -> None:
    later = _at(gala, 2)
    gala.update("crm_opportunities", "gala", value=200)
    _at(gala, 1)
    gala.update("crm_opportunities", "gala", value=300)
    assert [(row.value, row.valid_from, row.valid_to) for row in _history(gala)] == [
        (100, START, later),
        (300, later, None),
    ]


def test_marks_a_deletion_and_outlives_it(gala: Session) -> None:
    moment = _at(gala, 1)
    gala.run("delete from crm_opportunities")
    gala.run("delete from crm_organizers")
    first, gone = _history(gala)
    assert (first.is_deleted, first.valid_to) == (False, moment)
    assert (gone.is_deleted, gone.valid_from, gone.valid_to, gone.value) == (True, moment, None, 100)


def test_a_removal_ends_no_stay_in_another_stage(gala: Session) -> None:
    _at(gala, 1)
    gala.update("crm_opportunities", "gala", stage_id="Proposal")
    gala.run("delete from crm_opportunities")  # at the same moment: it was never there
    assert [(row.next_stage_id, row.is_deleted) for row in _history(gala)] == [(None, False), (None, True)]


def test_goes_on_where_a_removed_opportunity_is_put_back(gala: Session) -> None:
    row = {**gala.read("crm_opportunities", "gala")._asdict()}
    _at(gala, 1)
    gala.run("delete from crm_opportunities")
    moment = _at(gala, 2)
    gala.insert(
        "crm_opportunities", **{column: row[column] for column in ("id", "name", "organizer_id", "stage_id", "value")}
    )
    assert [(row.seq, row.is_deleted, row.valid_to) for row in _history(gala)][1:] == [
        (2, True, moment),
        (3, False, None),
    ]


def test_names_who_changed_it(gala: Session) -> None:
    gala.run("set local eventos.effective_time = ''")
    with gala.acting("rita"):
        gala.run("update crm_opportunities set value = 200")
    assert [row.changed_by for row in _history(gala)] == [None, PERSONAS["rita"].id]


def test_takes_its_time_from_the_owner_s_jobs_only(gala: Session) -> None:
    with gala.acting("rita"):
        gala.run("set local eventos.effective_time = '2020-01-01'")
        gala.run("update crm_opportunities set value = 200")
        assert gala.one("select app.effective_time()") > START
    with gala.superuser():
        gala.run("set local eventos.effective_time = '2020-01-01'")
        assert gala.one("select app.effective_time()") > START
    assert _history(gala)[-1].valid_from > gala.one("select now()") - dt.timedelta(minutes=1)


def test_holds_no_version_that_lasts_no_time(gala: Session) -> None:
    with gala.refused(CheckViolation):
        gala.run("update crm_opportunity_history set valid_to = valid_from")


def test_counts_a_finished_stay_once(gala: Session) -> None:
    _at(gala, 24 * 10)
    gala.update("crm_opportunities", "gala", stage_id="Proposal")
    _at(gala, 24 * 11)
    gala.update("crm_opportunities", "gala", value=1)
    _at(gala, 24 * 14)
    gala.update("crm_opportunities", "gala", stage_id="Won")
    counts = gala.rows("select left_month, days, stays from crm_stage_stay_counts order by days")
    assert counts == [(dt.date(2025, 1, 1), 4, 1), (dt.date(2025, 1, 1), 10, 1)]


# Whatever is done, the history replayed is what was -------------------------------------------------------------

_DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
_CHANGES = st.one_of(
    st.fixed_dictionaries({}, optional={
        "stage_id": st.sampled_from(["Lead", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]),
        "value": st.decimals(0, 10**15, places=2),
        "currency": st.sampled_from(["CAD", "USD", "JPY"]),
        "probability": st.none() | st.integers(0, 100),
        "expected_close_date": st.none() | _DAYS,
        "assigned_to": st.sampled_from([None, "rita", "ravi", "dora"]),
        "organizer_id": st.sampled_from(["acme", "other"]),
        "name": st.just("Renamed"),
    }),
    st.just("delete"),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 300), _CHANGES), max_size=12))
def test_replayed_equals_what_was(gala: Session, steps: list[tuple[int, Any]]) -> None:
    with gala.undone():
        states = [(START, _state(gala))]
        hours = 0.0
        for later, change in steps:
            hours += later  # often by nothing: several changes at one moment
            moment = _at(gala, hours)
            _apply(gala, change)
            states.append((moment, _state(gala)))
        versions = _history(gala)
        assert [row.seq for row in versions] == [*range(1, len(versions) + 1)]
        assert [row.valid_to for row in versions] == [*(row.valid_from for row in versions[1:]), None]
        for (moment, state), (until, _) in zip(states, [*states[1:], (None, None)], strict=True):
            if moment != until:  # what lasted no time is no history
                assert _replayed(versions, moment) == state
        assert _counted(gala) == _recounted(gala)


def _apply(db: Session, change: Any) -> None:
    there = db.one("select count(*) from crm_opportunities")
    if change == "delete":
        db.run("delete from crm_opportunities")
    elif not there:
        db.insert(
            "crm_opportunities",
            **{"id": "gala", "organizer_id": "acme", "name": "Gala", "stage_id": "Lead", "value": 100} | change,
        )
    elif change:
        try:
            with db.connection.transaction():
                db.update("crm_opportunities", "gala", **change)
        except psycopg.errors.CheckViolation:  # a contradiction
            pass


def _state(db: Session) -> tuple[object, ...] | None:
    found = db.rows(f"select {', '.join(KEPT)} from crm_opportunities")
    return tuple(found[0]) if found else None


def _replayed(versions: list[Any], moment: dt.datetime) -> tuple[object, ...] | None:
    (version,) = [
        row for row in versions if row.valid_from <= moment and (row.valid_to is None or moment < row.valid_to)
    ]
    return None if version.is_deleted else tuple(getattr(version, column) for column in KEPT)


def _counted(db: Session) -> list[Any]:
    return db.rows(
        "select stage_id, left_month, days, stays from crm_stage_stay_counts where stays <> 0 order by 1, 2, 3"
    )


def _recounted(db: Session) -> list[Any]:
    with db.undone():
        db.run("select app.recount_stage_stays()")
        return _counted(db)
