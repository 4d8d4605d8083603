"""Each problem is found in the row that has it, and not in the decoys beside it."""

# ruff: noqa: E501 (tables and statements are read across)

from datetime import date
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from queries import quality
from queries.quality import PROBLEMS
from tests.queries.compare import records
from tests.queries.conftest import Ask
from tests.queries.history import happens
from tests.tables import given, id_of

GOOD = '{"event_date": "2024-05-01", "satisfaction": 4, "revenue": 10}'
HISTORIES = {  # of which problem, and what is said of it
    "[]": None,
    f"[{GOOD}]": None,
    f"[{GOOD}, 1]": ("history_unreadable", "1 of 2 entries are no event with a day"),
    '[{"event_date": "2024-02-30", "satisfaction": 4}]': (
        "history_unreadable",
        "1 of 1 entries are no event with a day",
    ),
    '["x", null, [], {}, {"event_date": 7}]': ("history_unreadable", "5 of 5 entries are no event with a day"),
    '[{"event_date": "2024-05-01", "satisfaction": 0}]': ("satisfaction_wrong", "1 of 1 entries"),
    '[{"event_date": "2024-05-01", "satisfaction": 0.99}, {"event_date": "2024-05-01", "satisfaction": 5.01}]': (
        "satisfaction_wrong",
        "2 of 2 entries",
    ),
    '[{"event_date": "2024-05-01", "satisfaction": 1}, {"event_date": "2024-05-01", "satisfaction": 5}]': None,
    '[{"event_date": "2024-05-01", "satisfaction": "very"}]': ("satisfaction_wrong", "1 of 1 entries"),
    '[{"event_date": "2024-05-01", "satisfaction": 1e400}]': ("satisfaction_wrong", "1 of 1 entries"),
    '[{"event_date": "2024-05-01", "satisfaction": null}]': ("satisfaction_missing", "1 of 1 events"),
    f'[{{"event_date": "2024-05-01"}}, {GOOD}]': ("satisfaction_missing", "1 of 2 events"),
    '[{"event_date": "2024-05-01", "satisfaction": 5, "revenue": -1}]': ("history_amount", "1 of 1 entries"),
    '[{"event_date": "2024-05-01", "satisfaction": 5, "revenue": "much"}]': ("history_amount", "1 of 1 entries"),
}


@pytest.fixture
def clean(company: Connection) -> Connection:
    """Acme is Rita's and Beta Ravi's, each with somebody who decides; Gamma is archived, and everything is wrong there."""
    given(company, "crm_contacts", """
        organizer_id | full_name | email         | is_decision_maker
        acme         | Ann       | ann@a.example | true
        beta         | Ben       | ben@b.example | true
    """)  # fmt: skip
    company.exec_driver_sql(
        "update crm_organizers set assigned_to = null, company_name = 'Acme' where status = 'archived'"
    )
    return company


def counts(ask: Ask, who: str = "ada", **chosen: Any) -> dict[str, int]:
    found = ask(who, quality.problems, **chosen)
    assert list(found["problem"]) == list(PROBLEMS)
    return {problem: rows for problem, rows in zip(found["problem"], found["rows"], strict=True) if rows}


def test_nothing_is_wrong_with_what_is_right(clean: Connection, ask: Ask) -> None:
    assert counts(ask) == {}


@pytest.mark.parametrize("told", HISTORIES)
def test_an_event_history_of_any_shape(clean: Connection, ask: Ask, told: str) -> None:
    clean.exec_driver_sql("update crm_organizers set event_history = %s where company_name = 'Beta'", (told,))
    problem = HISTORIES[told]
    assert counts(ask) == ({problem[0]: 1} if problem else {})
    if problem:
        (row,) = records(ask("ada", quality.rows, problem[0]))
        assert (row["record"], row["detail"], row["owner"], row["organizer_id"]) == (
            "Beta",
            problem[1],
            "Ravi",
            str(id_of("beta")),
        )


@pytest.mark.parametrize(
    ("deal", "problem"),
    [
        ("Lead | 5 | CAD | rita | 2025-11-05", None),
        ("Lead | 5 | CAD | rita | 2025-11-04", "overdue"),
        ("Lead | 5 | CAD | rita | null      ", "undated"),
        ("Lead | 0 | CAD | rita | 2025-12-01", "worthless"),
        ("Lead | 5 | JPY | rita | 2025-12-01", "open_without_rate"),
        ("Lead | 5 | USD | rita | 2025-12-01", None),
        ("Lead | 5 | CAD | null | 2025-12-01", "opportunity_without_owner"),
        ("Lead | 5 | CAD | dora | 2025-12-01", "opportunity_of_leaver"),
        ("Won  | 5 | JPY | rita | 2025-11-01", "closed_without_rate"),
        ("Lost | 0 | JPY | dora | 2025-11-01", "closed_without_rate"),
        ("Won  | 0 | CAD | dora | 2025-11-01", None),
    ],
)  # fmt: skip
def test_an_opportunity(clean: Connection, ask: Ask, deal: str, problem: str | None) -> None:
    clean.exec_driver_sql("update crm_organizers set event_history = %s where status <> 'archived'", (f"[{GOOD}]",))
    happens(clean, f"""
        at               | deal | organizer_id | stage_id | value | currency | assigned_to | expected_close_date
        2025-10-01 12:00 | Gala | acme         | {deal}
    """)  # fmt: skip
    assert counts(ask) == ({problem: 1} if problem else {})


def test_a_rate_that_begins_after_the_closing_day_is_none(clean: Connection, ask: Ask) -> None:
    clean.exec_driver_sql("update crm_organizers set event_history = %s where status <> 'archived'", (f"[{GOOD}]",))
    given(clean, "crm_exchange_rates", "currency | rate_date | rate\nJPY | 2025-10-15 | 0.01\nCHF | 2025-11-06 | 1.5")
    happens(clean, """
        at               | deal  | organizer_id | stage_id | value | currency | assigned_to | actual_close_date | expected_close_date
        2025-10-01 12:00 | Early | acme         | Won      | 5     | JPY      | rita        | 2025-10-14        | 2025-12-01
        2025-10-20 12:00 | Late  | acme         | Won      | 5     | JPY      | rita        | 2025-10-15        | 2025-12-01
        2025-10-20 12:00 | Open  | acme         | Lead     | 5     | CHF      | rita        |                   | 2025-12-01
    """)  # fmt: skip
    assert counts(ask) == {"closed_without_rate": 1, "open_without_rate": 1}
    assert records(ask("ada", quality.rows, "closed_without_rate"))[0]["record"] == "Early"
    assert counts(ask, as_of=date(2025, 11, 6)) == {"closed_without_rate": 1}


def test_an_organizer(clean: Connection, ask: Ask) -> None:
    given(clean, "crm_organizers", """
        id    | company_name | assigned_to | status
        bare  | Bare         | rita        | active
        vague | Vague        | rita        | prospect
        loose | Loose        | null        | active
        left  | Left         | dora        | active
        twin  | ACMÉ         | ravi        | active
    """)  # fmt: skip
    for name in ("loose", "left", "twin"):
        given(
            clean,
            "crm_contacts",
            f"organizer_id | full_name | email | is_decision_maker\n{name} | Cy | cy@c.example | true",
        )
    given(
        clean, "crm_contacts", "organizer_id | full_name | email\nvague | Di | di@d.example\nvague | Ed | ed@d.example"
    )
    assert counts(ask) == {
        "no_contacts": 1, "no_decision_maker": 1, "organizer_without_owner": 1, "organizer_of_leaver": 1, "organizer_twice": 2,
    }  # fmt: skip
    assert records(ask("ada", quality.rows, "no_decision_maker"))[0]["detail"] == "none of 2"
    assert [row["record"] for row in records(ask("ada", quality.rows, "organizer_twice"))] == ["ACMÉ", "Acme"]
    # Her twin is a colleague's: she doesn't learn of it.
    assert counts(ask, "rita") == {"no_contacts": 1, "no_decision_maker": 1}
    assert counts(ask, "olaf") == {}


def test_wins_without_an_event(clean: Connection, ask: Ask) -> None:
    happens(clean, """
        at               | deal | organizer_id | stage_id | value | assigned_to
        2025-10-01 12:00 | Gala | acme         | Won      | 5     | rita
        2025-10-01 12:00 | Expo | beta         | Won      | 5     | ravi
    """)  # fmt: skip
    given(clean, "events", "organizer_id | name | event_date\nbeta | Expo | 2026-01-01")
    assert counts(ask) == {"won_without_events": 1}
    assert counts(ask, "ravi") == {}


def test_activities_and_tasks(clean: Connection, ask: Ask) -> None:
    given(clean, "crm_activities", """
        organizer_id | type | due_date   | task_status | is_task | subject  | user_id | activity_date
        acme         | call | null       | null        | false   | Beyond   | rita    | 2199-01-01
        acme         | call | null       | null        | false   | Ordinary | dora    | 2025-01-01
        acme         | task | null       | pending     | true    | Undated  | rita    | 2025-01-01
        acme         | task | 2025-12-01 | pending     | true    | Left     | dora    | 2025-01-01
        acme         | task | null       | completed   | true    | Done     | dora    | 2025-01-01
    """)  # fmt: skip
    assert counts(ask) == {"activity_far_ahead": 1, "task_undated": 1, "task_of_leaver": 1}
    assert records(ask("rita", quality.rows, "activity_far_ahead"))[0]["detail"] == "dated 2199-01-01"


def test_what_an_older_system_stored_before_the_checks(
    clean: Connection, superuser: psycopg.Connection[Any], ask: Ask
) -> None:
    """The year 9999, and time zones that the database knew once."""
    given(clean, "crm_activities", "organizer_id | type | subject | user_id\nacme | call | Call | rita")
    superuser.execute("set session_replication_role = replica")
    for table, change, constraint in [
        ("crm_activities", "activity_date = '9999-12-31 12:00+00'", "crm_activities_activity_date_check"),
        ("crm_contacts", "timezone = 'Mars/Phobos'", "crm_contacts_timezone_check"),
        ("crm_profiles", "time_zone = 'Mars/Phobos'", "crm_profiles_time_zone_check"),
    ]:
        definition = superuser.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", (constraint,)
        ).fetchone()
        assert definition
        superuser.execute(f"alter table {table} drop constraint {constraint}")
        where = " where full_name = 'Olaf'" if table == "crm_profiles" else ""
        superuser.execute(f"update {table} set {change}{where}")
        superuser.execute(f"alter table {table} add constraint {constraint} {definition[0]} not valid")
    try:
        assert counts(ask) == {"activity_far_ahead": 1, "contact_time_zone": 2, "person_time_zone": 1}
        assert records(ask("ada", quality.rows, "activity_far_ahead"))[0]["detail"] == "dated 9999-12-31"
        assert records(ask("ada", quality.rows, "person_time_zone"))[0]["detail"] == "Mars/Phobos"
    finally:
        superuser.execute("update crm_activities set activity_date = now()")
        superuser.execute("update crm_contacts set timezone = 'UTC'")
        superuser.execute("update crm_profiles set time_zone = 'UTC'")
        for table, constraint in [("crm_activities", "crm_activities_activity_date_check"), ("crm_contacts", "crm_contacts_timezone_check"),
                                  ("crm_profiles", "crm_profiles_time_zone_check")]:  # fmt: skip
            superuser.execute(f"alter table {table} validate constraint {constraint}")


def test_a_stage_out_of_use(clean: Connection, ask: Ask) -> None:
    happens(clean, """
        at               | deal | organizer_id | stage_id  | value | assigned_to | expected_close_date
        2025-10-01 12:00 | Gala | acme         | Qualified | 5     | rita        | 2025-12-01
        2025-10-01 12:00 | Expo | acme         | Lead      | 5     | rita        | 2025-12-01
    """)  # fmt: skip
    clean.exec_driver_sql("update crm_pipeline_stages set is_active = false where name = 'Qualified'")
    (row,) = records(ask("rita", quality.rows, "stage_out_of_use"))
    assert (row["record"], row["detail"], row["organizer"]) == ("Gala", "Qualified is not active", "Acme")


def test_a_target_without_a_rate(clean: Connection, ask: Ask) -> None:
    given(clean, "crm_targets", """
        user_id | period_start | amount | currency
        rita    | 2025-10-01   | 5      | JPY
        ravi    | 2025-10-01   | 5      | USD
        ravi    | 2026-01-01   | 5      | CAD
    """)  # fmt: skip
    assert counts(ask) == counts(ask, "rita") == {"target_without_rate": 1}
    assert counts(ask, "ravi") == {}


def test_of_many_rows_the_first_ones_come_with_the_number_of_all(clean: Connection, ask: Ask) -> None:
    clean.exec_driver_sql(
        "insert into crm_organizers (company_name, assigned_to) select 'Bare ' || to_char(n, 'FM0000'), %s from generate_series(1, 1500) n",
        (id_of("rita"),),
    )  # fmt: skip
    found = ask("rita", quality.rows, "no_contacts")
    assert len(found) == 1000
    assert set(found["total"]) == {1500}
    assert found["record"].iloc[-1] == "Bare 1000"
    assert counts(ask, "rita")["no_contacts"] == 1500
