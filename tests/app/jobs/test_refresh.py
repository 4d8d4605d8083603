"""The refresh on a real database: what it writes, what it leaves alone, and what cannot break it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection, text

from app import database as doors
from app import demo, schema
from app.errors import Unavailable
from app.jobs import refresh
from app.settings import Settings
from queries import health
from queries.scope import Period, Scope
from tests.conftest import settings_of
from tests.schema.conftest import own_database
from tests.tables import given, id_of

ReadingAs = Callable[..., AbstractContextManager[Connection]]
WRITTEN = (
    *("crm_organizers", "crm_opportunities", "crm_organizer_scores", "crm_organizer_health", "crm_model_runs"),
    *("crm_refreshes", "crm_audit", "crm_opportunity_history", "crm_contacts"),
)


@pytest.fixture
def company(owner: Connection) -> Connection:
    """Two organizers of Rita's: one with everything, one of which nothing is known."""
    given(
        owner,
        "crm_organizers",
        """
        id    | company_name | event_history                                       | assigned_to
        acme  | Acme         | [{"event_date": "2022-05-01", "satisfaction": 4}]   | rita
        plain | Plain        |                                                     | rita
        """,
    )
    given(
        owner,
        "events",
        """
        organizer_id | name    | event_date
        acme         | Gala 23 | 2023-05-01
        acme         | Gala 24 | 2024-05-01
        """,
    )
    given(
        owner,
        "crm_opportunities",
        """
        id   | organizer_id | name | stage_id | value | assigned_to
        gala | acme         | Gala | Proposal | 100   | rita
        """,
    )
    owner.exec_driver_sql(
        "insert into crm_activities (organizer_id, user_id, type, subject, activity_date)"
        " select %s, %s, 'call', 'Call', now() - n * interval '5 days 1 hour' from generate_series(0, 4) as n",
        (id_of("acme"), id_of("rita")),
    )
    return owner


def state(owner: Connection) -> dict[str, list[str]]:
    """Everything that the refresh could change, row by row, with the transaction that wrote it."""
    return {
        name: sorted(
            owner.exec_driver_sql(f"select xmin::text || to_jsonb(record)::text from {name} as record").scalars()
        )
        for name in WRITTEN
    }


def organizer(owner: Connection, name: str) -> Any:
    return owner.exec_driver_sql("select * from crm_organizers where id = %s", (id_of(name),)).one()


def health_of(owner: Connection, name: str) -> Any:
    return owner.exec_driver_sql("select * from crm_organizer_health where organizer_id = %s", (id_of(name),)).one()


def test_it_scores_everybody(company: Connection) -> None:
    assert refresh.run() == {"organizers": 2, "opportunities": 1}
    acme, how = organizer(company, "acme"), health_of(company, "acme")
    assert acme.scored_at is not None
    assert acme.engagement_score == 50
    # engagement 50 × 30, a trend of 100 × 15, a clock that has run out × 25, one open opportunity 50 × 10, of 80
    assert how.parts == {"engagement": 50, "trend": 100, "clock": 0, "pipeline": 50}
    assert how.observed_share == 0.8
    assert acme.health_score == round((50 * 30 + 100 * 15 + 50 * 10) / 80)
    assert sum(how.why["health"].values()) == pytest.approx(float(how.health))
    assert how.churned_on == date(2024, 5, 1) + timedelta(days=549)  # 1.5 × 365.5, its own gap
    assert acme.churn_risk == "high"
    plain = health_of(company, "plain")
    assert (plain.parts, plain.observed_share, plain.churned_on, plain.churn_probability) == (
        {"pipeline": 0},
        0.1,
        None,
        None,
    )
    written = company.exec_driver_sql(
        "select * from crm_organizer_scores where organizer_id = %s", (id_of("acme"),)
    ).one()
    assert (written.engagement_score, written.health_score, written.churn_risk) == (50, acme.health_score, "high")


def test_the_stored_engagement_is_that_of_the_view(company: Connection) -> None:
    company.exec_driver_sql("update crm_organizers set engagement_score = 99")
    refresh.run()
    wrong = "select count(*) from crm_organizers join analytics.organizer_engagement on organizer_id = id"
    assert company.exec_driver_sql(f"{wrong} where engagement_score <> score").scalar() == 0


def test_an_opportunity_without_a_model_is_told_what_is_missing(company: Connection) -> None:
    refresh.run()
    gala = company.exec_driver_sql("select ai_score, ai_insights, scored_at from crm_opportunities").one()
    assert gala.scored_at is not None
    assert gala.ai_score == 50
    told = gala.ai_insights
    assert told["basis"] == (
        "No score. Too little to learn from: 0 opportunities won by their expected close, and a model takes 50."
    )
    assert told["next_action"] == "Plan a next step: none is pending or scheduled."
    assert told["risk_factors"] == []
    assert told["recommendations"] == [
        "Plan a next step: none is pending or scheduled.",
        "Agree on a closing date: there is none.",
        "Find out who decides: no contact is marked as a decision maker.",
        "Get in touch: nothing happened on it in 30 days.",
    ]


def test_a_second_run_on_the_same_day_changes_nothing(company: Connection) -> None:
    refresh.run()
    before = state(company)
    refresh.run()
    assert state(company) == before


def test_a_refresh_is_no_edit(company: Connection) -> None:
    def edits() -> Any:
        return company.exec_driver_sql(
            "select array_agg(version order by id), array_agg(updated_at order by id), (select count(*) from crm_audit)"
            " from crm_organizers"
        ).one()

    before = edits()
    refresh.run()
    assert edits() == before
    company.exec_driver_sql("update crm_organizers set industry = 'Festivals'")
    after = edits()
    assert after[0] == [version + 1 for version in before[0]]
    assert after[2] == before[2] + 2


def test_what_was_interrupted_is_completed(company: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "BATCH", 1)
    written = []

    def stop_after_one(_connection: Connection, _calendar: Any, rows: pd.DataFrame) -> None:
        written.append(rows)
        if len(written) > 1:
            raise KeyboardInterrupt
        write(_connection, _calendar, rows)

    write = refresh._write_organizers
    monkeypatch.setattr(refresh, "_write_organizers", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        refresh.run()
    assert company.exec_driver_sql("select count(*) from crm_organizer_health").scalar() == 1
    assert refresh.is_due(company)
    monkeypatch.setattr(refresh, "_write_organizers", write)
    refresh.run()
    assert company.exec_driver_sql("select count(*) from crm_organizer_health").scalar() == 2
    assert not refresh.is_due(company)


def test_two_refreshes_are_not_at_work_at_once(company: Connection) -> None:
    with doors.owning() as other:
        other.exec_driver_sql("select pg_advisory_xact_lock(%s)", (refresh._ONE_AT_A_TIME,))
        with pytest.raises(Unavailable, match="Another refresh is at work"):
            refresh.run()


def test_forgets_forms_that_nobody_can_send_again(company: Connection) -> None:
    given(
        company,
        "crm_submissions",
        """
        key   | user_id
        new   | rita
        month | rita
        """,
    )
    company.exec_driver_sql("update crm_submissions set made_at = now() - interval '29 days'")
    company.exec_driver_sql(
        "update crm_submissions set made_at = now() - interval '31 days' where key = %s", (id_of("month"),)
    )
    refresh.run()
    assert company.exec_driver_sql("select key from crm_submissions").scalars().all() == [id_of("new")]


def test_people_work_on_beside_it(company: Connection, writing_as: ReadingAs) -> None:
    """An activity that is logged while its organizer is being scored is in the score when both are done."""
    with writing_as("rita") as db:
        db.execute(
            text("insert into crm_activities (organizer_id, type, subject) values (:organizer, 'call', 'Beside')"),
            {"organizer": id_of("acme")},
        )
        beside = threading.Thread(target=refresh.run)
        beside.start()
        beside.join(0.5)  # it waits for the row, or has not come to it yet: either is fine
    beside.join()
    assert organizer(company, "acme").engagement_score == 60


def test_the_reasons_are_frozen_once_it_has_churned(company: Connection) -> None:
    refresh.run()
    before = health_of(company, "acme").why
    company.exec_driver_sql("delete from crm_activities")
    refresh.run()
    after = health_of(company, "acme")
    assert after.why == before
    assert after.parts != {"engagement": 50}
    # It comes back: then there is something to explain again.
    company.exec_driver_sql(
        "insert into events (organizer_id, name, event_date) values (%s, 'Gala', current_date - 20)", (id_of("acme"),)
    )
    refresh.run()
    back = health_of(company, "acme")
    assert back.churned_on is None
    assert back.why != before


@pytest.mark.parametrize(
    "history",
    [
        [1, "text", None, [], {}, {"event_date": 5}, {"event_date": "2024-13-45"}, {"event_date": "2023-02-29"}],
        [{"event_date": "9999-12-31", "satisfaction": 3}, {"event_date": "2024-05-01", "satisfaction": 1e300}],
        [{"event_date": "2024-05-01T10:00:00Z", "satisfaction": -4, "revenue": "lots"}, {"event_date": {"a": 1}}],
        [{"event_date": "2024-05-01", "revenue": 1e40, "satisfaction": "5"}, {"event_date": "0000-00-00"}],
        [{"event_id": {"x": []}, "event_date": "2024-05-01", "satisfaction": True}],
    ],
)
def test_an_event_history_of_any_shape(company: Connection, reading_as: ReadingAs, history: list[Any]) -> None:
    company.exec_driver_sql("update crm_organizers set event_history = %s::jsonb", (json.dumps(history),))
    assert refresh.run() == {"organizers": 2, "opportunities": 1}
    today = date(2025, 11, 5)
    scope = Scope(today, today, Period.of("quarter", today), "CAD", "America/Toronto")
    with reading_as("rita", today) as db:
        assert len(health.events(db, scope, id_of("acme"))) >= 2
        health.timeline(db, scope, id_of("acme"))


def test_an_activity_in_the_year_9999(company: Connection) -> None:
    """Stored by an older system, before there was a check."""
    company.exec_driver_sql("alter table crm_activities drop constraint crm_activities_activity_date_check")
    company.exec_driver_sql(
        "insert into crm_activities (organizer_id, user_id, type, subject, activity_date)"
        " values (%(o)s, %(u)s, 'call', 'Far', '9999-12-31'), (%(o)s, %(u)s, 'call', 'Long ago', '0001-01-01 BC')",
        {"o": id_of("acme"), "u": id_of("rita")},
    )
    try:
        refresh.run()
        assert organizer(company, "acme").engagement_score == 50
    finally:
        company.exec_driver_sql("delete from crm_activities")
        company.exec_driver_sql(
            "alter table crm_activities add constraint crm_activities_activity_date_check"
            " check (app.is_moment(activity_date))"
        )


def test_a_hundred_thousand_activities_on_one_organizer(company: Connection) -> None:
    company.exec_driver_sql("alter table crm_activities disable trigger user")
    company.exec_driver_sql(
        "insert into crm_activities (organizer_id, user_id, type, subject, activity_date)"
        " select %s, %s, 'call', 'Call', now() - n * interval '10 minutes' from generate_series(1, 100000) as n",
        (id_of("acme"), id_of("rita")),
    )
    company.exec_driver_sql("alter table crm_activities enable trigger user")
    refresh.run()
    assert organizer(company, "acme").engagement_score == 100


def test_an_empty_company(owner: Connection) -> None:
    assert not refresh.is_due(owner)
    assert refresh.run() == {"organizers": 0, "opportunities": 0}
    cards = refresh.model_runs(owner)
    assert [(card["model"], card["n"], card["abstained"]) for card in cards] == [("churn", 0, True), ("win", 0, True)]


# The demo company -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grown(server: Any, database: Settings) -> Iterator[Connection]:
    """The demo company up to today, refreshed."""
    with own_database(server, "refreshed", "template1") as name:
        doors.use(settings_of(server, name, database.data_dir))
        with doors.owning() as connection:
            schema.migrate(connection)
            demo.load(connection, scale=0.5)
        refresh.run()
        with doors.owning() as connection:
            yield connection
        doors.use(database)


def test_what_it_learns_of_the_demo_company(grown: Connection) -> None:
    churn, win = refresh.model_runs(grown)
    assert not churn["abstained"], churn["reason"]
    assert churn["events"] > 200
    assert churn["auc"] > 0.85
    assert churn["brier"] < 0.6 * churn["brier_base"]
    assert not win["abstained"], win["reason"]
    assert win["brier"] < win["brier_base"]


def test_every_score_of_the_demo_company_adds_up(grown: Connection) -> None:
    rows = grown.exec_driver_sql("select * from crm_organizer_health").all()
    assert len(rows) == 1000
    for row in rows:
        assert sum(row.why["health"].values()) == pytest.approx(float(row.health), abs=1e-6)
        if row.churn_probability:
            assert sum(row.why["churn"].values()) == pytest.approx(100 * row.churn_probability, abs=1e-6)
    assert sum(row.churn_probability is not None for row in rows) > 300
    stored = grown.exec_driver_sql(
        "select count(*) from crm_organizers join crm_organizer_health on organizer_id = id"
        " where health_score <> floor(health + 0.5) or (churned_on is not null) and churn_risk <> 'high'"
    ).scalar()
    assert stored == 0


def test_every_open_opportunity_has_something_to_say(grown: Connection) -> None:
    rows = grown.exec_driver_sql("select ai_score, ai_insights from crm_opportunities where status = 'open'").all()
    assert rows
    for row in rows:
        told = row.ai_insights
        assert set(told) == {"basis", "risk_factors", "next_action", "recommendations", "points"}
        assert row.ai_score == pytest.approx(sum(told["points"].values()), abs=0.5001)
        assert told["basis"].startswith("An estimate, not a promise: ")
        assert all(any(letter.isdigit() for letter in risk) for risk in told["risk_factors"])
    assert len({row.ai_score for row in rows}) > 20
