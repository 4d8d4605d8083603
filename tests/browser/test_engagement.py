"""The Engagement page as people use it."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Connection

from tests.browser.conftest import Dashboard, at_rest, drawer_of
from tests.conftest import Given

GAP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", """
        id    | company_name     | assigned_to
        acme  | Acme Conferences | rita
        birch | Birch Festivals  | ravi
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        organizer_id | name | stage_id | value | assigned_to
        acme         | Gala | Lead     | 1000  | rita
        birch        | Expo | Lead     | 800   | ravi
    """)  # fmt: skip
    today = datetime.now(UTC).replace(second=0, microsecond=0)
    for days in (0, 0, 3):
        given(owner, "crm_activities", f"""
            organizer_id | type | subject | user_id | activity_date
            birch        | call | Hello   | ravi    | {today - timedelta(days=days)}
        """)  # fmt: skip


def drawn(page: Page) -> None:
    expect(page.get_by_role("heading", name="Engagement", exact=True)).to_be_visible()
    expect(page.locator(".st-key-card-movers")).to_be_visible()
    at_rest(page)


def test_a_call_is_two_clicks_shows_at_once_and_can_be_taken_back(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    dashboard.sign_in(page, "rita", "/engagement")
    drawn(page)
    activities = page.get_by_test_id("stMetric").filter(has_text="Activities").get_by_test_id("stMetricValue")
    expect(activities).to_have_text("0")
    drawer = drawer_of(page, page.locator(".st-key-card-neglected .point path").first)
    drawer.locator(".st-key-log-call").get_by_role("button").click()
    expect(drawer).to_contain_text("Call with Acme Conferences is logged.")
    assert problems == []
    expect(drawer).to_contain_text(f"1{GAP}activity")
    expect(activities).to_have_text("1")
    drawer.get_by_role("button", name="Undo").click()
    expect(drawer.get_by_role("button", name="Undo")).to_have_count(0)
    expect(activities).to_have_text("0")
    assert problems == []


def test_a_cell_opens_its_activities_and_they_are_as_many_as_it_says(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "max", "/engagement")
    drawn(page)
    drawer = drawer_of(page, page.locator(".st-key-card-calendar .point path").last)
    expect(drawer).to_contain_text(f"2{GAP}activities")
