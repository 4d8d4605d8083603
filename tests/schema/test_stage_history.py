"""The history of stages: what a default was when a forecast was made."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import UniqueViolation

from tests.personas import PERSONAS
from tests.schema.session import Session

KEPT = ("name", "order_index", "color", "is_active", "is_closed", "is_won", "default_probability")
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)  # than the migration, which made the stages


def _at(db: Session, hours: int) -> dt.datetime:
    moment = LATER + dt.timedelta(hours=hours)
    db.run("select set_config('eventos.effective_time', %s, true)", moment.isoformat())
    return moment


def _history(db: Session, stage: object) -> list[Any]:
    return db.rows("select * from crm_stage_history where stage_id = %s order by seq", stage)


@pytest.fixture
def lead(db: Session) -> object:
    return db.one("select id from crm_pipeline_stages where name = 'Lead'")


def test_begins_with_the_migration(db: Session) -> None:
    stages = db.rows(f"select id, {', '.join(KEPT)} from crm_pipeline_stages order by id")
    history = db.rows(
        f"select stage_id, {', '.join(KEPT)} from crm_stage_history where valid_to is null order by stage_id"
    )
    assert [tuple(row) for row in history] == [tuple(row) for row in stages]


@pytest.mark.parametrize("change", [
    {"name": "Enquiry"}, {"order_index": 9}, {"color": "#000000"}, {"is_active": False}, {"is_closed": True},
    {"default_probability": 15},
], ids=str)  # fmt: skip
def test_keeps_every_change_of_what_a_report_shows(db: Session, lead: object, change: dict[str, object]) -> None:
    moment = _at(db, 1)
    now = db.update("crm_pipeline_stages", lead, **change)
    before, after = _history(db, lead)
    assert (before.valid_to, after.valid_from, after.valid_to) == (moment, moment, None)
    assert [getattr(after, column) for column in KEPT] == [getattr(now, column) for column in KEPT]


def test_makes_no_version_of_anything_else(db: Session, lead: object) -> None:
    db.update(
        "crm_pipeline_stages",
        lead,
        description="First talk",
        auto_actions='[{"action": "send_email"}]',
        default_probability=10,
    )
    assert len(_history(db, lead)) == 1


def test_marks_a_removal_and_outlives_it(db: Session, lead: object) -> None:
    moment = _at(db, 1)
    db.run("delete from crm_pipeline_stages where id = %s", lead)
    before, gone = _history(db, lead)
    assert (before.valid_to, gone.valid_from, gone.is_deleted, gone.name) == (moment, moment, True, "Lead")


def test_two_changes_at_one_moment_are_one_version(db: Session, lead: object) -> None:
    _at(db, 1)
    db.update("crm_pipeline_stages", lead, default_probability=20)
    db.update("crm_pipeline_stages", lead, default_probability=30)
    assert [(row.seq, row.default_probability) for row in _history(db, lead)] == [(1, 10), (2, 30)]


def test_a_change_that_claims_to_be_earlier_than_the_last_replaces_it(db: Session, lead: object) -> None:
    later = _at(db, 2)
    db.update("crm_pipeline_stages", lead, default_probability=20)
    _at(db, 1)
    db.update("crm_pipeline_stages", lead, default_probability=30)
    before, after = _history(db, lead)
    assert (before.valid_to, after.valid_from, after.default_probability) == (later, later, 30)


def test_has_one_version_that_holds_now(db: Session, lead: object) -> None:
    with db.refused(UniqueViolation):
        db.run(
            f"insert into crm_stage_history (stage_id, seq, valid_from, {', '.join(KEPT)})"
            f" select stage_id, 2, valid_from, {', '.join(KEPT)} from crm_stage_history where stage_id = %s", lead,
        )  # fmt: skip


def test_names_who_changed_it(db: Session, lead: object) -> None:
    with db.acting("ada"):
        db.run("update crm_pipeline_stages set default_probability = 20 where id = %s", lead)
    assert _history(db, lead)[-1].changed_by == PERSONAS["ada"].id


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100), st.booleans()), min_size=1, max_size=10))
def test_replayed_equals_what_was(db: Session, lead: object, steps: list[tuple[int, int, bool]]) -> None:
    with db.undone():
        states, hours = [], 1
        for later, probability, is_active in steps:
            hours += later
            moment = _at(db, hours)
            db.update("crm_pipeline_stages", lead, default_probability=probability, is_active=is_active)
            states.append((moment, (probability, is_active)))
        versions = _history(db, lead)
        assert [row.valid_to for row in versions] == [*(row.valid_from for row in versions[1:]), None]
        for (moment, state), (until, _) in zip(states, [*states[1:], (None, None)], strict=True):
            if moment != until:
                (held,) = [
                    row
                    for row in versions
                    if row.valid_from <= moment and (row.valid_to is None or moment < row.valid_to)
                ]
                assert (held.default_probability, held.is_active) == state
