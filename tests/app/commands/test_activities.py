from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from app.commands import activities
from app.errors import Conflict, Invalid, NotAllowed
from app.viewer import Viewer
from tests.personas import PERSONAS
from tests.tables import id_of

Given = Callable[[Connection, str, str], None]
ViewerOf = Callable[..., Viewer]
PLANNED = datetime(2199, 1, 1, tzinfo=UTC)


@pytest.fixture
def company(owner: Connection, given: Given) -> Connection:
    given(owner, "crm_organizers", """
        id    | company_name | assigned_to
        acme  | Acme         | rita
        birch | Birch        | olaf
    """)  # fmt: skip
    given(owner, "crm_activities", """
        id    | organizer_id | type | is_task | task_status | subject | user_id | activity_date       | due_date
        offer | acme         | task | true    | pending     | Offer   | rita    | 2199-01-01 00:00+00 | 2199-02-01
        bill  | birch        | task | true    | pending     | Bill    | olaf    | 2199-01-01 00:00+00 | null
    """)  # fmt: skip
    return owner


def row(owner: Connection, activity: UUID) -> Any:
    return owner.exec_driver_sql("select * from crm_activities where id = %s", (activity,)).one_or_none()


def log(by: Viewer, organizer: str = "acme", activity_id: UUID | None = None, subject: str = "Hello") -> UUID:
    made = activity_id or uuid4()
    activities.log(by=by, activity_id=made, organizer_id=id_of(organizer), kind="call", subject=subject)
    return made


def test_a_logged_activity_is_the_viewer_s_own_and_now(company: Connection, viewer: ViewerOf) -> None:
    logged = row(company, log(viewer("rita")))
    assert (logged.user_id, logged.type, logged.subject) == (PERSONAS["rita"].id, "call", "Hello")
    assert abs((datetime.now(UTC) - logged.activity_date).total_seconds()) < 60
    score = "select engagement_score from crm_organizers where id = %s"
    assert company.exec_driver_sql(score, (id_of("acme"),)).scalar_one() == 10


def test_a_second_click_logs_nothing_more(company: Connection, viewer: ViewerOf) -> None:
    logged = log(viewer("rita"))
    log(viewer("rita"), activity_id=logged, subject="Again")
    assert row(company, logged).subject == "Hello"
    with pytest.raises(Conflict):
        log(viewer("max"), activity_id=logged)


@pytest.mark.parametrize(("who", "organizer"), [("rita", "birch"), ("olaf", "acme"), ("eve", "acme")])
def test_nobody_logs_on_an_organizer_that_is_not_theirs(
    company: Connection, viewer: ViewerOf, who: str, organizer: str
) -> None:
    with pytest.raises(NotAllowed):
        log(viewer(who), organizer)


@pytest.mark.parametrize("who", ["max", "mona", "ada"])
def test_who_manages_or_administers_logs_too(company: Connection, viewer: ViewerOf, who: str) -> None:
    assert row(company, log(viewer(who))).user_id == PERSONAS[who].id


@pytest.mark.parametrize("subject", ["", "x" * 301, "two\nlines"])
def test_a_subject_that_is_none_is_refused(company: Connection, viewer: ViewerOf, subject: str) -> None:
    with pytest.raises(Invalid):
        log(viewer("rita"), subject=subject)


def test_what_was_just_logged_can_be_taken_back(company: Connection, viewer: ViewerOf) -> None:
    logged = log(viewer("rita"))
    for other in ("max", "ada", "eve", "olaf"):
        with pytest.raises(Conflict):
            activities.withdraw(by=viewer(other), activity_id=logged)
    activities.withdraw(by=viewer("rita"), activity_id=logged)
    assert row(company, logged) is None
    with pytest.raises(Conflict):
        activities.withdraw(by=viewer("rita"), activity_id=logged)


@pytest.mark.parametrize("change", ["created_at = now() - interval '11 minutes'", "subject = 'Edited'"])
def test_what_is_older_or_edited_stays(company: Connection, viewer: ViewerOf, change: str) -> None:
    logged = log(viewer("rita"))
    company.exec_driver_sql(f"update crm_activities set {change} where id = %s", (logged,))
    with pytest.raises(Conflict, match="an admin can remove it"):
        activities.withdraw(by=viewer("rita"), activity_id=logged)
    assert row(company, logged)


def test_a_completed_task_counts_from_now_and_can_be_taken_back(company: Connection, viewer: ViewerOf) -> None:
    rita, task = viewer("rita"), id_of("offer")
    planned = activities.complete(by=rita, task_id=task, version=1)
    done = row(company, task)
    assert (planned, done.task_status, done.version) == (PLANNED, "completed", 2)
    assert done.activity_date <= datetime.now(UTC)
    assert done.due_date == datetime(2199, 2, 1, tzinfo=UTC)
    activities.reopen(by=rita, task_id=task, version=2, planned=planned)
    again = row(company, task)
    assert (again.task_status, again.completed_at, again.activity_date) == ("pending", None, PLANNED)


@pytest.mark.parametrize(("who", "task", "version"), [
    ("rita", "offer", 2), ("max", "offer", 1), ("eve", "offer", 1), ("rita", "bill", 1), ("rita", "missing", 1),
])  # fmt: skip
def test_a_task_that_is_not_one_s_own_or_has_changed_stays(
    company: Connection, viewer: ViewerOf, who: str, task: str, version: int
) -> None:
    with pytest.raises(Conflict):
        activities.complete(by=viewer(who), task_id=id_of(task), version=version)
    assert row(company, id_of("offer")).task_status == "pending"


def test_two_who_complete_the_same_task_complete_it_once(company: Connection, viewer: ViewerOf) -> None:
    activities.complete(by=viewer("ada"), task_id=id_of("offer"), version=1)
    with pytest.raises(Conflict, match="changed meanwhile"):
        activities.complete(by=viewer("rita"), task_id=id_of("offer"), version=1)
