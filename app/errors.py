"""Refusals: each message is a sentence that people may read; anything else that is raised is a defect."""


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


class NotFound(Refused):
    """No such record, or none that the viewer may see: nobody can tell which."""


class Unavailable(Refused):
    """The database can't answer now; nothing was lost."""


class Misconfigured(Refused):
    """The installation has to be changed by whoever runs it."""


class ConnectionLost(Unavailable):
    """The connection broke under way: what only read may be asked once more."""
