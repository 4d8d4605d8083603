"""The whole company as a scope: what the owner's commands look at."""

import re
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, func

from app.errors import Invalid
from queries import vocabulary as v
from queries.scope import Period, Scope

_PERIOD: Final = re.compile(r"(?P<year>(?:19|20|21)\d\d)(?:-(?:(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4])))?")


def scope(connection: Connection, *, period: str | None = None, as_of: date | None = None) -> Scope:
    """Everybody's rows, in the report currency; this quarter and today unless others are named.

    A period is a month (2027-01), a quarter of the fiscal year (2027-Q1) or a fiscal year (2027).
    """
    settings = v.settings.c
    currency, zone, first_month, today = connection.execute(
        sa.select(settings.report_currency, settings.time_zone, settings.fiscal_year_first_month, func.app.today())
    ).one()
    if as_of and as_of > today:
        raise Invalid(f"{as_of} is still to come: a forecast is made as of today or a past day.")
    day = as_of or today
    chosen = named(period, first_month) if period else Period.of("quarter", day, first_month)
    return Scope(today=today, as_of=day, period=chosen, currency=currency, time_zone=zone)


def named(text: str, fiscal_year_first_month: int = 1) -> Period:
    """The period of this name; years and quarters are fiscal ones, named after the calendar year in which they end."""
    found = _PERIOD.fullmatch(text.strip().upper())
    if not found:
        raise Invalid(f"{text} is no period: name a month (2027-01), a quarter (2027-Q1) or a year (2027).")
    year = int(found["year"])
    if found["month"]:
        return Period.of("month", date(year, int(found["month"]), 1))
    begins = date(year - (fiscal_year_first_month > 1), fiscal_year_first_month, 1)
    if not found["quarter"]:
        return Period.of("year", begins, fiscal_year_first_month)
    quarter = Period.of("quarter", begins, fiscal_year_first_month)
    for _ in range(int(found["quarter"]) - 1):
        quarter = Period.of("quarter", quarter.end, fiscal_year_first_month)
    return quarter
