"""Stage, status, closing date and probability of an opportunity, held in agreement by its trigger."""

import datetime as dt

import pytest
from psycopg.errors import CheckViolation, GeneratedAlways, InsufficientPrivilege, IntegrityError, NotNullViolation

from tests.personas import PERSONAS
from tests.schema.session import Session
from tests.tables import id_of

RESULTS = """
  inserted with                           | then set to                     | status    | percent | source | closed on
  stage=Lead                              |                                 | open      | 10      | stage  |
  stage=Negotiation                       |                                 | open      | 75      | stage  |
  stage=Lead probability=60               |                                 | open      | 60      | manual |
  stage=Lead probability=10               |                                 | open      | 10      | manual |
  stage=Lead probability=0                |                                 | open      | 0       | manual |
  stage=Lead probability=60 source=stage  |                                 | open      | 10      | stage  |
  stage=Lead source=manual                |                                 | open      | 10      | stage  |
  stage=Lead probability=60 source=import |                                 | open      | 60      | import |
  stage=Won                               |                                 | won       | 100     | stage  | today
  stage=Won probability=60                |                                 | won       | 100     | stage  | today
  stage=Won status=won date=2026-01-02    |                                 | won       | 100     | stage  | 2026-01-02
  stage=Lost                              |                                 | lost      | 0       | stage  | today
  stage=Lost status=abandoned             |                                 | abandoned | 0       | stage  | today
  stage=Lost status=null                  |                                 | lost      | 0       | stage  | today
  stage=Lead status=null                  |                                 | open      | 10      | stage  |

  stage=Lead                              | stage=Proposal                  | open      | 50      | stage  |
  stage=Lead                              | name=Renamed                    | open      | 10      | stage  |
  stage=Lead                              | probability=60                  | open      | 60      | manual |
  stage=Lead                              | probability=10                  | open      | 10      | stage  |
  stage=Lead                              | source=manual                   | open      | 10      | manual |
  stage=Lead                              | probability=60 stage=Proposal   | open      | 60      | manual |
  stage=Lead                              | probability=60 source=model     | open      | 60      | model  |
  stage=Lead probability=60               | stage=Proposal                  | open      | 60      | manual |
  stage=Lead probability=60               | probability=null                | open      | 10      | stage  |
  stage=Lead probability=60               | source=stage                    | open      | 10      | stage  |
  stage=Lead probability=60               | source=stage probability=70     | open      | 10      | stage  |
  stage=Lead probability=60               | probability=null stage=Proposal | open      | 50      | stage  |
  stage=Lead probability=60 source=import | stage=Proposal                  | open      | 60      | import |
  stage=Lead probability=60 source=import | probability=70                  | open      | 70      | manual |

  stage=Lead                              | stage=Won                       | won       | 100     | stage  | today
  stage=Lead probability=60               | stage=Won                       | won       | 100     | stage  | today
  stage=Lead                              | stage=Won status=won            | won       | 100     | stage  | today
  stage=Lead                              | stage=Won date=2026-01-02       | won       | 100     | stage  | 2026-01-02
  stage=Lead probability=60               | stage=Lost                      | lost      | 0       | stage  | today
  stage=Lead                              | stage=Lost status=abandoned     | abandoned | 0       | stage  | today
  stage=Lost                              | status=abandoned                | abandoned | 0       | stage  | today
  stage=Lost status=abandoned             | status=lost                     | lost      | 0       | stage  | today
  stage=Lost status=abandoned             | name=Renamed                    | abandoned | 0       | stage  | today
  stage=Lost date=2026-01-02              | stage=Won                       | won       | 100     | stage  | 2026-01-02
  stage=Lost status=abandoned             | stage=Won                       | won       | 100     | stage  | today
  stage=Won date=2026-01-02               | date=2026-01-03                 | won       | 100     | stage  | 2026-01-03
  stage=Won                               | value=5                         | won       | 100     | stage  | today

  stage=Won                               | stage=Lead                      | open      | 10      | stage  |
  stage=Lost status=abandoned             | stage=Proposal                  | open      | 50      | stage  |
  stage=Lost                              | stage=Proposal probability=40   | open      | 40      | manual |
  stage=Won                               | stage=Lead status=open          | open      | 10      | stage  |
"""

REFUSED = """
    inserted with                 | then set to
    stage=Lead status=won         |
    stage=Lead status=lost        |
    stage=Lead status=abandoned   |
    stage=Lead date=2026-01-02    |
    stage=Won status=lost         |
    stage=Won status=abandoned    |
    stage=Lost status=won         |
    stage=Lead status=undecided   |
    stage=Lead probability=101    |
    stage=Lead probability=-1     |
    stage=Lead probability=60 source=guess |

    stage=Lead                    | status=won
    stage=Lead                    | status=lost
    stage=Lead                    | status=abandoned
    stage=Lead                    | date=2026-01-02
    stage=Lead                    | stage=Proposal status=won
    stage=Lead                    | stage=Won status=lost
    stage=Lead                    | stage=Lost status=won
    stage=Lead                    | probability=101
    stage=Won                     | status=open
    stage=Won                     | status=lost
    stage=Won                     | status=abandoned
    stage=Won                     | date=null
    stage=Lost                    | status=open
    stage=Lost                    | status=won
"""

_COLUMNS = {"stage": "stage_id", "source": "probability_source", "date": "actual_close_date"}


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()[1:] if line.strip()]


def _ids(row: list[str]) -> str:
    return " → ".join(filter(None, row[:2]))


def _values(cell: str) -> dict[str, object]:
    pairs = (part.split("=") for part in cell.split())
    return {_COLUMNS.get(name, name): None if value == "null" else value for name, value in pairs}


def _opportunity(db: Session, cell: str) -> None:
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    db.insert(
        "crm_opportunities", id="gala", organizer_id="acme", name="Gala", value=100, assigned_to="rita", **_values(cell)
    )


@pytest.mark.parametrize("row", _rows(RESULTS), ids=_ids)
def test_leads_to(db: Session, row: list[str]) -> None:
    inserted, changed, status, probability, source, closed = row
    _opportunity(db, inserted)
    if changed:
        db.update("crm_opportunities", "gala", **_values(changed))
    found = db.read("crm_opportunities", "gala")
    assert (found.status, found.probability, found.probability_source) == (status, int(probability), source)
    today = db.one("select app.today()")
    assert found.actual_close_date == (
        today if closed == "today" else dt.date.fromisoformat(closed) if closed else None
    )


@pytest.mark.parametrize("row", _rows(REFUSED), ids=_ids)
def test_is_refused(db: Session, row: list[str]) -> None:
    inserted, changed = row
    if changed:
        _opportunity(db, inserted)
        with db.refused(CheckViolation):
            db.update("crm_opportunities", "gala", **_values(changed))
    else:
        with db.refused(CheckViolation):
            _opportunity(db, inserted)


def test_a_contradiction_is_named_in_words(db: Session) -> None:
    with db.refused(
        CheckViolation, "The status won contradicts the stage Lead: move the opportunity to a stage that fits"
    ):
        _opportunity(db, "stage=Lead status=won")


def test_reopening_forgets_what_was_one_s_own_before_closing(db: Session) -> None:
    _opportunity(db, "stage=Lead probability=60")
    db.update("crm_opportunities", "gala", stage_id="Lost", loss_reason="Price")
    reopened = db.update("crm_opportunities", "gala", stage_id="Lead")
    assert (reopened.probability, reopened.probability_source, reopened.loss_reason) == (10, "stage", None)


def test_an_unknown_stage_is_the_foreign_key_s_to_refuse(db: Session) -> None:
    with db.refused(IntegrityError, "crm_opportunities_stage_id_fkey|probability"):
        _opportunity(db, "stage=Nowhere probability=10 source=manual")


@pytest.mark.parametrize("values", ["stage=null", "stage=Lead value=null"])
def test_null_is_no_stage_and_no_value(db: Session, values: str) -> None:
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    with db.refused(NotNullViolation):
        db.insert("crm_opportunities", **{"organizer_id": "acme", "name": "Gala", "value": 100} | _values(values))


@pytest.mark.parametrize("source", ["import", "model"])
def test_a_person_s_number_comes_from_the_person(db: Session, source: str) -> None:
    _opportunity(db, "stage=Lead")
    with db.acting("rita"), db.refused(CheckViolation, "Only an import or a model"):
        db.run("update crm_opportunities set probability = 60, probability_source = %s", source)


def test_who_set_a_probability_and_when_is_not_for_people_to_write(db: Session) -> None:
    _opportunity(db, "stage=Lead")
    with db.acting("ada"):
        for column in (
            "probability_set_by",
            "probability_set_at",
            "last_stage_change_at",
            "expected_revenue",
            "version",
        ):
            with db.refused((InsufficientPrivilege, GeneratedAlways)):
                db.run(f"update crm_opportunities set {column} = null")


def test_who_and_when_move_with_the_probability_alone(db: Session) -> None:
    _opportunity(db, "stage=Lead")
    set_at = db.read("crm_opportunities", "gala").probability_set_at
    with db.acting("rita"):
        db.run("update crm_opportunities set name = 'Ball'")
        assert db.one("select probability_set_at from crm_opportunities") == set_at
        db.run("update crm_opportunities set probability = 60, probability_reason = 'They called'")
    with db.acting("ada"):
        db.run("update crm_opportunities set value = 200")
    found = db.read("crm_opportunities", "gala")
    assert found.probability_set_at > set_at
    assert (found.probability_set_by, found.probability_reason) == (PERSONAS["rita"].id, "They called")


def test_the_reason_for_an_earlier_number_is_none_for_a_later_one(db: Session) -> None:
    _opportunity(db, "stage=Lead")
    db.update("crm_opportunities", "gala", probability=60, probability_reason="They called")
    assert db.update("crm_opportunities", "gala", probability=70).probability_reason is None


def test_the_days_in_a_stage_begin_with_the_stage(db: Session) -> None:
    _opportunity(db, "stage=Lead")
    first = db.read("crm_opportunities", "gala").last_stage_change_at
    assert db.update("crm_opportunities", "gala", probability=60, value=3).last_stage_change_at == first
    assert db.update("crm_opportunities", "gala", stage_id="Proposal").last_stage_change_at > first


# The stages themselves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"is_closed": True}, {"is_closed": True, "is_won": True}])
def test_a_stage_with_opportunities_can_not_be_closed_over_them(db: Session, change: dict[str, object]) -> None:
    _opportunity(db, "stage=Lead")
    with db.refused(CheckViolation, "The stage Lead holds 1 opportunities: move them"):
        db.update("crm_pipeline_stages", "Lead", **change)
    db.run("delete from crm_opportunities")
    db.update("crm_pipeline_stages", "Lead", **change)


def test_a_stage_s_new_default_waits_for_those_who_follow_it(db: Session) -> None:
    """Which open opportunities follow is asked when it is saved; whoever enters the stage later has the new one."""
    _opportunity(db, "stage=Lead")
    db.update("crm_pipeline_stages", "Lead", default_probability=20)
    assert db.read("crm_opportunities", "gala").probability == 10
    assert db.update("crm_opportunities", "gala", probability=None).probability == 20


def test_a_stage_with_opportunities_can_not_be_removed(db: Session) -> None:
    _opportunity(db, "stage=Lead")
    with db.refused(IntegrityError):
        db.run("delete from crm_pipeline_stages where name = 'Lead'")
    db.run("delete from crm_pipeline_stages where name = 'Qualified'")


def test_removing_an_organizer_s_last_opportunity_lets_it_go(db: Session) -> None:
    _opportunity(db, "stage=Won")
    with db.refused(IntegrityError):
        db.run("delete from crm_organizers where id = %s", id_of("acme"))
    db.run("delete from crm_opportunities")
    assert db.run("delete from crm_organizers where id = %s", id_of("acme")) == 1
