from playwright.sync_api import ConsoleMessage, Page, expect
from sqlalchemy import Connection, text

from tests.browser.conftest import TOKEN, Dashboard
from tests.personas import PERSONAS


def test_an_address_without_the_key_says_how_to_get_in(page: Page, dashboard: Dashboard) -> None:
    answer = page.goto(dashboard.url("/pipeline"))
    assert answer
    assert answer.status == 403
    expect(page.get_by_role("heading")).to_have_text("Open it with its key")


def test_somebody_continues_as_rita_and_signs_out_again(page: Page, dashboard: Dashboard, owner: Connection) -> None:
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # At the address of a page Streamlit first asks below it whether it serves from there.
        if message.type == "error" and "/pipeline/_stcore/" not in message.location["url"]:
            problems.append(message.text)

    page.on("console", note)
    page.goto(dashboard.url(f"/?token={TOKEN}"))
    assert TOKEN not in page.url
    page.get_by_role("link", name="Rita").click()
    account = page.get_by_role("button", name="Rita")
    expect(account).to_be_visible()
    account.click()
    page.get_by_role("link", name="Continue as somebody else").click()
    expect(page.get_by_role("heading", name="Continue as …")).to_be_visible()
    assert problems == []


def test_everybody_begins_at_their_first_page_with_what_the_address_says(
    page: Page, dashboard: Dashboard, owner: Connection
) -> None:
    dashboard.sign_in(page, "rita", "/?period=year&industry=arts")
    assert page.url == dashboard.url("/pipeline?period=year&industry=arts")
    page.goto(dashboard.url("/"))
    page.go_back()
    expect(page).to_have_url(dashboard.url("/pipeline?period=year&industry=arts"))
    expect(page.get_by_role("heading", name="Pipeline", exact=True)).to_be_visible()


def test_only_active_people_with_a_role_can_be_chosen(page: Page, dashboard: Dashboard, owner: Connection) -> None:
    page.goto(dashboard.url(f"/?token={TOKEN}"))
    expect(page.get_by_role("link", name="Olaf")).to_be_visible()
    for name in ("Dora", "Nora"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)
    page.goto(dashboard.url(f"/continue-as/{PERSONAS['dora'].id}"))
    expect(page.get_by_role("heading", name="Continue as …")).to_be_visible()


def test_a_person_who_leaves_is_out_at_the_next_look(page: Page, dashboard: Dashboard, owner: Connection) -> None:
    dashboard.sign_in(page, "rita")
    expect(page.get_by_role("button", name="Rita")).to_be_visible()
    owner.execute(text("update crm_profiles set is_active = false where full_name = 'Rita'"))
    page.reload()
    expect(page.get_by_role("heading", name="Continue as …")).to_be_visible()


def test_a_picture_named_in_the_data_is_fetched_from_nowhere(page: Page, dashboard: Dashboard) -> None:
    page.goto(dashboard.url(f"/?token={TOKEN}"))
    blocked = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective))
            new Image().src = "http://127.0.0.1:9/spy.png"
        })"""
    )
    assert blocked == "img-src"
