"""The Health page and an organizer's own page as people use them."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Connection

from tests import scored
from tests.browser.conftest import (
    Dashboard,
    assert_every_chart_has_a_name,
    assert_nothing_sticks_out,
    at_rest,
    drawer_of,
)
from tests.tables import id_of


@pytest.fixture
def company(owner: Connection) -> None:
    scored.insert(owner)


def drawn(page: Page) -> None:
    """Waits until the Health page is there with its charts."""
    expect(page.get_by_role("heading", name="Health", exact=True)).to_be_visible()
    expect(page.locator(".st-key-card-retention .js-plotly-plot .main-svg").first).to_be_visible()
    at_rest(page)


def test_a_point_opens_the_wins_that_its_value_is_made_of(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    drawer = drawer_of(page, page.locator(".st-key-card-risk .scatterlayer .trace").last.locator(".point").first)
    expect(drawer.get_by_role("heading", name="Acme Conferences")).to_be_visible()
    expect(drawer).to_contain_text("CA$1,400.03 won in 12 months × 60.0\N{NO-BREAK SPACE}%")
    expect(drawer).to_contain_text("= CA$840.02 at risk")
    expect(drawer).to_contain_text("2\N{NO-BREAK SPACE}opportunities won in 12 months · CA$1,400.03")
    expect(drawer).to_contain_text("they add up to 60.0\N{NO-BREAK SPACE}%")


def test_a_bar_opens_its_accounts_and_they_add_up_to_it(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    bars = page.locator(".st-key-card-levels .trace.bars .point path")
    expect(page.locator(".st-key-card-levels")).to_contain_text("CA$840 of CA$1.40K")
    for _ in range(2):  # and again after it was closed: nothing stays selected
        drawer = drawer_of(page, bars.nth(0))
        expect(drawer).to_contain_text(
            "2\N{NO-BREAK SPACE}organizers · CA$1,400.03 won in 12 months · CA$840.02 at risk"
        )
        drawer.get_by_role("button", name="Close").click()
        expect(drawer).to_have_count(0)


def test_a_part_of_a_segment_opens_the_organizers_that_it_counts(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    arts = page.locator(".st-key-card-distribution .trace.bars").first.locator(".point path").first
    expect(page.locator(".st-key-card-distribution")).to_contain_text("■ 2")
    drawer = drawer_of(page, arts)
    expect(drawer.get_by_role("heading", name="arts: health 0 to 34")).to_be_visible()
    expect(drawer).to_contain_text("2\N{NO-BREAK SPACE}organizers · CA$1,400.03 won in 12 months")


def test_a_cell_of_retention_opens_its_newcomers(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    drawer = drawer_of(page, page.locator(".st-key-card-retention .point path").first)
    expect(drawer).to_contain_text("3\N{NO-BREAK SPACE}newcomers · 3 kept 0\N{NO-BREAK SPACE}quarters later")


def test_an_account_leads_to_its_own_page_and_back(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/health?industry=arts")
    drawn(page)
    table = page.locator(".st-key-card-accounts").get_by_test_id("stDataFrame").locator("canvas").first
    table.scroll_into_view_if_needed()
    table.click(position={"x": 60, "y": 54}, force=True)  # the first row's name, under the layer that scrolls
    expect(page).to_have_url(re.compile(rf"/organizer\?.*id={id_of('acme')}"))
    expect(page.get_by_role("heading", name="Acme Conferences")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("link", name="Health").click()
    drawn(page)
    expect(page).to_have_url(re.compile("industry=arts"))


def test_a_drawer_leads_to_the_organizer_s_page(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    drawer = drawer_of(page, page.locator(".st-key-card-risk .scatterlayer .trace").last.locator(".point").first)
    drawer.get_by_role("link", name="Open the organizer's page").click()
    expect(page.get_by_role("heading", name="Acme Conferences")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)

    # Back again, the same mark opens at the first click.
    page.get_by_test_id("stSidebar").get_by_role("link", name="Health", exact=True).click()
    drawn(page)
    at_rest(page)
    page.locator(".st-key-card-risk .scatterlayer .trace").last.locator(".point").first.click(force=True)
    expect(page.get_by_role("dialog")).to_be_visible()


def test_another_s_organizer_is_refused_in_a_sentence(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "ravi", f"/organizer?id={id_of('acme')}")
    expect(page.get_by_text("This organizer was not found, or it is not yours to see.")).to_be_visible()
    expect(page.get_by_text("Acme")).to_have_count(0)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)


def test_the_organizer_s_page_is_no_entry_of_the_menu(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "rita", f"/organizer?id={id_of('acme')}")
    expect(page.get_by_role("heading", name="Acme Conferences")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_role("link", name="Organizer", exact=True)).to_have_count(0)
    expect(page.get_by_test_id("stSidebar").get_by_role("link", name="Health", exact=True)).to_have_count(1)


def test_new_scores_show_on_an_open_page(page: Page, dashboard: Dashboard, company: None, owner: Connection) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    high = page.get_by_test_id("stMetric").filter(has_text="High risk").get_by_test_id("stMetricValue")
    expect(high).to_have_text("2")
    owner.exec_driver_sql("update crm_organizer_scores set churn_risk = 'high' where scored_on = app.today()")
    expect(high).to_have_text("3")


@pytest.mark.parametrize(("scheme", "high"), [("light", "rgb(185, 28, 28)"), ("dark", "rgb(248, 113, 113)")])
def test_risk_has_its_colours_in_both_appearances(
    page: Page, dashboard: Dashboard, company: None, scheme: Any, high: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    bar = page.locator(".st-key-card-levels .trace.bars .point path").first
    assert bar.evaluate("bar => getComputedStyle(bar).fill") == high


@pytest.mark.parametrize("path", ["/health", f"/organizer?id={id_of('acme')}"])
def test_nothing_sticks_out_at_any_width(page: Page, dashboard: Dashboard, company: None, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    dashboard.sign_in(page, "max", path)
    expect(page.locator(".js-plotly-plot .main-svg").nth(2)).to_be_visible()
    at_rest(page)
    for width in (390, 1024, 1440):
        assert_nothing_sticks_out(page, width)


def test_the_first_screenful_answers_the_question_and_every_chart_has_a_name(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "max", "/health")
    drawn(page)
    box = page.locator(".st-key-card-risk").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 900
    assert_nothing_sticks_out(page, 1440)
    assert_every_chart_has_a_name(page)
