"""Numbers as people read them: one sentence-ready text per kind of value."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pandas as pd

MISSING = "–"
GAP = "\N{NO-BREAK SPACE}"  # between a number and its unit, so that a line never breaks there
SYMBOLS = {"CAD": "CA$", "USD": "US$", "AUD": "A$", "EUR": "€", "GBP": "£", "JPY": "¥", "CHF": "CHF" + GAP}
STEPS = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "K"))


def _missing(value: Any) -> bool:
    return value is None or value is pd.NaT or bool(pd.isna(value))


def symbol(currency: str) -> str:
    """What stands before an amount: CA$, €; the code itself where no symbol is common."""
    return SYMBOLS.get(currency, currency + GAP)


def money(amount: Any, currency: str) -> str:
    """An amount to the cent: CA$1,237,450.00."""
    if _missing(amount):
        return MISSING
    exact = Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return f"{'−' if exact < 0 else ''}{symbol(currency)}{abs(exact):,.2f}"


def short_money(amount: Any, currency: str) -> str:
    """An amount in three digits: CA$1.24M, CA$987."""
    if _missing(amount):
        return MISSING
    exact = Decimal(str(amount))
    return f"{'−' if exact < 0 else ''}{symbol(currency)}{_three_digits(abs(exact))}"


def _three_digits(amount: Decimal) -> str:
    for step, letter in reversed(STEPS):
        scaled = amount / step
        # 999.5 thousand would read 1,000K: it belongs to the next step.
        if Decimal("0.9995") <= scaled < Decimal("999.5") or (letter == "T" and scaled >= 1):
            return f"{scaled:,.{2 if scaled < Decimal('9.995') else 1 if scaled < Decimal('99.95') else 0}f}{letter}"
    return f"{amount:,.0f}"


def count(number: Any) -> str:
    """A whole number: 1,234."""
    return MISSING if _missing(number) else f"{int(number):,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 opportunity, 1,234 opportunities."""
    return f"{number:,}{GAP}{one if number == 1 else many or one + 's'}"


def share(part: Any) -> str:
    """A share of 0–1 in per cent: 63 %; a tenth where it would read 0 % or 100 % and is neither."""
    if _missing(part):
        return MISSING
    percent = float(part) * 100
    rounded = round(percent)
    near_an_end = rounded in {0, 100} and percent not in {0.0, 100.0}
    return f"{percent:.1f}{GAP}%" if near_an_end else f"{rounded}{GAP}%"


def whole_percent(part: Any) -> int:
    """A share as a whole number of per cent."""
    return round(float(part) * 100)


def days(number: Any) -> str:
    """A length of time: 12 days."""
    if _missing(number):
        return MISSING
    whole = round(float(number))
    return f"{whole:,}{GAP}day{'' if abs(whole) == 1 else 's'}"


def day(value: Any) -> str:
    """A calendar day: 7 Nov 2025."""
    return MISSING if _missing(value) else f"{value:%-d %b %Y}"


def moment(value: Any, time_zone: str) -> str:
    """A point in time on somebody's clock: 7 Nov 2025, 14:03."""
    return MISSING if _missing(value) else f"{pd.Timestamp(value).tz_convert(time_zone):%-d %b %Y, %H:%M}"


def ago(day: date, today: date) -> str:
    """How long before today: 3 days ago, today, in 2 days."""
    distance = (today - day).days
    if distance == 0:
        return "today"
    whole = abs(distance)
    for size, unit in ((365, "year"), (30, "month"), (1, "day")):
        if whole >= 2 * size or size == 1:
            number = whole // size
            words = f"{number}{GAP}{unit}{'' if number == 1 else 's'}"
            return f"{words} ago" if distance > 0 else f"in {words}"
    raise AssertionError(distance)


def change(now: Any, before: Any) -> str | int | None:
    """The change against an earlier number in per cent, signed, or 0; None where there is nothing to compare with."""
    if _missing(now) or _missing(before) or not before:
        return None
    percent = round((float(now) / float(before) - 1) * 100)
    return f"{percent:+,}{GAP}%" if percent else 0


def points(now: Any, before: Any) -> str | int | None:
    """The change of a share in percentage points, signed; None where there is nothing to compare with."""
    if _missing(now) or _missing(before):
        return None
    difference = round((float(now) - float(before)) * 100)
    return f"{difference:+d}{GAP}point{'' if abs(difference) == 1 else 's'}" if difference else 0


def more(now: Any, before: Any) -> str | int | None:
    """The change of a number, rounded and signed; None where there is nothing to compare with."""
    if _missing(now) or _missing(before):
        return None
    difference = round(float(now) - float(before))
    return f"{difference:+,}" if difference else 0


def more_days(now: Any, before: Any) -> str | int | None:
    """The change of a length of time, signed; None where there is nothing to compare with."""
    if _missing(now) or _missing(before):
        return None
    difference = round(float(now) - float(before))
    return f"{difference:+,}{GAP}day{'' if abs(difference) == 1 else 's'}" if difference else 0


def quoted(value: object) -> str:
    """What somebody wrote, as a sentence repeats it: short, and with nothing in it that a terminal would obey."""
    text = str(value)
    shown = "".join(character if character.isprintable() else "�" for character in text[:60])
    return f"“{shown}{'…' if len(text) > 60 else ''}”"
