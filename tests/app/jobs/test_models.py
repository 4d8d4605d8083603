"""What the models find where something is to be found, and that they keep silent where nothing is."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app import database as doors
from app import demo, embedded, importing, schema
from app.estimates import churn, logistic, win
from app.estimates.churn import Past
from app.jobs import known
from app.jobs.known import Calendar
from app.settings import Settings
from tests.conftest import settings_of
from tests.schema.conftest import own_database

SHARED = Path(__file__).parents[4] / "shared/data"
MAVEN = Path(__file__).parents[2] / "mappings/maven.toml"


@pytest.mark.parametrize(
    ("name", "mapping", "last_day"),
    [("salesforce", "salesforce", date(2015, 7, 8)), ("maven", str(MAVEN), date(2017, 12, 31))],
)
def test_nothing_tells_who_wins_in_exports_without_a_signal(
    server: embedded.Server, database: Settings, name: str, mapping: str, last_day: date
) -> None:
    """There the right answer is the base rate, and no reason moves anybody from it."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"{name} in ../shared/data is not here")
    with own_database(server, name, "template1") as other:
        doors.use(settings_of(server, other, database.data_dir))
        with doors.owning() as connection:
            schema.migrate(connection)
            importing.run(connection, format=mapping, directory=SHARED / name)
            calendar = Calendar(last_day, "America/Toronto", "USD")
            past, now = known.opportunities(connection, calendar)
        doors.use(database)
    model, card = win.learn(past, calendar.number)
    assert card.n > 100
    assert len(now) > 100
    assert model is None, (card.auc, card.brier, card.brier_base, card.effects)
    assert card.reason
    chance, points = win.score(model, card, now.assign(health=50.0))
    if np.isnan(card.base_rate):
        assert np.isnan(chance).all()
    else:
        assert chance == pytest.approx(card.base_rate, abs=0.0005)
    assert list(points.columns) == ["base"]


# The demo company -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_past(server: embedded.Server, database: Settings) -> Iterator[Past]:
    """What the refresh would learn from in the demo company of the usual seed."""
    with own_database(server, "causes", "template1") as name:
        doors.use(settings_of(server, name, database.data_dir))
        with doors.owning() as connection:
            schema.migrate(connection)
            demo.load(connection, scale=1)
            calendar = known.calendar(connection)
            organizers = known.organizers(connection, calendar)
            yield known.past(connection, calendar, organizers["id"])
        doors.use(database)


def after_an_event(past: Past) -> pd.DataFrame:
    """Samples of organizers that have just held an event: whether it was the last one before they churned.

    Later, their silence says more than its causes; here only the causes can.
    """
    frames = []
    for day in range(past.today - 4 * churn.YEAR + churn.YEAR, past.today - churn.HORIZON, churn.STRETCH):
        now = churn.clock(past, day)
        events = past.occasions[past.occasions["is_event"] & (past.occasions["day"] <= day)]
        last = events.groupby("organizer")["day"].max().reindex(range(past.organizers)).to_numpy()
        later = past.occasions[past.occasions["day"] > day].groupby("organizer")["day"].min()
        following = later.reindex(range(past.organizers)).fillna(churn.NEVER).to_numpy()
        fresh = (day - last < churn.STRETCH) & (now.runs_out < past.today)
        known_then = churn.features(past, day)[["satisfaction", "attention", "handover"]][fresh]
        happened = (following > now.runs_out)[fresh]
        frames.append(known_then.assign(cutoff=day, unit=np.flatnonzero(fresh), happened=happened))
    return pd.concat(frames, ignore_index=True)


def test_the_planted_causes_are_found(demo_past: Past) -> None:
    """`truth.CHURN_BY_…`: less content leave more, most of all; less attended to next; then after a handover."""
    model = logistic.fit(after_an_event(demo_past))
    assert model
    effects = dict(zip(model.features, model.effects.tolist(), strict=True))
    assert effects["satisfaction"] < effects["attention"] < 0, effects
    assert abs(effects["handover"]) < abs(effects["attention"]), effects
    assert effects["handover"] > -0.05, effects  # a rare and weak cause: its sign is within its error


def test_the_churn_model_of_the_demo_company_is_calibrated(demo_past: Past) -> None:
    model, card = churn.learn(demo_past)
    assert model, card.reason
    effects: dict[str, Any] = dict(zip(model.features, model.effects.tolist(), strict=True))
    assert effects["satisfaction"] < -0.2
    assert effects["attention"] < -0.2
    assert card.auc > 0.9
    curve = card.curve
    inside = (curve["forecast"] >= curve["low"]) & (curve["forecast"] <= curve["high"])
    assert curve["n"][inside].sum() >= 0.7 * curve["n"].sum()
    said, came = (curve["forecast"] * curve["n"]).sum(), (curve["rate"] * curve["n"]).sum()
    assert said == pytest.approx(came, abs=3 * np.sqrt((curve["n"] * curve["rate"] * (1 - curve["rate"])).sum()))
