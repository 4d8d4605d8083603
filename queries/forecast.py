"""What a period will bring: the questions of the Forecast page.

The period is the scope's, in its report currency, as of its moment. Won counts by `actual_close_date`, open by
`expected_close_date`; what is overdue or undated at the as-of day is in no month but in `outside`. An amount whose
currency has no rate is in no total and counted as such. `scope.closing_in_period` changes nothing here.

All totals are sums of the same cells: what one person won, or has open, in one month, rounded so that all cells
together are the exact total rounded once. So months, people, teams and the records behind a bar add up to the cent.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Date, Text, Uuid, func
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import ONE_DAY, Scope
from queries.units import Unit, count, day, identifier, money, share, text

Bar = Literal["won", "commit", "best_case", "open", "overdue", "undated", "without_rate"]

WON = money("Won", "Sum of the values won, by closing date, converted at the rates of the closing days")
COMMIT = money("Commit", "Open value at or above the commit threshold, converted at the as-of day's rates")
BEST_CASE = money("Best case", "Open value at or above the best-case threshold, commit included")
OPEN = money("Pipeline", "Open value whatever its probability, commit and best case included")
EXPECTED = money("Expected revenue", "Open: sum of value × probability")
WEIGHTED = money("Weighted forecast", "Won to date + expected revenue of what is open")
WITHOUT_RATE = count("Without a rate", "Won or open in a currency that has no exchange rate: in no money total")


# The cells ------------------------------------------------------------------------------------------------

BANDS = ("won", "commit", "best_case", "pipeline")


def _months(scope: Scope) -> list[date]:
    """First days of the calendar months that the period touches."""
    first, last = scope.period.start.replace(day=1), scope.period.end - ONE_DAY
    months = range((last.year - first.year) * 12 + last.month - first.month + 1)
    return [date(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, 1) for n in months]


def _month(of: ColumnElement[Any]) -> ColumnElement[date]:
    return sa.cast(func.date_trunc("month", of), Date)


def _band(probability: ColumnElement[Any]) -> ColumnElement[str]:
    commit, best_case = (sa.select(v.settings.c[name]).scalar_subquery() for name in ("commit_from", "best_case_from"))
    return sa.case((probability >= commit, "commit"), (probability >= best_case, "best_case"), else_="pipeline")


def _won(scope: Scope) -> Statement:
    """What was won in the period, one row an opportunity."""
    deals = scoped.closings(scope, scope.period.start, scope.flow_end)
    return sa.select(
        deals.c.opportunity_id, deals.c.assigned_to.label("owner_id"), sa.cast(sa.null(), Uuid).label("stage_id"),
        deals.c.value, deals.c.currency, sa.cast(100, sa.Integer).label("probability"),
        sa.literal("won").label("band"), sa.literal("period").label("place"), _month(deals.c.closed_on).label("month"),
        deals.c.closed_on.label("close_date"), deals.c.closed_on.label("rate_day"),
    ).where(deals.c.outcome == "won")  # fmt: skip


def _open(scope: Scope) -> Statement:
    """What is open and closes in the period, is overdue or undated, one row an opportunity."""
    closing = v.open_opportunities.c.expected_close_date
    in_period = sa.and_(closing >= max(scope.as_of, scope.period.start), closing < scope.period.end)
    wanted = sa.or_(in_period, closing < scope.as_of, closing.is_(None))
    deals = scoped.rows(v.open_opportunities, scope, wanted, either=scoped.holds(v.open_opportunities, scope.moment))
    expected = deals.c.expected_close_date
    place = sa.case((expected.is_(None), "undated"), (expected < scope.as_of, "overdue"), else_="period")
    return sa.select(
        deals.c.opportunity_id, deals.c.assigned_to.label("owner_id"), deals.c.stage_id, deals.c.value,
        deals.c.currency, deals.c.probability, _band(deals.c.probability).label("band"), place.label("place"),
        sa.case((expected >= scope.as_of, _month(expected))).label("month"), expected.label("close_date"),
        sa.cast(sa.literal(scope.as_of, Date), Date).label("rate_day"),
    )  # fmt: skip


def _rates(scope: Scope, name: str = "rates") -> sa.TableValuedAlias:
    return scoped.rates(scope.currency, min(scope.as_of, scope.period.start), max(scope.as_of, scope.flow_end), name)


def _rounded(
    amounts: sa.FromClause, value: ColumnElement[Any], expected: ColumnElement[Any], *last: ColumnElement[Any]
) -> list[ColumnElement[Any]]:
    """Value and expected revenue to the cent: in the order of the cells, so that whatever is made of them adds up."""
    cell = [amounts.c.place, amounts.c.month, amounts.c.owner_id, amounts.c.band, *last]
    return [
        scoped.up_to_the_cent(value, cell, [amounts.c.band]).label("value"),
        scoped.up_to_the_cent(expected, cell, [amounts.c.band == "won"]).label("expected_revenue"),
    ]


def _cells(scope: Scope) -> sa.CTE:
    """What one person won or has open in one month and band (or overdue, or undated), to the cent."""
    parts = []
    for deals in (_won(scope).subquery("deals_won"), _open(scope).subquery("deals_open")):
        key = [deals.c[name] for name in ("owner_id", "place", "month", "band", "currency", "rate_day")]
        expected = func.sum(deals.c.value * func.coalesce(deals.c.probability, 0) / 100).label("expected")
        parts.append(
            sa.select(*key, func.count().label("n"), func.sum(deals.c.value).label("value"), expected).group_by(*key)
        )
    amounts, rates = sa.union_all(*parts).subquery("amounts"), _rates(scope)
    key = [amounts.c[name] for name in ("owner_id", "place", "month", "band")]
    converted = (
        sa.select(
            *key,
            func.sum(amounts.c.n).label("n"),
            func.coalesce(func.sum(amounts.c.value * rates.c.rate), 0).label("value"),
            func.coalesce(func.sum(amounts.c.expected * rates.c.rate), 0).label("expected"),
            func.coalesce(func.sum(amounts.c.n).filter(rates.c.rate.is_(None)), 0).label("without_rate"),
        )
        .select_from(
            amounts.outerjoin(
                rates, sa.and_(rates.c.currency == amounts.c.currency, rates.c.on_day == amounts.c.rate_day)
            )
        )
        .group_by(*key)
        .cte("converted")
    )
    rounded = _rounded(converted, converted.c.value, converted.c.expected)
    names = ("owner_id", "place", "month", "band", "n", "without_rate")
    return sa.select(*(converted.c[name] for name in names), *rounded).cte("cells")


def _sums(cells: sa.FromClause) -> dict[str, ColumnElement[Any]]:
    """The measures of a group of cells; commit, best case and pipeline are cumulative."""

    def of(*bands: str, measure: str = "value") -> ColumnElement[Any]:
        return func.coalesce(func.sum(cells.c[measure]).filter(cells.c.band.in_(bands)), 0)

    return {
        "won": of("won"),
        "commit": of("commit"),
        "best_case": of("commit", "best_case"),
        "pipeline": of("commit", "best_case", "pipeline"),
        "expected_revenue": of("commit", "best_case", "pipeline", measure="expected_revenue"),
        "weighted": func.coalesce(func.sum(cells.c.expected_revenue), 0),
        "opportunities": func.coalesce(func.sum(cells.c.n), 0),
        "without_rate": func.coalesce(func.sum(cells.c.without_rate), 0),
    }


def _targets(scope: Scope) -> sa.CTE:
    """Thirds of the quarters' targets: one row per person and month that lies in the period, to the cent.

    None where segments are chosen: nobody sets targets for a segment.
    """
    target, months = v.targets, func.generate_series(0, 2).table_valued("nth", name="months").render_derived()
    rates = scoped.rates(scope.currency, scope.as_of, scope.as_of, "target_rates")
    first = sa.cast(target.c.period_start + func.make_interval(0, months.c.nth), Date)
    third = func.round(target.c.amount * (months.c.nth + 1) / 3, 2) - func.round(target.c.amount * months.c.nth / 3, 2)
    conditions = [first >= scope.period.start, first + func.make_interval(0, 1) <= scope.period.end]
    people = scope.owners if scope.owners is not None else scope.limited_to
    if people is not None:
        conditions.append(target.c.user_id == sa.any_(scoped.ids(people)))
    if scope.moment is not None:
        conditions.append(target.c.created_at < scope.moment)
    if scoped.segment(scope) is not None:
        conditions.append(sa.false())
    return (
        sa.select(
            target.c.user_id.label("owner_id"),
            first.label("month"),
            target.c.period_start,
            scoped.up_to_the_cent(third * rates.c.rate, [first, target.c.user_id, target.c.period_start]).label(
                "target"
            ),
            rates.c.rate.is_(None).label("is_without_rate"),
        )
        .select_from(target.join(months, sa.true()).outerjoin(rates, rates.c.currency == target.c.currency))
        .where(*conditions)
        .cte("thirds")
    )


def _alone(unit: Unit) -> Unit:
    """The same of what is the person's alone."""
    return replace(unit, label=f"Own {unit.label[0].lower()}{unit.label[1:]}")


# Questions ------------------------------------------------------------------------------------------------


@question(
    commit_from=share("Commit from", "Open opportunities of this probability or more are commit"),
    best_case_from=share("Best case from", "Open opportunities of this probability or more are best case"),
)
def thresholds() -> Statement:
    """Where commit and best case begin: settings of the organisation, one row."""
    return sa.select(
        *((v.settings.c[name] / sa.literal(100.0)).label(name) for name in ("commit_from", "best_case_from"))
    )


@question(
    month=day("Month", "Its first day"),
    won=WON,
    commit=COMMIT,
    best_case=BEST_CASE,
    pipeline=OPEN,
    expected_revenue=EXPECTED,
    weighted=WEIGHTED,
    target=money("Target", "A third of the quarter's target for each of its months; missing where none is set"),
    opportunities=count("Opportunities", "Won or open: the rows behind the amounts"),
    without_rate=WITHOUT_RATE,
    targets_without_rate=count("Targets without a rate", "Targets in a currency without an exchange rate: not added"),
)
def months(scope: Scope) -> Statement:
    """One row per calendar month that the period touches, also an empty one, first month first.

    commit ≤ best_case ≤ pipeline are cumulative and hold open opportunities only; weighted = won + expected_revenue.
    Sum over the months for the period. Targets are set by quarter: a month carries a third of its quarter's, so whole
    quarters and years are exact; a period that does not consist of whole months has the targets of its whole months.
    """
    cells, thirds = _cells(scope), _targets(scope)
    month = _unnested(_months(scope), Date, "month")
    targets = (
        sa.select(
            thirds.c.month,
            func.sum(thirds.c.target).label("target"),
            func.count().filter(thirds.c.is_without_rate).label("targets_without_rate"),
        )
        .group_by(thirds.c.month)
        .subquery("targets")
    )
    in_month = sa.and_(cells.c.place == "period", cells.c.month == month.c.value)
    measures = _sums(cells)
    shown = ("won", "commit", "best_case", "pipeline", "expected_revenue", "weighted")
    return (
        sa.select(
            month.c.value.label("month"),
            *(measures[name].label(name) for name in shown),
            targets.c.target,
            *(measures[name].label(name) for name in ("opportunities", "without_rate")),
            func.coalesce(targets.c.targets_without_rate, 0).label("targets_without_rate"),
        )
        .select_from(month.outerjoin(cells, in_month).outerjoin(targets, targets.c.month == month.c.value))
        .group_by(month.c.value, targets.c.target, targets.c.targets_without_rate)
        .order_by(month.c.value)
    )


@question(
    kind=text("Kind", "overdue: expected close before the as-of day; undated: none"),
    opportunities=count("Opportunities"),
    value=money("Value", "Open value, converted at the as-of day's rates"),
    expected_revenue=EXPECTED,
    without_rate=WITHOUT_RATE,
)
def outside(scope: Scope) -> Statement:
    """Two rows: what is open and in no month, because its expected close is past or missing."""
    cells, kind = _cells(scope), _unnested(["overdue", "undated"], Text, "kinds")
    measures = _sums(cells)
    return (
        sa.select(
            kind.c.value.label("kind"), measures["opportunities"].label("opportunities"),
            measures["pipeline"].label("value"), measures["expected_revenue"].label("expected_revenue"),
            measures["without_rate"].label("without_rate"),
        )
        .select_from(kind.outerjoin(cells, cells.c.place == kind.c.value))
        .group_by(kind.c.value)
        .order_by(kind.c.value)
    )  # fmt: skip


@question(
    owner_id=identifier("Owner"),
    owner=text("Owner", "Missing id: nobody's opportunities, and those of people who left or are out of sight"),
    manager_id=identifier("Manager"),
    depth=count("Depth", "0 for the top of what the viewer sees"),
    position=count("Position", "Order of the lines: each person before their reports"),
    people=count("People", "In the team, the person included; 1: nobody reports to them here"),
    own_won=_alone(WON), own_commit=_alone(COMMIT), own_best_case=_alone(BEST_CASE), own_pipeline=_alone(OPEN),
    own_expected_revenue=_alone(EXPECTED), own_weighted=_alone(WEIGHTED), own_target=money("Own target"),
    own_opportunities=count("Own opportunities"), own_without_rate=_alone(WITHOUT_RATE),
    won=WON, commit=COMMIT, best_case=BEST_CASE, pipeline=OPEN, expected_revenue=EXPECTED, weighted=WEIGHTED,
    target=money("Target", "Sum over the person and everybody below; missing where none is set"),
    attainment=share("Attainment", "Won / target"),
    coverage=share("Coverage", "Pipeline / (target − won); missing where the target is reached or none is set"),
    opportunities=count("Opportunities"), without_rate=WITHOUT_RATE,
    targets_without_rate=count("Targets without a rate", "Targets in a currency without an exchange rate: not added"),
    adjustment=money("Number named", "The newest number that was named for the person's team and this period"),
)  # fmt: skip
def roll_up(scope: Scope) -> Statement:
    """One row per person in the reporting line, each before their reports; first the total with depth 0 and no owner.

    `own_…` is the person's alone, the others sum the person and everybody below: each is its own part plus those of
    the rows with this person as `manager_id`. Who has nothing at all in the period, nor anybody below, has no row.
    Rows with `manager_id` missing (and the total) are at the top.
    """
    named = _named(scope)
    own = _own(scope, named)
    lines = _lines(scope, own)
    people = sa.select(
        lines.c.person, (func.count() - 1).label("above"),
    ).group_by(lines.c.person).cte("people")  # fmt: skip
    depth = people.alias("depth")
    path = func.array_agg(
        aggregate_order_by(func.lower(scoped.name_of(lines.c.line)) + sa.cast(lines.c.line, Text), depth.c.above)
    )
    paths = (
        sa.select(lines.c.person, path.label("path"))
        .select_from(
            lines.join(depth, depth.c.person == lines.c.line).outerjoin(
                v.profiles, v.profiles.c.user_id == lines.c.line
            )
        )
        .group_by(lines.c.person)
        .subquery("paths")
    )
    of_team = [func.sum(own.c[name]).label(name) for name in _MEASURES]
    teams = sa.union_all(
        sa.select(lines.c.line.label("owner_id"), func.count(lines.c.person.distinct()).label("people"), *of_team)
        .select_from(lines.outerjoin(own, own.c.owner_id == lines.c.person))
        .group_by(lines.c.line),
        sa.select(own.c.owner_id, sa.literal(1), *(own.c[name] for name in _MEASURES)).where(own.c.owner_id.is_(None)),
    ).subquery("teams")
    profile, parent = v.profiles, lines.alias("parent")
    persons = (
        sa.select(
            teams.c.owner_id, scoped.name_of(teams.c.owner_id, profile).label("owner"),
            parent.c.line.label("manager_id"),
            (func.coalesce(people.c.above, 0) + 1).label("depth"),
            func.row_number().over(order_by=(teams.c.owner_id.is_(None), paths.c.path)).label("position"),
            teams.c.people,
            *(func.coalesce(own.c[name], 0).label(f"own_{name}") for name in _OWN_MEASURES),
            own.c.target.label("own_target"),
            *(func.coalesce(own.c[name], 0).label(f"own_{name}") for name in _COUNTS),
            *(func.coalesce(teams.c[name], 0).label(name) for name in _OWN_MEASURES),
            teams.c.target,
            *(func.coalesce(teams.c[name], 0).label(name) for name in (*_COUNTS, "targets_without_rate")),
            named.c.amount.label("adjustment"),
        )
        .select_from(
            teams.outerjoin(own, own.c.owner_id.is_not_distinct_from(teams.c.owner_id))
            .outerjoin(people, people.c.person == teams.c.owner_id)
            .outerjoin(paths, paths.c.person == teams.c.owner_id)
            .outerjoin(profile, profile.c.user_id == teams.c.owner_id)
            .outerjoin(parent, sa.and_(parent.c.person == teams.c.owner_id, parent.c.line == profile.c.manager_id))
            .outerjoin(named, named.c.owner_id == teams.c.owner_id)
        )
    )  # fmt: skip
    nothing = [sa.cast(sa.null(), kind) for kind in (Uuid, Uuid)]
    sums = {name: func.sum(own.c[name]) for name in _MEASURES}
    total = sa.select(
        nothing[0], sa.literal("Total"), nothing[1], sa.literal(0), sa.literal(0),
        sa.select(func.count()).select_from(people).scalar_subquery(),
        *(sa.literal(0) for _ in _OWN_MEASURES), sa.cast(sa.null(), v.Money), *(sa.literal(0) for _ in _COUNTS),
        *(func.coalesce(sums[name], 0) for name in _OWN_MEASURES), sums["target"],
        *(func.coalesce(sums[name], 0) for name in (*_COUNTS, "targets_without_rate")), sa.cast(sa.null(), v.Money),
    )  # fmt: skip
    each = sa.union_all(persons, total).subquery("each")
    columns: dict[str, ColumnElement[Any]] = dict(each.c.items())
    columns["attainment"] = each.c.won / func.nullif(each.c.target, 0)
    missing = func.nullif(each.c.target - each.c.won, 0)
    columns["coverage"] = sa.case((each.c.target > each.c.won, each.c.pipeline / missing))
    return sa.select(*(columns[name].label(name) for name in roll_up.columns)).order_by(each.c.position)


@question(
    opportunity_id=identifier("Opportunity"),
    name=text("Opportunity"),
    organizer=text("Organizer"),
    owner_id=identifier("Owner"),
    owner=text("Owner"),
    stage_id=identifier("Stage"),
    stage=text("Stage"),
    value=money("Value", "Converted at the as-of day's rate"),
    amount=money("Amount", "In the opportunity's own currency"),
    currency=text("Currency"),
    probability=share("Probability", "The opportunity's own or the stage's"),
    probability_source=text("Probability from", "stage: the stage's default; manual: set for this opportunity"),
    expected_revenue=money("Expected revenue", "Value × probability"),
    expected_close_date=day("Expected close"),
    category=text("Category", "commit, best_case or pipeline, by probability"),
    place=text("Place", "in_period, overdue, undated, before or after the period"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def open_opportunities(scope: Scope, limit: int = 1000) -> Statement:
    """All that is open in scope at its moment, whenever it is expected to close; the largest expected revenue first."""
    deals, rates = _all_open(scope), scoped.rates(scope.currency, scope.as_of, scope.as_of)
    value, closing = deals.c.value * rates.c.rate, deals.c.expected_close_date
    expected = value * deals.c.probability / 100
    first = (
        sa.select(deals, value.label("converted"), expected.label("expected"), func.count().over().label("total"))
        .select_from(deals.outerjoin(rates, rates.c.currency == deals.c.currency))
        .order_by(expected.desc().nulls_last(), deals.c.opportunity_id)
        .limit(limit)
        .subquery("first")
    )
    stages, closing = scoped.stages(scope), first.c.expected_close_date
    place = sa.case(
        (closing.is_(None), "undated"),
        (closing < scope.as_of, "overdue"),
        (closing < scope.period.start, "before"),
        (closing >= scope.period.end, "after"),
        else_="in_period",
    )
    return (
        sa.select(
            first.c.opportunity_id, scoped.deal_name(), scoped.organizer_name(), first.c.assigned_to.label("owner_id"),
            scoped.name_of(first.c.assigned_to).label("owner"), first.c.stage_id,
            func.coalesce(stages.c.name, "Unknown stage").label("stage"),
            func.round(first.c.converted, 2).label("value"), first.c.value.label("amount"), first.c.currency,
            (first.c.probability / sa.literal(100.0)).label("probability"), first.c.probability_source,
            func.round(first.c.expected, 2).label("expected_revenue"), closing.label("expected_close_date"),
            _band(first.c.probability).label("category"), place.label("place"), first.c.total,
        )
        .select_from(_with_names(first, first.c.assigned_to).outerjoin(stages, stages.c.stage_id == first.c.stage_id))
        .order_by(first.c.expected.desc().nulls_last(), first.c.opportunity_id)
    )  # fmt: skip


@question(
    opportunity_id=identifier("Opportunity"),
    owner_id=identifier("Owner"),
    stage_id=identifier("Stage"),
    value=money("Value", "Converted at the as-of day's rate; missing without a rate"),
    probability=share("Probability"),
    probability_source=text("Probability from"),
    expected_close_date=day("Expected close"),
)
def open_amounts(scope: Scope) -> Statement:
    """All that is open in scope at its moment, without names: what `estimates.forecast.simulate` takes."""
    deals, rates = _all_open(scope), scoped.rates(scope.currency, scope.as_of, scope.as_of)
    ids = {"opportunity_id": "opportunity_id", "owner_id": "assigned_to", "stage_id": "stage_id"}  # quicker as text
    return (
        sa.select(
            *(sa.cast(deals.c[column], Text).label(name) for name, column in ids.items()),
            (deals.c.value * rates.c.rate).label("value"),
            (deals.c.probability / sa.literal(100.0)).label("probability"),
            deals.c.probability_source, deals.c.expected_close_date,
        )
        .select_from(deals.outerjoin(rates, rates.c.currency == deals.c.currency))
        .order_by(deals.c.opportunity_id)
    )  # fmt: skip


@question(value=WON, opportunities=count("Opportunities won"), without_rate=WITHOUT_RATE)
def won(scope: Scope) -> Statement:
    """What was won in the period by the scope's moment: one row."""
    cells = _cells(scope)
    measures = _sums(cells)
    return sa.select(
        measures["won"].label("value"), measures["opportunities"].label("opportunities"),
        measures["without_rate"].label("without_rate"),
    ).where(cells.c.band == "won")  # fmt: skip


@question(
    opportunity_id=identifier("Opportunity"),
    owner_id=identifier("Owner"),
    value=money("Value", "Converted at the rate of the closing day; missing without a rate"),
)
def won_amounts(scope: Scope) -> Statement:
    """What was won in the period by the scope's moment, one row an opportunity."""
    deals, rates = _won(scope).subquery("deals"), _rates(scope)
    on_the_day = sa.and_(rates.c.currency == deals.c.currency, rates.c.on_day == deals.c.rate_day)
    return sa.select(
        *(sa.cast(deals.c[name], Text).label(name) for name in ("opportunity_id", "owner_id")),
        (deals.c.value * rates.c.rate).label("value"),
    ).select_from(deals.outerjoin(rates, on_the_day)).order_by(deals.c.opportunity_id)  # fmt: skip


@question(
    period_start=day("Period", "Its first day"),
    amount=money("New business", "Won by opportunities that did not exist yet as far into the period as the scope is"),
    opportunities=count("Opportunities"),
)
def new_business(scope: Scope) -> Statement:
    """One row for each past period of the same kind since history begins (at most sixteen), newest first."""
    periods = _past_periods(scope)
    days = periods or [(scope.period.start, scope.period.start, scope.period.start)]  # an empty list has no type
    names = ("start", "before", "seen")
    listed = sa.values(*(Column(name, Date) for name in names), name="listed").data(days)
    period = sa.select(*(sa.cast(listed.c[name], Date).label(name) for name in names)).subquery("period")
    runs = v.calibrations
    begins = sa.select(func.min(runs.c.history_from)).where(runs.c.as_of <= scope.as_of).scalar_subquery()
    first = min((start for start, _, _ in periods), default=scope.period.start)
    deals = scoped.closings(scope, first, max((end for _, end, _ in periods), default=first))
    rates = scoped.rates(scope.currency, first, scope.as_of)
    fresh = (
        sa.select(deals.c.closed_on, deals.c.value * rates.c.rate, scoped.day_of(deals.c.created_at, scope))
        .select_from(
            deals.outerjoin(rates, sa.and_(rates.c.currency == deals.c.currency, rates.c.on_day == deals.c.closed_on))
        )
        .where(deals.c.outcome == "won")
        .subquery("fresh")
    )
    closed_on, value, created_on = fresh.c
    then = sa.and_(closed_on >= period.c.start, closed_on < period.c.before, created_on > period.c.seen)
    return (
        sa.select(
            period.c.start.label("period_start"), func.round(func.coalesce(func.sum(value), 0), 2).label("amount"),
            func.count(closed_on).label("opportunities"),
        )
        .select_from(period.outerjoin(fresh, then))
        .where(period.c.start >= begins, period.c.before > period.c.start)
        .group_by(period.c.start)
        .order_by(period.c.start.desc())
    )  # fmt: skip


@question(
    opportunity_id=identifier("Opportunity"),
    name=text("Opportunity"),
    organizer=text("Organizer"),
    owner=text("Owner"),
    stage=text("Stage"),
    amount=money("Amount", "In the opportunity's own currency"),
    currency=text("Currency"),
    value=money("Value", "Converted; the rows add up to the bar"),
    probability=share("Probability"),
    expected_revenue=money("Expected revenue", "Value × probability (won: the value); the rows add up to the bar"),
    close_date=day("Close", "Of what was won: the closing day; of what is open: the expected one"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def records(
    scope: Scope, bar: Bar, month: date | None = None, limit: int = 1000, owners: Sequence[UUID] | None = None
) -> Statement:
    """The opportunities behind one bar (of one month, or of the whole period), largest first; they sum to the bar.

    `owners`: only theirs, nobody's where it is empty; they sum to these people's parts of the bar in the roll-up.

    `commit`, `best_case` and `open` are cumulative as in `months` (`open` is its pipeline). `without_rate`: won or open
    in the period, or overdue or undated, in a currency without a rate.
    """
    deals, rates = sa.union_all(_won(scope), _open(scope)).subquery("deals"), _rates(scope)
    amounts = (
        sa.select(deals, (deals.c.value * rates.c.rate).label("converted"), rates.c.rate)
        .select_from(
            deals.outerjoin(rates, sa.and_(rates.c.currency == deals.c.currency, rates.c.on_day == deals.c.rate_day))
        )
        .subquery("amounts")
    )
    expected = amounts.c.converted * func.coalesce(amounts.c.probability, 0) / 100
    value = _rounded(amounts, amounts.c.converted, expected, amounts.c.opportunity_id)
    names = [column for column in amounts.c if column.name not in ("value", "converted")]
    cells = sa.select(*names, amounts.c.value.label("amount"), *value).subquery("cells")
    in_period = cells.c.place == "period"
    wanted = {
        "won": sa.and_(in_period, cells.c.band == "won"),
        "commit": sa.and_(in_period, cells.c.band == "commit"),
        "best_case": sa.and_(in_period, cells.c.band.in_(("commit", "best_case"))),
        "open": sa.and_(in_period, cells.c.band != "won"),
        "overdue": cells.c.place == "overdue",
        "undated": cells.c.place == "undated",
        "without_rate": cells.c.rate.is_(None),
    }[bar]
    conditions = [wanted] if bar == "without_rate" else [wanted, cells.c.rate.is_not(None)]
    if month is not None:
        conditions.append(cells.c.month == month)
    if owners is not None:
        conditions.append(cells.c.owner_id == sa.any_(scoped.ids(owners)) if owners else cells.c.owner_id.is_(None))
    in_turn = (cells.c.value.desc().nulls_last(), cells.c.opportunity_id)
    first = (
        sa.select(cells, func.count().over().label("total"))
        .where(*conditions)
        .order_by(*in_turn)
        .limit(limit)
        .subquery("first")
    )
    stages = scoped.stages(scope)
    stage = sa.case((first.c.band == "won", "Won"), else_=func.coalesce(stages.c.name, "Unknown stage"))
    return (
        sa.select(
            first.c.opportunity_id, scoped.deal_name(), scoped.organizer_name(),
            scoped.name_of(first.c.owner_id).label("owner"), stage.label("stage"), first.c.amount,
            first.c.currency, first.c.value, (first.c.probability / sa.literal(100.0)).label("probability"),
            first.c.expected_revenue, first.c.close_date, first.c.total,
        )
        .select_from(_with_names(first, first.c.owner_id).outerjoin(stages, stages.c.stage_id == first.c.stage_id))
        .order_by(first.c.value.desc().nulls_last(), first.c.opportunity_id)
    )  # fmt: skip


@question(
    adjustment_id=identifier("Adjustment"),
    owner_id=identifier("Owner"),
    owner=text("Owner", "Whose team's number it is"),
    author_id=identifier("Author"),
    author=text("Author"),
    period_start=day("Period from"),
    period_end=day("Period to", "The day after its last"),
    amount=money("Number", "Converted at the as-of day's rate; missing without one"),
    own_amount=money("Amount", "As it was named, in its own currency"),
    currency=text("Currency"),
    reason=text("Reason"),
    made_on=day("Named on"),
    version=count("Version", "What a change of it must name"),
    is_newest=text("Counts", "yes: the newest for this owner and period; no: replaced by a later one"),
)
def adjustments(scope: Scope) -> Statement:
    """The numbers that people named for the scope's period and that hold at its moment, newest first."""
    named, author = _standing(scope), v.profiles.alias("author")
    rates = scoped.rates(scope.currency, scope.as_of, scope.as_of)
    newest = func.row_number().over(partition_by=named.c.owner_id, order_by=named.c.created_at.desc()) == 1
    return (
        sa.select(
            named.c.id.label("adjustment_id"), named.c.owner_id, scoped.name_of(named.c.owner_id).label("owner"),
            named.c.author_id, scoped.name_of(named.c.author_id, author).label("author"),
            named.c.period_start, named.c.period_end, func.round(named.c.amount * rates.c.rate, 2).label("amount"),
            named.c.amount.label("own_amount"), named.c.currency, named.c.reason,
            scoped.day_of(named.c.created_at, scope).label("made_on"), named.c.version,
            sa.case((newest, "yes"), else_="no").label("is_newest"),
        )
        .select_from(
            named.outerjoin(v.profiles, v.profiles.c.user_id == named.c.owner_id)
            .outerjoin(author, author.c.user_id == named.c.author_id)
            .outerjoin(rates, rates.c.currency == named.c.currency)
        )
        .order_by(named.c.created_at.desc(), named.c.id)
    )  # fmt: skip


@question(
    adjustment_id=identifier("Adjustment"),
    owner_id=identifier("Owner"),
    owner=text("Owner"),
    author_id=identifier("Author"),
    author=text("Author"),
    period_start=day("Period from"),
    period_end=day("Period to", "The day after its last"),
    made_on=day("Named on"),
    amount=money("Number", "As it was named, converted at the rate of the day it was named"),
    computed=money("Weighted forecast", "Won to date + expected revenue of the same team at the end of that day"),
    actual=money("Came", "What the team won in the period"),
    error=money("Error", "Number − what came: above 0, it was too high"),
    computed_error=money("Forecast's error", "Weighted forecast − what came"),
)
def adjustment_scores(scope: Scope) -> Statement:
    """Past adjustments against what happened, beside the computed forecast of the same day: periods that are over."""
    named, author = v.forecast_adjustments, v.profiles.alias("author")
    over = [named.c.withdrawn_at.is_(None), named.c.period_end <= scope.as_of + ONE_DAY]
    if scope.moment is not None:
        over.append(named.c.created_at < scope.moment)
    if scope.owners is not None:
        over.append(named.c.owner_id == sa.any_(scoped.ids(scope.owners)))
    past = (
        sa.select(
            *(
                named.c[name]
                for name in ("id", "author_id", "owner_id", "period_start", "period_end", "amount", "currency")
            ),
            scoped.day_of(named.c.created_at, scope).label("made_on"),
        )
        .where(*over)
        .cte("past")
    )
    made_until = func.timezone(scope.time_zone, sa.cast(past.c.made_on + 1, sa.DateTime))
    lines = _below(past.c.owner_id)
    rates = v.exchange_rates_over_time.alias("rates")
    into = v.exchange_rates_over_time.alias("into_currency")

    def rated(currency: ColumnElement[Any], on: ColumnElement[Any]) -> ColumnElement[Any]:
        """The rate of a day, as analytics.exchange_rates_between has it."""
        one, other = (
            sa.select(each.c.rate)
            .where(each.c.currency == code, each.c.first_day <= on, each.c.next_day > on)
            .limit(1)
            .scalar_subquery()
            for each, code in ((rates, currency), (into, sa.literal(scope.currency)))
        )
        return sa.case((currency == scope.currency, 1), else_=one / other)

    closed, opened = v.closed_opportunities, v.open_opportunities

    def won(deals: sa.FromClause, *when: ColumnElement[bool]) -> ColumnElement[Any]:
        total = sa.select(func.coalesce(func.sum(deals.c.value * rated(deals.c.currency, deals.c.closed_on)), 0))
        members = sa.select(lines.c.person).where(lines.c.line == past.c.owner_id)
        return total.where(
            deals.c.outcome == "won", deals.c.closed_on >= past.c.period_start, deals.c.closed_on < past.c.period_end,
            deals.c.assigned_to.in_(members), *when,
        ).correlate(past).scalar_subquery()  # fmt: skip

    def held(deals: sa.FromClause) -> ColumnElement[bool]:
        return sa.and_(
            deals.c.valid_from < made_until, sa.or_(deals.c.valid_to.is_(None), deals.c.valid_to >= made_until)
        )

    then = closed.alias("then")
    actual = won(closed, sa.or_(*scoped.holds(closed, scope.moment)))
    was_open = (
        sa.select(func.coalesce(func.sum(scoped.expected(opened) * rated(opened.c.currency, past.c.made_on)), 0))
        .where(
            held(opened), opened.c.expected_close_date >= func.greatest(past.c.made_on, past.c.period_start),
            opened.c.expected_close_date < past.c.period_end,
            opened.c.assigned_to.in_(sa.select(lines.c.person).where(lines.c.line == past.c.owner_id)),
        )
        .correlate(past)
        .scalar_subquery()
    )  # fmt: skip
    computed = won(then, held(then)) + was_open
    scored = sa.select(
        past, func.round(past.c.amount * rated(past.c.currency, past.c.made_on), 2).label("named"),
        func.round(computed, 2).label("computed"), func.round(actual, 2).label("actual"),
    ).subquery("scored")  # fmt: skip
    return (
        sa.select(
            scored.c.id.label("adjustment_id"), scored.c.owner_id, scoped.name_of(scored.c.owner_id).label("owner"),
            scored.c.author_id, scoped.name_of(scored.c.author_id, author).label("author"),
            scored.c.period_start, scored.c.period_end, scored.c.made_on, scored.c.named.label("amount"),
            scored.c.computed, scored.c.actual, (scored.c.named - scored.c.actual).label("error"),
            (scored.c.computed - scored.c.actual).label("computed_error"),
        )
        .select_from(
            scored.outerjoin(v.profiles, v.profiles.c.user_id == scored.c.owner_id).outerjoin(
                author, author.c.user_id == scored.c.author_id
            )
        )
        .order_by(scored.c.period_start.desc(), scored.c.made_on.desc(), scored.c.id)
    )  # fmt: skip


# Pieces ---------------------------------------------------------------------------------------------------

_OWN_MEASURES = ("won", "commit", "best_case", "pipeline", "expected_revenue", "weighted")
_COUNTS = ("opportunities", "without_rate")
_MEASURES = (*_OWN_MEASURES, "target", *_COUNTS, "targets_without_rate")
MOST_PERIODS = 16


def _unnested(values: Sequence[Any], kind: Any, name: str) -> sa.TableValuedAlias:
    array = sa.cast(sa.literal(list(values), sa.ARRAY(kind)), sa.ARRAY(kind))
    return func.unnest(array).table_valued(Column("value", kind), name=name).render_derived()


def _all_open(scope: Scope) -> sa.Subquery:
    return scoped.rows(v.open_opportunities, scope, either=scoped.holds(v.open_opportunities, scope.moment))


def _own(scope: Scope, named: sa.CTE) -> sa.CTE:
    """Each person's own measures in the period; nobody's under a missing id."""
    cells, thirds = _cells(scope), _targets(scope)
    measures = _sums(cells)
    nothing = {name: sa.literal(0) for name in _MEASURES}

    def row(owner: ColumnElement[Any], found: dict[str, ColumnElement[Any]], target: ColumnElement[Any]) -> Statement:
        every = {**nothing, **found, "target": target}
        return sa.select(owner.label("owner_id"), *(every[name].label(name) for name in _MEASURES))

    no_target = sa.cast(sa.null(), v.Money)
    without_rate = func.count(thirds.c.period_start.distinct()).filter(thirds.c.is_without_rate)
    parts = sa.union_all(
        row(cells.c.owner_id, measures, no_target).where(cells.c.place == "period").group_by(cells.c.owner_id),
        row(thirds.c.owner_id, {"targets_without_rate": without_rate}, func.sum(thirds.c.target)).group_by(
            thirds.c.owner_id
        ),
        row(named.c.owner_id, {}, no_target),
    ).subquery("parts")
    sums = [func.sum(parts.c[name]).label(name) for name in _MEASURES]
    return sa.select(parts.c.owner_id, *sums).group_by(parts.c.owner_id).cte("own")


def _lines(scope: Scope, own: sa.CTE) -> sa.CTE:
    """Who stands in whose line: each person of `own` and everybody above, with themselves and everybody above them."""
    visible = scope.owners if scope.owners is not None else scope.limited_to
    allowed = [] if visible is None else [v.profiles.c.manager_id == sa.any_(scoped.ids(visible))]
    manager = v.profiles.c.manager_id

    nodes = sa.select(own.c.owner_id.label("person")).where(own.c.owner_id.is_not(None)).cte("nodes", recursive=True)
    up = sa.select(manager).join(nodes, nodes.c.person == v.profiles.c.user_id).where(manager.is_not(None), *allowed)
    nodes = nodes.union(up)
    lines = sa.select(nodes.c.person, nodes.c.person.label("line")).cte("lines", recursive=True)
    up = (
        sa.select(lines.c.person, manager)
        .join(v.profiles, v.profiles.c.user_id == lines.c.line)
        .where(manager.is_not(None), *allowed)
    )
    return lines.union(up)


def _below(owners: ColumnElement[Any]) -> sa.CTE:
    """Everybody below these people, and themselves, as the reporting line is today."""
    lines = sa.select(owners.label("line"), owners.label("person")).cte("below", recursive=True)
    down = sa.select(lines.c.line, v.profiles.c.user_id).join(v.profiles, v.profiles.c.manager_id == lines.c.person)
    return lines.union(down)


def _standing(scope: Scope) -> sa.CTE:
    """The numbers named for exactly this period that hold at the scope's moment."""
    named = v.forecast_adjustments
    conditions = [named.c.period_start == scope.period.start, named.c.period_end == scope.period.end]
    if scope.moment is None:
        conditions.append(named.c.withdrawn_at.is_(None))
    else:
        conditions.append(named.c.created_at < scope.moment)
        conditions.append(sa.or_(named.c.withdrawn_at.is_(None), named.c.withdrawn_at >= scope.moment))
    if scope.owners is not None:
        conditions.append(named.c.owner_id == sa.any_(scoped.ids(scope.owners)))
    return sa.select(named).where(*conditions).cte("standing")


def _named(scope: Scope) -> sa.CTE:
    """The newest number of each person for the period."""
    standing, rates = _standing(scope), scoped.rates(scope.currency, scope.as_of, scope.as_of, "named_rates")
    newest = sa.select(standing).order_by(standing.c.owner_id, standing.c.created_at.desc())
    one = newest.ext(distinct_on(standing.c.owner_id)).subquery("newest")
    amount = func.round(one.c.amount * rates.c.rate, 2).label("amount")
    joined = one.outerjoin(rates, rates.c.currency == one.c.currency)
    return sa.select(one.c.owner_id, amount).select_from(joined).cte("named")


def _past_periods(scope: Scope) -> list[tuple[date, date, date]]:
    """Start, end and the day as far into it as the as-of day is, of past periods that are over, newest first."""
    into = scope.as_of - scope.period.start
    found: list[tuple[date, date, date]] = []
    period = scope.period.previous()
    while len(found) < MOST_PERIODS and period.end.year > 1900:
        if period.end <= scope.as_of + ONE_DAY:
            found.append((period.start, period.end, min(period.start + into, period.end - ONE_DAY)))
        period = period.previous()
    return found


def _with_names(deals: sa.FromClause, owner: ColumnElement[Any]) -> sa.Join:
    return (
        deals.outerjoin(v.opportunities, v.opportunities.c.id == deals.c.opportunity_id)
        .outerjoin(v.organizers, v.organizers.c.id == v.opportunities.c.organizer_id)
        .outerjoin(v.profiles, v.profiles.c.user_id == owner)
    )
