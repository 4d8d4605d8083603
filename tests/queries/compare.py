"""What a question answered, held against what the oracle says."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from queries.question import Question
from tests.queries.oracle import ZERO, Answer, Part

HALF_A_CENT = Fraction(1, 200)
CENT = Fraction(1, 100)
# A rate across two currencies is a quotient, which the database keeps to at least sixteen digits.
HAIR = Fraction(1, 10**8)


def is_rounded(found: object, exact: Fraction, by: Fraction = HALF_A_CENT) -> bool:
    """Whole cents, at most half a cent (or `by`) from the exact amount."""
    assert isinstance(found, Decimal), f"money is Decimal, not {type(found).__name__}"
    return found == round(found, 2) and abs(Fraction(found) - exact) <= by + HAIR


def agrees(question: Question[Any], frame: pd.DataFrame, wanted: Iterable[Answer]) -> None:
    """Asserts the same rows in the same order; money rounded once, from the exact amount."""
    wanted = list(wanted)
    found = records(frame)
    assert len(found) == len(wanted), f"{question.name}: {len(found)} rows instead of {len(wanted)}"
    for place, (row, answer) in enumerate(zip(found, wanted, strict=True)):
        agrees_in_one(question, row, answer, f"row {place}")


def agrees_in_one(question: Question[Any], row: Answer, answer: Answer, where: str, by: Fraction = HALF_A_CENT) -> None:
    """Asserts one row, column by column."""
    for name, exact in answer.items():
        kind, value = question.columns[name].kind, row[name]
        if value is None or exact is None:
            same = value is None and exact is None
        elif kind == "money":
            same = is_rounded(value, Fraction(exact), by)
        elif kind in ("share", "days"):
            same = abs(value - float(exact)) < 1e-9
        elif kind == "day":
            same = value.date() == exact
        else:
            same = value == exact
        shown = float(exact) if isinstance(exact, Fraction) else exact
        assert same, f"{question.name}, {where}: {name} is {value} and should be {shown}"


def records(frame: pd.DataFrame) -> list[Answer]:
    """The rows as dicts, everything that is missing as None."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def total(parts: Iterable[Part]) -> Part:
    """What the deals contribute together."""
    parts = list(parts)
    return Part(sum((part.value for part in parts), ZERO), sum((part.expected for part in parts), ZERO))
