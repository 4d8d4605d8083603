"""A deal and what its export knows of its past → its versions, as the triggers would have kept them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.importing.records import Known, Opportunity, Stage
from app.importing.values import Style

# Two rows of one day, neither with a time of day, still came one after the other.
MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Version:
    """How a deal stood from one moment on."""

    valid_from: datetime
    stage: UUID | None  # None: not known
    stage_entered_at: datetime | None
    value: Decimal
    probability: int | None
    probability_source: str | None
    expected_close_date: date | None
    actual_close_date: date | None
    status: str


def versions(
    deal: Opportunity, known: Sequence[Known], stages: Mapping[UUID, Stage], today: datetime, style: Style
) -> list[Version]:
    """Return the deal's versions, oldest first, the last one as it stands now; `stages` are the company's own.

    It begins at the oldest date that the export has for it, and until its first known row nobody can say in which
    stage it was. An open deal whose present state no row explains has been seen so on the export's last day.
    """
    known = sorted(known, key=lambda row: row.at)
    seen = [row.at for row in known] + ([deal.created] if deal.created else [])
    ends = today
    if closed := deal.actual_close_date:
        # The closing date says when it closed, whenever somebody wrote that down.
        ends = style.moment_of(closed)
        known = [row for row in known if style.day_of(row.at) <= closed]
        while known and stages[known[-1].stage].outcome:
            known.pop()
    first = known[0].at if known else ends
    begins = min(first, ends, *seen)
    history = _History(stages, style)
    if begins < first:
        history.begin(begins, known[0].value if known and known[0].value is not None else deal.value)
    for row in known:
        history.add(
            row.at,
            row.stage,
            deal.value if row.value is None else row.value,
            row.probability,
            # Of a closed deal an export often shows the day of its closing here: the last expectation stays.
            None if stages[row.stage].outcome else row.expected_close_date,
        )
    history.add(ends, deal.stage, deal.value, deal.probability, deal.expected_close_date, closed)
    return history.versions


class _History:
    def __init__(self, stages: Mapping[UUID, Stage], style: Style) -> None:
        self.stages = stages
        self.style = style
        self.versions: list[Version] = []

    def begin(self, at: datetime, value: Decimal) -> None:
        self.versions.append(Version(at, None, None, value, None, None, None, None, "open"))

    def add(
        self,
        at: datetime,
        stage_id: UUID,
        value: Decimal,
        probability: int | None,
        expected: date | None,
        closed_on: date | None = None,
    ) -> None:
        before = self.versions[-1] if self.versions else None
        at = max(at, before.valid_from + MOMENT) if before else at
        stage = self.stages[stage_id]
        closed, inherits = stage.outcome is not None, probability is None
        version = Version(
            valid_from=at,
            stage=stage.id,
            stage_entered_at=before.stage_entered_at if before and before.stage == stage.id else at,
            value=value,
            probability={"won": 100, "lost": 0, None: stage.probability if inherits else probability}[stage.outcome],
            probability_source="stage" if closed or inherits else "import",
            expected_close_date=expected or (before.expected_close_date if closed and before else None),
            actual_close_date=(closed_on or self.style.day_of(at)) if closed else None,
            status=stage.outcome or "open",
        )
        if before is None or replace(version, valid_from=before.valid_from) != before:
            self.versions.append(version)
