"""Periods, what comes before them, and the moments at which days end."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.scope import MONTHS, Period, PeriodKind, Scope, end_of
from tests.queries.conftest import scope_of

ONE_DAY = timedelta(days=1)
days = st.dates(date(1950, 1, 1), date(2150, 12, 31))
kinds = st.sampled_from(get_args(PeriodKind))
first_months = st.integers(1, 12)
periods = st.builds(Period.of, kinds, days, first_months) | st.builds(
    lambda start, length: Period(start, start + ONE_DAY * length, "any days"), days, st.integers(1, 1000)
)
quick = settings(derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize(
    ("kind", "day", "first_month", "start", "end", "label", "before"),
    [
        ("month", "2025-11-05", 1, "2025-11-01", "2025-12-01", "November 2025", "October 2025"),
        ("month", "2026-01-31", 4, "2026-01-01", "2026-02-01", "January 2026", "December 2025"),
        ("quarter", "2025-11-05", 1, "2025-10-01", "2026-01-01", "2025 Q4", "2025 Q3"),
        ("quarter", "2025-01-01", 1, "2025-01-01", "2025-04-01", "2025 Q1", "2024 Q4"),
        ("year", "2025-12-31", 1, "2025-01-01", "2026-01-01", "2025", "2024"),
        # a fiscal year bears the name of the calendar year in which it ends
        ("quarter", "2025-04-01", 4, "2025-04-01", "2025-07-01", "FY2026 Q1", "FY2025 Q4"),
        ("quarter", "2026-03-31", 4, "2026-01-01", "2026-04-01", "FY2026 Q4", "FY2026 Q3"),
        ("year", "2026-03-31", 4, "2025-04-01", "2026-04-01", "FY2026", "FY2025"),
        ("quarter", "2026-01-15", 11, "2025-11-01", "2026-02-01", "FY2026 Q1", "FY2025 Q4"),
        ("quarter", "2026-02-28", 12, "2025-12-01", "2026-03-01", "FY2026 Q1", "FY2025 Q4"),
        ("year", "2024-02-29", 3, "2023-03-01", "2024-03-01", "FY2024", "FY2023"),
    ],
)
def test_calendar_periods(
    kind: PeriodKind, day: str, first_month: int, start: str, end: str, label: str, before: str
) -> None:
    period = Period.of(kind, date.fromisoformat(day), first_month)
    assert (period.start, period.end, period.label) == (date.fromisoformat(start), date.fromisoformat(end), label)
    assert period.previous().label == before


@quick
@given(kind=kinds, day=days, first_month=first_months)
def test_periods_of_a_kind_cover_every_day_once(kind: PeriodKind, day: date, first_month: int) -> None:
    period = Period.of(kind, day, first_month)
    assert period.start <= day < period.end
    assert period == Period.of(kind, period.end - ONE_DAY, first_month)
    following = Period.of(kind, period.end, first_month)
    assert following.start == period.end
    assert following.previous() == period
    assert (period.start.month - first_month) % MONTHS[kind] == 0
    assert (period.end.month - period.start.month) % 12 == MONTHS[kind] % 12


@quick
@given(day=days, first_month=first_months)
def test_a_year_is_its_four_quarters(day: date, first_month: int) -> None:
    year = Period.of("year", day, first_month)
    quarters = [Period.of("quarter", year.end - ONE_DAY, first_month)]
    while quarters[0].start > year.start:
        quarters.insert(0, quarters[0].previous())
    assert [quarter.label for quarter in quarters] == [f"{year.label} Q{number}" for number in (1, 2, 3, 4)]
    assert quarters[0].start == year.start


@pytest.mark.parametrize(
    ("start", "end", "before", "label"),
    [
        ("2025-11-01", "2025-11-06", "2025-10-27", "27 Oct 2025 – 31 Oct 2025"),
        ("2025-01-01", "2025-03-01", "2024-11-01", "1 Nov 2024 – 31 Dec 2024"),  # two calendar months, not 59 days
        ("2024-02-29", "2024-03-01", "2024-02-28", "28 Feb 2024 – 28 Feb 2024"),
    ],
)
def test_before_any_days_come_as_many(start: str, end: str, before: str, label: str) -> None:
    previous = Period(date.fromisoformat(start), date.fromisoformat(end), "any days").previous()
    assert previous == Period(date.fromisoformat(before), date.fromisoformat(start), label)


@pytest.mark.parametrize(
    ("kind", "as_of", "then"),
    [
        ("quarter", "2025-11-05", "2025-08-05"),  # day 36 of 92
        ("month", "2025-03-30", "2025-02-28"),  # February has no day 30
        ("month", "2025-02-27", "2025-01-27"),
        ("month", "2025-02-28", "2025-01-31"),  # over: whole against whole
        ("quarter", "2025-03-30", "2024-12-28"),
        ("quarter", "2025-03-31", "2024-12-31"),
        ("year", "2024-12-29", "2023-12-30"),  # day 364 of both
    ],
)
def test_the_scope_before_is_as_far_into_its_period(kind: PeriodKind, as_of: str, then: str) -> None:
    day = date.fromisoformat(as_of)
    assert scope_of(as_of=day, period=Period.of(kind, day)).before().as_of == date.fromisoformat(then)


@quick
@given(period=periods, offset=st.integers(-100, 1500))
def test_the_period_before_has_gone_as_far(period: Period, offset: int) -> None:
    scope = scope_of(as_of=period.start + ONE_DAY * offset, period=period)
    before = scope.before()
    assert before.period.end == period.start
    assert before.as_of < scope.as_of
    assert replace(before, period=scope.period, as_of=scope.as_of) == scope
    gone, gone_before = (min(it.flow_end, it.period.end) - it.period.start for it in (scope, before))
    if scope.flow_end == period.end:
        assert before.flow_end == before.period.end
    elif gone > timedelta(0):
        assert gone_before == min(gone, before.period.end - before.period.start)
    else:
        assert gone_before <= timedelta(0)


def test_a_past_day_is_looked_at_as_of_its_end_and_today_as_of_now() -> None:
    today = date(2025, 11, 5)
    assert scope_of(today=today, as_of=today).moment is None
    assert scope_of(today=today, as_of=today - ONE_DAY).moment == datetime(2025, 11, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "ends"),
    [
        ("America/Toronto", "2025-03-08", "2025-03-09 05:00"),
        ("America/Toronto", "2025-03-09", "2025-03-10 04:00"),  # 23 hours
        ("America/Toronto", "2025-11-01", "2025-11-02 04:00"),
        ("America/Toronto", "2025-11-02", "2025-11-03 05:00"),  # 25 hours
        ("America/Sao_Paulo", "2018-11-03", "2018-11-04 03:00"),  # the next day has no midnight and begins at one
        ("America/Havana", "2025-11-01", "2025-11-02 04:00"),  # the next day has two, and begins with the first
    ],
)
def test_days_end_at_midnight_there(zone: str, day: str, ends: str) -> None:
    assert end_of(date.fromisoformat(day), zone).astimezone(UTC) == datetime.fromisoformat(f"{ends}+00:00")


@quick
@given(
    day=st.dates(date(1970, 1, 1), date(2035, 1, 1)),
    zone=st.sampled_from(["America/Toronto", "America/Sao_Paulo", "America/Havana", "Asia/Kolkata", "UTC"]),
)
def test_the_moment_at_which_a_day_ends_is_the_first_of_the_next(day: date, zone: str) -> None:
    moment = end_of(day, zone).astimezone(UTC)
    assert moment.astimezone(ZoneInfo(zone)).date() == day + ONE_DAY
    assert (moment - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == day


def test_a_scope_can_be_a_key() -> None:
    person = UUID(int=1)
    assert hash(scope_of(owners=(person,))) == hash(scope_of(owners=(person,)))
    assert isinstance(scope_of(), Scope)
