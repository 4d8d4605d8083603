"""The questions of the Engagement page against what the rows say in plain Python, and against tables."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from sqlalchemy import Connection

from queries import engagement
from queries.engagement import KINDS, Cell
from queries.scope import Period, Scope
from tests.conftest import Once
from tests.personas import PERSONAS
from tests.queries.conftest import TODAY, Ask, owned_by, scope_of
from tests.queries.history import happens
from tests.tables import given, id_of, shows

ReadingAs = Callable[..., AbstractContextManager[Connection]]
TORONTO = ZoneInfo("America/Toronto")
ORGANIZERS = {"acme": "rita", "beta": "ravi", "gamma": "olaf"}
TEAMS = {"rita": ["rita"], "olaf": ["olaf"], "max": ["max", "rita", "ravi", "dora"]}
INSERT = (
    "insert into crm_activities (organizer_id, type, is_task, task_status, subject, user_id, activity_date, created_at,"
    " completed_at) values (%s, %s, %s, %s, 'Hello', %s, %s, %s, %s)"
)


def do(
    owner: Connection, organizer: str, at: datetime, who: str = "rita", kind: str = "call", status: str | None = None,
    recorded: datetime | None = None,
) -> None:  # fmt: skip
    """An activity or task as an import would bring it."""
    recorded = recorded or at
    done = max(recorded, at) if status == "completed" else None
    values = (id_of(organizer), kind, kind == "task", status, PERSONAS[who].id, at, recorded, done)
    owner.exec_driver_sql(INSERT, values)


def local(day: str, time: str = "12:00") -> datetime:
    return datetime.fromisoformat(f"{day} {time}").replace(tzinfo=TORONTO)


# Against plain Python -------------------------------------------------------------------------------------------


@pytest.fixture
def busy(company: Connection, once: Once) -> Connection:
    """A thousand activities of everybody around every edge: of the period, of today, of what was known, of the night in
    which the clocks went back."""
    once("busy", lambda: company.exec_driver_sql(INSERT, _thousand()))
    return company


def _thousand() -> list[tuple[object, ...]]:
    drawn = random.Random(7)  # noqa: S311  (nothing is secret here)
    people, edges = ["rita", "ravi", "max", "olaf", "ada"], [date(2025, 10, 1), date(2025, 11, 2), TODAY]
    rows = []
    for number in range(1000):
        edge = datetime.combine(drawn.choice(edges), datetime.min.time(), TORONTO)
        far = drawn.choice([2, 30, 24 * 30, 24 * 200])
        at = (edge + timedelta(hours=drawn.uniform(-far, far))).astimezone(UTC)
        status = drawn.choice([None, None, "pending", "completed", "cancelled"]) if number % 3 == 0 else None
        kind = "task" if status else drawn.choice([kind for kind in KINDS if kind != "task"])
        recorded = at + timedelta(hours=drawn.choice([0, 0, 0, -400, 60]))
        done = recorded + timedelta(hours=drawn.choice([0, 50])) if status == "completed" else None
        organizer, who = drawn.choice([*ORGANIZERS]), drawn.choice(people)
        rows.append((id_of(organizer), kind, bool(status), status, PERSONAS[who].id, at, recorded, done))
    return rows


def seen(owner: Connection, who: str, scope: Scope) -> list[Any]:
    """The rows that count for this viewer and scope, before any period, from the table itself."""
    rows = owner.exec_driver_sql(
        "select activity.*, organizer.industry from crm_activities as activity"
        " join crm_organizers as organizer on organizer.id = organizer_id"
    ).all()
    owners = {id_of(organizer): person for organizer, person in ORGANIZERS.items()}
    team = {PERSONAS[name].id for name in TEAMS.get(who, [])}
    now = scope.moment or datetime.now(UTC)

    def counts(row: Any) -> bool:
        visible = who in ("eve", "ada") or row.user_id in team or PERSONAS[owners[row.organizer_id]].id in team
        happened = row.task_status in (None, "completed") and row.activity_date < now
        known = scope.moment is None or max(row.created_at, row.completed_at or row.created_at) < scope.moment
        ours = scope.owners is None or row.user_id in scope.owners
        in_sight = who in ("eve", "ada") or PERSONAS[owners[row.organizer_id]].id in team
        segment = not scope.industries or in_sight and row.industry in scope.industries
        return visible and happened and known and ours and segment

    return [row for row in rows if counts(row)]


def in_period(rows: list[Any], scope: Scope) -> list[Any]:
    return [row for row in rows if scope.period.start <= day_of(row) < scope.flow_end]


def day_of(row: Any) -> date:
    return row.activity_date.astimezone(TORONTO).date()


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


SCOPES = {
    "today": scope_of(),
    "a past day": scope_of(as_of=date(2025, 10, 20)),
    "two owners": scope_of(owners=owned_by("rita", "olaf")),
    "a segment": scope_of(industries=("Festivals",)),
    "owners and a segment on a past day": scope_of(
        as_of=date(2025, 11, 3), owners=owned_by("ravi", "ada"), industries=("Congresses",)
    ),
    "a day of daylight saving": scope_of(period=Period(date(2025, 11, 2), date(2025, 11, 3), "2 Nov 2025")),
    "a year": scope_of(period=Period.of("year", TODAY)),
}
every_scope = pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES.keys())
LOOKING = ["rita", "olaf", "max", "eve", "ada"]


@every_scope
def test_the_grids_count_what_the_rows_say(busy: Connection, reading_as: ReadingAs, scope: Scope) -> None:
    for who in LOOKING:
        rows = seen(busy, who, scope)
        with reading_as(who, TODAY) as db:
            for zone in ("America/Toronto", "Asia/Kolkata"):
                clock = [row.activity_date.astimezone(ZoneInfo(zone)) for row in in_period(rows, scope)]
                wanted = Counter((at.isoweekday(), at.hour) for at in clock)
                found = engagement.heatmap(db, scope, zone)
                assert len(found) == 168
                assert cells(found, ["weekday", "hour"]) == wanted, (who, zone)
                weeks = len({monday(at.date()) for at in clock})
                per_week = [None if pd.isna(rate) else rate for rate in found["per_week"]]
                assert per_week == pytest.approx([n / weeks if weeks else None for n in found["activities"]]), who
            calls = Counter(
                (at.isoweekday(), at.hour)
                for at in (
                    row.activity_date.astimezone(TORONTO) for row in in_period(rows, scope) if row.type == "call"
                )
            )
            assert cells(engagement.heatmap(db, scope, "America/Toronto", "call"), ["weekday", "hour"]) == calls
            first = monday(scope.as_of) - timedelta(weeks=52)
            days = engagement.calendar(db, scope)
            assert cells(days, ["day"]) == Counter(
                (day_of(row),) for row in rows if first <= day_of(row) <= scope.as_of
            )
            assert [day.date() for day in days["day"]] == [
                first + timedelta(days=n) for n in range((scope.as_of - first).days + 1)
            ]
            first = monday(scope.as_of) - timedelta(weeks=25)
            lately = [row for row in rows if first <= day_of(row) <= scope.as_of]
            weekly = engagement.by_type(db, scope)
            assert cells(weekly, ["week", "type"]) == Counter((monday(day_of(row)), row.type) for row in lately)
            assert len(weekly) == 26 * len(KINDS)


def cells(frame: pd.DataFrame, keys: list[str]) -> Counter[tuple[Any, ...]]:
    rows = frame[frame["activities"] > 0]
    return Counter(
        {
            tuple(key.date() if isinstance(key, pd.Timestamp) else key for key in found[:-1]): int(found[-1])
            for found in rows[[*keys, "activities"]].itertuples(index=False)
        }
    )


@every_scope
def test_the_headline_counts_what_the_rows_say(busy: Connection, reading_as: ReadingAs, scope: Scope) -> None:
    for who in LOOKING:
        with reading_as(who, TODAY) as db:
            found, trend = engagement.headline(db, scope), engagement.headline_trend(db, scope)
        for place, each in enumerate((scope, scope.before())):
            rows = in_period(seen(busy, who, each), each)
            assert found["activities"][place] == len(rows), who
            assert found["organizers"][place] == len({row.organizer_id for row in rows}), who
        rows = seen(busy, who, scope)
        for point in trend.itertuples():
            last = point.day.date()
            week = [row for row in rows if last - timedelta(days=7) < day_of(row) <= last]
            assert (point.activities, point.organizers) == (len(week), len({row.organizer_id for row in week})), who
        assert [day.date() for day in trend["day"]] == [scope.as_of - timedelta(weeks=n) for n in range(12, -1, -1)]


@every_scope
def test_the_records_behind_a_cell_are_as_many_as_it_says(
    busy: Connection, reading_as: ReadingAs, scope: Scope
) -> None:  # fmt: skip
    for who in ("max", "eve"):
        with reading_as(who, TODAY) as db:
            found = engagement.heatmap(db, scope, "Asia/Kolkata")
            for cell in found.sort_values("activities").iloc[[0, 100, -2, -1]].itertuples():
                behind = Cell(weekday=cell.weekday, hour=cell.hour, time_zone="Asia/Kolkata")
                records = engagement.activities(db, scope, behind)
                assert len(records) == cell.activities
                clock = records["at"].dt.tz_convert("Asia/Kolkata")
                assert set(zip(clock.dt.day_of_week + 1, clock.dt.hour, strict=True)) <= {(cell.weekday, cell.hour)}
            for day in engagement.calendar(db, scope).sort_values("activities").tail(2).itertuples():
                assert len(engagement.activities(db, scope, Cell(day=day.day.date()))) == day.activities
            for week in engagement.by_type(db, scope).sort_values("activities").tail(2).itertuples():
                behind = Cell(week=week.week.date(), kind=week.type)
                assert len(engagement.activities(db, scope, behind)) == week.activities
            assert len(engagement.activities(db, scope)) == found["activities"].sum()


@every_scope
def test_the_weeks_of_an_account_are_everybody_s_work_with_it(
    busy: Connection, reading_as: ReadingAs, scope: Scope
) -> None:  # fmt: skip
    open_deals(busy)
    alone = Scope(**{**vars(scope), "owners": None, "industries": ()})
    first = monday(scope.as_of) - timedelta(weeks=12)
    for who in ("rita", "max", "eve"):
        rows = [row for row in seen(busy, who, alone) if first <= day_of(row) <= scope.as_of]
        wanted = Counter((str(row.organizer_id), monday(day_of(row))) for row in rows)
        with reading_as(who, TODAY) as db:
            found = engagement.top_accounts(db, scope)
            shown = set(found["organizer_id"])
            assert len(found) == 13 * len(shown)
            assert cells(found, ["organizer_id", "week"]) == Counter({k: n for k, n in wanted.items() if k[0] in shown})
            for cell in found.sort_values("activities").tail(1).itertuples():
                behind = Cell(organizer_id=UUID(cell.organizer_id), week=cell.week.date())
                assert len(engagement.activities(db, scope, behind)) == cell.activities


# The clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["America/Toronto", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("night", [date(2025, 3, 9), date(2025, 11, 2)], ids=["forward", "back"])
@pytest.mark.parametrize("source", ["counts", "counts by person", "rows"])
def test_both_nights_of_daylight_saving(company: Connection, ask: Ask, night: date, zone: str, source: str) -> None:
    """A call each quarter of an hour around them: an hour that is skipped holds none, one that comes twice double."""
    period = Period(night - timedelta(days=1), night + timedelta(days=2), "the night")
    begin = datetime.combine(period.start, datetime.min.time(), TORONTO).astimezone(UTC)
    end = datetime.combine(period.end, datetime.min.time(), TORONTO).astimezone(UTC)
    quarters = int((end - begin) / timedelta(minutes=15))
    moments = [begin + n * timedelta(minutes=15) for n in range(-4, quarters + 4)]
    company.exec_driver_sql(
        INSERT, [(id_of("acme"), "call", False, None, PERSONAS["rita"].id, at, at, None) for at in moments]
    )
    chosen: dict[str, Any] = {"rows": {"industries": ("Festivals",)}, "counts by person": {"owners": owned_by("rita")}}
    frame = ask("eve", engagement.heatmap, zone, period=period, **chosen.get(source, {}))
    clock = [at.astimezone(ZoneInfo(zone)) for at in moments if begin <= at < end]
    assert cells(frame, ["weekday", "hour"]) == Counter((at.isoweekday(), at.hour) for at in clock)
    assert frame["activities"].sum() == quarters
    if zone == "America/Toronto":
        sunday = frame[frame["weekday"] == 7].set_index("hour")["activities"]
        assert (sunday[1], sunday[2]) == ((4, 0) if night.month == 3 else (8, 4))


def test_what_is_to_come_counts_from_its_time_on(company: Connection, reading_as: ReadingAs) -> None:
    """Also within the quarter of an hour that is now, which the counts hold whole."""
    today = datetime.now(TORONTO).date()
    scope = scope_of(today=today, as_of=today, period=Period.of("year", today))
    now = datetime.now(UTC)
    for seconds in (-2, 120, 86400):
        do(company, "acme", now + timedelta(seconds=seconds), recorded=now - timedelta(days=1))
    for who in ("rita", "eve"):
        with reading_as(who, today) as db:
            assert engagement.heatmap(db, scope, "America/Toronto")["activities"].sum() == 1
            assert engagement.calendar(db, scope)["activities"].sum() == 1
            assert engagement.by_type(db, scope)["activities"].sum() == 1
            assert engagement.headline(db, scope)["activities"][0] == 1
            assert len(engagement.activities(db, scope)) == 1


# Accounts, contacts, tasks, scores ------------------------------------------------------------------------------

AS_OF = date(2025, 10, 31)


def open_deals(owner: Connection) -> None:
    """Acme has 30 in two currencies and an amount in yen without a rate, Beta 8, Gamma is archived."""
    happens(owner, """
        at               | deal  | organizer_id | assigned_to | stage_id  | value | currency | expected_close_date
        2025-01-05 09:00 | Gala  | acme         | rita        | Lead      | 24    | CAD      | 2025-12-01
        2025-01-05 09:00 | Expo  | acme         | rita        | Proposal  | 4     | USD      | 2025-12-01
        2025-01-05 09:00 | Derby | acme         | rita        | Proposal  | 1000  | JPY      | 2025-12-01
        2025-01-05 09:00 | Fair  | beta         | ravi        | Lead      | 8     | CAD      | 2025-12-01
        2025-01-05 09:00 | Past  | beta         | ravi        | Lost      | 70    | CAD      | 2025-12-01
        2025-01-05 09:00 | Relic | gamma        | olaf        | Lead      | 500   | CAD      | 2025-12-01
    """)  # fmt: skip


@pytest.mark.parametrize(("happened", "organizers"), [
    ([], ["Acme", "Beta"]),
    ([{"at": local("2025-10-02", "00:01")}], ["Beta"]),
    ([{"at": local("2025-10-01", "23:59")}], ["Acme", "Beta"]),
    ([{"at": local("2025-10-31", "23:59"), "who": "olaf"}], ["Beta"]),
    ([{"at": local("2025-11-01", "00:01"), "recorded": local("2025-10-20")}], ["Acme", "Beta"]),
    ([{"at": local("2025-10-20"), "recorded": local("2025-11-02")}], ["Acme", "Beta"]),
    ([{"at": local("2025-10-20"), "kind": "task", "status": "pending"}], ["Acme", "Beta"]),
    ([{"at": local("2025-10-20"), "kind": "task", "status": "cancelled"}], ["Acme", "Beta"]),
    ([{"at": local("2025-10-20"), "kind": "task", "status": "completed"}], ["Beta"]),
], ids=str)  # fmt: skip
def test_an_account_with_value_and_no_activity_in_30_days_is_neglected(
    company: Connection, ask: Ask, happened: list[dict[str, Any]], organizers: list[str]
) -> None:
    """As of the end of 31 October: from the first moment of the second on."""
    open_deals(company)
    for one in happened:
        do(company, "acme", **one)
    assert ask("eve", engagement.neglected, as_of=AS_OF)["organizer"].tolist() == organizers


def test_neglect_is_valued_in_the_scope_s_currency_and_adds_up(company: Connection, ask: Ask) -> None:
    open_deals(company)
    do(company, "acme", local("2025-09-21"))
    do(company, "acme", local("2025-08-21"), "max")
    for who in ("eve", "mona"):
        found = ask(who, engagement.neglected, as_of=AS_OF)
        shows(found, """
            organizer | owner | value | opportunities | without_rate | total | days_silent |
            Acme      | Rita  | 30    | 3             | 1            | 2     | 40          |
            Beta      | Ravi  | 8     | 1             | 0            | 2     |             |
        """)  # fmt: skip
        figures = ask(who, engagement.headline, as_of=AS_OF)
        assert (figures["neglected"][0], figures["neglected_value"][0]) == (2, found["value"].sum())
        assert figures["without_rate"][0] == 1
    assert ask("eve", engagement.neglected, as_of=AS_OF, currency="USD")["value"].tolist()[0] == 20
    assert ask("eve", engagement.neglected, as_of=AS_OF, owners=owned_by("ravi"))["organizer"].tolist() == ["Beta"]
    assert ask("rita", engagement.neglected, as_of=AS_OF)["organizer"].tolist() == ["Acme"]
    assert ask("olaf", engagement.neglected, as_of=AS_OF).empty  # his only account is archived


def contacts(owner: Connection) -> None:
    given(owner, "crm_contacts", """
        id   | organizer_id | full_name | email         | is_decision_maker | created_at
        ann  | acme         | Ann       | a@example.com | true              | 2025-01-01
        ben  | acme         | Ben       | b@example.com | true              | 2025-01-01
        cem  | acme         | Cem       | c@example.com | false             | 2025-01-01
        dan  | beta         | Dan       | d@example.com | false             | 2025-01-01
        new  | beta         | New       | n@example.com | true              | 2025-11-02
        old  | gamma        | Old       | o@example.com | true              | 2025-01-01
    """)  # fmt: skip
    for contact, at, recorded in (
        ("ann", "2025-08-03", "2025-08-03"), ("ann", "2025-10-03", "2025-10-03"), ("ben", "2025-08-02", "2025-08-02"),
        ("cem", "2025-10-20", "2025-11-03"), ("dan", "2025-10-30", "2025-10-30"),
    ):  # fmt: skip
        owner.exec_driver_sql(
            "insert into crm_activities (contact_id, type, subject, user_id, activity_date, created_at)"
            " values (%s, 'call', 'Hello', %s, %s, %s)",
            (id_of(contact), PERSONAS["rita"].id, local(at), local(recorded)),
        )  # fmt: skip


def test_reach_counts_contacts_once_and_as_was_known(company: Connection, ask: Ask) -> None:
    """Ben's call is 91 days ago, Cem's was recorded later, New was entered later, Old's organizer is archived."""
    contacts(company)
    shows(ask("eve", engagement.reach, as_of=AS_OF), """
        owner | contacts | reached | reached_share | decision_makers | decision_makers_reached | decision_makers_share |
        Rita  | 3        | 1       | 0.333333      | 2               | 1                       | 0.5                   |
        Ravi  | 1        | 1       | 1             | 0               | 0                       |                       |
    """)  # fmt: skip
    figures = ask("eve", engagement.headline, as_of=AS_OF).iloc[0]
    assert (figures["contacts"], figures["reached"], figures["decision_makers_reached"]) == (4, 0.5, 0.5)
    missed = ask("eve", engagement.unreached, id_of("rita"), as_of=AS_OF)
    assert missed["contact"].tolist() == ["Ben", "Cem"]  # the one who decides first
    assert ask("ravi", engagement.reach, as_of=AS_OF)["contacts"].tolist() == [1]
    assert ask("eve", engagement.unreached, as_of=AS_OF, owners=owned_by("ravi")).empty


def tasks(owner: Connection) -> None:
    given(owner, "crm_activities", """
        id    | organizer_id | type | is_task | task_status | subject | user_id | activity_date    | due_date         | completed_at     | created_at
        late  | acme         | task | true    | pending     | Late    | rita    | 2025-10-30 12:00 | 2025-10-30 12:00 | null             | 2025-10-01
        soon  | acme         | task | true    | pending     | Soon    | rita    | 2025-12-30 12:00 | null             | null             | 2025-10-01
        dropt | acme         | task | true    | cancelled   | Dropped | rita    | 2025-10-03 12:00 | 2025-10-03 12:00 | null             | 2025-10-01
        since | acme         | task | true    | completed   | Since   | rita    | 2025-11-03 12:00 | 2025-10-20 12:00 | 2025-11-03 12:00 | 2025-10-01
        prompt | acme        | task | true    | completed   | Prompt  | rita    | 2025-10-10 12:00 | 2025-10-10 12:00 | 2025-10-10 12:00 | 2025-10-01
        tardy | acme         | task | true    | completed   | Tardy   | rita    | 2025-10-10 12:00 | 2025-10-09 12:00 | 2025-10-10 12:00 | 2025-10-01
        ago   | acme         | task | true    | completed   | Ago     | rita    | 2025-09-10 12:00 | 2025-09-09 12:00 | 2025-09-10 12:00 | 2025-09-01
        ravis | beta         | task | true    | pending     | Ravi's  | ravi    | 2025-10-30 13:00 | null             | null             | 2025-10-01
        known | beta         | task | true    | pending     | Later   | ravi    | 2025-10-30 14:00 | null             | null             | 2025-11-03
    """)  # fmt: skip  # noqa: E501


def test_task_load_is_of_the_moment_and_of_the_period(company: Connection, ask: Ask) -> None:
    tasks(company)
    shows(ask("eve", engagement.task_load, as_of=AS_OF), """
        person | pending | overdue | completed | on_time | on_time_share |
        Rita   | 3       | 2       | 2         | 1       | 0.5           |
        Ravi   | 1       | 1       | 0         | 0       |               |
    """)  # fmt: skip
    assert ask("eve", engagement.tasks, as_of=AS_OF)["subject"].tolist() == ["Since", "Late", "Ravi's", "Soon"]
    mine = ask("eve", engagement.tasks, id_of("rita"), as_of=AS_OF)
    assert mine["is_overdue"].tolist() == [True, True, False]
    today = ask("rita", engagement.tasks)
    assert (today["subject"].tolist(), today["total"].tolist()) == (["Late", "Soon"], [2, 2])
    assert ask("eve", engagement.tasks, None, id_of("beta"))["subject"].tolist() == ["Ravi's", "Later"]
    assert ask("eve", engagement.headline, as_of=AS_OF)[["pending", "overdue"]].iloc[0].tolist() == [4, 3]


def test_an_open_opportunity_has_a_next_step_or_not(company: Connection, ask: Ask) -> None:
    open_deals(company)
    deals = dict(company.exec_driver_sql("select name, id from crm_opportunities").all())
    steps = [("Gala", "task", "pending", "2025-10-01"), ("Expo", "call", None, "2025-12-01"),
             ("Derby", "call", None, "2025-10-01"), ("Fair", "task", "cancelled", "2025-12-01")]  # fmt: skip
    for name, kind, status, at in steps:
        company.exec_driver_sql(
            "insert into crm_activities (opportunity_id, type, is_task, task_status, subject, user_id, activity_date,"
            " created_at) values (%s, %s, %s, %s, 'Step', %s, %s, '2025-09-01')",
            (deals[name], kind, kind == "task", status, PERSONAS["rita"].id, local(at)),
        )
    found = ask("eve", engagement.next_steps, as_of=AS_OF).iloc[0]
    assert (found["open_opportunities"], found["without_next_step"]) == (4, 2)


def scores(owner: Connection) -> None:
    given(owner, "crm_organizer_scores", """
        organizer_id | scored_on  | engagement_score
        acme         | 2025-09-01 | 90
        beta         | 2025-09-01 | 0
        acme         | 2025-10-01 | 80
        beta         | 2025-10-01 | 0
        gamma        | 2025-10-01 | 50
        acme         | 2025-10-31 | 21
        beta         | 2025-10-31 | 20
        gamma        | 2025-10-31 | 100
        acme         | 2025-11-01 | 1
    """)  # fmt: skip


def test_scores_of_a_past_day_are_those_of_the_history(company: Connection, ask: Ask) -> None:
    scores(company)
    found = ask("eve", engagement.score_bands, as_of=AS_OF)
    assert found["organizers"].tolist() == [0, 1, 1, 0, 0, 0]  # the archived one is left out
    shows(ask("eve", engagement.scored, as_of=AS_OF), """
        organizer | owner | score | before | change | total
        Acme      | Rita  | 21    | 80     | -59    | 2
        Beta      | Ravi  | 20    | 0      | 20     | 2
    """)  # fmt: skip
    assert ask("eve", engagement.scored, 1, as_of=AS_OF)["organizer"].tolist() == ["Beta"]
    assert ask("eve", engagement.scored, None, "fallen", as_of=AS_OF)["organizer"].tolist() == ["Acme"]
    assert ask("ravi", engagement.scored, as_of=AS_OF)["organizer"].tolist() == ["Beta"]


def test_scores_of_today_are_true_as_of_now(company: Connection, ask: Ask) -> None:
    scores(company)
    for _ in range(3):
        do(company, "acme", datetime.now(UTC) - timedelta(hours=1))
    company.exec_driver_sql("update crm_organizers set engagement_score = 77")
    found = ask("eve", engagement.scored).set_index("organizer")["score"].to_dict()
    assert found == {"Acme": 30, "Beta": 0}
    assert ask("eve", engagement.score_bands)["organizers"].tolist() == [1, 0, 1, 0, 0, 0]


def test_an_account_is_one_row_whatever_the_filters(company: Connection, ask: Ask) -> None:
    open_deals(company)
    contacts(company)
    do(company, "acme", local("2025-10-29"))
    found = ask("eve", engagement.account, id_of("acme"), as_of=AS_OF, industries=("Congresses",))
    shows(found, """
        organizer | owner | value | opportunities | contacts | reached
        Acme      | Rita  | 30    | 3             | 3        | 1
    """)  # fmt: skip
    assert found["last_activity"][0] == local("2025-10-29")
    assert ask("ravi", engagement.account, id_of("acme"), as_of=AS_OF).empty
