"""What is in a scope: the rows, stages, days and rates that the questions of the review pages start from."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, func

from queries import vocabulary as v
from queries.scope import Scope

NOBODY: Final = "(nobody)"
FORMER_COLLEAGUE: Final = "(former colleague)"
OUT_OF_SIGHT: Final = "(not yours to see)"


def holds(versions: sa.Table, moment: datetime | None) -> list[ColumnElement[bool]]:
    """Which versions hold at a moment: those that still hold and those that ended later, each with its own index."""
    still = versions.c.valid_to.is_(None)
    if moment is None:
        return [still]
    begun = versions.c.valid_from < moment
    return [sa.and_(begun, still), sa.and_(begun, versions.c.valid_to >= moment)]


def rows(
    view: sa.Table, scope: Scope, *conditions: ColumnElement[bool], either: Sequence[ColumnElement[bool]] = ()
) -> sa.Subquery:
    """The view's rows of the scope's owners and segment; `either` are conditions of which no row meets two.

    Alternatives are asked for one by one, also what a rep or manager may see, their own and what hangs on their
    organizers: each part finds an index, and an "or" of them finds none.
    """
    wanted = sa.select(view).where(*conditions)
    organizers = segment(scope)
    if organizers is not None:
        wanted = wanted.where(view.c.organizer_id.in_(organizers))
    if scope.owners is not None:
        wanted = wanted.where(view.c.assigned_to == sa.any_(ids(scope.owners)))
    parts = [wanted.where(condition) for condition in either] or [wanted]
    if scope.owners is None and scope.limited_to is not None:
        team = ids(scope.limited_to)
        theirs = sa.select(v.organizers.c.id).where(v.organizers.c.assigned_to == sa.any_(team))
        others = sa.or_(view.c.assigned_to.is_(None), view.c.assigned_to != sa.all_(team))
        parts = [
            part.where(mine)
            for part in parts
            for mine in (view.c.assigned_to == sa.any_(team), sa.and_(view.c.organizer_id.in_(theirs), others))
        ]
    return sa.union_all(*parts).subquery(view.name)


def accountable(scope: Scope) -> Sequence[UUID] | None:
    """Whose organizers the scope can hold: the chosen owners', or those of everybody whom the viewer sees; None: all.

    A rep or manager sees no other organizer, so asking for these changes nothing but finds an index.
    """
    return scope.limited_to if scope.owners is None else scope.owners


def segment(scope: Scope) -> sa.Select[UUID] | None:
    """The organizers of the chosen segment; None where every organizer, or one that the viewer can't see, counts."""
    chosen = [
        column.in_(values)
        for column, values in (
            (v.organizers.c.industry, scope.industries),
            (v.organizers.c.company_size, scope.company_sizes),
            (v.organizers.c.lead_source, scope.lead_sources),
        )
        if values
    ]
    return sa.select(v.organizers.c.id).where(*chosen) if chosen else None


def ids(people: Sequence[UUID] | None) -> ColumnElement[Any]:
    """The people as an array; null for no choice."""
    return sa.cast(sa.null() if people is None else sa.literal(list(people), sa.ARRAY(sa.Uuid)), sa.ARRAY(sa.Uuid))


def rates(currency: str, first: date, last: date, name: str = "rates") -> sa.TableValuedAlias:
    """Units of the currency for one of each, on each day from `first` to `last`."""
    return v.exchange_rates_between(currency, first, last).table_valued(
        Column("on_day", sa.Date), Column("currency", sa.Text), Column("rate", sa.Numeric), name=name
    )


def day_of(moment: ColumnElement[Any], scope: Scope) -> ColumnElement[date]:
    """The calendar day at the organisation."""
    return sa.cast(func.timezone(scope.time_zone, moment), sa.Date)


def stages(scope: Scope) -> sa.CTE:
    """The stages as they stood at the scope's moment."""
    return sa.select(v.stages_over_time).where(sa.or_(*holds(v.stages_over_time, scope.moment))).cte("stages")


def closings(scope: Scope, start: date, end: date) -> sa.Subquery:
    """What was closed from `start` until before `end`, as known at the scope's moment."""
    deals = v.closed_opportunities
    in_time = deals.c.closed_on >= start, deals.c.closed_on < end
    return rows(deals, scope, *in_time, either=holds(deals, scope.moment))


def name_of(
    person: ColumnElement[Any], profiles: sa.FromClause = v.profiles, nobody: str | None = NOBODY
) -> ColumnElement[str]:
    """What a person of this id is called, where their row of `profiles` is joined; `nobody` without an id.

    Rows of people who left are still there, their names only for those who see all.
    """
    return sa.case((person.is_(None), nobody), else_=func.coalesce(profiles.c.full_name, FORMER_COLLEAGUE))


def actor_name(person: ColumnElement[Any]) -> ColumnElement[str]:
    """What whoever made a change is called, where their row of the profiles is joined."""
    return name_of(person, nobody="(set-up or import)")


def deal_name() -> sa.Label[str]:
    """The column `name` of an opportunity that history knows, joined or not."""
    return func.coalesce(v.opportunities.c.name, "(removed or handed over)").label("name")


def organizer_name() -> sa.Label[str]:
    """The column `organizer` of what hangs on an organizer, joined or not."""
    return func.coalesce(v.organizers.c.company_name, OUT_OF_SIGHT).label("organizer")


def up_to_the_cent(
    amount: ColumnElement[Any], order: Sequence[ColumnElement[Any]], within: Sequence[ColumnElement[Any]] = ()
) -> ColumnElement[Any]:
    """The amount as the difference of two rounded running totals, so that the rounded amounts add up exactly.

    Rounding each for itself would leave cents over; this way each is at most a cent from its exact value. `within`
    starts the totals anew.
    """
    running = func.sum(amount).over(order_by=order, partition_by=within or None)
    return func.round(running, 2) - func.round(running - amount, 2)


def expected(deals: sa.FromClause) -> ColumnElement[Any]:
    """Expected revenue, unrounded."""
    return deals.c.value * deals.c.probability / 100
