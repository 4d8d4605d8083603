"""Forecasts from what is stored: questions asked as the viewer, parameters of the newest calibration run, estimates."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import pandas as pd
from sqlalchemy import Connection

from app.estimates.forecast import DRAWS, ENOUGH_QUARTERS, Forecast, fit_new_business, simulate
from app.estimates.stored import Fitted, from_text
from queries import calibration, forecast, pipeline, scoped
from queries.question import Question
from queries.scope import ONE_DAY, Period, Scope

T = TypeVar("T")

AHEAD: Final = (90, 60, 30)
"""Days before a quarter's end as of which a look back rebuilds its forecast."""

FEWER_DRAWS: Final = 4_000
"""Simulated periods of a forecast that is only looked back on."""

Progress = Callable[[str, float], object]
"""Told what is being done, and the share of the whole that is done."""


class Asking(Protocol):
    """Answers questions as somebody: `app.cache.Ask`, or `Directly`."""

    def __call__(self, question: Question[Any], *args: Any) -> pd.DataFrame:
        """The answer."""

    def once(self, question: Question[Any], *args: Any) -> pd.DataFrame:
        """The answer, not kept."""

    def kept(self, what: object, make: Callable[[], T]) -> T:
        """What is made of answers."""


@dataclass(frozen=True)
class Directly:
    """Asks a connection, and keeps nothing: for commands."""

    db: Connection

    def __call__(self, question: Question[Any], *args: Any) -> pd.DataFrame:
        """The answer."""
        return question(self.db, *args)

    once = __call__

    def kept(self, what: object, make: Callable[[], T]) -> T:  # noqa: ARG002  (where something is kept, its name)
        """What is made of answers."""
        return make()


@dataclass(frozen=True)
class WhatIf:
    """One opportunity otherwise than it is; None leaves it as it is. Nothing is saved."""

    opportunity_id: str
    probability: float | None = None  # 0–1
    expected_close_date: dt.date | None = None
    is_in: bool = True


class LookBack(NamedTuple):
    """Past forecasts rebuilt: three frames in the shape that `app.estimates.backtest` takes.

    `periods`: one row for each past quarter and each of three days (90, 60 and 30 days before its end), with forecast
    (P50), actual, and the bands' p05 … p95. `owners` and `stages`: the same forecasts by owner (`owner_id`, `owner`)
    and by the stage that the opportunities were in on that day (`stage_id`, `stage`): forecast (mean) and actual, for
    `accuracy`. An owner's forecast is what was won and is expected of what is open, a stage's what is expected of what
    is in it: neither holds business that did not exist yet.
    """

    periods: pd.DataFrame
    owners: pd.DataFrame
    stages: pd.DataFrame


def distribution(ask: Asking, scope: Scope, what_if: Sequence[WhatIf] = ()) -> Forecast:
    """The distribution of what the scope's period brings, in its currency, as of its moment; kept like an answer.

    Rates, slip, season and shock are those of the newest calibration run by the as-of day, one for the whole company;
    amounts are the viewer's. `reasons` says what was assumed. Seeded: the same luck whoever looks, so a what-if
    changes only what it changes. For P(≥ target): `at_least(target)`.
    """
    supposed = tuple(what_if)
    return ask.kept(("distribution", scope, supposed), lambda: _distribution(ask, scope, supposed, DRAWS).forecast)


def look_back(ask: Asking, scope: Scope, progress: Progress | None = None) -> LookBack:
    """The forecasts of every past quarter that a calibration run precedes, as they would have been made then.

    As the viewer, with the scope's filters and currency, rebuilt from history with the parameters of runs as of then.
    Kept like an answer.
    """
    whole = replace(scope, period=Period.of("quarter", scope.as_of, scope.period.fiscal_year_first_month))
    return ask.kept(("look back", whole), lambda: _look_back(ask, whole, progress or (lambda _text, _share: None)))


# One forecast -------------------------------------------------------------------------------------------------


class _Made(NamedTuple):
    forecast: Forecast
    open: pd.DataFrame
    won: pd.DataFrame


def _distribution(ask: Asking, scope: Scope, what_if: Sequence[WhatIf], draws: int) -> _Made:
    found, won = ask.once(forecast.open_amounts, scope), ask.once(forecast.won_amounts, scope)
    supposed, reasons = _suppose(found, what_if)
    fitted = _fitted(ask, scope)
    if fitted is None:
        reasons.append("Nothing is calibrated yet: probabilities and closing dates are taken at their word.")
    before = ask.once(forecast.new_business, scope)["amount"].astype(float)
    fresh = fit_new_business(before)
    if fresh is None:
        seen = "is 1" if len(before) == 1 else f"are {len(before)}"
        reasons.append(
            "Business that does not exist yet is not counted: "
            f"that takes {ENOUGH_QUARTERS} past periods, and there {seen}."
        )
    start, end = scope.period.start, scope.period.end
    is_whole_months = start.day == end.day == 1
    made = simulate(
        supposed,
        start,
        end,
        scope.as_of,
        rates=ask(calibration.stages, scope),
        slip=fitted and fitted.slip,
        season=fitted.season if fitted and is_whole_months else None,
        shock=fitted and fitted.shock,
        new_business=fresh,
        won=float(won["value"].dropna().sum()),
        first_month=scope.period.fiscal_year_first_month,
        draws=draws,
    )
    return _Made(replace(made, reasons=(*made.reasons, *reasons)), found, won)


def _fitted(ask: Asking, scope: Scope) -> Fitted | None:
    run = ask.once(calibration.parameters, scope)
    return None if run.empty else from_text(run["fitted"].iloc[0])


def _suppose(found: pd.DataFrame, what_if: Sequence[WhatIf]) -> tuple[pd.DataFrame, list[str]]:
    """The opportunities as supposed, and a sentence where one of them is not open any more."""
    changed = found.set_index("opportunity_id", drop=False)
    gone = 0
    for each in what_if:
        if each.opportunity_id not in changed.index:
            gone += 1
        elif not each.is_in:
            changed = changed.drop(index=each.opportunity_id)
        else:
            if each.probability is not None:
                changed.loc[each.opportunity_id, ["probability", "probability_source"]] = each.probability, "manual"
            if each.expected_close_date is not None:
                changed.loc[each.opportunity_id, "expected_close_date"] = pd.Timestamp(each.expected_close_date)
    reasons = [f"What-ifs about opportunities that are not open any more, or not yours to see: {gone}."] if gone else []
    return changed.reset_index(drop=True), reasons


# Past forecasts -----------------------------------------------------------------------------------------------


def _look_back(ask: Asking, scope: Scope, progress: Progress) -> LookBack:
    days = list(_days(ask, scope))
    periods, owners, stages = [], [], []
    came: dict[Period, pd.DataFrame] = {}
    for done, (quarter, day) in enumerate(days):
        ahead = f"{quarter.label}, {(quarter.end - day).days} days before its end"
        progress(f"Forecast {done + 1} of {len(days)}: {ahead}", done / len(days))
        if quarter not in came:
            came[quarter] = ask.once(forecast.won_amounts, replace(scope, period=quarter)).dropna(subset=["value"])
        made = _distribution(ask, replace(scope, period=quarter, as_of=day), (), FEWER_DRAWS)
        frame = {
            "as_of": pd.Timestamp(day),
            "period_start": pd.Timestamp(quarter.start),
            "period_end": pd.Timestamp(quarter.end),
        }
        actual = came[quarter]
        summary = made.forecast.summary()
        total = float(actual["value"].sum())
        periods.append(frame | summary | {"forecast": summary["p50"], "actual": total})
        owners.append(_by_owner(made, actual).assign(**frame))
        stages.append(_by_stage(made, actual).assign(**frame))
    names = ask(pipeline.choices)
    people = names[names["kind"] == "owner"].set_index("key")["label"]
    called = ask(calibration.stages, scope).set_index("stage_id")["stage"]
    by_owner, by_stage = _together(owners, "owner_id"), _together(stages, "stage_id")
    owner = by_owner["owner_id"].map(people).fillna(scoped.FORMER_COLLEAGUE)
    frames = (
        pd.DataFrame(periods, columns=[*_KEY, "won", "mean", *_QUANTILES, "forecast", "actual"]),
        by_owner.assign(owner=owner.where(by_owner["owner_id"] != "", scoped.NOBODY)),
        by_stage.assign(stage=by_stage["stage_id"].map(called).fillna("Unknown stage")),
    )
    return LookBack(*(frame.astype(dict.fromkeys(_KEY, "datetime64[s]")) for frame in frames))


_KEY = ["as_of", "period_start", "period_end"]
_QUANTILES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]


def _days(ask: Asking, scope: Scope) -> list[tuple[Period, dt.date]]:
    """The past quarters with the days as of which they are rebuilt, oldest first."""
    runs = ask(calibration.runs, scope)["as_of"]
    found: list[tuple[Period, dt.date]] = []
    quarter = scope.period
    while len(runs) and quarter.end - dt.timedelta(days=min(AHEAD)) >= runs.iloc[0].date():
        if quarter.end <= scope.as_of + ONE_DAY:
            days = [quarter.end - dt.timedelta(days=ahead) for ahead in AHEAD]
            found = [(quarter, day) for day in days if day >= runs.iloc[0].date()] + found
        quarter = quarter.previous()
    return found


def _by_owner(made: _Made, actual: pd.DataFrame) -> pd.DataFrame:
    expected = made.open.merge(made.forecast.contributions, on="opportunity_id")[["owner_id", "expected"]]
    won = made.won.dropna(subset=["value"])
    so_far = won.assign(expected=won["value"].astype(float))[["owner_id", "expected"]]
    forecasts = pd.concat([expected, so_far]).fillna({"owner_id": ""}).groupby("owner_id")["expected"].sum()
    came = (
        actual.fillna({"owner_id": ""}).assign(value=actual["value"].astype(float)).groupby("owner_id")["value"].sum()
    )
    return _side_by_side("owner_id", forecasts, came)


def _by_stage(made: _Made, actual: pd.DataFrame) -> pd.DataFrame:
    deals = made.open.merge(made.forecast.contributions, on="opportunity_id").fillna({"stage_id": ""})
    came = deals["opportunity_id"].map(actual.set_index("opportunity_id")["value"].astype(float)).fillna(0.0)
    deals = deals.assign(came=came)
    return _side_by_side("stage_id", *(deals.groupby("stage_id")[name].sum() for name in ("expected", "came")))


def _side_by_side(by: str, forecasts: pd.Series, came: pd.Series) -> pd.DataFrame:
    both = pd.DataFrame({"forecast": forecasts, "actual": came}).fillna(0.0)
    something: pd.DataFrame = both[(both != 0).any(axis=1)].rename_axis(by).reset_index()
    return something


def _together(parts: list[pd.DataFrame], by: str) -> pd.DataFrame:
    columns = [by, "forecast", "actual", *_KEY]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
