"""What happens to opportunities from creation to end: moves, pushes, opinions, new owners, corrections."""

import numpy as np

from app.demo import truth, words
from app.demo.arrays import NEVER, Flags, Ints, lognormal
from app.demo.clock import DAY, month_end, workday
from app.demo.company import Company
from app.demo.deals import Deals, round_value
from app.demo.organizers import Organizers
from app.demo.people import ADMIN, CAREFUL, HERE, SHARP
from app.demo.ways import in_office

KEEP = -10
"""A change leaves this field as it was."""

FOLLOW = -1
"""Instead of a manual probability: the stage's."""

FIELDS = ("stage", "value", "currency", "manual", "expected", "owner", "reason", "deleted")

REVISED, REVISION_SIGMA = 0.30, 0.13
"""Share of moves at which the value is revised, and by how much (log)."""

REVISED_BETWEEN = 0.08
"""Share of opportunities whose value is revised between two moves."""

PULLED_IN = 0.12
"""Share of wins whose expected closing date is brought forward shortly before."""

GIVEN_UP_AFTER = 25 * DAY
"""After so long in its last stage nobody moves the closing date of an opportunity that will be abandoned."""


class Changes:
    """Changes of the opportunities of a block, in any order."""

    def __init__(self, rng: np.random.Generator, company: Company, organizers: Organizers, deals: Deals) -> None:
        self.rng, self.company, self.deals = rng, company, deals
        self.now, self.count = company.clock.now, len(deals)
        self._parts: list[dict[str, Ints]] = []
        self._lost, self._reopened = deals.entered[:, -3], deals.entered[:, -2]
        left = np.where(deals.owner >= 0, company.people.left[deals.owner], HERE)
        leaving = company.clock.moment(np.minimum(left, company.clock.last), 12 * 3600)
        # With the account; an opportunity on somebody else's account goes from a leaver to the leaver's manager.
        self.handover = np.where(deals.is_split, leaving, organizers.handover[deals.organizer])
        self.taker = np.where(
            deals.is_split, company.people.manager[deals.owner], organizers.next_owner[deals.organizer]
        )

    def owner_at(self, at: Ints) -> Ints:
        """Who owns each opportunity at its moment."""
        return np.where(at < self.handover, self.deals.owner, self.taker)

    def is_open_at(self, at: Ints) -> Flags:
        """Whether each opportunity was created before its moment and was open then, in the past."""
        is_away = (self._lost != NEVER) & (at >= self._lost) & (at < self._reopened)
        return np.asarray((at > self.deals.created) & (at < np.minimum(self.deals.closes, self.now)) & ~is_away)

    def add(self, at: Ints, only: Flags, by: Ints | int | None = None, **changed: Ints | int) -> None:
        """Opportunities are changed at their moments, by their owners unless said otherwise; fields not named stay."""
        by = self.owner_at(at) if by is None else by
        rows = {"deal": np.arange(self.count), "at": at, "by": by} | dict.fromkeys(FIELDS, KEEP) | changed
        self._parts.append({name: np.broadcast_to(column, self.count)[only] for name, column in rows.items()})

    def chance(self, share: float) -> Flags:
        """Each opportunity with this chance."""
        return self.rng.random(self.count) < share

    def in_order(self) -> dict[str, Ints]:
        """All changes by opportunity and time."""
        rows = {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
        order = np.lexsort((rows["at"], rows["deal"]))
        return {name: column[order] for name, column in rows.items()}


def happen(rng: np.random.Generator, company: Company, organizers: Organizers, deals: Deals) -> Changes:
    """Everything that happened to the opportunities until the anchor."""
    changes = Changes(rng, company, organizers, deals)
    expected = _moves(changes)
    _pushes(changes, expected)
    _opinions(changes)
    _corrections(changes)
    at = changes.handover
    changes.add(at, changes.is_open_at(at), company.people.manager[changes.taker], owner=changes.taker)
    for moment in company.stages.edited:
        at = np.full(changes.count, moment)
        changes.add(at, changes.is_open_at(at), ADMIN)  # what inherits follows; for the others nothing changes
    changes.add(deals.deleted, ~deals.is_kept, deleted=1)
    return changes


def _moves(changes: Changes) -> Ints:
    """Creation, every move and the end; returns the first expected closing dates, NEVER where there is none ever."""
    rng, deals, clock = changes.rng, changes.deals, changes.company.clock
    created, steps = clock.day(deals.created), deals.stage.shape[1]
    entry = np.take_along_axis(deals.stage, np.argmax(deals.stage >= 0, axis=1)[:, None], axis=1)[:, 0]
    planned = lognormal(rng, np.array(truth.PLANNED_DAYS)[entry], truth.PLANNED_SIGMA, changes.count).astype(np.int64)
    is_undated = changes.chance(truth.UNDATED)
    expected = np.where(is_undated, NEVER, _date(changes, created + planned + 5))
    place = np.cumsum(deals.stage >= 0, axis=1)
    for step in range(steps):
        stage, at = deals.stage[:, step], deals.entered[:, step]
        happens = (stage >= 0) & (at < clock.now)
        is_first, is_open = at == deals.created, stage < truth.WON
        is_reopened = np.full(changes.count, step == steps - 2)
        day = clock.day(np.minimum(at, clock.now))
        at_last = is_undated & (place[:, step] == 2) & is_open & happens  # the second step
        dated = np.where(at_last | is_reopened, _date(changes, day + np.where(at_last, planned // 2, 30)), KEEP)
        expected = np.where(at_last, dated, expected)
        is_revised = changes.chance(REVISED) & (stage != truth.LOST)
        follows = changes.chance(truth.FOLLOWS_AGAIN) | ~is_open
        changes.add(
            at,
            happens,
            stage=stage,
            value=np.where(is_first, deals.value, np.where(is_revised, _revised(changes), KEEP)),
            currency=np.where(is_first, deals.first_currency, KEEP),
            manual=np.where(is_first | follows, FOLLOW, KEEP),
            expected=np.where(is_first, expected, dated),
            owner=np.where(is_first, deals.owner, KEEP),
            deleted=np.where(is_first, 0, KEEP),
        )
    return expected


def _date(changes: Changes, days: Ints) -> Ints:
    """Expected closing dates as people set them: many at the end of a month, none at a weekend."""
    return workday(np.where(changes.chance(truth.MONTH_END), month_end(days) - 2, days))


def _revised(changes: Changes) -> Ints:
    return round_value(changes.deals.value / 100 * np.exp(changes.rng.normal(-0.02, REVISION_SIGMA, changes.count)))


def _pushes(changes: Changes, expected: Ints) -> None:
    """Expected closing dates that came too early are moved again and again, until somebody forgets; a few wins come
    sooner than thought."""
    rng, deals, clock = changes.rng, changes.deals, changes.company.clock
    given_up = np.where(deals.is_abandoned, deals.last_stage_entered + GIVEN_UP_AFTER, clock.now)
    goes_on, latest = expected != NEVER, deals.created
    while goes_on.any():
        due = np.where(goes_on, expected, clock.today)
        day = workday(due + rng.integers(-4, 4, changes.count))
        at = np.maximum(in_office(rng, clock, day), latest + DAY // 3)
        goes_on &= changes.is_open_at(at) & (at < given_up) & changes.chance(truth.PUSHED)
        push = lognormal(rng, *truth.PUSH_DAYS, changes.count).astype(np.int64) + 1
        later = _date(changes, np.maximum(due, day) + push)
        changes.add(at, goes_on, expected=later)
        expected, latest = np.where(goes_on, later, expected), np.where(goes_on, at, latest)
    closes = clock.day(np.minimum(deals.closes, clock.now))
    at = deals.closes - rng.integers(5 * DAY, 15 * DAY, changes.count)
    is_sooner = deals.wins & (expected > closes + 10) & (at > latest) & changes.is_open_at(at)
    sooner = workday(closes + rng.integers(0, 6, changes.count))
    changes.add(at, is_sooner & changes.chance(PULLED_IN), expected=sooner)


def _opinions(changes: Changes) -> None:
    """Probabilities that sellers set themselves, some better than the stage's, some worse."""
    rng, deals = changes.rng, changes.deals
    people, stages = changes.company.people, changes.company.stages
    leaves = deals.closes
    for step in reversed(range(deals.stage.shape[1] - 1)):
        here = (deals.stage[:, step] >= truth.QUALIFIED) & (deals.stage[:, step] < truth.WON)
        stage, entered = np.where(here, deals.stage[:, step], 0), deals.entered[:, step]
        stays = np.where(here, leaves - entered, 0)
        at = np.where(here, entered, deals.created) + (stays * rng.uniform(0.1, 0.8, changes.count)).astype(np.int64)
        leaves = np.where(deals.stage[:, step] >= 0, entered, leaves)
        seller = changes.owner_at(at)
        habit = np.where(seller >= 0, people.habit[seller], CAREFUL)
        rate, set_value = np.array(truth.WIN_RATE)[stage], stages.probability(stage, at)
        insight = truth.SHARP_INSIGHT * np.where(deals.wins, 1, -1) + rng.normal(0, 0.5, changes.count)
        knows = 100 / (1 + np.exp(-np.log(rate / (1 - rate)) - insight))
        hopes = set_value + truth.ROSY_POINTS + rng.normal(0, 5, changes.count)
        given = np.clip(np.round(np.where(habit == SHARP, knows, hopes) / 5) * 5, 5, 95).astype(np.int64)
        given += np.where(given == set_value, 5, 0)  # to set what is there already is to set nothing
        says = here & changes.is_open_at(at) & (habit != CAREFUL) & changes.chance(truth.OVERRIDDEN)
        reason = rng.integers(0, len(words.OVERRIDE_REASONS), changes.count)
        changes.add(at, says, manual=given, reason=reason)


def _corrections(changes: Changes) -> None:
    """Values revised between two moves, and currencies put right."""
    rng, deals = changes.rng, changes.deals
    alive = np.minimum(deals.closes - deals.created, 200 * DAY)
    at = deals.created + (rng.random(changes.count) * alive).astype(np.int64)
    changes.add(at, changes.is_open_at(at) & changes.chance(REVISED_BETWEEN), value=_revised(changes))
    at = deals.created + rng.integers(DAY // 8, 3 * DAY, changes.count)
    is_wrong = deals.currency != deals.first_currency
    changes.add(at, changes.is_open_at(at) & is_wrong, currency=deals.currency)
