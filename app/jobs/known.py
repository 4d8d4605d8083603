"""What is known of the whole company, as the estimates take it: frames of numbers, days counted from 1970-01-01.

Read with the owner's login, so that a model learns from everybody's rows whoever starts it. Organizers are numbered in
the order of their ids.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Date, Double, Integer, Text, func

from app.estimates import win
from app.estimates.churn import NEVER, STRETCH, Past
from app.jobs import columns
from queries import vocabulary as v
from queries.scope import end_of

EPOCH: Final = dt.date(1970, 1, 1)

LEARNT_FROM: Final = 40_000
"""Opportunities, about, that the win model learns from: a random part of a large company's, which changes nothing but
the time."""

REACHED_DAYS: Final = 90


@dataclass(frozen=True)
class Calendar:
    """The organisation's today."""

    today: dt.date
    zone: str
    currency: str

    @property
    def number(self) -> int:
        """The day as the estimates count it."""
        return (self.today - EPOCH).days


def calendar(connection: Connection) -> Calendar:
    """The organisation's today, time zone and report currency."""
    settings = sa.table("crm_settings", sa.column("time_zone", Text), sa.column("report_currency", Text))
    row = connection.execute(
        sa.select(func.app.today(type_=Date), settings.c.time_zone, settings.c.report_currency)
    ).one()
    return Calendar(*row)


def organizers(connection: Connection, calendar: Calendar) -> pd.DataFrame:
    """One row per organizer in the order of the ids.

    id, engagement (as of now), open_opportunities, won and expected (money in the report currency, Decimal),
    decision_makers (contacts who decide), reached (those of them with an activity in REACHED_DAYS).
    """
    deals, closed = v.open_opportunities, v.closed_opportunities
    rates, is_todays = _rates(deals, calendar.today)
    closing_rates, is_the_day_s = _rates(closed, closed.c.closed_on)
    open_now = (
        sa.select(
            deals.c.organizer_id,
            func.count().label("n"),
            func.sum(deals.c.value * deals.c.probability / 100 * rates.c.rate).label("expected"),
        )
        .select_from(deals.outerjoin(rates, is_todays))
        .where(deals.c.valid_to.is_(None))
        .group_by(deals.c.organizer_id)
        .subquery()
    )
    won = (
        sa.select(closed.c.organizer_id, func.sum(closed.c.value * closing_rates.c.rate).label("value"))
        .select_from(closed.outerjoin(closing_rates, is_the_day_s))
        .where(closed.c.valid_to.is_(None), closed.c.outcome == "won")
        .group_by(closed.c.organizer_id)
        .subquery()
    )
    done = v.done_activities
    lately = func.now() - dt.timedelta(days=REACHED_DAYS)
    spoken_to = (
        sa.select(done.c.contact_id)
        .where(done.c.happens_at > lately, done.c.happens_at <= func.now(), done.c.contact_id.is_not(None))
        .distinct()
        .subquery()
    )
    people = (
        sa.select(
            v.contacts.c.organizer_id, func.count().label("n"), func.count(spoken_to.c.contact_id).label("reached")
        )
        .select_from(v.contacts.outerjoin(spoken_to, spoken_to.c.contact_id == v.contacts.c.id))
        .where(v.contacts.c.is_decision_maker)
        .group_by(v.contacts.c.organizer_id)
        .subquery()
    )
    every = v.organizers
    return _frame(
        connection,
        sa.select(
            every.c.id,
            v.organizer_engagement.c.score.label("engagement"),
            func.coalesce(open_now.c.n, 0).label("open_opportunities"),
            func.round(func.coalesce(won.c.value, 0), 2).label("won"),
            func.round(func.coalesce(open_now.c.expected, 0), 2).label("expected"),
            func.coalesce(people.c.n, 0).label("decision_makers"),
            func.coalesce(people.c.reached, 0).label("reached"),
        )
        .select_from(
            every.join(v.organizer_engagement, v.organizer_engagement.c.organizer_id == every.c.id)
            .outerjoin(open_now, open_now.c.organizer_id == every.c.id)
            .outerjoin(won, won.c.organizer_id == every.c.id)
            .outerjoin(people, people.c.organizer_id == every.c.id)
        )
        .order_by(every.c.id),
    )


def past(connection: Connection, calendar: Calendar, ids: pd.Series) -> Past:
    """What the churn model and the health score look back on; `ids` number the organizers."""
    numbers = columns.bytes_of(ids)
    told = v.event_answers.c
    answers = _numbered(
        numbers,
        columns.read(
            connection,
            sa.select(
                told.organizer_id.label("organizer"),
                _number(told.event_date).label("day"),
                sa.cast(told.satisfaction, Double).label("satisfaction"),
            ).where(told.event_date <= calendar.today),
            dealt_by="organizer",
        ),
    )
    held = pd.concat([_events(connection, calendar, numbers), answers[["organizer", "day"]]]).drop_duplicates()
    events = held.assign(is_event=True, value=0.0, known_from=held["day"], known_until=NEVER)
    return Past(
        len(numbers),
        calendar.number,
        _in_order(pd.concat([events, _wins(connection, calendar, numbers)])),
        _in_order(answers.dropna()),
        _activities(connection, calendar, numbers),
    )


def _numbered(numbers: columns.Column, found: dict[str, columns.Column]) -> pd.DataFrame:
    """The rows with the organizers' numbers, without those of organizers that have come since."""
    frame = pd.DataFrame(found | {"organizer": columns.numbered(found["organizer"], numbers)})
    return frame[frame["organizer"] >= 0]


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """In one order whatever the database's: sums of fractions depend on it in their last digit."""
    return frame.sort_values(list(frame.columns), ignore_index=True)


def _events(connection: Connection, calendar: Calendar, numbers: columns.Column) -> pd.DataFrame:
    """Events held."""
    held = v.events.c
    statement = sa.select(held.organizer_id.label("organizer"), _number(held.event_date).label("day")).where(
        held.event_date <= calendar.today
    )
    return _numbered(numbers, columns.read(connection, statement, dealt_by="organizer"))


def _wins(connection: Connection, calendar: Calendar, numbers: columns.Column) -> pd.DataFrame:
    """Deals won, also those that were taken back later; known from when they were recorded."""
    deals = v.closed_opportunities
    rates, is_the_day_s = _rates(deals, deals.c.closed_on)
    statement = (
        sa.select(
            deals.c.organizer_id.label("organizer"),
            _number(deals.c.closed_on).label("day"),
            sa.false().label("is_event"),
            sa.cast(func.coalesce(deals.c.value * rates.c.rate, 0), Double).label("value"),
            _number(_day_of(deals.c.valid_from, calendar)).label("known_from"),
            sa.cast(func.coalesce(_number(_day_of(deals.c.valid_to, calendar)), NEVER), sa.BigInteger).label(
                "known_until"
            ),
        )
        .select_from(deals.outerjoin(rates, is_the_day_s))
        .where(deals.c.outcome == "won", deals.c.closed_on <= calendar.today)
    )
    return _numbered(numbers, columns.read(connection, statement, dealt_by="organizer"))


def _activities(connection: Connection, calendar: Calendar, numbers: columns.Column) -> pd.DataFrame:
    """Counted by stretches of whole 24 hours back from the end of today: converting millions of days takes a minute."""
    done = v.done_activities
    end = func.date_part("epoch", sa.literal(end_of(calendar.today, calendar.zone), v.Moment))

    def stretch(moment: ColumnElement[Any]) -> ColumnElement[int]:
        seconds = end - func.date_part("epoch", moment)
        return sa.cast(func.floor(seconds / (STRETCH * 86400.0)), Integer)

    ago = stretch(done.c.happens_at).label("stretch")
    rows = (
        sa.select(
            done.c.organizer_id.label("organizer"),
            done.c.user_id.label("colleague"),
            ago,
            func.least(ago, stretch(done.c.known_at), type_=Integer).label("known"),
            sa.and_(done.c.opportunity_id.is_(None), done.c.type != "event").label("is_free"),
        )
        .where(done.c.happens_at <= func.now(), done.c.organizer_id.is_not(None))
        .subquery()
    )
    grain = rows.c.organizer, rows.c.colleague, rows.c.stretch, rows.c.known
    counted = (func.count().label("n"), func.count().filter(rows.c.is_free).label("free"))
    found = columns.read(
        connection,
        sa.select(*grain, *(sa.cast(count, Integer).label(count.name) for count in counted)).group_by(*grain),
        dealt_by="organizer",
    )
    return _numbered(numbers, found | {"colleague": columns.codes(found["colleague"])[0]})


# Opportunities -------------------------------------------------------------------------------------------


def opportunities(connection: Connection, calendar: Calendar) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The opportunities that were open on past days, with what came of them, and those that are open now.

    As `estimates.win` takes them. Those open now also have organizer_id, stage and has_next_step; their health is the
    last one that was written.
    """
    first = v.opportunity_history
    count = connection.scalar(sa.select(func.count()).select_from(v.opportunities)) or 0
    share = min(1.0, LEARNT_FROM / max(count, 1))
    chosen = UUID(int=(int(share * 2**64) << 64) - 1)
    began = _day_of(first.c.created_at, calendar)
    rates, is_the_day_s = _rates(first, began)
    usual = _frame(
        connection,
        sa.select(
            first.c.assigned_to.label("owner"),
            _number(began).label("day"),
            sa.cast(first.c.value * rates.c.rate, Double).label("value"),
        )
        .select_from(first.outerjoin(rates, is_the_day_s))
        .where(first.c.seq == 1, first.c.opportunity_id <= chosen, first.c.assigned_to.is_not(None)),
    )
    closings = _closings(connection, calendar, chosen)
    frames = []
    for back in range(win.MOST_CUTOFFS, 0, -1):
        day = calendar.today - dt.timedelta(days=win.SPACING * back)
        frame = _open_on(connection, calendar, day, usual, lambda deals: deals.c.opportunity_id <= chosen)
        following = closings[closings["known"] > frame["cutoff"].max()] if len(frame) else closings
        following = following.drop_duplicates("opportunity_id").set_index("opportunity_id")
        frame["outcome"] = frame["opportunity_id"].map(following["outcome"]).fillna("open")
        frame["closed"] = frame["opportunity_id"].map(following["closed"]).astype(float)
        frames.append(frame)
    today = _open_on(connection, calendar, calendar.today, usual, lambda deals: deals.c.valid_to.is_(None))
    return pd.concat(frames, ignore_index=True), today


def _open_on(
    connection: Connection, calendar: Calendar, day: dt.date, usual: pd.DataFrame, chosen: Any
) -> pd.DataFrame:
    """The chosen opportunities that were open at the end of a day, as they stood then."""
    deals, history, done = v.open_opportunities, v.opportunity_history, v.done_activities
    end = end_of(day, calendar.zone)
    holds = sa.and_(
        deals.c.valid_from < end, sa.or_(deals.c.valid_to.is_(None), deals.c.valid_to >= end), chosen(deals)
    )
    there = sa.select(deals).where(holds).cte("there")
    before = func.lag(history.c.expected_close_date).over(
        partition_by=history.c.opportunity_id, order_by=history.c.valid_from
    )
    moves = (
        sa.select(
            history.c.opportunity_id,
            (func.date_trunc("month", history.c.expected_close_date) > func.date_trunc("month", before)).label(
                "is_slip"
            ),
        )
        .where(history.c.valid_from < end, history.c.opportunity_id.in_(sa.select(there.c.opportunity_id)))
        .subquery()
    )
    slips = (
        sa.select(moves.c.opportunity_id, func.count().filter(moves.c.is_slip).label("n"))
        .group_by(moves.c.opportunity_id)
        .subquery()
    )
    lately = (
        sa.select(done.c.opportunity_id, func.count().label("n"))
        .where(
            done.c.happens_at > end - dt.timedelta(days=30),
            done.c.happens_at <= func.least(end, func.now()),
            done.c.known_at < end,
            done.c.opportunity_id.is_not(None),
        )
        .group_by(done.c.opportunity_id)
        .subquery()
    )
    scores = v.organizer_scores
    latest = sa.select(func.max(scores.c.scored_on)).where(scores.c.scored_on <= day).scalar_subquery()
    scored_then = sa.and_(scores.c.organizer_id == there.c.organizer_id, scores.c.scored_on == latest)
    rates, is_the_day_s = _rates(there, day)
    stages = v.stages_over_time
    is_now = sa.and_(stages.c.stage_id == there.c.stage_id, stages.c.valid_to.is_(None))
    step = v.activities
    steps = sa.exists().where(
        step.c.opportunity_id == there.c.opportunity_id,
        sa.or_(
            step.c.task_status == "pending", sa.and_(step.c.task_status.is_(None), step.c.activity_date > func.now())
        ),
    )
    found = _frame(
        connection,
        sa.select(
            there.c.opportunity_id,
            there.c.organizer_id,
            there.c.assigned_to.label("owner"),
            func.coalesce(stages.c.name, "its stage").label("stage"),
            sa.literal((day - EPOCH).days, Integer).label("cutoff"),
            _number(_day_of(there.c.created_at, calendar)).label("created"),
            _number(_day_of(func.coalesce(there.c.stage_entered_at, there.c.created_at), calendar)).label("entered"),
            _number(there.c.expected_close_date).label("expected"),
            there.c.probability,
            sa.cast(there.c.value * rates.c.rate, Double).label("value"),
            func.coalesce(lately.c.n, 0).label("activities"),
            func.coalesce(slips.c.n, 0).label("slips"),
            (steps if day == calendar.today else sa.false()).label("has_next_step"),
            scores.c.health_score.label("health"),
        )
        .select_from(
            there.outerjoin(stages, is_now)
            .outerjoin(slips, slips.c.opportunity_id == there.c.opportunity_id)
            .outerjoin(lately, lately.c.opportunity_id == there.c.opportunity_id)
            .outerjoin(rates, is_the_day_s)
            .outerjoin(scores, scored_then)
        )
        .order_by(there.c.opportunity_id),
    )
    medians = usual[usual["day"] <= (day - EPOCH).days].groupby("owner")["value"].median()
    found["usual_value"] = found["owner"].map(medians)
    numbers = ["expected", "probability", "value", "usual_value", "health"]
    return found.astype(dict.fromkeys(numbers, float))


def _closings(connection: Connection, calendar: Calendar, chosen: UUID) -> pd.DataFrame:
    """What was decided when, in the order in which it was recorded."""
    deals = v.closed_opportunities
    return _frame(
        connection,
        sa.select(
            deals.c.opportunity_id,
            deals.c.outcome,
            _number(deals.c.closed_on).label("closed"),
            _number(_day_of(deals.c.valid_from, calendar)).label("known"),
        )
        .where(deals.c.opportunity_id <= chosen)
        .order_by(deals.c.valid_from),
    )


# Columns -------------------------------------------------------------------------------------------------


def _frame(connection: Connection, statement: Any) -> pd.DataFrame:
    """Column by column: pandas looks at every row for what it might be, which takes longer than the database."""
    result = connection.execute(statement)
    names, rows = list(result.keys()), result.all()
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pd.DataFrame({name: pd.Series(values) for name, values in zip(names, columns, strict=True)})


def _number(day: ColumnElement[Any]) -> ColumnElement[int]:
    return sa.type_coerce(day - sa.literal(EPOCH, Date), Integer)


def _day_of(moment: ColumnElement[Any], calendar: Calendar) -> ColumnElement[dt.date]:
    return sa.cast(func.timezone(calendar.zone, moment), Date)


def _rates(deals: sa.FromClause, day: ColumnElement[Any] | dt.date) -> tuple[sa.FromClause, ColumnElement[bool]]:
    """Units of the report currency for one of the deal's on the day, to be joined; no row where none was known."""
    rates = v.exchange_rates_over_time.alias()
    return rates, sa.and_(rates.c.currency == deals.c.currency, rates.c.first_day <= day, rates.c.next_day > day)
