"""Every column takes what it is for and comes back equal, or refuses it: whatever is thrown at it, nothing in between."""

# ruff: noqa: E501 (tables are read across)

import datetime as dt
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.schema.session import Session

# What one would find in an attack, an import or a bad clipboard, beside what hypothesis thinks of
_NASTY = st.sampled_from([
    "", " ", "\t", "\n", "a\nb", "a\rb", "a\x00b", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\u202eevil", "\u200b",
    "e\u0301" * 100, "👩‍👩‍👧", "<script>alert(1)</script>", "![x](http://127.0.0.1/b)", "=HYPERLINK(1)", "$5k … $10k", "%s", "\\", "'; drop",
    "Robert'); DROP TABLE crm_organizers;--", "x" * 200, "x" * 201, "x" * 100_000, "NaN", "null", "١٢٣",
])  # fmt: skip
TEXTS = (
    st.text(max_size=30)
    | st.text(st.characters(codec=None, categories=["Cc", "Cs", "Zs", "Zl", "L"]), max_size=10)
    | _NASTY
)
EMAILS = (
    TEXTS
    | st.emails()
    | st.sampled_from(["a@b", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a@\u00a0b", "x" * 320 + "@b"])
)
ADDRESSES = TEXTS | st.sampled_from([
    "https://example.com", "HTTP://EXAMPLE.COM/a?b=c#d", "javascript:alert(1)", "https:", "https://", " https://a", "https://a\nb",
    "java\nscript:x", "data:text/html,x", "//example.com", "https://" + "x" * 3000, "vbscript:x", "\x01https://a",
])  # fmt: skip
ZONES = TEXTS | st.sampled_from([
    *sorted(zoneinfo.available_timezones())[::7], "UTC", "utc", "america/toronto", "America/TORONTO", "EST5EDT", "+05", "Foo/Bar-5",
    "Mars/Phobos", "posix/UTC", "../etc/passwd", "America/Toronto ", "Etc/GMT+5", "PDT", "localtime",
])  # fmt: skip
NUMBERS = st.decimals(allow_nan=True, allow_infinity=True) | st.sampled_from([
    Decimal(text) for text in ("NaN", "sNaN", "Infinity", "-Infinity", "-0.01", "-0", "0.005", "1e400", "1e-400", "9999999999999999.99", "1e16")
])  # fmt: skip
DAYS = st.dates().map(str) | st.sampled_from([
    "infinity", "-infinity", "10000-01-01", "0001-01-01 BC", "1899-12-31", "1900-01-01", "2200-12-31", "2201-01-01", "2025-02-30",
    "0000-00-00", "", "today", "epoch",
])  # fmt: skip
MOMENTS = st.datetimes(timezones=st.timezones()).map(str) | DAYS
INTEGERS = st.integers(-(2**70), 2**70) | st.sampled_from([-1, 0, 100, 101])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5,
)  # fmt: skip
TAGS = st.lists(TEXTS | st.none(), max_size=4) | st.just(["x"] * 51)


def _is_line(longest: int) -> Callable[[str], bool]:
    def is_line(text: str) -> bool:
        controls = any(letter < " " or "\x7f" <= letter <= "\x9f" or letter in "\u2028\u2029" for letter in text)
        return 0 < len(text) <= longest and text.strip(" ") != "" and not controls

    return is_line


def _is_zone(text: str) -> bool:
    """What Python can read; the schema may be stricter about names that are no place."""
    try:
        return bool(zoneinfo.ZoneInfo(text)) and ("/" in text or text == "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _is_amount(number: Decimal) -> bool:
    return number.is_finite() and number >= 0


def _is_day(stored: dt.date) -> bool:
    return dt.date(1900, 1, 1) <= stored <= dt.date(2200, 12, 31)


def _is_moment(stored: dt.datetime) -> bool:
    return 1900 <= stored.astimezone(dt.UTC).year <= 2200


def _is_code(stored: str) -> bool:
    return len(stored) == 3 and stored.isascii() and stored.isalpha() and stored.isupper()


def _is_email(text: str) -> bool:
    return (
        _is_line(320)(text)
        and text.count("@") == 1
        and not text.startswith("@")
        and not text.endswith("@")
        and " " not in text
    )


def _is_address(text: str) -> bool:
    return text.lower().startswith(("http://", "https://")) and " " not in text and _is_line(2000)(text)


# table.column: what is thrown at it, and what may be stored
COLUMNS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bool]]] = {
    "crm_organizers.company_name": (TEXTS, _is_line(200)),
    "crm_organizers.industry": (TEXTS, _is_line(100)),
    "crm_organizers.website": (ADDRESSES, _is_address),
    "crm_organizers.primary_email": (EMAILS, _is_email),
    "crm_organizers.primary_phone": (TEXTS, _is_line(50)),
    "crm_organizers.status": (TEXTS, lambda stored: stored in ("active", "inactive", "prospect", "archived")),
    "crm_organizers.address": (JSON, lambda stored: isinstance(stored, dict)),
    "crm_organizers.event_history": (JSON, lambda stored: isinstance(stored, list)),
    "crm_organizers.tags": (
        TAGS,
        lambda stored: len(stored) <= 50 and all(tag is not None and _is_line(60)(tag) for tag in stored),
    ),
    "crm_organizers.total_revenue": (NUMBERS, _is_amount),
    "crm_organizers.engagement_score": (INTEGERS, lambda stored: 0 <= stored <= 100),
    "crm_organizers.annual_events": (INTEGERS, lambda stored: stored >= 0),
    "crm_organizers.created_at": (MOMENTS, _is_moment),
    "crm_contacts.full_name": (TEXTS, _is_line(200)),
    "crm_contacts.email": (EMAILS, _is_email),
    "crm_contacts.linkedin_url": (ADDRESSES, _is_address),
    "crm_contacts.timezone": (ZONES, _is_zone),
    "crm_contacts.language": (TEXTS, lambda stored: stored.isascii() and stored[:2].islower()),
    "crm_contacts.notes": (TEXTS, lambda stored: len(stored) <= 20_000),
    "crm_contacts.last_contact_date": (MOMENTS, _is_moment),
    "crm_opportunities.name": (TEXTS, _is_line(200)),
    "crm_opportunities.value": (NUMBERS, _is_amount),
    "crm_opportunities.currency": (TEXTS | st.text("ABCXYZabc", max_size=4), _is_code),
    "crm_opportunities.probability": (INTEGERS, lambda stored: 0 <= stored <= 100),
    "crm_opportunities.expected_close_date": (DAYS, _is_day),
    "crm_opportunities.loss_reason": (TEXTS, lambda stored: len(stored) <= 2_000),
    "crm_activities.subject": (TEXTS, _is_line(300)),
    "crm_activities.activity_date": (MOMENTS, _is_moment),
    "crm_activities.duration_minutes": (INTEGERS, lambda stored: 0 <= stored <= 100_000),
    "crm_activities.metadata": (JSON, lambda stored: isinstance(stored, dict)),
    "crm_notes.content": (TEXTS, lambda stored: len(stored) <= 100_000 and stored.strip(" ") != ""),
    "crm_notes.title": (TEXTS, _is_line(200)),
    "crm_documents.file_name": (TEXTS, lambda stored: _is_line(255)(stored) and not {"/", "\\"} & set(stored)),
    "crm_documents.file_size": (INTEGERS, lambda stored: stored >= 0),
    "crm_email_templates.subject": (TEXTS, _is_line(500)),
    "crm_pipeline_stages.name": (TEXTS, _is_line(80)),
    "crm_pipeline_stages.color": (
        TEXTS | st.sampled_from(["#3b82f6", "#3B82F6", "red", "#fff", "#3b82f6;"]),
        lambda stored: len(stored) == 7,
    ),
    "crm_pipeline_stages.default_probability": (INTEGERS, lambda stored: 0 <= stored <= 100),
    "crm_profiles.full_name": (TEXTS, _is_line(200)),
    "crm_profiles.time_zone": (ZONES, _is_zone),
    "crm_settings.time_zone": (ZONES, _is_zone),
    "crm_exchange_rates.rate": (NUMBERS, lambda stored: 0 < stored < 10**10),
    "crm_exchange_rates.currency": (TEXTS | st.text("ABCXYZabc", max_size=4), _is_code),
    "crm_exchange_rates.rate_date": (DAYS, _is_day),
    "crm_targets.amount": (NUMBERS, _is_amount),
    "crm_targets.period_start": (DAYS, lambda stored: _is_day(stored) and stored.day == 1),
    "crm_forecast_adjustments.amount": (NUMBERS, _is_amount),
    "crm_forecast_adjustments.currency": (TEXTS | st.text("ABCXYZabc", max_size=4), _is_code),
    "crm_forecast_adjustments.reason": (TEXTS, lambda stored: len(stored) <= 2_000 and stored.strip(" ") != ""),
    "crm_forecast_adjustments.period_end": (DAYS, _is_day),
    "crm_settings.commit_from": (INTEGERS, lambda stored: 40 <= stored <= 100),
    "crm_settings.best_case_from": (INTEGERS, lambda stored: 0 <= stored <= 75),
    "crm_saved_views.name": (TEXTS, _is_line(80)),
    "crm_saved_views.query": (TEXTS, lambda stored: len(stored) <= 4_000),
    "events.name": (TEXTS, _is_line(200)),
    "events.event_date": (DAYS, _is_day),
    "events.attendance": (INTEGERS, lambda stored: stored >= 0),
}


@pytest.fixture
def filled(db: Session) -> Session:
    """One row in every table."""
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    db.insert("crm_contacts", organizer_id="acme", full_name="Cleo", email="cleo@client.example")
    db.insert("crm_opportunities", organizer_id="acme", name="Gala", stage_id="Lead", value=1)
    db.insert("crm_activities", organizer_id="acme", type="call", subject="Call", user_id="rita")
    db.insert("crm_notes", organizer_id="acme", content="Hello", created_by="rita")
    db.insert(
        "crm_documents",
        organizer_id="acme",
        file_name="a",
        file_type="a",
        file_size=1,
        storage_path="a",
        uploaded_by="rita",
    )
    db.insert("crm_email_templates", name="Welcome", subject="Welcome", body_html="Welcome")
    db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-01", rate=1)
    db.insert("crm_targets", user_id="rita", period_start="2026-01-01", amount=1)
    db.insert("crm_forecast_adjustments", author_id="max", owner_id="rita", period_start="2026-01-01",
              period_end="2026-04-01", amount=1, currency="CAD", reason="A feeling")  # fmt: skip
    db.insert("crm_saved_views", user_id="rita", page="pipeline", name="Mine", query="")
    db.insert("events", organizer_id="acme", name="Expo")
    return db


@pytest.mark.parametrize("name", COLUMNS)
def test_is_stored_as_it_is_meant_or_refused(filled: Session, name: str) -> None:
    table, column = name.split(".")
    thrown, may_be_stored = COLUMNS[name]

    @settings(
        max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(value=thrown)
    def throw(value: Any) -> None:
        with filled.undone():
            row = _stored(filled, table, column, Jsonb(value) if thrown is JSON else value)
            if row:
                stored = filled.one(f"select {column} from {table} where ctid = %s::tid", row)
                assert stored is None or may_be_stored(stored), stored
                assert stored == value or not isinstance(stored, str)

    throw()


def _stored(db: Session, table: str, column: str, value: object) -> str | None:
    """Where the row is that now holds the value, or None where it was refused."""
    try:
        with db.connection.transaction():
            return str(db.one(
                f"update {table} set {column} = %s where ctid = (select min(ctid) from {table}) returning ctid::text", value
            ))  # fmt: skip
    except (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError):
        return None


GOOD = {
    "crm_organizers.company_name": ["A", "Événements Müller & Söhne", "株式会社", "x" * 200, "👩‍👩‍👧", "O'Brien \\ Co; 50% <b>", "\u202eevil"],
    "crm_organizers.website": ["https://example.com", "HTTP://example.com/a?b=c#d", "http://münchen.example"],
    "crm_organizers.primary_email": ["a@b", "first.last+tag@example.co.uk", "jörg@münchen.example"],
    "crm_organizers.address": [Jsonb({}), Jsonb({"street": "1 King St", "city": "Toronto"})],
    "crm_organizers.event_history": [Jsonb([]), Jsonb([{"event_date": "2025-01-01", "revenue": 5}])],
    "crm_organizers.tags": [[], ["big", "new one"]],
    "crm_organizers.created_at": ["1900-01-01 00:00Z", "2200-12-31 00:00Z"],
    "crm_contacts.timezone": ["America/Toronto", "UTC", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5"],
    "crm_contacts.language": ["en", "fr-CA", "zh-Hant-TW"],
    "crm_contacts.notes": ["", "Two\nlines\tand a tab", "x" * 20_000],
    "crm_opportunities.value": ["0", "0.01", "9999999999999999.99"],
    "crm_opportunities.currency": ["CAD", "JPY", "EUR"],
    "crm_opportunities.probability": [0, 100],
    "crm_opportunities.expected_close_date": ["1900-01-01", "2200-12-31", "2024-02-29"],
    "crm_notes.content": ["\n- a\n- b", "x" * 100_000],
    "crm_documents.file_name": ["offer v2.pdf", "..pdf"],
    "crm_pipeline_stages.color": ["#3b82f6", "#FFFFFF"],
    "crm_exchange_rates.rate": ["0.0000000001", "9999999999"],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_takes_what_is_good(filled: Session, name: str) -> None:
    table, column = name.split(".")
    assert [value for value in GOOD[name] if not _stored(filled, table, column, value)] == []


def test_every_zone_of_the_database_with_a_place_is_one(db: Session) -> None:
    """Each that Python knows under a place's name, but for the few that PostgreSQL's own list lacks."""
    before = db.one("show timezone")
    before = db.one("show timezone")
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name)
    refused = db.rows(
        "select name from unnest(%s::text[]) as name where not app.is_time_zone(name)"
        " and name in (select name from pg_timezone_names)", names,
    )  # fmt: skip
    assert refused == [("Etc/GMT0",)]
    assert db.one("show timezone") == before  # though each of them was tried
