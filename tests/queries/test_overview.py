"""What changed in a week, beside everything that did not."""

# ruff: noqa: E501 (tables are read across)

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection

from queries import overview, pipeline
from tests.queries.conftest import Ask, owned_by
from tests.queries.history import happens
from tests.tables import shows

# The week is 30 October to 5 November; before it began, on 2 November, Toronto put its clocks back.
DEALS = """
    at               | organizer_id | assigned_to | stage_id    | value | currency | expected_close_date | actual_close_date | deal
    2025-09-01 09:00 | acme         | rita        | Lead        | 100   | USD      | 2025-12-10          |                   | Moved
    2025-11-01 09:00 |              |             | Qualified   |       |          |                     |                   | Moved
    2025-11-02 09:00 |              |             | Proposal    |       |          |                     |                   | Moved
    2025-09-01 09:00 | beta         | ravi        | Lead        | 200   | CAD      | 2025-11-10          |                   | Slipped
    2025-11-03 09:00 |              |             |             |       |          | 2026-01-15          |                   | Slipped
    2025-09-01 09:00 | acme         | rita        | Lead        | 10.01 | EUR      | 2025-11-30          |                   | Both
    2025-11-05 09:00 |              |             | Negotiation | 20.02 |          | 2025-12-01          |                   | Both
    2025-09-01 09:00 | acme         | rita        | Lead        | 9999  | JPY      | 2025-12-10          |                   | Yen
    2025-11-05 09:00 |              |             | Qualified   |       |          |                     |                   | Yen
    2025-09-01 09:00 | acme         | rita        | Lead        | 300   | CAD      | 2025-12-10          |                   | Won
    2025-11-04 09:00 |              |             | Won         |       |          |                     | 2025-11-04        | Won
    2025-09-01 09:00 | beta         | ravi        | Lead        | 400   | CAD      | 2025-12-10          |                   | Lost
    2025-10-30 09:00 |              |             | Lost        |       |          |                     | 2025-10-30        | Lost
"""
DECOYS = """
    at               | organizer_id | assigned_to | stage_id  | value | currency | expected_close_date | actual_close_date | deal
    2025-09-01 09:00 | acme         | rita        | Lead      | 7000  | CAD      | 2025-11-10          |                   | Before
    2025-10-29 23:00 |              |             | Qualified |       |          | 2026-02-10          |                   | Before
    2025-10-29 09:00 | acme         | rita        | Won       | 7000  | CAD      |                     | 2025-10-29        | Early
    2025-11-01 09:00 | acme         | rita        | Proposal  | 7000  | CAD      | 2025-12-10          |                   | New
    2025-09-01 09:00 | acme         | rita        | Lead      | 7000  | CAD      | 2025-12-10          |                   | Back
    2025-11-01 09:00 |              |             | Proposal  |       |          |                     |                   | Back
    2025-11-02 09:00 |              |             | Lead      |       |          |                     |                   | Back
    2025-09-01 09:00 | acme         | rita        | Lead      | 7000  | CAD      | 2025-12-10          |                   | Within
    2025-11-02 09:00 |              |             |           | 7001  |          | 2025-12-30          |                   | Within
    2025-09-01 09:00 | acme         | rita        | Lead      | 7000  | CAD      | 2025-12-10          |                   | Sooner
    2025-11-02 09:00 |              |             |           |       |          | 2025-11-30          |                   | Sooner
"""


@pytest.fixture
def week(company: Connection) -> Connection:
    happens(company, DEALS)
    happens(company, DECOYS)
    return company


ALL = """
    kind  | name    | organizer | owner | value  | stage_before | stage       | expected_before | expected_close | total | total_value
    lost  | Lost    | Beta      | Ravi  | 400    |              |             |                 |                | 1     | 400
    slip  | Slipped | Beta      | Ravi  | 200    | Lead         | Lead        | 2025-11-10 00:00:00 | 2026-01-15 00:00:00 | 2 | 240.04
    slip  | Both    | Acme      | Rita  | 40.04  | Lead         | Negotiation | 2025-11-30 00:00:00 | 2025-12-01 00:00:00 | 2 | 240.04
    stage | Moved   | Acme      | Rita  | 150    | Lead         | Proposal    | 2025-12-10 00:00:00 | 2025-12-10 00:00:00 | 3 | 190.04
    stage | Both    | Acme      | Rita  | 40.04  | Lead         | Negotiation | 2025-11-30 00:00:00 | 2025-12-01 00:00:00 | 3 | 190.04
    stage | Yen     | Acme      | Rita  |        | Lead         | Qualified   | 2025-12-10 00:00:00 | 2025-12-10 00:00:00 | 3 | 190.04
    won   | Won     | Acme      | Rita  | 300    |              |             |                 |                | 1     | 300
"""


@pytest.mark.parametrize("who", ["max", "mona", "eve", "ada"])
def test_the_week(week: Connection, ask: Ask, who: str) -> None:
    shows(ask(who, overview.changes), ALL)


def names(ask: Ask, who: str, limit: int = 5, **chosen: Any) -> list[str]:
    found = ask(who, overview.changes, limit, **chosen)
    return [f"{kind} {name}" for kind, name in zip(found["kind"], found["name"], strict=True)]


def test_each_sees_their_own(week: Connection, ask: Ask) -> None:
    assert names(ask, "rita") == ["slip Both", "stage Moved", "stage Both", "stage Yen", "won Won"]
    assert names(ask, "ravi") == ["lost Lost", "slip Slipped"]
    assert names(ask, "olaf") == []


def test_filters_choose_among_them(week: Connection, ask: Ask) -> None:
    assert names(ask, "max", owners=owned_by("ravi")) == ["lost Lost", "slip Slipped"]
    assert names(ask, "max", industries=("Congresses",)) == ["lost Lost", "slip Slipped"]


def test_a_limit_keeps_the_most_valuable_of_each_kind_and_counts_all(week: Connection, ask: Ask) -> None:
    assert names(ask, "max", 1) == ["lost Lost", "slip Slipped", "stage Moved", "won Won"]
    assert list(ask("max", overview.changes, 1)["total"]) == [1, 2, 3, 1]


def test_the_week_of_a_past_day(week: Connection, ask: Ask) -> None:
    found = names(ask, "max", as_of=date(2025, 11, 1))
    assert sorted(found) == ["lost Lost", "slip Before", "stage Back", "stage Before", "stage Moved", "won Early"]
    before = ask("max", overview.changes, as_of=date(2025, 11, 1))
    assert before.set_index("name").loc["Moved", "stage"] == "Qualified"
    assert names(ask, "max", as_of=date(2025, 8, 1)) == []


def test_what_was_won_is_what_the_trend_says_of_the_week(week: Connection, ask: Ask) -> None:
    won = ask("max", overview.changes).set_index("kind").loc["won", "total_value"]
    assert won == ask("max", pipeline.headline_trend)["won_value"].iloc[-1]


def test_what_was_handed_over_within_the_week_has_moved_nowhere_for_the_new_owner(week: Connection, ask: Ask) -> None:
    happens(week, """
        at               | organizer_id | assigned_to | stage_id | value | currency | expected_close_date | deal
        2025-09-01 09:00 | gamma        | olaf        | Lead     | 5     | CAD      | 2025-12-10          | Given
        2025-11-01 09:00 |              | ravi        | Proposal |       |          |                     | Given
    """)  # fmt: skip
    assert "stage Given" not in names(ask, "ravi")
    assert "stage Given" in names(ask, "eve")


def test_rounded_values_add_up_to_the_cent(company: Connection, ask: Ask) -> None:
    for number in range(9):
        happens(company, f"""
            at                              | deal      | organizer_id | assigned_to | stage_id | value | currency | actual_close_date
            2025-11-0{number % 5 + 1} 09:00 | W{number} | acme         | rita        | Won      | 0.01  | USD      | 2025-11-0{number % 5 + 1}
        """)  # fmt: skip
    found = ask("rita", overview.changes, 100)
    assert found["value"].sum() == found["total_value"].iloc[0] == round(found["total_value"].iloc[0], 2)
