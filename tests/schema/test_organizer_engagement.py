"""The engagement score as of now, beside the stored one: whatever was done, they agree when they are refreshed."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.schema.session import Session
from tests.tables import id_of

HALF_AN_HOUR = dt.timedelta(minutes=30)  # away from where a whole day is over


@pytest.fixture
def acme(db: Session) -> Session:
    """Rita's organizer with a contact and an opportunity, and one of Olaf's."""
    for name, owner in (("acme", "rita"), ("other", "olaf")):
        db.insert("crm_organizers", id=name, company_name=name, assigned_to=owner)
        db.insert("crm_contacts", id=f"{name} contact", organizer_id=name, full_name=name, email="a@client.example")
        db.insert("crm_opportunities", id=f"{name} deal", organizer_id=name, name=name, stage_id="Lead", value=1)
    return db


_ACTIVITY = st.fixed_dictionaries({
    "organizer": st.sampled_from(["acme", "other"]),
    "through": st.sampled_from(["organizer", "contact", "deal"]),
    "hours_ago": st.integers(-1000, 24 * 60) | st.integers(0, 72),
    "status": st.sampled_from([None, None, "pending", "completed", "cancelled"]),
    "times": st.sampled_from([1, 1, 1, 30]),
    "user": st.sampled_from(["rita", "olaf", "ada"]),
    "deleted": st.booleans(),
})  # fmt: skip


def _score(hours: list[int]) -> int:
    """The rule of the schema document, made safe, over ages in hours and a half."""
    ages = [dt.timedelta(hours=age) + HALF_AN_HOUR for age in hours]
    past = [age for age in ages if age >= dt.timedelta()]
    if not past:
        return 0
    recent = sum(age < dt.timedelta(days=30) for age in past)
    return max(0, min(100, min(100, 10 * recent) - min(50, 2 * min(past).days)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(_ACTIVITY, max_size=12))
def test_the_score_of_now_is_the_rule_s_and_the_stored_one_s(acme: Session, history: list[dict[str, Any]]) -> None:
    with acme.undone():
        counted: dict[str, list[int]] = {"acme": [], "other": []}
        for number, drawn in enumerate(history):
            _do(acme, number, drawn)
            if drawn["status"] in (None, "completed") and not drawn["deleted"]:
                counted[drawn["organizer"]] += [drawn["hours_ago"]] * drawn["times"]
        wanted = {id_of(name): _score(hours) for name, hours in counted.items()}
        shown = "select organizer_id, score from analytics.organizer_engagement"
        for name, sees in (("rita", ["acme"]), ("olaf", ["other"]), ("mona", ["acme"]), ("eve", ["acme", "other"])):
            with acme.acting(name):
                assert dict(acme.rows(shown)) == {id_of(organizer): wanted[id_of(organizer)] for organizer in sees}
        acme.run("select app.update_engagement((select array_agg(id) from crm_organizers), null)")
        assert dict(acme.rows("select id, engagement_score from crm_organizers")) == wanted


def _do(db: Session, number: int, drawn: dict[str, Any]) -> None:
    organizer, status = drawn["organizer"], drawn["status"]
    parent = {"contact": "contact_id", "deal": "opportunity_id"}.get(drawn["through"], "organizer_id")
    of = organizer if parent == "organizer_id" else f"{organizer} {drawn['through']}"
    for time in range(drawn["times"]):
        db.insert(
            "crm_activities", id=f"{number} {time}", subject="Hello", user_id=drawn["user"],
            type="task" if status else "call", is_task=bool(status), task_status=status,
            activity_date=db.one("select now()") - dt.timedelta(hours=drawn["hours_ago"]) - HALF_AN_HOUR,
            **{parent: of},
        )  # fmt: skip
        if drawn["deleted"]:
            db.run("delete from crm_activities where id = %s", id_of(f"{number} {time}"))


def test_a_score_decays_although_nobody_edits(acme: Session) -> None:
    """What was stored when the call was made says 10; twelve days later that is not so any more."""
    acme.run("select set_config('eventos.effective_time', (now() - interval '12 days')::text, true)")
    acme.insert("crm_activities", organizer_id="acme", type="call", subject="Call", user_id="rita",
                activity_date=acme.one("select now() - interval '12 days'"))  # fmt: skip
    assert acme.read("crm_organizers", "acme").engagement_score == 10
    shown = "select score from analytics.organizer_engagement where organizer_id = %s"
    assert acme.one(shown, id_of("acme")) == 0


def test_an_appointment_counts_from_its_time_on(acme: Session) -> None:
    acme.run("select set_config('eventos.effective_time', (now() - interval '2 days')::text, true)")
    acme.insert("crm_activities", organizer_id="acme", type="meeting", subject="Visit", user_id="rita",
                activity_date=acme.one("select now() - interval '1 hour'"))  # fmt: skip
    assert acme.read("crm_organizers", "acme").engagement_score == 0
    assert acme.one("select score from analytics.organizer_engagement where organizer_id = %s", id_of("acme")) == 10
