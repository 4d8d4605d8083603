"""Refusals: each message is a sentence that people may read; anything else that is raised is a defect."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class Refused(Exception):  # noqa: N818  (a refusal is an outcome with a sentence, not an error of the program)
    """What was asked for did not happen; the message says why and what to do."""


class Conflict(Refused):
    """Somebody else changed the same thing in between; trying again may succeed."""


class NotAllowed(Refused):
    """The viewer's role does not include this."""


class Invalid(Refused):
    """A value can't be stored; `field` names the column it was meant for, where that is known."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class InvalidFields(Invalid):
    """Values that can't be stored: a sentence for each field, all of them at once; "" is the record as a whole."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()), next(iter(fields)) or None if len(fields) == 1 else None)
        self.fields = dict(fields)


@dataclass(frozen=True)
class Clash:
    """A field that somebody else has changed since the form was opened: what it was, what each made of it."""

    field: str
    base: Any
    theirs: Any
    yours: Any
    who: str
    at: datetime | None


class Clashes(Conflict):
    """Fields that two people have changed to something else; nothing was written, and whoever saves again chooses."""

    def __init__(self, sentence: str, clashes: Sequence[Clash]) -> None:
        super().__init__(sentence)
        self.clashes = tuple(clashes)


class RowRefusals(Refused):
    """Why nothing of a change of several records was written: for each that stood in its way, sentences by field.

    The rows' keys are the records' ids, or what the command names its rows by; the field "" is the record as a whole.
    """

    def __init__(self, sentence: str, rows: Mapping[Hashable, Mapping[str, str]]) -> None:
        super().__init__(sentence)
        self.rows = dict(rows)


class NotFound(Refused):
    """No such record, or none that the viewer may see: nobody can tell which."""


class Unavailable(Refused):
    """The database can't answer now; nothing was lost."""


class Misconfigured(Refused):
    """The installation has to be changed by whoever runs it."""


class ConnectionLost(Unavailable):
    """The connection broke under way: what only read may be asked once more."""
