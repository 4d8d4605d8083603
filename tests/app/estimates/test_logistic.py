"""The model behind the scores: what it finds, when it keeps silent, and that its reasons add up."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.estimates import logistic

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=180 * number) for number in range(6)]


def samples(n: int, effect: float, seed: int = 1, base: float = -1.0) -> pd.DataFrame:
    """A cause, something that is none, and one that is never known, over six cut-offs."""
    rng = np.random.default_rng(seed)
    cause, other = rng.normal(size=n), rng.normal(size=n)
    chance = 1 / (1 + np.exp(-(base + effect * cause)))
    return pd.DataFrame(
        {
            "cutoff": [DAYS[number * len(DAYS) // n] for number in range(n)],
            "unit": np.arange(n),
            "happened": rng.random(n) < chance,
            "cause": cause,
            "other": other,
            "unknown": np.nan,
        }
    )


def test_a_cause_is_found() -> None:
    model, card = logistic.learn(samples(3000, 1.5), "things")
    assert model
    assert card.reason == ""
    assert model.features == ("cause", "other")
    assert dict(zip(model.features, model.effects, strict=True)) == pytest.approx({"cause": 1.5, "other": 0}, abs=0.15)
    assert card.brier < card.brier_base - 0.03
    assert card.auc > 0.75
    assert card.held_out == tuple(DAYS[4:])
    assert card.cutoffs == tuple(DAYS)
    inside = (card.curve["forecast"] >= card.curve["low"] - 0.02) & (
        card.curve["forecast"] <= card.curve["high"] + 0.02
    )
    assert inside.mean() >= 0.8


def test_without_a_cause_it_abstains() -> None:
    abstained = [logistic.learn(samples(2000, 0.0, seed), "things")[0] is None for seed in range(20)]
    assert sum(abstained) >= 18
    model, card = logistic.learn(samples(2000, 0.0), "things")
    assert model is None
    assert "no surer than saying" in card.reason
    assert card.auc == pytest.approx(0.5, abs=0.06)


def test_under_fifty_events_it_abstains() -> None:
    few = samples(400, 3.0, base=-4.2)
    few.loc[few.index[few["happened"]][49:], "happened"] = False
    model, card = logistic.learn(few, "things")
    assert (model, card.events) == (None, int(few["happened"].sum()))
    assert card.events < 50
    assert card.reason == f"Too little to learn from: {card.events} things, and a model takes 50."


def test_one_cut_off_is_nothing_to_be_judged_by() -> None:
    model, card = logistic.learn(samples(2000, 2.0).assign(cutoff=DAYS[0]), "things")
    assert model is None
    assert card.reason == "There are no earlier dates to learn from and later ones to be judged by."


def test_a_change_of_the_world_is_noticed_on_the_later_dates() -> None:
    turned = samples(3000, 2.0)
    late = turned["cutoff"] >= DAYS[4]
    turned.loc[late, "cause"] *= -1
    model, card = logistic.learn(turned, "things")
    assert model is None
    assert card.auc < 0.5


@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_reasons_add_up_and_have_the_sign_of_their_cause(seed: int, effect: float) -> None:
    model = logistic.fit(samples(200, effect, seed))
    assert model
    rows = pd.DataFrame({"cause": [-3.0, 0.0, 3.0, np.nan, 0.0], "other": [1.0, 0.0, -1.0, np.nan, 1e9]})
    rows.loc[1] = [model.means[0], model.means[1]]
    points = model.contributions(rows)
    np.testing.assert_allclose(points.sum(axis=1), 100 * model.probability(rows), atol=1e-9)
    assert np.allclose(points.loc[[1, 3], ["cause", "other"]], 0, atol=1e-6)  # average, or not known: no reason
    moved = (rows["cause"] - model.means[0]) * model.effects[0]
    assert (np.sign(points["cause"].dropna())[[0, 2]] == np.sign(moved)[[0, 2]]).all()


@given(st.lists(st.lists(st.floats(-100, 100), min_size=4, max_size=4), min_size=1, max_size=5))
def test_tenths_add_up_to_the_rounded_sum(rows: list[list[float]]) -> None:
    points = pd.DataFrame(rows)
    told = logistic.tenths(points)
    np.testing.assert_allclose(told.sum(axis=1), points.sum(axis=1), atol=0.0501)
    np.testing.assert_allclose(told, (told * 10).round() / 10)
    np.testing.assert_allclose(told, points, atol=0.1001)
