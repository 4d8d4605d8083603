"""Every question of the pages as it is asked the first time, and the simulation.

Run it with `pytest tests/benchmarks/test_questions.py`; `-k "engagement and 10 and rep"` chooses.

`EVENTOS_BENCHMARK_SCALES` names the scales of the companies, "1,10" where it is not set; 50 takes a quarter of an hour
to grow. `EVENTOS_BENCHMARK_DIRECTORY` keeps them from one run to the next, each as `scale-10` or the like.

Times are those of a processor, at work for the question here and in the embedded server, so that others' work on the
same machine counts little. The columns that count: the median; `rows`; and `limit`, the same statement as the owner,
whom no policy limits and no filter of a role: the time as a multiple of it. `--benchmark-json` keeps the plans too. At
the end stands a table of the medians with the sum of each page.
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
from queries import calibration, engagement, forecast, health, overview, pipeline, quality, stages
from queries.engagement import Cell
from queries.scope import Period, Scope

SCALES = os.environ.get("EVENTOS_BENCHMARK_SCALES", "1,10").split(",")
ROLES = ("rep", "manager", "executive")  # an admin sees what an executive sees, through the same arms of the policies
ROUNDS = 3
ZONE = "America/Toronto"
Asked = tuple[Any, tuple[Any, ...]]
_SHARED: dict[str, Callable[[Scope], Asked]] = {
    "pipeline.headline": lambda scope: (pipeline.headline, (scope,)),
    "pipeline.headline_trend": lambda scope: (pipeline.headline_trend, (scope,)),
    "pipeline.expected_revenue_by_stage": lambda scope: (pipeline.expected_revenue_by_stage, (scope,)),
    "forecast.months": lambda scope: (forecast.months, (scope,)),
    "forecast.outside": lambda scope: (forecast.outside, (scope,)),
    "forecast.open_amounts": lambda scope: (forecast.open_amounts, (scope,)),
    "forecast.won_amounts": lambda scope: (forecast.won_amounts, (scope,)),
    "forecast.new_business": lambda scope: (forecast.new_business, (scope,)),
    "calibration.stages": lambda scope: (calibration.stages, (scope,)),
    "calibration.parameters": lambda scope: (calibration.parameters, (scope,)),
    "health.headline": lambda scope: (health.headline, (scope,)),
    "health.headline_trend": lambda scope: (health.headline_trend, (scope,)),
    "health.risk": lambda scope: (health.risk, (scope,)),
    "health.report_cards": lambda scope: (health.report_cards, (scope,)),
    "engagement.headline": lambda scope: (engagement.headline, (scope,)),
    "engagement.headline_trend": lambda scope: (engagement.headline_trend, (scope,)),
}


def _all_of(*names: str) -> dict[str, Callable[[Scope], Asked]]:
    return {name: _SHARED[name] for name in names}


_SIMULATED = _all_of(
    "forecast.open_amounts", "forecast.won_amounts", "forecast.new_business", "calibration.stages",
    "calibration.parameters",
)  # fmt: skip
# Each page as it opens, and what a click opens from it.
PAGES: dict[str, dict[str, Callable[[Scope], Asked]]] = {
    "Overview": {
        **_all_of("pipeline.headline", "pipeline.headline_trend", "pipeline.expected_revenue_by_stage"),
        **_all_of("forecast.months", "forecast.outside"),
        **_SIMULATED,
        **_all_of("health.headline", "health.headline_trend", "health.risk", "health.report_cards"),
        "health.movers": lambda scope: (health.movers, (scope, scope.as_of - overview.WEEK, scope.as_of, 5)),
        **_all_of("engagement.headline", "engagement.headline_trend"),
        "overview.changes": lambda scope: (overview.changes, (scope, 5)),
    },
    "Pipeline": {
        **_all_of("pipeline.headline", "pipeline.headline_trend", "pipeline.expected_revenue_by_stage"),
        "stage_stay_ends": lambda scope: (pipeline.stage_stay_ends, (scope,)),
        "movement": lambda scope: (pipeline.movement, (scope, scope.period.start - timedelta(days=1), scope.as_of)),
        "opportunities": lambda scope: (pipeline.opportunities, (scope,)),
    },
    "Forecast": {
        **_all_of("forecast.months", "forecast.outside"),
        "before": lambda scope: (forecast.months, (scope.before(),)),
        "open_opportunities": lambda scope: (forecast.open_opportunities, (scope,)),
        "roll_up": lambda scope: (forecast.roll_up, (scope,)),
        **_SIMULATED,
    },
    "Stages": {
        "calibration.stages": _SHARED["calibration.stages"],
        "calibration.reliability": lambda scope: (calibration.reliability, (scope,)),
        "calibration.scores": lambda scope: (calibration.scores, (scope,)),
        "calibration.overrides": lambda scope: (calibration.overrides, (scope,)),
        "open_groups": lambda scope: (stages.open_groups, (scope,)),
        "changes_made": lambda _: (stages.changes_made, ()),
    },
    "Engagement": {
        **_all_of("engagement.headline", "engagement.headline_trend"),
        "next_steps": lambda scope: (engagement.next_steps, (scope,)),
        "heatmap": lambda scope: (engagement.heatmap, (scope, ZONE)),
        "calendar": lambda scope: (engagement.calendar, (scope,)),
        "neglected": lambda scope: (engagement.neglected, (scope,)),
        "top_accounts": lambda scope: (engagement.top_accounts, (scope,)),
        "by_type": lambda scope: (engagement.by_type, (scope,)),
        "reach": lambda scope: (engagement.reach, (scope,)),
        "task_load": lambda scope: (engagement.task_load, (scope,)),
        "tasks": lambda scope: (engagement.tasks, (scope, None, None, 8)),
        "score_bands": lambda scope: (engagement.score_bands, (scope,)),
        "risen": lambda scope: (engagement.scored, (scope, None, "risen", 4)),
        "fallen": lambda scope: (engagement.scored, (scope, None, "fallen", 4)),
    },
    "Health": {
        **_all_of("health.report_cards", "health.headline", "health.headline_trend", "health.risk"),
        "churned_days": lambda scope: (health.churned_days, (scope,)),
        "most": lambda scope: (health.accounts, (scope, None, None, None, None, False, "revenue_at_risk", 60)),
        "distribution": lambda scope: (health.distribution, (scope,)),
        "movers": lambda scope: (health.movers, (scope, scope.as_of - health.MOVED_OVER, scope.as_of)),
        "accounts": lambda scope: (health.accounts, (scope,)),
        "calibration": lambda scope: (health.calibration, (scope, "churn")),
        "effects": lambda scope: (health.effects, (scope, "churn")),
        "retention": lambda scope: (health.retention, (scope,)),
    },
    "Data quality": {
        "problems": lambda scope: (quality.problems, (scope,)),
        "overdue": lambda scope: (quality.rows, (scope, "overdue")),
    },
    "Behind a click": {
        "choices": lambda _: (pipeline.choices, ()),
        "stalled": lambda scope: (pipeline.opportunities, (scope, None, "stalled")),
        "no_next_step": lambda scope: (pipeline.opportunities, (scope, None, "no_next_step")),
        "forecast.records": lambda scope: (forecast.records, (scope, "open")),
        "adjustments": lambda scope: (forecast.adjustments, (scope,)),
        "adjustment_scores": lambda scope: (forecast.adjustment_scores, (scope,)),
        "heatmap of a year": lambda scope: (engagement.heatmap, (_year(scope), ZONE)),
        "heatmap of a segment": lambda scope: (engagement.heatmap, (_of_segment(scope), ZONE)),
        "heatmap of a past day": lambda scope: (engagement.heatmap, (_yesterday(scope), ZONE)),
        "heatmap's cell": lambda scope: (engagement.activities, (scope, Cell(2, 10, ZONE))),
        "satisfaction missing": lambda scope: (quality.rows, (scope, "satisfaction_missing")),
    },
}
QUESTIONS = [(page, name) for page, asked in PAGES.items() for name in asked]
EMPTY = (
    "stalled", "no_next_step", "adjustments", "adjustment_scores", "heatmap's cell", "risen", "fallen", "movers",
    "health.movers", "overdue", "satisfaction missing", "calibration.overrides", "effects", "calibration",
)  # fmt: skip


def _year(scope: Scope) -> Scope:
    return replace(scope, period=Period.of("year", scope.as_of))


def _of_segment(scope: Scope) -> Scope:
    return replace(scope, company_sizes=("small", "medium"))


def _yesterday(scope: Scope) -> Scope:
    return replace(scope, as_of=scope.as_of - timedelta(days=1))


_watched = {"backend": 0}  # the process of the server that the question is asked of


def processor_time() -> float:
    """Seconds that this process and the server's for its connection have been at work."""
    theirs = Path(f"/proc/{_watched['backend']}/schedstat")
    at_work = int(theirs.read_text().split()[0]) / 1e9 if theirs.exists() else 0.0
    return time.process_time() + at_work


@pytest.fixture(scope="module", params=SCALES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A company of that scale, with the doors open to it."""
    kept = os.environ.get("EVENTOS_BENCHMARK_DIRECTORY")
    directory = Path(kept) if kept else tmp_path_factory.mktemp("companies")
    data = directory / f"scale-{request.param}"
    if not data.exists():
        for command in (["demo", "--scale", request.param], ["refresh"]):
            subprocess.run([sys.executable, "-m", "app.cli", *command, "--data-dir", str(data)], check=True)
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


@pytest.fixture(scope="module")
def medians(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], dict[str, float]]]:
    """Milliseconds by page and question, then by scale and role; printed at the end with each page's sum."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    yield found
    columns = list(dict.fromkeys(column for times in found.values() for column in times))
    lines = ["", "| page | question | " + " | ".join(columns) + " |", "|---|---|" + "---:|" * len(columns)]
    for page, questions in PAGES.items():
        asked = {name: found[page, name] for name in questions if (page, name) in found}
        sums = {column: sum(times.get(column, 0) for times in asked.values()) for column in columns}
        together = {"together": sums} if page != "Behind a click" and asked else {}
        for name, times in (together | asked).items():
            lines.append(f"| {page} | {name} | " + " | ".join(f"{times.get(each, 0):.0f}" for each in columns) + " |")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n".join(lines))  # noqa: T201


@pytest.mark.benchmark(timer=processor_time)
@pytest.mark.parametrize(("page", "name"), QUESTIONS)
def test_question(
    page: str,
    name: str,
    viewer: Viewer,
    company: Settings,
    benchmark: BenchmarkFixture,
    medians: dict[tuple[str, str], dict[str, float]],
    request: pytest.FixtureRequest,
) -> None:
    question, arguments = PAGES[page][name](scope_of(viewer))
    with database.reading(viewer) as db:
        _watch(db)
        rows = benchmark.pedantic(question, (db, *arguments), rounds=ROUNDS, warmup_rounds=1)
        plan = db.execute(sa.text(f"explain (analyze, buffers) {_literal(question.sql(*arguments))}")).scalars().all()
    median = benchmark.stats.stats.median
    column = f"{viewer.role}, S = {request.node.callspec.params['company']}"
    medians.setdefault((page, name), {})[column] = median * 1000
    benchmark.extra_info.update(
        rows=len(rows), limit=round(median / _limit(company, question, arguments), 2), plan=plan
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


def _watch(db: sa.Connection) -> None:
    _watched["backend"] = db.scalar(sa.select(sa.func.pg_backend_pid())) or 0


def _limit(company: Settings, question: Any, arguments: tuple[Any, ...]) -> float:
    """Seconds for the same statement without policies."""
    arguments = tuple(replace(each, limited_to=None) if isinstance(each, Scope) else each for each in arguments)
    engine = sa.create_engine(company.migration_database_url or "", poolclass=NullPool)
    with engine.connect() as owner:
        _watch(owner)
        # Some questions ask who is looking: somebody who sees everything.
        admin = sa.select(sa.func.min(sa.cast(sa.column("user_id"), sa.Text))).select_from(sa.text("crm_user_roles"))
        admin = admin.where(sa.column("role") == "admin")
        claims = sa.func.json_build_object("sub", admin.scalar_subquery())
        owner.execute(sa.select(sa.func.set_config("request.jwt.claims", sa.cast(claims, sa.Text), True)))
        times = []
        for _ in range(ROUNDS):
            start = processor_time()
            question(owner, *arguments)
            times.append(processor_time() - start)
    return sorted(times)[ROUNDS // 2]


def _literal(sql: str) -> str:
    return sql.replace(":", "\\:")  # no parameter of SQLAlchemy's, but a cast
