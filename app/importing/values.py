"""Text of a cell → a value that the database takes, or the reason why not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.errors import Refused
from app.formats import quoted

# Formats with a time of day beside the export's own dates, so that a mapping need not list what every system writes.
ISO_MOMENTS = (
    "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d",
)  # fmt: skip
# What our own exports put an apostrophe before, so that no spreadsheet runs it (app.components.export.harmless).
FORMULA = re.compile(r"""'(?:[\s"']*[=+\-@＝＋－＠]|[\t\r\n])""")  # noqa: RUF001  (full-width on purpose)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LARGEST_AMOUNT = Decimal("9999999999999999.99")


class UnusableError(Exception):
    """Why a cell is not the value it should be, said after the name of its column."""


@dataclass(frozen=True)
class Style:
    """How an export writes dates and numbers, and what a date without a time of day means."""

    dates: tuple[str, ...]
    numbers: str  # 1234 as the export writes it: "1,234.00", "1.234,00", "1 234,00", "1'234.00" or "1234.00"
    source_zone: ZoneInfo | None  # of moments written without an offset; None: the organisation's
    zone: ZoneInfo  # the organisation's
    now: datetime

    def moment_of(self, day: date) -> datetime:
        """Return when something happened of which only the day is known: at noon there.

        Noon is the same calendar day for viewers up to half a day away; midnight would be the day before for all
        further west. Today's noon may be yet to come, and what an export tells has happened.
        """
        noon = datetime.combine(day, time(12), self.zone)
        return min(noon, self.now) if day == self.today else noon

    @property
    def today(self) -> date:
        """The calendar day at the organisation."""
        return self.now.astimezone(self.zone).date()

    def day_of(self, moment: datetime) -> date:
        """Return the organisation's calendar day of a moment."""
        return moment.astimezone(self.zone).date()


Parser = Callable[[str, Style], object]


def tidy(cell: str) -> str:
    """Return a cell without the space around it and without the apostrophe of a harmless export."""
    cell = cell.strip()
    return cell[1:] if FORMULA.match(cell) else cell


def line(longest: int = 200) -> Parser:
    """One line of text."""

    def parse(text: str, _: Style) -> str:
        if CONTROL.search(text):
            raise UnusableError("has a line break or another control character in it")
        return _short(text, longest)

    return parse


def text(longest: int) -> Parser:
    """Text of several lines."""
    return lambda value, _: _short(value, longest)


def choice(*allowed: str) -> Parser:
    """One of the words that a column of the schema allows."""

    def parse(value: str, _: Style) -> str:
        if value not in allowed:
            raise UnusableError(f"is {quoted(value)}, which is none of {', '.join(allowed)}")
        return value

    return parse


def pattern(expression: str, what: str) -> Parser:
    """Text of a certain form."""
    form = re.compile(expression)

    def parse(value: str, _: Style) -> str:
        if not form.fullmatch(value):
            raise UnusableError(f"is {quoted(value)}, which is not {what}")
        return value

    return parse


email = pattern(r"(?=.{1,320}\Z)[^@\s]+@[^@\s]+", "an email address")
web_address = pattern(r"(?i:https?)://\S{1,1990}", "a web address that starts with http:// or https://")
currency = pattern(r"(?!XXX|XTS)[A-Z]{3}", "a currency code such as CAD")
color = pattern(r"#[0-9a-fA-F]{6}", "a colour such as #3b82f6")


def amount(value: str, style: Style) -> Decimal:
    """Money: not negative, at most two decimals."""
    number = _number(value, style)
    if not 0 <= number <= LARGEST_AMOUNT:
        raise UnusableError(f"is {quoted(value)}; an amount is neither negative nor over {LARGEST_AMOUNT:,}")
    if number != round(number, 2):
        raise UnusableError(f"is {quoted(value)}, which has more than two decimals")
    return round(number, 2)


def integer(lowest: int, highest: int) -> Parser:
    """A whole number within bounds."""

    def parse(value: str, style: Style) -> int:
        number = _number(value, style)
        if number != int(number) or not lowest <= number <= highest:
            raise UnusableError(f"is {quoted(value)}; a whole number from {lowest} to {highest:,} is expected")
        return int(number)

    return parse


def flag(value: str, _: Style) -> bool:
    """Yes or no."""
    words = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
    if value.lower() not in words:
        raise UnusableError(f"is {quoted(value)}, which is neither true nor false")
    return words[value.lower()]


def tags(value: str, style: Style) -> list[str]:
    """Words separated by semicolons."""
    words = [line(60)(word.strip(), style) for word in value.split(";") if word.strip()]
    if len(words) > 50:
        raise UnusableError("has more than 50 tags")
    return [str(word) for word in dict.fromkeys(words)]


def day(value: str, style: Style) -> date:
    """A calendar day; of a moment, its day at the organisation."""
    written, has_time = _written(value, style.dates)
    return style.day_of(_placed(written, style)) if has_time else written.date()


def moment(value: str, style: Style) -> datetime:
    """A point in time; of a bare date, `Style.moment_of` it."""
    written, has_time = _written(value, style.dates)
    return _placed(written, style) if has_time else style.moment_of(written.date())


def past_day(value: str, style: Style) -> date:
    """A calendar day that has come."""
    found = day(value, style)
    if found > style.today:
        raise UnusableError(f"is {quoted(value)}, which is in the future")
    return found


def past_moment(value: str, style: Style) -> datetime:
    """A point in time that has come."""
    found = moment(value, style)
    if found > style.now:
        raise UnusableError(f"is {quoted(value)}, which is in the future")
    return found


# Transformations that a mapping names with `as`: text → text, before it is read as the field's value ------------


def _company_size(value: str, style: Style) -> str:
    """Number of employees → the schema's sizes, split where the European Commission splits small and medium ones."""
    employees = _number(value, style)
    sizes = ((10, "startup"), (50, "small"), (250, "medium"), (1000, "large"))
    return next((size for limit, size in sizes if employees < limit), "enterprise")


def _percent(value: str, style: Style) -> str:
    """A share of one → percent, written as the export writes numbers: without decimals there is one way."""
    return f"{_number(value, style) * 100:.0f}"


def _words(value: str, _: Style) -> str:
    """An identifier → words: health_care → Health care."""
    return value.replace("_", " ").strip().capitalize()


def _website(value: str, _: Style) -> str:
    """A host name → a web address."""
    return value if "://" in value or ":" in value.split("/", maxsplit=1)[0] else f"https://{value}"


TRANSFORMATIONS: dict[str, Callable[[str, Style], str]] = {
    "company_size": _company_size,
    "percent": _percent,
    "words": _words,
    "website": _website,
    "lower": lambda value, _: value.lower(),
}


def number_marks(sample: str) -> tuple[str, str]:
    """Return the group and decimal mark of a sample such as 1,234.00; refuse what is none."""
    found = re.fullmatch(r"1([,.' ]?)234([.,])00", sample)
    if not found or found[1] == found[2]:
        raise Refused(f"numbers = {quoted(sample)} is no sample: write 1234 the way the export does, such as 1,234.00.")
    return found[1], found[2]


@lru_cache(maxsize=16)
def _number_form(sample: str) -> tuple[str, str, re.Pattern[str]]:
    group, mark = number_marks(sample)
    grouped = rf"|[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+" if group else ""
    return group, mark, re.compile(rf"-?(?:[0-9]+{grouped})(?:{re.escape(mark)}[0-9]+)?")


def _number(value: str, style: Style) -> Decimal:
    group, mark, form = _number_form(style.numbers)
    value = value.replace("\u00a0", " ").replace("\u202f", " ")  # the spaces that French systems group with
    if len(value) > 40 or not form.fullmatch(value):
        raise UnusableError(f"is {quoted(value)}, which is not a number written like {style.numbers}")
    return Decimal((value.replace(group, "") if group else value).replace(mark, "."))


@lru_cache(maxsize=65536)  # an export repeats its days
def _written(value: str, formats: tuple[str, ...]) -> tuple[datetime, bool]:
    for form in (*formats, *ISO_MOMENTS):
        try:
            # strptime takes digits of every script; an export that mixes them is damaged
            written = datetime.strptime(value, form) if value.isascii() else None  # noqa: DTZ007  (_placed gives the zone)
        except ValueError:
            continue
        if written and 1900 < written.year <= 2200:
            return written, "%H" in form or "%I" in form
    sample = datetime(2025, 12, 31, 17, 30, tzinfo=UTC).strftime(formats[0])
    raise UnusableError(f"is {quoted(value)}, which is not a date from 1901 to 2200 written like {sample}")


def _placed(written: datetime, style: Style) -> datetime:
    return written if written.tzinfo else written.replace(tzinfo=style.source_zone or style.zone)


def _short(value: str, longest: int) -> str:
    if len(value) > longest:
        raise UnusableError(f"is {len(value):,} characters long; at most {longest:,} fit")
    return value
