"""What came of an import, for the person who ran it."""

from collections import Counter
from dataclasses import dataclass

from app.importing.reading import Rejected
from app.importing.records import OBJECTS


@dataclass(frozen=True)
class Report:
    """Rows read, records new here, and every rejected row with its reason. Printed, it is the command's answer."""

    name: str
    dry_run: bool
    written: bool
    rows: Counter[str]
    new: Counter[str]
    rejected: list[Rejected]

    @property
    def failed(self) -> bool:
        """Rejected rows kept the import from happening, or would."""
        return bool(self.rejected) and not self.written

    def __str__(self) -> str:
        return "\n".join([self._outcome, "", *self._counts, *self._rejections])

    @property
    def _outcome(self) -> str:
        if self.dry_run:
            return f"Dry run of the {self.name} import: nothing was written."
        if not self.written:
            return f"The {self.name} import was not done: nothing was written."
        if not self.new.total():
            return f"Everything in this {self.name} export was here already: nothing was changed."
        return f"The {self.name} import is done."

    @property
    def _counts(self) -> list[str]:
        return [
            f"{name:<14}{self.rows[name]:>10,} rows read{self.new[name]:>10,} new here"
            for name in OBJECTS
            if self.rows[name] or self.new[name]
        ]

    @property
    def _rejections(self) -> list[str]:
        if not self.rejected:
            return []
        advice = "They were left out." if self.written else "Correct them, or leave them out with --skip-rejected."
        count = f"{len(self.rejected):,} rows" if len(self.rejected) > 1 else "1 row"
        return ["", f"{count} rejected. {advice}", *(f"  {rejected}" for rejected in self.rejected)]
