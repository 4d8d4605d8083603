"""The Forecast page as people use it."""

import re
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Page, expect
from sqlalchemy import Connection

from queries.scope import Period
from tests.browser.conftest import Dashboard, assert_every_chart_has_a_name, assert_nothing_sticks_out, at_rest
from tests.conftest import Given
from tests.personas import PERSONAS

NBSP = "\N{NO-BREAK SPACE}"
# An open page asks each second whether the data have moved. Asking at once, it falls between a save and what follows.
ASKS_AT_ONCE = "const every = setInterval; setInterval = (ask, ms) => every(ask, ms === 1000 ? 20 : ms)"


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    """Open in this quarter: 1,000.01 at 80 % and 400.02 at 50 % of Rita's, 800 at 30 % of Ravi's; targets of both."""
    quarter = Period.of("quarter", owner.exec_driver_sql("select app.today()").scalar_one())
    last = quarter.end - timedelta(days=1)
    given(owner, "crm_organizers", """
        id   | company_name     | industry | assigned_to
        acme | Acme Conferences | arts     | rita
        fest | Birch Festivals  | health   | ravi
    """)  # fmt: skip
    given(owner, "crm_opportunities", f"""
        organizer_id | name   | stage_id    | value   | assigned_to | probability | expected_close_date
        acme         | Gala   | Proposal    | 1000.01 | rita        | 80          | {last}
        acme         | Summit | Lead        | 400.02  | rita        | 50          | {last}
        fest         | Expo   | Negotiation | 800     | ravi        | 30          | {last}
        fest         | Late   | Lead        | 90      | ravi        | 50          | 2020-01-01
    """)  # fmt: skip
    given(owner, "crm_targets", f"""
        user_id | period_start    | amount
        rita    | {quarter.start} | 1500
        ravi    | {quarter.start} | 1000
    """)  # fmt: skip


def drawn(page: Page) -> None:
    """Waits until the page is there with its charts."""
    expect(page.get_by_role("heading", name="Forecast", exact=True)).to_be_visible()
    expect(page.locator(".st-key-card-distribution .js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-card-roll-up canvas").first).to_be_visible()
    at_rest(page)


def choose(box: Locator, name: str) -> None:
    """Searches and chooses in a select box; again where the list closed because the page moved under it."""
    for _ in range(5):
        box.fill("")
        box.press_sequentially(name)
        with suppress(Error):
            return box.page.get_by_role("option", name=name).click(timeout=5_000)
    raise AssertionError("the list never stayed open")


def bar(page: Page, name: str) -> Locator:
    """The bar of the whole period."""
    order = ("won", "pipeline", "best_case", "commit")
    traces = page.locator(".st-key-card-against-target .trace.bars")
    return traces.nth(order.index(name)).locator(".point path").first


def metric(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


@pytest.mark.parametrize(
    ("name", "title", "adds_up_to"),
    [
        ("commit", "commit", f"1{NBSP}opportunity · CA$1,000.01 value · CA$800.01 expected revenue"),
        ("best_case", "best case", f"2{NBSP}opportunities · CA$1,400.03 value · CA$1,000.02 expected revenue"),
        ("pipeline", "pipeline", f"3{NBSP}opportunities · CA$2,200.03 value · CA$1,240.02 expected revenue"),
    ],
)
def test_a_bar_opens_its_opportunities_and_they_add_up_to_it(
    page: Page, dashboard: Dashboard, company: None, name: str, title: str, adds_up_to: str
) -> None:
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    # At its right end, where no bar lies above it.
    at = bar(page, name).bounding_box()
    assert at
    page.mouse.click(at["x"] + at["width"] - 4, at["y"] + at["height"] - 3)
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name=re.compile(f": {title}"))).to_be_visible()
    expect(drawer).to_contain_text(adds_up_to)


def test_a_manager_lands_here_and_an_executive_only_reads(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "max", "/")
    drawn(page)
    expect(page).to_have_url(re.compile("/forecast"))
    expect(page.get_by_role("button", name="Name your own number")).to_be_visible()
    dashboard.sign_in(page, "eve", "/forecast")
    drawn(page)
    expect(page.get_by_role("button", name="Name your own number")).to_have_count(0)


def test_a_rep_sees_their_own_and_names_no_number(page: Page, dashboard: Dashboard, company: None) -> None:
    dashboard.sign_in(page, "rita", "/forecast")
    drawn(page)
    expect(metric(page, "Weighted")).to_have_text("CA$1.00K")
    expect(page.get_by_role("button", name="Name your own number")).to_have_count(0)


# What if ------------------------------------------------------------------------------------------------------


def test_what_is_tried_changes_the_forecast_survives_an_edit_and_is_reset(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    card = page.locator(".st-key-card-what-if")
    choose(card.get_by_role("combobox"), "Expo")
    expect(card.get_by_text("This is a what-if: nothing is saved")).to_be_visible()
    probability = card.get_by_label(re.compile("Probability"))
    expect(probability).to_have_value("30")
    told = card.get_by_text(re.compile("^As it is:"))
    before = told.inner_text()
    probability.fill("100")
    probability.press("Enter")
    expect(told).not_to_have_text(before)
    expect(metric(page, "Weighted")).to_have_text("CA$1.24K")  # what is tried is in its card only
    owner.exec_driver_sql("update crm_opportunities set value = 500 where name = 'Summit'")
    expect(metric(page, "Weighted")).to_have_text("CA$1.29K")
    expect(probability).to_have_value("100")
    assert owner.exec_driver_sql("select probability from crm_opportunities where name = 'Expo'").scalar_one() == 30
    card.get_by_role("button", name="Reset").click()
    expect(card.get_by_text("This is a what-if")).to_have_count(0)


# A number of one's own ----------------------------------------------------------------------------------------


def named(owner: Connection) -> list[Any]:
    return owner.exec_driver_sql(
        "select owner_id, amount, currency, reason from crm_forecast_adjustments where withdrawn_at is null"
    ).all()


def test_a_number_is_named_with_its_reason_and_undone(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    page.add_init_script(ASKS_AT_ONCE)
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    page.get_by_role("button", name="Name your own number").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Amount").fill("a lot")
    drawer.get_by_role("button", name="Keep this number").click()
    expect(drawer).to_contain_text("Write the amount as a number")
    expect(drawer).to_contain_text("Say why")
    expect(drawer.get_by_label("Amount")).to_have_value("a lot")
    assert named(owner) == []
    drawer.get_by_label("Amount").fill("1,800.50")
    drawer.get_by_label("Reason").fill("The fair signs in December")
    drawer.get_by_role("button", name="Keep this number").click()
    expect(drawer).to_have_count(0)
    undo = page.locator(".st-key-own-number-undo")
    expect(undo).to_contain_text("1,800.50")
    [(_, amount, currency, reason)] = named(owner)
    assert (str(amount), currency, reason) == ("1800.50", "CAD", "The fair signs in December")
    undo.get_by_role("button", name="Undo").click()
    expect(undo).to_have_count(0)
    assert named(owner) == []


def test_a_number_stands_in_the_drawer_and_is_withdrawn(
    page: Page, dashboard: Dashboard, company: None, owner: Connection
) -> None:
    quarter = Period.of("quarter", owner.exec_driver_sql("select app.today()").scalar_one())
    owner.exec_driver_sql(
        "insert into crm_forecast_adjustments (author_id, owner_id, period_start, period_end, amount, currency, reason)"
        " values (%s, %s, %s, %s, 900, 'CAD', 'Too rosy')",
        (PERSONAS["max"].id, PERSONAS["ravi"].id, quarter.start, quarter.end),
    )
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    page.get_by_role("button", name="Name your own number").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Too rosy")
    drawer.get_by_role("button", name="Withdraw").click()
    expect(drawer).to_have_count(0)
    assert named(owner) == []


# The look -----------------------------------------------------------------------------------------------------


def test_nothing_sticks_out_at_any_width(page: Page, dashboard: Dashboard, company: None) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    for width in (390, 1024):
        assert_nothing_sticks_out(page, width)


def test_the_first_screenful_answers_the_question_and_every_chart_has_a_name(
    page: Page, dashboard: Dashboard, company: None
) -> None:
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    for card in ("against-target", "distribution"):
        box = page.locator(f".st-key-card-{card}").bounding_box()
        assert box
        assert box["y"] + box["height"] <= 900
    assert_nothing_sticks_out(page, 1440)
    assert_every_chart_has_a_name(page)


@pytest.mark.parametrize(("scheme", "won"), [("light", "rgb(15, 118, 110)"), ("dark", "rgb(45, 212, 191)")])
def test_charts_follow_the_reader_s_appearance(
    page: Page, dashboard: Dashboard, company: None, owner: Connection, scheme: Any, won: str
) -> None:
    today: date = owner.exec_driver_sql("select app.today()").scalar_one()
    owner.exec_driver_sql(
        "update crm_opportunities set stage_id = (select id from crm_pipeline_stages where name = 'Won'),"
        " actual_close_date = %s where name = 'Gala'",
        (today,),
    )
    page.emulate_media(color_scheme=scheme)
    dashboard.sign_in(page, "max", "/forecast")
    drawn(page)
    assert bar(page, "won").evaluate("bar => getComputedStyle(bar).fill") == won
