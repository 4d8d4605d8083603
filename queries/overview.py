"""What changed since last week: the one question of the Overview that no other page asks.

A week is the seven days that end with the scope's day. Everything else on the Overview is asked by the page that it
leads to.
"""

from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, func

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import ONE_DAY, Scope, end_of
from queries.units import color, count, day, identifier, money, text

WEEK: Final = timedelta(days=7)


@question(
    kind=text("Change", "won or lost: by closing date; stage: moved to another stage; slip: closes in a later month"),
    opportunity_id=identifier("Opportunity"),
    organizer_id=identifier("Organizer"),
    name=text("Opportunity"),
    organizer=text("Organizer"),
    owner=text("Owner"),
    value=money(
        "Value", "Won and lost at the rate of the closing day, open at the as-of day's; missing without a rate"
    ),
    stage_before=text("Stage before", "A week before the as-of day"),
    stage=text("Stage"),
    color=color(),
    expected_before=day("Expected close before", "A week before the as-of day"),
    expected_close=day("Expected close"),
    total=count("All", "How many of the kind there are, whether or not they are in these rows"),
    total_value=money("Value of all", "Of all of the kind; those without a rate are left out"),
)
def changes(scope: Scope, limit: int = 5) -> Statement:
    """What was won, was lost, moved to another stage or slipped in the week; of each kind the most valuable first.

    Stage and expected close are compared with what they were a week before, whatever happened in between: who went
    there and came back has not moved. What came to the viewer in the week, or was created in it, has moved nowhere.
    The values of all rows of a kind add up to its total.
    """
    parts = sa.union_all(_closed(scope), _moved(scope)).subquery("parts")
    rates = scoped.rates(scope.currency, scope.as_of - WEEK + ONE_DAY, scope.as_of)
    amount = parts.c.value * rates.c.rate
    of_kind: dict[str, Any] = {"partition_by": parts.c.kind}
    ranked = (
        sa.select(
            parts,
            scoped.up_to_the_cent(amount, [parts.c.opportunity_id], [parts.c.kind]).label("converted"),
            func.row_number()
            .over(**of_kind, order_by=(amount.desc().nulls_last(), parts.c.opportunity_id))
            .label("rank"),
            func.count().over(**of_kind).label("total"),
            func.round(func.coalesce(func.sum(amount).over(**of_kind), 0), 2).label("total_value"),
        )
        .select_from(
            parts.outerjoin(rates, sa.and_(rates.c.currency == parts.c.currency, rates.c.on_day == parts.c.rate_day))
        )
        .subquery("ranked")
    )
    stages = scoped.stages(scope)
    before = stages.alias("before")
    return (
        sa.select(
            ranked.c.kind,
            ranked.c.opportunity_id,
            ranked.c.organizer_id,
            scoped.deal_name(),
            scoped.organizer_name(),
            scoped.name_of(ranked.c.assigned_to).label("owner"),
            ranked.c.converted.label("value"),
            before.c.name.label("stage_before"),
            stages.c.name.label("stage"),
            stages.c.color,
            ranked.c.expected_before,
            ranked.c.expected_close,
            ranked.c.total,
            ranked.c.total_value,
        )
        .select_from(
            ranked.outerjoin(stages, stages.c.stage_id == ranked.c.stage_id)
            .outerjoin(before, before.c.stage_id == ranked.c.stage_before)
            .outerjoin(v.opportunities, v.opportunities.c.id == ranked.c.opportunity_id)
            .outerjoin(v.organizers, v.organizers.c.id == ranked.c.organizer_id)
            .outerjoin(v.profiles, v.profiles.c.user_id == ranked.c.assigned_to)
        )
        .where(ranked.c.rank <= limit)
        .order_by(ranked.c.kind, ranked.c.rank)
    )


def _closed(scope: Scope) -> Statement:
    """What was won or lost in the week."""
    deals = scoped.closings(scope, scope.as_of - WEEK + ONE_DAY, scope.as_of + ONE_DAY)
    nothing, no_day = sa.cast(sa.null(), sa.Uuid), sa.cast(sa.null(), sa.Date)
    return sa.select(
        deals.c.outcome.label("kind"), deals.c.opportunity_id, deals.c.organizer_id, deals.c.assigned_to,
        deals.c.value, deals.c.currency, deals.c.closed_on.label("rate_day"), nothing.label("stage_before"),
        nothing.label("stage_id"), no_day.label("expected_before"), no_day.label("expected_close"),
    ).where(deals.c.outcome != "abandoned")  # fmt: skip


def _moved(scope: Scope) -> sa.Select[Any]:
    """What was open a week before and still is, and now stands in another stage or closes in a later month."""
    opening = end_of(scope.as_of - WEEK, scope.time_zone)
    view, before = v.open_opportunities, v.open_opportunities.alias("before")
    now = scoped.rows(view, scope, view.c.valid_from >= opening, either=scoped.holds(view, scope.moment))
    kind = sa.values(Column("kind", sa.Text), name="kinds").data([("stage",), ("slip",)])
    is_so = sa.case(
        (kind.c.kind == "stage", now.c.stage_id.is_distinct_from(before.c.stage_id)),
        else_=_month(now.c.expected_close_date) > _month(before.c.expected_close_date),
    )
    return (
        sa.select(
            kind.c.kind, now.c.opportunity_id, now.c.organizer_id, now.c.assigned_to, now.c.value, now.c.currency,
            sa.cast(sa.literal(scope.as_of, sa.Date), sa.Date).label("rate_day"),
            before.c.stage_id.label("stage_before"), now.c.stage_id,
            before.c.expected_close_date.label("expected_before"), now.c.expected_close_date.label("expected_close"),
        )
        .select_from(
            now.join(
                before,
                sa.and_(
                    before.c.opportunity_id == now.c.opportunity_id,
                    before.c.valid_from < opening,
                    before.c.valid_to >= opening,
                ),
            ).join(kind, sa.true())
        )
        .where(is_so)
    )  # fmt: skip


def _month(of: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.date_trunc("month", of)
