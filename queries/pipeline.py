"""Where the money is and what is stuck: the questions of the Pipeline page.

Every one takes the scope first. What the words mean is said in `queries/views/` and, for each column, in its unit.
"""

from datetime import date, timedelta
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, func
from sqlalchemy.dialects.postgresql import distinct_on

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import Scope, end_of
from queries.units import color, count, day, days, flag, identifier, money, share, text

LEAST_STAYS = 20  # fewer finished stays say nothing about what is normal
NORMAL = 0.8  # percentile of finished stays beyond which an opportunity is stalled
TREND_WEEKS = 13  # a quarter

Versions = sa.FromClause
Only = Literal["stalled", "no_next_step", "without_rate", "overdue", "undated"]

OPEN_VALUE = money("Value", "Sum of the values of open opportunities, converted at the as-of day's rates, rounded once")
EXPECTED = money("Expected revenue", "Sum of value × probability, converted at the as-of day's rates, rounded once")
WITHOUT_RATE = count("Without a rate", "Open opportunities whose currency has no exchange rate: in no money total")


# What is in scope ----------------------------------------------------------------------------------------


def _open(scope: Scope) -> sa.Subquery:
    """The open opportunities in scope at its moment."""
    holds = scoped.holds(v.open_opportunities, scope.moment)
    return scoped.rows(v.open_opportunities, scope, *_closing(scope), either=holds)


def _closing(scope: Scope) -> list[ColumnElement[bool]]:
    if not scope.closing_in_period:
        return []
    closing = v.open_opportunities.c.expected_close_date
    return [closing >= scope.period.start, closing < scope.period.end]


def _stages_ever(scope: Scope) -> sa.CTE:
    """The stages as they stood last by the scope's moment, also those that are gone."""
    versions = v.stages_over_time
    by_then = [] if scope.moment is None else [versions.c.valid_from < scope.moment]
    latest = sa.select(versions).where(*by_then).order_by(versions.c.stage_id, versions.c.valid_from.desc())
    return latest.ext(distinct_on(versions.c.stage_id)).cte("stages_ever")


def _median(counted: sa.CTE) -> sa.CTE:
    """The median of `days` per stage from counts of equal days, which spares sorting every row."""
    upto = func.sum(counted.c.n).over(partition_by=counted.c.stage_id, order_by=counted.c.days)
    total = func.sum(counted.c.n).over(partition_by=counted.c.stage_id)
    ranked = sa.select(counted.c.stage_id, counted.c.days, upto.label("upto"), (total / 2.0).label("half")).subquery()
    low = func.min(ranked.c.days).filter(ranked.c.upto >= ranked.c.half)
    high = func.min(ranked.c.days).filter(ranked.c.upto > ranked.c.half)
    return sa.select(ranked.c.stage_id, ((low + high) / 2.0).label("days")).group_by(ranked.c.stage_id).cte()


def _normal_age(scope: Scope) -> sa.TableValuedAlias:
    """The 80th percentile of the whole company's stays per stage, of those finished by the scope's moment."""
    return v.normal_stage_ages(sa.cast(scope.moment, v.Moment), sa.cast(NORMAL, sa.Numeric), LEAST_STAYS).table_valued(
        Column("stage_id", sa.Uuid), Column("days", sa.Numeric), name="normal"
    )


# Metrics -------------------------------------------------------------------------------------------------


@question(
    which=text("Period", "current, or the period before as of the day as far into it"),
    open_count=count("Open opportunities"),
    open_value=OPEN_VALUE,
    expected_revenue=EXPECTED,
    without_rate=WITHOUT_RATE,
    won_count=count("Won", "Opportunities won in the period"),
    won_value=money("Won value", "Sum of the values won in the period, converted at the rates of the closing days"),
    lost_count=count("Lost", "Opportunities lost in the period"),
    lost_value=money("Lost value", "Sum of the values lost in the period, converted at the rates of the closing days"),
    abandoned_count=count("Abandoned", "Closed in the period without a decision: in no win rate"),
    closed_without_rate=count("Closed without a rate", "Won or lost in a currency that had no rate on the day"),
    win_rate=share("Win rate", "Won / (won + lost) in the period, by closing date; abandoned left out"),
    win_rate_by_value=share("Win rate by value", "Won value / (won + lost value) in the period"),
    cycle_median_days=days("Median sales cycle", "Days from creation to closing of what was won: half took longer"),
    cycle_p80_days=days("80 % within", "Days within which 80 % of the opportunities won in the period were won"),
    velocity_per_day=money("Sales velocity", "Open count × mean won value × win rate / median cycle: money per day"),
)  # fmt: skip
def headline(scope: Scope) -> Statement:
    """One row for the period and one for the equally long one before, as of the day as far into it."""
    return sa.union_all(_figures(scope, "current"), _figures(scope.before(), "previous"))  # type: ignore[return-value]


def _figures(scope: Scope, which: str) -> Statement:
    rates = scoped.rates(scope.currency, min(scope.as_of, scope.period.start), max(scope.as_of, scope.flow_end))
    deals = _open(scope)
    amounts = (
        sa.select(
            deals.c.currency,
            func.count().label("n"),
            func.sum(deals.c.value).label("value"),
            func.sum(scoped.expected(deals)).label("expected"),
        )
        .group_by(deals.c.currency)
        .subquery("open_amounts")
    )
    at_as_of = sa.and_(rates.c.currency == amounts.c.currency, rates.c.on_day == scope.as_of)
    stock = (
        sa.select(
            func.coalesce(func.sum(amounts.c.n), 0).label("open_count"),
            func.round(func.coalesce(func.sum(amounts.c.value * rates.c.rate), 0), 2).label("open_value"),
            func.round(func.coalesce(func.sum(amounts.c.expected * rates.c.rate), 0), 2).label("expected_revenue"),
            func.coalesce(func.sum(amounts.c.n).filter(rates.c.rate.is_(None)), 0).label("without_rate"),
        )
        .select_from(amounts.outerjoin(rates, at_as_of))
        .subquery("stock")
    )
    closed = _closed(scope, scope.period.start, scope.flow_end).subquery("closed")
    closing_rates = sa.and_(rates.c.currency == closed.c.currency, rates.c.on_day == closed.c.closed_on)
    won, lost = closed.c.outcome == "won", closed.c.outcome == "lost"
    without_rate = rates.c.rate.is_(None)
    flows = (
        sa.select(
            *(
                func.coalesce(func.sum(closed.c.n).filter(condition), 0).label(name)
                for name, condition in {
                    "won_count": won,
                    "lost_count": lost,
                    "abandoned_count": closed.c.outcome == "abandoned",
                    "won_with_rate": sa.and_(won, sa.not_(without_rate)),
                    "closed_without_rate": sa.and_(sa.or_(won, lost), without_rate),
                }.items()
            ),
            func.coalesce(func.sum(closed.c.value * rates.c.rate).filter(won), 0).label("won_value"),
            func.coalesce(func.sum(closed.c.value * rates.c.rate).filter(lost), 0).label("lost_value"),
        )
        .select_from(closed.outerjoin(rates, closing_rates))
        .subquery("flows")
    )
    deals_won = scoped.closings(scope, scope.period.start, scope.flow_end)
    cycle_days = deals_won.c.closed_on - scoped.day_of(deals_won.c.created_at, scope)
    cycle = (
        sa.select(
            *(func.percentile_cont(part).within_group(cycle_days).label(f"p{part * 100:.0f}") for part in (0.5, 0.8))
        )
        .where(deals_won.c.outcome == "won")
        .subquery("cycle")
    )
    decided = flows.c.won_count + flows.c.lost_count
    win_rate = flows.c.won_count / sa.cast(func.nullif(decided, 0), sa.Numeric)
    decided_value = flows.c.won_value + flows.c.lost_value
    mean_won = flows.c.won_value / func.nullif(flows.c.won_with_rate, 0)
    return sa.select(
        sa.literal(which).label("which"),
        stock.c.open_count,
        stock.c.open_value,
        stock.c.expected_revenue,
        stock.c.without_rate,
        flows.c.won_count,
        func.round(flows.c.won_value, 2).label("won_value"),
        flows.c.lost_count,
        func.round(flows.c.lost_value, 2).label("lost_value"),
        flows.c.abandoned_count,
        flows.c.closed_without_rate,
        win_rate.label("win_rate"),
        (flows.c.won_value / func.nullif(decided_value, 0)).label("win_rate_by_value"),
        cycle.c.p50.label("cycle_median_days"),
        cycle.c.p80.label("cycle_p80_days"),
        func.round(
            stock.c.open_count * mean_won * win_rate / sa.cast(func.nullif(cycle.c.p50, 0), sa.Numeric), 2
        ).label("velocity_per_day"),
    ).select_from(sa.join(stock, flows, sa.true()).join(cycle, sa.true()))


def _closed(scope: Scope, start: date, end: date) -> Statement:
    """Counts and values by outcome, currency and closing day: few rows, converted after adding up."""
    deals = scoped.closings(scope, start, end)
    return sa.select(
        deals.c.outcome,
        deals.c.currency,
        deals.c.closed_on,
        func.count().label("n"),
        func.sum(deals.c.value).label("value"),
    ).group_by(deals.c.outcome, deals.c.currency, deals.c.closed_on)


@question(
    day=day("Day", "The end of this day"),
    open_count=count("Open opportunities"),
    open_value=OPEN_VALUE,
    expected_revenue=EXPECTED,
    won_value=money("Won value", "Won in the seven days up to the day"),
    win_rate=share("Win rate", "Won / (won + lost) in the quarter of a year up to the day"),
)
def headline_trend(scope: Scope) -> Statement:
    """Thirteen weekly points that end on the as-of day, oldest first."""
    points = [scope.as_of - timedelta(weeks=TREND_WEEKS - 1 - week) for week in range(TREND_WEEKS)]
    ends = [end_of(point, scope.time_zone) for point in points]
    ends[-1] = scope.moment or end_of(scope.as_of, scope.time_zone)
    boundaries = sa.cast(sa.literal(ends, sa.ARRAY(v.Moment)), sa.ARRAY(v.Moment))
    view = v.open_opportunities
    deals = scoped.rows(view, scope, *_closing(scope), either=[view.c.valid_to.is_(None), view.c.valid_to >= ends[0]])
    # A version counts at the points from the first boundary after its start until the last one before its end.
    enters = func.width_bucket(deals.c.valid_from, boundaries)
    leaves = func.coalesce(func.width_bucket(deals.c.valid_to, boundaries), TREND_WEEKS)
    spans = (
        sa.select(
            deals.c.currency,
            enters.label("enters"),
            leaves.label("leaves"),
            func.count().label("n"),
            func.sum(deals.c.value).label("value"),
            func.sum(scoped.expected(deals)).label("expected"),
        )
        .group_by(deals.c.currency, "enters", "leaves")
        .subquery("spans")
    )
    rates = scoped.rates(scope.currency, points[0], points[-1])
    point = (
        func.unnest(sa.cast(sa.literal(points, sa.ARRAY(sa.Date)), sa.ARRAY(sa.Date)))
        .table_valued(Column("day", sa.Date), with_ordinality="nth", name="point")
        .render_derived()
    )
    stock = (
        sa.select(
            point.c.day,
            point.c.nth,
            func.coalesce(func.sum(spans.c.n), 0).label("n"),
            func.coalesce(func.sum(spans.c.value * rates.c.rate), 0).label("value"),
            func.coalesce(func.sum(spans.c.expected * rates.c.rate), 0).label("expected"),
        )
        .select_from(
            point.outerjoin(spans, sa.and_(spans.c.enters < point.c.nth, spans.c.leaves >= point.c.nth)).outerjoin(
                rates, sa.and_(rates.c.on_day == point.c.day, rates.c.currency == spans.c.currency)
            )
        )
        .group_by(point.c.day, point.c.nth)
        .subquery("stock")
    )
    first = points[0] - timedelta(weeks=TREND_WEEKS) + timedelta(days=1)
    closed = _closed(scope, first, scope.as_of + timedelta(days=1)).subquery("closed")
    closing_rates = scoped.rates(scope.currency, first, scope.as_of, "closing_rates")
    on_closing_day = sa.and_(
        closing_rates.c.currency == closed.c.currency, closing_rates.c.on_day == closed.c.closed_on
    )
    by_day = (
        sa.select(
            closed.c.closed_on,
            func.sum(closed.c.n).filter(closed.c.outcome == "won").label("won"),
            func.sum(closed.c.n).filter(closed.c.outcome == "lost").label("lost"),
            func.sum(closed.c.value * closing_rates.c.rate).filter(closed.c.outcome == "won").label("value"),
        )
        .select_from(closed.outerjoin(closing_rates, on_closing_day))
        .group_by(closed.c.closed_on)
        .subquery("by_day")
    )
    lately = sa.and_(by_day.c.closed_on <= stock.c.day, by_day.c.closed_on > stock.c.day - 7 * TREND_WEEKS)
    this_week = by_day.c.closed_on > stock.c.day - 7
    won, lost = func.coalesce(func.sum(by_day.c.won), 0), func.coalesce(func.sum(by_day.c.lost), 0)
    return (
        sa.select(
            stock.c.day,
            stock.c.n.label("open_count"),
            func.round(stock.c.value, 2).label("open_value"),
            func.round(stock.c.expected, 2).label("expected_revenue"),
            func.round(func.coalesce(func.sum(by_day.c.value).filter(this_week), 0), 2).label("won_value"),
            (won / sa.cast(func.nullif(won + lost, 0), sa.Numeric)).label("win_rate"),
        )
        .select_from(stock.outerjoin(by_day, lately))
        .group_by(stock.c.day, stock.c.n, stock.c.value, stock.c.expected)
        .order_by(stock.c.day)
    )


# Stages --------------------------------------------------------------------------------------------------


@question(
    stage_id=identifier("Stage"),
    stage=text("Stage"),
    color=color(),
    position=count("Position", "Order of the stage in the pipeline"),
    default_probability=share("Default probability", "What an opportunity in the stage has unless it has its own"),
    opportunities=count("Open opportunities"),
    value=OPEN_VALUE,
    expected_revenue=EXPECTED,
    without_rate=WITHOUT_RATE,
    median_age_days=days("Median age", "Days in the stage: half of the open opportunities are there longer"),
    normal_age_days=days("Normal age", "80th percentile of the days of finished stays; missing under 20 stays"),
    stalled=count("Stalled", "Open opportunities in the stage for longer than the normal age"),
)  # fmt: skip
def expected_revenue_by_stage(scope: Scope) -> Statement:
    """One row per open stage in pipeline order, also an empty one; deals of unknown stage come first, if any."""
    deals = _open(scope)
    age = sa.literal(scope.as_of, sa.Date) - scoped.day_of(deals.c.stage_entered_at, scope)
    grouped = (
        sa.select(
            deals.c.stage_id,
            deals.c.currency,
            age.label("days"),
            func.count().label("n"),
            func.sum(deals.c.value).label("value"),
            func.sum(scoped.expected(deals)).label("expected"),
        )
        .group_by(deals.c.stage_id, deals.c.currency, "days")
        .cte("open_by_age")
    )
    rates = scoped.rates(scope.currency, scope.as_of, scope.as_of)
    normal = _normal_age(scope)
    amounts = (
        sa.select(
            grouped.c.stage_id,
            func.sum(grouped.c.n).label("n"),
            func.round(func.coalesce(func.sum(grouped.c.value * rates.c.rate), 0), 2).label("value"),
            func.round(func.coalesce(func.sum(grouped.c.expected * rates.c.rate), 0), 2).label("expected"),
            func.coalesce(func.sum(grouped.c.n).filter(rates.c.rate.is_(None)), 0).label("without_rate"),
            func.sum(grouped.c.n).filter(grouped.c.days > normal.c.days).label("stalled"),
        )
        .select_from(
            grouped.outerjoin(rates, rates.c.currency == grouped.c.currency).outerjoin(
                normal, normal.c.stage_id == grouped.c.stage_id
            )
        )
        .group_by(grouped.c.stage_id)
        .cte("amounts")
    )
    by_age = (
        sa.select(grouped.c.stage_id, grouped.c.days, func.sum(grouped.c.n).label("n"))
        .where(grouped.c.days.is_not(None))
        .group_by(grouped.c.stage_id, grouped.c.days)
        .cte("by_age")
    )
    median = _median(by_age)
    stages = scoped.stages(scope)
    zero = sa.literal(0, sa.Numeric)
    # A stage counts before its first version too, for histories older than the stages' own. Not so an empty one that is
    # gone: an import replaces the stages of a new company, and these were never its stages.
    ever = v.stages_over_time.alias("ever")
    is_there_still = stages.c.stage_id.in_(sa.select(ever.c.stage_id).where(ever.c.valid_to.is_(None)))
    return (
        sa.select(
            func.coalesce(stages.c.stage_id, amounts.c.stage_id).label("stage_id"),
            func.coalesce(stages.c.name, "Unknown stage").label("stage"),
            func.coalesce(stages.c.color, "#94a3b8").label("color"),
            func.coalesce(stages.c.order_index, 0).label("position"),
            (stages.c.default_probability / sa.literal(100.0)).label("default_probability"),
            func.coalesce(amounts.c.n, 0).label("opportunities"),
            func.coalesce(amounts.c.value, zero).label("value"),
            func.coalesce(amounts.c.expected, zero).label("expected_revenue"),
            func.coalesce(amounts.c.without_rate, 0).label("without_rate"),
            median.c.days.label("median_age_days"),
            normal.c.days.label("normal_age_days"),
            sa.case((normal.c.days.is_not(None), func.coalesce(amounts.c.stalled, 0))).label("stalled"),
        )
        .select_from(
            stages.join(amounts, amounts.c.stage_id == stages.c.stage_id, full=True)
            .outerjoin(median, median.c.stage_id == amounts.c.stage_id)
            .outerjoin(normal, normal.c.stage_id == stages.c.stage_id)
        )
        .where(sa.or_(amounts.c.n > 0, sa.and_(stages.c.is_active, sa.not_(stages.c.is_closed), is_there_still)))
        .order_by(stages.c.order_index.nulls_first(), "stage")
    )


@question(
    stage_id=identifier("Stage"),
    stage=text("Stage"),
    color=color(),
    position=count("Position"),
    days=days("Days", "Days in the stage until it was left, or until the as-of day"),
    ending=text("Ending", "forward, won, lost (or abandoned), back; open: the stay goes on"),
    stays=count("Stays"),
)
def stage_stay_ends(scope: Scope) -> Statement:
    """How the stays that began in the period ended, by stage and days: what stage conversion is estimated from."""
    stages, following = scoped.stages(scope), _stages_ever(scope)
    start = end_of(scope.period.start - timedelta(days=1), scope.time_zone)
    end = end_of(scope.flow_end - timedelta(days=1), scope.time_zone)
    by_now = [] if scope.moment is None else [v.stage_stays.c.left_at < scope.moment]
    entered = v.stage_stays.c.entered_at
    finished = scoped.rows(v.stage_stays, scope, entered >= start, entered < end, *by_now)
    since = v.open_opportunities.c.stage_entered_at
    holds = scoped.holds(v.open_opportunities, scope.moment)
    deals = scoped.rows(v.open_opportunities, scope, since >= start, since < end, either=holds)
    ended = sa.select(finished.c.stage_id, finished.c.next_stage_id, finished.c.days, func.count().label("n")).group_by(
        finished.c.stage_id, finished.c.next_stage_id, finished.c.days
    )
    age = (sa.literal(scope.as_of, sa.Date) - scoped.day_of(deals.c.stage_entered_at, scope)).label("days")
    still_open = (
        sa.select(deals.c.stage_id, sa.cast(sa.null(), sa.Uuid).label("next_stage_id"), age, func.count().label("n"))
        .group_by(deals.c.stage_id, age)
    )  # fmt: skip
    stays = sa.union_all(ended, still_open).subquery("stays")
    ending = sa.case(
        (stays.c.next_stage_id.is_(None), "open"),
        (following.c.is_won, "won"),
        (following.c.is_closed, "lost"),
        (following.c.order_index > stages.c.order_index, "forward"),
        else_="back",
    ).label("ending")
    return (
        sa.select(
            stages.c.stage_id,
            stages.c.name.label("stage"),
            stages.c.color,
            stages.c.order_index.label("position"),
            stays.c.days,
            ending,
            func.sum(stays.c.n).label("stays"),
        )
        .select_from(
            stays.join(stages, stages.c.stage_id == stays.c.stage_id).outerjoin(
                following, following.c.stage_id == stays.c.next_stage_id
            )
        )
        .where(sa.not_(stages.c.is_closed))
        .group_by(stages.c.stage_id, "stage", stages.c.color, "position", stays.c.days, ending)
        .order_by("position", stays.c.days, "ending")
    )


# Movement ------------------------------------------------------------------------------------------------

# In the order in which a waterfall shows them.
TERMS = {
    "start": "Start",
    "new": "New",
    "reopened": "Reopened",
    "pulled_in": "Pulled in",
    "handed_in": "Handed in",
    "value_up": "Value up",
    "value_down": "Value down",
    "currency": "Currency changed",
    "stage": "Stage moves",
    "own_probability": "Own probability",
    "stage_default": "Stage defaults",
    "exchange_rates": "Exchange rates",
    "won": "Won",
    "lost": "Lost",
    "abandoned": "Abandoned",
    "pushed_out": "Pushed out",
    "handed_out": "Handed out",
    "removed": "Removed",
}


def _movements(scope: Scope, start: date, end: date) -> sa.TableValuedAlias:
    """One row per term, opportunity and change, in the scope's currency, unrounded."""
    segment = scoped.segment(scope)
    return v.pipeline_movements(
        start,
        end,
        end_of(start, scope.time_zone),
        end_of(end, scope.time_zone),
        scope.time_zone,
        scope.currency,
        scoped.ids(scope.owners),
        sa.cast(sa.null() if segment is None else func.array(segment.scalar_subquery()), sa.ARRAY(sa.Uuid)),
        scope.period.start if scope.closing_in_period else sa.null(),
        scope.period.end if scope.closing_in_period else sa.null(),
    ).table_valued(
        Column("opportunity_id", sa.Uuid), Column("term", sa.Text), Column("value", sa.Numeric),
        Column("expected_revenue", sa.Numeric), name="moved",
    )  # fmt: skip


def _terms() -> sa.Values:
    columns = Column("position", sa.Integer), Column("term", sa.Text), Column("label", sa.Text)
    return sa.values(*columns, name="terms").data([(place, *item) for place, item in enumerate(TERMS.items())])


@question(
    position=count("Position"),
    term=text("Term"),
    label=text("Movement"),
    value=money("Value", "Converted at the rate of the day of the change"),
    expected_revenue=money("Expected revenue", "Value × probability, converted at the rate of the day of the change"),
    opportunities=count("Opportunities"),
)
def movement(scope: Scope, start: date, end: date) -> Statement:
    """What moved the open pipeline from the end of day `start` to the end of day `end`.

    The first row is the start, the last the end, to which all others add up; every term is there, zero where nothing
    happened.
    """
    terms, moved = _terms(), _movements(scope, start, end)
    names = ("value", "expected_revenue")
    summed = (
        sa.select(
            moved.c.term,
            *(func.sum(moved.c[name]).label(name) for name in names),
            func.count(moved.c.opportunity_id.distinct()).label("n"),
        )
        .group_by(moved.c.term)
        .subquery("summed")
    )
    per_term = (
        sa.select(
            terms.c.position,
            terms.c.term,
            terms.c.label,
            *(func.coalesce(summed.c[name], 0).label(name) for name in names),
            func.coalesce(summed.c.n, 0).label("opportunities"),
        )
        .select_from(terms.outerjoin(summed, summed.c.term == terms.c.term))
        .cte("per_term")
    )
    rounded = sa.select(
        per_term.c.position,
        per_term.c.term,
        per_term.c.label,
        *(scoped.up_to_the_cent(per_term.c[name], [per_term.c.position]).label(name) for name in names),
        per_term.c.opportunities,
    )
    total = sa.select(
        sa.literal(len(TERMS)),
        sa.literal("end"),
        sa.literal("End"),
        func.round(func.sum(per_term.c.value), 2),
        func.round(func.sum(per_term.c.expected_revenue), 2),
        sa.cast(sa.null(), sa.Integer),
    )
    return sa.union_all(rounded, total).order_by("position")  # type: ignore[return-value]


@question(
    opportunity_id=identifier("Opportunity"),
    name=text("Opportunity"),
    organizer=text("Organizer"),
    value=money("Value", "This opportunity's part of the movement's value"),
    expected_revenue=money("Expected revenue", "This opportunity's part of the movement's expected revenue"),
)
def movement_records(scope: Scope, start: date, end: date, term: str) -> Statement:
    """The opportunities behind one bar of the movement, largest first; they add up to it exactly."""
    terms, moved = _terms(), _movements(scope, start, end)
    names = ("value", "expected_revenue")
    amounts = (
        sa.select(moved.c.term, moved.c.opportunity_id, *(func.sum(moved.c[name]).label(name) for name in names))
        .group_by(moved.c.term, moved.c.opportunity_id)
        .subquery("amounts")
    )
    ordered = [terms.c.position, amounts.c.opportunity_id]
    rounded = (
        sa.select(
            amounts.c.opportunity_id,
            amounts.c.term,
            scoped.up_to_the_cent(amounts.c.value, ordered).label("value"),
            scoped.up_to_the_cent(amounts.c.expected_revenue, ordered).label("expected_revenue"),
        )
        .select_from(terms.join(amounts, amounts.c.term == terms.c.term))
        .subquery("rounded")
    )
    return (
        sa.select(
            rounded.c.opportunity_id,
            scoped.deal_name(),
            scoped.organizer_name(),
            rounded.c.value,
            rounded.c.expected_revenue,
        )
        .select_from(
            rounded.outerjoin(v.opportunities, v.opportunities.c.id == rounded.c.opportunity_id).outerjoin(
                v.organizers, v.organizers.c.id == v.opportunities.c.organizer_id
            )
        )
        .where(rounded.c.term == term)
        .order_by(func.abs(rounded.c.value).desc(), rounded.c.opportunity_id)
    )


# Opportunities -------------------------------------------------------------------------------------------


@question(
    opportunity_id=identifier("Opportunity"),
    name=text("Opportunity"),
    organizer=text("Organizer"),
    owner=text("Owner"),
    stage_id=identifier("Stage"),
    stage=text("Stage"),
    color=color(),
    amount=money("Amount", "In the opportunity's own currency"),
    currency=text("Currency"),
    value=money("Value", "Converted at the as-of day's rate; the rows add up to the total rounded once"),
    probability=share("Probability"),
    probability_source=text("Probability from", "stage: the stage's default; manual: set for this opportunity"),
    expected_revenue=money("Expected revenue", "Value × probability; the rows add up to the total rounded once"),
    expected_close=day("Expected close"),
    days_in_stage=days("Days in stage"),
    age_days=days("Age", "Days since it was created"),
    pushes=count("Pushed", "Times the expected close moved to a later month"),
    stalled=flag("Stalled", "In its stage for longer than 80 % of finished stays"),
    has_next_step=flag("Next step", "A pending task or a scheduled activity"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def opportunities(
    scope: Scope,
    stage_id: UUID | Literal["unknown"] | None = None,
    only: Only | None = None,
    limit: int = 1000,
) -> Statement:
    """Open opportunities in scope, the largest expected revenue first: of one stage, or with one thing the matter."""
    deals = _open(scope)
    rates, normal = scoped.rates(scope.currency, scope.as_of, scope.as_of), _normal_age(scope)
    in_stage = sa.literal(scope.as_of, sa.Date) - scoped.day_of(deals.c.stage_entered_at, scope)
    value = deals.c.value * rates.c.rate
    in_turn = [deals.c.opportunity_id]
    conditions: list[ColumnElement[bool]] = []
    if stage_id is not None:
        conditions.append(deals.c.stage_id.is_(None) if stage_id == "unknown" else deals.c.stage_id == stage_id)
    stalled = in_stage > normal.c.days
    if only is not None:
        conditions.append(
            {
                "stalled": stalled,
                "no_next_step": _lacks_next_step(deals, scope),
                "without_rate": rates.c.rate.is_(None),
                "overdue": deals.c.expected_close_date < scope.as_of,
                "undated": deals.c.expected_close_date.is_(None),
            }[only]
        )
    rows = (
        sa.select(
            deals,
            scoped.up_to_the_cent(value, in_turn).label("converted"),
            scoped.up_to_the_cent(value * deals.c.probability / 100, in_turn).label("expected_revenue"),
            in_stage.label("days_in_stage"),
            stalled.label("stalled"),
            func.count().over().label("total"),
        )
        .select_from(
            deals.outerjoin(rates, rates.c.currency == deals.c.currency).outerjoin(
                normal, normal.c.stage_id == deals.c.stage_id
            )
        )
        .where(*conditions)
        .order_by(sa.desc("expected_revenue").nulls_last(), deals.c.opportunity_id)
        .limit(limit)
        .subquery("deals")
    )
    stages = scoped.stages(scope)
    return (
        sa.select(
            rows.c.opportunity_id,
            scoped.deal_name(),
            scoped.organizer_name(),
            scoped.name_of(rows.c.assigned_to).label("owner"),
            rows.c.stage_id,
            func.coalesce(stages.c.name, "Unknown stage").label("stage"),
            func.coalesce(stages.c.color, "#94a3b8").label("color"),
            rows.c.value.label("amount"),
            rows.c.currency,
            rows.c.converted.label("value"),
            (rows.c.probability / sa.literal(100.0)).label("probability"),
            rows.c.probability_source,
            rows.c.expected_revenue,
            rows.c.expected_close_date.label("expected_close"),
            rows.c.days_in_stage,
            (sa.literal(scope.as_of, sa.Date) - scoped.day_of(rows.c.created_at, scope)).label("age_days"),
            _pushes(rows, scope).label("pushes"),
            rows.c.stalled,
            _has_next_step(rows, scope).label("has_next_step"),
            rows.c.total,
        )
        .select_from(
            rows.outerjoin(stages, stages.c.stage_id == rows.c.stage_id)
            .outerjoin(v.opportunities, v.opportunities.c.id == rows.c.opportunity_id)
            .outerjoin(v.organizers, v.organizers.c.id == rows.c.organizer_id)
            .outerjoin(v.profiles, v.profiles.c.user_id == rows.c.assigned_to)
        )
        .order_by(rows.c.expected_revenue.desc().nulls_last(), rows.c.opportunity_id)
    )


def _planned(scope: Scope) -> list[ColumnElement[bool]]:
    """Which activities were still to be done at the scope's moment: three conditions, each with its own index."""
    steps, at = v.activities.c, scope.moment if scope.moment is not None else func.now()
    recorded = [] if scope.moment is None else [steps.created_at < at]
    return [
        sa.and_(steps.task_status == "pending", *recorded),
        sa.and_(steps.task_status == "completed", steps.completed_at >= at, *recorded),
        sa.and_(steps.task_status.is_(None), steps.activity_date >= at, *recorded),
    ]


def _has_next_step(deals: sa.FromClause, scope: Scope) -> ColumnElement[bool]:
    """Something was planned with the opportunity at the scope's moment: for few opportunities, each looked up."""
    return sa.exists().where(v.activities.c.opportunity_id == deals.c.opportunity_id, sa.or_(*_planned(scope)))


def _lacks_next_step(deals: sa.FromClause, scope: Scope) -> ColumnElement[bool]:
    """Nothing was: for all opportunities, of which all that is planned is read once."""
    steps = sa.select(v.activities.c.opportunity_id)
    planned = sa.union_all(*(steps.where(condition) for condition in _planned(scope))).subquery("planned")
    return sa.not_(sa.exists().where(planned.c.opportunity_id == deals.c.opportunity_id))


def _pushes(deals: sa.FromClause, scope: Scope) -> ColumnElement[int]:
    """How often the expected close moved to a later calendar month, up to the scope's moment."""
    history = v.opportunity_history
    known = [] if scope.moment is None else [history.c.valid_from < scope.moment]
    closing = history.c.expected_close_date
    before = func.lag(closing).over(order_by=history.c.valid_from)
    versions = (
        sa.select((func.date_trunc("month", closing) > func.date_trunc("month", before)).label("is_push"))
        .where(history.c.opportunity_id == deals.c.opportunity_id, *known)
        .correlate(deals)
        .subquery()
    )
    return sa.select(func.count()).select_from(versions).where(versions.c.is_push).scalar_subquery()


# Choices -------------------------------------------------------------------------------------------------


@question(
    kind=text("Kind", "owner, industry, company_size, lead_source or currency"),
    key=text("Key", "What the filter compares with: a person's id, or the word itself"),
    label=text("Label"),
    manager=text("Manager", "For owners: the id of the person to whom they report"),
)
def choices() -> Statement:
    """What the scope bar can offer this viewer: people, segments that occur, currencies with a rate."""
    nobody = sa.cast(sa.null(), sa.Text)
    people = sa.select(
        sa.literal("owner"), sa.cast(v.profiles.c.user_id, sa.Text), v.profiles.c.full_name,
        sa.cast(v.profiles.c.manager_id, sa.Text),
    )  # fmt: skip
    segments = [
        sa.select(sa.literal(name), column, column, nobody).where(column.is_not(None)).distinct()
        for name, column in (
            ("industry", v.organizers.c.industry),
            ("company_size", v.organizers.c.company_size),
            ("lead_source", v.organizers.c.lead_source),
        )
    ]
    code = v.exchange_rates_over_time.c.currency
    every = sa.union_all(people, *segments, sa.select(sa.literal("currency"), code, code, nobody).distinct())
    offered = every.subquery("offered")
    names = ("kind", "key", "label", "manager")
    return sa.select(*(column.label(name) for column, name in zip(offered.c, names, strict=True))).order_by(
        "kind", "label"
    )
