"""The Pipeline page as people use it."""

import csv
import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import Connection

from app.components.export import harmless
from tests.browser.conftest import (
    Dashboard,
    assert_every_chart_has_a_name,
    assert_nothing_sticks_out,
    at_rest,
    drawer_of,
)
from tests.conftest import Given
from tests.personas import PERSONAS


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", """
        id    | company_name     | industry | assigned_to
        acme  | Acme Conferences | arts     | rita
        birch | Birch Festivals  | health   | ravi
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id     | organizer_id | name   | stage_id    | value   | currency | assigned_to | expected_close_date
        gala   | acme         | Gala   | Proposal    | 1000.01 | CAD      | rita        | 2199-05-01
        summit | acme         | Summit | Proposal    | 400.02  | CAD      | rita        | 2199-01-01
        expo   | birch        | Expo   | Negotiation | 800     | CAD      | ravi        | 2199-01-01
        fair   | birch        | Fair   | Lead        | 50      | CAD      | ravi        | 2199-01-01
    """)  # fmt: skip


def drawn(page: Page) -> None:
    """Waits until the page is there with its charts."""
    expect(page.get_by_role("heading", name="Pipeline", exact=True)).to_be_visible()
    expect(
        page.locator(".st-key-card-movement .js-plotly-plot, .st-key-card-movement .stCaption").first
    ).to_be_visible()
    at_rest(page)


def open_value(page: Page) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text="Open value").get_by_test_id("stMetricValue")


def test_a_bar_opens_its_opportunities_and_they_add_up_to_it(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    expected = page.locator(".st-key-card-by-stage .trace.bars").nth(1).locator(".point path")
    for _ in range(2):  # and again after it was closed: nothing stays selected
        drawer = drawer_of(page, expected.nth(2))
        expect(drawer.get_by_role("heading", name="Proposal")).to_be_visible()
        expect(drawer).to_contain_text(
            "2\N{NO-BREAK SPACE}opportunities · CA$1,400.03 value · CA$700.02 expected revenue"
        )
        drawer.get_by_role("button", name="Close").click()
        expect(drawer).to_have_count(0)
    expect(page.locator(".st-key-card-by-stage")).to_contain_text("CA$700 of CA$1.40K · 2")

    # What is clicked while the page is still drawn after the closing is done, and the drawer stays closed.
    drawer = drawer_of(page, expected.nth(2))
    at_rest(page)
    owner.exec_driver_sql("begin; lock table crm_drafts")
    drawer.get_by_role("button", name="Close").click()
    expect(drawer).to_have_count(0)
    page.get_by_role("radio", name="Board").click()
    owner.exec_driver_sql("commit")
    expect(page.locator(".board article").first).to_be_visible()
    expect(drawer).to_have_count(0)


def test_a_movement_opens_what_moved(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    drawer = drawer_of(page, page.locator(".st-key-card-movement .point path").nth(1))
    expect(drawer.get_by_role("heading", name="New")).to_be_visible()
    expect(drawer).to_contain_text("4\N{NO-BREAK SPACE}opportunities · CA$2,250.03 value")


def test_the_choice_lives_in_the_address_and_goes_back(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    page.get_by_text("Closing in").click()
    expect(page).to_have_url(re.compile("closing=period"))
    expect(open_value(page)).to_have_text("CA$0")
    page.get_by_label("Owner").click()
    page.get_by_role("option", name="Rita").click()
    expect(page).to_have_url(re.compile(f"owner={PERSONAS['rita'].id}"))
    page.go_back()
    expect(page).not_to_have_url(re.compile("owner="))
    page.go_back()
    expect(page).not_to_have_url(re.compile("closing="))
    expect(open_value(page)).to_have_text("CA$2.25K")
    page.go_forward()
    expect(open_value(page)).to_have_text("CA$0")


def test_who_opens_a_shared_link_sees_their_own_rows(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "ravi", f"/pipeline?owner={PERSONAS['rita'].id}&period=month")
    drawn(page)
    expect(page.get_by_role("alert")).to_contain_text("that you don't have here")
    expect(open_value(page)).to_have_text("CA$850")
    assert parse_qs(urlsplit(page.url).query)["period"] == ["month"]


def test_two_people_at_once_never_see_each_other_s_rows(
    page: Page, another: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "rita")
    dashboard.sign_in(another, "ravi")
    for _ in range(5):
        for its, value in ((page, "CA$1.40K"), (another, "CA$850")):
            its.reload()
            expect(open_value(its)).to_have_text(value)


def test_a_person_signs_out_and_the_next_one_starts_afresh(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "rita", "/pipeline?industry=arts")
    expect(open_value(page)).to_have_text("CA$1.40K")
    page.get_by_role("button", name="Rita").click()
    page.get_by_role("link", name="Continue as somebody else").click()
    page.get_by_role("link", name="Ravi").click()
    expect(open_value(page)).to_have_text("CA$850")


# Freshness ----------------------------------------------------------------------------------------------------


def test_an_edit_elsewhere_shows_and_nothing_typed_or_opened_is_lost(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    search = page.locator(".st-key-list-search input")
    page.get_by_role("button", name="Views").click()
    name = page.get_by_label("Name of the present view")
    name.press_sequentially("half a na")
    owner.exec_driver_sql("update crm_opportunities set value = 5000 where name = 'Gala'")
    expect(open_value(page)).to_have_text("CA$6.25K")
    expect(name).to_have_value("half a na")
    expect(name).to_be_focused()
    page.keyboard.press("Escape")
    search.press_sequentially("ga")
    owner.exec_driver_sql("update crm_opportunities set value = 6000 where name = 'Gala'")
    expect(open_value(page)).to_have_text("CA$7.25K")
    expect(search).to_have_value("ga")


def test_an_edit_elsewhere_shows_in_an_open_drawer_and_leaves_it_open(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    drawer_of(page, page.locator(".st-key-card-by-stage .trace.bars").nth(1).locator(".point path").nth(2))
    drawer = page.get_by_role("dialog")
    search = drawer.get_by_role("searchbox")
    search.press_sequentially("gal")
    expect(drawer).to_contain_text("1\N{NO-BREAK SPACE}opportunity of 2 · CA$1,000.01 value")
    search.evaluate("input => { window.sameInput = input }")
    owner.exec_driver_sql("update crm_opportunities set value = 5000 where name = 'Gala'")
    expect(drawer).to_contain_text("1\N{NO-BREAK SPACE}opportunity of 2 · CA$5,000.00 value")
    assert page.evaluate("document.querySelector('[role=dialog] input') === window.sameInput")
    expect(search).to_have_value("gal")
    expect(open_value(page)).to_have_text("CA$6.25K")


def test_a_leaver_s_open_page_empties_itself(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    dashboard.sign_in(page, "rita")
    expect(open_value(page)).to_have_text("CA$1.40K")
    owner.exec_driver_sql("update crm_profiles set is_active = false where user_id = %s", (PERSONAS["rita"].id,))
    expect(page.get_by_text("You are not signed in, or no longer")).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)


# Names that are more than names -------------------------------------------------------------------------------


def poisons() -> list[str]:
    return [
        "![x](http://127.0.0.1:1/b)",
        "<img src=http://127.0.0.1:1/c>",
        "[click](javascript:alert(1))",
        "<script>alert(1)</script>",
        '=HYPERLINK("http://evil","x")',
        "$5k … $10k :red[x] # title",
        "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe \N{ARABIC LETTER ALEF}",
    ]


def test_an_export_is_safe_names_its_filters_and_comes_back_equal(
    page: Page, dashboard: Dashboard, owner: Connection, given: Given
) -> None:
    names = poisons()
    organizer = owner.exec_driver_sql(
        "insert into crm_organizers (company_name, assigned_to) values ('Acme', %s) returning id",
        (PERSONAS["rita"].id,),
    ).scalar_one()
    for value, name in enumerate(names, start=1):
        owner.exec_driver_sql(
            "insert into crm_opportunities (organizer_id, name, stage_id, value, assigned_to)"
            " select %s, %s, id, %s, %s from crm_pipeline_stages where name = 'Lead'",
            (organizer, name, -0.01 + value, PERSONAS["rita"].id),
        )
    dashboard.sign_in(page, "rita", "/pipeline?period=year")
    drawn(page)
    page.locator(".st-key-list-export").get_by_role("button").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"eventos-all-open-opportunities-[\d-]+\.csv", download.value.suggested_filename)
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig"))))
    assert {row["Opportunity"] for row in rows} == {harmless(name) for name in names}
    assert sum(row["Opportunity"].startswith("'") for row in rows) == 1
    assert sorted(Decimal(row["Value (CAD)"]) for row in rows) == [Decimal(n) - Decimal("0.01") for n in range(1, 8)]
    assert all(row["Filters"].endswith("CAD") and "America/Toronto" in row["As of"] for row in rows)


def test_a_chart_is_saved_as_a_picture(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    page.locator(".st-key-by-stage-export").get_by_role("button").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename.startswith("eventos-expected-revenue-by-stage-")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


# The look -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "start"), [("light", "rgb(100, 116, 139)"), ("dark", "rgb(148, 163, 184)")])
def test_charts_follow_the_reader_s_appearance(
    page: Page, dashboard: Dashboard, company: None, scheme: Any, start: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    dashboard.sign_in(page, "max")
    drawn(page)
    last = page.locator(".st-key-card-movement .point path").last  # the end: a total
    assert last.evaluate("bar => getComputedStyle(bar).fill") == start


def test_nothing_sticks_out_at_any_width(page: Page, dashboard: Dashboard, company: None) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    dashboard.sign_in(page, "max")
    drawn(page)
    for width in (390, 1024):
        assert_nothing_sticks_out(page, width)


def test_the_first_screenful_answers_the_question_and_every_chart_has_a_name(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "max")
    drawn(page)
    box = page.locator(".st-key-card-by-stage").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 900
    assert_nothing_sticks_out(page, 1440)
    assert_every_chart_has_a_name(page)
    expect(page.get_by_role("figure", name="Bars of expected revenue within the value")).to_be_visible()
