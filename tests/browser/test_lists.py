"""From every page: search, a list, a record."""

import io
import re

import pandas as pd
from playwright.sync_api import Page, expect
from sqlalchemy import Connection

from tests.browser.conftest import Dashboard
from tests.tables import given


def test_search_leads_to_a_list_and_to_records(page: Page, dashboard: Dashboard, owner: Connection) -> None:
    given(
        owner, "crm_organizers", "id | company_name | assigned_to\nacme | Müller & Acme | rita\nelm | Müller Elm | olaf"
    )
    given(owner, "crm_opportunities", """
        organizer_id | name      | stage_id | value | assigned_to
        acme         | Gala 2026 | Proposal | 500   | rita
        acme         | =Gala     | Lead     | 7     | rita
        acme         | Expo      | Lead     | 9     | rita
    """)  # fmt: skip
    dashboard.sign_in(page, "rita", "/opportunities")
    expect(page.get_by_text("3 opportunities")).to_be_visible()

    # The box finds her own, by its beginning and without its umlaut; the keyboard opens what was found.
    expect(page.get_by_role("button", name="Search Ctrl K")).to_be_visible()
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search everything")
    box.fill("muller ac")
    expect(page.get_by_role("option")).to_have_text(["Müller & Acme"])
    box.fill("gal")
    expect(page.get_by_role("option").first).to_contain_text("Gala")
    box.press("ArrowDown")
    box.press("Enter")
    expect(page).to_have_url(re.compile(r"/opportunities\?id=[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", name="Gala").first).to_be_visible()

    # Back leads to the list; its search and order are in the address, and in the file.
    page.go_back()
    search = page.get_by_role("searchbox", name="Search")
    search.fill("gala")
    search.press("Enter")
    expect(page.get_by_text("2 opportunities")).to_be_visible()
    assert "q=gala" in page.url
    page.locator(".st-key-list-export button").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    table = pd.read_csv(io.BytesIO(download.value.path().read_bytes()))
    assert sorted(table["Name"]) == ["'=Gala", "Gala 2026"]
    assert set(table["Filters"]) == {"“gala”"}
    assert [*table][:3] == ["Name", "Organizer", "Stage"]
