"""Forecasts as pages get them: what was known and nothing later, what-ifs, and companies with little or nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import Connection, Engine

from app import demo, embedded
from app.demo import truth
from app.estimates import backtest
from app.forecasting import Directly, WhatIf, distribution, look_back
from app.jobs import calibration as job
from app.settings import Settings
from app.viewer import Viewer
from queries import forecast
from queries.scope import Period, Scope
from tests.app.future import poison
from tests.conftest import owner_of
from tests.queries.conftest import scope_of
from tests.queries.history import happens
from tests.schema.conftest import own_database
from tests.tables import given

Reading = Callable[..., AbstractContextManager[Connection]]
ANCHOR = date(2026, 11, 20)
DAY = date(2026, 5, 1)


@pytest.fixture(scope="module")
def grown(server: embedded.Server, database: Settings) -> Iterator[Engine]:
    """A small demo company with its runs."""
    with own_database(server, "forecasting", "migrated") as name:
        engine = owner_of(server, name)
        with engine.begin() as connection:
            connection.exec_driver_sql("truncate crm_profiles, crm_user_roles cascade")
            demo.load(connection, scale=0.05, seed=truth.SEED, anchor=ANCHOR)
            with pytest.MonkeyPatch.context() as less:
                less.setattr(job, "MONTHS_BACK", 15)
                job.run(connection)
        yield engine


def scope(as_of: date = ANCHOR, **chosen: Any) -> Scope:
    return scope_of(today=ANCHOR, as_of=as_of, **chosen)


# Nothing later leaks in -----------------------------------------------------------------------------------------


def test_a_past_forecast_knows_nothing_of_what_came_later(grown: Engine) -> None:
    then = scope(DAY)
    questions = (forecast.months, forecast.outside, forecast.roll_up, forecast.open_amounts, forecast.won_amounts)
    with grown.connect() as connection, connection.begin() as attempt:
        ask = Directly(connection)
        before, answers = distribution(ask, then), [ask(question, then) for question in questions]
        poison(connection, "2026-05-02 00:00-04")
        assert ask(forecast.won, replace(then, as_of=ANCHOR))["value"].iloc[0] > 1e9
        after = distribution(ask, then)
        assert (after.totals == before.totals).all()
        assert (after.mean, after.won, after.reasons) == (before.mean, before.won, before.reasons)
        assert_frame_equal(after.contributions, before.contributions)
        for question, answer in zip(questions, answers, strict=True):
            assert_frame_equal(ask(question, then), answer)
        attempt.rollback()
    assert before.deviation > 0


def test_looking_back_finds_what_was_forecast_then_and_what_came(grown: Engine) -> None:
    said: list[float] = []
    with grown.begin() as connection:
        ask = Directly(connection)
        found = look_back(ask, scope(), lambda _text, share: said.append(share))
        quarter = Period.of("quarter", date(2026, 7, 1))
        day = date(2026, 9, 1)
        row = found.periods.set_index("as_of").loc[pd.Timestamp(day)]
        then = distribution(ask, scope(day, period=quarter))
        assert row["actual"] == pytest.approx(float(ask(forecast.won, scope(period=quarter))["value"].iloc[0]))
    assert said == sorted(said)
    assert row["mean"] == pytest.approx(then.mean, rel=0.02)  # of fewer draws
    assert row["p10"] == pytest.approx(then.quantile(0.1), rel=0.05)
    quarters = found.periods["period_start"].nunique()
    assert quarters == 5
    assert set(backtest.accuracy(found.periods)["n"]) <= {4, 5}
    assert backtest.coverage(found.periods)["n"].tolist() == [len(found.periods)] * 3
    for part in (found.owners, found.stages):
        assert (part.groupby("as_of").size() > 2).all()
    # Owners' parts are the whole but for business that did not exist yet.
    whole = found.periods.set_index("as_of")
    owners = found.owners.groupby("as_of")[["forecast", "actual"]].sum()
    assert owners["actual"].to_numpy() == pytest.approx(whole["actual"].to_numpy(), rel=1e-6)
    assert (owners["forecast"] <= whole["mean"] * 1.001).all()
    assert set(found.stages["stage"]) <= {"Lead", "Qualified", "Proposal", "Negotiation"}
    assert backtest.accuracy(found.owners, "owner")["n"].sum() == len(found.owners)


def test_what_the_bands_held_on_the_demo_company(grown: Engine) -> None:
    with grown.begin() as connection:
        found = look_back(Directly(connection), scope())
    coverage = backtest.coverage(found.periods).set_index("band")
    # As wide as is said: the band's share lies within the interval of how often it was right.
    for band in (0.5, 0.8, 0.9):
        assert coverage.loc[band, "low"] <= band <= coverage.loc[band, "high"], band


# What if --------------------------------------------------------------------------------------------------------


def test_what_if(grown: Engine) -> None:
    with grown.begin() as connection:
        ask = Directly(connection)
        deals = ask(forecast.open_opportunities, scope())
        chosen = deals[(deals["place"] == "in_period") & (deals["probability_source"] == "stage")].iloc[0]
        deal, value = chosen["opportunity_id"], float(chosen["value"])
        plain = distribution(ask, scope())
        certain = distribution(ask, scope(), [WhatIf(deal, probability=1.0)])
        without = distribution(ask, scope(), [WhatIf(deal, is_in=False)])
        later = distribution(ask, scope(), [WhatIf(deal, expected_close_date=date(2028, 1, 1))])
        gone = distribution(ask, scope(), [WhatIf("nothing of the kind", probability=1.0)])
        again = distribution(ask, scope())
    assert (certain.totals >= plain.totals - 0.011).all()
    apart = plain.totals - without.totals
    assert np.minimum(np.abs(apart), np.abs(apart - value)).max() < 0.05  # it is won, or it is not
    assert deal not in set(without.contributions["opportunity_id"])
    assert without.mean < plain.mean < certain.mean
    assert without.mean <= later.mean < plain.mean
    assert (gone.totals == plain.totals).all()
    assert "not open any more" in gone.reasons[-1]
    assert (again.totals == plain.totals).all()


# Little or nothing ----------------------------------------------------------------------------------------------


@pytest.fixture
def company(owner: Connection) -> Connection:
    """One organizer."""
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    return owner


def opened(owner: Connection, *rows: tuple[str, str, str]) -> None:
    """Open opportunities of these values and probabilities, closing on these days."""
    lines = [
        f"2025-10-01 09:00 | deal {number} | acme | rita | Proposal | {value} | {probability} | {closing}"
        for number, (value, probability, closing) in enumerate(rows)
    ]
    header = "at | deal | organizer_id | assigned_to | stage_id | value | probability | expected_close_date"
    happens(owner, "\n".join([header, *lines]))


def made(reading_as: Reading, who: str = "rita", **chosen: Any) -> Any:
    with reading_as(who, date(2025, 11, 5)) as db:
        return distribution(Directly(db), scope_of(**chosen))


def test_no_history_at_all(owner: Connection, reading_as: Reading) -> None:
    found = made(reading_as, "ada")
    assert set(found.totals) == {0}
    assert found.reasons[0] == "Nothing is calibrated yet: probabilities and closing dates are taken at their word."
    with reading_as("ada") as db:
        back = look_back(Directly(db), scope_of())
    assert all(frame.empty for frame in back)
    assert backtest.coverage(back.periods).empty or (backtest.coverage(back.periods)["n"] == 0).all()


@pytest.mark.parametrize(("probability", "total"), [("0", 0), ("100", 300)])
def test_all_probabilities_0_or_100(company: Connection, reading_as: Reading, probability: str, total: float) -> None:
    opened(company, *[("100", probability, "2025-12-01")] * 3)
    found = made(reading_as)
    assert set(found.totals) == {total}
    assert found.contributions["contribution"].isna().all()


def test_one_opportunity_larger_than_all_others_together(company: Connection, reading_as: Reading) -> None:
    opened(company, ("9999999999999999.99", "40", "2025-12-01"), *[("100", "50", "2025-12-01")] * 10)
    found = made(reading_as)
    assert found.quantile(0.5) <= 1000
    assert found.quantile(0.9) > 1e15
    assert found.contributions["contribution"].max() > 0.999


def test_a_period_without_opportunities(company: Connection, reading_as: Reading) -> None:
    opened(company, ("100", "50", "2025-12-01"))
    assert set(made(reading_as, period=Period.of("quarter", date(2027, 1, 1))).totals) == {0}


def test_any_days_are_a_period_too(company: Connection, reading_as: Reading) -> None:
    opened(company, ("100", "100", "2025-12-10"), ("1", "100", "2025-12-20"))
    found = made(reading_as, period=Period(date(2025, 11, 10), date(2025, 12, 15), "some days"))
    assert set(found.totals) == {100}


def test_each_viewer_forecasts_their_own(
    company: Connection, reading_as: Reading, viewer: Callable[..., Viewer]
) -> None:
    opened(company, ("100", "100", "2025-12-10"))
    assert set(made(reading_as, "rita", limited_to=viewer("rita").team).totals) == {100}
    assert set(made(reading_as, "olaf", limited_to=viewer("olaf").team).totals) == {0}
