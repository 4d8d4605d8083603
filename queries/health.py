"""Whom we risk losing, what it would cost, and why: the questions of the Health page and of an organizer's own page.

Scores are those of the last completed refresh by the scope's day; the churn clock and its reasons are today's. Accounts
are the scope's by whose the organizer is; archived ones are left out. An organizer of events churns when it neither
wins nor holds an event within 1.5 × its own usual gap between events, never under 180 days.
"""

from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, func
from sqlalchemy.dialects.postgresql import distinct_on

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import Scope
from queries.units import color, count, day, days, flag, identifier, moment, money, number, share, text

Risk = Literal["low", "medium", "high"]
Segment = Literal["industry", "company_size", "lead_source", "owner"]
Order = Literal["revenue_at_risk", "churn_probability", "health", "value", "change", "organizer"]

BANDS = ((0, 34), (35, 59), (60, 100))  # of the health score: high, medium and low risk where no model tells it
TREND_WEEKS = 13  # a quarter
YEAR = timedelta(days=365)
MOVED_OVER = timedelta(days=30)

HEALTH = count("Health", "0 to 100, high is good: the weighted mean of the parts that were observed")
CHANCE = share("Churn probability", "To churn within 180 days; missing where the model abstains or nothing is known")
RISK = text("Churn risk", "low, medium from 20 %, high from 50 %; without a probability from health: ≥ 60, ≥ 35")
YEAR_S_VALUE = money("Won in 12 months", "Values won in the 365 days up to the day, at the rates of the closing days")
AT_RISK = money("Revenue at risk", "Sum of churn probability × value won in 12 months")
OWNER = text("Owner", "Whose the organizer is")
TOTAL = count("All", "How many there are, whether or not they are in these rows")


# What is in scope ----------------------------------------------------------------------------------------


def _accounts(scope: Scope) -> sa.Subquery:
    """The organizers in scope that are not archived."""
    accounts = v.organizers.c
    chosen = sa.select(
        accounts.id, accounts.company_name, accounts.industry, accounts.company_size, accounts.lead_source,
        accounts.assigned_to,
    ).where(accounts.status != "archived")  # fmt: skip
    people = scoped.accountable(scope)
    if people is not None:
        chosen = chosen.where(accounts.assigned_to == sa.any_(scoped.ids(people)))
    segment = scoped.segment(scope)
    if segment is not None:
        chosen = chosen.where(accounts.id.in_(segment))
    return chosen.subquery("accounts")


def _latest(day_: date | ColumnElement[date]) -> sa.ScalarSelect[date]:
    """The last day by this one whose refresh was completed, or that has scores and no refresh is known of."""
    kept, begun = v.organizer_scores.alias("by_then"), v.refreshes
    unfinished = sa.select(begun.c.refreshed_on).where(begun.c.finished_at.is_(None))
    return (
        sa.select(func.max(kept.c.scored_on))
        .where(kept.c.scored_on <= day_, kept.c.scored_on.not_in(unfinished))
        .scalar_subquery()
    )


def _scores(day_: date, name: str = "scores") -> sa.Subquery:
    """The organizers' scores as they stood on a day."""
    kept = v.organizer_scores
    return sa.select(kept).where(kept.c.scored_on == _latest(day_)).subquery(name)


def _wins(scope: Scope) -> sa.Subquery:
    """The deals won in the year up to the scope's day; `rate` is missing where there is none."""
    first, last = scope.as_of - YEAR + timedelta(days=1), scope.as_of
    deals, rates = v.closed_opportunities, scoped.rates(scope.currency, first, last, "closing_rates")
    on_day = sa.and_(rates.c.currency == deals.c.currency, rates.c.on_day == deals.c.closed_on)
    return (
        sa.select(
            deals.c.opportunity_id, deals.c.organizer_id, deals.c.closed_on, deals.c.value, deals.c.currency,
            rates.c.rate,
        )
        .select_from(deals.outerjoin(rates, on_day))
        .where(deals.c.outcome == "won", deals.c.closed_on >= first, deals.c.closed_on <= last)
        .where(sa.or_(*scoped.holds(deals, scope.moment)))
        .subquery("wins")
    )  # fmt: skip


def _won(scope: Scope) -> sa.Subquery:
    """What each organizer won in the year up to the scope's day, unrounded, and how many deals have no rate."""
    deals = _wins(scope).c
    return (
        sa.select(
            deals.organizer_id,
            func.sum(deals.value * deals.rate).label("value"),
            func.count().filter(deals.rate.is_(None)).label("without_rate"),
        )
        .group_by(deals.organizer_id)
        .subquery("won")
    )


def _standing(scope: Scope, day_: date | None = None) -> sa.Subquery:
    """One row per account: its scores, what it won in 12 months, and whether it has churned by the scope's day."""
    accounts, scores, won = _accounts(scope), _scores(day_ or scope.as_of), _won(scope)
    clock = v.organizer_health
    value = func.coalesce(won.c.value, 0)
    return (
        sa.select(
            accounts,
            scores.c.scored_on,
            scores.c.health_score,
            scores.c.churn_risk,
            scores.c.churn_probability,
            scores.c.observed_share,
            value.label("value"),
            (value * sa.cast(func.coalesce(scores.c.churn_probability, 0), sa.Numeric)).label("at_risk"),
            func.coalesce(won.c.without_rate, 0).label("without_rate"),
            clock.c.first_seen_on,
            clock.c.last_seen_on,
            clock.c.runs_out_on,
            sa.case((clock.c.churned_on <= scope.as_of, clock.c.churned_on)).label("churned_on"),
        )
        .select_from(
            accounts.outerjoin(scores, scores.c.organizer_id == accounts.c.id)
            .outerjoin(won, won.c.organizer_id == accounts.c.id)
            .outerjoin(clock, clock.c.organizer_id == accounts.c.id)
        )
        .subquery("standing")
    )


def _median(values: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[float]:
    return func.percentile_cont(0.5).within_group(values).filter(*conditions)


# Metrics -------------------------------------------------------------------------------------------------


@question(
    which=text("Day", "current, or previous: as of the end of the period before"),
    scored_on=day("Scored on", "The last completed refresh by the day"),
    organizers=count("Organizers", "Not archived, and not churned by the day"),
    unscored=count("Not scored yet", "Entered since the last refresh: in no other figure"),
    churned=count("Churned", "Neither won nor held an event within 1.5 × their usual gap, at least 180 days"),
    median_health=number("Median health", "Half of the organizers have more; 0 to 100, high is good"),
    high_risk=count("High risk", "Organizers whose churn risk is high"),
    value=YEAR_S_VALUE,
    revenue_at_risk=AT_RISK,
    without_rate=count("Without a rate", "Deals won in 12 months in a currency without a rate: in no money total"),
)
def headline(scope: Scope) -> Statement:
    """One row for the scope's day and one for the day as far into the period before."""
    return sa.union_all(_figures(scope, "current"), _figures(scope.before(), "previous"))  # type: ignore[return-value]


def _figures(scope: Scope, which: str) -> Statement:
    one = _standing(scope)
    stays = one.c.churned_on.is_(None)
    return sa.select(
        sa.literal(which).label("which"),
        func.max(one.c.scored_on).label("scored_on"),
        func.count().filter(stays).label("organizers"),
        func.count().filter(one.c.scored_on.is_(None)).label("unscored"),
        func.count(one.c.churned_on).label("churned"),
        _median(one.c.health_score, stays).label("median_health"),
        func.count().filter(stays, one.c.churn_risk == "high").label("high_risk"),
        func.round(func.coalesce(func.sum(one.c.value).filter(stays), 0), 2).label("value"),
        func.round(func.coalesce(func.sum(one.c.at_risk).filter(stays), 0), 2).label("revenue_at_risk"),
        func.coalesce(func.sum(one.c.without_rate).filter(stays), 0).label("without_rate"),
    )


@question(
    day=day("Day", "The end of this day"),
    median_health=number("Median health", "Half of the organizers had more"),
    high_risk=count("High risk"),
)
def headline_trend(scope: Scope) -> Statement:
    """Thirteen weekly points that end on the as-of day, oldest first; missing where nothing was scored by then.

    Of the organizers that had not churned by each day, as the headline is.
    """
    points = [scope.as_of - timedelta(weeks=TREND_WEEKS - 1 - week) for week in range(TREND_WEEKS)]
    point = (
        func.unnest(sa.cast(sa.literal(points, sa.ARRAY(sa.Date)), sa.ARRAY(sa.Date)))
        .table_valued(Column("day", sa.Date), name="point")
        .render_derived()
    )
    scored = sa.select(point.c.day, _latest(point.c.day).label("scored_on")).cte("scored")
    accounts, scores, clock = _accounts(scope), v.organizer_scores, v.organizer_health
    clocked = (
        sa.select(accounts.c.id, clock.c.churned_on)
        .select_from(accounts.outerjoin(clock, clock.c.organizer_id == accounts.c.id))
        .offset(0)  # joined before the thirteen times as many scores, not after
        .subquery("clocked")
    )
    stays = sa.or_(clocked.c.churned_on.is_(None), clocked.c.churned_on > scored.c.day)
    is_high = scores.c.churn_risk == "high"
    # Counts of equal scores spare sorting every row of thirteen weeks.
    counted = (
        sa.select(
            scored.c.day, scores.c.health_score, func.count().label("n"), func.count().filter(is_high).label("high")
        )
        .select_from(
            scored.join(scores, scores.c.scored_on == scored.c.scored_on).join(
                clocked, clocked.c.id == scores.c.organizer_id
            )
        )
        .where(stays)
        .group_by(scored.c.day, scores.c.health_score)
        .subquery("counted")
    )
    known = counted.c.health_score.is_not(None)
    within = [counted.c.day, known]
    upto = func.sum(counted.c.n).over(partition_by=within, order_by=counted.c.health_score)
    half = func.sum(counted.c.n).over(partition_by=within) / 2.0
    ranked = sa.select(counted, upto.label("upto"), half.label("half")).subquery("ranked")
    score = sa.cast(ranked.c.health_score, sa.Double)
    middle = func.min(score).filter(ranked.c.upto >= ranked.c.half) + func.min(score).filter(
        ranked.c.upto > ranked.c.half
    )
    return (
        sa.select(
            scored.c.day,
            (middle / 2).label("median_health"),
            func.coalesce(func.sum(ranked.c.high), 0).label("high_risk"),
        )
        .select_from(scored.outerjoin(ranked, ranked.c.day == scored.c.day))
        .group_by(scored.c.day)
        .order_by(scored.c.day)
    )


# Distribution and risk -----------------------------------------------------------------------------------


@question(
    segment=text("Segment"),
    band=count("Band", "0: health under 35, 1: under 60, 2: from 60 on"),
    lowest=count("From"),
    highest=count("To"),
    organizers=count("Organizers", "Scored, not archived, not churned"),
    median_health=number("Median health", "Of the whole segment"),
)
def distribution(scope: Scope, by: Segment = "industry") -> Statement:
    """How many organizers of each segment have which health: three rows a segment, the healthiest segment last."""
    one = _standing(scope)
    named = one.c.assigned_to if by == "owner" else one.c[by]
    label = scoped.name_of(one.c.assigned_to) if by == "owner" else func.coalesce(one.c[by], "(not said)")
    source = one.outerjoin(v.profiles, v.profiles.c.user_id == one.c.assigned_to) if by == "owner" else one
    kept = (
        sa.select(named.label("key"), label.label("segment"), one.c.health_score)
        .select_from(source)
        .where(one.c.churned_on.is_(None), one.c.health_score.is_not(None))
        .cte("kept")
    )
    medians = (
        sa.select(kept.c.key, kept.c.segment, _median(kept.c.health_score, sa.true()).label("median_health"))
        .group_by(kept.c.key, kept.c.segment)
        .subquery("medians")
    )
    bands = sa.values(
        Column("band", sa.Integer), Column("lowest", sa.Integer), Column("highest", sa.Integer), name="bands"
    ).data([(place, *ends) for place, ends in enumerate(BANDS)])
    within = sa.and_(
        kept.c.key.is_not_distinct_from(medians.c.key), kept.c.health_score.between(bands.c.lowest, bands.c.highest)
    )
    return (
        sa.select(
            medians.c.segment,
            bands.c.band,
            bands.c.lowest,
            bands.c.highest,
            func.count(kept.c.health_score).label("organizers"),
            medians.c.median_health,
        )
        .select_from(medians.join(bands, sa.true()).outerjoin(kept, within))
        .group_by(
            medians.c.key, medians.c.segment, medians.c.median_health, bands.c.band, bands.c.lowest, bands.c.highest
        )
        .order_by(medians.c.median_health, medians.c.segment, bands.c.band)
    )


@question(
    risk=text("Churn risk", "low, medium, high"),
    organizers=count("Organizers", "Scored, not archived, not churned"),
    value=YEAR_S_VALUE,
    revenue_at_risk=AT_RISK,
    without_rate=count("Without a rate", "Deals won in 12 months in a currency without a rate"),
)
def risk(scope: Scope) -> Statement:
    """Churn risk × revenue: three rows, the lowest risk first; they add up to the totals of the headline."""
    one = _standing(scope)
    levels = sa.values(Column("place", sa.Integer), Column("risk", sa.Text), name="levels").data(
        [(0, "low"), (1, "medium"), (2, "high")]
    )
    kept = sa.select(one).where(one.c.churned_on.is_(None)).subquery("kept")
    summed = (
        sa.select(
            levels.c.place,
            levels.c.risk,
            func.count(kept.c.id).label("organizers"),
            func.coalesce(func.sum(kept.c.value), 0).label("value"),
            func.coalesce(func.sum(kept.c.at_risk), 0).label("at_risk"),
            func.coalesce(func.sum(kept.c.without_rate), 0).label("without_rate"),
        )
        .select_from(levels.outerjoin(kept, kept.c.churn_risk == levels.c.risk))
        .group_by(levels.c.place, levels.c.risk)
        .subquery("summed")
    )
    return sa.select(
        summed.c.risk,
        summed.c.organizers,
        scoped.up_to_the_cent(summed.c.value, [summed.c.place]).label("value"),
        scoped.up_to_the_cent(summed.c.at_risk, [summed.c.place]).label("revenue_at_risk"),
        summed.c.without_rate,
    ).order_by(summed.c.place)


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    industry=text("Industry"),
    company_size=text("Company size"),
    health=HEALTH,
    change=count("Change", "Health − health 30 days before; missing where it was not scored then"),
    observed_share=share("Observed", "Share of the health score's weight that could be observed"),
    churn_risk=RISK,
    churn_probability=CHANCE,
    value=YEAR_S_VALUE,
    revenue_at_risk=AT_RISK,
    last_seen_on=day("Last event or win"),
    runs_out_on=day("Churns on", "Unless it wins or holds an event before"),
    churned_on=day("Churned on"),
    total=TOTAL,
)
def accounts(
    scope: Scope,
    risk: Risk | None = None,
    band: int | None = None,
    by: Segment | None = None,
    segment: str | None = None,
    churned: bool = False,
    order: Order = "revenue_at_risk",
    limit: int = 1000,
) -> Statement:
    """Organizers with their scores in this order, the most pressing first: of one risk, health band or segment.

    Those that have churned, or those that have not. Money is rounded so that all rows of a choice add up to its total.
    """
    one, before = _standing(scope), _scores(scope.as_of - MOVED_OVER, "before")
    owner = scoped.name_of(one.c.assigned_to)
    chosen: list[ColumnElement[bool]] = [one.c.churned_on.is_not(None) if churned else one.c.churned_on.is_(None)]
    if risk is not None:
        chosen.append(one.c.churn_risk == risk)
    if band is not None:
        chosen.append(one.c.health_score.between(*BANDS[band]))
    if by is not None:
        named = owner if by == "owner" else func.coalesce(one.c[by], "(not said)")
        chosen.append(named == (segment or "(not said)"))
    change = one.c.health_score - before.c.health_score
    orders: dict[Order, ColumnElement[Any]] = {
        "revenue_at_risk": one.c.at_risk.desc(),
        "churn_probability": one.c.churn_probability.desc().nulls_last(),
        "health": one.c.health_score.asc().nulls_last(),
        "value": one.c.value.desc(),
        "change": change.asc().nulls_last(),
        "organizer": one.c.company_name.asc(),
    }
    return (
        sa.select(
            one.c.id.label("organizer_id"),
            one.c.company_name.label("organizer"),
            owner.label("owner"),
            one.c.industry,
            one.c.company_size,
            one.c.health_score.label("health"),
            change.label("change"),
            one.c.observed_share,
            one.c.churn_risk,
            one.c.churn_probability,
            scoped.up_to_the_cent(one.c.value, [one.c.id]).label("value"),
            scoped.up_to_the_cent(one.c.at_risk, [one.c.id]).label("revenue_at_risk"),
            one.c.last_seen_on,
            one.c.runs_out_on,
            one.c.churned_on,
            func.count().over().label("total"),
        )
        .select_from(
            one.outerjoin(before, before.c.organizer_id == one.c.id).outerjoin(
                v.profiles, v.profiles.c.user_id == one.c.assigned_to
            )
        )
        .where(*chosen)
        .order_by(orders[order], one.c.company_name, one.c.id)
        .limit(limit)
    )


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    before=count("Health before"),
    health=HEALTH,
    change=count("Change", "Health − health before"),
    part=text("Moved most by", "The part that changed most: engagement, trend, clock, satisfaction or pipeline"),
    risk_before=text("Churn risk before"),
    churn_risk=RISK,
    total=TOTAL,
)
def movers(scope: Scope, start: date, end: date, limit: int = 100) -> Statement:
    """Organizers whose health or risk changed between the scores of two days, the largest change first."""
    one, before, after = _accounts(scope), _scores(start, "before"), _scores(end, "after")
    change = after.c.health_score - before.c.health_score
    was = func.jsonb_each_text(before.c.parts).table_valued("key", "value", name="was")
    now = func.jsonb_each_text(after.c.parts).table_valued("key", "value", name="now")
    moved = func.abs(sa.cast(now.c.value, sa.Numeric) - sa.cast(was.c.value, sa.Numeric))
    part = (
        sa.select(now.c.key)
        .select_from(now.join(was, was.c.key == now.c.key))
        .where(moved > 0)
        .order_by(moved.desc(), now.c.key)
        .limit(1)
        .correlate(before, after)
        .scalar_subquery()
    )
    return (
        sa.select(
            one.c.id.label("organizer_id"),
            one.c.company_name.label("organizer"),
            scoped.name_of(one.c.assigned_to).label("owner"),
            before.c.health_score.label("before"),
            after.c.health_score.label("health"),
            change.label("change"),
            part.label("part"),
            before.c.churn_risk.label("risk_before"),
            after.c.churn_risk,
            func.count().over().label("total"),
        )
        .select_from(
            one.join(before, before.c.organizer_id == one.c.id)
            .join(after, after.c.organizer_id == one.c.id)
            .outerjoin(v.profiles, v.profiles.c.user_id == one.c.assigned_to)
        )
        .where(sa.or_(change != 0, after.c.churn_risk != before.c.churn_risk))
        .order_by(func.abs(change).desc(), one.c.company_name, one.c.id)
        .limit(limit)
    )


# Why, and how far to believe it --------------------------------------------------------------------------


@question(
    kind=text("Score", "health or churn"),
    part=text("Part", "A part of the health score, or what the churn model looks at; base: an average organizer's"),
    points=number("Points", "They add up to the health score, and to 100 times the churn probability"),
    observed=number("Value", "Of a part of the health score: 0 to 100"),
    frozen_on=day("Since", "The day on which it churned: from then on the reasons stay as they were"),
)
def why(scope: Scope, organizer_id: UUID) -> Statement:
    """What moved the scores of one organizer at the last refresh: those of health first, the largest first."""
    del scope
    kept = v.organizer_health
    arms = []
    for kind in ("health", "churn"):
        each = func.jsonb_each_text(kept.c.why[kind]).table_valued("key", "value", name="each")
        arms.append(
            sa.select(
                sa.literal(kind).label("kind"),
                each.c.key.label("part"),
                sa.cast(each.c.value, sa.Double).label("points"),
                sa.cast(kept.c.parts[each.c.key].astext, sa.Double).label("observed"),
                kept.c.churned_on.label("frozen_on"),
            )
            .select_from(sa.join(kept, each, sa.true()))
            .where(kept.c.organizer_id == organizer_id)
        )
    rows = sa.union_all(*arms).subquery("reasons")
    is_base = rows.c.part == "base"
    return sa.select(rows).order_by(rows.c.kind.desc(), is_base.desc(), func.abs(rows.c.points).desc(), rows.c.part)


@question(
    help=text("What would help", "no_next_step, no_decision_maker, unreached or silent"),
    numbers=count("Number", "Decision makers that were not reached, or days without an activity"),
)
def would_help(scope: Scope, organizer_id: UUID) -> Statement:
    """What is missing at one organizer: a next step, somebody who decides, a word with them in 90 days, any in 30."""
    del scope
    done, people, task = v.done_activities, v.contacts, v.activities
    here = task.c.organizer_id == organizer_id
    pending = sa.or_(
        task.c.task_status == "pending", sa.and_(task.c.task_status.is_(None), task.c.activity_date > func.now())
    )
    reached = sa.exists().where(
        done.c.contact_id == people.c.id,
        done.c.happens_at > func.now() - timedelta(days=90),
        done.c.happens_at <= func.now(),
    )
    who_decides = (
        sa.select(func.count().label("all"), func.count().filter(reached).label("reached"))
        .where(people.c.organizer_id == organizer_id, people.c.is_decision_maker)
        .cte("who_decides")
    )
    silent = (
        sa.select((func.current_date() - sa.cast(func.max(done.c.happens_at), sa.Date)).label("days"))
        .where(done.c.organizer_id == organizer_id, done.c.happens_at <= func.now())
        .cte("silent")
    )
    nothing = sa.cast(sa.null(), sa.Integer)
    needs = sa.union_all(
        sa.select(sa.literal("no_next_step").label("help"), nothing.label("numbers")).where(
            ~sa.exists().where(here, pending)
        ),
        sa.select(sa.literal("no_decision_maker"), nothing).where(who_decides.c.all == 0),
        sa.select(sa.literal("unreached"), who_decides.c.all).where(who_decides.c.all > 0, who_decides.c.reached == 0),
        sa.select(sa.literal("silent"), silent.c.days).where(sa.or_(silent.c.days.is_(None), silent.c.days > 30)),
    ).subquery("needs")
    return sa.select(needs).where(sa.exists().where(v.organizers.c.id == organizer_id))


@question(
    model=text("Model", "churn: within 180 days; win: by the expected close"),
    as_of=day("Made on"),
    n=count("Past cases"),
    events=count("Events", "Past cases to which it happened"),
    cutoffs=count("Cut-offs", "Past days from which the model learnt"),
    first_cutoff=day("First cut-off"),
    held_out_from=day(
        "Judged from", "The first of the later cut-offs, on which a model of the earlier ones was judged"
    ),
    last_cutoff=day("Last cut-off"),
    base_rate=share("Base rate", "What somebody without a model would say of everybody"),
    auc=number("AUC", "Chance that a case to which it happened was ranked higher; 0.5 is luck"),
    brier=number("Brier score", "Mean squared error of the probabilities; 0 is best"),
    brier_base=number("Brier score of the base rate"),
    abstained=flag("Abstains"),
    reason=text("Why", "Why the model abstains"),
)
def report_cards(scope: Scope) -> Statement:
    """One row per model: its newest report card by the scope's day."""
    runs = v.model_runs
    newest = (
        sa.select(runs)
        .where(runs.c.as_of <= scope.as_of)
        .order_by(runs.c.model, runs.c.as_of.desc())
        .ext(distinct_on(runs.c.model))
        .subquery("newest")
    )
    first, last = newest.c.cutoffs[1], newest.c.cutoffs[func.cardinality(newest.c.cutoffs)]
    return sa.select(
        newest.c.model,
        newest.c.as_of,
        newest.c.n,
        newest.c.events,
        func.cardinality(newest.c.cutoffs).label("cutoffs"),
        first.label("first_cutoff"),
        newest.c.held_out[1].label("held_out_from"),
        last.label("last_cutoff"),
        newest.c.base_rate,
        newest.c.auc,
        newest.c.brier,
        newest.c.brier_base,
        newest.c.reason.is_not(None).label("abstained"),
        newest.c.reason,
    ).order_by(newest.c.model)


def _run(scope: Scope, model: str) -> sa.Subquery:
    runs = v.model_runs
    by_then = sa.select(runs).where(runs.c.model == model, runs.c.as_of <= scope.as_of)
    return by_then.order_by(runs.c.as_of.desc()).limit(1).subquery("run")


@question(
    bin_low=share("From"),
    bin_high=share("To"),
    forecast=share("Said", "Mean probability that the model gave"),
    rate=share("Came true", "Share to which it happened"),
    low=share("At least", "95 % Jeffreys interval"),
    high=share("At most", "95 % Jeffreys interval"),
    n=count("Cases", "On the later cut-offs, which the judged model had not seen"),
)
def calibration(scope: Scope, model: Literal["churn", "win"]) -> Statement:
    """The model's calibration curve by the scope's day: one row per tenth of probability that has cases."""
    run = _run(scope, model)
    names = ("bin_low", "bin_high", "forecast", "rate", "low", "high", "n")
    each = (
        func.jsonb_to_recordset(run.c.curve)
        .table_valued(*(Column(name, sa.Double) for name in names), name="each", joins_implicitly=True)
        .render_derived(with_types=True)
    )
    return (
        sa.select(*(each.c[name] for name in names)).select_from(sa.join(run, each, sa.true())).order_by(each.c.bin_low)
    )


@question(
    feature=text("Feature"),
    effect=number("Effect", "On the log-odds, of one standard deviation; above 0: it happens more often"),
)
def effects(scope: Scope, model: Literal["churn", "win"]) -> Statement:
    """What the model has learnt by the scope's day, the strongest effect first; empty where it abstains."""
    run = _run(scope, model)
    each = func.jsonb_each_text(run.c.effects).table_valued("key", "value", name="each")
    effect = sa.cast(each.c.value, sa.Double)
    return (
        sa.select(each.c.key.label("feature"), effect.label("effect"))
        .select_from(sa.join(run, each, sa.true()))
        .order_by(func.abs(effect).desc(), each.c.key)
    )


@question(
    cohort=day("First event in", "First day of the quarter of the first event or win"),
    quarters=count("Quarters later"),
    organizers=count("Organizers", "Whose first event or win was in that quarter"),
    kept=count("Kept", "Those that had not churned by then, or came back since"),
    share=share("Share kept", "Kept / organizers"),
)
def retention(scope: Scope, quarters: int = 12) -> Statement:
    """How many of each quarter's newcomers were still with us so many quarters later; as many quarters as are over."""
    one = _standing(scope)
    began = sa.cast(func.date_trunc("quarter", one.c.first_seen_on), sa.Date)
    known = (
        sa.select(began.label("cohort"), one.c.churned_on)
        .where(one.c.first_seen_on <= scope.as_of, one.c.first_seen_on > scope.as_of - 4 * YEAR)
        .subquery("known")
    )
    later = func.generate_series(0, quarters).table_valued("quarters", name="later").render_derived()
    end = sa.cast(known.c.cohort + func.make_interval(0, 3 * (later.c.quarters + 1)), sa.Date)
    kept = sa.or_(known.c.churned_on.is_(None), known.c.churned_on >= end)
    counted = func.count().filter(kept)
    return (
        sa.select(
            known.c.cohort,
            later.c.quarters,
            func.count().label("organizers"),
            counted.label("kept"),
            (counted / sa.cast(func.count(), sa.Numeric)).label("share"),
        )
        .select_from(sa.join(known, later, sa.true()))
        .where(end <= scope.as_of + timedelta(days=1))
        .group_by(known.c.cohort, later.c.quarters)
        .order_by(known.c.cohort, later.c.quarters)
    )


# An organizer's own page ---------------------------------------------------------------------------------


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    industry=text("Industry"),
    company_size=text("Company size"),
    lead_source=text("Lead source"),
    status=text("Status"),
    website=text("Website"),
    primary_email=text("Email"),
    primary_phone=text("Phone"),
    engagement=count("Engagement score", "As of now; 0 to 100, high is good"),
    health=number("Health", "0 to 100, high is good"),
    observed_share=share("Observed", "Share of the health score's weight that could be observed"),
    churn_risk=RISK,
    churn_probability=CHANCE,
    value=YEAR_S_VALUE,
    revenue_at_risk=AT_RISK,
    last_seen_on=day("Last event or win"),
    usual_gap_days=days("Usual gap", "Median days between its events; the company's median where it has fewer than 3"),
    runs_out_on=day("Churns on", "Unless it wins or holds an event before"),
    churned_on=day("Churned on"),
    scored_on=day("Scored on"),
)
def organizer(scope: Scope, organizer_id: UUID) -> Statement:
    """Who it is and how it stands; no row where the viewer may not see it."""
    one, clock, won = v.organizers, v.organizer_health, _won(scope)
    value = func.coalesce(won.c.value, 0)
    chance = func.coalesce(clock.c.churn_probability, 0)
    return (
        sa.select(
            one.c.id.label("organizer_id"),
            one.c.company_name.label("organizer"),
            scoped.name_of(one.c.assigned_to).label("owner"),
            one.c.industry,
            one.c.company_size,
            one.c.lead_source,
            one.c.status,
            one.c.website,
            one.c.primary_email,
            one.c.primary_phone,
            one.c.engagement_score.label("engagement"),
            clock.c.health,
            clock.c.observed_share,
            sa.case((clock.c.organizer_id.is_not(None), one.c.churn_risk)).label("churn_risk"),
            clock.c.churn_probability,
            func.round(value, 2).label("value"),
            func.round(value * sa.cast(chance, sa.Numeric), 2).label("revenue_at_risk"),
            clock.c.last_seen_on,
            clock.c.usual_gap_days,
            clock.c.runs_out_on,
            clock.c.churned_on,
            clock.c.scored_on,
        )
        .select_from(
            one.outerjoin(clock, clock.c.organizer_id == one.c.id)
            .outerjoin(won, won.c.organizer_id == one.c.id)
            .outerjoin(v.profiles, v.profiles.c.user_id == one.c.assigned_to)
        )
        .where(one.c.id == organizer_id)
    )


@question(
    scored_on=day("Day"),
    engagement=count("Engagement score", "0 to 100, high is good"),
    health=HEALTH,
    churn_risk=RISK,
    churn_probability=CHANCE,
    observed_share=share("Observed", "Share of the health score's weight that could be observed"),
)
def score_history(scope: Scope, organizer_id: UUID) -> Statement:
    """The organizer's scores at every refresh by the scope's day, oldest first."""
    kept = v.organizer_scores
    return (
        sa.select(
            kept.c.scored_on,
            kept.c.engagement_score.label("engagement"),
            kept.c.health_score.label("health"),
            kept.c.churn_risk,
            kept.c.churn_probability,
            kept.c.observed_share,
        )
        .where(kept.c.organizer_id == organizer_id, kept.c.scored_on <= scope.as_of)
        .order_by(kept.c.scored_on)
    )


@question(
    event_id=identifier("Event"),
    name=text("Event"),
    event_date=day("Day"),
    venue=text("Venue"),
    attendance=count("Attendance"),
    revenue=money("Revenue", "As the event history tells it, in the currency in which it was written down"),
    satisfaction=number("Satisfaction", "1 to 5; missing where nobody asked"),
    is_past=flag("Past"),
)
def events(scope: Scope, organizer_id: UUID, limit: int = 500) -> Statement:
    """The organizer's events, past and planned, the latest first."""
    held = v.organizer_events
    return (
        sa.select(
            held.c.event_id,
            func.coalesce(held.c.name, "(no name)").label("name"),
            held.c.event_date,
            held.c.venue,
            held.c.attendance,
            held.c.revenue,
            held.c.satisfaction,
            (held.c.event_date <= scope.as_of).label("is_past"),
        )
        .where(held.c.organizer_id == organizer_id)
        .order_by(held.c.event_date.desc().nulls_last(), held.c.event_id)
        .limit(limit)
    )


@question(
    opportunity_id=identifier("Opportunity"),
    name=text("Opportunity"),
    owner=text("Owner"),
    stage=text("Stage"),
    color=color(),
    status=text("Status", "open, won, lost or abandoned"),
    amount=money("Amount", "In the opportunity's own currency"),
    currency=text("Currency"),
    value=money("Value", "At the rate of the day, or of the closing day"),
    probability=share("Probability"),
    expected_close=day("Expected close"),
    closed_on=day("Closed on"),
    score=count("Score", "Chance in percent to be won by its expected close, as the win model estimates it"),
    created_on=day("Created on"),
)
def opportunities(scope: Scope, organizer_id: UUID, limit: int = 500) -> Statement:
    """The organizer's opportunities as they stood at the scope's moment, open ones first, then the latest closed."""
    history, deals = v.opportunity_history, v.opportunities
    rates = v.exchange_rates_over_time.alias("rates")
    into = v.exchange_rates_over_time.alias("into")
    stages = scoped.stages(scope)
    there = (
        sa.select(history)
        .where(history.c.organizer_id == organizer_id, sa.not_(history.c.is_deleted))
        .where(sa.or_(*scoped.holds(history, scope.moment)))
        .subquery("there")
    )
    is_scored = sa.and_(there.c.status == "open", deals.c.scored_at.is_not(None))
    on_day = func.coalesce(there.c.actual_close_date, sa.literal(scope.as_of, sa.Date))

    def holding(rate: sa.FromClause, currency: ColumnElement[Any]) -> ColumnElement[bool]:
        return sa.and_(rate.c.currency == currency, rate.c.first_day <= on_day, rate.c.next_day > on_day)

    return (
        sa.select(
            there.c.opportunity_id,
            func.coalesce(deals.c.name, "(removed)").label("name"),
            scoped.name_of(there.c.assigned_to).label("owner"),
            func.coalesce(stages.c.name, "Unknown stage").label("stage"),
            func.coalesce(stages.c.color, "#94a3b8").label("color"),
            there.c.status,
            there.c.value.label("amount"),
            there.c.currency,
            func.round(there.c.value * rates.c.rate / into.c.rate, 2).label("value"),
            (there.c.probability / sa.literal(100.0)).label("probability"),
            there.c.expected_close_date.label("expected_close"),
            there.c.actual_close_date.label("closed_on"),
            sa.case((is_scored, deals.c.ai_score)).label("score"),
            scoped.day_of(there.c.created_at, scope).label("created_on"),
        )
        .select_from(
            there.outerjoin(deals, deals.c.id == there.c.opportunity_id)
            .outerjoin(stages, stages.c.stage_id == there.c.stage_id)
            .outerjoin(rates, holding(rates, there.c.currency))
            .outerjoin(into, holding(into, sa.literal(scope.currency)))
            .outerjoin(v.profiles, v.profiles.c.user_id == there.c.assigned_to)
        )
        .order_by(
            (there.c.status != "open"), there.c.actual_close_date.desc().nulls_last(),
            there.c.expected_close_date.nulls_last(), there.c.opportunity_id,
        )
        .limit(limit)
    )  # fmt: skip


@question(
    basis=text("Basis", "What the score is, and how far to believe it"),
    next_action=text("Next action"),
    risk_factors=text("Risks", "One a line"),
    recommendations=text("Recommendations", "One a line"),
    scored_at=moment("Scored"),
)
def insight(scope: Scope, opportunity_id: UUID) -> Statement:
    """What the refresh has to say about one opportunity; no row where it was never scored."""
    del scope
    deals = v.opportunities
    told = deals.c.ai_insights

    def lines(name: str) -> ColumnElement[str]:
        each = func.jsonb_array_elements_text(
            sa.case((func.jsonb_typeof(told[name]) == "array", told[name]), else_=func.jsonb_build_array())
        ).table_valued("value", name=name)
        return sa.select(func.string_agg(each.c.value, "\n")).select_from(each).correlate(deals).scalar_subquery()

    return sa.select(
        told["basis"].astext.label("basis"),
        told["next_action"].astext.label("next_action"),
        lines("risk_factors").label("risk_factors"),
        lines("recommendations").label("recommendations"),
        deals.c.scored_at,
    ).where(deals.c.id == opportunity_id, deals.c.scored_at.is_not(None))


@question(
    contact_id=identifier("Contact"),
    name=text("Name"),
    title=text("Title"),
    email=text("Email"),
    phone=text("Phone"),
    is_primary=flag("Primary"),
    is_decision_maker=flag("Decides"),
    last_contact=moment("Last contact"),
)
def contacts(scope: Scope, organizer_id: UUID, limit: int = 500) -> Statement:
    """The organizer's people: the primary one, those who decide, then by name."""
    del scope
    people = v.contacts
    return (
        sa.select(
            people.c.id.label("contact_id"),
            people.c.full_name.label("name"),
            people.c.title,
            people.c.email,
            func.coalesce(people.c.phone, people.c.mobile).label("phone"),
            people.c.is_primary,
            people.c.is_decision_maker,
            people.c.last_contact_date.label("last_contact"),
        )
        .where(people.c.organizer_id == organizer_id)
        .order_by(people.c.is_primary.desc(), people.c.is_decision_maker.desc(), people.c.full_name, people.c.id)
        .limit(limit)
    )


@question(
    at=moment("When"),
    kind=text("Kind", "call, email, meeting, note, task, event, stage, won, lost, abandoned, document or written note"),
    title=text("What"),
    person=text("Who"),
    record_id=identifier("Record"),
)
def timeline(scope: Scope, organizer_id: UUID, before: Any = None, limit: int = 100) -> Statement:
    """Everything that happened with the organizer by the scope's moment, the latest first: activities, moves, papers.

    `before` goes on with the page that ended at that moment.
    """
    end = scope.moment if before is None else before
    until = func.now() if end is None else sa.cast(sa.literal(end, v.Moment), v.Moment)
    history, deals, stages = v.opportunity_history, v.opportunities, v.stages_over_time.alias("stage")
    done, notes, papers, held = v.done_activities, v.notes, v.documents, v.organizer_events
    now = stages.c.valid_to.is_(None)
    noon = func.timezone(scope.time_zone, sa.cast(held.c.event_date, sa.DateTime) + timedelta(hours=12))
    parts: list[tuple[ColumnElement[Any], Any, Any, Any, Any, sa.FromClause, list[ColumnElement[bool]]]] = [
        (done.c.happens_at, done.c.type, done.c.subject, done.c.user_id, done.c.activity_id, done,
         [done.c.organizer_id == organizer_id]),
        (history.c.valid_from, sa.case((history.c.status == "open", "stage"), else_=history.c.status),
         func.coalesce(deals.c.name, "(removed)") + " → " + func.coalesce(stages.c.name, "unknown stage"),
         history.c.changed_by, history.c.opportunity_id,
         history.outerjoin(deals, deals.c.id == history.c.opportunity_id)
         .outerjoin(stages, sa.and_(stages.c.stage_id == history.c.stage_id, now)),
         [history.c.organizer_id == organizer_id, sa.not_(history.c.is_deleted),
          history.c.stage_entered_at == history.c.valid_from]),
        (notes.c.created_at, sa.literal("written note"),
         func.coalesce(notes.c.title, func.left(notes.c.content, 80)), notes.c.created_by, notes.c.id, notes,
         [notes.c.organizer_id == organizer_id]),
        (papers.c.created_at, sa.literal("document"), papers.c.file_name, papers.c.uploaded_by, papers.c.id, papers,
         [papers.c.organizer_id == organizer_id]),
        (noon, sa.literal("event"), func.coalesce(held.c.name, "(no name)"), sa.cast(sa.null(), sa.Uuid),
         sa.cast(sa.null(), sa.Uuid), held, [held.c.organizer_id == organizer_id, held.c.event_date.is_not(None)]),
    ]  # fmt: skip
    arms = [
        sa.select(
            at.label("at"), kind.label("kind"), title.label("title"), person.label("person"), record.label("record")
        )
        .select_from(source)
        .where(*conditions, at < until)
        .order_by(sa.desc("at"))
        .limit(limit)
        .subquery()
        for at, kind, title, person, record, source, conditions in parts
    ]
    every = sa.union_all(*(sa.select(arm) for arm in arms)).subquery("every")
    who = scoped.name_of(every.c.person, nobody="")
    return (
        sa.select(every.c.at, every.c.kind, every.c.title, who.label("person"), every.c.record.label("record_id"))
        .select_from(every.outerjoin(v.profiles, v.profiles.c.user_id == every.c.person))
        .order_by(every.c.at.desc(), every.c.kind, every.c.title)
        .limit(limit)
    )


@question(
    note_id=identifier("Note"),
    title=text("Title"),
    content=text("Content"),
    is_pinned=flag("Pinned"),
    person=text("Who"),
    written_at=moment("Written"),
)
def notes(scope: Scope, organizer_id: UUID, limit: int = 200) -> Statement:
    """The organizer's notes, pinned ones first, then the latest."""
    del scope
    written = v.notes
    return (
        sa.select(
            written.c.id.label("note_id"),
            written.c.title,
            written.c.content,
            written.c.is_pinned,
            scoped.name_of(written.c.created_by).label("person"),
            written.c.created_at.label("written_at"),
        )
        .select_from(written.outerjoin(v.profiles, v.profiles.c.user_id == written.c.created_by))
        .where(written.c.organizer_id == organizer_id)
        .order_by(written.c.is_pinned.desc(), written.c.created_at.desc(), written.c.id)
        .limit(limit)
    )


@question(
    document_id=identifier("Document"),
    file_name=text("File"),
    document_type=text("Type"),
    size=count("Bytes"),
    version=count("Version"),
    is_signed=flag("Signed"),
    person=text("Uploaded by"),
    uploaded_at=moment("Uploaded"),
)
def documents(scope: Scope, organizer_id: UUID, limit: int = 200) -> Statement:
    """The organizer's documents, the latest first."""
    del scope
    papers = v.documents
    return (
        sa.select(
            papers.c.id.label("document_id"),
            papers.c.file_name,
            papers.c.document_type,
            papers.c.file_size.label("size"),
            papers.c.version,
            papers.c.is_signed,
            scoped.name_of(papers.c.uploaded_by).label("person"),
            papers.c.created_at.label("uploaded_at"),
        )
        .select_from(papers.outerjoin(v.profiles, v.profiles.c.user_id == papers.c.uploaded_by))
        .where(papers.c.organizer_id == organizer_id)
        .order_by(papers.c.created_at.desc(), papers.c.id)
        .limit(limit)
    )


@question(
    activity_id=identifier("Activity"),
    at=moment("When", "Of a task when it is due, else when it is planned for"),
    kind=text("Kind"),
    subject=text("Subject"),
    person=text("Who"),
    is_overdue=flag("Overdue", "Due before now"),
    opportunity_id=identifier("Opportunity"),
)
def next_steps(scope: Scope, organizer_id: UUID, limit: int = 200) -> Statement:
    """What is pending or planned with the organizer now, the most pressing first."""
    del scope
    step = v.activities
    at = func.coalesce(step.c.due_date, step.c.activity_date)
    planned = sa.and_(step.c.task_status.is_(None), step.c.activity_date > func.now())
    return (
        sa.select(
            step.c.id.label("activity_id"),
            at.label("at"),
            step.c.type.label("kind"),
            step.c.subject,
            scoped.name_of(step.c.user_id).label("person"),
            sa.and_(step.c.task_status == "pending", at < func.now()).label("is_overdue"),
            step.c.opportunity_id,
        )
        .select_from(step.outerjoin(v.profiles, v.profiles.c.user_id == step.c.user_id))
        .where(step.c.organizer_id == organizer_id, sa.or_(step.c.task_status == "pending", planned))
        .order_by(at, step.c.id)
        .limit(limit)
    )


# What stands behind a picture ----------------------------------------------------------------------------


@question(
    day=day("Day"),
    organizers=count("Churned", "Organizers whose clock ran out on the day and that have not come back since"),
)
def churned_days(scope: Scope) -> Statement:
    """On which days organizers churned, from the period before or thirteen weeks ago on; days without any left out."""
    one, clock = _accounts(scope), v.organizer_health
    first = min(scope.before().period.start, scope.as_of - timedelta(weeks=TREND_WEEKS))
    return (
        sa.select(clock.c.churned_on.label("day"), func.count().label("organizers"))
        .select_from(one.join(clock, clock.c.organizer_id == one.c.id))
        .where(clock.c.churned_on >= first, clock.c.churned_on <= scope.as_of)
        .group_by(clock.c.churned_on)
        .order_by(clock.c.churned_on)
    )


@question(
    opportunity_id=identifier("Opportunity"),
    name=text("Opportunity"),
    closed_on=day("Closed on"),
    amount=money("Amount", "In the opportunity's own currency"),
    currency=text("Currency"),
    value=money("Value", "At the rate of the closing day; the rows add up to the total rounded once"),
)
def wins(scope: Scope, organizer_id: UUID) -> Statement:
    """What an organizer won in the 365 days up to the scope's day, the latest first: they add up to its value."""
    deals = _wins(scope)
    return (
        sa.select(
            deals.c.opportunity_id,
            func.coalesce(v.opportunities.c.name, "(removed)").label("name"),
            deals.c.closed_on,
            deals.c.value.label("amount"),
            deals.c.currency,
            scoped.up_to_the_cent(deals.c.value * deals.c.rate, [deals.c.opportunity_id]).label("value"),
        )
        .select_from(deals.outerjoin(v.opportunities, v.opportunities.c.id == deals.c.opportunity_id))
        .where(deals.c.organizer_id == organizer_id)
        .order_by(deals.c.closed_on.desc(), deals.c.opportunity_id)
    )


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    first_seen_on=day("First event or win"),
    last_seen_on=day("Last event or win"),
    churned_on=day("Churned on"),
    kept=flag("Kept", "Had not churned by then, or came back since"),
    total=TOTAL,
)
def cohort(scope: Scope, began: date, quarters: int, limit: int = 1000) -> Statement:
    """The newcomers of the quarter that began on a day, and whether they were kept so many quarters later."""
    one = _standing(scope)
    end = func.make_interval(0, 3 * (quarters + 1)) + sa.cast(began, sa.Date)
    quarter = sa.cast(func.date_trunc("quarter", one.c.first_seen_on), sa.Date)
    kept = sa.or_(one.c.churned_on.is_(None), one.c.churned_on >= sa.cast(end, sa.Date))
    return (
        sa.select(
            one.c.id.label("organizer_id"),
            one.c.company_name.label("organizer"),
            scoped.name_of(one.c.assigned_to).label("owner"),
            one.c.first_seen_on,
            one.c.last_seen_on,
            one.c.churned_on,
            kept.label("kept"),
            func.count().over().label("total"),
        )
        .select_from(one.outerjoin(v.profiles, v.profiles.c.user_id == one.c.assigned_to))
        .where(quarter == began, one.c.first_seen_on <= scope.as_of, one.c.first_seen_on > scope.as_of - 4 * YEAR)
        .order_by(kept, one.c.company_name, one.c.id)
        .limit(limit)
    )
