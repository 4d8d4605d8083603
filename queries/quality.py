"""Which rows make numbers on other pages less than true, and what to do about each: the questions of Data quality.

The rows are the viewer's; nothing else filters them. `queries/views/data_problems.sql` finds them, and here stands what
each problem is called, which number it moves, and what ends it.
"""

from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Text, func

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import Scope
from queries.units import count, identifier, text

Problem = Literal[
    "history_unreadable", "history_amount", "satisfaction_wrong", "satisfaction_missing", "won_without_events",
    "organizer_twice", "no_contacts", "no_decision_maker", "organizer_without_owner", "organizer_of_leaver",
    "overdue", "undated", "worthless", "open_without_rate", "closed_without_rate", "opportunity_without_owner",
    "opportunity_of_leaver", "stage_out_of_use", "activity_far_ahead", "task_undated", "task_of_leaver",
    "contact_time_zone", "person_time_zone", "target_without_rate",
]  # fmt: skip

# Title, what it does to which number, what ends it; the most harmful first: money left out, then money at the wrong
# time or with the wrong person, then health and engagement.
PROBLEMS: Final[dict[Problem, tuple[str, str, str]]] = {
    "open_without_rate": (
        "Open opportunities without an exchange rate",
        "In no money total: open value, expected revenue and forecast are too low.",
        "Enter an exchange rate for the currency, or correct the currency.",
    ),
    "closed_without_rate": (
        "Won or lost without an exchange rate",
        "In no won or lost value, nor in what organizers are worth.",
        "Enter an exchange rate dated on or before the closing date, or correct the currency.",
    ),
    "target_without_rate": (
        "Targets without an exchange rate",
        "The team’s target is too low, and its attainment too high.",
        "Enter an exchange rate for the currency, or set the target in the report currency.",
    ),
    "overdue": (
        "Open, expected to close before today",
        "In no month of the forecast, though they may still close.",
        "Agree on a new expected close, or close the opportunity.",
    ),
    "undated": (
        "Open without an expected close",
        "In no month of the forecast, and never overdue.",
        "Enter when it is expected to close.",
    ),
    "stage_out_of_use": (
        "Open in a stage that is closed or no longer active",
        "Its probability is nobody’s judgement any more, and it stands in no column of the board.",
        "Move the opportunity to a stage in use, or put the stage back to use.",
    ),
    "worthless": (
        "Open with a value of 0",
        "Counted as an opportunity, and adds nothing to any value.",
        "Enter what it is worth.",
    ),
    "opportunity_without_owner": (
        "Open opportunities without an owner",
        "In the company’s numbers, in no person’s and no team’s.",
        "Assign it to somebody.",
    ),
    "opportunity_of_leaver": (
        "Open opportunities of people who left",
        "Nobody works on them, and they still count as expected revenue.",
        "Assign it to somebody who works here.",
    ),
    "organizer_without_owner": (
        "Organizers without an owner",
        "Only executives and admins see them: no rep and no manager does.",
        "Assign it to somebody.",
    ),
    "organizer_of_leaver": (
        "Organizers of people who left",
        "Nobody is asked to act when their health falls.",
        "Assign it to somebody who works here.",
    ),
    "organizer_twice": (
        "Organizers with the same name",
        "One company’s events, wins and activities may be split between two: each looks less healthy than it is.",
        "Keep one, move what belongs to the other, and archive that one.",
    ),
    "history_unreadable": (
        "Past events that can’t be read",
        "Missing in the churn clock and in retention: the organizer seems to have held fewer events.",
        "Correct the event history: each entry needs an event_date such as 2026-05-01.",
    ),
    "history_amount": (
        "Past events with a revenue that is no amount",
        "Shown without a revenue on the organizer’s page.",
        "Correct the revenue: a number of 0 or more.",
    ),
    "satisfaction_wrong": (
        "Satisfaction out of range",
        "Left out of the health score, as if nobody had answered.",
        "Correct the answer: a number from 1 to 5.",
    ),
    "satisfaction_missing": (
        "Past events without a satisfaction",
        "The health score is judged from fewer parts.",
        "Ask how content they were, and enter a number from 1 to 5.",
    ),
    "won_without_events": (
        "Won, but no event is known",
        "No satisfaction and no usual gap between events: the churn clock runs on the company’s median.",
        "Enter the event that was sold.",
    ),
    "activity_far_ahead": (
        "Activities more than two years ahead",
        "Count as a next step until then, so the opportunity never shows up as without one.",
        "Correct the date.",
    ),
    "task_undated": (
        "Pending tasks without a due date",
        "Never overdue, however long they wait.",
        "Enter when it is due.",
    ),
    "task_of_leaver": (
        "Pending tasks of people who left",
        "Count as a next step, though nobody will take it.",
        "Give it to somebody who works here, or cancel it.",
    ),
    "no_contacts": (
        "Organizers without a contact",
        "In no share of contacts reached: the reach looks better than it is.",
        "Enter somebody to talk to.",
    ),
    "no_decision_maker": (
        "Organizers without a decision maker",
        "In no share of decision makers reached.",
        "Find out who decides, and mark that contact.",
    ),
    "person_time_zone": (
        "People whose time zone no longer exists",
        "Their heatmap and the moments they see can’t be told on their clock.",
        "Choose a time zone that exists.",
    ),
    "contact_time_zone": (
        "Contacts whose time zone no longer exists",
        "When to call them can’t be told.",
        "Choose a time zone that exists.",
    ),
}


def _today(scope: Scope) -> list[ColumnElement[bool]]:
    """Which are problems on the scope's day."""
    first, following = v.data_problems.c.first_day, v.data_problems.c.next_day
    return [
        sa.or_(first.is_(None), first <= scope.as_of),
        sa.or_(following.is_(None), following > scope.as_of),
    ]


def _named() -> sa.Values:
    return sa.values(
        Column("place", sa.Integer),
        Column("problem", Text),
        Column("title", Text),
        Column("effect", Text),
        Column("remedy", Text),
        name="named",
    ).data([(place, problem, *words) for place, (problem, words) in enumerate(PROBLEMS.items())])


TITLE = text("Problem")
EFFECT = text("What it does to the numbers")
REMEDY = text("Remedy")


@question(
    problem=identifier("Problem"),
    title=TITLE,
    rows=count("Rows", "Of those that the viewer may see"),
    table_name=text("Table"),
    effect=EFFECT,
    remedy=REMEDY,
)
def problems(scope: Scope) -> Statement:
    """One row per problem that is looked for, the most harmful first: how many rows have it, 0 where none does."""
    found, named = v.data_problems, _named()
    counted = (
        sa.select(found.c.problem, func.count().label("rows"), func.min(found.c.table_name).label("table_name"))
        .where(*_today(scope))
        .group_by(found.c.problem)
        .subquery("counted")
    )
    return (
        sa.select(
            named.c.problem,
            named.c.title,
            func.coalesce(counted.c.rows, 0).label("rows"),
            counted.c.table_name,
            named.c.effect,
            named.c.remedy,
        )
        .select_from(named.outerjoin(counted, counted.c.problem == named.c.problem))
        .order_by(named.c.place)
    )


@question(
    record_id=identifier("Record"),
    organizer_id=identifier("Organizer"),
    record=text("Row"),
    detail=text("What is wrong"),
    organizer=text("Organizer"),
    owner=text("Owner", "Whose the row is"),
    table_name=text("Table"),
    title=TITLE,
    remedy=REMEDY,
    total=count("All", "How many there are, whether or not they are in these rows"),
)
def rows(scope: Scope, problem: Problem, limit: int = 1000) -> Statement:
    """The rows that have a problem, by their names."""
    found, named = v.data_problems, _named()
    first = (
        sa.select(found, func.count().over().label("total"))
        .where(found.c.problem == problem, *_today(scope))
        .order_by(found.c.record, found.c.record_id)
        .limit(limit)
        .subquery("found")
    )
    return (
        sa.select(
            first.c.record_id,
            first.c.organizer_id,
            first.c.record,
            first.c.detail,
            v.organizers.c.company_name.label("organizer"),
            scoped.name_of(first.c.owner_id).label("owner"),
            first.c.table_name,
            named.c.title,
            named.c.remedy,
            first.c.total,
        )
        .select_from(
            first.join(named, named.c.problem == first.c.problem)
            .outerjoin(v.organizers, v.organizers.c.id == first.c.organizer_id)
            .outerjoin(v.profiles, v.profiles.c.user_id == first.c.owner_id)
        )
        .order_by(first.c.record, first.c.record_id)
    )
