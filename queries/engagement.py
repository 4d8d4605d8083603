"""Who we are in touch with, and whom we have dropped: the questions of the Engagement page.

An activity is what has happened by the scope's moment and was known by then; `queries/views/activities.sql` says which
rows those are. Activities are the scope's by who did them, accounts, contacts and scores by whose the organizer is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, func

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import ONE_DAY, Scope, end_of
from queries.units import count, day, days, flag, identifier, moment, money, number, share, text

Kind = Literal["call", "email", "meeting", "note", "task", "event"]
KINDS: tuple[Kind, ...] = ("call", "email", "meeting", "note", "task", "event")

LATELY = timedelta(days=30)  # an account without an activity for longer is neglected
REACH = timedelta(days=90)  # a contact with an activity since then is reached
TREND_WEEKS = 13  # a quarter
YEAR_WEEKS = 53  # so that the calendar shows the same day of the year before
TYPE_WEEKS = 26
ACCOUNT_WEEKS = 13
BANDS = ((0, 0), (1, 20), (21, 40), (41, 60), (61, 80), (81, 100))  # of the engagement score
MOVED_OVER = timedelta(days=30)
QUARTER = timedelta(minutes=15)

ACTIVITIES = count("Activities", "What has happened: no pending or cancelled tasks, nothing scheduled")
OPEN_VALUE = money("Open value", "Sum of the values of the account's open opportunities, at the as-of day's rates")
SCORE = count(
    "Engagement score",
    "10 points for each activity in the last 30 days, at most 100, less 2 for each day since the last one; 0 to 100,"
    " high is good",
)
OWNER = text("Owner", "Whose the organizer is")


# What is in scope ----------------------------------------------------------------------------------------


def _until(scope: Scope) -> ColumnElement[datetime]:
    """The scope's moment."""
    return func.now() if scope.moment is None else sa.cast(sa.literal(scope.moment, v.Moment), v.Moment)


def _date(day_: date) -> ColumnElement[date]:
    return sa.cast(sa.literal(day_, sa.Date), sa.Date)  # to add days to, also where it stands alone


def _begin(day: date, scope: Scope) -> datetime:
    return end_of(day - ONE_DAY, scope.time_zone)


def _period(scope: Scope) -> tuple[datetime, datetime]:
    """The period's days by the scope's moment, as moments."""
    return _begin(scope.period.start, scope), _begin(scope.flow_end, scope)


def _happened(scope: Scope) -> list[ColumnElement[bool]]:
    """Which activities had happened at the scope's moment, as was known then."""
    done = v.done_activities.c
    if scope.moment is None:
        return [done.happens_at <= func.now()]
    return [done.happens_at < scope.moment, done.known_at < scope.moment]


def _by_us(scope: Scope) -> list[ColumnElement[bool]]:
    """Which activities are the scope's: done by its owners, with organizers of its segment."""
    done, segment = v.done_activities.c, scoped.segment(scope)
    return [
        *([] if scope.owners is None else [done.user_id == sa.any_(scoped.ids(scope.owners))]),
        *([] if segment is None else [done.organizer_id.in_(segment)]),
    ]


def _done(scope: Scope, *conditions: ColumnElement[bool], within: sa.FromClause | None = None) -> sa.Subquery:
    """The scope's activities that had happened at its moment; `within`, where the conditions are a row's of that.

    What a rep or manager may see, their own and what was done with their organizers, is asked for one by one: each
    part finds an index.
    """
    done, team = v.done_activities.c, scope.limited_to
    wanted = sa.select(v.done_activities).where(*_happened(scope), *_by_us(scope), *conditions).correlate(within)
    if scope.owners is not None or team is None:
        return wanted.subquery("done")
    theirs = sa.select(v.organizers.c.id).where(v.organizers.c.assigned_to == sa.any_(scoped.ids(team)))
    with_theirs = sa.and_(done.organizer_id.in_(theirs), done.user_id != sa.all_(scoped.ids(team)))
    own = done.user_id == sa.any_(scoped.ids(team))
    return sa.union_all(wanted.where(own), wanted.where(with_theirs)).subquery("done")


def _per_organizer(
    scope: Scope, *conditions: ColumnElement[bool], within: sa.FromClause | None = None
) -> sa.Select[Any]:
    """How many of the scope's activities there were, and with how many organizers: one row."""
    done = _done(scope, *conditions, within=within)
    each = sa.select(func.count().label("n")).select_from(done).group_by(done.c.organizer_id).subquery("each_organizer")
    return sa.select(func.coalesce(func.sum(each.c.n), 0).label("activities"), func.count(each.c.n).label("organizers"))


def _counts(scope: Scope, start: datetime, end: datetime, kind: Kind | None = None) -> sa.Subquery:
    """Activities per quarter of an hour and type, from `start` until before `end`.

    From the counts where these know the answer, but for the quarter that is now: its later part has not happened.
    """
    done, segment = v.done_activities.c, scoped.segment(scope)
    of_kind = [] if kind is None else [done.type == kind]
    if scope.moment is not None or segment is not None:
        counted = _done(scope, done.happens_at >= start, done.happens_at < end, *of_kind)
        return _by_quarter(counted.c.happens_at, counted.c.type).subquery("counts")
    kept = v.activity_counts.c if scope.owners is None else v.activity_counts_by_person.c
    this_quarter = v.quarter_hour(func.now())
    whole = sa.select(kept.quarter_hour, kept.type, kept.activities).where(
        kept.quarter_hour >= start, kept.quarter_hour < func.least(sa.literal(end, v.Moment), this_quarter)
    )
    if scope.owners is not None:
        whole = whole.where(v.activity_counts_by_person.c.user_id == sa.any_(scoped.ids(scope.owners)))
    if kind is not None:
        whole = whole.where(kept.type == kind)
    rest = _by_quarter(done.happens_at, done.type).where(
        done.happens_at >= func.greatest(sa.literal(start, v.Moment), this_quarter),
        done.happens_at < end,
        *_happened(scope),
        *_by_us(scope),
        *of_kind,
    )
    return sa.union_all(whole, rest).subquery("counts")


def _by_quarter(happens_at: ColumnElement[Any], kind: ColumnElement[Any]) -> sa.Select[Any]:
    quarter = v.quarter_hour(happens_at).label("quarter_hour")
    return sa.select(quarter, kind, func.count().label("activities")).group_by(quarter, kind)


def _accounts(scope: Scope) -> sa.Select[Any]:
    """The organizers in scope that are not archived."""
    accounts = v.organizers.c
    chosen = sa.select(accounts.id, accounts.company_name, accounts.assigned_to).where(accounts.status != "archived")
    people = scoped.accountable(scope)
    if people is not None:
        chosen = chosen.where(accounts.assigned_to == sa.any_(scoped.ids(people)))
    for column, values in (
        (accounts.industry, scope.industries),
        (accounts.company_size, scope.company_sizes),
        (accounts.lead_source, scope.lead_sources),
    ):
        if values:
            chosen = chosen.where(column.in_(values))
    return chosen


def _valued(scope: Scope, but: sa.Subquery | None = None) -> sa.Subquery:
    """The accounts with open opportunities, and what these are worth, unrounded; null without any rate.

    Without those that `but` holds: left out before anything is added up.
    """
    accounts, deals = _accounts(scope).subquery("accounts"), v.open_opportunities
    rates = scoped.rates(scope.currency, scope.as_of, scope.as_of)
    wanted = sa.select(deals.c.organizer_id, deals.c.currency, deals.c.value)
    held = sa.union_all(*(wanted.where(holds) for holds in scoped.holds(deals, scope.moment))).subquery("held")
    totals = sa.select(
        held.c.organizer_id,
        held.c.currency,
        func.count().label("n"),
        func.sum(held.c.value).label("value"),
    ).group_by(held.c.organizer_id, held.c.currency)
    if but is not None:  # not as "not in": of many it compares each with each
        others = held.outerjoin(but, but.c.organizer_id == held.c.organizer_id)
        totals = totals.select_from(others).where(but.c.organizer_id.is_(None))
    amounts = totals.subquery("amounts")
    return (
        sa.select(
            accounts.c.id,
            accounts.c.company_name,
            accounts.c.assigned_to,
            func.sum(amounts.c.n).label("opportunities"),
            func.sum(amounts.c.value * rates.c.rate).label("value"),
            func.sum(amounts.c.n).filter(rates.c.rate.is_(None)).label("without_rate"),
        )
        .select_from(
            accounts.join(amounts, amounts.c.organizer_id == accounts.c.id).outerjoin(
                rates, rates.c.currency == amounts.c.currency
            )
        )
        .group_by(accounts.c.id, accounts.c.company_name, accounts.c.assigned_to)
        .subquery("valued")
    )


def _since(scope: Scope, length: timedelta, accounts: sa.Subquery) -> list[ColumnElement[bool]]:
    """Which activities with the accounts happened within so many times 24 hours before the scope's moment.

    Whoever did them. Where the accounts are some people's, each finds its own in an index; where they are most of the
    company's, all activities of the time are read at once, and what is not the accounts' is joined by nothing.
    """
    done = v.done_activities.c
    theirs = [] if scoped.accountable(scope) is None else [done.organizer_id.in_(sa.select(accounts.c.id))]
    return [*_happened(scope), done.happens_at > _until(scope) - length, *theirs]


def _neglected(scope: Scope) -> sa.Subquery:
    """The accounts with open opportunities and without an activity in the last 30 days."""
    done, accounts = v.done_activities.c, _accounts(scope).subquery("accounts")
    lately = sa.select(done.organizer_id).where(*_since(scope, LATELY, accounts)).distinct().subquery("lately")
    return _valued(scope, but=lately)


def _reached(scope: Scope, accounts: sa.Subquery) -> sa.Subquery:
    """The contacts with an activity in the last 90 days: of the accounts, and maybe others."""
    done = v.done_activities.c
    lately = sa.select(done.contact_id).where(*_since(scope, REACH, accounts), done.contact_id.is_not(None))
    return lately.distinct().subquery()


def _by_then(scope: Scope) -> ColumnElement[bool]:
    """Which contacts were known by the scope's moment."""
    return sa.true() if scope.moment is None else v.contacts.c.created_at < scope.moment


def _contacts(scope: Scope) -> sa.Subquery:
    """The contacts of the accounts in scope, known by its moment, and whether each was reached in the last 90 days."""
    accounts, contact = _accounts(scope).subquery("accounts"), v.contacts.c
    reached = _reached(scope, accounts)
    return (
        sa.select(
            contact.id,
            contact.full_name,
            contact.title,
            contact.is_decision_maker,
            accounts.c.id.label("organizer_id"),
            accounts.c.company_name,
            accounts.c.assigned_to,
            reached.c.contact_id.is_not(None).label("is_reached"),
        )
        .select_from(
            v.contacts.join(accounts, accounts.c.id == contact.organizer_id).outerjoin(
                reached, reached.c.contact_id == contact.id
            )
        )
        .where(_by_then(scope))
        .subquery("contacts")
    )


def _tasks(scope: Scope) -> list[ColumnElement[bool]]:
    """Which tasks are the scope's: its owners' own, about organizers of its segment."""
    task, segment = v.tasks.c, scoped.segment(scope)
    return [
        *([] if scope.owners is None else [task.user_id == sa.any_(scoped.ids(scope.owners))]),
        *([] if segment is None else [task.organizer_id.in_(segment)]),
    ]


def _pending(scope: Scope) -> list[ColumnElement[bool]]:
    """Which tasks were open at the scope's moment: still, or completed since, each with its own index."""
    task = v.tasks.c
    if scope.moment is None:
        return [task.status == "pending"]
    known = task.created_at < scope.moment
    return [
        sa.and_(known, task.status == "pending"),
        sa.and_(known, task.status == "completed", task.completed_at >= scope.moment),
    ]


def _completed(scope: Scope) -> list[ColumnElement[bool]]:
    """Which tasks were completed in the period, by the scope's moment."""
    (start, end), task = _period(scope), v.tasks.c
    return [task.status == "completed", task.completed_at >= start, task.completed_at < end]


def _scores(scope: Scope, as_of: date | None = None) -> sa.Select[Any]:
    """The organizers' engagement scores at the scope's moment, or as the last refresh by an earlier day left them."""
    kept = v.organizer_scores
    if as_of is None and scope.moment is None:
        return sa.select(v.organizer_engagement.c.organizer_id, v.organizer_engagement.c.score)
    by_then = kept.alias("by_then")
    latest = sa.select(func.max(by_then.c.scored_on)).where(by_then.c.scored_on <= (as_of or scope.as_of))
    return sa.select(kept.c.organizer_id, kept.c.engagement_score.label("score")).where(
        kept.c.scored_on == latest.scalar_subquery()
    )


# Metrics -------------------------------------------------------------------------------------------------


@question(
    which=text("Period", "current, or the period before as of the day as far into it"),
    activities=ACTIVITIES,
    organizers=count("Organizers spoken to", "Organizers with an activity in the period"),
    contacts=count("Contacts", "Contacts of the accounts in scope; archived organizers are left out"),
    reached=share("Contacts reached", "Contacts with an activity in the last 90 days / all contacts"),
    decision_makers=count("Decision makers"),
    decision_makers_reached=share(
        "Decision makers reached", "Decision makers with an activity in the last 90 days / all decision makers"
    ),
    neglected=count("Neglected accounts", "Accounts with open opportunities and no activity in the last 30 days"),
    neglected_value=money(
        "Neglected value", "Value of the open opportunities of accounts without an activity in the last 30 days"
    ),
    without_rate=count("Without a rate", "Open opportunities of neglected accounts without a rate: not in the value"),
    pending=count("Pending tasks", "Tasks that are neither completed nor cancelled"),
    overdue=count("Overdue tasks", "Pending tasks that were due before now"),
)  # fmt: skip
def headline(scope: Scope) -> Statement:
    """One row for the period and one for the equally long one before, as of the day as far into it."""
    scopes = {"current": scope, "previous": scope.before()}
    reach = _reach(scopes)
    return sa.union_all(*(_figures(each, which, reach) for which, each in scopes.items()))  # type: ignore[return-value]


def _reach(scopes: dict[str, Scope]) -> sa.CTE:
    """How many contacts and decision makers there were and were reached, at each of the scopes' moments: one row.

    The scopes are the same but for time, so the contacts are read once for all.
    """
    accounts, contact = _accounts(next(iter(scopes.values()))).subquery("accounts"), v.contacts.c
    people: sa.FromClause = v.contacts.join(accounts, accounts.c.id == contact.organizer_id)
    counted = []
    for which, scope in scopes.items():
        reached = _reached(scope, accounts)
        people = people.outerjoin(reached, reached.c.contact_id == contact.id)
        decides, is_reached = contact.is_decision_maker, reached.c.contact_id.is_not(None)
        counted += [
            func.count().filter(_by_then(scope), *conditions).label(f"{which}_{name}")
            for name, conditions in (
                ("contacts", []),
                ("decision_makers", [decides]),
                ("reached", [is_reached]),
                ("decision_makers_reached", [decides, is_reached]),
            )
        ]
    return sa.select(*counted).select_from(people).cte("reach")


def _figures(scope: Scope, which: str, reach: sa.CTE) -> Statement:
    (start, end), done, neglected = _period(scope), v.done_activities.c, _neglected(scope)
    spoken = _per_organizer(scope, done.happens_at >= start, done.happens_at < end).subquery("spoken")
    contacts, decision_makers = reach.c[f"{which}_contacts"], reach.c[f"{which}_decision_makers"]
    neglect = sa.select(
        func.count(neglected.c.id).label("n"),
        func.round(func.coalesce(func.sum(neglected.c.value), 0), 2).label("value"),
        func.coalesce(func.sum(neglected.c.without_rate), 0).label("without_rate"),
    ).subquery("neglect")
    due = sa.select(v.tasks.c.due_at).where(*_tasks(scope))
    open_ = sa.union_all(*(due.where(pending) for pending in _pending(scope))).subquery("open_tasks")
    late = func.count().filter(open_.c.due_at < _until(scope))
    load = sa.select(func.count().label("pending"), late.label("overdue")).select_from(open_).subquery("load")
    return sa.select(
        sa.literal(which).label("which"),
        spoken.c.activities,
        spoken.c.organizers,
        contacts.label("contacts"),
        (reach.c[f"{which}_reached"] / sa.cast(func.nullif(contacts, 0), sa.Numeric)).label("reached"),
        decision_makers.label("decision_makers"),
        (reach.c[f"{which}_decision_makers_reached"] / sa.cast(func.nullif(decision_makers, 0), sa.Numeric)).label(
            "decision_makers_reached"
        ),
        neglect.c.n.label("neglected"),
        neglect.c.value.label("neglected_value"),
        neglect.c.without_rate,
        load.c.pending,
        load.c.overdue,
    ).select_from(sa.join(spoken, reach, sa.true()).join(neglect, sa.true()).join(load, sa.true()))


@question(
    open_opportunities=count("Open opportunities", "Of the accounts in scope"),
    without_next_step=count("Without a next step", "Open opportunities without a pending task or scheduled activity"),
)
def next_steps(scope: Scope) -> Statement:
    """One row: how many open opportunities the accounts have, and how many of them have no next step."""
    accounts, deals = _accounts(scope).subquery("accounts"), v.open_opportunities
    task, done = v.tasks.c, v.done_activities.c
    scheduled = [done.happens_at > _until(scope), *([] if scope.moment is None else [done.known_at < scope.moment])]
    planned = sa.union(
        *(sa.select(task.opportunity_id).where(each, task.opportunity_id.is_not(None)) for each in _pending(scope)),
        sa.select(done.opportunity_id).where(*scheduled, done.opportunity_id.is_not(None)),
    ).subquery("planned")
    without = planned.c.opportunity_id.is_(None)
    return (
        sa.select(func.count().label("open_opportunities"), func.count().filter(without).label("without_next_step"))
        .select_from(
            deals.join(accounts, accounts.c.id == deals.c.organizer_id).outerjoin(
                planned, planned.c.opportunity_id == deals.c.opportunity_id
            )
        )
        .where(sa.or_(*scoped.holds(deals, scope.moment)))
    )


@question(
    day=day("Day", "The last day of seven"),
    activities=ACTIVITIES,
    organizers=count("Organizers spoken to", "Organizers with an activity in the seven days up to the day"),
)
def headline_trend(scope: Scope) -> Statement:
    """Thirteen weekly points that end on the as-of day, oldest first."""
    done = v.done_activities.c
    days = [scope.as_of - timedelta(weeks=TREND_WEEKS - 1 - week) for week in range(TREND_WEEKS)]
    begins = [_begin(day_ - timedelta(days=6), scope) for day_ in days]
    ends = [_begin(day_ + ONE_DAY, scope) for day_ in days]
    columns: tuple[Column[Any], ...] = Column("day", sa.Date), Column("since", v.Moment), Column("until", v.Moment)
    given: tuple[Sequence[date], ...] = days, begins, ends
    arrays = (
        sa.cast(sa.literal(list(values), sa.ARRAY(column.type)), sa.ARRAY(column.type))
        for column, values in zip(columns, given, strict=True)
    )
    week = func.unnest(*arrays).table_valued(*columns, name="week").render_derived()
    in_week = done.happens_at >= week.c.since, done.happens_at < week.c.until
    spoken = _per_organizer(scope, *in_week, within=week).lateral("spoken")
    return (
        sa.select(week.c.day, spoken.c.activities, spoken.c.organizers)
        .select_from(week.join(spoken, sa.true()))
        .order_by(week.c.day)
    )


def _series(numbers: Sequence[int], name: str) -> sa.TableValuedAlias:
    """So many rows of one column with these numbers."""
    series = func.generate_series(numbers[0], numbers[-1])
    return series.table_valued(Column(name, sa.Integer)).render_derived(name=f"each_{name}")


# When ----------------------------------------------------------------------------------------------------


@question(
    weekday=count("Weekday", "1 is Monday"),
    hour=count("Hour", "From this hour until before the next, on the viewer's clock, daylight saving observed"),
    activities=ACTIVITIES,
    per_week=number("Per working week", "Activities / weeks of the period in which anybody in scope did something"),
)
def heatmap(scope: Scope, time_zone: str, kind: Kind | None = None) -> Statement:
    """The activities of the period by weekday and hour in the time zone: 168 rows, Monday's first hour first."""
    counts = _counts(scope, *_period(scope), kind)
    per_quarter = (
        sa.select(counts.c.quarter_hour, func.sum(counts.c.activities).label("n"))
        .group_by(counts.c.quarter_hour)
        .having(func.sum(counts.c.activities) != 0)
        .subquery("per_quarter")
    )
    clock = sa.select(func.timezone(time_zone, per_quarter.c.quarter_hour).label("at"), per_quarter.c.n).cte("clock")
    cells = (
        sa.select(
            sa.cast(func.date_part("isodow", clock.c.at), sa.Integer).label("weekday"),
            sa.cast(func.date_part("hour", clock.c.at), sa.Integer).label("hour"),
            func.sum(clock.c.n).label("n"),
        )
        .group_by("weekday", "hour")
        .subquery("cells")
    )
    weeks = sa.select(func.count(func.date_trunc("week", clock.c.at).distinct())).scalar_subquery()
    weekday, hour = _series(range(1, 8), "weekday"), _series(range(24), "hour")
    n = func.coalesce(cells.c.n, 0)
    return (
        sa.select(
            weekday.c.weekday,
            hour.c.hour,
            n.label("activities"),
            (n / sa.cast(func.nullif(weeks, 0), sa.Numeric)).label("per_week"),
        )
        .select_from(
            sa.join(weekday, hour, sa.true()).outerjoin(
                cells, sa.and_(cells.c.weekday == weekday.c.weekday, cells.c.hour == hour.c.hour)
            )
        )
        .order_by(weekday.c.weekday, hour.c.hour)
    )


@question(day=day("Day"), activities=ACTIVITIES)
def calendar(scope: Scope, kind: Kind | None = None) -> Statement:
    """The activities of each day, also those without any, for 53 weeks from a Monday until the as-of day."""
    first = monday(scope.as_of) - timedelta(weeks=YEAR_WEEKS - 1)
    counts = _counts(scope, _begin(first, scope), _begin(scope.as_of + ONE_DAY, scope), kind)
    per_quarter = (
        sa.select(counts.c.quarter_hour, func.sum(counts.c.activities).label("n"))
        .group_by(counts.c.quarter_hour)
        .subquery("per_quarter")
    )
    local = scoped.day_of(per_quarter.c.quarter_hour, scope).label("day")
    per_day = sa.select(local, func.sum(per_quarter.c.n).label("n")).group_by(local).subquery("per_day")
    each = _series(range((scope.as_of - first).days + 1), "nth")
    day_ = _date(first) + each.c.nth
    return (
        sa.select(day_.label("day"), func.coalesce(per_day.c.n, 0).label("activities"))
        .select_from(each.outerjoin(per_day, per_day.c.day == day_))
        .order_by("day")
    )


def monday(day_: date) -> date:
    """The Monday of the day's week."""
    return day_ - timedelta(days=day_.weekday())


@question(week=day("Week", "Its Monday"), type=text("Type"), activities=ACTIVITIES)
def by_type(scope: Scope) -> Statement:
    """The activities of each week and type, also where there are none, for 26 weeks until the as-of day."""
    first = monday(scope.as_of) - timedelta(weeks=TYPE_WEEKS - 1)
    counts = _counts(scope, _begin(first, scope), _begin(scope.as_of + ONE_DAY, scope))
    per_quarter = (
        sa.select(counts.c.quarter_hour, counts.c.type, func.sum(counts.c.activities).label("n"))
        .group_by(counts.c.quarter_hour, counts.c.type)
        .subquery("per_quarter")
    )
    nth = ((scoped.day_of(per_quarter.c.quarter_hour, scope) - _date(first)) // 7).label("nth")
    per_week = (
        sa.select(nth, per_quarter.c.type, func.sum(per_quarter.c.n).label("n"))
        .group_by(nth, per_quarter.c.type)
        .subquery("per_week")
    )
    each = _series(range(TYPE_WEEKS), "nth")
    types = sa.values(Column("place", sa.Integer), Column("type", sa.Text), name="types").data(list(enumerate(KINDS)))
    return (
        sa.select(
            (_date(first) + each.c.nth * 7).label("week"),
            types.c.type,
            func.coalesce(per_week.c.n, 0).label("activities"),
        )
        .select_from(
            sa.join(each, types, sa.true()).outerjoin(
                per_week, sa.and_(per_week.c.nth == each.c.nth, per_week.c.type == types.c.type)
            )
        )
        .order_by("week", types.c.place)
    )


# Records -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """Which activities: of an hour of the week in a time zone, of a day, of a week (its Monday), and of what.

    Those of an hour are the period's, those of a week or day its own; with an organizer, whoever did them.
    """

    weekday: int | None = None
    hour: int | None = None
    time_zone: str = "UTC"
    day: date | None = None
    week: date | None = None
    kind: Kind | None = None
    organizer_id: UUID | None = None


@question(
    activity_id=identifier("Activity"),
    organizer_id=identifier("Organizer"),
    at=moment("When"),
    type=text("Type"),
    subject=text("Subject"),
    organizer=text("Organizer"),
    contact=text("Contact"),
    opportunity=text("Opportunity"),
    person=text("By", "Who did it"),
    minutes=count("Minutes"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def activities(scope: Scope, cell: Cell | None = None, limit: int = 1000) -> Statement:
    """The activities behind a cell, the latest first; without one, those of the period."""
    cell = cell or Cell()
    done, conditions = v.done_activities.c, _happened(scope)
    start, end = _period(scope)
    if cell.day is not None:
        start, end = _begin(cell.day, scope), _begin(cell.day + ONE_DAY, scope)
    elif cell.week is not None:
        start, end = _begin(cell.week, scope), _begin(min(cell.week + timedelta(days=7), scope.as_of + ONE_DAY), scope)
    if cell.organizer_id is None:
        conditions += _by_us(scope)
    else:
        conditions.append(done.organizer_id == cell.organizer_id)
    if cell.organizer_id is None or cell.day is not None or cell.week is not None:
        conditions += [done.happens_at >= start, done.happens_at < end]
    if cell.kind is not None:
        conditions.append(done.type == cell.kind)
    found = sa.select(v.done_activities).where(*conditions)
    if cell.weekday is not None:
        # Each quarter of an hour that lies in the cell finds its activities in the index; the offset keeps it so.
        quarter = _quarters(cell, start, end)
        within = done.happens_at >= quarter.c.begin, done.happens_at < quarter.c.begin + QUARTER
        theirs = found.where(*within).offset(0).lateral("theirs")
        found = sa.select(theirs).select_from(quarter.join(theirs, sa.true()))
    each = found.subquery("each_activity")
    rows = (
        sa.select(each, func.count().over().label("total"))
        .order_by(each.c.happens_at.desc(), each.c.activity_id)
        .limit(limit)
        .subquery("done")
    )
    return (
        sa.select(
            rows.c.activity_id,
            rows.c.organizer_id,
            rows.c.happens_at.label("at"),
            rows.c.type,
            rows.c.subject,
            scoped.organizer_name(),
            v.contacts.c.full_name.label("contact"),
            v.opportunities.c.name.label("opportunity"),
            scoped.name_of(rows.c.user_id).label("person"),
            rows.c.duration_minutes.label("minutes"),
            rows.c.total,
        )
        .select_from(
            rows.outerjoin(v.organizers, v.organizers.c.id == rows.c.organizer_id)
            .outerjoin(v.contacts, v.contacts.c.id == rows.c.contact_id)
            .outerjoin(v.opportunities, v.opportunities.c.id == rows.c.opportunity_id)
            .outerjoin(v.profiles, v.profiles.c.user_id == rows.c.user_id)
        )
        .order_by(rows.c.happens_at.desc(), rows.c.activity_id)
    )


def _quarters(cell: Cell, start: datetime, end: datetime) -> sa.Subquery:
    """The quarters of an hour that lie in the cell."""
    moments = (sa.literal(moment_, v.Moment) for moment_ in (start, end - QUARTER))
    series = func.generate_series(*moments, sa.literal(QUARTER, sa.Interval))
    quarter = series.table_valued(Column("begin", v.Moment)).render_derived(name="quarter")
    local = func.timezone(cell.time_zone, quarter.c.begin)
    return (
        sa.select(quarter.c.begin)
        .where(func.date_part("isodow", local) == cell.weekday, func.date_part("hour", local) == cell.hour)
        .subquery("quarters")
    )


# Accounts ------------------------------------------------------------------------------------------------


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    value=OPEN_VALUE,
    week=day("Week", "Its Monday"),
    activities=count("Activities", "With the organizer in the week, whoever did them"),
)
def top_accounts(scope: Scope, most: int = 10) -> Statement:
    """The accounts with the most open value, the largest first, each by week for 13 weeks until the as-of day."""
    first = monday(scope.as_of) - timedelta(weeks=ACCOUNT_WEEKS - 1)
    valued, done = _valued(scope), v.done_activities.c
    top = (
        sa.select(valued, func.round(func.coalesce(valued.c.value, 0), 2).label("rounded"))
        .order_by(valued.c.value.desc().nulls_last(), valued.c.id)
        .limit(most)
        .cte("top")
    )
    nth = ((scoped.day_of(done.happens_at, scope) - _date(first)) // 7).label("nth")
    weekly = (
        sa.select(done.organizer_id, nth, func.count().label("n"))
        .where(
            done.organizer_id.in_(sa.select(top.c.id)),
            done.happens_at >= _begin(first, scope),
            done.happens_at < _begin(scope.as_of + ONE_DAY, scope),
            *_happened(scope),
        )
        .group_by(done.organizer_id, nth)
        .subquery("weekly")
    )
    each = _series(range(ACCOUNT_WEEKS), "nth")
    return (
        sa.select(
            top.c.id.label("organizer_id"),
            top.c.company_name.label("organizer"),
            scoped.name_of(top.c.assigned_to).label("owner"),
            top.c.rounded.label("value"),
            (_date(first) + each.c.nth * 7).label("week"),
            func.coalesce(weekly.c.n, 0).label("activities"),
        )
        .select_from(
            sa.join(top, each, sa.true())
            .outerjoin(weekly, sa.and_(weekly.c.organizer_id == top.c.id, weekly.c.nth == each.c.nth))
            .outerjoin(v.profiles, v.profiles.c.user_id == top.c.assigned_to)
        )
        .order_by(top.c.value.desc().nulls_last(), top.c.id, "week")
    )


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    value=OPEN_VALUE,
    opportunities=count("Open opportunities"),
    without_rate=count("Without a rate", "Of them in a currency without an exchange rate: not in the value"),
    last_activity=moment("Last activity", "Missing where there never was one"),
    days_silent=days("Silent for", "Times 24 hours since the last activity"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def neglected(scope: Scope, limit: int = 1000) -> Statement:
    """Accounts with open opportunities and no activity in the last 30 days, the most open value first.

    The values add up to the total rounded once.
    """
    found, done = _neglected(scope), v.done_activities.c
    rows = (
        sa.select(
            found,
            func.coalesce(scoped.up_to_the_cent(found.c.value, [found.c.id]), 0).label("rounded"),
            func.count().over().label("total"),
        )
        .order_by(found.c.value.desc().nulls_last(), found.c.id)
        .limit(limit)
        .subquery("rows")
    )
    last = (
        sa.select(func.max(done.happens_at).label("at"))
        .where(done.organizer_id == rows.c.id, *_happened(scope))
        .lateral("last")
    )
    silent = func.floor(func.date_part("epoch", _until(scope) - last.c.at) / 86400)
    return (
        sa.select(
            rows.c.id.label("organizer_id"),
            rows.c.company_name.label("organizer"),
            scoped.name_of(rows.c.assigned_to).label("owner"),
            rows.c.rounded.label("value"),
            rows.c.opportunities,
            func.coalesce(rows.c.without_rate, 0).label("without_rate"),
            last.c.at.label("last_activity"),
            silent.label("days_silent"),
            rows.c.total,
        )
        .select_from(rows.outerjoin(last, sa.true()).outerjoin(v.profiles, v.profiles.c.user_id == rows.c.assigned_to))
        .order_by(rows.c.value.desc().nulls_last(), rows.c.id)
    )


@question(
    organizer=text("Organizer"),
    owner=OWNER,
    value=OPEN_VALUE,
    opportunities=count("Open opportunities"),
    score=SCORE,
    last_activity=moment("Last activity"),
    contacts=count("Contacts"),
    reached=count("Contacts reached", "With an activity in the last 90 days"),
)
def account(scope: Scope, organizer_id: UUID) -> Statement:
    """One organizer, in one row, whatever the filters; none where the viewer can't see it or it is archived."""
    alone = replace(scope, owners=None, industries=(), company_sizes=(), lead_sources=())
    accounts, valued, contacts = _accounts(alone).subquery("account"), _valued(alone), _contacts(alone)
    scores, done = _scores(alone).subquery("scores"), v.done_activities.c
    people = (
        sa.select(func.count().label("n"), func.count().filter(contacts.c.is_reached).label("reached"))
        .where(contacts.c.organizer_id == organizer_id)
        .subquery("people")
    )
    latest = sa.select(func.max(done.happens_at)).where(done.organizer_id == organizer_id, *_happened(scope))
    return (
        sa.select(
            accounts.c.company_name.label("organizer"),
            scoped.name_of(accounts.c.assigned_to).label("owner"),
            func.round(func.coalesce(valued.c.value, 0), 2).label("value"),
            func.coalesce(valued.c.opportunities, 0).label("opportunities"),
            scores.c.score,
            latest.scalar_subquery().label("last_activity"),
            people.c.n.label("contacts"),
            people.c.reached,
        )
        .select_from(
            accounts.outerjoin(valued, valued.c.id == accounts.c.id)
            .outerjoin(scores, scores.c.organizer_id == accounts.c.id)
            .outerjoin(v.profiles, v.profiles.c.user_id == accounts.c.assigned_to)
            .join(people, sa.true())
        )
        .where(accounts.c.id == organizer_id)
    )


# Contacts ------------------------------------------------------------------------------------------------


@question(
    owner_id=identifier("Owner"),
    owner=OWNER,
    contacts=count("Contacts"),
    reached=count("Reached", "Contacts with an activity in the last 90 days"),
    reached_share=share("Share reached", "Reached / all contacts"),
    decision_makers=count("Decision makers"),
    decision_makers_reached=count("Decision makers reached", "Decision makers with an activity in the last 90 days"),
    decision_makers_share=share("Share of decision makers", "Reached / all decision makers"),
)
def reach(scope: Scope) -> Statement:
    """How many of their accounts' contacts each owner has reached in 90 days, the smallest share of deciders first."""
    contacts = _contacts(scope)
    decides = contacts.c.is_decision_maker
    grouped = (
        sa.select(
            contacts.c.assigned_to,
            func.count().label("n"),
            func.count().filter(contacts.c.is_reached).label("reached"),
            func.count().filter(decides).label("deciding"),
            func.count().filter(decides, contacts.c.is_reached).label("deciding_reached"),
        )
        .group_by(contacts.c.assigned_to)
        .subquery("grouped")
    )
    deciding_share = grouped.c.deciding_reached / sa.cast(func.nullif(grouped.c.deciding, 0), sa.Numeric)
    return (
        sa.select(
            grouped.c.assigned_to.label("owner_id"),
            scoped.name_of(grouped.c.assigned_to).label("owner"),
            grouped.c.n.label("contacts"),
            grouped.c.reached,
            (grouped.c.reached / sa.cast(grouped.c.n, sa.Numeric)).label("reached_share"),
            grouped.c.deciding.label("decision_makers"),
            grouped.c.deciding_reached.label("decision_makers_reached"),
            deciding_share.label("decision_makers_share"),
        )
        .select_from(grouped.outerjoin(v.profiles, v.profiles.c.user_id == grouped.c.assigned_to))
        .order_by(deciding_share.nulls_last(), grouped.c.assigned_to)
    )


@question(
    contact_id=identifier("Contact"),
    organizer_id=identifier("Organizer"),
    contact=text("Contact"),
    title=text("Title"),
    decides=flag("Decision maker"),
    organizer=text("Organizer"),
    value=OPEN_VALUE,
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def unreached(scope: Scope, owner: UUID | Literal["nobody"] | None = None, limit: int = 1000) -> Statement:
    """Contacts without an activity in the last 90 days, of one owner's accounts or all in scope.

    Decision makers first, those of the accounts with the most open value before others.
    """
    contacts, valued = _contacts(scope), _valued(scope)
    chosen = [sa.not_(contacts.c.is_reached)]
    if owner is not None:
        chosen.append(contacts.c.assigned_to.is_(None) if owner == "nobody" else contacts.c.assigned_to == owner)
    value = func.round(func.coalesce(valued.c.value, 0), 2)
    return (
        sa.select(
            contacts.c.id.label("contact_id"),
            contacts.c.organizer_id,
            contacts.c.full_name.label("contact"),
            contacts.c.title,
            contacts.c.is_decision_maker.label("decides"),
            contacts.c.company_name.label("organizer"),
            value.label("value"),
            func.count().over().label("total"),
        )
        .select_from(contacts.outerjoin(valued, valued.c.id == contacts.c.organizer_id))
        .where(*chosen)
        .order_by(contacts.c.is_decision_maker.desc(), value.desc(), contacts.c.id)
        .limit(limit)
    )


# Tasks ---------------------------------------------------------------------------------------------------


@question(
    owner_id=identifier("Person"),
    person=text("Person", "Whose the tasks are"),
    pending=count("Pending", "Neither completed nor cancelled"),
    overdue=count("Overdue", "Pending, and due before now"),
    completed=count("Completed", "In the period"),
    on_time=count("On time", "Completed in the period, not after they were due"),
    on_time_share=share("Share on time", "On time / completed in the period"),
)
def task_load(scope: Scope) -> Statement:
    """The tasks of each person, whoever has the most overdue first."""
    task = v.tasks.c
    late = func.count().filter(task.due_at < _until(scope))
    open_ = sa.select(
        task.user_id, func.count().label("pending"), late.label("overdue"),
        sa.literal(0).label("completed"), sa.literal(0).label("on_time"),
    ).where(sa.or_(*_pending(scope)), *_tasks(scope)).group_by(task.user_id)  # fmt: skip
    in_time = func.count().filter(task.completed_at <= task.due_at)
    done = sa.select(
        task.user_id, sa.literal(0), sa.literal(0), func.count(), in_time,
    ).where(*_completed(scope), *_tasks(scope)).group_by(task.user_id)  # fmt: skip
    both = sa.union_all(open_, done).subquery("both")
    load = (
        sa.select(
            both.c.user_id,
            *(func.sum(both.c[name]).label(name) for name in ("pending", "overdue", "completed", "on_time")),
        )
        .group_by(both.c.user_id)
        .subquery("load")
    )
    return (
        sa.select(
            load.c.user_id.label("owner_id"),
            scoped.name_of(load.c.user_id).label("person"),
            load.c.pending,
            load.c.overdue,
            load.c.completed,
            load.c.on_time,
            (load.c.on_time / sa.cast(func.nullif(load.c.completed, 0), sa.Numeric)).label("on_time_share"),
        )
        .select_from(load.outerjoin(v.profiles, v.profiles.c.user_id == load.c.user_id))
        .order_by(load.c.overdue.desc(), load.c.pending.desc(), load.c.user_id)
    )


@question(
    task_id=identifier("Task"),
    organizer_id=identifier("Organizer"),
    user_id=identifier("Person"),
    version=count("Version"),
    subject=text("Task"),
    organizer=text("Organizer"),
    person=text("Person"),
    due=moment("Due"),
    is_overdue=flag("Overdue"),
    in_sight=flag("Organizer in sight", "Whether the viewer may see the organizer"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def tasks(scope: Scope, person: UUID | None = None, organizer_id: UUID | None = None, limit: int = 1000) -> Statement:
    """Pending tasks, the longest due first: of one person, of one organizer, or all in scope."""
    task, conditions = v.tasks.c, [sa.or_(*_pending(scope))]
    conditions += _tasks(scope) if organizer_id is None else [task.organizer_id == organizer_id]
    if person is not None:
        conditions.append(task.user_id == person)
    rows = (
        sa.select(v.tasks, func.count().over().label("total"))
        .where(*conditions)
        .order_by(task.due_at, task.task_id)
        .limit(limit)
        .subquery("pending")
    )
    return (
        sa.select(
            rows.c.task_id,
            rows.c.organizer_id,
            rows.c.user_id,
            rows.c.version,
            rows.c.subject,
            scoped.organizer_name(),
            scoped.name_of(rows.c.user_id).label("person"),
            rows.c.due_at.label("due"),
            (rows.c.due_at < _until(scope)).label("is_overdue"),
            v.organizers.c.id.is_not(None).label("in_sight"),
            rows.c.total,
        )
        .select_from(
            rows.outerjoin(v.organizers, v.organizers.c.id == rows.c.organizer_id).outerjoin(
                v.profiles, v.profiles.c.user_id == rows.c.user_id
            )
        )
        .order_by(rows.c.due_at, rows.c.task_id)
    )


# Scores --------------------------------------------------------------------------------------------------


@question(
    band=count("Band", "0 for a score of 0, then 1 to 5 for each twenty points"),
    lowest=count("From", "Engagement score, 0 to 100, high is good"),
    highest=count("To"),
    organizers=count("Organizers", "With a score in the band; archived ones are left out"),
)
def score_bands(scope: Scope) -> Statement:
    """How many organizers have which engagement score: six rows, the lowest first."""
    accounts, scores = _accounts(scope).subquery("accounts"), _scores(scope).subquery("scores")
    band = func.ceil(scores.c.score / 20.0)
    counted = (
        sa.select(band.label("band"), func.count().label("n"))
        .select_from(accounts.join(scores, scores.c.organizer_id == accounts.c.id))
        .group_by("band")
        .subquery("counted")
    )
    bands = sa.values(
        Column("band", sa.Integer), Column("lowest", sa.Integer), Column("highest", sa.Integer), name="bands"
    ).data([(place, *ends) for place, ends in enumerate(BANDS)])
    return (
        sa.select(bands.c.band, bands.c.lowest, bands.c.highest, func.coalesce(counted.c.n, 0).label("organizers"))
        .select_from(bands.outerjoin(counted, counted.c.band == bands.c.band))
        .order_by(bands.c.band)
    )


@question(
    organizer_id=identifier("Organizer"),
    organizer=text("Organizer"),
    owner=OWNER,
    score=SCORE,
    before=count("Score before", "As the last refresh by 30 days earlier left it; missing where there is none"),
    change=count("Change", "Score − score before"),
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def scored(
    scope: Scope, band: int | None = None, only: Literal["risen", "fallen"] | None = None, limit: int = 1000
) -> Statement:
    """Organizers with their engagement score, those that moved most in 30 days first; of a band, or a direction."""
    accounts, now = _accounts(scope).subquery("accounts"), _scores(scope).subquery("now")
    earlier = _scores(scope, scope.as_of - MOVED_OVER).subquery("earlier")
    change = now.c.score - earlier.c.score
    conditions: list[ColumnElement[bool]] = []
    if band is not None:
        conditions.append(now.c.score.between(*BANDS[band]))
    if only is not None:
        conditions.append(change > 0 if only == "risen" else change < 0)
    return (
        sa.select(
            accounts.c.id.label("organizer_id"),
            accounts.c.company_name.label("organizer"),
            scoped.name_of(accounts.c.assigned_to).label("owner"),
            now.c.score,
            earlier.c.score.label("before"),
            change.label("change"),
            func.count().over().label("total"),
        )
        .select_from(
            accounts.join(now, now.c.organizer_id == accounts.c.id)
            .outerjoin(earlier, earlier.c.organizer_id == accounts.c.id)
            .outerjoin(v.profiles, v.profiles.c.user_id == accounts.c.assigned_to)
        )
        .where(*conditions)
        .order_by(func.abs(change).desc().nulls_last(), accounts.c.company_name, accounts.c.id)
        .limit(limit)
    )
