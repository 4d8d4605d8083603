"""The numbers of the Pipeline page once more, in plain Python: a second opinion on every question.

Written from what the numbers mean, not from how they are asked. It takes rows as the owner of the tables fetches them
and nothing from `queries` but the scope that both are asked with; it walks each deal's history version by version and
the movement day by day; amounts are exact fractions that are never rounded.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from statistics import median, quantiles
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from queries.scope import Scope

Row = Any  # of a table, its columns as attributes
Answer = dict[str, Any]
ZERO = Fraction(0)
ONE_DAY = timedelta(days=1)


class Company:
    """Everything that was ever recorded, whoever may see it."""

    def __init__(self, owner: Connection) -> None:
        def rows(table: str, order: str) -> list[Row]:
            return list(owner.exec_driver_sql(f"select * from public.{table} order by {order}"))

        (settings,) = rows("crm_settings", "id")
        self.zone = ZoneInfo(settings.time_zone)
        self.report_currency = settings.report_currency
        self.people = {row.user_id: row for row in rows("crm_profiles", "user_id")}
        self.roles = {row.user_id: row.role for row in rows("crm_user_roles", "user_id")}
        self.organizers = {row.id: row for row in rows("crm_organizers", "id")}
        self.opportunities = {row.id: row for row in rows("crm_opportunities", "id")}
        self.activities = rows("crm_activities", "id")
        self.deals = _together(rows("crm_opportunity_history", "opportunity_id, seq"), "opportunity_id")
        self.stages = _together(rows("crm_stage_history", "stage_id, seq"), "stage_id")
        self.rates = _together(rows("crm_exchange_rates", "currency, rate_date"), "currency")

    def day_of(self, moment: datetime) -> date:
        """The calendar day at the organisation."""
        return moment.astimezone(self.zone).date()

    def midnight_after(self, day: date) -> datetime:
        """The first moment that doesn't belong to the day any more."""
        return datetime.combine(day + ONE_DAY, time(), self.zone).astimezone(UTC)

    def rate(self, currency: str, into: str, day: date) -> Fraction | None:
        """Units of `into` for one unit of the currency on the day; None where one of the two has no rate yet."""
        if currency == into:
            return Fraction(1)
        one, other = self._to_report_currency(currency, day), self._to_report_currency(into, day)
        return one / other if one and other else None

    def _to_report_currency(self, currency: str, day: date) -> Fraction | None:
        if currency == self.report_currency:
            return Fraction(1)
        known = [Fraction(row.rate) for row in self.rates.get(currency, []) if row.rate_date <= day]
        return known[-1] if known else None

    def stage_at(self, stage_id: UUID | None, moment: datetime | None, or_before: bool = False) -> Row | None:
        """The stage as it stood just before the moment, or as it stands now; with `or_before` also one that is gone."""
        versions = self.stages.get(stage_id, []) if stage_id else []
        known = [row for row in versions if moment is None or row.valid_from < moment] or versions[:1]
        if or_before:
            known = [row for row in known if not row.is_deleted]
        return known[-1] if known and not known[-1].is_deleted else None

    def stays(self, versions: list[Row], until: datetime | None) -> Iterator["Stay"]:
        """The stays in a stage of one deal, as far as they were known just before the moment."""
        known = [row for row in versions if until is None or row.valid_from < until]
        for stay, following in pairwise(
            [*(list(group) for _, group in groupby(known, lambda row: row.stage_id)), None]
        ):
            assert stay
            first, after = stay[0], following[0] if following else None
            # One that began before the first known history (no stage_entered_at) lasted nobody knows how long.
            entered = first.valid_from if first.stage_entered_at else None
            yield Stay(first.stage_id, entered, stay[-1], after and after.valid_from, after and after.stage_id)

    def normal_age(self, stage_id: UUID, until: datetime | None) -> float | None:
        """80 % of the whole company's finished stays in the stage were no longer; None under 20 of them."""
        finished = [
            (self.day_of(stay.left) - self.day_of(stay.entered)).days
            for versions in self.deals.values()
            for stay in self.stays(versions, until)
            if stay.stage_id == stage_id and stay.left and stay.entered
        ]
        return percentile_80(finished) if len(finished) >= 20 else None


@dataclass(frozen=True)
class Stay:
    """One uninterrupted stay; `last` is the version with which it ended, or that is there still."""

    stage_id: UUID | None
    entered: datetime | None
    last: Row
    left: datetime | None
    next_stage_id: UUID | None


@dataclass
class Worth:
    """An open deal in the middle of a replay: what it adds to the pipeline."""

    value: Fraction
    rate: Fraction
    chance: Fraction

    @property
    def amounts(self) -> tuple[Fraction, Fraction]:
        """Value and expected revenue, converted."""
        return self.value * self.rate, self.value * self.rate * self.chance


@dataclass
class Part:
    """What one deal contributes to one term of a movement."""

    value: Fraction = ZERO
    expected: Fraction = ZERO


class Opinion:
    """What each question should answer this viewer in this scope."""

    def __init__(self, company: Company, viewer: UUID, scope: Scope) -> None:
        self.company, self.viewer, self.scope = company, viewer, scope
        self.team = self._team()
        # At the end of a past day; for today, whatever is recorded last.
        self.moment = None if scope.as_of >= scope.today else company.midnight_after(scope.as_of)

    # Who sees what, and what is asked for ----------------------------------------------------------------

    def _team(self) -> set[UUID] | None:
        """Whose rows the viewer sees; None: everybody's."""
        person, role = self.company.people.get(self.viewer), self.company.roles.get(self.viewer)
        if person is None or not person.is_active or role is None:
            return set()
        if role in ("executive", "admin"):
            return None
        team = {self.viewer}
        while role == "manager":
            below = {row.user_id for row in self.company.people.values() if row.manager_id in team} - team
            if not below:
                break
            team |= below
        return team

    def sees_organizer(self, organizer_id: UUID) -> bool:
        """Whether its name and segment are the viewer's to know."""
        organizer = self.company.organizers.get(organizer_id)
        return organizer is not None and (self.team is None or organizer.assigned_to in self.team)

    def sees(self, version: Row) -> bool:
        """Through the deal's owner or the organizer's."""
        return self.team is None or version.assigned_to in self.team or self.sees_organizer(version.organizer_id)

    def is_asked_for(self, version: Row) -> bool:
        """The owner's and the segment's filter."""
        scope = self.scope
        if scope.owners is not None and version.assigned_to not in scope.owners:
            return False
        organizer = self.company.organizers.get(version.organizer_id)
        for name, wanted in (
            ("industry", scope.industries),
            ("company_size", scope.company_sizes),
            ("lead_source", scope.lead_sources),
        ):
            if wanted and not (self.sees_organizer(version.organizer_id) and getattr(organizer, name) in wanted):
                return False
        return True

    def is_open(self, version: Row) -> bool:
        """Counts in the open pipeline."""
        if version.status != "open" or version.is_deleted or not self.sees(version) or not self.is_asked_for(version):
            return False
        if self.scope.closing_in_period:
            close, period = version.expected_close_date, self.scope.period
            return close is not None and period.start <= close < period.end
        return True

    def at(self, moment: datetime | None) -> Iterator[Row]:
        """Each deal's version just before the moment; the last one, for now."""
        for versions in self.company.deals.values():
            before = [row for row in versions if moment is None or row.valid_from < moment]
            if before:
                yield before[-1]

    def open_deals(self) -> list[Row]:
        """The open opportunities in scope."""
        return [row for row in self.at(self.moment) if self.is_open(row)]

    def closed_deals(self, first: date, last: date, *outcomes: str) -> list[Row]:
        """What was closed from the first to the last day and still was at the moment."""
        return [
            row
            for row in self.at(self.moment)
            if row.status in outcomes
            and not row.is_deleted
            and self.sees(row)
            and self.is_asked_for(row)
            and first <= row.actual_close_date <= last
        ]

    def converted(self, version: Row, day: date) -> Fraction | None:
        """The deal's value in the scope's currency; None without a rate on the day."""
        rate = self.company.rate(version.currency, self.scope.currency, day)
        return None if rate is None else Fraction(version.value) * rate

    def total(self, rows: list[Row], day: date) -> tuple[Fraction, Fraction, int]:
        """Value, expected revenue, and how many are in neither for want of a rate."""
        worth = [(row, self.converted(row, day)) for row in rows]
        return (
            sum((value for _, value in worth if value is not None), ZERO),
            sum((value * chance(row) for row, value in worth if value is not None), ZERO),
            sum(value is None for _, value in worth),
        )

    def total_at_closing(self, rows: list[Row]) -> tuple[Fraction, int]:
        """The value at the rates of the closing days, and how many have a rate."""
        values = [value for row in rows if (value := self.converted(row, row.actual_close_date)) is not None]
        return sum(values, ZERO), len(values)

    # The questions ---------------------------------------------------------------------------------------

    def headline(self) -> list[Answer]:
        """The period so far, and as much of the one before."""
        scope, period, before = self.scope, self.scope.period, self.scope.period.previous()
        is_over = scope.as_of >= period.end - ONE_DAY
        as_of = before.start + (scope.as_of - period.start)
        as_of = max(as_of, before.end - ONE_DAY) if is_over else min(as_of, before.end - ONE_DAY)
        earlier = Opinion(self.company, self.viewer, replace(scope, period=before, as_of=as_of))
        return [{"which": "current", **self._figures()}, {"which": "previous", **earlier._figures()}]

    def _figures(self) -> Answer:
        first, last = self.scope.period.start, min(self.scope.period.end - ONE_DAY, self.scope.as_of)
        rows = self.open_deals()
        value, expected, without_rate = self.total(rows, self.scope.as_of)
        won, lost, abandoned = (self.closed_deals(first, last, outcome) for outcome in ("won", "lost", "abandoned"))
        won_value, won_with_rate = self.total_at_closing(won)
        lost_value, lost_with_rate = self.total_at_closing(lost)
        win_rate = Fraction(len(won), len(won) + len(lost)) if won or lost else None
        cycles = [(row.actual_close_date - self.company.day_of(row.created_at)).days for row in won]
        velocity = None
        if won_with_rate and win_rate is not None and median(cycles):
            velocity = len(rows) * (won_value / won_with_rate) * win_rate / Fraction(median(cycles))
        return {
            "open_count": len(rows),
            "open_value": value,
            "expected_revenue": expected,
            "without_rate": without_rate,
            "won_count": len(won),
            "won_value": won_value,
            "lost_count": len(lost),
            "lost_value": lost_value,
            "abandoned_count": len(abandoned),
            "closed_without_rate": len(won) - won_with_rate + len(lost) - lost_with_rate,
            "win_rate": win_rate,
            "win_rate_by_value": won_value / (won_value + lost_value) if won_value + lost_value else None,
            "cycle_median_days": median(cycles) if cycles else None,
            "cycle_p80_days": percentile_80(cycles),
            "velocity_per_day": velocity,
        }

    def headline_trend(self) -> list[Answer]:
        """Thirteen Sundays, or whatever the as-of day is; the pipeline at each, the wins of its week."""
        return [self._point(self.scope.as_of - timedelta(weeks=weeks)) for weeks in range(12, -1, -1)]

    def _point(self, day: date) -> Answer:
        # Stock as it was then; wins and losses as they are known at the scope's moment.
        rows = Opinion(self.company, self.viewer, replace(self.scope, as_of=day)).open_deals()
        value, expected, _ = self.total(rows, day)
        won = self.closed_deals(day - timedelta(days=90), day, "won")
        lost = self.closed_deals(day - timedelta(days=90), day, "lost")
        return {
            "day": day,
            "open_count": len(rows),
            "open_value": value,
            "expected_revenue": expected,
            "won_value": self.total_at_closing(self.closed_deals(day - timedelta(days=6), day, "won"))[0],
            "win_rate": Fraction(len(won), len(won) + len(lost)) if won or lost else None,
        }

    def expected_revenue_by_stage(self) -> list[Answer]:
        """Open stages in their order, deals of unknown stage before them."""
        rows = _together(self.open_deals(), "stage_id")
        stages = [
            stage
            for stage_id in self.company.stages
            if (stage := self.company.stage_at(stage_id, self.moment))
            and (
                stage_id in rows or (stage.is_active and not stage.is_closed and self.company.stage_at(stage_id, None))
            )
        ]
        stages.sort(key=lambda stage: (stage.order_index, stage.name))
        answers = [self._stage(stage, rows.get(stage.stage_id, [])) for stage in stages]
        return [self._stage(None, rows[None]), *answers] if None in rows else answers

    def _stage(self, stage: Row | None, rows: list[Row]) -> Answer:
        value, expected, without_rate = self.total(rows, self.scope.as_of)
        ages = [days for row in rows if stage and (days := self.days_in_stage(row)) is not None]
        normal = self.company.normal_age(stage.stage_id, self.moment) if stage else None
        return {
            "stage_id": str(stage.stage_id) if stage else None,
            "stage": stage.name if stage else "Unknown stage",
            "color": stage.color if stage else "#94a3b8",
            "position": stage.order_index if stage else 0,
            "default_probability": Fraction(stage.default_probability, 100) if stage else None,
            "opportunities": len(rows),
            "value": value,
            "expected_revenue": expected,
            "without_rate": without_rate,
            "median_age_days": median(ages) if ages else None,
            "normal_age_days": normal,
            "stalled": None if normal is None else sum(days > normal for days in ages),
        }

    def days_in_stage(self, version: Row) -> int | None:
        """Calendar days since it entered its stage."""
        if version.stage_entered_at is None:
            return None
        return (self.scope.as_of - self.company.day_of(version.stage_entered_at)).days

    def stage_stay_ends(self) -> dict[tuple[str, int, str], int]:
        """How many stays that began in the period ended so after so many days, by stage, days and ending."""
        first, last = self.scope.period.start, min(self.scope.period.end - ONE_DAY, self.scope.as_of)
        counts: dict[tuple[str, int, str], int] = defaultdict(int)
        for versions in self.company.deals.values():
            for stay in self.company.stays(versions, self.moment):
                stage = self.company.stage_at(stay.stage_id, self.moment)
                if stage is None or stage.is_closed or stay.entered is None:
                    continue
                entered = self.company.day_of(stay.entered)
                if not first <= entered <= last or not self.sees(stay.last) or not self.is_asked_for(stay.last):
                    continue
                if stay.left is None and (stay.last.status != "open" or stay.last.is_deleted):
                    continue
                until = self.company.day_of(stay.left) if stay.left else self.scope.as_of
                counts[stage.name, (until - entered).days, self._ending(stage, stay)] += 1
        return dict(counts)

    def _ending(self, stage: Row, stay: Stay) -> str:
        if stay.left is None:
            return "open"
        after = self.company.stage_at(stay.next_stage_id, self.moment, or_before=True)
        assert after
        if after.is_closed:
            return "won" if after.is_won else "lost"
        return "forward" if after.order_index > stage.order_index else "back"

    def opportunities(self, stage_id: UUID | str | None = None, only: str | None = None) -> dict[str, Answer]:
        """The open opportunities by id, or those of one stage, or those with one thing the matter."""
        answers = {}
        for row in self.open_deals():
            if stage_id is not None and row.stage_id != (None if stage_id == "unknown" else stage_id):
                continue
            answer = self._opportunity(row)
            is_wanted = {
                None: True,
                "stalled": answer["stalled"],
                "no_next_step": not answer["has_next_step"],
                "without_rate": answer["value"] is None,
                "overdue": row.expected_close_date is not None and row.expected_close_date < self.scope.as_of,
                "undated": row.expected_close_date is None,
            }[only]
            if is_wanted:
                answers[str(row.opportunity_id)] = answer
        return answers

    def _opportunity(self, row: Row) -> Answer:
        stage = self.company.stage_at(row.stage_id, self.moment)
        normal = self.company.normal_age(row.stage_id, self.moment) if row.stage_id else None
        days_in_stage = self.days_in_stage(row)
        value = self.converted(row, self.scope.as_of)
        return {
            "stage": stage.name if stage else "Unknown stage",
            "amount": Fraction(row.value),
            "currency": row.currency,
            "value": value,
            "probability": None if row.probability is None else Fraction(row.probability, 100),
            "probability_source": row.probability_source,
            "expected_revenue": None if value is None or row.probability is None else value * chance(row),
            "expected_close": row.expected_close_date,
            "days_in_stage": days_in_stage,
            "age_days": (self.scope.as_of - self.company.day_of(row.created_at)).days,
            "pushes": self._pushes(row.opportunity_id),
            "stalled": None if normal is None or days_in_stage is None else days_in_stage > normal,
            "has_next_step": self._has_next_step(row.opportunity_id),
        }

    def _pushes(self, deal: UUID) -> int:
        """How often its closing date went into a later month, as far as the viewer saw it."""
        seen = [
            row.expected_close_date
            for row in self.company.deals[deal]
            if self.sees(row) and (self.moment is None or row.valid_from < self.moment)
        ]
        return sum(
            (now.year, now.month) > (before.year, before.month) for before, now in pairwise(seen) if before and now
        )

    def _has_next_step(self, deal: UUID) -> bool:
        now = self.moment or datetime.now(UTC)
        for step in self.company.activities:
            if step.opportunity_id != deal or self.moment and step.created_at >= now:
                continue
            if not (self.team is None or step.user_id in self.team or self.sees_organizer(step.organizer_id)):
                continue
            is_pending = step.is_task and step.task_status != "cancelled" and (
                step.completed_at is None or step.completed_at >= now
            )  # fmt: skip
            is_scheduled = not step.is_task and step.activity_date >= now
            if is_pending or is_scheduled:
                return True
        return False

    # The movement, replayed ------------------------------------------------------------------------------

    def movement(self, start: date, end: date) -> dict[str, dict[UUID, Part]]:
        """By term, what each deal contributed from the end of one day to the end of the other."""
        terms: dict[str, dict[UUID, Part]] = defaultdict(lambda: defaultdict(Part))
        for deal, versions in self.company.deals.items():
            self._replay(versions, start, end, lambda term, part, deal=deal: _add(terms[term][deal], part))
        return terms

    def _replay(self, versions: list[Row], start: date, end: date, record: Any) -> None:
        opening = self.company.midnight_after(start)
        before = [row for row in versions if row.valid_from < opening]
        now = before[-1] if before else None
        worth = self._worth(now, start) if now is not None and self.is_open(now) else None
        if worth:
            record("start", Part(*worth.amounts))
        drift = Part()
        for day in (start + ONE_DAY * n for n in range(1, (end - start).days + 1)):
            if worth and now:  # at midnight the rates change
                _add(drift, _step(worth, rate=self._rate(now, day)))
            for new in versions:
                if self.company.day_of(new.valid_from) == day:
                    if drift != Part():
                        record("exchange_rates", drift)
                        drift = Part()
                    worth = self._change(now, new, worth, day, record)
                    now = new
        if drift != Part():
            record("exchange_rates", drift)

    def _change(self, old: Row | None, new: Row, worth: Worth | None, day: date, record: Any) -> Worth | None:
        """One change of one deal: the steps that it consists of, in their order."""
        if not self.is_mine(new):  # what became of it is not to be seen
            if worth:
                record("handed_out", _step(worth, value=ZERO))
            return None
        counts = self.is_open(new)
        if not worth:
            if counts:
                worth = self._worth(new, day)
                record(self._entry(old, new), Part(*worth.amounts))
            return worth if counts else None

        assert old
        _record_some(record, "currency", _step(worth, rate=self._rate(new, day)))
        part = _step(worth, value=Fraction(new.value))
        _record_some(record, "value_down" if part.value < 0 else "value_up", part)
        if not counts:
            record(self._exit(new), _step(worth, value=ZERO))
            return None
        has_moved, own = new.stage_id != old.stage_id, ("manual", "model")
        if has_moved and old.probability_source not in own:
            moved_to = chance(new)
            if new.probability_source in own:  # the stage would have brought its default
                stage = next(
                    (row for row in reversed(self.company.stages[new.stage_id]) if row.valid_from <= new.valid_from),
                    self.company.stages[new.stage_id][0],
                )
                moved_to = Fraction(stage.default_probability, 100)
            _record_some(record, "stage", _step(worth, chance=moved_to))
        is_inherited = new.probability_source == old.probability_source == "stage"
        term = "stage_default" if is_inherited and not has_moved else "own_probability"
        _record_some(record, term, _step(worth, chance=chance(new)))
        return worth

    def is_mine(self, version: Row) -> bool:
        """Seen, and of an owner who is asked for."""
        owners = self.scope.owners
        return self.sees(version) and (owners is None or version.assigned_to in owners)

    def _entry(self, old: Row | None, new: Row) -> str:
        if old is None:
            return "new" if new.seq == 1 else "handed_in"
        if not self.is_mine(old):
            return "handed_in"
        if old.status != "open" or old.is_deleted:
            return "reopened"
        return "pulled_in" if self.is_asked_for(old) else "handed_in"

    def _exit(self, new: Row) -> str:
        if new.is_deleted:
            return "removed"
        if new.status != "open":
            return str(new.status)
        return "pushed_out" if self.is_asked_for(new) else "handed_out"

    def _worth(self, version: Row, day: date) -> Worth:
        return Worth(Fraction(version.value), self._rate(version, day), chance(version))

    def _rate(self, version: Row, day: date) -> Fraction:
        """0 without a rate: it is in no total."""
        return self.company.rate(version.currency, self.scope.currency, day) or ZERO


def chance(version: Row) -> Fraction:
    """The probability as a share; an unknown one forecasts nothing."""
    return Fraction(version.probability or 0, 100)


def percentile_80(numbers: list[int]) -> float | None:
    """Linear between the two nearest; None of nothing."""
    if len(numbers) < 2:
        return float(numbers[0]) if numbers else None
    return quantiles(numbers, n=5, method="inclusive")[3]


def _together(rows: list[Row], column: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, column)].append(row)
    return dict(groups)


def _add(part: Part, more: Part) -> None:
    part.value += more.value
    part.expected += more.expected


def _step(worth: Worth, **new: Fraction) -> Part:
    """Changes one factor and says what that added."""
    value, expected = worth.amounts
    for name, factor in new.items():
        setattr(worth, name, factor)
    return Part(worth.amounts[0] - value, worth.amounts[1] - expected)


def _record_some(record: Any, term: str, part: Part) -> None:
    if part != Part():
        record(term, part)
