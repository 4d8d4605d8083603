from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.components.export import harmless
from app.errors import Refused
from app.formats import quoted
from app.importing import values
from app.importing.values import Style, UnusableError

TORONTO = ZoneInfo("America/Toronto")
STYLE = Style(("%Y-%m-%d",), "1234.00", None, TORONTO, datetime(2025, 6, 1, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("written_like", "text", "amount"),
    [
        ("1234.00", "1000.5", "1000.50"),
        ("1,234.00", "1,000,000.00", "1000000.00"),
        ("1,234.00", "1000000", "1000000.00"),
        ("1.234,00", "1.000,00", "1000.00"),
        ("1 234,00", "12\u202f345,60", "12345.60"),
        ("1'234.00", "1'000", "1000.00"),
    ],
)
def test_numbers_are_read_as_the_mapping_says(written_like: str, text: str, amount: str) -> None:
    assert values.amount(text, replace(STYLE, numbers=written_like)) == Decimal(amount)


@pytest.mark.parametrize(
    ("written_like", "text"),
    [
        ("1234.00", "1,000.00"),
        ("1,234.00", "1.000,00"),
        ("1,234.00", "1,00.00"),
        ("1,234.00", "10,00"),
        ("1.234,00", "1,000.00"),
        *(
            ("1234.00", text)
            for text in ("NaN", "Infinity", "1e400", "-1", "1e5", "٣", "0x1", "1.005", "1_000", "+1", "$5")
        ),
        ("1234.00", "1" + "0" * 16),
        ("1234.00", "9" * 4000),
    ],
)
def test_what_is_no_amount_is_refused(written_like: str, text: str) -> None:
    with pytest.raises(UnusableError, match=r"not a number|neither negative|decimals"):
        values.amount(text, replace(STYLE, numbers=written_like))


@pytest.mark.parametrize("sample", ["1,234", "1.234.00", "12", "1,234,00"])
def test_a_sample_of_numbers_has_to_be_one(sample: str) -> None:
    with pytest.raises(Refused, match="is no sample"):
        values.number_marks(sample)


@pytest.mark.parametrize(
    ("formats", "text", "day"),
    [
        (("%Y-%m-%d",), "2025-02-28", date(2025, 2, 28)),
        (("%d.%m.%Y",), "28.02.2025", date(2025, 2, 28)),
        (("%d.%m.%Y", "%m/%d/%Y"), "02/28/2025", date(2025, 2, 28)),
        (("%d.%m.%Y",), "2025-02-28", date(2025, 2, 28)),
        (("%Y-%m-%d",), "2025-02-28T23:30:00.000-05:00", date(2025, 2, 28)),
        (("%Y-%m-%d",), "2025-03-01T04:30:00.000Z", date(2025, 2, 28)),  # still February in Toronto
    ],
)
def test_days(formats: tuple[str, ...], text: str, day: date) -> None:
    assert values.day(text, replace(STYLE, dates=formats)) == day


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30",
        "0000-00-00",
        "9999-12-31",
        "10000-01-01",
        "1900-01-01",
        "infinity",
        "-4712-01-01",
        "\u0662\u0660\u0662\u0665-01-01",
        "5",
        "28.02.25",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(UnusableError, match="which is not a date from 1901 to 2200 written like 2025-12-31"):
        values.day(text, STYLE)


def test_a_day_without_a_time_is_noon_there_and_the_same_day_far_around() -> None:
    noon = values.moment("2025-03-09", STYLE)  # the clocks changed that night
    assert noon == datetime(2025, 3, 9, 16, tzinfo=UTC)
    for zone in ("Pacific/Honolulu", "America/Vancouver", "Europe/Berlin", "Asia/Kolkata"):
        assert noon.astimezone(ZoneInfo(zone)).date() == date(2025, 3, 9), zone


def test_today_has_come_even_before_noon() -> None:
    early = replace(STYLE, now=datetime(2025, 6, 1, 12, tzinfo=UTC))
    assert values.past_moment("2025-06-01", early) == early.now
    with pytest.raises(UnusableError, match="in the future"):
        values.past_moment("2025-06-02", early)


def test_a_moment_without_an_offset_is_in_the_exports_zone() -> None:
    text = "2025-06-01 08:00:00"
    assert values.moment(text, STYLE) == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert values.moment(text, replace(STYLE, source_zone=ZoneInfo("UTC"))) == datetime(2025, 6, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.line(), "two\nlines"),
        (values.line(), "bell \x07"),
        (values.line(5), "longer"),
        (values.text(5), "longer"),
        (values.email, "nobody"),
        (values.email, "two@at@signs"),
        (values.email, "a b@c"),
        (values.email, "x" * 320 + "@y"),
        (values.web_address, "javascript:alert(1)"),
        (values.web_address, "acme.com"),
        (values.web_address, "https://a b"),
        (values.currency, "usd"),
        (values.currency, "XXX"),
        (values.currency, "US"),
        (values.integer(0, 100), "101"),
        (values.integer(0, 100), "-1"),
        (values.integer(0, 100), "1.5"),
        (values.flag, "perhaps"),
        (values.choice("call", "email"), "Call"),
        (values.tags, "x" * 61),
        (values.tags, ";".join(map(str, range(51)))),
    ],
)
def test_what_the_schema_would_refuse_is_refused(parse: values.Parser, text: str) -> None:
    with pytest.raises(UnusableError):
        parse(text, STYLE)


@pytest.mark.parametrize(
    ("name", "text", "becomes"),
    [
        ("company_size", "9", "startup"),
        ("company_size", "10", "small"),
        ("company_size", "249", "medium"),
        ("company_size", "999", "large"),
        ("company_size", "1000", "enterprise"),
        ("percent", "0.9", "90"),
        ("percent", "1", "100"),
        ("words", "health_care", "Health care"),
        ("website", "acme.com/events", "https://acme.com/events"),
        ("website", "http://acme.com", "http://acme.com"),
        ("website", "javascript:alert(1)", "javascript:alert(1)"),
        ("lower", "ANN@acme.com", "ann@acme.com"),
    ],
)
def test_transformations(name: str, text: str, becomes: str) -> None:
    assert values.TRANSFORMATIONS[name](text, STYLE) == becomes


@given(st.text(), st.sampled_from(["", "=", "+", "-", "@", "\t=", "\uff1d", '"=']))
def test_what_our_own_export_made_harmless_comes_back_as_it_was(text: str, start: str) -> None:
    stored = (start + text).rstrip()
    assume(stored == stored.strip() or harmless(stored) != stored)
    assume(not stored.startswith("'"))
    assert values.tidy(harmless(stored)) == stored


@given(st.text(max_size=200))
def test_a_quoted_value_can_be_shown_anywhere(text: str) -> None:
    assert quoted(text).isprintable()
    assert len(quoted(text)) <= 63
