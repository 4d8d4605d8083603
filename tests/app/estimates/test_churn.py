"""Who has churned and who will: the definition, no glance into the future, and data that nobody here wrote."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.estimates import churn, logistic
from app.estimates.churn import NEVER, Past

CDNOW = Path(__file__).parents[4] / "shared/data/cdnow/CDNOW_master.txt"
TODAY = 20_000


def past_of(
    occasions: list[tuple[int, int]] | list[tuple[int, int, bool]],
    *,
    organizers: int = 1,
    today: int = TODAY,
    answers: list[tuple[int, int, float]] | None = None,
    activities: list[tuple[int, int, int, int, int, int]] | None = None,
) -> Past:
    """A past of (organizer, day) or (organizer, day, is_event)."""
    rows = [(row[0], row[1], row[2] if len(row) > 2 else True) for row in occasions]
    held = pd.DataFrame(rows, columns=["organizer", "day", "is_event"])
    return Past(
        organizers,
        today,
        held.assign(value=1000.0, known_from=held["day"], known_until=NEVER).astype({"is_event": bool}),
        pd.DataFrame(answers or [], columns=["organizer", "day", "satisfaction"]),
        pd.DataFrame(activities or [], columns=["organizer", "colleague", "stretch", "known", "n", "free"]).astype(
            "int64"
        ),
    )


# The definition -------------------------------------------------------------------------------------------------


def test_patience_is_one_and_a_half_of_its_own_usual_gap() -> None:
    past = past_of([(0, 19_000), (0, 19_300), (0, 19_700)])  # gaps of 300 and 400: median 350
    now = churn.clock(past, TODAY)
    assert now.gap.tolist() == [350]
    assert now.limit.tolist() == [525]
    assert now.runs_out.tolist() == [19_700 + 525]


def test_two_events_are_no_usual_gap_the_company_s_stands_in() -> None:
    steady = [(0, 19_000), (0, 19_200), (0, 19_400)]
    past = past_of([*steady, (1, 19_100), (1, 19_900), (2, 19_500)], organizers=4)
    now = churn.clock(past, TODAY)
    assert now.gap.tolist() == [200, 200, 200, 200]
    assert np.isnan(now.last[3])


def test_nobody_churns_within_half_a_year() -> None:
    monthly = [(0, day) for day in range(19_400, 19_800, 30)]
    now = churn.clock(past_of(monthly), TODAY)
    assert now.gap.tolist() == [30]
    assert now.limit.tolist() == [180]
    assert churn.clock(past_of([(0, 19_900)]), TODAY).limit.tolist() == [180]  # nobody's gap is known


def test_a_win_sets_the_clock_back_and_is_no_event() -> None:
    past = past_of([(0, 19_000, True), (0, 19_200, True), (0, 19_400, True), (0, 19_650, False)])
    now = churn.clock(past, TODAY)
    assert now.gap.tolist() == [200]
    assert now.runs_out.tolist() == [19_650 + 300]


def test_two_events_on_a_day_are_no_gap() -> None:
    past = past_of([(0, 19_000), (0, 19_000), (0, 19_300), (0, 19_600)])
    assert churn.clock(past, TODAY).gap.tolist() == [300]


def test_a_win_that_was_taken_back_counts_until_then() -> None:
    past = past_of([(0, 19_500)])
    past.occasions.loc[0, "known_until"] = 19_600
    assert churn.clock(past, 19_599).last.tolist() == [19_500]
    assert np.isnan(churn.clock(past, 19_600).last[0])


@pytest.mark.parametrize(
    ("next_event", "has_churned"),
    [(None, True), (19_680, False), (19_681, True), (19_501, False)],
    ids=["nothing", "on the last day", "a day late", "soon"],
)
def test_the_label_is_what_came_after(next_event: int | None, has_churned: bool) -> None:
    events = [(0, 19_500)] if next_event is None else [(0, 19_500), (0, next_event)]
    past = past_of(events)
    assert churn.at_stake(past, 19_501).tolist() == [True]
    assert churn.churned(past, 19_500).tolist() == [has_churned]


def test_only_those_whose_clock_runs_out_are_at_stake() -> None:
    past = past_of([(0, 19_500), (1, 19_200), (2, 19_501)], organizers=4)
    assert churn.at_stake(past, 19_500).tolist() == [True, False, False, False]


# What is known --------------------------------------------------------------------------------------------------


def random_past(seed: int, organizers: int = 60) -> Past:
    """Organizers with events, answers and activities at random."""
    rng = np.random.default_rng(seed)
    occasions = [
        (number, int(day), bool(rng.random() < 0.8))
        for number in range(organizers)
        for day in np.cumsum(rng.integers(60, 400, rng.integers(1, 12))) + 17_500
        if day <= TODAY
    ]
    answers = [(organizer, day, float(rng.integers(1, 6))) for organizer, day, _ in occasions if rng.random() < 0.8]
    activities = [
        (int(rng.integers(organizers)), int(rng.integers(3)), stretch, stretch - int(rng.integers(0, 2)), 2, 1)
        for stretch in range(28)
        for _ in range(40)
    ]
    return past_of(occasions, organizers=organizers, answers=answers, activities=activities)


def shuffled_future(past: Past, day: int, rng: np.random.Generator) -> Past:
    """The same past up to the day; what came or was recorded later is dealt out anew."""
    back = (past.today - day) // churn.STRETCH

    def dealt(frame: pd.DataFrame, later: pd.Series) -> pd.DataFrame:
        mixed = frame[later].copy()
        mixed["organizer"] = rng.integers(0, past.organizers, len(mixed))
        return pd.concat([frame[~later], mixed]).sample(frac=1, random_state=1)

    occasions = dealt(past.occasions, past.occasions["day"] > day)
    answers = dealt(past.answers, past.answers["day"] > day).assign()
    answers.loc[answers["day"] > day, "satisfaction"] = 1.0
    return Past(
        past.organizers, past.today, occasions, answers, dealt(past.activities, past.activities["known"] < back)
    )


@pytest.mark.parametrize("seed", range(5))
def test_nothing_of_the_future_is_in_the_features(seed: int) -> None:
    past = random_past(seed)
    for day in past.cutoffs:
        mixed = shuffled_future(past, day, np.random.default_rng(seed + 100))
        pd.testing.assert_frame_equal(churn.features(past, day), churn.features(mixed, day))
        assert (churn.at_stake(past, day) == churn.at_stake(mixed, day)).all()
    # It is not as if nothing could be seen at all.
    changed = churn.features(shuffled_future(past, past.cutoffs[0], np.random.default_rng(seed)), TODAY)
    assert not changed.equals(churn.features(past, TODAY))


def test_cut_offs_are_old_enough_to_know_what_came_of_them() -> None:
    past = random_past(1)
    assert len(past.cutoffs) > 3
    assert max(past.cutoffs) == TODAY - churn.HORIZON
    assert set(np.diff(past.cutoffs)) == {churn.HORIZON}
    assert min(past.cutoffs) >= past.occasions["day"].min() + churn.YEAR


def test_without_anything_known_it_abstains() -> None:
    empty = past_of([], organizers=3)
    model, card = churn.learn(empty)
    assert model is None
    assert (card.n, card.events) == (0, 0)
    assert (
        card.reason
        == "Too little to learn from: 0 organizers churned in the past that is recorded, and a model takes 50."
    )
    assert churn.features(empty, TODAY).isna()["recency"].all()


def test_scores_are_explained_to_the_last_tenth() -> None:
    past = random_past(3, organizers=900)
    model, _card = churn.learn(past)
    fitted = model or logistic.fit(churn.samples(past))
    assert fitted
    probability, points = churn.score(fitted, past, TODAY)
    stake = churn.at_stake(past, TODAY)
    assert stake.any()
    assert not stake.all()
    np.testing.assert_allclose(points.sum(axis=1)[stake], 100 * probability[stake])
    assert (points[~stake] == 0).all(axis=None)
    told = logistic.tenths(points)
    np.testing.assert_allclose(told.sum(axis=1), (100 * np.nan_to_num(probability)).round(1), atol=0.0501)
    assert np.isnan(probability[churn.clock(past, TODAY).runs_out <= TODAY]).all()


# A shop's customers ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not CDNOW.is_file(), reason="CDNOW_master.txt in ../shared/data is not here")
def test_customers_of_a_shop_by_the_same_code() -> None:
    """No order from 1998 on, of those who had bought before: fitted on every second customer, scored on the others."""
    orders = pd.read_csv(CDNOW, sep=r"\s+", names=["customer", "date", "number", "value"], skiprows=1)
    day = pd.to_datetime(orders["date"].astype(str)).to_numpy().astype("datetime64[D]").astype(np.int64)
    customer, names = pd.factorize(orders["customer"])
    cut = int(np.datetime64("1998-01-01", "D").astype(np.int64))
    bought = pd.DataFrame({"organizer": customer, "day": day, "is_event": True, "value": orders["value"]})
    nothing = past_of([])
    past = Past(len(names), cut, bought.assign(known_from=day, known_until=NEVER), nothing.answers, nothing.activities)
    known = churn.features(past, cut - 1)
    before = np.isin(np.arange(len(names)), customer[day < cut])
    gone = ~np.isin(np.arange(len(names)), customer[day >= cut])
    rows = known.assign(cutoff=0, unit=np.arange(len(names)), happened=gone)[before]
    assert rows["happened"].mean() == pytest.approx(0.772, abs=0.001)
    held_out = rows["unit"] % 2 == 1
    model = logistic.fit(rows[~held_out])
    assert model
    scores, happened = model.probability(rows[held_out]), rows.loc[held_out, "happened"].to_numpy(dtype=float)
    assert logistic.auc(scores, happened) >= 0.78
    assert ((scores - happened) ** 2).mean() < 0.14
    assert ((happened.mean() - happened) ** 2).mean() == pytest.approx(0.175, abs=0.003)
