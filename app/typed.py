"""What a salesperson types → what is stored, or Invalid with a sentence that says how to write it.

One reader for each kind of field (app.fields.Kind). Numbers and days that could mean two things are refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from app.errors import Invalid
from app.formats import quoted

LARGEST_AMOUNT: Final = Decimal("9999999999999999.99")
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
ADDRESS: Final = ("street", "city", "province", "postal_code", "country")
MOST_TAGS: Final = 50
LONGEST_TAG: Final = 60

_SHOWN: Final = 40  # letters that a number, a day or an id may take
_END_OF_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
# 1.000 is a thousand to some and one to others: whoever types decimals types one or two of them.
_WHOLE: Final = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?: [0-9]{3})+)")
_WITH_CENTS: Final = re.compile(_WHOLE.pattern + r"(?:\.[0-9]{1,2})?")
_SPACES: Final = str.maketrans("\u00a0\u2007\u2009\u202f", "    ")  # what numbers are grouped with
_DAYS: Final = ("%Y-%m-%d", "%d %b %Y", "%d %B %Y")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[+-]\d\d:\d\d|Z)?)?", re.ASCII)
_ZONE: Final = re.compile(r"UTC|Etc/GMT[+-]\d{1,2}|[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_-]+)+", re.ASCII)


# Text ------------------------------------------------------------------------------------------------------------


def line(given: Any, longest: int) -> str:
    """One line: no control character, something to be seen in it."""
    found = _typed(given, longest)
    if _END_OF_LINE.search(found):
        raise Invalid("It has a line break or another control character in it. Write it on one line.")
    return found


def text(given: Any, longest: int) -> str:
    """Several lines."""
    return _typed(given, longest)


def email(given: Any) -> str:
    """An address with one @."""
    found = line(given, 320)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", found):
        raise Invalid(f"{quoted(found)} is no email address: write it as in name@company.com.")
    return found


def web_address(given: Any) -> str:
    """An address that starts with http:// or https://, which it gets where it has none."""
    found = line(given, 2000)
    host = re.split(r"[/?#]", found, maxsplit=1)[0]
    if ":" not in host and "." in host:
        found = f"https://{found}"
    if not re.fullmatch(r"https?://\S+", found, re.IGNORECASE) or len(found) > 2000:
        raise Invalid(f"{quoted(found)} is no web address: write it as in https://company.com.")
    return found


def language(given: Any) -> str:
    """A code such as en or fr-CA."""
    found = line(given, 35)
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", found):
        raise Invalid(f"{quoted(found)} is no language code: write it as in en or fr-CA.")
    return found


def currency(given: Any) -> str:
    """A code of three capital letters."""
    found = line(given, 200)
    if not re.fullmatch(r"[A-Z]{3}", found) or found in ("XXX", "XTS"):
        raise Invalid(f"{quoted(found)} is no currency: write its code of three capitals, as in CAD.")
    return found


def time_zone(given: Any) -> str:
    """A name of the zone database."""
    found = line(given, 200)
    if found not in time_zones():
        raise Invalid(f"{quoted(found)} is no time zone: choose one such as America/Toronto.")
    return found


@cache
def time_zones() -> tuple[str, ...]:
    """The time zones that a person can be in, in alphabetical order."""
    return tuple(sorted(name for name in available_timezones() if _ZONE.fullmatch(name)))


def choice(given: Any, choices: Sequence[str]) -> str:
    """One of these words."""
    if given not in choices:
        raise Invalid(f"{quoted(str(given))} is not on the list: choose one of {', '.join(choices)}.")
    return str(given)


def tags(given: Any) -> list[str]:
    """Words of a list, or of a text between commas or semicolons, each once."""
    words = re.split(r"[,;]", given) if isinstance(given, str) else given
    if not isinstance(words, Iterable) or isinstance(words, Mapping):
        raise Invalid("Write the tags one after the other, with commas between them.")
    found = list(dict.fromkeys(line(word, LONGEST_TAG) for word in words if str(word).strip()))
    if len(found) > MOST_TAGS:
        raise Invalid(f"These are {len(found):,} tags; there is room for {MOST_TAGS}.")
    return found


def address(given: Any, longest: int) -> dict[str, str]:
    """The parts of an address that are filled in."""
    if not isinstance(given, Mapping) or not set(given) <= set(ADDRESS):
        raise Invalid(f"An address has these parts: {', '.join(ADDRESS).replace('_', ' ')}.")
    return {part: line(given[part], longest) for part in ADDRESS if str(given.get(part) or "").strip()}


# Numbers ---------------------------------------------------------------------------------------------------------


def amount(given: Any) -> Decimal:
    """Money: from 0, with at most two decimals behind a point; thousands may be grouped with spaces."""
    number = _number(given, "an amount", "1000 or 1 000.50", _WITH_CENTS)
    if number < 0:
        raise Invalid("An amount is not negative.")
    if number > LARGEST_AMOUNT:
        raise Invalid("This amount is too large to be kept.")
    if number != round(number, 2):
        raise Invalid(f"{quoted(given)} has more than two decimals.")
    return round(number, 2)


def whole(given: Any, most: int) -> int:
    """A whole number from 0 to `most`."""
    number = _number(given, "a number", "1000 or 1 000", _WHOLE)
    if number != number.to_integral_value():
        raise Invalid(f"{quoted(given)} is no whole number.")
    if not 0 <= number <= most:
        raise Invalid(f"{quoted(given)} is not from 0 to {most:,}.")
    return int(number)


def percent(given: Any) -> int:
    """A probability: a whole number from 0 to 100, with or without its sign."""
    written = given.strip().removesuffix("%").strip() if isinstance(given, str) else given
    number = _number(written, "a probability", "40", _WHOLE)
    if not 0 <= number <= 100:
        raise Invalid(f"{quoted(given)} is not from 0 to 100.")
    if number != number.to_integral_value():
        raise Invalid(f"{quoted(given)} has decimals; a probability is a whole number.")
    return int(number)


def flag(given: Any) -> bool:
    """Yes or no."""
    words = {"true": True, "yes": True, "false": False, "no": False}
    if (word := str(given)[:_SHOWN].strip().casefold()) not in words:
        raise Invalid(f"{quoted(given)} is neither yes nor no.")
    return words[word]


def _number(given: Any, what: str, sample: str, form: re.Pattern[str]) -> Decimal:
    if isinstance(given, int | float | Decimal) and not isinstance(given, bool):
        number = given if isinstance(given, Decimal) else Decimal(str(given))
        if number.is_finite() and abs(number.adjusted()) < _SHOWN:
            return number
    written = str(given)[: 2 * _SHOWN].translate(_SPACES).strip()
    if len(written) > _SHOWN or not form.fullmatch(written):
        how = "without commas, " if "," in written else ""
        raise Invalid(f"{quoted(given)} is not {what}: write it {how}as in {sample}.")
    return Decimal(written.replace(" ", ""))


# Time ------------------------------------------------------------------------------------------------------------


def day(given: Any) -> date:
    """A calendar day of the years 1900 to 2200: 2025-11-07, or 7 Nov 2025."""
    found: date | None
    if isinstance(given, datetime):
        # pandas' NaT is a datetime too, and not even itself.
        found = given.date() if given == given and given.time() == time() else None
    else:
        found = given if isinstance(given, date) else _day(str(given)[:_SHOWN].strip())
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Invalid(f"{quoted(given)} is no day from {FIRST_YEAR} to {LAST_YEAR}: write it as in 2025-11-07.")
    return found


def moment(given: Any, time_zone: str) -> datetime:
    """A point in time of those years, of a day its midnight; on the clocks of the zone where it has no offset."""
    found = given if isinstance(given, datetime) else _moment(given)
    if found is None or found != found or not FIRST_YEAR < found.year < LAST_YEAR:
        raise Invalid(
            f"{quoted(given)} is no time from {FIRST_YEAR + 1} to {LAST_YEAR - 1}: write it as in 2025-11-07 14:30."
        )
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(time_zone))
        if found.astimezone(UTC).astimezone(found.tzinfo).replace(tzinfo=None) != found.replace(tzinfo=None):
            raise Invalid(f"{found:%H:%M} is left out on {found:%-d %b %Y}: clocks are put forward there.")
    return found.astimezone(UTC)


def _day(written: str) -> date | None:
    for form in _DAYS if written.isascii() else ():
        with suppress(ValueError):
            return datetime.strptime(written, form).date()  # noqa: DTZ007  (a day has no zone)
    return None


def _moment(given: Any) -> datetime | None:
    written = str(given)[:_SHOWN].strip()
    if not _MOMENT.fullmatch(written):
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(written)
    return None


# References ------------------------------------------------------------------------------------------------------


def identifier(given: Any) -> UUID:
    """The id of a record that was chosen."""
    with suppress(ValueError):
        return UUID(str(given)[:_SHOWN])
    raise Invalid(f"{quoted(given)} is none of what can be chosen here.")


# What all of them need -------------------------------------------------------------------------------------------


def _typed(given: Any, longest: int) -> str:
    if not isinstance(given, str):
        raise Invalid(f"{quoted(given)} is no text.")
    found = given.strip()
    if len(found) > longest:
        raise Invalid(f"It is {len(found):,} letters long; there is room for {longest:,}.")
    if "\0" in found or _SURROGATE.search(found):
        raise Invalid("It holds half a character, or one that can't be stored. Remove it, or type it again.")
    if not any(letter.isprintable() and not letter.isspace() for letter in found):
        raise Invalid("There is nothing to be seen in it.")
    return found
