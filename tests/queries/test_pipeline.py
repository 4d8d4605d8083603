"""What the numbers of the Pipeline page are, by example. Against random companies: test_pipeline_against_oracle.py."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from decimal import Decimal
from typing import get_args
from uuid import UUID

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import Connection

from app.viewer import Viewer
from queries import pipeline
from queries.scope import Period
from tests.queries import history
from tests.queries.compare import records
from tests.queries.conftest import TODAY, Ask, owned_by
from tests.queries.history import at, happens
from tests.tables import given, id_of, shows

ReadingAs = Callable[..., AbstractContextManager[Connection]]
Q4 = {"period": Period.of("quarter", TODAY)}
NOTHING = "0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0"


def sums(frame: pd.DataFrame) -> tuple[Decimal, Decimal]:
    """Value and expected revenue of all rows; those without a rate are in neither."""
    value, expected = (
        sum((amount for amount in frame[name] if amount is not None), Decimal(0))
        for name in ("value", "expected_revenue")
    )
    return value, expected


# Headline -------------------------------------------------------------------------------------------------------


@pytest.fixture
def decoys(company: Connection) -> Connection:
    """One deal of every kind that could be counted by mistake, or left out."""
    happens(
        company,
        """
        at               | deal      | organizer_id | assigned_to | stage_id | value | currency | expected_close_date | actual_close_date | status    |
        2025-07-01 09:00 | Gala      | acme         | rita        | Proposal | 100   |          | 2025-12-01          |                   |           |
        2025-07-01 09:00 | Dollars   | acme         | rita        | Proposal | 1000  | USD      | 2025-12-01          |                   |           |
        2025-07-01 09:00 | Yen       | acme         | rita        | Proposal | 10000 | JPY      | 2025-12-01          |                   |           |
        2025-07-01 09:00 | Colleague | beta         | ravi        | Lead     | 7     |          |                     |                   |           |
        2025-07-01 09:00 | Split     | acme         | ravi        | Lead     | 20    |          |                     |                   |           |
        2025-07-01 09:00 | Away      | beta         | rita        | Lead     | 30    |          |                     |                   |           |
        2025-07-01 09:00 | Archived  | gamma        | olaf        | Lead     | 5     |          |                     |                   |           |
        2025-07-01 09:00 | Nobody    | gamma        |             | Lead     | 4     |          |                     |                   |           |
        2025-07-01 09:00 | Leaver    | beta         | dora        | Lead     | 3     |          |                     |                   |           |
        2025-07-01 09:00 | Early     | acme         | rita        | Won      | 999   |          |                     | 2025-09-30        |           |
        2025-10-01 00:00 | Won       | acme         | rita        | Won      | 200   |          |                     |                   |           |
        2025-10-02 09:00 | Won yen   | acme         | rita        | Won      | 555   | JPY      |                     |                   |           |
        2025-10-02 09:00 | Won later | acme         | rita        | Won      | 888   |          |                     | 2025-12-01        |           |
        2025-10-02 09:00 | Lost      | acme         | rita        | Lost     | 600   |          |                     |                   |           |
        2025-10-02 09:00 | Abandoned | acme         | rita        | Lost     | 777   |          |                     |                   | abandoned |
        2025-10-02 09:00 | Reopened  | acme         | rita        | Won      | 50    |          |                     |                   |           |
        2025-10-03 09:00 | Reopened  |              |             | Lead     |       |          |                     |                   |           |
        2025-10-02 09:00 | Gone      | acme         | rita        | Lead     | 666   |          |                     |                   |           |
        2025-10-03 09:00 | Gone      |              |             | deleted  |       |          |                     |                   |           |
        2025-10-02 09:00 | Won, gone | acme         | rita        | Won      | 444   |          |                     |                   |           |
        2025-10-03 09:00 | Won, gone |              |             | deleted  |       |          |                     |                   |           |
        """,  # noqa: E501  (a table is as wide as its columns)
    )
    # As an import leaves one whose stage before the first known history nobody knows.
    company.exec_driver_sql(
        "insert into public.crm_opportunity_history (opportunity_id, seq, valid_from, organizer_id, value, currency,"
        " assigned_to, status, created_at) values (%s, 1, '2025-07-01', %s, 60, 'CAD', %s, 'open', '2025-07-01')",
        (id_of("Unknown"), id_of("acme"), id_of("rita")),
    )
    return company


@pytest.mark.parametrize(
    ("who", "chosen", "answer"),
    [
        # Gala, Dollars, Yen, Split, Away, Reopened and Unknown; 100 + 1000 × 1.5 + 20 + 30 + 50 + 60
        pytest.param("rita", {}, "7 | 1760 | 810 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="a rep"),
        pytest.param("ravi", {}, "4 | 60 | 6 | 0 | 0 | 0 | 0 | 0 | 0 | 0", id="her colleague"),
        pytest.param("olaf", {}, "2 | 9 | 0.9 | 0 | 0 | 0 | 0 | 0 | 0 | 0", id="a rep elsewhere"),
        # what Rita and Ravi see, each deal once, and what the leaver left
        pytest.param("max", {}, "9 | 1770 | 811 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="their manager"),
        pytest.param("mona", {}, "9 | 1770 | 811 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="his manager"),
        pytest.param("eve", {}, "11 | 1779 | 811.9 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="an executive"),
        pytest.param(
            "ada", {"owners": owned_by("rita")}, "6 | 1740 | 808 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="one owner's"
        ),
        pytest.param("max", {"owners": owned_by("olaf")}, NOTHING, id="somebody's outside the team"),
        pytest.param("ada", {"owners": ()}, NOTHING, id="nobody's"),
        pytest.param(
            "eve", {"industries": ("Festivals",)}, "8 | 1739 | 807.9 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="a segment"
        ),
        pytest.param("eve", {"company_sizes": ("large",)}, "3 | 40 | 4 | 0 | 0 | 0 | 0 | 0 | 0 | 0", id="by size"),
        pytest.param("eve", {"lead_sources": ("partner",)}, NOTHING, id="by source"),
        # Away hangs on a colleague's organizer, whose industry Rita does not know
        pytest.param(
            "rita",
            {"industries": ("Festivals", "Congresses")},
            "6 | 1730 | 807 | 1 | 2 | 200 | 1 | 600 | 1 | 1",
            id="a segment on another's organizer",
        ),
        pytest.param(
            "rita", {"closing_in_period": True}, "3 | 1600 | 800 | 1 | 2 | 200 | 1 | 600 | 1 | 1", id="closing in it"
        ),
        pytest.param("rita", {"currency": "EUR"}, "7 | 880 | 405 | 1 | 2 | 100 | 1 | 300 | 1 | 1", id="in euros"),
        pytest.param(
            "rita",
            {"currency": "JPY"},
            "7 | 10000 | 5000 | 6 | 2 | 555 | 1 | 0 | 1 | 2",
            id="in a currency without a rate",
        ),
        # At the end of 2 October Gone was still open and its like was won, and Reopened was won.
        pytest.param(
            "rita", {"as_of": date(2025, 10, 2)}, "7 | 2376 | 871.6 | 1 | 4 | 694 | 1 | 600 | 1 | 1", id="before"
        ),
        pytest.param(
            "rita", {"as_of": date(2025, 9, 30)}, "6 | 1710 | 805 | 1 | 0 | 0 | 0 | 0 | 0 | 0", id="before the period"
        ),
    ],
)
def test_what_is_counted(
    decoys: Connection, ask: Ask, viewer: Callable[[str], Viewer], who: str, chosen: dict[str, object], answer: str
) -> None:
    del decoys
    rows = ask(who, pipeline.headline, **Q4 | chosen)
    # A page asks for the team's rows only, to find them faster; what counts is the same.
    assert_frame_equal(ask(who, pipeline.headline, **Q4 | chosen, limited_to=viewer(who).team), rows)
    shows(
        rows.head(1),
        f"""
        open_count | open_value | expected_revenue | without_rate | won_count | won_value | lost_count | lost_value | abandoned_count | closed_without_rate
        {answer}
        """,  # noqa: E501  (a table is as wide as its columns)
    )


def test_the_first_and_the_last_day_of_the_period_are_in_it(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at         | deal     | organizer_id | assigned_to | stage_id | value | expected_close_date
        2025-07-01 | Too soon | acme         | rita        | Lead     | 1     | 2025-09-30
        2025-07-01 | First    | acme         | rita        | Lead     | 10    | 2025-10-01
        2025-07-01 | Last     | acme         | rita        | Lead     | 100   | 2025-12-31
        2025-07-01 | Too late | acme         | rita        | Lead     | 1000  | 2026-01-01
        """,
    )
    for question in (pipeline.headline, pipeline.headline_trend):
        assert ask("rita", question, closing_in_period=True)["open_value"].max() == 110
    shows(ask("rita", pipeline.opportunities, closing_in_period=True), "name\nLast\nFirst")


def test_cents_are_rounded_once(company: Connection, ask: Ask) -> None:
    """Rounded deal by deal, a hundred of them at 0.005 would be 1.00 or nothing."""
    given(
        company,
        "crm_opportunities",
        "organizer_id | stage_id | name | value | assigned_to\n"
        + "\n".join(f"acme | Proposal | Ticket {n} | 0.01 | rita" for n in range(100)),
    )
    shows(ask("rita", pipeline.headline).head(1), "open_value | expected_revenue\n1.00 | 0.50")
    stages = ask("rita", pipeline.expected_revenue_by_stage)
    shows(stages[stages["stage"] == "Proposal"], "value | expected_revenue\n1.00 | 0.50")
    assert sums(ask("rita", pipeline.opportunities)) == (Decimal("1.00"), Decimal("0.50"))


def test_the_previous_period_is_compared_as_far_as_this_one_has_gone(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal         | organizer_id | assigned_to | stage_id | value
        2025-07-01 09:00 | First day    | acme         | rita        | Won      | 1
        2025-08-05 23:59 | Same day     | acme         | rita        | Won      | 10
        2025-08-06 00:00 | Day after    | acme         | rita        | Won      | 100
        2025-10-01 00:00 | This quarter | acme         | rita        | Won      | 1000
        """,
    )
    shows(
        ask("rita", pipeline.headline),
        """
        which    | won_count | won_value
        current  | 1         | 1000
        previous | 2         | 11
        """,
    )
    # once it is over, whole against whole
    shows(
        ask("rita", pipeline.headline, **Q4 | {"today": date(2026, 1, 1), "as_of": date(2025, 12, 31)}),
        """
        which    | won_count | won_value
        current  | 1         | 1000
        previous | 3         | 111
        """,
    )


def test_rates_of_a_period_in_which_nothing_was_decided_are_missing_and_not_zero(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id | status    | value
        2025-10-02 09:00 | Gala | acme         | rita        | Lost     | abandoned | 5
        """,
    )
    shows(
        ask("rita", pipeline.headline).head(1),
        """
        abandoned_count | win_rate | win_rate_by_value | cycle_median_days | cycle_p80_days | velocity_per_day
        1               |          |                   |                   |                |                |
        """,
    )


def test_win_rates(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal   | organizer_id | assigned_to | stage_id | value
        2025-10-02 09:00 | Gala   | acme         | rita        | Won      | 100
        2025-10-02 09:00 | Expo   | acme         | rita        | Lost     | 200
        2025-10-02 09:00 | Summit | acme         | rita        | Lost     | 100
        2025-10-02 09:00 | Derby  | beta         | ravi        | Won      | 0.01
        """,
    )
    columns = "win_rate | win_rate_by_value\n"
    shows(ask("rita", pipeline.headline).head(1), columns + "0.333333 | 0.25")
    shows(ask("ravi", pipeline.headline).head(1), columns + "1 | 1")
    # from exact amounts: a cent at 0.4 is rounded to nothing, and would be no value at all
    at(
        company,
        "2025-10-03",
        "insert into crm_exchange_rates (currency, rate_date, rate) values ('GBP', '2024-01-01', 2.5)",
    )
    shows(ask("ravi", pipeline.headline, currency="GBP").head(1), "won_value | win_rate_by_value\n0 | 1")


def test_sales_cycle_and_velocity(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal   | organizer_id | assigned_to | stage_id | value | currency | created_at
        2025-10-05 12:00 | Gala   | acme         | rita        | Won      | 100   |          | 2025-10-04 23:59 America/Toronto
        2025-10-06 12:00 | Expo   | acme         | rita        | Won      | 200   | USD      | 2025-10-04 00:00 America/Toronto
        2025-10-07 12:00 | Summit | acme         | rita        | Won      | 5000  | JPY      | 2025-10-04 00:00 America/Toronto
        2025-10-14 12:00 | Fair   | acme         | rita        | Won      | 200   |          | 2025-10-04 00:00 America/Toronto
        2025-10-14 12:00 | Derby  | acme         | rita        | Lost     | 1     |          | 2024-01-01 00:00 America/Toronto
        2025-10-14 12:00 | Open   | acme         | rita        | Lead     | 1     |          | 2025-10-14 00:00 America/Toronto
        2025-10-14 12:00 | Open 2 | acme         | rita        | Lead     | 1     |          | 2025-10-14 00:00 America/Toronto
        """,  # noqa: E501  (a table is as wide as its columns)
    )
    # 1, 2, 3 and 10 days. 2 open × 600/3 (the yen is in no total, nor in its mean) × 4/5 / 2.5 days
    shows(
        ask("rita", pipeline.headline).head(1),
        """
        won_count | won_value | closed_without_rate | cycle_median_days | cycle_p80_days | velocity_per_day
        4         | 600       | 1                   | 2.5               | 5.8            | 128
        """,
    )


def test_a_deal_closed_on_a_past_day_has_the_rate_of_that_day(company: Connection, ask: Ask) -> None:
    given(company, "crm_exchange_rates", "currency | rate_date | rate\nUSD | 2025-10-10 | 3")
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id | value | currency | actual_close_date |
        2025-10-12 12:00 | Gala | acme         | rita        | Won      | 100   | USD      | 2025-10-09        |
        2025-10-12 12:00 | Expo | acme         | rita        | Won      | 10    | USD      |                   |
        2025-10-12 12:00 | Open | acme         | rita        | Lead     | 1     | USD      |                   |
        """,
    )
    shows(ask("rita", pipeline.headline).head(1), "won_value | open_value\n180 | 3")
    shows(ask("rita", pipeline.headline, as_of=date(2025, 10, 11)).head(1), "won_value | open_value\n0 | 0")


# Trend ----------------------------------------------------------------------------------------------------------


def test_a_deal_that_stays_open_is_in_every_point_once(company: Connection, ask: Ask) -> None:
    """An open pipeline is a stock: points are never added to one another."""
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id | value |
        2025-01-01 12:00 | Gala | acme         | rita        | Proposal | 100   |
        2025-08-20 23:59 | Expo | acme         | rita        | Lead     | 10    |
        2025-08-28 00:00 | Expo |              |             | Won      |       |
        2025-09-01 12:00 | Expo |              |             | Lead     |       |
        2025-11-04 12:00 | Expo |              |             | Won      | 11    |
        2025-10-29 23:59 | Fair | acme         | rita        | Won      | 7     |
        """,
    )
    trend = ask("rita", pipeline.headline_trend)
    shows(
        trend.assign(day=trend["day"].dt.date),
        """
        day        | open_count | open_value | expected_revenue | won_value | win_rate |
        2025-08-13 | 1          | 100        | 50               | 0         |          |
        2025-08-20 | 2          | 110        | 51               | 0         |          |
        2025-08-27 | 2          | 110        | 51               | 0         |          |
        2025-09-03 | 2          | 110        | 51               | 0         |          |
        2025-09-10 | 2          | 110        | 51               | 0         |          |
        2025-09-17 | 2          | 110        | 51               | 0         |          |
        2025-09-24 | 2          | 110        | 51               | 0         |          |
        2025-10-01 | 2          | 110        | 51               | 0         |          |
        2025-10-08 | 2          | 110        | 51               | 0         |          |
        2025-10-15 | 2          | 110        | 51               | 0         |          |
        2025-10-22 | 2          | 110        | 51               | 0         |          |
        2025-10-29 | 2          | 110        | 51               | 7         | 1        |
        2025-11-05 | 1          | 100        | 50               | 11        | 1        |
        """,
    )
    # what was won on 28 August is in that week's flow as of then, and reopened as of today
    then = ask("rita", pipeline.headline_trend, as_of=date(2025, 8, 30)).tail(2)
    shows(then, "open_count | won_value | win_rate |\n2 | 0 | |\n1 | 10 | 1 |")


# Stages ---------------------------------------------------------------------------------------------------------


def stays(owner: Connection, number: int) -> None:
    """Finished stays in Proposal of 1, 2, 3 … days, a year ago, of a deal each."""
    happens(
        owner,
        "at | deal | organizer_id | assigned_to | stage_id | value | created_at |\n"
        + "\n".join(
            f"2024-06-01 12:00 | Old {n} | beta | ravi | Proposal | 1 | |\n"
            f"2024-06-{n + 1:02} 12:00 | Old {n} | | | Won | | |"
            for n in range(1, number + 1)
        ),
    )


def test_by_stage(decoys: Connection, ask: Ask) -> None:
    stays(decoys, 20)
    at(
        decoys,
        "2025-10-20",
        "insert into crm_pipeline_stages (name, order_index, color, default_probability, is_active) "
        "values ('Rumour', -1, '#000000', 1, true), ('Retired', 0, '#ffffff', 1, false)",
    )
    happens(
        decoys,
        """
        at               | deal  | organizer_id | assigned_to | stage_id    | value | probability |
        2025-10-20 09:00 | Big   | acme         | rita        | Negotiation | 10    | 90          |
        2025-10-25 09:00 | Fresh | acme         | rita        | Proposal    | 1     |             |
        2025-10-27 09:00 | Newer | acme         | rita        | Proposal    | 1     |             |
        """,
    )
    # Normal in Proposal is the 80th percentile of 1 … 20 days, whoever looks: 16.2; since 1 July is longer.
    shows(
        ask("rita", pipeline.expected_revenue_by_stage),
        """
        stage         | color   | position | default_probability | opportunities | value | expected_revenue | without_rate | median_age_days | normal_age_days | stalled |
        Unknown stage | #94a3b8 | 0        |                     | 1             | 60    | 0                | 0            |                 |                 |         |
        Rumour        | #000000 | -1       | 0.01                | 0             | 0     | 0                | 0            |                 |                 |         |
        Lead          | #6b7280 | 1        | 0.1                 | 3             | 100   | 10               | 0            | 127             |                 |         |
        Qualified     | #3b82f6 | 2        | 0.25                | 0             | 0     | 0                | 0            |                 |                 |         |
        Proposal      | #8b5cf6 | 3        | 0.5                 | 5             | 1602  | 801              | 1            | 127             | 16.2            | 3       |
        Negotiation   | #f59e0b | 4        | 0.75                | 1             | 10    | 9                | 0            | 16              |                 |         |
        """,  # noqa: E501  (a table is as wide as its columns)
    )


def test_nineteen_finished_stays_say_nothing_about_what_is_normal(company: Connection, ask: Ask) -> None:
    stays(company, 19)
    happens(
        company,
        "at | deal | organizer_id | assigned_to | stage_id | value\n2025-01-01 | Gala | acme | rita | Proposal | 1",
    )
    stages = ask("rita", pipeline.expected_revenue_by_stage)
    shows(stages[stages["stage"] == "Proposal"], "opportunities | normal_age_days | stalled |\n1 | | |")
    shows(ask("rita", pipeline.opportunities), "name | days_in_stage | stalled |\nGala | 308 | |")


def test_the_normal_age_as_of_a_day_counts_what_was_finished_by_then(company: Connection, ask: Ask) -> None:
    stays(company, 21)
    for as_of, normal in ((date(2024, 6, 20), ""), (date(2024, 6, 21), "16.2"), (date(2024, 6, 22), "17")):
        stages = ask("eve", pipeline.expected_revenue_by_stage, as_of=as_of)
        shows(stages[stages["stage"] == "Proposal"], f"stage | normal_age_days |\nProposal | {normal} |")


def test_a_past_day_shows_the_stages_as_they_were(company: Connection, ask: Ask) -> None:
    happens(
        company,
        "at | deal | organizer_id | assigned_to | stage_id | value\n2025-01-01 | Gala | acme | rita | Lead | 100",
    )
    at(
        company,
        "2025-03-09 23:59",
        "update crm_pipeline_stages set name = 'Inquiry', color = '#123456', default_probability = 20 "
        "where name = 'Lead'",
    )
    columns = "stage | color | default_probability | expected_revenue\n"
    before = ask("rita", pipeline.expected_revenue_by_stage, as_of=date(2025, 3, 8)).head(1)
    after = ask("rita", pipeline.expected_revenue_by_stage, as_of=date(2025, 3, 9)).head(1)
    shows(before, columns + "Lead | #6b7280 | 0.1 | 10")
    shows(after, columns + "Inquiry | #123456 | 0.2 | 10")  # new entries only: the deal keeps what it had


def test_before_the_first_version_of_a_stage_it_counts_as_it_first_was(company: Connection, ask: Ask) -> None:
    """An import brings histories that are older than the stages here."""
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id | value | probability |
        2025-01-01 12:00 | Gala | acme         | rita        | Lead     | 100   |             |
        2025-02-01 12:00 | Gala |              |             | Proposal |       | 70          |
        """,
    )
    history.stages_since(company, date(2025, 6, 1))
    at(company, "2025-07-01 12:00", "update crm_pipeline_stages set default_probability = 90 where name = 'Proposal'")
    shows(
        ask("rita", pipeline.expected_revenue_by_stage, as_of=date(2025, 2, 1)),
        """
        stage       | default_probability | opportunities |
        Lead        | 0.1                 | 0             |
        Qualified   | 0.25                | 0             |
        Proposal    | 0.5                 | 1             |
        Negotiation | 0.75                | 0             |
        """,
    )
    shows(
        moved(ask("rita", pipeline.movement, date(2025, 1, 31), date(2025, 2, 1))),
        "label | expected_revenue\nStart | 10\nStage moves | 40\nOwn probability | 20\nEnd | 70",
    )


def test_a_stage_that_is_gone_shows_where_it_held_something(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id  | value |
        2025-01-01 12:00 | Gala | acme         | rita        | Qualified | 100   |
        2025-02-01 12:00 | Gala |              |             | Proposal  |       |
        """,
    )
    at(company, "2025-03-01", "delete from crm_pipeline_stages where name = 'Qualified'")
    stage_names = {
        as_of: list(ask("rita", pipeline.expected_revenue_by_stage, as_of=as_of)["stage"])
        for as_of in (date(2025, 1, 31), date(2025, 2, 1), TODAY)
    }
    assert stage_names == {
        date(2025, 1, 31): ["Lead", "Qualified", "Proposal", "Negotiation"],
        date(2025, 2, 1): ["Lead", "Proposal", "Negotiation"],
        TODAY: ["Lead", "Proposal", "Negotiation"],
    }


def test_activities_do_not_multiply_money(company: Connection, ask: Ask) -> None:
    """Deals times activities would be the classic fan-out."""
    happens(
        company,
        "at | deal | organizer_id | assigned_to | stage_id | value\n2025-10-01 | Gala | acme | rita | Proposal | 100",
    )
    company.exec_driver_sql(
        "insert into crm_activities (organizer_id, opportunity_id, type, subject, user_id, activity_date) "
        "select organizer_id, id, 'call', 'Call', assigned_to, '2025-10-01'::date + n "
        "from crm_opportunities, generate_series(-9, 9) as n"
    )
    shows(ask("rita", pipeline.headline).head(1), "open_count | open_value | expected_revenue\n1 | 100 | 50")
    shows(ask("rita", pipeline.opportunities), "name | value | total\nGala | 100 | 1")
    stages = ask("rita", pipeline.expected_revenue_by_stage)
    assert stages["opportunities"].sum() == 1
    assert sums(stages) == (Decimal(100), Decimal(50))


def test_how_stays_end(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal     | organizer_id | assigned_to | stage_id    | status    | value |
        2025-09-30 23:59 | Early    | acme         | rita        | Lead        |           | 1     |
        2025-10-01 00:00 | Forward  | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Won      | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Lost     | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Given up | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Back     | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Open     | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Gone     | acme         | rita        | Qualified   |           | 1     |
        2025-10-01 00:00 | Theirs   | beta         | ravi        | Qualified   |           | 1     |
        2025-10-02 00:00 | Forward  |              |             |             |           | 2     |
        2025-10-03 23:59 | Forward  |              |             | Proposal    |           |       |
        2025-10-04 12:00 | Won      |              |             | Won         |           |       |
        2025-10-04 12:00 | Lost     |              |             | Lost        |           |       |
        2025-10-04 12:00 | Given up |              |             | Lost        | abandoned |       |
        2025-10-04 12:00 | Back     |              |             | Lead        |           |       |
        2025-10-04 12:00 | Gone     |              |             | deleted     |           |       |
        2025-10-05 12:00 | Back     |              |             | Qualified   |           |       |
        2025-11-02 01:30 | Open     |              |             | Negotiation |           |       |
        """,
    )
    shows(
        ask("rita", pipeline.stage_stay_ends),
        """
        stage       | days | ending  | stays
        Lead        | 1    | forward | 1
        Qualified   | 2    | forward | 1
        Qualified   | 3    | back    | 1
        Qualified   | 3    | lost    | 2
        Qualified   | 3    | won     | 1
        Qualified   | 31   | open    | 1
        Qualified   | 32   | forward | 1
        Proposal    | 33   | open    | 1
        Negotiation | 3    | open    | 1
        """,
    )
    # at the end of 3 October only one had left
    shows(
        ask("rita", pipeline.stage_stay_ends, as_of=date(2025, 10, 3)),
        """
        stage     | days | ending  | stays
        Qualified | 2    | forward | 1
        Qualified | 2    | open    | 6
        Proposal  | 0    | open    | 1
        """,
    )


def test_a_stay_that_went_on_to_a_stage_that_is_gone_still_went_forward(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id    | value |
        2025-10-01 12:00 | Gala | acme         | rita        | Lead        | 1     |
        2025-10-02 12:00 | Gala |              |             | Qualified   |       |
        2025-10-03 12:00 | Gala |              |             | Negotiation |       |
        """,
    )
    at(company, "2025-10-04", "delete from crm_pipeline_stages where name = 'Qualified'")
    shows(
        ask("rita", pipeline.stage_stay_ends),
        """
        stage       | days | ending  | stays
        Lead        | 1    | forward | 1
        Negotiation | 33   | open    | 1
        """,
    )


# Movement -------------------------------------------------------------------------------------------------------

SEPTEMBER, OCTOBER = date(2025, 9, 30), date(2025, 10, 31)


def moved(frame: pd.DataFrame) -> pd.DataFrame:
    """The terms in which something happened."""
    return frame[(frame["opportunities"] != 0).fillna(True)]


@pytest.fixture
def october(company: Connection) -> Connection:
    """A month in which everything happens, to one deal each."""
    happens(
        company,
        """
        at               | deal       | organizer_id | assigned_to | stage_id  | value | currency | probability |
        2025-09-01 12:00 | Still      | acme         | rita        | Lead      | 1000  |          |             |
        2025-09-01 12:00 | Dearer     | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | Cheaper    | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | Dollars    | acme         | rita        | Proposal  | 100   | USD      |             |
        2025-09-01 12:00 | To dollars | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | Onwards    | acme         | rita        | Lead      | 100   |          |             |
        2025-09-01 12:00 | Doubted    | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | Own        | acme         | rita        | Lead      | 100   |          | 60          |
        2025-09-01 12:00 | Inherits   | acme         | rita        | Qualified | 100   |          |             |
        2025-09-01 12:00 | To win     | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | To lose    | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | To abandon | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | To remove  | acme         | rita        | Proposal  | 100   |          |             |
        2025-09-01 12:00 | To reopen  | acme         | rita        | Won       | 100   |          |             |
        2025-10-01 00:00 | Fresh      | acme         | rita        | Lead      | 100   |          |             |
        """,
    )
    happens(
        company,
        """
        at               | deal       | stage_id  | status    | value | currency | probability |
        2025-10-02 12:00 | Dearer     |           |           | 150   |          |             |
        2025-10-02 12:00 | Cheaper    |           |           | 80    |          |             |
        2025-10-02 12:00 | To dollars |           |           |       | USD      |             |
        2025-10-02 12:00 | Onwards    | Qualified |           |       |          |             |
        2025-10-02 12:00 | Doubted    |           |           |       |          | 20          |
        2025-10-02 12:00 | Own        | Proposal  |           |       |          |             |
        """,
    )
    history.play(company, [{"at": "2025-10-15 09:00", "stage": "Qualified", "default": "40", "refill": "yes"}])
    given(company, "crm_exchange_rates", "currency | rate_date | rate\nUSD | 2025-10-16 | 1.25")
    happens(
        company,
        """
        at               | deal       | stage_id | status    | value |
        2025-10-20 12:00 | To win     | Won      |           | 120   |
        2025-10-20 12:00 | To lose    | Lost     |           |       |
        2025-10-20 12:00 | To abandon | Lost     | abandoned |       |
        2025-10-20 12:00 | To remove  | deleted  |           |       |
        2025-10-31 23:59 | To reopen  | Lead     |           |       |
        2025-11-01 00:00 | Still      | Won      |           |       |
        """,
    )
    return company


def test_every_cause_is_a_term_of_its_own(october: Connection, ask: Ask) -> None:
    del october
    shows(
        moved(ask("rita", pipeline.movement, SEPTEMBER, OCTOBER)),
        """
        label            | value | expected_revenue | opportunities |
        Start            | 2250  | 670              | 13            |
        New              | 100   | 10               | 1             |
        Reopened         | 100   | 10               | 1             |
        Value up         | 70    | 35               | 2             |
        Value down       | -20   | -10              | 1             |
        Currency changed | 50    | 25               | 1             |
        Stage moves      | 0     | 15               | 1             |
        Own probability  | 0     | -30              | 1             |
        Stage defaults   | 0     | 30               | 2             |
        Exchange rates   | -50   | -25              | 2             |
        Won              | -120  | -60              | 1             |
        Lost             | -100  | -50              | 1             |
        Abandoned        | -100  | -50              | 1             |
        Removed          | -100  | -50              | 1             |
        End              | 2080  | 520              |               |
        """,
    )


def test_an_edit_of_a_stage_s_default_moves_that_term_alone(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal     | organizer_id | assigned_to | stage_id  | value | probability |
        2025-09-01 12:00 | Inherits | acme         | rita        | Qualified | 100   |             |
        2025-09-01 12:00 | Also     | acme         | rita        | Qualified | 60    |             |
        2025-09-01 12:00 | Own      | acme         | rita        | Qualified | 1000  | 25          |
        2025-09-01 12:00 | Other    | acme         | rita        | Lead      | 1000  |             |
        """,
    )
    history.play(company, [{"at": "2025-10-15 09:00", "stage": "Qualified", "default": "40", "refill": "yes"}])
    shows(
        moved(ask("rita", pipeline.movement, SEPTEMBER, OCTOBER)),
        """
        label          | value | expected_revenue | opportunities |
        Start          | 2160  | 390              | 4             |
        Stage defaults | 0     | 24               | 2             |
        End            | 2160  | 414              |               |
        """,
    )


def test_the_movement_goes_from_the_stages_as_they_were_to_the_stages_as_they_are(
    october: Connection, ask: Ask
) -> None:
    del october
    rows = ask("rita", pipeline.movement, SEPTEMBER, OCTOBER).set_index("term")
    for term, day in (("start", SEPTEMBER), ("end", OCTOBER)):
        then = sums(ask("rita", pipeline.expected_revenue_by_stage, as_of=day))
        assert (rows["value"][term], rows["expected_revenue"][term]) == then
    for name in ("value", "expected_revenue"):
        assert rows[name].drop("end").sum() == rows[name]["end"]


def test_the_records_behind_a_term_add_up_to_it(october: Connection, ask: Ask) -> None:
    del october
    for row in ask("rita", pipeline.movement, SEPTEMBER, OCTOBER).iloc[:-1].to_dict("records"):
        found = ask("rita", pipeline.movement_records, SEPTEMBER, OCTOBER, row["term"])
        assert len(found) == row["opportunities"]
        assert sums(found) == (row["value"], row["expected_revenue"])
    shows(
        ask("rita", pipeline.movement_records, SEPTEMBER, OCTOBER, "value_up"),
        """
        name   | organizer | value | expected_revenue
        Dearer | Acme      | 50    | 25
        To win | Acme      | 20    | 10
        """,
    )
    shows(
        ask("rita", pipeline.movement_records, SEPTEMBER, OCTOBER, "removed"),
        "name | value\n(removed or handed over) | -100",
    )


def test_thirds_of_a_cent_reconcile(company: Connection, ask: Ask) -> None:
    """Each term rounded by itself would leave a cent over."""
    given(company, "crm_exchange_rates", "currency | rate_date | rate\nUSD | 2025-10-16 | 0.4444")
    happens(
        company,
        """
        at               | deal   | organizer_id | assigned_to | stage_id  | value | currency | probability |
        2025-09-01 12:00 | Gala   | acme         | rita        | Proposal  | 0.01  | USD      | 33          |
        2025-09-01 12:00 | Expo   | acme         | rita        | Proposal  | 0.01  | USD      | 33          |
        2025-10-02 12:00 | Summit | acme         | rita        | Proposal  | 0.01  | USD      |             |
        2025-10-03 12:00 | Gala   |              |             | Lead      | 0.03  |          |             |
        2025-10-04 12:00 | Expo   |              |             | Won       |       |          |             |
        2025-10-17 12:00 | Derby  | acme         | rita        | Qualified | 0.01  | USD      |             |
        """,
    )
    rows = ask("rita", pipeline.movement, SEPTEMBER, OCTOBER).set_index("term")
    assert list(rows.loc[["start", "end"], "value"]) == [Decimal("0.03"), Decimal("0.02")]
    for name in ("value", "expected_revenue"):
        assert rows[name].drop("end").sum() == rows[name]["end"]
    for term in pipeline.TERMS:
        found = ask("rita", pipeline.movement_records, SEPTEMBER, OCTOBER, term)
        assert sums(found) == (rows["value"][term], rows["expected_revenue"][term])


def test_within_one_change_currency_comes_before_value_and_value_before_stage(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal  | organizer_id | assigned_to | stage_id | value | currency | probability |
        2025-09-01 12:00 | Gala  | acme         | rita        | Lead     | 100   |          |             |
        2025-09-01 12:00 | Expo  | acme         | rita        | Lead     | 100   |          |             |
        2025-10-02 12:00 | Gala  |              |             | Proposal | 200   | USD      | 70          |
        2025-10-02 12:00 | Expo  |              |             | Won      | 80    | USD      |             |
        """,
    )
    shows(
        moved(ask("rita", pipeline.movement, SEPTEMBER, OCTOBER)),
        """
        label            | value | expected_revenue
        Start            | 200   | 20
        Value up         | 150   | 15
        Value down       | -30   | -3
        Currency changed | 100   | 10
        Stage moves      | 0     | 120
        Own probability  | 0     | 60
        Won              | -120  | -12
        End              | 300   | 210
        """,
    )


def test_a_closing_date_moves_a_deal_into_the_period_and_out(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal   | organizer_id | assigned_to | stage_id | value | expected_close_date |
        2025-09-01 12:00 | Pulled | acme         | rita        | Lead     | 100   | 2026-01-01          |
        2025-09-01 12:00 | Pushed | acme         | rita        | Lead     | 200   | 2025-12-31          |
        2025-09-01 12:00 | Within | acme         | rita        | Lead     | 300   | 2025-10-01          |
        2025-09-01 12:00 | Dated  | acme         | rita        | Lead     | 400   | null                |
        2025-09-01 12:00 | Out    | acme         | rita        | Lead     | 500   | null                |
        2025-10-02 12:00 | Pulled |              |             |          | 110   | 2025-12-31          |
        2025-10-02 12:00 | Pushed |              |             |          |       | 2026-01-01          |
        2025-10-02 12:00 | Within |              |             |          |       | 2025-11-01          |
        2025-10-02 12:00 | Dated  |              |             |          |       | 2025-12-01          |
        """,
    )
    shows(
        moved(ask("rita", pipeline.movement, SEPTEMBER, OCTOBER, closing_in_period=True)),
        """
        label      | value | expected_revenue | opportunities |
        Start      | 500   | 50               | 2             |
        Pulled in  | 510   | 51               | 2             |
        Pushed out | -200  | -20              | 1             |
        End        | 810   | 81               |               |
        """,
    )
    shows(
        moved(ask("rita", pipeline.movement, SEPTEMBER, OCTOBER)),
        """
        label    | value
        Start    | 1500
        Value up | 10
        End      | 1510
        """,
    )


def test_what_is_handed_over_moves_for_those_who_see_one_side_only(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal  | organizer_id | assigned_to | stage_id | value |
        2025-09-01 12:00 | Gala  | beta         | rita        | Lead     | 100   |
        2025-09-01 12:00 | Expo  | beta         | ravi        | Lead     | 200   |
        2025-09-01 12:00 | Derby | acme         | rita        | Lead     | 400   |
        2025-10-02 12:00 | Gala  |              | ravi        |          | 110   |
        2025-10-02 12:00 | Expo  |              | rita        |          |       |
        2025-10-02 12:00 | Derby |              | ravi        |          |       |
        """,
    )
    for_rita = """
        label      | value | opportunities |
        Start      | 500   | 2             |
        Handed in  | 200   | 1             |
        Handed out | -100  | 1             |
        End        | 600   |               |
        """
    shows(moved(ask("rita", pipeline.movement, SEPTEMBER, OCTOBER)), for_rita)  # Derby stays on her organizer
    shows(
        moved(ask("max", pipeline.movement, SEPTEMBER, OCTOBER, owners=owned_by("rita"))),
        """
        label      | value | opportunities |
        Start      | 500   | 2             |
        Handed in  | 200   | 1             |
        Handed out | -500  | 2             |
        End        | 200   |               |
        """,
    )
    shows(
        moved(ask("max", pipeline.movement, SEPTEMBER, OCTOBER)), "label | value\nStart | 700\nValue up | 10\nEnd | 710"
    )


def test_a_change_belongs_to_its_calendar_day_in_toronto(company: Connection, ask: Ask) -> None:
    """On 9 March and 2 November 2025 clocks change; a day ends at midnight, whatever its length."""
    happens(
        company,
        """
        at               | deal   | organizer_id | assigned_to | stage_id | value |
        2025-03-08 23:59 | Gala   | acme         | rita        | Lead     | 1     |
        2025-03-09 00:00 | Gala   |              |             |          | 10    |
        2025-03-09 23:59 | Gala   |              |             |          | 100   |
        2025-03-10 00:00 | Gala   |              |             |          | 1000  |
        2025-11-01 23:59 | Gala   |              |             |          | 2000  |
        2025-11-02 01:30 | Gala   |              |             |          | 3000  |
        2025-11-02 23:59 | Gala   |              |             |          | 4000  |
        2025-11-03 00:00 | Gala   |              |             |          | 5000  |
        """,
    )
    days = {(3, 7): 0, (3, 8): 1, (3, 9): 100, (3, 10): 1000, (11, 1): 2000, (11, 2): 4000, (11, 3): 5000}
    ends = {date(2025, *day): Decimal(value) for day, value in days.items()}
    for day, value in ends.items():
        assert ask("rita", pipeline.headline, as_of=day)["open_value"][0] == value
        for start, opening in ends.items():
            if start <= day:
                rows = ask("rita", pipeline.movement, start, day).set_index("term")["value"]
                assert (rows["start"], rows["end"]) == (opening, value)
                assert rows[["new", "value_up"]].sum() == value - opening


# Opportunities --------------------------------------------------------------------------------------------------


def test_the_opportunities(decoys: Connection, ask: Ask) -> None:
    happens(decoys, "at | deal | probability | expected_close_date\n2025-10-20 09:00 | Gala | 80 | 2025-11-04")
    columns = (
        "name | organizer | owner | stage | amount | currency | value | probability | probability_source |"
        " expected_revenue | expected_close | days_in_stage | age_days | total |\n"
    )
    rows = ask("rita", pipeline.opportunities)
    shows(
        rows.assign(expected_close=rows["expected_close"].dt.date),
        columns
        + """
        Dollars                  | Acme                | Rita | Proposal      | 1000  | USD | 1500 | 0.5 | stage  | 750 | 2025-12-01 | 127 | 127 | 7 |
        Gala                     | Acme                | Rita | Proposal      | 100   | CAD | 100  | 0.8 | manual | 80  | 2025-11-04 | 127 | 127 | 7 |
        Reopened                 | Acme                | Rita | Lead          | 50    | CAD | 50   | 0.1 | stage  | 5   |            | 33  | 34  | 7 |
        Away                     | (not yours to see)  | Rita | Lead          | 30    | CAD | 30   | 0.1 | stage  | 3   |            | 127 | 127 | 7 |
        Split                    | Acme                | Ravi | Lead          | 20    | CAD | 20   | 0.1 | stage  | 2   |            | 127 | 127 | 7 |
        Yen                      | Acme                | Rita | Proposal      | 10000 | JPY |      | 0.5 | stage  |     | 2025-12-01 | 127 | 127 | 7 |
        (removed or handed over) | Acme                | Rita | Unknown stage | 60    | CAD | 60   |     |        |     |            |     | 128 | 7 |
        """,  # noqa: E501  (a table is as wide as its columns)
    )


def test_the_largest_come_first_and_say_how_many_there_are(decoys: Connection, ask: Ask) -> None:
    del decoys
    rows = ask("rita", pipeline.opportunities, None, None, 2)
    shows(rows, "name | total\nDollars | 7\nGala | 7")


def test_the_rows_behind_a_bar_add_up_to_it(decoys: Connection, ask: Ask) -> None:
    given(
        decoys,
        "crm_opportunities",
        "organizer_id | stage_id | name | value | currency | assigned_to\n"
        + "\n".join(f"acme | Lead | Ticket {n} | 0.0{n} | USD | rita" for n in range(1, 8)),
    )
    for bar in records(ask("eve", pipeline.expected_revenue_by_stage, currency="EUR")):
        stage_id = UUID(bar["stage_id"]) if bar["stage_id"] else "unknown"
        rows = ask("eve", pipeline.opportunities, stage_id, currency="EUR")
        assert len(rows) == bar["opportunities"]
        assert sums(rows) == (bar["value"], bar["expected_revenue"])
    everything = ask("eve", pipeline.opportunities, currency="EUR")
    total = ask("eve", pipeline.headline, currency="EUR").iloc[0]
    assert sums(everything) == (total.open_value, total.expected_revenue)


def test_what_may_be_the_matter(company: Connection, ask: Ask) -> None:
    stays(company, 21)
    happens(
        company,
        """
        at               | deal    | organizer_id | assigned_to | stage_id | value | currency | expected_close_date |
        2025-10-19 12:00 | Fine    | acme         | rita        | Proposal | 1     |          | 2025-11-05          |
        2025-10-18 12:00 | Stalled | acme         | rita        | Proposal | 1     |          | 2025-12-01          |
        2025-10-19 12:00 | Overdue | acme         | rita        | Proposal | 1     |          | 2025-11-04          |
        2025-10-19 12:00 | Undated | acme         | rita        | Proposal | 1     |          |                     |
        2025-10-19 12:00 | Yen     | acme         | rita        | Proposal | 1     | JPY      | 2025-12-01          |
        """,
    )
    company.exec_driver_sql(
        "insert into crm_activities (opportunity_id, type, is_task, task_status, subject, user_id) "
        "select id, 'task', true, 'pending', 'Call', assigned_to from crm_opportunities where name <> 'Fine'"
    )
    lists = {only: list(ask("rita", pipeline.opportunities, None, only)["name"]) for only in get_args(pipeline.Only)}
    assert lists == {
        "stalled": ["Stalled"],  # for 18 days; 80 % of finished stays took no longer than the 17 of all others
        "no_next_step": ["Fine"],
        "without_rate": ["Yen"],
        "overdue": ["Overdue"],
        "undated": ["Undated"],
    }
    assert ask("rita", pipeline.expected_revenue_by_stage)["stalled"].sum() == 1
    for rows in (ask("rita", pipeline.opportunities, None, "stalled"), ask("rita", pipeline.opportunities)):
        assert set(rows["total"]) == {len(rows)}


@pytest.mark.parametrize(
    ("step", "today", "on_3_november"),
    [
        ("task | pending   | 2025-01-01 | 2025-01-01 |                  | rita ", True, True),
        ("task | pending   | 2025-01-01 | 2025-11-04 |                  | rita ", True, False),  # recorded later
        ("task | cancelled | 2025-01-01 | 2025-01-01 |                  | rita ", False, False),
        ("task | completed | 2025-01-01 | 2025-01-01 | 2025-11-03 23:59 | rita ", False, False),
        ("task | completed | 2025-01-01 | 2025-01-01 | 2025-11-04 00:00 | rita ", False, True),
        ("call |           | 2025-11-03 23:59 | 2025-01-01 |            | rita ", False, False),
        ("call |           | 2025-11-04 00:00 | 2025-01-01 |            | rita ", False, True),
        ("call |           | 2199-01-01 | 2025-01-01 |                  | rita ", True, True),
        ("call |           | 2199-01-01 | 2025-01-01 |                  | ravi ", True, True),  # on her organizer
    ],
)
def test_what_is_a_next_step(company: Connection, ask: Ask, step: str, today: bool, on_3_november: bool) -> None:
    happens(
        company, "at | deal | organizer_id | assigned_to | stage_id | value\n2025-01-01 | Gala | acme | rita | Lead | 1"
    )
    happens(
        company, "at | deal | organizer_id | assigned_to | stage_id | value\n2025-01-01 | Expo | acme | rita | Lead | 1"
    )
    company.exec_driver_sql("set timezone = 'America/Toronto'")
    given(
        company,
        "crm_activities",
        "opportunity_id | subject | type | is_task | task_status | activity_date | created_at | completed_at |"
        " user_id\n"
        f"Gala | Call | {step.replace('task |', 'task | true |').replace('call |', 'call | |')}",
    )
    found: dict[date, dict[str, bool]] = {
        as_of: dict(ask("rita", pipeline.opportunities, as_of=as_of)[["name", "has_next_step"]].itertuples(index=False))
        for as_of in (TODAY, date(2025, 11, 3))
    }
    assert found == {
        TODAY: {"Gala": today, "Expo": False},
        date(2025, 11, 3): {"Gala": on_3_november, "Expo": False},
    }


def test_pushes_are_moves_to_a_later_calendar_month(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id | value | expected_close_date |
        2025-01-01 12:00 | Gala | acme         | rita        | Lead     | 1     | 2025-10-01          |
        2025-01-02 12:00 | Gala |              |             |          |       | 2025-10-31          |
        2025-01-03 12:00 | Gala |              |             |          |       | 2025-11-01          |
        2025-01-04 12:00 | Gala |              |             |          | 2     |                     |
        2025-01-05 12:00 | Gala |              |             |          |       | 2025-09-30          |
        2025-01-06 12:00 | Gala |              |             |          |       | 2026-01-01          |
        2025-01-07 12:00 | Gala |              |             |          |       | null                |
        2025-01-08 12:00 | Gala |              |             |          |       | 2026-02-01          |
        """,
    )
    pushes = {
        day: ask("rita", pipeline.opportunities, as_of=date(2025, 1, day))["pushes"][0] for day in (2, 3, 5, 6, 8)
    }
    assert pushes == {2: 0, 3: 1, 5: 1, 6: 2, 8: 2}


def test_names_of_those_who_left_and_of_nobody(decoys: Connection, ask: Ask) -> None:
    del decoys
    for who, leaver in (("max", "(former colleague)"), ("eve", "Dora")):
        rows = ask(who, pipeline.opportunities).set_index("name")
        assert rows["owner"]["Leaver"] == leaver
    assert rows["owner"]["Nobody"] == "(nobody)"


def test_a_deal_that_was_handed_over_is_in_the_past_of_both(company: Connection, ask: Ask) -> None:
    happens(
        company,
        """
        at               | deal | organizer_id | assigned_to | stage_id | value |
        2025-09-01 12:00 | Gala | beta         | rita        | Lead     | 100   |
        2025-10-02 12:00 | Gala |              | olaf        |          |       |
        """,
    )
    columns = "name | organizer | owner | value\n"
    hers = columns + "(removed or handed over) | (not yours to see) | Rita | 100"
    shows(ask("rita", pipeline.opportunities, as_of=date(2025, 10, 1)), hers)
    assert ask("olaf", pipeline.opportunities, as_of=date(2025, 10, 1)).empty
    assert ask("rita", pipeline.opportunities).empty
    shows(ask("olaf", pipeline.opportunities), columns + "Gala | (not yours to see) | Olaf | 100")


# Choices --------------------------------------------------------------------------------------------------------


def test_what_the_scope_bar_offers(company: Connection, reading_as: ReadingAs) -> None:
    del company
    with reading_as("rita", TODAY) as db:
        offered = pipeline.choices(db)
    people = offered[offered["kind"] == "owner"]
    shows(
        people.assign(key=people["key"].map(UUID), manager=people["manager"].map(UUID, na_action="ignore")),
        """
        key  | label | manager |
        ada  | Ada   |         |
        eve  | Eve   |         |
        max  | Max   | mona    |
        mona | Mona  |         |
        nora | Nora  |         |
        olaf | Olaf  |         |
        ravi | Ravi  | max     |
        rita | Rita  | max     |
        """,
    )
    shows(
        offered[offered["kind"] != "owner"],
        """
        kind         | key       | label     | manager |
        company_size | small     | small     |         |
        currency     | CAD       | CAD       |         |
        currency     | EUR       | EUR       |         |
        currency     | USD       | USD       |         |
        industry     | Festivals | Festivals |         |
        """,
    )
