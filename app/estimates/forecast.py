"""What a period will bring: the distribution of its revenue, and how far good and bad quarters pull it.

Money is float, in one currency; probabilities, rates and shares are 0–1; days are datetime64 without a time. A frame of
open opportunities has the columns

    opportunity_id, stage_id, value, probability (the effective one), probability_source (`stage`: inherited; anything
    else is its own), expected_close_date (missing where there is none),

as they stand on the day of the forecast.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit, ndtr

from app.estimates.timing import MonthOfQuarter, Slip, land, months_between, quarter_of, snapshots

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DRAWS: Final = 20_000
"""Simulated periods; the simulated P10 and P90 then move by about 1 % of the spread from seed to seed."""

ONE_BY_ONE: Final = 5_000
"""So many opportunities, those that matter most for the spread, win or lose one by one. What the others bring together
is drawn from the normal distribution with their exact mean and variance: each is a small part of a sum of thousands."""

CERTAIN: Final = 1e-7
"""A deviation of less than this part of the mean is the rounding of sums, not uncertainty."""

TOGETHER: Final = 16
"""Opportunities whose wins are added up in one go: as many as the processor's cache holds."""

ENOUGH_QUARTERS: Final = 8
"""Past quarters from which on the swing between quarters, and what was won beyond the pipeline, count as measured."""

USUAL_SWING: Final = 0.35
"""Scale of the half-normal prior of the swing's standard deviation on the log-odds: with no history, win rates near
50 % are believed to move by some 6 points from quarter to quarter, hardly ever by more than 17."""

STEP: Final = 0.02
SWINGS: Final = np.array([1e-6, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0])
MEANS: Final = np.arange(-75, 76) * STEP
EFFECTS: Final = np.arange(-125, 126) * STEP
"""Grids of the fit on the log-odds: the shock's standard deviation, its mean, and the effect of one quarter."""

NEXT_TO_NOTHING: Final = 1e-300

MACKAY: Final = 16 * math.sqrt(3) / (15 * math.pi)
"""Scale between the logistic and the normal curve, for the average of one over the other."""


@dataclass(frozen=True)
class Shock:
    """What all opportunities of a quarter share, on the log-odds of winning: normal, with a mean and a deviation.

    `mean` below 0: past quarters brought less than their opportunities promised. Estimates are posterior means with
    95 % intervals, missing where `reason` says why. `weights` is the posterior over SWINGS × MEANS, from which the
    simulation draws: what is badly known makes wider bands.
    """

    mean: float | None
    mean_interval: tuple[float, float] | None
    swing: float | None
    swing_interval: tuple[float, float] | None
    quarters: int
    reason: str
    weights: Floats


@dataclass(frozen=True)
class NewBusiness:
    """What a period brings from opportunities that do not exist yet: mean and deviation of past periods, how many."""

    mean: float
    deviation: float
    periods: int


@dataclass(frozen=True)
class Forecast:
    """The distribution of a period's revenue, what was won already included.

    `totals` is one amount per simulated period; with one seed, the n-th period is the same luck in every forecast.
    `mean` and `deviation` are exact given the draws of rates and shocks, `contributions` one row per opportunity:
    `opportunity_id`, `expected` (its mean share of the total), `contribution` (its share of the open opportunities'
    variance; they add up to 1, and are missing where nothing is uncertain). `reasons`: sentences on what was assumed.
    """

    totals: Floats
    won: float
    mean: float
    deviation: float
    contributions: pd.DataFrame
    reasons: tuple[str, ...]

    def quantile(self, share: float) -> float:
        """The amount that the period stays at or under with this chance: P10 is quantile(0.1). A possible total."""
        return float(np.quantile(self.totals, share, method="inverted_cdf"))

    def band(self, share: float) -> tuple[float, float]:
        """The middle band that holds the total with this chance: P10 to P90 is band(0.8)."""
        return self.quantile((1 - share) / 2), self.quantile((1 + share) / 2)

    def summary(self) -> dict[str, float]:
        """`won`, `mean` and the quantiles `p05` … `p95` that `backtest` takes."""
        levels = (5, 10, 25, 50, 75, 90, 95)
        return {"won": self.won, "mean": self.mean} | {f"p{level:02}": self.quantile(level / 100) for level in levels}

    def at_least(self, target: float) -> float:
        """The chance to reach the target."""
        return float((self.totals >= round(target, 2)).mean())

    def histogram(self, bins: int = 40) -> pd.DataFrame:
        """`low`, `high`, `share`: the chance of each of so many equal bins from the least total to the greatest."""
        least, most = self.totals.min(), self.totals.max()
        count, edges = np.histogram(self.totals, bins if most > least else 1)
        return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "share": count / len(self.totals)})


def chances(opportunities: pd.DataFrame, rates: pd.DataFrame | None) -> Floats:
    """Each opportunity's chance to be won: the stage's estimate where it inherits and there is one, else its own.

    `rates`: stage_id and estimate, as `calibration.calibrate` returns them.
    """
    own = opportunities["probability"].to_numpy(dtype=float)
    if rates is None:
        return own
    estimate = (
        opportunities["stage_id"].map(rates.set_index("stage_id")["estimate"].astype(float)).to_numpy(dtype=float)
    )
    inherits = (opportunities["probability_source"] == "stage").to_numpy()
    return np.where(inherits & ~np.isnan(estimate), estimate, own)


def past_quarters(
    seen: pd.DataFrame, slip: Slip, until: dt.date, season: MonthOfQuarter | None = None, first_month: int = 1
) -> pd.DataFrame:
    """What `fit_shock` learns from: of each snapshot whose quarter is over, every opportunity's chances and its end.

    `seen`: snapshots as in `app.estimates.timing`, with `probability` as `chances` gives it. Take them on the day of
    the quarter on which the forecast is made: what a forecast gets wrong depends on how far ahead it looks. Result:
    `period` (the quarter's first day), `probability` (with the month's effect), `landing` (as `land` gives it), `won`
    (in time).
    """
    columns = ["period", "probability", "landing", "won"]
    parts = []
    for day, snapshot in snapshots(seen):
        start, after = quarter_of(day, first_month)
        if after > until + dt.timedelta(days=1):
            continue
        months = months_between(start, after)
        chance = snapshot["probability"].to_numpy(dtype=float)
        by_month = land(snapshot, day, months, slip)
        landing = by_month.sum(axis=1)
        if season is not None:
            won = (by_month * expit(logit(chance)[:, None] + np.array(season.effects))).sum(axis=1)
            chance = np.divide(won, landing, out=chance.copy(), where=landing > 0)
        in_time = (snapshot["outcome"] == "won") & (snapshot["closed_on"] < pd.Timestamp(after))
        rows = zip(columns, (pd.Timestamp(start), chance, landing, in_time.to_numpy()), strict=True)
        parts.append(pd.DataFrame(dict(rows)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def fit_shock(past: pd.DataFrame) -> Shock:
    """The shared effect of a quarter, from past forecasts and what came of them.

    `past`: period, probability, landing (0–1; 1 for closed opportunities that had all the time), won. Each quarter's
    effect is normal on the log-odds with a common mean and deviation; their posterior is computed on a grid, the
    quarter's own effect summed out, with a flat prior on the mean and a half-normal one on the deviation (Gelman,
    "Prior distributions for variance parameters in hierarchical models", Bayesian Analysis 1, 2006, 515–534). Under
    ENOUGH_QUARTERS the mean is taken as 0, the deviation is mostly the prior, and both are missing from the result.
    """
    known = past.dropna(subset=["probability", "landing"])
    known = known[(known["landing"] > 0) & (known["probability"] > 0) & (known["probability"] < 1)]
    quarters = known["period"].nunique()
    enough = quarters >= ENOUGH_QUARTERS
    flat_or_zero = np.where(enough | (MEANS == 0), 0.0, -np.inf)
    # The grid of deviations is finer near 0: each point stands for the stretch around it.
    weights = flat_or_zero - (SWINGS[:, None] / USUAL_SWING) ** 2 / 2 + np.log(np.gradient(SWINGS))[:, None]
    if quarters:
        weights = weights + _likelihood(known)
    posterior = np.exp(weights - weights.max())
    posterior /= posterior.sum()
    if not enough:
        reason = (
            "How much good and bad quarters differ is assumed, not measured: "
            f"that takes {ENOUGH_QUARTERS} past quarters, and there {'is 1' if quarters == 1 else f'are {quarters}'}."
        )
        return Shock(None, None, None, None, quarters, reason, posterior)
    mean, swing = posterior.sum(axis=0), posterior.sum(axis=1)
    return Shock(
        float(mean @ MEANS),
        _interval(MEANS, mean),
        float(swing @ SWINGS),
        _interval(SWINGS, swing),
        quarters,
        "",
        posterior,
    )


def fit_new_business(amounts: pd.Series) -> NewBusiness | None:
    """What past periods brought from opportunities that did not exist yet when the forecast would have been made.

    One amount for each past period, taken as far into it as the forecast is into its own; None under ENOUGH_QUARTERS.
    """
    if len(amounts) < ENOUGH_QUARTERS:
        return None
    return NewBusiness(float(amounts.mean()), float(amounts.std()), len(amounts))


def simulate(
    opportunities: pd.DataFrame,
    start: dt.date,
    end: dt.date,
    as_of: dt.date,
    *,
    rates: pd.DataFrame | None = None,
    slip: Slip | None = None,
    season: MonthOfQuarter | None = None,
    shock: Shock | None = None,
    new_business: NewBusiness | None = None,
    won: float = 0.0,
    first_month: int = 1,
    seed: int = 0,
    draws: int = DRAWS,
) -> Forecast:
    """The distribution of what the period from `start` until before `end` (first days of months) brings.

    Each simulated period draws, once, every calibrated stage's rate from its Beta (`rates` as `calibration.calibrate`
    returns them: a draw per opportunity would widen nothing, for the errors would cancel), and every quarter's shock.
    Given these the opportunities win independently: each with the chance that it is won and that this happens in the
    period. An opportunity with a probability of its own, or in a stage that is not calibrated, has that probability.
    What is left out (`rates`, `slip` …) is taken as exactly known: then mean and variance are Σ v·p and
    Σ v²·p·(1 − p) over the opportunities that are expected to close in the period.

    An opportunity's luck hangs on the seed and its id alone: a what-if changes only what it changes, and the totals of
    teams add up to the company's, simulation by simulation (up to ONE_BY_ONE opportunities).

    A shock moves the log-odds. One that is assumed, not measured, leaves a probability p what it is on average: it
    moves sqrt(1 + c²·swing²)·logit(p), c = 16√3 / 15π (MacKay, "The evidence framework applied to classification
    networks", Neural Computation 4, 1992, 720–736).

    The contribution of an opportunity is Cov(its revenue, total) / Var(total). Of the measures of importance only this
    one adds up to 1 and counts what an opportunity shares with others: a small opportunity in a stage of badly known
    rate is part of the risk, which its own variance does not show. It is computed from the moments of the drawn rates,
    not from the draws, so that it does not flicker.
    """
    slip = slip or Slip({}, "")
    known = opportunities.dropna(subset=["value", "probability"])
    # Months matter only where they differ.
    edges = _quarters(start, end, first_month) if season is None else months_between(start, end)
    landing = land(known, as_of, edges, slip)
    value = known["value"].to_numpy(dtype=float)
    moves = _moves(edges[:-1], season, shock, first_month, seed, draws)
    group, drawn = _drawn_rates(known, landing.shape[1], rates, moves, seed, draws)
    expected, own, shared = _moments(value, landing, group, drawn)

    by_weight = np.argsort(-own, kind="stable")
    big, small = by_weight[:ONE_BY_ONE], by_weight[ONE_BY_ONE:]
    ids = known["opportunity_id"].to_numpy(dtype=object)
    totals = _won_one_by_one(ids[big], value[big], landing[big], group[big], drawn, seed, draws)
    if len(small):
        totals += _won_together(value[small], landing[small], group[small], drawn, seed)
    fresh = _fresh(new_business, seed, draws)
    spread = own + shared
    variance = float(spread.sum())
    if variance < (CERTAIN * expected.sum()) ** 2:
        variance = 0.0
    share = spread / variance if variance > 0 else np.full(len(spread), np.nan)
    return Forecast(
        totals=np.round(won + totals + fresh, 2),
        won=won,
        mean=won + float(expected.sum() + fresh.mean()),
        deviation=math.sqrt(variance + float(fresh.var())),
        contributions=pd.DataFrame(
            {
                "opportunity_id": known["opportunity_id"].to_numpy(),
                "expected": expected,
                "contribution": share,
            }
        ),
        reasons=_reasons(opportunities, known, rates, slip, shock),
    )


def _quarters(start: dt.date, end: dt.date, first_month: int) -> list[dt.date]:
    """The period's edges and those of quarters between."""
    edges = [start]
    while edges[-1] < end:
        edges.append(min(quarter_of(edges[-1], first_month)[1], end))
    return edges


def _stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of their own for each seed and name, whatever else is drawn."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, _hash([name])[0]], dtype=np.uint64)))


def _hash(names: Iterable[object]) -> npt.NDArray[np.uint64]:
    return np.asarray(pd.util.hash_array(np.array([str(name) for name in names], dtype=object)), dtype=np.uint64)


Moves = tuple[Floats, Floats]
"""What stretches the log-odds in each simulated period, and what is added to them: part of the period × draw."""


def _moves(
    parts: list[dt.date], season: MonthOfQuarter | None, shock: Shock | None, first_month: int, seed: int, draws: int
) -> Moves | None:
    if season is None and shock is None:
        return None
    stretch, moved = np.ones(draws), np.zeros((len(parts), draws))
    if shock is not None:
        point = _stream(seed, "shock").choice(shock.weights.size, draws, p=shock.weights.ravel())
        swing, mean = SWINGS[point // len(MEANS)], MEANS[point % len(MEANS)]
        # A measured mean already holds what the swing does to the average; an assumed shock must not move it.
        stretch = np.sqrt(1 + (MACKAY * swing) ** 2) if shock.mean is None else stretch
        quarters = [quarter_of(part, first_month)[0] for part in parts]
        luck = {quarter: _stream(seed, f"quarter {quarter}").standard_normal(draws) for quarter in set(quarters)}
        moved = mean + swing * np.array([luck[quarter] for quarter in quarters])
    if season is not None:
        effects = [
            effect + error * _stream(seed, f"month {month}").standard_normal(draws)
            for month, (effect, error) in enumerate(zip(season.effects, season.errors, strict=True))
        ]
        moved = moved + np.array([effects[season.position(part)] for part in parts])
    return stretch, moved


def _drawn_rates(
    known: pd.DataFrame, parts: int, rates: pd.DataFrame | None, moves: Moves | None, seed: int, draws: int
) -> tuple[Ints, list[Floats]]:
    """Each opportunity's group, and for each group the chance to win, part of the period × simulated period."""
    betas = {} if rates is None else _betas(rates)
    inherits = (known["probability_source"] == "stage") & known["stage_id"].isin(list(betas))
    # Members of a group have the same rate in every simulated period: a stage's, or the same probability of their own.
    own = known["probability"].astype(float)
    keys = [
        (stage, None) if follows else (None, p)
        for stage, p, follows in zip(known["stage_id"], own, inherits, strict=True)
    ]
    group, found = pd.factorize(pd.Series(keys, dtype=object))
    drawn = []
    for stage, probability in found:
        if probability is None:
            rate = _stream(seed, f"stage {stage}").beta(*betas[stage], draws)
        else:
            rate = np.full(draws, probability)
        # Unmoved as they are: through the logarithm and back they would not be quite the same.
        if moves is not None:
            stretch, moved = moves
            rate = expit(stretch * logit(rate) + moved)
        drawn.append(np.broadcast_to(rate, (parts, draws)))
    return np.asarray(group, dtype=np.int64), drawn


def _betas(rates: pd.DataFrame) -> dict[object, tuple[float, float]]:
    known = rates.dropna(subset=["alpha", "beta"])
    pairs = known[["alpha", "beta"]].to_numpy(dtype=float).tolist()
    return {stage: (alpha, beta) for stage, (alpha, beta) in zip(known["stage_id"], pairs, strict=True)}


def _moments(value: Floats, landing: Floats, group: Ints, drawn: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """Each opportunity's mean revenue, its own variance given the rates, its covariance with all through the rates."""
    worth = value[:, None] * landing
    level = _summed(worth, group, drawn)
    level = level - level.mean()
    groups, parts = len(drawn), landing.shape[1]
    mean, shares = np.zeros((groups, parts)), np.zeros((groups, parts))
    squares = np.zeros((groups, parts, parts))
    for one, rate in enumerate(drawn):
        mean[one], shares[one], squares[one] = rate.mean(axis=1), rate @ level / len(level), rate @ rate.T / len(level)
    expected = (worth * mean[group]).sum(axis=1)
    own = value * expected - np.einsum("ik,ikl,il->i", worth, squares[group], worth)
    return expected, np.maximum(own, 0.0), (worth * shares[group]).sum(axis=1)


def _summed(amounts: Floats, group: Ints, drawn: list[Floats]) -> Floats:
    """For each simulated period the sum over opportunities and parts of the period of amount × rate."""
    total = np.zeros(drawn[0].shape[1] if drawn else 1)
    for one, rate in enumerate(drawn):
        total += amounts[group == one].sum(axis=0) @ rate
    return total


def _won_one_by_one(
    ids: npt.NDArray[np.object_],
    value: Floats,
    landing: Floats,
    group: Ints,
    drawn: list[Floats],
    seed: int,
    draws: int,
) -> Floats:
    """What these opportunities bring in each simulated period, each winning or not.

    Each has a uniform number for every period, and wins where that is below its chance. The number's first 16 bits are
    its own, straight from a counter-based generator keyed by its id (Salmon et al., "Parallel random numbers: as easy
    as 1, 2, 3", SC 2011); the rest, `fine`, are one for all opportunities of a period: they make each chance exact and
    tie opportunities together by no more than 2⁻³². That, and 4-byte floats, is what makes a hundred million draws
    take a fraction of a second.
    """
    totals = np.zeros(draws)
    fine = 1 - _stream(seed, "fine").random(draws)
    own = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64))
    state = own.state
    names = _hash(ids)
    threshold = np.empty(draws, dtype=np.float32)
    weights = np.column_stack([landing, np.full(len(landing), -1.0)]).astype(np.float32)
    for one, rate in enumerate(drawn):
        scaled = np.vstack([rate * 2**16, fine]).astype(np.float32)
        members = np.flatnonzero((group == one) & landing.any(axis=1))
        for rows in np.array_split(members, range(TOGETHER, len(members), TOGETHER)):
            wins = np.empty((len(rows), draws))
            for won, row in zip(wins, rows, strict=True):
                state["state"]["counter"][:] = 0, names[row], 0, 0
                own.state = state
                np.dot(weights[row], scaled, out=threshold)
                np.less_equal(own.random_raw(-(-draws // 4)).view(np.uint16)[:draws], threshold, out=won)
            totals += value[rows] @ wins
    return totals


def _won_together(value: Floats, landing: Floats, group: Ints, drawn: list[Floats], seed: int) -> Floats:
    """What these opportunities bring in each simulated period, drawn for all at once."""
    worth = value[:, None] * landing
    mean = _summed(worth, group, drawn)
    variance = _summed(value[:, None] * worth, group, drawn)
    for one, rate in enumerate(drawn):
        own = worth[group == one]
        variance -= np.einsum("ks,kl,ls->s", rate, own.T @ own, rate)
    normal = _stream(seed, "together").standard_normal(len(mean))
    return np.asarray(mean + np.sqrt(np.maximum(variance, 0.0)) * normal)


def _fresh(new_business: NewBusiness | None, seed: int, draws: int) -> Floats:
    """New business in each simulated period: the predictive distribution of a normal sample, never below 0."""
    if new_business is None:
        return np.zeros(draws)
    wider = new_business.deviation * math.sqrt(1 + 1 / new_business.periods)
    drawn = _stream(seed, "new business").standard_t(new_business.periods - 1, draws)
    return np.maximum(new_business.mean + wider * drawn, 0.0)


def _likelihood(known: pd.DataFrame) -> Floats:
    """The log-likelihood of past quarters at each point of SWINGS × MEANS."""
    # Opportunities of nearly the same chances are taken together, at their mean.
    cells = (
        known.assign(
            p=np.floor(known["probability"].astype(float) * 100), q=np.floor(known["landing"].astype(float) * 20)
        )
        .groupby(["period", "p", "q"])
        .agg(probability=("probability", "mean"), landing=("landing", "mean"), won=("won", "sum"), n=("won", "size"))
    )
    quarters = []
    for _, quarter in cells.groupby("period"):
        odds = logit(quarter["probability"].to_numpy(dtype=float))[:, None]
        landing, won, n = (quarter[name].to_numpy(dtype=float) for name in ("landing", "won", "n"))
        chance = landing[:, None] * expit(odds + EFFECTS)
        quarters.append(won @ np.log(chance) + (n - won) @ np.log1p(-chance))
    given = np.array(quarters)
    best = given.max(axis=1, keepdims=True)
    distance = EFFECTS[:, None] - MEANS
    total = []
    for swing in SWINGS:
        mass = ndtr((distance + STEP / 2) / swing) - ndtr((distance - STEP / 2) / swing)
        total.append((best + np.log(np.exp(given - best) @ mass + NEXT_TO_NOTHING)).sum(axis=0))
    return np.array(total)


def _interval(grid: npt.NDArray[np.floating], weights: Floats) -> tuple[float, float]:
    reached = np.cumsum(weights)
    return float(grid[np.argmax(reached >= 0.025)]), float(grid[np.argmax(reached >= 0.975)])


def _reasons(
    opportunities: pd.DataFrame, known: pd.DataFrame, rates: pd.DataFrame | None, slip: Slip, shock: Shock | None
) -> tuple[str, ...]:
    sentences = []
    if left_out := len(opportunities) - len(known):
        sentences.append(f"Left out for want of a value or a probability: {left_out}.")
    if rates is not None:
        used = known.loc[known["probability_source"] == "stage", "stage_id"].unique()
        as_set = rates.loc[rates["estimate"].isna() & rates["stage_id"].isin(used), "stage"]
        if len(as_set):
            sentences.append(f"Too few closed deals to know better than the set probability: {', '.join(as_set)}.")
    return (*sentences, *filter(None, [slip.reason, shock.reason if shock else ""]))
