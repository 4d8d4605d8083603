"""What is said about an open opportunity: by when, from what, and in whole sentences with their numbers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.estimates import win

TODAY = 20_000


def deals(**columns: list[Any]) -> pd.DataFrame:
    """Opportunities that are ordinary but for what is said."""
    count = len(next(iter(columns.values())))
    usual: dict[str, Any] = {
        "opportunity_id": list(range(count)),
        "cutoff": TODAY,
        "created": TODAY - 60,
        "entered": TODAY - 20,
        "expected": float(TODAY + 30),
        "probability": 50.0,
        "value": 100.0,
        "usual_value": 100.0,
        "activities": 3,
        "slips": 0,
        "health": 50.0,
        "outcome": "open",
        "closed": np.nan,
    }
    return pd.DataFrame({**{name: [value] * count for name, value in usual.items() if name != "opportunity_id"},
                         "opportunity_id": usual["opportunity_id"], **columns})  # fmt: skip


def history(n: int, seed: int = 1, telling: float = 2.0) -> pd.DataFrame:
    """Opportunities of eight cut-offs, of which those with much activity are won more often."""
    rng = np.random.default_rng(seed)
    activities = rng.integers(0, 12, n)
    chance = 1 / (1 + np.exp(-telling * (np.log1p(activities) - 1.6)))
    won = rng.random(n) < chance
    cutoff = TODAY - 90 * (1 + np.arange(n) * 8 // n)
    return deals(
        cutoff=cutoff.tolist(),
        created=(cutoff - rng.integers(1, 200, n)).tolist(),
        entered=(cutoff - rng.integers(0, 50, n)).tolist(),
        expected=(cutoff + rng.integers(1, 80, n)).astype(float).tolist(),
        activities=activities.tolist(),
        outcome=np.where(won, "won", "lost").tolist(),
        closed=(cutoff + 1.0).tolist(),
    )


def test_it_is_to_be_won_by_its_expected_close_or_in_ninety_days() -> None:
    expected = [TODAY + 5.0, float(TODAY), TODAY - 1.0, np.nan]
    assert win.target(deals(expected=expected)).tolist() == [TODAY + 5, TODAY, TODAY + 90, TODAY + 90]


@pytest.mark.parametrize(
    ("outcome", "closed", "label"),
    [("won", -20.0, True), ("won", -10.0, True), ("won", -9.0, False), ("lost", -20.0, False), ("open", np.nan, False)],
)
def test_the_label_is_whether_it_was_won_by_then(outcome: str, closed: float, label: bool) -> None:
    past = deals(cutoff=[TODAY - 90], expected=[TODAY - 10.0], outcome=[outcome], closed=[TODAY + closed])
    assert win.samples(past, TODAY)["happened"].tolist() == [label]


def test_what_is_not_decided_yet_teaches_nothing() -> None:
    past = deals(
        cutoff=[TODAY - 90] * 2, expected=[TODAY + 1.0, float(TODAY)], outcome=["won"] * 2, closed=[TODAY - 5.0] * 2
    )
    assert len(win.samples(past, TODAY)) == 1


def test_what_came_later_is_in_no_feature() -> None:
    past = history(200)
    mixed = past.assign(outcome=past["outcome"].sample(frac=1, random_state=1).to_numpy(), closed=TODAY)
    pd.testing.assert_frame_equal(win.features(past), win.features(mixed))


def test_a_signal_is_found_and_explained() -> None:
    model, card = win.learn(history(3000), TODAY)
    assert model, card.reason
    chance, points = win.score(model, card, deals(activities=[0, 10]))
    assert chance[1] > chance[0] + 0.3
    np.testing.assert_allclose(points.sum(axis=1), 100 * chance)
    assert points["activity"].tolist() == sorted(points["activity"])


def test_only_the_passing_of_time_is_no_signal() -> None:
    past = history(3000, telling=0.0)
    old = past["cutoff"] - past["created"] > 100
    past["outcome"] = np.where(old, "won", past["outcome"])
    model, card = win.learn(past, TODAY)
    assert model is None
    assert card.reason == "On later dates it knew no more than how much time had passed."
    chance, points = win.score(model, card, deals(activities=[0, 10]))
    assert chance.tolist() == [round(card.base_rate, 3)] * 2
    assert list(points.columns) == ["base"]


def test_nothing_is_called_certain_and_every_reason_has_its_number() -> None:
    model, card = win.learn(history(3000), TODAY)
    assert model
    rows = deals(
        activities=[0], slips=[3], expected=[TODAY - 4.0], entered=[TODAY - 400], value=[900.0], health=[np.nan]
    )
    chance, points = win.score(model, card, rows)
    facts = rows.iloc[0].to_dict() | {
        "stage": "Proposal",
        "target": win.day_of(TODAY + 90),
        "chance": chance[0],
        "has_next_step": False,
        "decision_makers": 2,
        "reached": 0,
    }
    told = win.insights(facts, points.iloc[0].to_dict(), card)
    assert "It saw 0 activities in 30 days: " in str(told["risk_factors"])
    assert str(told["basis"]).startswith(f"An estimate, not a promise: {chance[0]:.0%} to be won by ")
    assert told["recommendations"] == [
        "Plan a next step: none is pending or scheduled.",
        "Agree on a new closing date: the expected one passed 4 days ago.",
        "Speak to somebody who decides: none of 2 decision makers was reached in 90 days.",
        "Get in touch: nothing happened on it in 30 days.",
    ]
    # Whatever moved it, there is a sentence for it.
    for name in win.features(rows).columns:
        said = win._said(name, facts | {"health": 20.0})
        assert said[0].isupper()
    fine = facts | {"has_next_step": True, "expected": TODAY + 9.0, "reached": 1, "activities": 2}
    assert win.insights(fine, {"base": 50.0}, card)["next_action"] == "Keep to what is planned."
