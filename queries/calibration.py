"""How often opportunities are really won from each stage: what the newest calibration run found.

A run is computed by the owner's job over the whole company and stored as aggregates, so that everybody sees one rate
for one stage. Each question answers from the newest run that was made as of the scope's as-of day or before; where
there is none, with no rows.
"""

from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Double, Integer, Text, Uuid, func

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import Scope
from queries.units import color, count, day, flag, identifier, moment, share, text

Horizon = Literal["ever", "by_expected_close"]

NO_HISTORY = "No history for this stage."


def _run(scope: Scope) -> sa.CTE:
    """The newest run made as of the scope's day or before."""
    runs = v.calibrations
    by_then = sa.select(runs).where(runs.c.as_of <= scope.as_of)
    return by_then.order_by(runs.c.as_of.desc()).limit(1).cte("run")


def _unfolded(kept: ColumnElement[Any], name: str, **columns: Any) -> sa.TableValuedAlias:
    """The rows of a JSON list, in their order."""
    typed = [Column(each, kind) for each, kind in columns.items()]
    unfolded = func.jsonb_to_recordset(kept).table_valued(*typed, name=name)
    return unfolded.render_derived(with_types=True)


@question(
    as_of=day("As of", "The end of this day is what the run knew"),
    made_at=moment("Computed", "When the run was made"),
    history_from=day("History from", "The day of the first opportunity that is known"),
)
def latest(scope: Scope) -> Statement:
    """The run that the other questions answer from: one row, or none."""
    run = _run(scope)
    return sa.select(run.c.as_of, run.c.made_at, run.c.history_from)


@question(as_of=day("As of"))
def runs(scope: Scope) -> Statement:
    """The days as of which there are runs, up to the scope's, oldest first."""
    kept = v.calibrations
    return sa.select(kept.c.as_of).where(kept.c.as_of <= scope.as_of).order_by(kept.c.as_of)


@question(
    stage_id=identifier("Stage"),
    stage=text("Stage"),
    color=color(),
    position=count("Position", "Order of the stage in the pipeline"),
    set_probability=share("Set value", "The stage's default probability at the scope's moment"),
    n=count("Closed", "Closed opportunities that reached the stage and decide its rate"),
    wins=count("Won", "Those of them that were won"),
    rate=share("Observed rate", "Won / closed; missing where nothing was closed"),
    low=share("From", "Lower end of the rate's 95 % Jeffreys interval"),
    high=share("To", "Upper end of the rate's 95 % Jeffreys interval"),
    open=count("Open", "Reached the stage and are not decided yet: in no rate"),
    abandoned=count("Abandoned", "Closed without a decision: in no rate"),
    undated=count("Undated", "Without an expected close on entering: in no rate of the second horizon"),
    estimate=share("Estimate", "The rate drawn a little towards those of the neighbouring stages"),
    alpha=share("Alpha", "The estimate is the mean of Beta(alpha, beta)"),
    beta=share("Beta", "The estimate is the mean of Beta(alpha, beta)"),
    suggestion=share("Suggestion", "The estimate in whole percents, never 0 or 100"),
    outside=flag("Outside", "The set value lies outside the interval"),
    reason=text("Remark", "Why there is no suggestion; empty where there is one"),
)  # fmt: skip
def stages(scope: Scope, horizon: Horizon = "ever") -> Statement:
    """One row per open stage at the scope's moment, in pipeline order, with what the newest run found about it.

    Name, colour, position and set value are the stage's at the scope's moment, so an edit shows at once; `outside`
    compares that value. A stage that no run knows has n = 0 and says so. Fit for `rates` of `estimates.forecast`.
    """
    run, standing = _run(scope), scoped.stages(scope)
    found = _unfolded(
        run.c.stages, "found", horizon=Text, stage_id=Uuid, n=Integer, wins=Integer, rate=Double, low=Double,
        high=Double, open=Integer, abandoned=Integer, undated=Integer, estimate=Double, alpha=Double, beta=Double,
        suggestion=Double, reason=Text,
    )  # fmt: skip
    of_horizon = sa.select(found).select_from(run.join(found, sa.true())).where(found.c.horizon == horizon)
    known = of_horizon.subquery("known")
    set_probability = standing.c.default_probability / sa.literal(100.0)
    outside = sa.or_(set_probability < known.c.low, set_probability > known.c.high)
    ever = v.stages_over_time.alias("ever")
    is_there_still = standing.c.stage_id.in_(sa.select(ever.c.stage_id).where(ever.c.valid_to.is_(None)))
    counted = [func.coalesce(known.c[name], 0).label(name) for name in ("n", "wins")]
    undecided = [func.coalesce(known.c[name], 0).label(name) for name in ("open", "abandoned", "undated")]
    return (
        sa.select(
            standing.c.stage_id, standing.c.name.label("stage"), standing.c.color,
            standing.c.order_index.label("position"), set_probability.label("set_probability"), *counted,
            known.c.rate, known.c.low, known.c.high, *undecided, known.c.estimate, known.c.alpha, known.c.beta,
            known.c.suggestion, sa.case((known.c.estimate.is_not(None), outside)).label("outside"),
            func.coalesce(known.c.reason, NO_HISTORY).label("reason"),
        )
        .select_from(standing.outerjoin(known, known.c.stage_id == standing.c.stage_id))
        .where(
            sa.not_(standing.c.is_closed),
            sa.or_(sa.and_(standing.c.is_active, is_there_still), known.c.n + known.c.open > 0),
        )
        .order_by(standing.c.order_index, standing.c.name)
    )  # fmt: skip


@question(
    bin_low=share("From"),
    bin_high=share("To"),
    forecast=share("Forecast", "Mean of the forecasts in the bin: the stage's set value on entering it"),
    rate=share("Came true", "Share of them that were won"),
    low=share("Lower end", "Of the rate's 95 % Jeffreys interval"),
    high=share("Upper end", "Of the rate's 95 % Jeffreys interval"),
    n=count("Forecasts", "Closed opportunities, once for each stage that they reached"),
)
def reliability(scope: Scope) -> Statement:
    """The reliability curve of the set values: one row per bin of forecasts that holds any, lowest first."""
    run = _run(scope)
    found = _unfolded(
        run.c.reliability, "found", bin_low=Double, bin_high=Double, forecast=Double, rate=Double, low=Double,
        high=Double, n=Integer,
    )  # fmt: skip
    return sa.select(found).select_from(run.join(found, sa.true())).order_by(found.c.bin_low)


@question(
    forecaster=text("Forecaster", "set: the set values; calibrated: learnt before; base: one rate for all"),
    opportunities=count("Opportunities", "Closed in the later slice of time, on which all three are tested"),
    n=count("Forecasts", "Once for each stage that such an opportunity reached"),
    brier=share("Brier score", "Mean squared error of the probability: 0 is perfect"),
    brier_low=share("Brier score from"),
    brier_high=share("Brier score to"),
    log_loss=share("Log loss", "Mean negative log-likelihood: 0 is perfect"),
    log_loss_low=share("Log loss from"),
    log_loss_high=share("Log loss to"),
    ece=share("ECE", "Expected calibration error: mean gap between forecast and what came true, over ten bins"),
    ece_low=share("ECE from"),
    ece_high=share("ECE to"),
    brier_saved=share("Brier saved", "The set values' Brier score less this one's: positive is better"),
    brier_saved_low=share("Brier saved from"),
    brier_saved_high=share("Brier saved to"),
    reason=text("Remark", "Why there are no scores; empty where there are"),
)  # fmt: skip
def scores(scope: Scope) -> Statement:
    """Three forecasters on a later slice of time, in the order set, calibrated, base; 95 % bootstrap intervals."""
    run = _run(scope)
    measures = [f"{name}{end}" for name in ("brier", "log_loss", "ece", "brier_saved") for end in ("", "_low", "_high")]
    found = _unfolded(
        run.c.scores, "found", forecaster=Text, opportunities=Integer, n=Integer,
        **dict.fromkeys(measures, Double), reason=Text,
    )  # fmt: skip
    order = func.array_position(sa.literal(["set", "calibrated", "base"], sa.ARRAY(Text)), found.c.forecaster)
    return sa.select(found).select_from(run.join(found, sa.true())).order_by(order)


@question(
    owner_id=identifier("Owner"),
    owner=text("Owner"),
    n=count("Opportunities", "Closed ones that this person had given a probability of their own"),
    brier_override=share("Own", "Brier score of the person's own probabilities"),
    brier_stage=share("Stage's", "Brier score of the stage defaults that they replaced"),
    saved=share("Saved", "Stage's − own: positive, the person knew better"),
    low=share("Saved from", "Lower end of the 95 % bootstrap interval"),
    high=share("Saved to", "Upper end of the 95 % bootstrap interval"),
    reason=text("Remark", "Why there is no judgement; empty where there is one"),
)
def overrides(scope: Scope) -> Statement:
    """One row per owner whom the viewer may see and who set probabilities, the most saved first."""
    run, found = _run(scope), v.calibration_overrides
    chosen = [] if scope.owners is None else [found.c.owner_id == sa.any_(scoped.ids(scope.owners))]
    return (
        sa.select(
            found.c.owner_id, scoped.name_of(found.c.owner_id).label("owner"), found.c.n,
            found.c.brier_override, found.c.brier_stage, found.c.saved, found.c.low, found.c.high, found.c.reason,
        )
        .select_from(
            run.join(found, found.c.as_of == run.c.as_of).outerjoin(
                v.profiles, v.profiles.c.user_id == found.c.owner_id
            )
        )
        .where(*chosen)
        .order_by(found.c.saved.desc(), found.c.owner_id)
    )  # fmt: skip


@question(
    as_of=day("As of"),
    fitted=text("Parameters", "JSON: how closing dates slip, the month-of-quarter effect, the shared quarterly shock"),
)
def parameters(scope: Scope) -> Statement:
    """What the simulation takes besides the stages' rates: one row or none; `app.forecasting` reads it."""
    run = _run(scope)
    return sa.select(run.c.as_of, run.c.fitted)
