"""What the reader has chosen to look at: one frozen value that every question takes first."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

PeriodKind = Literal["month", "quarter", "year"]
MONTHS: dict[PeriodKind, int] = {"month": 1, "quarter": 3, "year": 12}
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Calendar days from `start` until before `end`; of no kind where they are just any days."""

    start: date
    end: date
    label: str
    kind: PeriodKind | None = None
    fiscal_year_first_month: int = 1

    @classmethod
    def of(cls, kind: PeriodKind, day: date, fiscal_year_first_month: int = 1) -> Self:
        """The month, quarter or year of the fiscal year that holds the day."""
        months = MONTHS[kind]
        since_fiscal_year = (day.month - fiscal_year_first_month) % 12
        start = _add_months(day.replace(day=1), -(since_fiscal_year % months))
        year = f"{start.year}"
        if fiscal_year_first_month > 1:  # named after the calendar year in which it ends
            year = f"FY{_add_months(start, 13 - fiscal_year_first_month).year}"
        label = {
            "month": f"{start:%B %Y}",
            "quarter": f"{year} Q{since_fiscal_year // 3 + 1}",
            "year": year,
        }[kind]
        return cls(start, _add_months(start, months), label, kind, fiscal_year_first_month)

    def previous(self) -> "Period":
        """The period of its kind before this one; for any days, as many calendar months or days as it has."""
        if self.kind:
            return Period.of(self.kind, self.start - ONE_DAY, self.fiscal_year_first_month)
        months = (self.end.year - self.start.year) * 12 + self.end.month - self.start.month
        whole_months = self.start.day == self.end.day == 1
        start = _add_months(self.start, -months) if whole_months else self.start - (self.end - self.start)
        last = self.start - ONE_DAY
        return Period(start, self.start, f"{start.day} {start:%b %Y} – {last.day} {last:%b %Y}")


def _add_months(first_of_month: date, months: int) -> date:
    years, month = divmod(first_of_month.month - 1 + months, 12)
    return date(first_of_month.year + years, month + 1, 1)


@dataclass(frozen=True)
class Scope:
    """The filters of a page. None and empty segments filter nothing.

    `limited_to` is not a choice: whose rows a rep or manager sees at all. The policies keep rows apart whatever it
    says; asking for less lets the database answer from an index.
    """

    today: date
    as_of: date
    period: Period
    currency: str
    time_zone: str  # the organisation's: decides which day a moment belongs to
    owners: tuple[UUID, ...] | None = None
    limited_to: tuple[UUID, ...] | None = None
    industries: tuple[str, ...] = ()
    company_sizes: tuple[str, ...] = ()
    lead_sources: tuple[str, ...] = ()
    closing_in_period: bool = False  # only open opportunities that are expected to close in the period

    @property
    def moment(self) -> datetime | None:
        """The first instant after the as-of day, where that is past; None: now."""
        return None if self.as_of >= self.today else end_of(self.as_of, self.time_zone)

    @property
    def flow_end(self) -> date:
        """The first day that the period's flows (won, lost, entries) don't count any more."""
        return min(self.period.end, self.as_of + ONE_DAY)

    def before(self) -> "Scope":
        """The same scope one period earlier, as of the day as far into it: whole against whole, part against part."""
        period = self.period.previous()
        as_of = self.as_of - (self.period.start - period.start)
        last = period.end - ONE_DAY
        is_whole = self.as_of >= self.period.end - ONE_DAY
        return replace(self, period=period, as_of=max(as_of, last) if is_whole else min(as_of, last))


def end_of(day: date, time_zone: str) -> datetime:
    """The first instant after the day in the time zone."""
    return datetime.combine(day + ONE_DAY, time.min, ZoneInfo(time_zone))
