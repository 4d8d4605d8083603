"""Records changed by hand: what only a browser shows."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect
from sqlalchemy import Connection

from tests.browser.conftest import Dashboard, at_rest
from tests.tables import id_of

Given = Callable[[Connection, str, str], None]


@pytest.fixture
def company(owner: Connection, given: Given) -> Connection:
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    given(owner, "crm_opportunities", """
        id   | organizer_id | name | stage_id | value | assigned_to
        gala | acme         | Gala | Proposal | 1000  | rita
    """)  # fmt: skip
    return owner


def deal(owner: Connection) -> Any:
    return owner.exec_driver_sql("select * from crm_opportunities where id = %s", (id_of("gala"),)).one()


def open_form(page: Page, dashboard: Dashboard, who: str) -> Locator:
    dashboard.sign_in(page, who, f"/opportunities?id={id_of('gala')}")
    page.get_by_role("button", name="Edit", exact=True).click()
    drawer = page.get_by_role("dialog")
    expect(field(drawer, "Value")).to_have_value("1000.00")
    return drawer


def field(drawer: Locator, label: str) -> Locator:
    return drawer.get_by_role("textbox", name=label).first


def write(drawer: Locator, label: str, value: str) -> None:
    field(drawer, label).fill(value)
    field(drawer, label).press("Tab")


def test_two_people_edit_one_record_and_the_second_chooses_per_field(
    page: Page, another: Page, dashboard: Dashboard, company: Connection
) -> None:
    first, second = open_form(page, dashboard, "rita"), open_form(another, dashboard, "max")
    write(second, "Name", "Grand gala")
    field(second, "Description").fill("still being typed")
    write(first, "Name", "Autumn gala")
    write(first, "Value", "2000")
    write(first, "Currency", "USD")
    first.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Gala was changed.")).to_be_visible()

    # The other one hears of it, and nothing that is typed is taken away, not even what is not sent yet.
    expect(second.get_by_text(re.compile("Somebody has changed this.*2,000.00.*meanwhile"))).to_be_visible()
    expect(field(second, "Name")).to_have_value("Grand gala")
    expect(field(second, "Description")).to_have_value("still being typed")
    write(second, "Value", "3000")
    second.get_by_role("button", name="Save").click()
    choice = second.get_by_role("radiogroup", name=re.compile("Which .?name.? holds"))
    expect(choice).to_contain_text("Autumn gala")
    expect(choice).to_contain_text("Rita saved it")
    assert (deal(company).name, str(deal(company).value)) == ("Autumn gala", "2000.00")
    choice.get_by_text("Autumn gala").click()
    second.get_by_role("radiogroup", name=re.compile("Which .?value.? holds")).get_by_text("yours").click()
    second.get_by_role("button", name="Save").click()
    expect(second).to_have_count(0)
    after = deal(company)
    assert (after.name, str(after.value), after.currency) == ("Autumn gala", "3000.00", "USD")
    assert after.description == "still being typed"


def test_a_double_click_makes_one_record_and_one_click_takes_it_back(
    page: Page, dashboard: Dashboard, company: Connection
) -> None:
    dashboard.sign_in(page, "rita", f"/opportunities?id={id_of('gala')}")
    page.get_by_role("button", name="New note").click()
    drawer = page.get_by_role("dialog")
    write(drawer, "Note", "They want the hall")
    drawer.get_by_role("button", name="Create").dblclick()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    notes = "select count(*) from crm_notes"
    assert company.exec_driver_sql(notes).scalar_one() == 1
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone")).to_be_visible()
    assert company.exec_driver_sql(notes).scalar_one() == 0


def test_what_is_typed_survives_a_closed_drawer_and_a_reload(
    page: Page, dashboard: Dashboard, company: Connection
) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    drawer = open_form(page, dashboard, "rita")
    field(drawer, "Description").fill("Half a sentence")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    page.get_by_role("button", name="Continue").click()
    expect(field(drawer, "Description")).to_have_value("Half a sentence")
    field(drawer, "Name").press_sequentially(" of")  # not sent to the server yet
    page.reload()
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Continue").click()
    expect(field(drawer, "Description")).to_have_value("Half a sentence")
    drawer.get_by_role("button", name="Start again").click()
    expect(field(drawer, "Description")).to_have_value("")
    at_rest(page)  # the browser has heard of it
    page.reload()
    expect(page.get_by_role("button", name="Edit", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)
    assert asked == ["beforeunload"]  # nothing was unsaved the second time


def test_what_is_typed_into_a_grid_survives_a_reload_and_is_saved_as_one(
    page: Page, dashboard: Dashboard, company: Connection
) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    dashboard.sign_in(page, "rita", "/opportunities?as=grid")
    grid = page.locator(".st-key-card-list canvas").first
    grid.wait_for()
    grid.dblclick(position={"x": 60, "y": 52}, force=True)  # the name in the first row
    cell = page.locator("#portal textarea")
    cell.fill("Grid gala")
    cell.press("Enter")
    expect(page.get_by_text("row is changed and not saved")).to_be_visible()
    page.get_by_role("link", name="Notes", exact=True).click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("row is changed and not saved")).to_be_visible()
    page.reload()
    expect(page.get_by_text("row is changed and not saved")).to_be_visible()
    assert deal(company).name == "Gala"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert deal(company).name == "Grid gala"
