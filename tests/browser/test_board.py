"""The board in a real browser: moved by mouse, by keyboard and by choice; what a closed stage asks."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import Connection

from tests.browser.conftest import Dashboard
from tests.tables import id_of

Given = Callable[[Connection, str, str], None]
EVIL = "<img src=x onerror=alert(1)> **b**"


@pytest.fixture
def company(owner: Connection, given: Given) -> Connection:
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    given(owner, "crm_opportunities", f"""
        id     | organizer_id | name   | stage_id  | value | probability | assigned_to
        gala   | acme         | Gala   | Lead      | 1000  |             | rita
        summit | acme         | {EVIL} | Qualified | 500   | 40          | rita
    """)  # fmt: skip
    return owner


def open_board(dashboard: Dashboard, page: Page, who: str) -> Locator:
    dashboard.sign_in(page, who)
    page.get_by_role("radio", name="Board").or_(page.get_by_role("button", name="Board")).first.click()
    board = page.locator(".board")
    expect(board.locator("article")).to_have_count(2)
    return board


def column(board: Locator, stage: str) -> Locator:
    return board.locator("section", has=board.page.locator("header strong", has_text=stage)).first


def stage_of(owner: Connection, deal: str) -> tuple[str, int]:
    row = owner.exec_driver_sql(
        "select stage.name, probability from crm_opportunities as deal join crm_pipeline_stages as stage"
        " on stage.id = stage_id where deal.id = %s",
        (id_of(deal),),
    ).one()
    return row.name, row.probability


def test_a_card_is_dragged_to_another_stage_and_back_by_undo(
    dashboard: Dashboard, page: Page, company: Connection
) -> None:
    board = open_board(dashboard, page, "rita")
    column(board, "Lead").locator("article").drag_to(column(board, "Proposal"))
    expect(column(board, "Proposal").locator("article")).to_contain_text("Gala")
    assert stage_of(company, "gala") == ("Proposal", 50)
    page.get_by_role("button", name="Undo").click()
    expect(column(board, "Lead").locator("article")).to_contain_text("Gala")
    assert stage_of(company, "gala") == ("Lead", 10)


def test_a_card_is_moved_by_keyboard_and_keeps_a_probability_of_its_own(
    dashboard: Dashboard, page: Page, company: Connection
) -> None:
    board = open_board(dashboard, page, "rita")
    card = column(board, "Qualified").locator("article")
    expect(card).to_contain_text(EVIL)  # as it was typed
    card.focus()
    card.press("Enter")
    expect(page.locator(".says")).to_contain_text("picked up")
    card.press("ArrowRight")
    expect(column(board, "Proposal")).to_have_class("column open aimed")
    card.press("Enter")
    expect(column(board, "Proposal").locator("article")).to_have_count(1)
    assert stage_of(company, "summit") == ("Proposal", 40)


def test_lost_asks_why_and_escape_puts_a_card_back(dashboard: Dashboard, page: Page, company: Connection) -> None:
    board = open_board(dashboard, page, "rita")
    card = column(board, "Lead").locator("article")
    card.focus()
    card.press("Enter")
    card.press("ArrowRight")
    card.press("Escape")
    expect(board.locator(".aimed")).to_have_count(0)
    column(board, "Lead").get_by_label("Move Gala to").select_option("Lost")
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Why it was lost").fill("Too dear")
    drawer.get_by_role("button", name="Lost").click()
    expect(board.locator("article")).to_have_count(1)
    assert stage_of(company, "gala") == ("Lost", 0)


def test_who_only_reads_moves_nothing(dashboard: Dashboard, page: Page, company: Connection) -> None:
    board = open_board(dashboard, page, "eve")
    expect(board.locator("select")).to_have_count(0)
    expect(board.locator("article[draggable=true]")).to_have_count(0)
