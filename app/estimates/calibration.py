"""How often opportunities are really won from each stage, with the evidence, and who forecasts that best.

Every function takes what was known on a day and nothing else: `known_on` makes such a frame of everything that is
recorded, and what comes after the day cannot get past it. Probabilities, rates and shares are 0–1; days are dates
without a time (datetime64), `as of` a day means at its end.

A *reach* is an opportunity's first entry into a stage. An opportunity that skipped a stage has no reach of it. The
frames of reaches have the columns

    opportunity_id, stage_id, entered_on, set_probability (the stage's default when it was entered, missing where
    unknown), expected_close_date (held on entering, missing where there was none), outcome (`won`, `lost`,
    `abandoned` or `open`), closed_on (missing while open).

Intervals are from `scipy.special` alone: `scipy.stats` holds the same quantiles for five times the memory and start.
"""

import datetime as dt
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaincinv

Floats = npt.NDArray[np.float64]
Horizon = Literal["ever", "by_expected_close"]

ENOUGH: Final = 30
"""Closed opportunities from which on a rate is good for a suggestion: with fewer its 95 % interval is over 30 points
wide."""

LENT: Final = 5
"""Closed opportunities' worth of evidence that each neighbouring stage lends; see `calibrate`."""

SUREST: Final = 0.005
"""Forecasts count as at least this far from 0 and 1 in the log loss: half of the whole percent that people can set.
Otherwise one lost deal that was set to 100 % would make a forecaster infinitely bad."""

BLOCK: Final = 1_000_000
"""Numbers that a bootstrap draws at once."""

BINS: Final = 10
"""Equal bins of forecasts in reliability curves and in the expected calibration error, as in Naeini et al. (2015)."""


def jeffreys(wins: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The ends of the interval for a proportion; (0, 1) where n is 0.

    Jeffreys' equal-tailed interval, the quantiles of Beta(wins + ½, n − wins + ½), with the end at 0 or 1 where nobody
    or everybody won: Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16
    (2001), 101–133. It keeps its level on average for small n, where the textbook's interval fails.
    """
    won, of = np.asarray(wins, dtype=float), np.asarray(n, dtype=float)
    tail = (1 - level) / 2
    low = np.where(won == 0, 0.0, betaincinv(won + 0.5, of - won + 0.5, tail))
    high = np.where(won == of, 1.0, betaincinv(won + 0.5, of - won + 0.5, 1 - tail))
    return low, high


def known_on(entries: pd.DataFrame, closings: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The reaches as they were known at the end of the day.

    `entries`: opportunity_id, stage_id, entered_on, set_probability, expected_close_date: one row per entry.
    `closings`: opportunity_id, outcome, closed_on, reopened_on (missing while closed): one row per closing, so that
    an opportunity which was lost, reopened and won is lost on the days between.
    """
    at = pd.Timestamp(day)
    past = entries[entries["entered_on"] <= at].sort_values("entered_on", kind="stable")
    past = past.drop_duplicates(["opportunity_id", "stage_id"])
    reopened = closings["reopened_on"] <= at
    in_force = closings.loc[(closings["closed_on"] <= at) & ~reopened, ["opportunity_id", "outcome", "closed_on"]]
    in_force = in_force.sort_values("closed_on", kind="stable").drop_duplicates("opportunity_id", keep="last")
    known = past.merge(in_force, on="opportunity_id", how="left")
    return known.assign(outcome=known["outcome"].fillna("open"))


def calibrate(reaches: pd.DataFrame, stages: pd.DataFrame, as_of: dt.date, horizon: Horizon = "ever") -> pd.DataFrame:
    """One row per stage, in pipeline order: what was set, what came true, and how sure that is.

    `stages`: stage_id, stage, position, set_probability (today's default): the open stages. Result: these, and

    - `n`, `wins`, `rate`, `low`, `high`: the opportunities that decide the rate, those that were won, their share and
      its 95 % Jeffreys interval (the rate is missing where n is 0);
    - `open`, `abandoned`, `undated`: those that decide nothing: still open, closed without a decision, and (second
      horizon) without an expected close on entering;
    - `estimate`, with `alpha`, `beta`: the shrunken rate, the mean of Beta(alpha, beta); `suggestion`: the same in
      whole percents, never 0 or 100; `outside`: whether the set value lies outside the interval. All missing where
      `reason` says why they are.

    The horizons: `ever` counts wins / (wins + losses) of closed opportunities. `by_expected_close` counts those won by
    the date that was held on entering; what was closed otherwise or is open past that date was not won by it, what is
    open before it is not decided. Giving up before the date is not winning by it either: only `ever` leaves the
    abandoned out.

    The prior of a stage's Beta is Jeffreys' ½ and ½ plus what its neighbours in the pipeline lend: the stage before
    and the stage after each the evidence of LENT closed opportunities at its own rate, or of as many as it has. Two
    neighbours as far apart as 0.3 and 0.6 so say "0.45, give or take 0.15", which is what the order of the stages
    alone would tell. It is little on purpose: most opportunities that reached the one stage reached the other too, so
    the neighbours are no independent witnesses; 30 closed of its own outweigh them three to one.
    """
    _require_known(reaches, as_of)
    counted = reaches.assign(verdict=_verdict(reaches, as_of, horizon)).groupby(["stage_id", "verdict"]).size()
    counts = counted.unstack(fill_value=0).reindex(index=stages["stage_id"], fill_value=0)
    counts = counts.reindex(columns=["won", "not_won", "open", "abandoned", "undated"], fill_value=0).reset_index(
        drop=True
    )
    result = stages.reset_index(drop=True)[["stage_id", "stage", "position", "set_probability"]]
    result = result.assign(
        n=counts["won"] + counts["not_won"], wins=counts["won"], **counts[["open", "abandoned", "undated"]]
    )
    result = result.sort_values("position", ignore_index=True)
    n, wins = result["n"].to_numpy(dtype=float), result["wins"].to_numpy(dtype=float)
    low, high = jeffreys(wins, n)
    rate = np.divide(wins, n, out=np.full(len(n), np.nan), where=n > 0)
    alpha, beta = wins + 0.5 + _lent(n, rate), n - wins + 0.5 + _lent(n, 1 - rate)
    estimate = alpha / (alpha + beta)
    enough = n >= ENOUGH
    set_value = result["set_probability"].to_numpy(dtype=float)
    result = result.assign(
        rate=rate,
        low=low,
        high=high,
        estimate=np.where(enough, estimate, np.nan),
        alpha=np.where(enough, alpha, np.nan),
        beta=np.where(enough, beta, np.nan),
        suggestion=np.where(enough, np.clip(np.round(estimate, 2), 0.01, 0.99), np.nan),
        outside=pd.array((set_value < low) | (set_value > high), dtype="boolean"),
        reason=[_reason(int(count), int(undated)) for count, undated in zip(n, result["undated"], strict=True)],
    )
    result.loc[~enough, "outside"] = pd.NA
    shares = ["set_probability", "rate", "low", "high", "estimate", "alpha", "beta", "suggestion"]
    return result.astype(
        dict.fromkeys(["n", "wins", "open", "abandoned", "undated"], "Int64") | dict.fromkeys(shares, "Float64")
    )


def reliability(forecasts: pd.DataFrame) -> pd.DataFrame:
    """The reliability curve: one row per bin of forecasts that holds any.

    `forecasts`: forecast (0–1), won (bool). Result: `bin_low`, `bin_high`, `forecast` (the mean of the bin's forecasts,
    where its point belongs), `rate` with `low` and `high` (95 % Jeffreys interval), `n`.
    """
    forecast = forecasts["forecast"].to_numpy(dtype=float)
    binned = pd.DataFrame({"bin": _bin(forecast), "forecast": forecast, "won": forecasts["won"].to_numpy(dtype=float)})
    rows = binned.groupby("bin").agg(
        forecast=("forecast", "mean"), rate=("won", "mean"), wins=("won", "sum"), n=("won", "size")
    )
    low, high = jeffreys(rows["wins"], rows["n"])
    edges = rows.index.to_numpy() / BINS
    result = rows.assign(bin_low=edges, bin_high=edges + 1 / BINS, low=low, high=high).reset_index(drop=True)
    return result[["bin_low", "bin_high", "forecast", "rate", "low", "high", "n"]]


def score_forecasters(
    reaches: pd.DataFrame,
    stages: pd.DataFrame,
    as_of: dt.date,
    *,
    cut: dt.date | None = None,
    seed: int = 0,
    draws: int = 2000,
) -> pd.DataFrame:
    """Three forecasters held against what happened after their lesson: one row each, with bootstrap intervals.

    `set`: the stage's default when the opportunity entered it; `calibrated`: the shrunken rate, learnt from what was
    closed before the cut, or the set value where that was not enough; `base`: the share won of everything closed before
    the cut, whatever the stage. All are scored on the opportunities closed on the cut or later, once for each stage
    that they reached with a known default. Without a cut, two thirds of the closed opportunities teach.

    Result: `forecaster`, `opportunities`, `n` (reaches), then `brier`, `log_loss`, `ece` and `brier_saved` (the set
    values' Brier score less this one's: positive is better), each with `…_low` and `…_high`, and `reason` where they
    are missing. Intervals are 95 % percentiles over `draws` resamples of whole opportunities: one opportunity's
    reaches share their outcome. The expected calibration error is never negative and so too high on few rows, for all
    three alike.

    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950), 1–3; Naeini,
    Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015, 2901–2907.
    """
    _require_known(reaches, as_of)
    decided = reaches[reaches["outcome"].isin(["won", "lost"])]
    closings = decided.drop_duplicates("opportunity_id")["closed_on"].sort_values()
    result = pd.DataFrame({"forecaster": ["set", "calibrated", "base"]})
    if cut is None and len(closings):
        cut = closings.iloc[len(closings) * 2 // 3].date()
    earlier = closings[closings < pd.Timestamp(cut)] if cut else closings
    later = decided[decided["closed_on"] >= pd.Timestamp(cut)].dropna(subset=["set_probability"]) if cut else decided
    opportunities = later["opportunity_id"].nunique()
    result = result.assign(opportunities=opportunities, n=len(later))
    measures = [
        f"{measure}{end}" for measure in ("brier", "log_loss", "ece", "brier_saved") for end in ("", "_low", "_high")
    ]
    if cut is None or min(len(earlier), opportunities) < ENOUGH:
        reason = (
            f"Not enough closed deals to learn from one part and to test on another: {len(earlier)} earlier and "
            f"{opportunities} later ones, and each takes {ENOUGH}."
        )
        return result.assign(**dict.fromkeys(measures, np.nan), reason=reason)

    lesson = decided[decided["closed_on"] < pd.Timestamp(cut)]
    learnt = calibrate(lesson, stages, cut - dt.timedelta(days=1)).set_index("stage_id")["estimate"].astype(float)
    set_value = later["set_probability"].to_numpy(dtype=float)
    calibrated = later["stage_id"].map(learnt).fillna(later["set_probability"]).to_numpy(dtype=float)
    base = float((lesson.drop_duplicates("opportunity_id")["outcome"] == "won").mean())
    won = (later["outcome"] == "won").to_numpy()
    # All scores depend only on how often each combination of forecasts and outcome occurs.
    cells, cell = np.unique(np.column_stack([set_value, calibrated, won]), axis=0, return_inverse=True)
    forecasts = np.column_stack([cells[:, 0], cells[:, 1], np.full(len(cells), base)])
    resampled = _resampled(later["opportunity_id"], cell.reshape(-1), len(cells), seed, draws)
    scores = _scores(resampled, forecasts, cells[:, 2])
    columns: dict[str, Floats] = {}
    for measure, values in scores.items():
        columns[measure] = values[0]  # the first row is the sample itself
        columns[f"{measure}_low"], columns[f"{measure}_high"] = np.quantile(values[1:], [0.025, 0.975], axis=0)
    return result.assign(**columns, reason="")


def score_overrides(overrides: pd.DataFrame, *, seed: int = 0, draws: int = 2000) -> pd.DataFrame:
    """Whether people know better than the stage: one row per owner.

    `overrides`: opportunity_id, owner_id, override and stage_probability (the manual probability and the stage's
    default that it replaced, 0–1), outcome. Only opportunities that were won or lost count; one that was overridden
    several times counts with the mean of its squared errors. Result: `owner_id`, `n` (opportunities),
    `brier_override`, `brier_stage`, `saved` = brier_stage − brier_override (positive: the owner knew better), `low`
    and `high`: its 95 % bootstrap interval over opportunities, missing under ENOUGH, where `reason` says so.
    """
    decided = overrides[overrides["outcome"].isin(["won", "lost"])]
    won = (decided["outcome"] == "won").astype(float)
    errors = decided[["owner_id", "opportunity_id"]].assign(
        brier_override=(decided["override"].astype(float) - won) ** 2,
        brier_stage=(decided["stage_probability"].astype(float) - won) ** 2,
    )
    each = errors.groupby(["owner_id", "opportunity_id"], as_index=False).mean()
    each = each.assign(saved=each["brier_stage"] - each["brier_override"])
    rng = np.random.default_rng(seed)
    rows = []
    for owner, own in each.groupby("owner_id", sort=True):
        n, saved = len(own), own["saved"].to_numpy()
        row = {"owner_id": owner, "n": n, **own[["brier_override", "brier_stage", "saved"]].mean()}
        if n >= ENOUGH:
            means = [saved[rng.integers(n, size=(each, n))].mean(axis=1) for each in _in_blocks(draws, n)]
            row["low"], row["high"] = np.quantile(np.concatenate(means), [0.025, 0.975])
        rows.append(row | {"reason": _reason(n)})
    return pd.DataFrame(
        rows, columns=["owner_id", "n", "brier_override", "brier_stage", "saved", "low", "high", "reason"]
    )


def _in_blocks(draws: int, n: int) -> list[int]:
    """How many resamples of so many at a time: as many as fit into a few megabytes."""
    most = max(1, BLOCK // n)
    return [min(most, draws - first) for first in range(0, draws, most)]


def _require_known(reaches: pd.DataFrame, as_of: dt.date) -> None:
    at = pd.Timestamp(as_of)
    if (reaches["entered_on"] > at).any() or (reaches["closed_on"] > at).any():
        raise ValueError(f"These rows hold what nobody knew on {as_of}: make them with known_on.")


def _verdict(reaches: pd.DataFrame, as_of: dt.date, horizon: Horizon) -> pd.Series:
    if horizon == "ever":
        named = pd.Categorical(reaches["outcome"]).rename_categories({"lost": "not_won"})
        return pd.Series(named, index=reaches.index)
    promised = reaches["expected_close_date"]
    is_open = (reaches["outcome"] == "open") & (promised >= pd.Timestamp(as_of))
    in_time = (reaches["outcome"] == "won") & (reaches["closed_on"] <= promised)
    verdict = np.select([promised.isna(), is_open, in_time], ["undated", "open", "won"], "not_won")
    return pd.Series(verdict, index=reaches.index)


def _lent(n: Floats, rate: Floats) -> Floats:
    """The wins (or, for 1 − rate, the losses) that the stages before and after lend."""
    own = np.pad(np.where(n > 0, np.minimum(n, LENT) * rate, 0.0), 1)
    return np.asarray(own[:-2] + own[2:])


def _reason(n: int, undated: int = 0) -> str:
    if n == 0:
        return "No expected close was known on entering." if undated else "No history for this stage."
    return f"Not enough closed deals: {n}, and a judgement takes {ENOUGH}." if n < ENOUGH else ""


def _bin(forecast: Floats) -> npt.NDArray[np.int64]:
    # Rounded first: 0.3 × 10 is a hair over 3 or under it as it comes.
    return np.minimum(np.floor(np.round(forecast * BINS, 9)).astype(np.int64), BINS - 1)


def _resampled(opportunity: pd.Series, cell: npt.NDArray[np.int64], cells: int, seed: int, draws: int) -> Floats:
    """How often each cell occurs: in the sample itself, then in each resample of its opportunities.

    Opportunities with the same cells are interchangeable, so a resample is one multinomial draw over the few kinds
    that there are instead of as many draws as opportunities. A kind is known by the sum of random 64-bit marks of its
    cells, which tells kinds apart but for one chance in millions of millions.
    """
    rng = np.random.default_rng(seed)
    codes, found = pd.factorize(opportunity)
    mark = np.zeros(len(found), dtype=np.uint64)
    np.add.at(mark, codes, rng.integers(0, 2**64, cells, dtype=np.uint64)[cell])
    _, first, kind, count = np.unique(mark, return_index=True, return_inverse=True, return_counts=True)
    kinds = np.zeros((len(count), cells))
    typical = first[kind[codes]] == codes
    np.add.at(kinds, (kind[codes[typical]], cell[typical]), 1)
    drawn = rng.multinomial(len(found), count / len(found), size=draws)
    return np.asarray(np.vstack([count, drawn]) @ kinds)


def _scores(counts: Floats, forecasts: Floats, won: Floats) -> dict[str, Floats]:
    """Each measure as resample × forecaster, from resample × cell counts and cell × forecaster forecasts."""
    outcome, total = won[:, None], counts.sum(axis=1, keepdims=True)
    sure = np.clip(forecasts, SUREST, 1 - SUREST)
    brier = counts @ (forecasts - outcome) ** 2 / total
    log_loss = -(counts @ (outcome * np.log(sure) + (1 - outcome) * np.log(1 - sure))) / total
    gaps = np.zeros_like(brier)
    for column in range(forecasts.shape[1]):
        in_bin = np.eye(BINS)[_bin(forecasts[:, column])]
        gaps[:, column] = np.abs(counts @ (in_bin * (forecasts[:, [column]] - outcome))).sum(axis=1)
    return {"brier": brier, "log_loss": log_loss, "ece": gaps / total, "brier_saved": brier[:, :1] - brier}
