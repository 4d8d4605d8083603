"""The same company every time, and one that hangs together."""

import hashlib
import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest

from app.demo import growing
from tests.app.demo.conftest import ANCHOR, NOW, SEED

Company = dict[str, pd.DataFrame]


def checksum(seed: int, anchor: date) -> str:
    digest = hashlib.sha256()
    for batch in growing.grow(seed, anchor, 0.02):
        digest.update(batch.table.encode())
        digest.update(batch.csv())
    return digest.hexdigest()


def test_the_same_bytes_for_a_seed_and_an_anchor_also_in_another_process() -> None:
    asked = f"from tests.app.demo import test_growing as t; print(t.checksum({SEED}, t.date({ANCHOR:%Y, %-m, %-d})))"
    there = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert there.stdout.strip() == checksum(SEED, ANCHOR)


def test_another_company_for_another_seed_or_anchor() -> None:
    assert len({checksum(1, ANCHOR), checksum(2, ANCHOR), checksum(1, date(2026, 11, 24))}) == 3


@pytest.mark.parametrize("anchor", [date(2024, 2, 29), date(2026, 1, 1), date(2026, 3, 8), date(2027, 12, 31)])
def test_any_day_can_be_its_today(anchor: date) -> None:
    assert checksum(SEED, anchor)


def test_it_has_the_size_that_it_should_have(company: Company) -> None:
    sizes = {table: len(rows) for table, rows in company.items()}
    assert sizes["crm_organizers"] == 400
    assert sizes["crm_contacts"] == pytest.approx(1_200, rel=0.1)
    assert sizes["crm_opportunities"] == pytest.approx(4_000, rel=0.1)
    assert sizes["crm_activities"] == pytest.approx(40_000, rel=0.15)
    assert sizes["crm_profiles"] == 14
    assert company["crm_opportunities"].created_at.min() < NOW - pd.DateOffset(years=4) + pd.Timedelta(days=14)
    assert min(map(len, company.values())) > 0


def test_people_stand_in_a_line_of_two_levels(company: Company) -> None:
    people = company["crm_profiles"].merge(company["crm_user_roles"], on="user_id").set_index("user_id")
    assert people.role.value_counts().to_dict() == {"rep": 8, "manager": 3, "executive": 2, "admin": 1}
    boss = people.manager_id.map(people.full_name)
    head = people[(people.role == "manager") & people.manager_id.isna()]
    assert len(head) == 1
    assert set(boss[people.manager_id.notna() & (people.role == "manager")]) == set(head.full_name)
    assert people[people.role == "rep"].manager_id.isin(people[people.manager_id == head.index[0]].index).all()
    assert (~people.is_active).sum() == 1
    emails = company["auth.users"].email
    assert emails.str.fullmatch(r"[a-z]+\.[a-z]+@[a-z]+\.example").all()
    assert emails.is_unique


def test_every_reference_leads_somewhere(company: Company) -> None:
    people = set(company["crm_profiles"].user_id)
    for table, rows in company.items():
        for column in rows.columns.intersection(
            ["user_id", "manager_id", "assigned_to", "created_by", "uploaded_by", "signed_by", "changed_by",
             "probability_set_by"]
        ):  # fmt: skip
            assert set(rows[column].dropna()) <= people, f"{table}.{column}"
    for table, column, target in [
        ("crm_contacts", "organizer_id", "crm_organizers"),
        ("events", "organizer_id", "crm_organizers"),
        ("crm_organizer_scores", "organizer_id", "crm_organizers"),
        ("crm_opportunities", "organizer_id", "crm_organizers"),
        ("crm_opportunities", "event_id", "events"),
        ("crm_opportunities", "stage_id", "crm_pipeline_stages"),
        ("crm_opportunity_history", "stage_id", "crm_pipeline_stages"),
        ("crm_opportunity_history", "next_stage_id", "crm_pipeline_stages"),
        ("crm_activities", "event_id", "events"),
        ("crm_stage_history", "stage_id", "crm_pipeline_stages"),
    ]:
        assert set(company[table][column].dropna()) <= set(company[target].id), f"{table}.{column}"
    owners = {table: company[table].set_index("id").organizer_id for table in ("crm_contacts", "crm_opportunities")}
    for table, column, target in [
        ("crm_activities", "contact_id", "crm_contacts"),
        ("crm_activities", "opportunity_id", "crm_opportunities"),
        ("crm_notes", "contact_id", "crm_contacts"),
        ("crm_notes", "opportunity_id", "crm_opportunities"),
        ("crm_documents", "opportunity_id", "crm_opportunities"),
    ]:
        held = company[table][company[table][column].notna()]
        assert (held[column].map(owners[target]) == held.organizer_id).all(), f"{table}.{column}"


def test_nothing_was_written_down_in_the_future(company: Company) -> None:
    for table, rows in company.items():
        for column in rows.columns.intersection(
            ["created_at", "updated_at", "completed_at", "valid_from", "signed_at"]
        ):
            assert rows[column].max() <= NOW, f"{table}.{column}"
    activities, tasks = company["crm_activities"], company["crm_activities"].query("is_task")
    assert (activities.activity_date > NOW).sum() > 50
    assert set(tasks.task_status) == {"pending", "completed", "cancelled"}
    assert ((tasks.task_status == "pending") & (tasks.due_date < NOW)).sum() > 20
    assert ((tasks.task_status == "pending") & (tasks.due_date > NOW)).sum() > 50
    assert not ((tasks.task_status == "completed") & (tasks.activity_date > NOW)).any()


def test_nobody_works_on_what_does_not_exist_yet(company: Company) -> None:
    activities = company["crm_activities"]
    for column, table in [("opportunity_id", "crm_opportunities"), ("contact_id", "crm_contacts")]:
        held = activities[activities[column].notna()]
        since = held[column].map(company[table].set_index("id").created_at)
        assert (held.created_at >= since).all()
        assert (held.activity_date >= since).all()


def test_a_page_finds_everything_that_it_has_to_show(company: Company) -> None:
    opportunities, organizers = company["crm_opportunities"], company["crm_organizers"]
    is_open = opportunities[opportunities.status == "open"]
    expected = pd.to_datetime(is_open.expected_close_date)
    assert len(is_open) > 150
    assert set(is_open.currency) == {"CAD", "USD", "EUR", "CHF"}
    assert (is_open.currency == "CHF").sum() == (opportunities.currency == "CHF").sum() == 1
    assert (expected < NOW.tz_localize(None)).sum() > 10, "overdue"
    assert expected.isna().sum() > 3, "undated"
    assert is_open.assigned_to.isna().any(), "nobody's"
    assert set(opportunities.status) == {"open", "won", "lost", "abandoned"}
    assert set(is_open.probability_source) == {"stage", "manual"}
    activities = company["crm_activities"]
    ahead = activities[(activities.activity_date > NOW) | (activities.task_status == "pending")]
    assert 0.2 < 1 - is_open.id.isin(ahead.opportunity_id).mean() < 0.6, "without a next step"
    assert set(organizers.status) == {"active", "inactive", "prospect", "archived"}
    assert set(organizers.churn_risk) == {"low", "medium", "high"}
    assert organizers.company_name.str.len().max() > 150
    assert not organizers.company_name.str.isascii().all()
    assert organizers.company_name.is_unique


def test_rates_lead_from_the_first_deal_to_today(company: Company) -> None:
    rates = company["crm_exchange_rates"]
    for _, of_currency in rates.groupby("currency"):
        days = pd.to_datetime(of_currency.rate_date)
        assert days.min() < pd.Timestamp(ANCHOR) - pd.DateOffset(years=4)
        assert days.max() == pd.Timestamp(ANCHOR).replace(day=1)
        assert days.diff().dropna().dt.days.between(28, 31).all()
    assert set(rates.currency) == {"USD", "EUR"}


def test_every_seller_has_a_target_for_this_quarter_and_the_next(company: Company) -> None:
    targets = company["crm_targets"]
    sellers = set(company["crm_organizers"].assigned_to.dropna())
    for quarter in (date(2026, 10, 1), date(2027, 1, 1)):
        assert set(targets[targets.period_start == quarter].user_id) == sellers
    won = company["crm_opportunities"].query("status == 'won'")
    closed = pd.to_datetime(won.actual_close_date).dt.year == 2026
    asked = targets[pd.to_datetime(targets.period_start).dt.year == 2026].amount.astype(float).sum()
    assert 0.5 < won[closed].value.astype(float).sum() * 1.2 / asked < 1.5


def test_versions_follow_each_other_without_a_gap(company: Company) -> None:
    history = company["crm_opportunity_history"]
    before = history.groupby("opportunity_id").shift()
    follows = history.seq > 1
    assert (history.seq[follows] == before.seq[follows] + 1).all()
    assert (history.valid_from[follows] == before.valid_to[follows]).all()
    assert history.valid_to.isna().groupby(history.opportunity_id).sum().eq(1).all()
    assert (history.valid_to.dropna() > history.valid_from[history.valid_to.notna()]).all()


def test_the_current_version_is_the_opportunity(company: Company) -> None:
    history, opportunities = company["crm_opportunity_history"], company["crm_opportunities"]
    now = history[history.valid_to.isna()].set_index("opportunity_id")
    assert set(now.index[~now.is_deleted]) == set(opportunities.id)
    assert not set(now.index[now.is_deleted]) & set(opportunities.id)
    same = [
        "organizer_id", "stage_id", "value", "currency", "probability", "probability_source", "expected_close_date",
        "actual_close_date", "assigned_to", "status", "created_at",
    ]  # fmt: skip
    held = opportunities.set_index("id")
    pd.testing.assert_frame_equal(now.loc[held.index, same], held[same], check_names=False)
    assert (now.loc[held.index].stage_entered_at == held.last_stage_change_at).all()
    assert (now.loc[held.index].seq == held.version).all()


def test_stage_status_and_closing_date_agree_in_every_version(company: Company) -> None:
    history = company["crm_opportunity_history"]
    stage = history.stage_id.map(company["crm_pipeline_stages"].set_index("id").name)
    assert (stage[history.status == "won"] == "Won").all()
    assert (stage[history.status.isin(["lost", "abandoned"])] == "Lost").all()
    assert not stage[history.status == "open"].isin(["Won", "Lost"]).any()
    assert ((history.status == "open") == history.actual_close_date.isna()).all()
    assert (history.probability[history.status == "won"] == 100).all()
    assert (history.probability[history.status.isin(["lost", "abandoned"])] == 0).all()
    closed_on = history.stage_entered_at.dt.tz_convert("America/Toronto").dt.date
    assert (closed_on == history.actual_close_date)[history.status != "open"].all()


def test_what_inherits_has_the_stage_s_probability_of_the_time(company: Company) -> None:
    history = company["crm_opportunity_history"].query("probability_source == 'stage'")
    set_values = company["crm_stage_history"][["stage_id", "valid_from", "valid_to", "default_probability"]]
    both = history.merge(set_values, on="stage_id", suffixes=("", "_set"))
    valid = both[(both.valid_from_set <= both.valid_from) & ~(both.valid_to_set <= both.valid_from)]
    assert len(valid) == len(history)
    assert (valid.probability == valid.default_probability).all()


def test_what_is_known_of_an_organizer_follows_from_its_rows(company: Company) -> None:
    organizers = company["crm_organizers"].set_index("id")
    activities = company["crm_activities"]
    happened = activities[(activities.activity_date < NOW) & activities.task_status.isin([None, "completed"])]
    latest = happened.groupby("organizer_id").activity_date.max().reindex(organizers.index)
    assert (latest.eq(organizers.last_activity_at) | latest.isna() & organizers.last_activity_at.isna()).all()
    recent = happened[happened.activity_date > NOW - pd.Timedelta(hours=720)].groupby("organizer_id").size()
    idle = np.minimum(50, 2 * (NOW - latest).dt.days)
    score = (np.minimum(100, 10 * recent.reindex(organizers.index, fill_value=0)) - idle).clip(lower=0).fillna(0)
    assert (score == organizers.engagement_score).all()

    rates = company["crm_exchange_rates"].sort_values("rate_date")
    rates = pd.concat([rates, pd.DataFrame({"currency": ["CAD"], "rate_date": [date(2000, 1, 1)], "rate": [1]})])
    won = company["crm_opportunities"].query("status == 'won'")
    won = won.assign(
        rate=[
            float(rates[(rates.currency == currency) & (rates.rate_date <= day)].rate.iloc[-1])
            for currency, day in zip(won.currency, won.actual_close_date, strict=True)
        ]
    )
    worth = (won.value.astype(float) * won.rate).groupby(won.organizer_id).sum().reindex(organizers.index, fill_value=0)
    np.testing.assert_allclose(organizers.total_revenue.astype(float), worth, atol=0.02)

    scores = company["crm_organizer_scores"]
    today = scores[scores.scored_on == ANCHOR].set_index("organizer_id").loc[organizers.index]
    assert (today[["engagement_score", "health_score"]] == organizers[["engagement_score", "health_score"]]).all(
        axis=None
    )
    assert (today.churn_risk == organizers.churn_risk).all()
