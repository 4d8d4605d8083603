"""Every question of the Pipeline page against the oracle, over random small companies, for several viewers and scopes.

The histories are driven through the real triggers. Days and times are drawn from where calendars are treacherous: ends of
months, quarters and years, midnight, and the two nights on which Toronto changes its clocks.
"""  # noqa: E501  (a table is as wide as its columns)

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app import database as doors
from app.embedded import Server
from app.settings import Settings
from queries import pipeline
from queries.scope import Period, Scope
from tests import conftest
from tests.personas import PERSONAS
from tests.queries import history
from tests.queries.compare import CENT, agrees, agrees_in_one, is_rounded, records, total
from tests.queries.oracle import Answer, Company, Opinion, Part
from tests.tables import id_of

TODAY = date(2025, 11, 5)
DAYS = [
    *("2024-12-31", "2025-01-01", "2025-01-31", "2025-02-28", "2025-03-01", "2025-03-08", "2025-03-09", "2025-03-10"),
    *("2025-03-31", "2025-04-01", "2025-06-30", "2025-09-30", "2025-10-01", "2025-11-01", "2025-11-02", "2025-11-03"),
]
TIMES = ["00:00", "01:30", "12:00", "23:59"]
OPEN = ["Lead", "Qualified", "Proposal", "Negotiation"]
STAGES = [*OPEN, "Won", "Lost"]
PEOPLE = ["rita", "ravi", "olaf", "dora", "null"]
ORGANIZERS = ["acme", "beta", "gamma"]
CURRENCIES = ["CAD", "USD", "EUR", "JPY"]  # EUR has a rate from March on, JPY none unless one comes
DEALS = ["Gala", "Expo", "Summit", "Derby", "Fair"]

SETTING = f"""
-- each viewer has a time zone of their own: days are the organisation's, whoever looks
update public.crm_profiles set time_zone = case full_name when 'Eve' then 'Asia/Tokyo' when 'Rita' then 'America/Los_Angeles'
  else 'Pacific/Auckland' end;
update public.crm_stage_history set valid_from = case name when 'Negotiation' then '2025-03-09' else '2024-01-01' end::date;
insert into public.crm_organizers (id, company_name, industry, company_size, status, assigned_to) values
  ('{id_of("acme")}', 'Acme', 'Festivals', 'small', 'active', '{id_of("rita")}'),
  ('{id_of("beta")}', 'Beta', 'Congresses', 'small', 'active', '{id_of("ravi")}'),
  ('{id_of("gamma")}', 'Gamma', 'Festivals', null, 'archived', '{id_of("olaf")}');
insert into public.crm_exchange_rates (currency, rate_date, rate) values
  ('USD', '2024-01-01', 1.4), ('USD', '2025-02-01', 1.4375), ('USD', '2025-11-02', 1.3999999999), ('EUR', '2025-03-09', 1.5);
-- enough finished stays in two stages to say what is normal there: of 1 to 22 days, and of 2, 4 … 44
insert into public.crm_opportunity_history (opportunity_id, seq, valid_from, valid_to, organizer_id, stage_id,
  stage_entered_at, next_stage_id, value, currency, probability, probability_source, status, actual_close_date, created_at)
select md5('old ' || nth)::uuid, seq, began, ended, '{id_of("acme")}', stage.id, began, following.id, nth * 100, 'CAD',
  stage.default_probability, 'stage', status, case when seq = 3 then began::date end, timestamptz '2024-09-01 12:00+00'
from generate_series(1, 22) as nth
cross join lateral (values
  (1, 'Lead', 'Proposal', 'open', timestamptz '2024-09-01 12:00+00', timestamptz '2024-09-01 12:00+00' + nth * interval '1 day'),
  (2, 'Proposal', 'Won', 'open', timestamptz '2024-09-01 12:00+00' + nth * interval '1 day',
    timestamptz '2024-09-01 12:00+00' + 3 * nth * interval '1 day'),
  (3, 'Won', null, 'won', timestamptz '2024-09-01 12:00+00' + 3 * nth * interval '1 day', null)
) as version (seq, stage_name, next_name, status, began, ended)
join public.crm_pipeline_stages as stage on stage.name = stage_name
left join public.crm_pipeline_stages as following on following.name = next_name;
-- a deal of which nobody knows in which stage it was before the night on which the clocks went forward
insert into public.crm_opportunity_history (opportunity_id, seq, valid_from, valid_to, organizer_id, stage_id,
  stage_entered_at, value, currency, probability, probability_source, status, assigned_to, created_at)
select '{id_of("unknown")}', seq, began, ended, '{id_of("beta")}', stage.id, case when stage.id is not null then began end,
  77.77, 'USD', stage.default_probability, case when stage.id is not null then 'stage' end, 'open', '{id_of("rita")}',
  timestamptz '2024-05-01'
from (values
  (1, null, timestamptz '2024-05-01', timestamptz '2025-03-09 06:59:59.999+00'),
  (2, 'Proposal', timestamptz '2025-03-09 06:59:59.999+00', null)
) as version (seq, stage_name, began, ended)
left join public.crm_pipeline_stages as stage on stage.name = stage_name
"""  # noqa: E501  (a table is as wide as its columns)

# What may happen ------------------------------------------------------------------------------------------------

moments = st.builds("{} {}".format, st.sampled_from(DAYS), st.sampled_from(TIMES))
amounts = st.sampled_from(["0", "0.01", "0.03", "33.33", "100", "1234.56", "9999999.99"])
closings = st.sampled_from([*DAYS, "2025-12-31", "2026-01-01", "null"])
probabilities = st.sampled_from(["0", "1", "33", "50", "100", "null"])

made = st.fixed_dictionaries(
    {
        "deal": st.sampled_from(DEALS),
        "organizer_id": st.sampled_from(ORGANIZERS),
        "assigned_to": st.sampled_from(PEOPLE),
        "stage_id": st.sampled_from([*OPEN, *OPEN, "Won"]),
        "value": amounts,
        "currency": st.sampled_from(CURRENCIES),
        "probability": st.sampled_from(["null", "null", "33"]),
        "expected_close_date": closings,
    }
)
changed = st.fixed_dictionaries(
    {"deal": st.sampled_from(DEALS)},
    optional={
        "organizer_id": st.sampled_from(ORGANIZERS),
        "assigned_to": st.sampled_from(PEOPLE),
        "value": amounts,
        "currency": st.sampled_from(CURRENCIES),
        "expected_close_date": closings,
    },
).filter(lambda change: len(change) > 1)
moved = st.fixed_dictionaries(
    {"deal": st.sampled_from(DEALS), "stage_id": st.sampled_from(STAGES)},
    optional={"probability": probabilities},
)
abandoned = st.fixed_dictionaries(
    {"deal": st.sampled_from(DEALS), "stage_id": st.just("Lost"), "status": st.just("abandoned")},
)
removed = st.fixed_dictionaries({"deal": st.sampled_from(DEALS), "stage_id": st.just("deleted")})
doubted = st.fixed_dictionaries(
    {"deal": st.sampled_from(DEALS), "probability": probabilities},
    optional={"probability_source": st.sampled_from(["manual", "model", "import"])},
)
redefined = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(OPEN),
        "default": st.sampled_from(["5", "20", "50", "95"]),
        "refill": st.sampled_from(["yes", "yes", "no"]),
    }
)
rated = st.fixed_dictionaries(
    {
        "currency": st.sampled_from(["USD", "EUR", "JPY"]),
        "day": st.sampled_from(DAYS),
        "rate": st.sampled_from(["0.0091", "1.5"]),
    }
)


@st.composite
def histories(draw: st.DrawFn) -> list[history.Cells]:
    """What became of five deals, in the order of time; the first change of one that isn't there makes it."""
    there: set[str] = set()
    changes: list[history.Cells] = []
    for when in sorted(draw(st.lists(moments, min_size=10, max_size=30))):
        change = draw(st.one_of(moved, changed, moved, doubted, made, redefined, abandoned, removed, rated))
        deal = change.get("deal")
        if deal and deal not in there:
            change = {**draw(made), "deal": deal}
        if deal:
            (there.discard if change.get("stage_id") == "deleted" else there.add)(deal)
        changes.append({"at": when, **change})
    return changes


@dataclass(frozen=True)
class Asked:
    """Who asks, within which scope, which days are compared, and what is drilled into."""

    viewer: str
    is_limited: bool  # to the viewer's team, as a page asks; what comes back must be the same without
    scope: Scope
    days: tuple[date, date]
    bar: int
    only: pipeline.Only


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    """Anybody's, about anything."""
    days = [*map(date.fromisoformat, DAYS), TODAY]
    viewer = draw(st.sampled_from(["rita", "olaf", "max", "mona", "eve"]))
    first, last = sorted(draw(st.tuples(st.sampled_from(days), st.sampled_from(days))))
    period = draw(
        st.one_of(
            st.builds(
                Period.of,
                st.sampled_from(["month", "quarter", "year"]),
                st.sampled_from(days),
                st.sampled_from([1, 4, 11]),
            ),
            st.just(Period(first, last + timedelta(days=1), "chosen")),
        )
    )
    scope = Scope(
        today=TODAY,
        as_of=draw(st.sampled_from([*days, TODAY])),
        period=period,
        currency=draw(st.sampled_from(["CAD", "CAD", "USD", "EUR"])),
        time_zone=history.ZONE,
        owners=draw(st.sampled_from([None, None, (id_of("rita"), id_of("dora")), (id_of("ravi"),)])),
        industries=draw(st.sampled_from([(), (), ("Festivals",), ("Festivals", "Congresses")])),
        company_sizes=draw(st.sampled_from([(), (), ("small",)])),
        closing_in_period=draw(st.sampled_from([False, False, True])),
    )
    bar, only = draw(st.integers(0, 5)), draw(st.sampled_from(get_args(pipeline.Only)))
    return Asked(viewer, draw(st.booleans()), scope, (first, last), bar, only)


# The test ---------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(changes=histories(), questions=st.lists(questions(), min_size=3, max_size=3))
def test_every_question_agrees_with_the_oracle(
    server: Server, database: Settings, changes: list[history.Cells], questions: list[Asked]
) -> None:
    with conftest.at_the_start(server, database) as owner:
        history.run(owner, SETTING)
        history.play(owner, changes)
        company = Company(owner)
        for asked in questions:
            viewer = doors.viewer_of(PERSONAS[asked.viewer].id)
            assert viewer
            opinion = Opinion(company, viewer.id, asked.scope)
            scope = replace(asked.scope, limited_to=viewer.team if asked.is_limited else None)
            with doors.reading(replace(viewer, today=TODAY)) as db:
                compare_figures(db, scope, opinion)
                compare_stages(db, scope, opinion, asked.bar)
                compare_opportunities(db, scope, opinion, None, asked.only)
                compare_movement(db, scope, opinion, *asked.days)


def compare_figures(db: Connection, scope: Scope, opinion: Opinion) -> None:
    agrees(pipeline.headline, pipeline.headline(db, scope), opinion.headline())
    agrees(pipeline.headline_trend, pipeline.headline_trend(db, scope), opinion.headline_trend())


def compare_stages(db: Connection, scope: Scope, opinion: Opinion, bar: int) -> None:
    stages = pipeline.expected_revenue_by_stage(db, scope)
    agrees(pipeline.expected_revenue_by_stage, stages, opinion.expected_revenue_by_stage())
    ends = records(pipeline.stage_stay_ends(db, scope))
    assert {(row["stage"], row["days"], row["ending"]): row["stays"] for row in ends} == opinion.stage_stay_ends()
    stage = records(stages)[bar % len(stages)]
    rows = compare_opportunities(db, scope, opinion, UUID(stage["stage_id"]) if stage["stage_id"] else "unknown", None)
    for column in ("value", "expected_revenue"):
        assert sum(row[column] or 0 for row in rows) == stage[column], "the rows behind a bar add up to it"


def compare_opportunities(
    db: Connection, scope: Scope, opinion: Opinion, stage_id: Any, only: pipeline.Only | None
) -> list[Answer]:
    rows = records(pipeline.opportunities(db, scope, stage_id, only))
    wanted = opinion.opportunities(stage_id, only)
    assert {row["opportunity_id"] for row in rows} == set(wanted)
    for row in rows:
        assert row["total"] == len(wanted)
        agrees_in_one(pipeline.opportunities, row, wanted[row["opportunity_id"]], row["name"], by=CENT)
    return rows


def compare_movement(db: Connection, scope: Scope, opinion: Opinion, start: date, end: date) -> None:
    wanted = opinion.movement(start, end)
    *terms, last = records(pipeline.movement(db, scope, start, end))
    assert [row["term"] for row in terms] == list(pipeline.TERMS)
    assert set(wanted) <= set(pipeline.TERMS)
    shown, exact = {"value": Decimal(0), "expected_revenue": Decimal(0)}, Part()
    for row in terms:
        parts = wanted.get(row["term"], {})
        assert row["opportunities"] == len(parts), f"{row['term']}: {row['opportunities']} deals and not {len(parts)}"
        exact = total([exact, *parts.values()])
        for column, amount in (("value", exact.value), ("expected_revenue", exact.expected)):
            shown[column] += row[column]
            assert is_rounded(shown[column], amount), (
                f"up to {row['term']}: {column} {shown[column]}, not {float(amount)}"
            )
    assert shown == {column: last[column] for column in shown}, "the terms add up to the end"
    for day, row in ((start, terms[0]), (end, last)):
        then = Opinion(opinion.company, opinion.viewer, replace(scope, as_of=day))
        value, expected, _ = then.total(then.open_deals(), day)
        assert is_rounded(row["value"], value)
        assert is_rounded(row["expected_revenue"], expected)
    for row in sorted(terms, key=lambda row: -row["opportunities"])[:2]:
        parts = wanted.get(row["term"], {})
        compare_records(db, scope, (start, end), row, {str(deal): part for deal, part in parts.items()})


def compare_records(
    db: Connection, scope: Scope, days: tuple[date, date], term: Answer, wanted: dict[str, Part]
) -> None:
    rows = records(pipeline.movement_records(db, scope, *days, term["term"]))
    assert {row["opportunity_id"] for row in rows} == set(wanted)
    for row in rows:
        part = wanted[row["opportunity_id"]]
        assert is_rounded(row["value"], part.value, by=CENT)
        assert is_rounded(row["expected_revenue"], part.expected, by=CENT)
    for column in ("value", "expected_revenue"):
        assert sum(row[column] for row in rows) == term[column], "the records of a term add up to it"
