"""From the release of the Stages page's slider to its answer: `pytest tests/benchmarks/test_what_if.py`.

The question is asked once for each state of the data; every move of the slider is the arithmetic alone, and the figures
that show it. `EVENTOS_BENCHMARK_SCALES` and `EVENTOS_BENCHMARK_DIRECTORY` as in test_questions. `large` is worse than
any company: 100,000 open opportunities of 200 owners in 12 stages and 36 months, hardly two of them in one group.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from app import database
from app.charts import stages as charts
from app.estimates import what_if
from app.settings import Settings
from app.viewer import Viewer
from queries.scope import Period, Scope
from queries.stages import open_groups
from tests.benchmarks.test_questions import company, viewer  # noqa: F401  (fixtures)


@pytest.fixture
def large() -> pd.DataFrame:
    """100,000 open opportunities, spread over every group that there can be."""
    rng, number = np.random.default_rng(5), 100_000
    keys = pd.DataFrame(
        itertools.product(range(12), range(200), range(36), (True, False)),
        columns=["stage_id", "owner_id", "closes", "inherits"],
    )
    drawn = keys.iloc[rng.integers(0, len(keys), number)]
    value, p = rng.lognormal(9, 1, number), rng.integers(5, 95, number) / 100
    each = drawn.assign(
        stage_id=drawn["stage_id"].astype(str), owner=drawn["owner_id"].astype(str), opportunities=1, without_rate=0,
        value=value, expected_revenue=value * p, squares=value**2, variance=value**2 * p * (1 - p),
    )  # fmt: skip
    return each.groupby(["stage_id", "owner_id", "owner", "closes", "inherits"], as_index=False).sum()


def answer(groups: what_if.Groups, stage_id: str) -> None:
    """What a move of the slider computes and draws."""
    outcome = what_if.with_defaults(groups, {stage_id: 0.4}, "inheriting")
    for variance in (outcome.variance_before, outcome.variance_after):
        what_if.band(outcome.after.sum(), variance.sum(), groups.sums["value"].sum())
    charts.by_stage(what_if.added_up(outcome, "stage_id").assign(stage="Stage", color="#112233"), "CAD")
    charts.by_month(what_if.added_up(outcome, "closes").assign(label="Month"), "CAD")
    charts.by_owner(what_if.added_up(outcome, "owner").head(8), "CAD")


def test_making_ready(large: pd.DataFrame, benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(what_if.Groups.of, (large,), rounds=7, warmup_rounds=1)


def test_the_arithmetic_and_its_figures(large: pd.DataFrame, benchmark: BenchmarkFixture) -> None:
    benchmark.extra_info["groups"] = len(large)
    benchmark.pedantic(answer, (what_if.Groups.of(large), "3"), rounds=15, warmup_rounds=2)


@pytest.mark.parametrize("viewer", ["manager", "admin"], indirect=True)
def test_the_question(viewer: Viewer, company: Settings, benchmark: BenchmarkFixture) -> None:  # noqa: F811
    organisation = viewer.organisation
    period = Period.of("quarter", viewer.today, organisation.fiscal_year_first_month)
    scope = Scope(viewer.today, viewer.today, period, organisation.report_currency, organisation.time_zone)
    with database.reading(viewer) as db:
        groups = benchmark.pedantic(open_groups, (db, scope), rounds=7, warmup_rounds=1)
    benchmark.extra_info.update(groups=len(groups), opportunities=int(groups["opportunities"].sum()))
    assert len(groups)
