from datetime import date
from decimal import Decimal

import pytest

from app.components import list_choice
from app.components.list_choice import searched, span, span_text
from app.fields import NOUNS

VALUE, CREATED, CHANCE = (NOUNS["opportunity"].field(name) for name in ("value", "created_at", "probability"))


@pytest.mark.parametrize(("field", "text", "bounds"), [
    (VALUE, "1.5~", (Decimal("1.5"), None)), (VALUE, "~0", (None, Decimal(0))), (CHANCE, "10~90", (10, 90)),
    (CREATED, "2025-11-02~2025-11-03", (date(2025, 11, 2), date(2025, 11, 3))),
])  # fmt: skip
def test_a_range_comes_back_as_it_was_written(field, text, bounds) -> None:  # type: ignore[no-untyped-def]
    assert span(field, text) == bounds
    assert span_text(*bounds) == text


@pytest.mark.parametrize(("field", "text"), [
    (VALUE, ""), (VALUE, "~"), (VALUE, "5"), (VALUE, "NaN~"), (VALUE, "~Infinity"), (VALUE, "-1~"), (VALUE, "1e400~"),
    (VALUE, "five~"), (CHANCE, "1.5~"), (CREATED, "2025-02-30~"), (CREATED, "1066-01-01~"), (CREATED, "~9999-12-31"),
])  # fmt: skip
def test_no_other_range_is_read(field, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ValueError, ArithmeticError)):
        span(field, text)


@pytest.mark.parametrize(("typed", "words"), [
    ("  Gala   2026 ", "Gala 2026"), ("a\x00b\ud800c\u202ed", "a b c d"), ("100% _ \\", "100% _ \\"), ("\n\t", ""),
    ("é" * 999, "é" * 200),
])  # fmt: skip
def test_words_are_looked_for_as_they_can_be_stored(typed: str, words: str) -> None:
    assert searched(typed) == words


def test_every_list_has_an_address_of_its_own_names() -> None:
    for noun in list_choice.LISTINGS:
        names = list_choice.address(NOUNS[noun]).names
        assert len(set(names)) == len(names)
        assert "id" not in names
