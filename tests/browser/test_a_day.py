"""A day with the records, end to end: what a rep does with them, and what an admin does when somebody has left."""

import re

from playwright.sync_api import Page, expect
from sqlalchemy import Connection

from tests.browser.conftest import Dashboard, at_rest, proposal
from tests.tables import given, id_of


def find(page: Page, words: str, name: str) -> None:
    """Opens the record of that name by the shell's search box."""
    page.get_by_role("button", name="Search Ctrl K").click()
    page.get_by_role("combobox", name="Search everything").fill(words)
    page.get_by_role("option").filter(has_text=name).first.click()
    expect(page.get_by_role("heading", name=name).first).to_be_visible()
    at_rest(page)


def choose(page: Page, label: str, option: str) -> None:
    """Chooses the option in the drawer."""
    page.get_by_role("dialog").get_by_role("combobox", name=label).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def press(page: Page, button: str, said: str) -> None:
    """Presses the drawer's button, and waits until the page says what was done."""
    at_rest(page)  # what is just drawn anew takes no click
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).last.click()
    expect(page.locator(".st-key-card-done")).to_contain_text(said)
    expect(page.get_by_role("dialog")).to_have_count(0)
    at_rest(page)


def test_a_rep_s_day(page: Page, dashboard: Dashboard, owner: Connection) -> None:
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme Festivals | rita\nelm | Elm | olaf")
    given(owner, "crm_opportunities", """
        id   | organizer_id | name | stage_id | value | assigned_to
        gala | acme         | Gala | Lead     | 1000  | rita
        ball | acme         | Ball | Lead     | 500   | rita
    """)  # fmt: skip
    given(owner, "crm_activities", """
        organizer_id | opportunity_id | user_id | type | is_task | task_status | due_date   | subject
        acme         | gala           | rita    | task | true    | pending     | 2099-01-06 | Send the offer
    """)  # fmt: skip
    dashboard.sign_in(page, "rita")

    find(page, "acme fest", "Acme Festivals")
    page.get_by_role("button", name="New activity").click()
    choose(page, "Kind", "Call")
    page.get_by_role("dialog").get_by_role("textbox", name="Subject").fill("They want the hall")
    press(page, "Create", "They want the hall")

    find(page, "gala", "Gala")
    page.get_by_role("button", name="Move", exact=True).click()
    choose(page, "Stage", "Proposal")
    press(page, "Move", "Proposal")

    page.get_by_role("button", name="Upload a document").click()
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(
        {"name": "Offer.pdf", "mimeType": "application/pdf", "buffer": proposal()}
    )
    choose(page, "Type", "Proposal")
    press(page, "Upload", "Offer.pdf")

    page.locator(".st-key-card-related").get_by_role("link", name="Send the offer").click()
    expect(page.get_by_role("heading", name="Send the offer")).to_be_visible()
    at_rest(page)
    page.get_by_role("button", name="Complete", exact=True).click()
    expect(page.locator(".st-key-card-done")).to_contain_text("Send the offer")

    find(page, "ball", "Ball")
    page.get_by_role("button", name="Abandon").click()
    expect(page.locator(".st-key-card-done")).to_contain_text("Ball")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".st-key-card-done")).to_contain_text("Undone")

    assert owner.exec_driver_sql(
        "select deal.name, deal.status, stage.name from crm_opportunities as deal"
        " join crm_pipeline_stages as stage on stage.id = stage_id order by 1"
    ).all() == [("Ball", "open", "Lead"), ("Gala", "open", "Proposal")]
    assert owner.exec_driver_sql("select type, subject, task_status from crm_activities order by 1").all() == [
        ("call", "They want the hall", None),
        ("task", "Send the offer", "completed"),
    ]
    document = owner.exec_driver_sql("select document_type, opportunity_id, file_size from crm_documents").one()
    assert document[:2] == ("proposal", id_of("gala"))


def test_an_admin_unites_two_organizers_and_hands_over_a_leaver_s_accounts(
    page: Page, dashboard: Dashboard, owner: Connection
) -> None:
    given(owner, "crm_organizers", """
        id   | company_name        | website               | assigned_to
        acme | Acme Festivals      | https://acme.example  | dora
        twin | ACME Festivals Inc. | https://acme.example/ | dora
        elm  | Elm                 |                       | dora
        fir  | Fir                 |                       | rita
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id   | organizer_id | name | stage_id | value | assigned_to
        gala | twin         | Gala | Lead     | 1000  | dora
        fair | elm          | Fair | Won      | 70    | dora
    """)  # fmt: skip
    dashboard.sign_in(page, "ada", f"/organizer?id={id_of('acme')}")
    page.get_by_role("button", name="Merge", exact=True).click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("button", name=re.compile("ACME Festivals Inc")).click()
    expect(drawer).to_contain_text("1 opportunity")
    press(page, "Merge", "Acme Festivals")

    page.goto(dashboard.url(f"/organizers?assigned_to={id_of('dora')}&status=active"))
    expect(page.get_by_text("2 organizers")).to_be_visible()
    page.locator(".st-key-card-list canvas").first.click(position={"x": 12, "y": 18}, force=True)  # all rows
    bar = page.locator(".st-key-bulk-bar")
    expect(bar).to_contain_text("2 organizers")
    bar.get_by_role("button", name="Reassign").click()
    drawer.get_by_role("searchbox", name="New owner").fill("ravi")
    drawer.get_by_role("button", name=re.compile("Ravi")).click()
    press(page, "Reassign", "2 organizers")

    owners = "select company_name, status, assigned_to from crm_organizers order by 1"
    assert owner.exec_driver_sql(owners).all() == [
        ("ACME Festivals Inc.", "archived", id_of("dora")),
        ("Acme Festivals", "active", id_of("ravi")),
        ("Elm", "active", id_of("ravi")),
        ("Fir", "active", id_of("rita")),
    ]
    deals = "select name, organizer_id, assigned_to from crm_opportunities order by 1"
    assert owner.exec_driver_sql(deals).all() == [
        ("Fair", id_of("elm"), id_of("dora")),  # who won it has won it
        ("Gala", id_of("acme"), id_of("ravi")),
    ]
