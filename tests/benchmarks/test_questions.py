"""Every question of the pages as it is asked the first time, and the simulation.

Run it with `pytest tests/benchmarks/test_questions.py`.

`EVENTOS_BENCHMARK_SCALES` names the scales of the companies, "1,10" where it is not set; 50 takes some minutes to grow.
`EVENTOS_BENCHMARK_DIRECTORY` keeps them from one run to the next. The columns that count: the median; `rows`; and
`limit`, the same statement as the owner, whom no policy limits and no filter of a role: the time as a multiple of it.
`--benchmark-json` keeps the plans too.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy.pool import NullPool

from app import database
from app.forecasting import Directly, distribution, look_back
from app.settings import Settings
from app.viewer import Viewer
from queries import calibration, engagement, forecast, pipeline
from queries.engagement import Cell
from queries.scope import Period, Scope

SCALES = os.environ.get("EVENTOS_BENCHMARK_SCALES", "1,10").split(",")
ROLES = ("rep", "manager", "admin")
ROUNDS = 7
QUESTIONS: dict[str, Callable[[Scope], tuple[Any, tuple[Any, ...]]]] = {
    "headline": lambda scope: (pipeline.headline, (scope,)),
    "headline_trend": lambda scope: (pipeline.headline_trend, (scope,)),
    "expected_revenue_by_stage": lambda scope: (pipeline.expected_revenue_by_stage, (scope,)),
    "stage_stay_ends": lambda scope: (pipeline.stage_stay_ends, (scope,)),
    "movement": lambda scope: (pipeline.movement, (scope, scope.period.start - timedelta(days=1), scope.as_of)),
    "opportunities": lambda scope: (pipeline.opportunities, (scope,)),
    "stalled": lambda scope: (pipeline.opportunities, (scope, None, "stalled")),
    "no_next_step": lambda scope: (pipeline.opportunities, (scope, None, "no_next_step")),
    "choices": lambda _: (pipeline.choices, ()),
    "engagement.headline": lambda scope: (engagement.headline, (scope,)),
    "engagement.next_steps": lambda scope: (engagement.next_steps, (scope,)),
    "engagement.headline_trend": lambda scope: (engagement.headline_trend, (scope,)),
    "engagement.heatmap": lambda scope: (engagement.heatmap, (scope, "America/Toronto")),
    "engagement.heatmap of a year": lambda scope: (engagement.heatmap, (_year(scope), "America/Toronto")),
    "engagement.heatmap of a segment": lambda scope: (engagement.heatmap, (_of_segment(scope), "America/Toronto")),
    "engagement.heatmap of a past day": lambda scope: (engagement.heatmap, (_yesterday(scope), "America/Toronto")),
    "engagement.calendar": lambda scope: (engagement.calendar, (scope,)),
    "engagement.by_type": lambda scope: (engagement.by_type, (scope,)),
    "engagement.cell": lambda scope: (engagement.activities, (scope, Cell(2, 10, "America/Toronto"))),
    "engagement.neglected": lambda scope: (engagement.neglected, (scope,)),
    "engagement.top_accounts": lambda scope: (engagement.top_accounts, (scope,)),
    "engagement.reach": lambda scope: (engagement.reach, (scope,)),
    "engagement.task_load": lambda scope: (engagement.task_load, (scope,)),
    "engagement.tasks": lambda scope: (engagement.tasks, (scope,)),
    "engagement.score_bands": lambda scope: (engagement.score_bands, (scope,)),
    "engagement.risen": lambda scope: (engagement.scored, (scope, None, "risen", 4)),
    "months": lambda scope: (forecast.months, (scope,)),
    "outside": lambda scope: (forecast.outside, (scope,)),
    "roll_up": lambda scope: (forecast.roll_up, (scope,)),
    "open_opportunities": lambda scope: (forecast.open_opportunities, (scope,)),
    "open_amounts": lambda scope: (forecast.open_amounts, (scope,)),
    "won_amounts": lambda scope: (forecast.won_amounts, (scope,)),
    "new_business": lambda scope: (forecast.new_business, (scope,)),
    "records": lambda scope: (forecast.records, (scope, "open")),
    "adjustments": lambda scope: (forecast.adjustments, (scope,)),
    "adjustment_scores": lambda scope: (forecast.adjustment_scores, (scope,)),
    "stages": lambda scope: (calibration.stages, (scope,)),
    "scores": lambda scope: (calibration.scores, (scope,)),
    "overrides": lambda scope: (calibration.overrides, (scope,)),
    "parameters": lambda scope: (calibration.parameters, (scope,)),
}
EMPTY = ("stalled", "no_next_step", "adjustments", "adjustment_scores", "engagement.cell", "engagement.risen")


def _year(scope: Scope) -> Scope:
    return replace(scope, period=Period.of("year", scope.as_of))


def _of_segment(scope: Scope) -> Scope:
    return replace(scope, company_sizes=("small", "medium"))


def _yesterday(scope: Scope) -> Scope:
    return replace(scope, as_of=scope.as_of - timedelta(days=1))


@pytest.fixture(scope="module", params=SCALES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A company of that scale, with the doors open to it."""
    kept = os.environ.get("EVENTOS_BENCHMARK_DIRECTORY")
    directory = Path(kept) if kept else tmp_path_factory.mktemp("companies")
    data = directory / f"scale-{request.param}"
    if not data.exists():
        grow = [sys.executable, "-m", "app.cli", "demo", "--scale", request.param, "--data-dir", str(data)]
        subprocess.run(grow, check=True)
    with Settings.load(data_dir=data).reachable() as settings:
        database.connect(settings)
        try:
            yield settings
        finally:
            database.disconnect()


@pytest.fixture(scope="module", params=ROLES)
def viewer(request: pytest.FixtureRequest, company: Settings) -> Viewer:
    """The person of that role with the most opportunities."""
    statement = sa.text("""
        select held.user_id from crm_user_roles as held
        left join crm_opportunities as deal on deal.assigned_to = held.user_id
        where held.role = :role group by held.user_id order by count(deal.id) desc, held.user_id limit 1
    """)
    with database.owning() as owner:
        chosen = owner.execute(statement, {"role": request.param}).scalar_one()
    found = database.viewer_of(chosen)
    assert found
    return found


@pytest.mark.parametrize("name", QUESTIONS)
def test_question(name: str, viewer: Viewer, company: Settings, benchmark: BenchmarkFixture) -> None:
    question, arguments = QUESTIONS[name](scope_of(viewer))
    with database.reading(viewer) as db:
        rows = benchmark.pedantic(question, (db, *arguments), rounds=ROUNDS, warmup_rounds=1)
        plan = db.execute(sa.text(f"explain (analyze, buffers) {_literal(question.sql(*arguments))}")).scalars().all()
    benchmark.extra_info.update(
        rows=len(rows), limit=round(benchmark.stats.stats.median / _limit(company, question, arguments), 2), plan=plan
    )
    assert len(rows) or name in EMPTY


@pytest.mark.parametrize("what", ["distribution", "look_back"])
def test_forecasting(what: str, viewer: Viewer, company: Settings, benchmark: BenchmarkFixture) -> None:
    make = {"distribution": distribution, "look_back": look_back}[what]
    with database.reading(viewer) as db:
        made = benchmark.pedantic(
            make, (Directly(db), scope_of(viewer)), rounds=ROUNDS if what == "distribution" else 1, warmup_rounds=0
        )
    assert made


def scope_of(viewer: Viewer) -> Scope:
    """The page as it opens."""
    organisation = viewer.organisation
    return Scope(
        today=viewer.today,
        as_of=viewer.today,
        period=Period.of("quarter", viewer.today, organisation.fiscal_year_first_month),
        currency=organisation.report_currency,
        time_zone=organisation.time_zone,
        limited_to=viewer.team,
    )


def _limit(company: Settings, question: Any, arguments: tuple[Any, ...]) -> float:
    """Seconds for the same statement without policies."""
    arguments = tuple(replace(each, limited_to=None) if isinstance(each, Scope) else each for each in arguments)
    engine = sa.create_engine(company.migration_database_url or "", poolclass=NullPool)
    with engine.connect() as owner:
        # Some questions ask who is looking: somebody who sees everything.
        admin = sa.select(sa.func.min(sa.cast(sa.column("user_id"), sa.Text))).select_from(sa.text("crm_user_roles"))
        admin = admin.where(sa.column("role") == "admin")
        claims = sa.func.json_build_object("sub", admin.scalar_subquery())
        owner.execute(sa.select(sa.func.set_config("request.jwt.claims", sa.cast(claims, sa.Text), True)))
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            question(owner, *arguments)
            times.append(time.perf_counter() - start)
    return sorted(times)[ROUNDS // 2]


def _literal(sql: str) -> str:
    return sql.replace(":", "\\:")  # no parameter of SQLAlchemy's, but a cast
