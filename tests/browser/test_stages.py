"""The Stages page as people use it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import Connection

from tests import misjudged
from tests.browser.conftest import Dashboard, at_rest
from tests.personas import PERSONAS

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def company(owner: Connection) -> Connection:
    misjudged.insert(owner)
    misjudged.calibrate()
    return owner


def drawn(page: Page) -> None:
    expect(page.get_by_role("heading", name="Stages", exact=True)).to_be_visible()
    expect(page.locator(".st-key-card-history")).to_be_visible()
    at_rest(page)


def slide(page: Page, stage: str, steps: int) -> None:
    """Chooses the stage and moves its slider by so many per cent."""
    page.get_by_role("radiogroup", name="Stage").get_by_text(stage).click()
    expect(page.locator(".st-key-card-value")).to_contain_text("Probability in")
    slider = page.locator(".st-key-card-value").get_by_role("slider", name=re.compile(stage))
    expect(slider).to_be_visible()
    at_rest(page)
    slider.focus()
    for _ in range(abs(steps)):
        slider.press("ArrowRight" if steps > 0 else "ArrowLeft")


def save(page: Page, percent: int) -> Locator:
    return page.get_by_role("button", name=re.compile(f"Save {percent}\\s% for"))


def row(page: Page, company: Connection, stage: str, button: str) -> Locator:
    """The button of that stage in the list of stages."""
    found = company.exec_driver_sql("select id from crm_pipeline_stages where name = %s", (stage,)).scalar_one()
    return page.locator(f".st-key-stages-{found}-{button} button").first


def default_of(owner: Connection, name: str) -> int:
    found = owner.exec_driver_sql("select default_probability from crm_pipeline_stages where name = %s", (name,))
    return int(found.scalar_one())


def because(page: Page, reason: str) -> None:
    why = page.get_by_label("Why")
    why.fill(reason)
    why.press("Tab")


def test_a_value_is_tried_saved_and_taken_back(page: Page, dashboard: Dashboard, company: Connection) -> None:
    dashboard.sign_in(page, "ada", "/")  # and lands here
    drawn(page)
    expect(page.locator(".st-key-card-evidence")).to_contain_text(f"promises 50{NBSP}% and keeps 10{NBSP}%")
    slide(page, "Proposal", -10)
    expect(page.locator(".st-key-card-value")).to_contain_text("CA$840")
    expect(page.locator(".st-key-card-by-stage")).to_contain_text("In all −CA$150.00")
    expect(page.locator(".st-key-card-by-owner")).to_contain_text("−CA$150")
    expect(page.locator(".st-key-card-value")).to_contain_text(f"2{NBSP}open opportunities here")
    assert default_of(company, "Proposal") == 50
    save(page, 40).click()
    expect(page.locator(".st-key-card-value")).to_contain_text("Say why")
    because(page, "Two years say so")
    save(page, 40).click()
    offer = page.locator(".st-key-card-offer")
    expect(offer).to_contain_text("Proposal is at 40 % now.")
    expect(page.locator(".st-key-card-history")).to_contain_text("Two years say so")
    assert default_of(company, "Proposal") == 40
    offer.get_by_role("button", name="Undo").click()
    expect(offer).to_have_count(0)
    expect(page.locator(".st-key-card-history")).to_contain_text("Undone: Two years say so")
    assert default_of(company, "Proposal") == 50
    expect(page.locator(".st-key-card-value").get_by_role("slider")).to_have_value("50")


def test_two_admins_at_once_see_both_values(
    page: Page, another: Page, dashboard: Dashboard, company: Connection
) -> None:
    company.exec_driver_sql("update crm_user_roles set role = 'admin' where user_id = %s", (PERSONAS["eve"].id,))
    dashboard.sign_in(page, "ada", "/stages")
    dashboard.sign_in(another, "eve", "/stages")
    for each, steps, reason in ((page, -10, "Mine"), (another, 10, "Hers")):
        drawn(each)
        slide(each, "Proposal", steps)
        expect(save(each, 50 + steps)).to_be_visible()
        because(each, reason)
    save(another, 60).click()
    expect(another.locator(".st-key-card-offer")).to_be_visible()
    # What Ada has typed and moved is still there, beside what Eve has saved.
    card = page.locator(".st-key-card-value")
    expect(card).to_contain_text(f"Somebody else has set it to 60{NBSP}% meanwhile; you have 40{NBSP}%.")
    expect(page.get_by_label("Why")).to_have_value("Mine")
    save(page, 40).click()
    expect(card).to_contain_text("Eve changed the probability of Proposal to 60 %; you have 40 %, on")
    assert default_of(company, "Proposal") == 60
    save(page, 40).click()
    expect(page.locator(".st-key-card-offer")).to_contain_text("Proposal is at 40 % now.")
    assert default_of(company, "Proposal") == 40


def test_a_manager_reads_and_has_nothing_to_change_with(page: Page, dashboard: Dashboard, company: Connection) -> None:
    dashboard.sign_in(page, "max", "/stages")
    drawn(page)
    expect(page.locator(".st-key-card-reliability .js-plotly-plot")).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(0)
    expect(page.locator(".st-key-card-arrange")).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_rep_is_not_offered_it_and_not_let_in(page: Page, dashboard: Dashboard, company: Connection) -> None:
    dashboard.sign_in(page, "rita", "/stages")
    expect(page.get_by_role("heading", name="This page is not for your role")).to_be_visible()
    expect(page.get_by_role("link", name="Stages")).to_have_count(0)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)


def test_a_stage_is_made_edited_and_deleted(page: Page, dashboard: Dashboard, company: Connection) -> None:
    dashboard.sign_in(page, "ada", "/stages")
    drawn(page)
    drawer = page.get_by_role("dialog")
    page.get_by_role("button", name="New stage").click()
    drawer.get_by_label("Name", exact=True).fill("lost")
    drawer.get_by_label("Probability, %").fill("140")
    drawer.get_by_role("button", name="Make the stage").click()
    expect(drawer).to_contain_text("140 is outside 0 to 100.")
    drawer.get_by_label("Probability, %").fill("80")
    drawer.get_by_role("button", name="Make the stage").click()
    expect(drawer).to_contain_text("There is a stage called Lost already.")
    expect(drawer.get_by_label("Name", exact=True)).to_have_value("lost")
    drawer.get_by_label("Name", exact=True).fill("Verbal yes")
    drawer.get_by_role("button", name="Make the stage").click()
    expect(drawer).to_have_count(0)
    stages = page.locator(".st-key-card-arrange")
    expect(stages).to_contain_text("Verbal yes")

    row(page, company, "Verbal yes", "edit").click()
    name = drawer.get_by_label("Name", exact=True)
    name.fill("Won")
    name.press("Enter")
    expect(drawer).to_contain_text("There is a stage called Won already.")
    expect(name).to_have_value("Won")
    task = drawer.get_by_label("Create a task")
    field = task.element_handle()
    name.fill("Promised")
    name.press("Enter")
    expect(stages).to_contain_text("Promised")
    at_rest(page)
    assert field.evaluate("field => field.isConnected")  # the sentence that went did not build it anew
    task.fill("Send the contract")
    drawer.get_by_role("button", name="Add").last.click()
    expect(drawer).to_contain_text(re.compile("Task “.?Send the contract.?”, due in 3"))
    drawer.get_by_role("button", name="Close").click()
    expect(drawer).to_have_count(0)

    row(page, company, "Proposal", "delete").click()
    expect(drawer).to_contain_text(f"holds 3{NBSP}opportunities, 3 of them open.")
    drawer.get_by_role("button", name="Move them and delete the stage").click()
    expect(drawer).to_contain_text("Choose the stage that takes them.")
    drawer.get_by_label("Move them to").click()
    page.get_by_role("option", name="Promised").click()
    drawer.get_by_role("button", name="Move them and delete the stage").click()
    expect(drawer).to_have_count(0)
    expect(stages).not_to_contain_text("Proposal")
    moved = company.exec_driver_sql("select probability from crm_opportunities where name = 'Gala'").scalar_one()
    assert moved == 80


def test_a_stage_changes_places_at_a_click(page: Page, dashboard: Dashboard, company: Connection) -> None:
    dashboard.sign_in(page, "ada", "/stages")
    drawn(page)
    stages = page.locator(".st-key-card-arrange")
    row(page, company, "Lead", "Later").click()
    expect(stages.get_by_test_id("stMarkdown").filter(has_text="%").first).to_contain_text("Qualified")
    expect(page.locator(".st-key-card-history")).to_contain_text("moved from 1 to 2")


@pytest.mark.parametrize("who", ["ada", "eve"])
def test_an_empty_company_looks_intended(page: Page, dashboard: Dashboard, owner: Connection, who: str) -> None:
    owner.exec_driver_sql("notify eventos_changed")  # the rows went away without a trigger
    dashboard.sign_in(page, who, "/stages")
    drawn(page)
    expect(page.locator(".st-key-card-evidence")).to_contain_text("will stand here")
    expect(page.get_by_role("alert")).to_have_count(0)
