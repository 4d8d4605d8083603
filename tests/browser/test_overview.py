"""The Overview and Data quality as people use them."""

import re

import pypdfium2
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Connection

from tests import scored
from tests.browser.conftest import Dashboard, at_rest
from tests.conftest import Given

EVIL = "![x](http://evil.example/x.png) <img src=x onerror=alert(1)>"


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    scored.insert(owner)
    renamed = "update crm_organizers set company_name = %s where company_name = 'Acme Conferences'"
    owner.exec_driver_sql(renamed, (EVIL,))
    given(owner, "crm_opportunities", """
        organizer_id | name | stage_id | value  | currency | assigned_to | expected_close_date
        acme         | Late | Proposal | 500.01 | CAD      | rita        | 2020-01-01
    """)  # fmt: skip


def drawn(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    at_rest(page)


def test_a_number_leads_to_its_page_with_the_same_scope(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/overview?industry=arts")
    drawn(page, "Overview")
    link = page.locator(".st-key-card-needs a").first
    expect(link).to_contain_text("Overdue opportunities")
    expect(link).to_have_attribute("href", "/forecast?industry=arts")
    link.click()
    drawn(page, "Forecast")
    expect(page).to_have_url(re.compile(r"/forecast\?industry=arts"))


def test_what_changed_opens_the_organizer_and_no_name_is_believed(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a name was run: {dialog.message}"))
    dashboard.sign_in(page, "max", "/overview")
    drawn(page, "Overview")
    won = page.locator(".st-key-card-won a").first
    expect(won).to_contain_text(EVIL)
    won.click()
    expect(page).to_have_url(re.compile(r"/organizer\?id="))
    expect(page.get_by_text("evil.example").first).to_be_visible()
    assert not [url for url in asked if "evil.example" in url]


def test_the_board_pack_is_one_page_with_the_numbers_of_the_page(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "eve", "/overview")
    drawn(page, "Overview")
    with page.expect_download() as download:
        page.get_by_role("button", name="One-page PDF").click()
    assert re.fullmatch(r"eventos-overview-\d{4}-\d\d-\d\d-\d{4}\.pdf", download.value.suggested_filename)
    document = pypdfium2.PdfDocument(download.value.path())
    assert len(document) == 1
    text = document[0].get_textpage().get_text_range()
    document.close()
    for value in page.get_by_test_id("stMetricValue").all_inner_texts():
        assert value.replace("\N{NO-BREAK SPACE}", " ") in text.replace("\N{NO-BREAK SPACE}", " ")


def test_an_edit_elsewhere_shows(page: Page, dashboard: Dashboard, company: None, owner: Connection) -> None:
    dashboard.sign_in(page, "max", "/overview")
    drawn(page, "Overview")
    number = page.locator(".st-key-card-needs a").first.locator("span")
    expect(number).to_have_text("1")
    owner.exec_driver_sql("update crm_opportunities set expected_close_date = '2199-01-01' where name = 'Late'")
    expect(number).to_have_text("0")


def test_a_problem_in_the_address_shows_its_rows(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "rita", "/quality?problem=overdue")
    drawn(page, "Data quality")
    expect(page.get_by_role("heading", name="Open, expected to close before today")).to_be_visible()
    expect(page.locator(".st-key-card-rows canvas").first).to_be_visible()
    expect(page.locator(".st-key-card-rows")).to_contain_text("Agree on a new expected close")
