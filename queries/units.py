"""What a column of a result holds: its kind, its name for people, and how it was computed.

Declared once per column of a question; tables, charts, exports and hover texts are fed from it.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "money", "amount", "count", "share", "days", "rate", "number", "square", "text", "id", "color", "day", "moment",
    "flag",
]  # fmt: skip

# Money stays Decimal until a chart draws it; everything that may be missing has a dtype that can say so.
DTYPES: dict[Kind, str] = {
    "money": "object",
    "amount": "object",  # Decimal, in the currency that its row names
    "count": "Int64",
    "share": "Float64",  # 0–1
    "days": "Float64",  # calendar days in the organisation's time zone
    "rate": "object",  # units of one currency for one of another
    "number": "Float64",  # with a fraction, of nothing else here
    "square": "Float64",  # of money: a step on the way to a deviation, not for people
    "text": "str",
    "id": "str",
    "color": "str",
    "day": "datetime64[s]",
    "moment": "datetime64[us, UTC]",
    "flag": "boolean",
}


@dataclass(frozen=True)
class Unit:
    """One column: `kind` decides dtype and format, `label` its heading, `help` its definition."""

    kind: Kind
    label: str
    help: str = ""

    @property
    def dtype(self) -> str:
        """The pandas dtype of the column."""
        return DTYPES[self.kind]

    @property
    def sentence(self) -> str:
        """Its definition as a sentence."""
        return f"{self.help}."


def money(label: str, meaning: str = "") -> Unit:
    """Decimal in the scope's report currency, rounded to cents; None where no rate is known."""
    return Unit("money", label, meaning)


def amount(label: str, meaning: str = "") -> Unit:
    """Decimal in the currency that the row names; amounts of unlike currencies are never added."""
    return Unit("amount", label, meaning)


def count(label: str, meaning: str = "") -> Unit:
    """A whole number of rows."""
    return Unit("count", label, meaning)


def share(label: str, meaning: str = "") -> Unit:
    """A part of a whole, 0–1; missing where the whole is empty."""
    return Unit("share", label, meaning)


def days(label: str, meaning: str = "") -> Unit:
    """Calendar days in the organisation's time zone."""
    return Unit("days", label, meaning)


def number(label: str, meaning: str = "") -> Unit:
    """A number with a fraction, such as a mean of counts."""
    return Unit("number", label, meaning)


def text(label: str, meaning: str = "") -> Unit:
    """Text as somebody typed it: escape it before any Markdown."""
    return Unit("text", label, meaning)


def square(label: str, meaning: str = "") -> Unit:
    """Squared money in the scope's report currency."""
    return Unit("square", label, meaning)


def identifier(label: str = "Id") -> Unit:
    """A row's key, for links and selections; not for people."""
    return Unit("id", label)


def color(label: str = "Colour") -> Unit:
    """A colour as #rrggbb."""
    return Unit("color", label)


def day(label: str, meaning: str = "") -> Unit:
    """A calendar day."""
    return Unit("day", label, meaning)


def moment(label: str, meaning: str = "") -> Unit:
    """A point in time, UTC."""
    return Unit("moment", label, meaning)


def flag(label: str, meaning: str = "") -> Unit:
    """Yes or no."""
    return Unit("flag", label, meaning)
