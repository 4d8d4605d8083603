"""What was planted is found again by plain counting."""

import json

import numpy as np
import pandas as pd
import pytest

from app.demo import company as founding
from app.demo import people as staff
from app.demo import truth
from tests.app.demo.conftest import ANCHOR, NOW, SEED

Company = dict[str, pd.DataFrame]


def bound(rate: float, count: int) -> float:
    """How far a counted share may lie from the true one: four standard errors, and a hundredth for open deals."""
    return 4 * float(np.sqrt(rate * (1 - rate) / count)) + 0.01


def named(company: Company, stage_ids: pd.Series) -> pd.Series:
    return stage_ids.map(company["crm_pipeline_stages"].set_index("id").name)


def decided(company: Company) -> pd.DataFrame:
    return company["crm_opportunities"].query("status in ['won', 'lost']").set_index("id")


@pytest.fixture(scope="module")
def founded() -> founding.Company:
    return founding.found(np.random.default_rng([SEED, 0]), ANCHOR, 1)


@pytest.mark.parametrize(("stage", "rate"), list(zip(truth.STAGES, truth.WIN_RATE, strict=False)))
def test_win_rate_of_those_that_were_ever_in_a_stage(big_company: Company, stage: str, rate: float) -> None:
    history = big_company["crm_opportunity_history"]
    reached = history.opportunity_id[named(big_company, history.stage_id) == stage].unique()
    status = decided(big_company).status.reindex(reached).dropna()
    assert (status == "won").mean() == pytest.approx(rate, abs=bound(rate, len(status)))


def test_negotiation_is_set_too_high_and_qualified_too_low(company: Company) -> None:
    history = company["crm_opportunity_history"]
    for stage, sign in [("Negotiation", -1), ("Qualified", 1)]:
        reached = history.opportunity_id[named(company, history.stage_id) == stage].unique()
        status = decided(company).status.reindex(reached).dropna()
        set_value = company["crm_pipeline_stages"].set_index("name").default_probability[stage] / 100
        off = ((status == "won").mean() - set_value) / np.sqrt(set_value * (1 - set_value) / len(status))
        assert sign * off > 1.96


@pytest.mark.parametrize(("stage", "median"), list(zip(truth.STAGES, truth.STAY_MEDIAN_DAYS, strict=False)))
def test_median_stay_before_a_move_forward(big_company: Company, stage: str, median: float) -> None:
    stays = big_company["crm_opportunity_history"].query("next_stage_id.notna()")
    is_forward = named(big_company, stays.next_stage_id) != "Lost"
    stays = stays[is_forward & (named(big_company, stays.stage_id) == stage)]
    days = (stays.valid_to - stays.stage_entered_at).dt.total_seconds() / 86_400
    # Wins from Negotiation wait for the end of the quarter.
    assert days.median() == pytest.approx(median, rel=0.35 if stage == "Negotiation" else 0.07)


def test_the_last_month_of_a_quarter_closes_and_wins_more(company: Company) -> None:
    closed = decided(company)
    month = pd.to_datetime(closed.actual_close_date).dt.month % 3
    wins = (closed.status == "won").groupby(month).agg(["sum", "size", "mean"])
    assert wins["size"].idxmax() == 0
    assert wins["mean"][0] > wins["mean"][[1, 2]].max() + 0.03


def test_sellers_are_as_good_as_they_are(big_company: Company, founded: founding.Company) -> None:
    closed = decided(big_company)
    rate = (closed.status == "won").groupby(closed.assigned_to).mean()
    people = pd.Series(founded.people.skill, index=founded.people.ids.to_pylist())[founded.people.sells == 1]
    assert rate.reindex(people.index).rank().corr(people.rank()) > 0.7


def test_sharp_sellers_know_better_than_the_stage_and_rosy_ones_worse(
    big_company: Company, founded: founding.Company
) -> None:
    history = big_company["crm_opportunity_history"]
    said = history[(history.probability_source == "manual") & history.opportunity_id.isin(decided(big_company).index)]
    said = said.groupby("opportunity_id").first()
    won = (decided(big_company).status == "won").reindex(said.index)
    stage = big_company["crm_pipeline_stages"].set_index("id").default_probability
    better = (said.stage_id.map(stage) / 100 - won) ** 2 - (said.probability / 100 - won) ** 2
    habit = said.changed_by.map(dict(zip(founded.people.ids.to_pylist(), founded.people.habit, strict=True)))
    assert set(habit) == {staff.SHARP, staff.ROSY}
    for group, sign in [(staff.SHARP, 1), (staff.ROSY, -1)]:
        assert sign * better[habit == group].mean() > 4 * better[habit == group].sem()


def test_closing_dates_slip(big_company: Company) -> None:
    history = big_company["crm_opportunity_history"]
    before = history.groupby("opportunity_id").shift()
    is_push = (history.status == "open") & (before.status == "open") & (history.stage_id == before.stage_id)
    days = (pd.to_datetime(history.expected_close_date) - pd.to_datetime(before.expected_close_date)).dt.days[is_push]
    pushes = days[days > 0]
    assert (pushes.median()) == pytest.approx(truth.PUSH_DAYS[0] + 4, rel=0.25)  # the end of the month attracts
    assert len(pushes) > 10 * (days < 0).sum()
    final = history[history.status.isin(["won", "lost"])]
    late = pd.to_datetime(final.actual_close_date) > pd.to_datetime(final.expected_close_date)
    assert 0.1 < late.mean() < 0.5


def test_the_quarters_share_their_luck(big_company: Company, founded: founding.Company) -> None:
    won = decided(big_company)
    quarter = pd.PeriodIndex(pd.to_datetime(won.actual_close_date), freq="Q")
    rate = (won.status == "won").groupby(quarter).mean()[1:-1]  # the first and the last one are cut
    planted = pd.Series(founded.shock[1 : 1 + len(rate)], index=rate.index)
    assert rate.corr(planted) > 0.5


def test_two_edits_of_stage_defaults_moved_what_inherited(company: Company) -> None:
    edits = company["crm_stage_history"].query("seq > 1")
    assert len(edits) == 2
    history = company["crm_opportunity_history"]
    for edit in edits.itertuples():
        moved = history[history.valid_from == edit.valid_from]
        assert len(moved) > 3
        assert set(moved.stage_id) == {edit.stage_id}
        assert set(moved.probability) == {edit.default_probability}
        assert set(moved.probability_source) == {"stage"}
        assert set(moved.changed_by) == {edit.changed_by}


def test_some_deals_are_sold_by_somebody_else_and_some_were_given_up(big_company: Company) -> None:
    opportunities = big_company["crm_opportunities"]
    account = opportunities.organizer_id.map(big_company["crm_organizers"].set_index("id").assigned_to)
    sold = opportunities[(opportunities.status == "open") & account.notna()]
    split = (sold.assigned_to != account[sold.index]).mean()
    assert split == pytest.approx(truth.SPLIT, abs=bound(truth.SPLIT, len(sold)))
    ended = opportunities[opportunities.status != "open"]
    assert (ended.status == "abandoned").mean() == pytest.approx(truth.ABANDONED, abs=0.015)


@pytest.mark.parametrize("kind", ["call", "email", "meeting", "note"])
def test_habits_of_the_day_hold_in_summer_and_in_winter(big_company: Company, kind: str) -> None:
    activities = big_company["crm_activities"]
    local = activities[activities.type == kind].activity_date.dt.tz_convert("America/Toronto")
    hour = local.dt.hour + local.dt.minute / 60
    for months in [(1, 2), (6, 7, 8)]:
        found = hour[local.dt.month.isin(months)].mean()
        assert found == pytest.approx(truth.PEAK_HOUR[kind], abs=0.3)


def test_habits_of_the_week(big_company: Company) -> None:
    activities = big_company["crm_activities"]
    worked = activities[~activities.type.isin(["event", "task"]) & (activities.activity_date < NOW)].activity_date
    share = worked.dt.tz_convert("America/Toronto").dt.day_of_week.value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(share, truth.WEEKDAY_SHARE, atol=0.015)


def test_organizers_fade_before_they_leave_and_were_less_content(big_company: Company) -> None:
    organizers = big_company["crm_organizers"]
    told = organizers.event_history.map(json.loads)
    events = pd.DataFrame(
        [{"organizer_id": of, **event} for of, some in zip(organizers.id, told, strict=True) for event in some]
    )
    events["event_date"] = pd.to_datetime(events.event_date).dt.tz_localize("America/Toronto")
    last = events.sort_values("event_date").groupby("organizer_id").last()
    last = last[last.event_date > NOW - pd.DateOffset(years=3)]
    gone = last.index.isin(organizers[organizers.status.isin(["inactive", "archived"])].id)
    assert last.satisfaction[gone].mean() < last.satisfaction[~gone].mean() - 0.25

    activities = big_company["crm_activities"]
    activities = activities[activities.organizer_id.isin(last.index)]
    ahead = activities.organizer_id.map(last.event_date) - activities.activity_date
    late = ahead.between(pd.Timedelta(0), pd.Timedelta(days=60))
    early = ahead.between(pd.Timedelta(days=180), pd.Timedelta(days=240))
    is_gone = activities.organizer_id.isin(last.index[gone])
    assert (late & is_gone).sum() / (early & is_gone).sum() < 0.75 * (late & ~is_gone).sum() / (early & ~is_gone).sum()


def test_organizers_hold_their_events_at_their_own_pace(company: Company) -> None:
    past = company["events"][company["events"].event_date < ANCHOR].sort_values("event_date")
    day = pd.to_datetime(past.event_date)
    gaps = day.groupby(past.organizer_id).diff().dt.days.dropna()
    by_organizer = gaps.groupby(past.organizer_id).agg(["median", "std", "size"]).query("size >= 4")
    assert (by_organizer["std"] / by_organizer["median"]).median() < 0.25
    yearly = by_organizer["median"].between(330, 400).mean()
    assert 0.15 < yearly < 0.7


def test_the_constants_agree_with_each_other() -> None:
    for shares in (truth.ENTRY_SHARE, truth.CADENCE_SHARE, truth.WEEKDAY_SHARE):
        assert sum(shares) == pytest.approx(1)
    entered = np.repeat(range(3), 40_000)
    effects = np.random.default_rng(1).normal(0, 0.7, len(entered))
    added = truth.intercepts(effects, entered, truth.WIN_RATE)[entered]
    chance = 1 / (1 + np.exp(-effects - added))
    for stage in range(3):
        assert chance[entered == stage].mean() == pytest.approx(truth.WIN_RATE[stage], abs=1e-6)
        lost = truth.reached_when_lost(stage)
        won = truth.WIN_RATE[stage]
        for later in range(stage, 4):
            assert won / (won + (1 - won) * lost[later]) == pytest.approx(truth.WIN_RATE[later])
