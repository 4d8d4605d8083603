"""What is declared of each column, against the database; and what is read of what people type."""

# ruff: noqa: E501 (tables are read across)

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.errors import Invalid, InvalidFields
from app.fields import NOUNS, Field, Noun, read, read_all, shown
from tests.strategies import given_to, is_as_entered

FIELDS = [(noun, field) for noun in NOUNS.values() for field in noun.fields]


def of(kind: str, **more: Any) -> Field:
    return Field("column", "Label", kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("noun", NOUNS.values(), ids=lambda noun: noun.name)
def test_a_noun_is_a_table_that_people_may_write_as_declared(owner: Connection, noun: Noun) -> None:
    granted = {
        verb: set(owner.exec_driver_sql(
            "select column_name from information_schema.column_privileges where table_schema = 'public'"
            " and table_name = %s and grantee = 'authenticated' and privilege_type = %s", (noun.table.name, verb),
        ).scalars())
        for verb in ("INSERT", "UPDATE")
    }  # fmt: skip
    names = [field.name for field in noun.fields]
    assert len(set(names)) == len(names)
    assert {noun.named_by, *names, noun.version or "id"} <= set(noun.table.c.keys())
    assert {field.name for field in noun.given_by("admin")} <= granted["UPDATE"]
    if noun.name != "document":  # a file is not typed in
        assert {field.name for field in noun.given_by("admin", creating=True)} <= granted["INSERT"]
        needed = {column.name for column in noun.table.c if column.name in granted["INSERT"]} - set(names) - {"id"}
        assert needed <= {"event_history", "is_task", "metadata", "created_by", "variables", "status", "user_id"}
    # What is computed by a job or kept by a trigger may be written by nobody, or not by hand.
    assert not {field.name for field in noun.fields if not field.editable} & granted["UPDATE"] - {
        *("status", "is_signed", "signed_at", "signed_by")
    }


def test_the_choices_are_those_of_the_database(owner: Connection) -> None:
    rules = owner.exec_driver_sql(
        "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where contype = 'c'"
    ).all()
    for noun, field in FIELDS:
        if field.kind == "choice":
            listed = ", ".join(f"'{choice}'::text" for choice in field.choices)
            form = f"({field.name} = ANY (ARRAY[{listed}]))"
            assert any(table == noun.table.name and form in rule for table, rule in rules), (noun.name, field.name)


@pytest.mark.parametrize(("kind", "typed", "stored"), [
    ("amount", "1000", Decimal(1000)), ("amount", " 1 000.50 ", Decimal("1000.50")), ("amount", "12\u202f345", Decimal(12345)),
    ("amount", 12.5, Decimal("12.5")), ("amount", Decimal("1E+3"), Decimal(1000)), ("amount", "0", Decimal(0)),
    ("percent", "40 %", 40), ("percent", 40.0, 40), ("whole", "1 000", 1000),
    ("day", "2025-11-07", date(2025, 11, 7)), ("day", "7 Nov 2025", date(2025, 11, 7)),
    ("day", datetime(2025, 11, 7), date(2025, 11, 7)),  # noqa: DTZ001  (as a grid gives a day)
    ("moment", "2025-11-07 14:30", datetime(2025, 11, 7, 19, 30, tzinfo=UTC)),
    ("moment", "2025-07-07 14:30", datetime(2025, 7, 7, 18, 30, tzinfo=UTC)),
    ("moment", "2025-11-07T14:30:00+00:00", datetime(2025, 11, 7, 14, 30, tzinfo=UTC)),
    ("line", "  Zoë \u202e!  ", "Zoë \u202e!"), ("text", "one\ntwo\n", "one\ntwo"), ("line", " \u00a0 ", None),
    ("web_address", "acme.com/a", "https://acme.com/a"), ("web_address", "HTTP://a.b", "HTTP://a.b"),
    ("tags", "a, b; a", ["a", "b"]), ("tags", None, []), ("flag", "Yes", True), ("flag", None, False), ("address", None, {}),
    ("address", {"city": " Oslo ", "country": ""}, {"city": "Oslo"}),
])  # fmt: skip
def test_what_is_typed_without_doubt_is_read(kind: str, typed: object, stored: object) -> None:
    found = read(of(kind), typed, "America/Toronto")
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(("kind", "typed", "sentence"), [
    ("amount", "1,000.00", "without commas"), ("amount", "1.000,00", "without commas"), ("amount", "1,5", "without commas"),
    ("amount", "-1", "not negative"), ("amount", "1e400", "no|not an amount"), ("amount", "٣", "not an amount"),
    ("amount", float("nan"), "not an amount"), ("amount", 0.001, "two decimals"), ("amount", "12 34", "not an amount"),
    ("amount", "10000000000000000", "too large"), ("amount", True, "not an amount"), ("amount", "1.000", "not an amount"), ("whole", "1.000", "not a number"),
    ("percent", "101", "from 0 to 100"), ("percent", "12.5", "not a probability"), ("whole", 1.5, "no whole number"),
    ("day", "2025-02-30", "no day"), ("day", "0000-00-00", "no day"), ("day", "infinity", "no day"),
    ("day", "03/04/2025", "as in 2025-11-07"), ("day", date(9999, 12, 31), "from 1900 to 2200"),
    ("moment", "2025-03-09 02:30", "put forward"), ("currency", "usd", "three capitals"), ("currency", "XXX", "no currency"),
    ("email", "a b@c", "no email"), ("web_address", "javascript:alert(1)", "no web address"),
    ("time_zone", "Mars/Phobos", "no time zone"), ("language", "EN", "en or fr-CA"), ("line", " ", "Label is needed"),
    ("line", "x" * 201, "201 letters"), ("line", "a\nb", "one line"), ("line", "\u200b", "nothing to be seen"),
    ("text", "a\x00b", "can't be stored"), ("text", "\ud800", "half a character"), ("choice", "Other", "choose one of"),
    ("person", "me", "can be chosen"), ("address", {"planet": "Mars"}, "these parts"), ("tags", ["x" * 61], "61 letters"),
])  # fmt: skip
def test_what_is_in_doubt_is_refused_at_its_field(kind: str, typed: object, sentence: str) -> None:
    field = of(kind, required=True, choices=("other",))
    with pytest.raises(Invalid, match=sentence) as refused:
        read(field, typed, "America/Toronto")
    assert refused.value.field == "column"


@pytest.mark.parametrize(("noun", "field"), FIELDS, ids=lambda part: part.name)
@settings(max_examples=30)
@given(data=st.data())
def test_anything_is_read_as_entered_or_refused_in_words(noun: Noun, field: Field, data: st.DataObject) -> None:
    entered = data.draw(given_to(field))
    try:
        stored = read(field, entered)
    except Invalid as refused:
        said, where = str(refused), refused.field
        assert where == field.name and said.isprintable() and len(said) < 400  # noqa: PT018  (or it is read)
    else:
        assert field.kind == "percent" and stored is None or is_as_entered(field, entered, stored)
        assert read(field, stored) == stored
        assert shown(field, stored)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidFields) as refused:
        read_all(NOUNS["opportunity"], {"name": "", "value": "1,000", "currency": "CAD"})
    assert set(refused.value.fields) == {"name", "value"}


@pytest.mark.parametrize(("kind", "value", "text"), [
    ("amount", 1234.5, "1,234.50"), ("amount", Decimal(1000), "1,000.00"), ("day", "2025-11-07", "7 Nov 2025"),
    ("moment", "2025-11-07T19:30:00+00:00", "7 Nov 2025, 14:30"), ("choice", "thank_you", "Thank you"), ("flag", False, "No"),
    ("tags", ["a", "b"], "a, b"), ("tags", [], "–"), ("address", {"country": "CA", "city": "Oslo"}, "Oslo, CA"),
])  # fmt: skip
def test_what_is_stored_is_shown_in_words(kind: str, value: object, text: str) -> None:
    assert shown(of(kind), value, "America/Toronto") == text
