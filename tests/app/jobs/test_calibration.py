"""What a run stores: counted once more in plain Python, found again in the demo company, and never ahead of its day."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, Engine

from app import database as doors
from app import demo, embedded, importing
from app.demo import company as founding
from app.demo import people as staff
from app.demo import truth
from app.estimates import timing
from app.estimates.calibration import jeffreys
from app.estimates.stored import from_text, to_text
from app.jobs import calibration as job
from app.settings import Settings
from queries import calibration
from tests.app.future import poison
from tests.conftest import at_the_start, owner_of
from tests.queries import history
from tests.queries.conftest import scope_of
from tests.queries.history import happens
from tests.schema.conftest import own_database
from tests.tables import id_of

DATA = Path(__file__).parents[4] / "shared/data"
MAPPINGS = Path(__file__).parents[2] / "mappings"
Reading = Callable[..., AbstractContextManager[Connection]]


def calibrate(**options: bool) -> date:
    with doors.owning() as connection:
        return job.run(connection, **options)


def runs(owner: Connection) -> dict[date, tuple[Any, ...]]:
    """Everything stored, but when it was made."""
    rows = owner.exec_driver_sql(
        "select as_of, history_from, stages, reliability, scores, fitted, (select json_agg(found order by owner_id)"
        " from crm_calibration_overrides as found where found.as_of = run.as_of)::text from crm_calibrations as run"
    )
    return {row[0]: tuple(row[1:]) for row in rows}


# A small company, by hand ---------------------------------------------------------------------------------------


@pytest.fixture
def decided(owner: Connection) -> Connection:
    """One deal of every kind that a stage's rate could count by mistake."""
    history.stages_since(owner, date(2024, 1, 1))
    owner.exec_driver_sql(
        "insert into public.crm_organizers (id, company_name, assigned_to) values (%s, 'Acme', %s)",
        (id_of("acme"), id_of("rita")),
    )
    happens(
        owner,
        """
        at               | deal      | organizer_id | assigned_to | stage_id    | value | probability | expected_close_date | status    |
        2025-01-02 09:00 | Won       | acme         | rita        | Lead        | 1     |             | 2025-02-10          |           |
        2025-01-03 09:00 | Won       |              |             | Proposal    |       |             |                     |           |
        2025-02-10 09:00 | Won       |              |             | Won         |       |             |                     |           |
        2025-01-02 09:00 | Late      | acme         | ravi        | Proposal    | 1     |             | 2025-01-31          |           |
        2025-02-01 09:00 | Late      |              |             | Won         |       |             |                     |           |
        2025-01-02 09:00 | Lost      | acme         | rita        | Proposal    | 1     | 90          |                     |           |
        2025-02-01 09:00 | Lost      |              |             | Lost        |       |             |                     |           |
        2025-01-02 09:00 | Skipped   | acme         | rita        | Lead        | 1     |             | 2025-12-31          |           |
        2025-01-09 09:00 | Skipped   |              |             | Negotiation |       |             |                     |           |
        2025-02-01 09:00 | Skipped   |              |             | Won         |       |             |                     |           |
        2025-01-02 09:00 | Abandoned | acme         | rita        | Proposal    | 1     |             |                     |           |
        2025-02-01 09:00 | Abandoned |              |             | Lost        |       |             |                     | abandoned |
        2025-01-02 09:00 | Open      | acme         | rita        | Proposal    | 1     |             |                     |           |
        2025-01-02 09:00 | Gone      | acme         | rita        | Proposal    | 1     |             |                     |           |
        2025-01-20 09:00 | Gone      |              |             | deleted     |       |             |                     |           |
        2025-01-02 09:00 | Reopened  | acme         | rita        | Proposal    | 1     |             |                     |           |
        2025-02-01 09:00 | Reopened  |              |             | Lost        |       |             |                     |           |
        2025-03-05 09:00 | Reopened  |              |             | Proposal    |       |             |                     |           |
        2025-03-07 09:00 | Reopened  |              |             | Won         |       |             |                     |           |
        2025-01-02 09:00 | Back      | acme         | rita        | Proposal    | 1     |             |                     |           |
        2025-01-05 09:00 | Back      |              |             | Lead        |       |             |                     |           |
        2025-01-06 09:00 | Back      |              |             | Proposal    |       |             |                     |           |
        2025-01-07 23:59 | Back      |              |             | Lost        |       |             |                     |           |
        """,  # noqa: E501  (a table is as wide as its columns)
    )
    return owner


def counts(reading_as: Reading, as_of: date, horizon: calibration.Horizon = "ever") -> dict[str, tuple[int, ...]]:
    """Of each stage: closed, won, open, abandoned, undated."""
    with reading_as("rita") as db:
        frame = calibration.stages(db, scope_of(today=date(2025, 11, 5), as_of=as_of), horizon)
    names = ("n", "wins", "open", "abandoned", "undated")
    return {row.stage: tuple(getattr(row, name) for name in names) for row in frame.itertuples()}


def test_who_reached_a_stage_and_how_it_ended(decided: Connection, reading_as: Reading) -> None:
    calibrate()
    assert counts(reading_as, date(2025, 11, 5)) == {
        "Lead": (3, 2, 0, 0, 0),  # Won, Skipped, Back
        "Qualified": (0, 0, 0, 0, 0),
        "Proposal": (5, 3, 1, 1, 0),  # Won, Late, Reopened; Lost, Back
        "Negotiation": (1, 1, 0, 0, 0),
    }
    assert counts(reading_as, date(2025, 11, 5), "by_expected_close")["Proposal"] == (2, 1, 0, 0, 5)


def test_a_past_day_knows_what_was_known_then(decided: Connection, reading_as: Reading) -> None:
    calibrate()
    # At the end of 1 February three deals were lost, one of which was won in March, and Won was open.
    assert counts(reading_as, date(2025, 2, 1))["Proposal"] == (4, 1, 2, 1, 0)
    assert counts(reading_as, date(2025, 2, 27))["Proposal"] == (4, 1, 2, 1, 0)  # the run of the month's first day
    assert counts(reading_as, date(2025, 3, 1))["Proposal"] == (5, 2, 1, 1, 0)
    assert counts(reading_as, date(2025, 1, 31)) == dict.fromkeys(
        ("Lead", "Qualified", "Proposal", "Negotiation"), (0, 0, 0, 0, 0)
    )


def test_few_closings_are_no_suggestion(decided: Connection, reading_as: Reading) -> None:
    calibrate()
    with reading_as("ada") as db:
        frame = calibration.stages(db, scope_of(today=date(2025, 11, 5))).set_index("stage")
        assert frame.loc["Proposal", "reason"] == "Not enough closed deals: 5, and a judgement takes 30."
        assert frame.loc["Qualified", "reason"] == "No history for this stage."
        assert frame[["estimate", "suggestion", "outside"]].isna().all(axis=None)
        assert calibration.scores(db, scope_of())["brier"].isna().all()


def test_an_edit_of_the_set_value_shows_at_once(decided: Connection, reading_as: Reading) -> None:
    calibrate()
    decided.exec_driver_sql("update public.crm_pipeline_stages set default_probability = 33 where name = 'Lead'")
    with reading_as("ada") as db:
        frame = calibration.stages(db, scope_of(today=date(2030, 1, 1), as_of=date(2030, 1, 1)))
    assert frame["set_probability"].iloc[0] == 0.33


def test_who_sees_whose_overrides(decided: Connection, reading_as: Reading) -> None:
    calibrate()
    for who, seen in [("ada", ["Rita"]), ("eve", ["Rita"]), ("max", ["Rita"]), ("rita", ["Rita"]), ("ravi", [])]:
        with reading_as(who) as db:
            frame = calibration.overrides(db, scope_of(today=date(2030, 1, 1), as_of=date(2030, 1, 1)))
        assert list(frame["owner"]) == seen, who
        if seen:
            # Lost at 90 % where the stage said 50 %.
            assert frame[["n", "brier_override", "brier_stage"]].iloc[0].tolist() == [1, pytest.approx(0.81), 0.25]


def test_the_same_day_again_replaces_its_run(decided: Connection) -> None:
    calibrate()
    before = runs(decided)
    assert calibrate() in before
    assert runs(decided) == before
    decided.exec_driver_sql("delete from public.crm_calibrations where as_of = '2025-02-01'")
    calibrate(past=False)
    assert date(2025, 2, 1) not in runs(decided)
    with doors.owning() as connection:
        assert job.missing(connection) == [date(2025, 2, 1)]
    calibrate()
    assert runs(decided) == before


def test_no_history_at_all(owner: Connection, reading_as: Reading) -> None:
    today = calibrate()
    assert list(runs(owner)) == [today]
    with reading_as("ada") as db:
        frame = calibration.stages(db, scope_of(today=today, as_of=today))
        assert set(frame["reason"]) == {"No history for this stage."}
        assert len(frame) == 4
        fitted = from_text(calibration.parameters(db, scope_of(today=today, as_of=today))["fitted"].iloc[0])
    assert not fitted.slip.curves
    assert fitted.shock.mean is None


def test_without_a_run_there_are_stages_and_no_numbers(owner: Connection, reading_as: Reading) -> None:
    with reading_as("ada") as db:
        assert calibration.latest(db, scope_of()).empty
        assert calibration.parameters(db, scope_of()).empty
        assert calibration.scores(db, scope_of()).empty
        assert set(calibration.stages(db, scope_of())["reason"]) == {"No history for this stage."}


# The demo company -----------------------------------------------------------------------------------------------

ANCHOR = date(2026, 11, 20)
SCALE = 0.1


@pytest.fixture(scope="module")
def grown(server: embedded.Server, database: Settings) -> Iterator[Engine]:
    """A demo company, and its runs."""
    with own_database(server, "calibrated", "migrated") as name:
        engine = owner_of(server, name)
        with engine.begin() as connection:
            connection.exec_driver_sql("truncate crm_profiles, crm_user_roles cascade")
            demo.load(connection, scale=SCALE, seed=truth.SEED, anchor=ANCHOR)
            job.run(connection, past=False)
        yield engine


def test_the_planted_truth_is_found_again(grown: Engine) -> None:
    with grown.begin() as connection:
        today = job._today(connection)
        scope = scope_of(today=today, as_of=today)
        stages = calibration.stages(connection, scope).set_index("stage")
        for name, rate in zip(truth.STAGES, truth.WIN_RATE, strict=False):
            found = stages.loc[name]
            low, high = jeffreys(found["wins"], found["n"], 0.999)  # four chances of one in a thousand
            assert low <= rate <= high, name
        assert stages.loc["Negotiation", "outside"]
        scores = calibration.scores(connection, scope).set_index("forecaster")
        assert scores.loc["calibrated", "brier"] < scores.loc["set", "brier"] < scores.loc["base", "brier"]
        overrides = calibration.overrides(connection, scope)
        judged = overrides[overrides["reason"] == ""].set_index("owner")
        people = founding.found(np.random.default_rng([truth.SEED, 0]), ANCHOR, SCALE).people
        habits = {name: int(habit) for name, habit in zip(people.names, people.habit, strict=True)}
        sharp, rosy = (judged[judged.index.map(habits) == habit] for habit in (staff.SHARP, staff.ROSY))
        assert len(sharp)
        assert len(rosy)
        assert (sharp["low"] > 0).all()
        assert (rosy["low"] < 0).all()
        fitted = from_text(calibration.parameters(connection, scope)["fitted"].iloc[0])
    assert fitted.shock.quarters >= 12
    assert fitted.shock.swing_interval
    assert fitted.shock.swing_interval[0] <= truth.SHOCK_SIGMA <= fitted.shock.swing_interval[1]
    # Wins ripe in the first two months wait for the third, which the data has as planted.
    assert fitted.season.effects[2] > 0 > max(fitted.season.effects[:2])
    assert not fitted.slip.reason


def test_slips_are_what_was_recorded(grown: Engine) -> None:
    """Of what was open at the start of a month and won in the end, the share that was won within 30 days."""
    with grown.begin() as connection:
        today = job._today(connection)
        fitted = from_text(calibration.parameters(connection, scope_of(today=today, as_of=today))["fitted"].iloc[0])
        known = job._History(job._versions(connection), job._stages(connection), 1)
    months = timing.months_between(date(2023, 6, 1), date(2025, 6, 1))
    seen = known.snapshots(months, today)
    for kind in (timing.SOON, timing.LATER, timing.OVERDUE):
        came, expected = [], []
        for day, snapshot in timing.snapshots(seen):
            won = snapshot[(snapshot["outcome"] == "won")]
            won = won[timing._kind(won["expected_close_date"], timing._days(won["seen_on"])) == kind]
            soon, later = timing.land(won, day, [day, day + timedelta(days=30), date(2100, 1, 1)], fitted.slip).T
            expected += (soon / (soon + later)).tolist()
            came += ((won["closed_on"] - won["seen_on"]).dt.days < 30).tolist()
        share = sum(came) / len(came)
        assert sum(expected) / len(expected) == pytest.approx(share, abs=4 * (share * (1 - share) / len(came)) ** 0.5)


def test_what_comes_later_changes_no_earlier_run(grown: Engine) -> None:
    with grown.connect() as connection, connection.begin() as attempt:
        day = date(2025, 6, 1)
        loaded = job._History(job._versions(connection), job._stages(connection), 1)
        job._store(connection, day, loaded, draws=50)
        before = runs(connection)[day]
        poison(connection, "2025-06-02 00:00-04")
        poisoned = job._History(job._versions(connection), job._stages(connection), 1)
        assert len(poisoned.versions) != len(loaded.versions)
        job._store(connection, day, poisoned, draws=50)
        assert runs(connection)[day] == before
        attempt.rollback()


def test_parameters_survive_being_kept(grown: Engine) -> None:
    with grown.begin() as connection:
        text = connection.exec_driver_sql("select fitted from crm_calibrations").scalars().first()
    assert text
    kept = from_text(text)
    again = from_text(to_text(kept))
    assert json.loads(to_text(again)) == json.loads(to_text(kept))
    assert again.season == kept.season
    assert kept.shock.weights.sum() == pytest.approx(1)


# Exports that nobody here wrote ---------------------------------------------------------------------------------


def imported(
    server: embedded.Server, database: Settings, mapping: str, directory: Path, currency: str | None = None
) -> pd.DataFrame:
    """The stages of a company made of an export, as an admin sees them."""
    with at_the_start(server, database) as owner:
        with doors.owning() as connection:
            assert not importing.run(connection, format=mapping, directory=directory).rejected
            today = job.run(connection, past=False)
        return calibration.stages(owner, scope_of(today=today, as_of=today)).set_index("stage")


@pytest.mark.skipif(not (DATA / "maven").is_dir(), reason="the Maven export in ../shared/data is not here")
def test_maven_s_engaging_calibrates_to_counts_by_hand(server: embedded.Server, database: Settings) -> None:
    stages = imported(server, database, str(MAPPINGS / "maven.toml"), DATA / "maven")
    found = stages.loc["Engaging"]
    assert (found["n"], found["wins"], found["open"]) == (4238 + 2473, 4238, 1589)
    assert found["rate"] == pytest.approx(4238 / 6711)
    assert found["suggestion"] == 0.63


@pytest.mark.skipif(not (DATA / "salesforce").is_dir(), reason="the Salesforce export in ../shared/data is not here")
def test_salesforce_shows_no_stays_of_what_is_closed_and_so_no_rates(
    server: embedded.Server, database: Settings
) -> None:
    stages = imported(server, database, "salesforce", DATA / "salesforce")
    assert len(stages) == 7
    assert set(stages["reason"]) == {"No history for this stage."}
    assert stages["n"].sum() == 0
    assert stages["suggestion"].isna().all()


@pytest.mark.skipif(not (DATA / "leadforge").is_dir(), reason="the leadforge export in ../shared/data is not here")
def test_leadforge_shows_no_stays_of_what_is_closed_and_so_no_rates(
    server: embedded.Server, database: Settings, tmp_path: Path
) -> None:
    for name in ("accounts", "contacts", "leads", "opportunities"):
        (tmp_path / f"{name}.csv").symlink_to(DATA / f"leadforge/{name}.csv")
    activities = (DATA / "leadforge/sales_activities.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "sales_activities.csv").write_text("".join(activities[:101]), "utf-8")  # all of them take seconds
    stages = imported(server, database, str(MAPPINGS / "leadforge.toml"), tmp_path)
    assert set(stages["reason"]) == {"No history for this stage."}
