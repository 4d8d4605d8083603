from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from app import formats

GAP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "short"),
    [
        ("1237450", "CA$1.24M"),
        ("0", "CA$0"),
        ("987.4", "CA$987"),
        ("999.5", "CA$1.00K"),
        ("12345", "CA$12.3K"),
        ("123456", "CA$123K"),
        ("999499", "CA$999K"),
        ("999500", "CA$1.00M"),
        ("9995000", "CA$10.0M"),
        ("99950000", "CA$100M"),
        ("1234567890", "CA$1.23B"),
        ("9999999999999999", "CA$10,000T"),
        ("-16100", "−CA$16.1K"),
    ],
)
def test_short_money_has_three_digits(amount: str, short: str) -> None:
    assert formats.short_money(Decimal(amount), "CAD") == short


def test_money_is_written_to_the_cent_in_its_currency() -> None:
    assert formats.money(Decimal(1237450), "CAD") == "CA$1,237,450.00"
    assert formats.money(Decimal("-0.005"), "EUR") == "€0.00"
    assert formats.money(Decimal("-2.5"), "XOF") == f"−XOF{GAP}2.50"


def test_what_is_missing_is_a_dash() -> None:
    for missing in (None, pd.NA, pd.NaT, float("nan")):
        assert formats.money(missing, "CAD") == "–"
        assert formats.short_money(missing, "CAD") == "–"
        assert formats.share(missing) == "–"
        assert formats.days(missing) == "–"
        assert formats.count(missing) == "–"
        assert formats.day(missing) == "–"


def test_a_share_never_reads_none_or_all_unless_it_is() -> None:
    assert formats.share(0.634) == f"63{GAP}%"
    assert formats.share(0) == f"0{GAP}%"
    assert formats.share(0.004) == f"0.4{GAP}%"
    assert formats.share(0.996) == f"99.6{GAP}%"
    assert formats.share(1) == f"100{GAP}%"


def test_lengths_and_dates_read_as_people_say_them() -> None:
    assert formats.days(1) == f"1{GAP}day"
    assert formats.days(12.4) == f"12{GAP}days"
    assert formats.day(date(2025, 11, 7)) == "7 Nov 2025"
    assert formats.moment(datetime(2025, 11, 2, 2, tzinfo=UTC), "America/Toronto") == "1 Nov 2025, 22:00"
    assert formats.counted(1, "opportunity", "opportunities") == f"1{GAP}opportunity"
    assert formats.counted(1200, "row") == f"1,200{GAP}rows"


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (date(2025, 11, 22), "today"),
        (date(2025, 11, 21), f"1{GAP}day ago"),
        (date(2025, 11, 19), f"3{GAP}days ago"),
        (date(2025, 9, 1), f"2{GAP}months ago"),
        (date(2023, 11, 1), f"2{GAP}years ago"),
        (date(2025, 11, 24), f"in 2{GAP}days"),
    ],
)
def test_how_long_ago(then: date, said: str) -> None:
    assert formats.ago(then, date(2025, 11, 22)) == said


def test_a_change_has_a_sign_and_none_is_made_up() -> None:
    assert formats.change(Decimal(124), Decimal(100)) == f"+24{GAP}%"
    assert formats.change(Decimal(76), Decimal(100)) == f"-24{GAP}%"
    assert formats.change(Decimal(100), Decimal(100)) == 0
    assert formats.change(Decimal(5), Decimal(0)) is None
    assert formats.change(None, Decimal(1)) is None
    assert formats.points(0.63, 0.60) == f"+3{GAP}points"
    assert formats.points(0.63, None) is None
    assert formats.more_days(10, 14) == f"-4{GAP}days"
