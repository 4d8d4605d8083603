"""The stored engagement, last activity and last contact: what the rule says of the activities, after whatever was done."""

# ruff: noqa: E501 (tables are read across)

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.schema.session import Session
from tests.tables import id_of

NOW = dt.datetime(
    2026, 3, 8, 17, 0, tzinfo=dt.UTC
)  # a day on which clocks change in Toronto: days are 24 hours all the same


@pytest.fixture
def acme(db: Session) -> Session:
    """An organizer with a contact and an opportunity, and another one, as of NOW."""
    db.run("select set_config('eventos.effective_time', %s, true)", NOW.isoformat())
    for name in ("acme", "other"):
        db.insert("crm_organizers", id=name, company_name=name, assigned_to="rita")
        db.insert("crm_contacts", id=f"{name} contact", organizer_id=name, full_name=name, email="a@client.example")
        db.insert("crm_opportunities", id=f"{name} deal", organizer_id=name, name=name, stage_id="Lead", value=1)
    return db


def _activity(db: Session, days_ago: float = 0, name: str = "call", **values: object) -> Any:
    when = NOW - dt.timedelta(days=days_ago)
    return db.insert("crm_activities", **{"id": name, "organizer_id": "acme", "type": "call", "subject": "Call", "user_id": "rita",
                                          "activity_date": when} | values)  # fmt: skip


def _score(db: Session, name: str = "acme") -> int:
    return db.read("crm_organizers", name).engagement_score


@pytest.mark.parametrize(("days_ago", "score"), [
    ([0], 10), ([0.99], 10), ([1], 8), ([1.99], 8), ([2], 6), ([5], 0), ([29.99], 0), ([30], 0), ([31], 0), ([1000], 0),
    ([0] * 5, 50), ([0] * 10, 100), ([0] * 11, 100), ([0] * 11 + [31], 100), ([3] * 10, 94), ([20] * 12, 60), ([29] * 9, 40),
    ([30] * 9, 0), ([0, 31], 10), ([31, 0], 10), ([25] * 20, 50), ([29] * 20, 50),
], ids=str)  # fmt: skip
def test_the_rule(acme: Session, days_ago: list[float], score: int) -> None:
    """10 for each of the last 30 days' activities, at most 100; less 2 a day since the last, at most 50; never below 0."""
    for number, days in enumerate(days_ago):
        _activity(acme, days, f"call {number}")
    assert _score(acme) == score


@pytest.mark.parametrize("nothing_yet", [
    {"activity_date": NOW + dt.timedelta(seconds=1)}, {"activity_date": NOW + dt.timedelta(days=60)},
    {"type": "task", "is_task": True, "task_status": "pending"}, {"type": "task", "is_task": True, "task_status": "cancelled"},
], ids=str)  # fmt: skip
def test_what_has_not_happened_does_not_count(acme: Session, nothing_yet: dict[str, object]) -> None:
    _activity(acme, contact_id="acme contact", **nothing_yet)
    assert (_score(acme), acme.read("crm_organizers", "acme").last_activity_at) == (0, None)
    assert acme.read("crm_contacts", "acme contact").last_contact_date is None


def test_a_completed_task_has_happened(acme: Session) -> None:
    _activity(acme, type="task", is_task=True, task_status="pending")
    assert _score(acme) == 0
    acme.update("crm_activities", "call", task_status="completed")
    assert _score(acme) == 10
    acme.update("crm_activities", "call", task_status="cancelled")
    assert _score(acme) == 0


@pytest.mark.parametrize("parent", [{"contact_id": "acme contact"}, {"opportunity_id": "acme deal"}], ids=str)
def test_counts_what_hangs_on_a_contact_or_an_opportunity(acme: Session, parent: dict[str, object]) -> None:
    _activity(acme, organizer_id=None, **parent)
    assert (_score(acme), _score(acme, "other")) == (10, 50)


def test_counts_a_thousand(acme: Session) -> None:
    acme.run(
        "insert into crm_activities (organizer_id, type, subject, user_id, activity_date)"
        " select %s, 'call', 'Call', assigned_to, %s - number * interval '1 minute'"
        " from crm_organizers, generate_series(1, 5000) as number where id = %s",
        id_of("acme"), NOW, id_of("acme"),
    )  # fmt: skip
    assert _score(acme) == 100
    acme.update("crm_organizers", "acme", industry="Sports")
    acme.run("delete from crm_activities")
    assert _score(acme) == 0


def test_a_moved_activity_counts_where_it_has_gone(acme: Session) -> None:
    _activity(acme)
    acme.update("crm_activities", "call", organizer_id="other")
    assert (_score(acme), _score(acme, "other")) == (0, 10)


def test_a_merged_contact_takes_its_activities_along(acme: Session) -> None:
    _activity(acme, contact_id="acme contact")
    acme.update("crm_contacts", "acme contact", organizer_id="other", email="b@client.example")
    assert (_score(acme), _score(acme, "other")) == (0, 10)


def test_a_colleague_s_activity_counts_whoever_edits(acme: Session) -> None:
    """With the owner's rights: a rep's own would not show what others did on the account that was theirs."""
    acme.run("select set_config('eventos.effective_time', '', true)")
    _activity(acme, user_id="olaf", activity_date=acme.one("select now()"))
    acme.update("crm_organizers", "acme", assigned_to="ravi")
    with acme.acting("ravi"):
        acme.run(
            "insert into crm_activities (organizer_id, type, subject, user_id) select id, 'call', 'Call', assigned_to"
            " from crm_organizers where company_name = 'acme'"
        )
    assert _score(acme) == 20


def test_an_edit_of_the_organizer_leaves_it(acme: Session) -> None:
    acme.update("crm_organizers", "acme", engagement_score=77)
    assert acme.update("crm_organizers", "acme", industry="Sports").engagement_score == 77


def test_takes_no_part_in_an_edit_of_somebody_else(acme: Session) -> None:
    before = acme.read("crm_organizers", "acme").version
    _activity(acme)
    assert acme.read("crm_organizers", "acme").version == before


def test_reads_the_organizer_s_activities_from_the_index(acme: Session) -> None:
    acme.use_only("idx_activities_happened")
    plan = "\n".join(
        row[0] for row in acme.rows(
            "explain select count(*), max(activity_date) from crm_activities where organizer_id = %s and activity_date <= now()"
            " and (task_status is null or task_status = 'completed')", id_of("acme"),
        )
    )  # fmt: skip
    assert "Index Only Scan using idx_activities_happened " in plan


# Whatever is done, what is stored is what the rule says -----------------------------------------------------------


@dataclass
class Model:
    """The same activities in plain Python."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def happened(self, key: str, name: str) -> list[dt.datetime]:
        return [
            row["activity_date"] for row in self.rows.values()
            if row[key] == name and row["activity_date"] <= NOW and row["task_status"] in (None, "completed")
        ]  # fmt: skip

    def score(self, organizer: str) -> int:
        dates = self.happened("organizer_id", organizer)
        if not dates:
            return 0
        recent = sum(NOW - date < dt.timedelta(days=30) for date in dates)
        return max(0, min(100, 10 * recent) - min(50, 2 * (NOW - max(dates)).days))


_ACTIVITY = st.fixed_dictionaries({
    "organizer_id": st.sampled_from(["acme", "other"]),
    "with_contact": st.booleans(),
    "with_deal": st.booleans(),
    "hours_ago": st.integers(-100, 24 * 40),
    "task_status": st.sampled_from([None, None, None, "pending", "completed", "cancelled"]),
})  # fmt: skip
_STEPS = st.lists(
    st.tuples(st.sampled_from(["one", "two", "three", "four"]), st.none() | _ACTIVITY), min_size=1, max_size=15
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_stored_is_what_the_rule_says(acme: Session, steps: list[tuple[str, dict[str, Any] | None]]) -> None:
    with acme.undone():
        model = Model()
        for name, drawn in steps:
            if drawn is None:
                acme.run("delete from crm_activities where id = %s", id_of(name))
                model.rows.pop(name, None)
            else:
                row = _row(drawn)
                if name in model.rows:
                    acme.update("crm_activities", name, **row)
                else:
                    acme.insert("crm_activities", id=name, user_id="rita", subject="Call", **row)
                model.rows[name] = row
        for organizer in {row["organizer_id"] for row in model.rows.values()}:
            stored = acme.read("crm_organizers", organizer)
            dates = model.happened("organizer_id", organizer)
            assert (stored.engagement_score, stored.last_activity_at) == (
                model.score(organizer),
                max(dates, default=None),
            )
            dates = model.happened("contact_id", f"{organizer} contact")
            assert acme.read("crm_contacts", f"{organizer} contact").last_contact_date == max(dates, default=None)


def _row(drawn: dict[str, Any]) -> dict[str, Any]:
    organizer, status = drawn["organizer_id"], drawn["task_status"]
    return {
        "organizer_id": organizer,
        "contact_id": f"{organizer} contact" if drawn["with_contact"] else None,
        "opportunity_id": f"{organizer} deal" if drawn["with_deal"] else None,
        "activity_date": NOW - dt.timedelta(hours=drawn["hours_ago"]),
        "type": "task" if status else "call", "is_task": status is not None, "task_status": status,
    }  # fmt: skip
