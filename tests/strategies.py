"""What people, grids and hostile clients put into a field: sound values and unsound ones, by the kind of the field."""

# ruff: noqa: E501 (tables are read across)

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from app.fields import REFERENCES, Field

NO_ID = UUID(int=0)

# Every character, with those preferred that break something somewhere.
_LETTERS = st.one_of(
    st.characters(exclude_categories=()),  # surrogates too
    st.sampled_from(
        "\0\x1b\x7f\x85\u2028\u2029\u200b\u200f\u202e\u2066\ufeff\ud800\U0001f600\u0301‎%_\\'\"<>`$[]()=+-@#"
    ),
)
_HOSTILE_TEXT = st.sampled_from([
    "Robert'); DROP TABLE crm_organizers;--", "x' OR '1'='1", "%", "_", "\\", "a\x00b", "\ud800", "e" + "\u0301" * 150,
    "\u202egnp.exe", "\u200b", "\u00a0", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "![x](http://127.0.0.1:1/b)", "[click](javascript:alert(1))", "$5k … $10k", ":red[x]", "# title", "---",
    "=HYPERLINK(\"http://x\")", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", "line\nline", "x" * 1_000_001, "", " ",
])  # fmt: skip
_NUMBERS = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(min_value=0, max_value=10**12, places=2),
    st.floats(),
    st.integers(),
    st.integers(0, 100),
    st.sampled_from([
        "NaN", "sNaN", "Infinity", "-Infinity", "1e400", "1e3", "-1", "10000000000", "9999999999999999.99",
        "10000000000000000", "1,000.00", "1.000,00", "1.000", "1,5", "1 000", "1\u00a0000.50", "12 34", "\u0663", "\uff11\uff12", "0x10",
        "1_000", "$5", "5k", "--1", "+1", "1.", ".5", "0.001", "40 %", "40%", "101", "-0", "\u0664\u0660%", "", "  ", "nothing",
        Decimal("NaN"), Decimal("sNaN"), Decimal("1E+999999"), Decimal("1E-999999"), float("nan"), float("inf"), True,
    ]),
)  # fmt: skip
_DAYS = st.one_of(
    st.dates(),
    st.datetimes(),
    st.sampled_from([
        "2025-11-07", "7 Nov 2025", "infinity", "-infinity", "9999-12-31", "10000-01-01", "0044-03-15 BC", "0000-00-00",
        "2025-02-30", "2025-02-29", "2024-02-29", "1899-12-31", "1900-01-01", "2200-12-31", "2201-01-01", "03/04/2025",
        "2025-W45-5", "20251107", "\u0662\u0660\u0662\u0665-\u0661\u0661-\u0660\u0667", "today", "now", "epoch", "2025-11-07; select 1", "", " ", 45000, float("nan"),
    ]),
)  # fmt: skip
_MOMENTS = st.one_of(
    _DAYS,
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from([
        "2025-11-07 14:30", "2025-11-07T14:30:00+05:30", "2025-11-07T14:30:59.123456Z", "2025-03-09 02:30",
        "2025-11-02 01:30", "2025-11-07 24:00", "2025-11-07 23:59:60", "2025-11-07 14:30 Mars/Phobos",
    ]),
)  # fmt: skip

_BY_KIND: Mapping[str, st.SearchStrategy[Any]] = {
    "amount": _NUMBERS,
    "whole": _NUMBERS,
    "percent": _NUMBERS,
    "day": _DAYS,
    "moment": _MOMENTS,
    "flag": st.one_of(st.booleans(), st.sampled_from(["yes", "No", "TRUE", "1", "", "maybe", 1, 0, float("nan")])),
    "currency": st.sampled_from(["CAD", "USD", "usd", "", "XXX", "XTS", "banana", "C$D", "\uff23\uff21\uff24", "CAD ", "CA\0"]),
    "email": st.one_of(st.emails(), st.sampled_from(["a@b", "a b@c", "@", "a@b@c", "a@\u00a0b", "a\n@b.c", "x" * 320 + "@b"])),
    "web_address": st.sampled_from([
        "acme.com", "https://acme.com/a?b#c", "HTTP://ACME.COM", "javascript:alert(1)", "java\nscript:alert(1)",
        "data:text/html,x", "//acme.com", "ftp://acme.com", "https://", "https://a b", "acme", "https://a.b/" + "x" * 2000,
    ]),
    "tags": st.one_of(
        st.lists(st.text(_LETTERS, max_size=70), max_size=4),
        st.sampled_from(["a, b; a", ["a", "a", " b "], ["x"] * 60, [str(number) for number in range(51)], {"a": 1}, [None], 7]),
    ),
    "time_zone": st.sampled_from(["America/Toronto", "UTC", "Mars/Phobos", "america/toronto", "Foo/Bar-5", "EST5EDT", "../x"]),
    "language": st.sampled_from(["en", "fr-CA", "EN", "e", "français", "en_US", "zh-Hant-TW"]),
    "address": st.one_of(
        st.dictionaries(st.sampled_from(["street", "city", "country"]), st.text(_LETTERS, max_size=20)),
        st.sampled_from([{"planet": "Mars"}, [], "12 Main Street", {"city": "x" * 201}, {"city": 7}, {"city": None}]),
    ),
}  # fmt: skip
_TEXT = st.one_of(st.text(_LETTERS, max_size=40), _HOSTILE_TEXT)


def given_to(field: Field) -> st.SearchStrategy[Any]:
    """What somebody may put into the field, most of which is refused."""
    if field.kind in REFERENCES:
        return st.sampled_from([NO_ID, str(NO_ID), "me", "", "1 or 1=1", 7, b"x"])
    if field.kind == "choice":
        return st.one_of(st.sampled_from(field.choices), st.sampled_from([field.choices[0].upper(), "other things", 7]))
    return st.one_of(_BY_KIND[field.kind], _TEXT) if field.kind in _BY_KIND else _TEXT


def is_as_entered(field: Field, entered: Any, stored: Any, time_zone: str = "UTC") -> bool:
    """Whether what is stored is what was entered there, after the trimming that app.fields documents."""
    if field.kind == "moment" and stored is not None:
        stored = stored.astimezone(ZoneInfo(time_zone))
    if entered is None or isinstance(entered, str) and not entered.strip():
        return stored in (None, [], {}, False) or field.kind == "percent"  # an empty probability is the stage's
    return _SAME.get(field.kind, _same_text)(entered, stored)


def _same_text(entered: Any, stored: Any) -> bool:
    return bool(str(entered).strip() == str(stored))


def _same_number(entered: Any, stored: Any) -> bool:
    written = "".join(str(entered).removesuffix("%").split())
    try:
        return Decimal(written) == stored
    except InvalidOperation:
        return False


def _same_day(entered: Any, stored: date) -> bool:
    if isinstance(entered, str):
        return entered.strip() in (stored.isoformat(), f"{stored:%-d %b %Y}")
    return bool((entered.date() if isinstance(entered, datetime) else entered) == stored)


def _same_moment(entered: Any, stored: datetime) -> bool:
    if isinstance(entered, str):
        entered = datetime.fromisoformat(entered.strip())
    elif not isinstance(entered, datetime):
        entered = datetime.combine(entered, datetime.min.time())
    return bool(entered == (stored if entered.tzinfo else stored.replace(tzinfo=None)))


def _same_tags(entered: Any, stored: list[str]) -> bool:
    words = entered.replace(";", ",").split(",") if isinstance(entered, str) else entered
    return list(dict.fromkeys(word.strip() for word in words if word.strip())) == stored


_SAME: Mapping[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(("amount", "whole", "percent"), _same_number),
    "day": _same_day,
    "moment": _same_moment,
    "flag": lambda entered, stored: (str(entered).strip().lower() in ("yes", "true")) == stored,
    "web_address": lambda entered, stored: stored in (entered.strip(), f"https://{entered.strip()}"),
    "tags": _same_tags,
    "address": lambda entered, stored: (
        stored == {part: text.strip() for part, text in entered.items() if text and text.strip()}
    ),
}
