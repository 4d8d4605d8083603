"""When open opportunities are won, if they are: how closing dates slip, and which months of a quarter bring the wins.

Learnt from snapshots: opportunities that were open on past days, as they stood then, and what is known of them by now.
A frame of snapshots has the columns

    opportunity_id, seen_on (the day of the snapshot), stage_id, expected_close_date (held that day, missing where there
    was none), outcome (known by now: `won`, `lost`, `abandoned`, or `open` still), closed_on (missing while open),

and the functions name what they need besides. Several snapshots of one opportunity are welcome. Days are datetime64
without a time, shares and probabilities 0–1. Whoever is open on a day may be won on that very day.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, fdtrc, logit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ENOUGH: Final = 30
"""Wins from which on the timing of a kind of opportunity counts as measured."""

COMMON: Final = 30
"""What all stages together weigh beside a stage's own snapshots: the timing of a stage is its own where it has many of
them, and everybody's where it has none."""

FEW: Final = 10
"""Weight of the opportunities watched from which on a curve begins."""

SOON, LATER, FAR, OVERDUE, LONG_OVERDUE, UNDATED = range(6)
"""Kinds of opportunity, by the days from the snapshot to its expected close: up to 30, up to 90, more; 1 to 30 days
past; more; and no date at all. A near date is held or pushed, a far one drifts, what is long overdue is mostly dead."""

KINDS: Final = 6
DATED: Final = (SOON, LATER, FAR)

ROUNDS: Final = 30
"""Rounds of proportional fitting; it settles in about twenty."""

STEP: Final = 0.01
"""A small step of the log-odds, for a slope."""

STRONGEST: Final = 3.0
"""Limit of an effect on the log-odds: from 50 % to 95 %."""

SUREST: Final = 0.005
"""Who is as good as sure to be won or lost is taken to be no surer than this: nothing moves infinite log-odds."""

TINY: Final = 1e-9

SIGNIFICANT: Final = 0.05
"""A month-of-quarter effect is used where chance alone would make so strong a one less often than this."""


@dataclass(frozen=True)
class Curve:
    """How opportunities of one kind went on: the shares `won`, `lost` and `given_up` before each day from `first` on.

    Days count from the expected close (dated kinds) or from the snapshot (overdue and undated ones).
    """

    first: int
    shares: Floats
    """Day × (won, lost, given up), each column rising from 0."""

    def chances(self, since: Ints, edges: Ints) -> Floats:
        """The chance to be won between each two edges, one row an opportunity, for one that would be won if decided.

        Given that nothing had happened before `since`. What is given up, or never seen to end, is not won: a row adds
        up to less than 1.
        """
        gone = self._before(since)
        left, alive = self.shares[-1] - gone, 1 - gone.sum(axis=1)
        decided = np.divide(left[:, 0] + left[:, 1], alive, out=np.zeros(len(since)), where=alive > TINY)
        won = self._before(edges)[..., 0]
        share = np.divide(np.diff(won), left[:, :1], out=np.zeros_like(won[:, 1:]), where=left[:, :1] > TINY)
        return np.asarray(decided[:, None] * share)

    def _before(self, days: Ints) -> Floats:
        return np.asarray(self.shares[np.clip(days - self.first, 0, len(self.shares) - 1)])


@dataclass(frozen=True)
class Slip:
    """How closing dates slipped, measured; `land` applies it.

    `curves` has one for each kind that was measured, under (None, kind), and one for each of its stages. `reason` says
    in a sentence what was not measured, or is empty.
    """

    curves: dict[tuple[object, int], Curve]
    reason: str


@dataclass(frozen=True)
class MonthOfQuarter:
    """What being decided in the first, second or third month of a quarter does to the log-odds of winning.

    All 0 where there is no effect to speak of; `errors` are standard errors, and `reason` says in a sentence what was
    found.
    """

    effects: tuple[float, float, float]
    errors: tuple[float, float, float]
    first_month: int
    reason: str

    def position(self, day: dt.date) -> int:
        """0, 1 or 2: the place of the day's month in its quarter."""
        return (day.month - self.first_month) % 3


def fit_slip(seen: pd.DataFrame, until: dt.date) -> Slip:
    """The timing of each kind of opportunity, from snapshots and what was known at the end of `until`.

    For each kind the cumulative incidence of winning, losing and being given up after Aalen and Johansen (Scandinavian
    Journal of Statistics 5, 1978, 141–150), so that opportunities count from the day they were seen for as long as they
    were watched, and quick ends are not overrated. A stage's curve takes its own snapshots, and those of all stages
    with the weight of COMMON. A kind with fewer than ENOUGH wins is measured together with the others that have a date
    ahead, or with those that have none; too few still, and it is not measured.
    """
    _require_known(seen, until)
    seen = seen[(seen["outcome"] == "open") | seen["closed_on"].notna()]  # closed nobody knows when: says nothing here
    if seen.empty:
        return Slip({}, "Nothing is known about slipping: closing dates are taken at their word.")
    kind = _kind(seen["expected_close_date"], _days(seen["seen_on"]))
    ahead = np.isin(kind, DATED)
    end = np.where(seen["outcome"] == "open", _days(pd.Series([until]))[0] + 1, _days(seen["closed_on"]))
    origin = np.where(ahead, _days(seen["expected_close_date"]), _days(seen["seen_on"]))
    watched, ended = _days(seen["seen_on"]) - origin, end - origin
    outcome = np.asarray(seen["outcome"].map({"won": 0, "lost": 1, "abandoned": 2, "open": 3}), dtype=np.int64)
    stage, names = pd.factorize(seen["stage_id"])

    curves: dict[tuple[object, int], Curve] = {}
    unknown = []
    for one in range(KINDS):
        members = np.flatnonzero(kind == one)
        if (outcome[members] == 0).sum() < ENOUGH:
            members = np.flatnonzero(ahead == (one in DATED))
        if (outcome[members] == 0).sum() < ENOUGH:
            unknown.append(one)
            continue
        rows = watched[members], ended[members], outcome[members]
        curves[None, one] = _curve(*rows, np.ones(len(members)))
        for own in set(stage[members].tolist()) - {-1}:
            curves[names[own], one] = _curve(*rows, COMMON / len(members) + (stage[members] == own))
    sentences = []
    if set(unknown) & set(DATED):
        sentences.append(f"Closing dates are taken at their word: slipping is measured from {ENOUGH} wins on.")
    if set(unknown) - set(DATED):
        sentences.append(
            "Overdue and undated opportunities are left out: how long such ones take to be won "
            f"is measured from {ENOUGH} wins on."
        )
    return Slip(curves, " ".join(sentences))


def land(opportunities: pd.DataFrame, as_of: dt.date, edges: Sequence[dt.date], slip: Slip) -> Floats:
    """For each opportunity the chance to be won between each two edges, for one that would be won if decided.

    `opportunities`: stage_id, expected_close_date, as they stand on `as_of`, open; `edges`: rising days, the last one
    excluded; what is before `as_of` is over. Where the slip of a kind was not measured, a date ahead is taken at its
    word, and an overdue or undated opportunity lands nowhere.
    """
    today = _days(pd.Series([as_of]))[0]
    bounds = np.maximum(_days(pd.Series(list(edges))), today)
    expected = _days(opportunities["expected_close_date"])
    kind = _kind(opportunities["expected_close_date"], np.full(len(opportunities), today))
    code, names = pd.factorize(opportunities["stage_id"].to_numpy(dtype=object), use_na_sentinel=False)
    pair = code * KINDS + kind
    chances = np.zeros((len(opportunities), len(bounds) - 1))
    for one in np.unique(pair):
        rows = np.flatnonzero(pair == one)
        stage, its_kind = names[one // KINDS], int(one % KINDS)
        curve = slip.curves.get((stage, its_kind), slip.curves.get((None, its_kind)))
        origin = expected[rows, None] if its_kind in DATED else np.full((len(rows), 1), today)
        if curve is not None:
            chances[rows] = curve.chances(today - origin[:, 0], bounds - origin)
        elif its_kind in DATED:
            chances[rows] = (bounds[:-1] <= origin) & (origin < bounds[1:])
    return chances


def fit_month_of_quarter(seen: pd.DataFrame, slip: Slip, until: dt.date, first_month: int = 1) -> MonthOfQuarter:
    """Whether opportunities decided in some months of a quarter are won more often, and by how much.

    `seen` with `probability` (0–1). Of each quarter the earliest snapshot counts, if it was taken in the quarter's
    first month and the quarter was over by the end of `until`: the wins of the opportunities in it, by month, against
    those that `land` places there. Each quarter has its own level, so that good and bad quarters are no effect. An
    effect must have come back in a second quarter, and be too strong for chance.

    Quasi-Poisson with a level for each quarter and an effect of each month, fitted proportionally; F test, dispersion
    at least 1: McCullagh and Nelder, "Generalized Linear Models" (2nd ed. 1989), chapters 4 and 6.
    """
    _require_known(seen, until)
    looks = _looks(seen, slip, until, first_month)
    came = np.array([won for _, _, won in looks])

    def without(reason: str) -> MonthOfQuarter:
        return MonthOfQuarter((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), first_month, reason)

    if len(looks) < 2 or came.sum() < ENOUGH or (came.sum(axis=0) == 0).any():
        return without(
            f"Whether some months of a quarter win more is measured from two whole quarters and {ENOUGH} wins on."
        )
    plain = _placed(looks, np.zeros(3))
    effects, fitted = np.zeros(3), plain
    for _ in range(ROUNDS):
        effects = effects + np.log(came.sum(axis=0) / _levelled(fitted, came).sum(axis=0))
        # A quarter's level is not the months' doing: together they bring what they would bring without.
        effects = np.clip(effects + np.log(plain.sum() / _placed(looks, effects).sum()), -STRONGEST, STRONGEST)
        fitted = _placed(looks, effects)
    as_it_was, as_fitted = _levelled(plain, came), _levelled(fitted, came)
    freedom = 2 * (len(looks) - 1)
    dispersion = max(1.0, float(((came - as_fitted) ** 2 / as_fitted).sum()) / freedom)
    strength = (_deviance(came, as_it_was) - _deviance(came, as_fitted)) / 2 / dispersion
    if fdtrc(2, freedom, max(strength, 0.0)) >= SIGNIFICANT:
        return without("The months of a quarter differ no more than chance would make them.")
    ratios = fitted.sum(axis=0) / plain.sum(axis=0)
    # Of the logarithm of the wins, and how fast that moves with the effect.
    error = np.sqrt(dispersion / came.sum(axis=0)) * STEP / np.log(_placed(looks, effects + STEP) / fitted).mean(axis=0)
    return MonthOfQuarter(
        _three(effects),
        _three(error),
        first_month,
        f"In {len(looks)} past quarters the three months won {ratios[0]:.0%}, {ratios[1]:.0%} and {ratios[2]:.0%} "
        "of what they would if all months were alike.",
    )


def snapshots(seen: pd.DataFrame) -> Iterator[tuple[dt.date, pd.DataFrame]]:
    """Each day of the snapshots with its rows, in order."""
    days = seen["seen_on"].to_numpy(dtype="datetime64[D]")
    for day in np.unique(days):
        yield day.item(), seen[days == day]


def quarter_of(day: dt.date, first_month: int = 1) -> tuple[dt.date, dt.date]:
    """The first day of the fiscal quarter that holds the day, and of the one after it."""
    month = np.datetime64(day, "M")
    start = month - (month.astype(np.int64) + 1 - first_month) % 3
    first, after = (edge.astype("datetime64[D]").item() for edge in (start, start + 3))
    return first, after


def months_between(start: dt.date, end: dt.date) -> list[dt.date]:
    """First days of the months from one first day to another, both included."""
    months = np.arange(np.datetime64(start, "M"), np.datetime64(end, "M") + 1)
    return [month.astype("datetime64[D]").item() for month in months]


def _require_known(seen: pd.DataFrame, until: dt.date) -> None:
    at = pd.Timestamp(until)
    if (seen["seen_on"] > at).any() or (seen["closed_on"] > at).any():
        raise ValueError(f"These snapshots hold what nobody knew on {until}.")


def _days(dates: pd.Series) -> Ints:
    """Days since 1970; a missing date is a number so far off that no sum of days reaches it."""
    return np.asarray(pd.to_datetime(dates).to_numpy().astype("datetime64[D]").astype(np.int64))


def _kind(expected: pd.Series, seen: Ints) -> Ints:
    undated = expected.isna().to_numpy()
    ahead = np.where(undated, 0, _days(expected) - seen)
    kinds = np.select(
        [undated, ahead > 90, ahead > 30, ahead >= 0, ahead >= -30], [UNDATED, FAR, LATER, SOON, OVERDUE], LONG_OVERDUE
    )
    return np.asarray(kinds, dtype=np.int64)


def _curve(watched: Ints, ended: Ints, outcome: Ints, weight: Floats) -> Curve:
    """The cumulative incidences of outcomes 0, 1 and 2 (3: cut off) of rows that are watched from a day until another.

    Begins on the first day on which FEW are watched: with one only, its end would be everybody's.
    """
    entered = np.bincount(watched - watched.min(), weight)
    first = int(watched.min()) + int(np.argmax(np.cumsum(entered) >= FEW))
    kept = ended >= first
    watched, ended, outcome, weight = (
        np.maximum(watched[kept], first) - first,
        ended[kept] - first,
        outcome[kept],
        weight[kept],
    )
    length = int(ended.max()) + 1
    ends = np.bincount(ended * 4 + outcome, weight, length * 4).reshape(length, 4)
    gone_before = np.cumsum(ends.sum(axis=1)) - ends.sum(axis=1)
    at_risk = np.cumsum(np.bincount(watched, weight, length)) - gone_before
    hazard = np.divide(ends[:, :3], at_risk[:, None], out=np.zeros((length, 3)), where=at_risk[:, None] > TINY)
    staying = np.cumprod(1 - hazard.sum(axis=1))
    shares = np.cumsum(hazard * np.append(1.0, staying[:-1])[:, None], axis=0)
    return Curve(first, np.vstack([np.zeros(3), shares]))


def _three(values: Floats) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third


Look = tuple[Floats, Floats, Floats]
"""A past quarter from its first month on: log-odds of kinds of opportunity, how many land in each month, the wins."""


def _looks(seen: pd.DataFrame, slip: Slip, until: dt.date, first_month: int) -> list[Look]:
    looks: dict[dt.date, Look] = {}
    for day, snapshot in snapshots(seen):
        start, after = quarter_of(day, first_month)
        months = months_between(start, after)
        if start in looks or day >= months[1] or after > until + dt.timedelta(days=1):
            continue
        alike = snapshot.groupby(["stage_id", "expected_close_date", "probability"], dropna=False).size()
        kinds = alike.reset_index(name="n")
        won = snapshot.loc[snapshot["outcome"] == "won", "closed_on"]
        came = [((won >= pd.Timestamp(a)) & (won < pd.Timestamp(b))).sum() for a, b in pairwise(months)]
        looks[start] = (
            logit(np.clip(kinds["probability"].to_numpy(dtype=float), SUREST, 1 - SUREST)),
            kinds["n"].to_numpy()[:, None] * land(kinds, day, months, slip),
            np.array(came, dtype=float),
        )
    return list(looks.values())


def _placed(looks: list[Look], effects: Floats) -> Floats:
    """The wins that each quarter's months should bring with these effects, never quite none."""
    return np.array([(landing * expit(odds[:, None] + effects)).sum(axis=0) for odds, landing, _ in looks]) + TINY


def _levelled(placed: Floats, came: Floats) -> Floats:
    """The same with as many wins in each quarter as came."""
    return np.asarray(placed * came.sum(axis=1, keepdims=True) / placed.sum(axis=1, keepdims=True)) + TINY


def _deviance(won: Floats, fitted: Floats) -> float:
    logs = np.where(won > 0, won * np.log(np.where(won > 0, won, 1.0) / np.maximum(fitted, TINY)), 0.0)
    return float(2 * (logs - (won - fitted)).sum())
