"""Names that are more than names: wherever they stand they are text, and nobody's browser asks anybody for anything."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, Request, expect
from sqlalchemy import Connection

from app.fields import NOUNS
from app.site_map import GROUPS
from queries import vocabulary as v
from tests import one_of_each, scored
from tests.browser.conftest import Dashboard, at_rest, drawer_of
from tests.tables import id_of

NAMES = [page.name for pages in GROUPS.values() for page in pages]
RECORDS = [
    f"{page}?id={id_of(noun)}"
    for page, noun in {
        "opportunities": "opportunity", "organizer": "organizer", "contacts": "contact", "activities": "activity",
        "notes": "note", "documents": "document", "templates": "template",
    }.items()
]  # fmt: skip
GRIDS = [f"{page}?as=grid" for page in ("opportunities", "contacts", "activities")]
FREE = {
    (noun.table.name, it.name) for noun in NOUNS.values() for it in noun.fields if it.kind in ("line", "text", "tags")
}
NOT_FREE = {("crm_opportunities", "loss_reason"), ("crm_documents", "file_type")}  # of a lost one; one of a few


@dataclass
class Trap:
    """A server that nobody should ever ask for anything."""

    port: int
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What asks it, wherever it is taken for more than text."""
        here = f"http://127.0.0.1:{self.port}"
        return f"![x]({here}/b) [click](javascript:alert(1)) <img src={here}/i> $5k … $10k :red[x]"

    @property
    def letter(self) -> str:
        """An email that asks it, in all the ways that HTML has."""
        here = f"http://127.0.0.1:{self.port}"
        return (
            f"<img src={here}/l><link rel=stylesheet href={here}/s><style>@import url({here}/c);</style>"
            f"<meta http-equiv=refresh content='0;url={here}/m'><script src={here}/j></script>"
            f"<iframe src={here}/f></iframe><p background={here}/p style='background: url({here}/u)'>Hello</p>"
        )


@pytest.fixture
def trap() -> Iterator[Trap]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Trap(server.server_address[1])
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def company(owner: Connection, trap: Trap, writing_as: Callable[..., AbstractContextManager[Connection]]) -> None:
    """A company whose every text is a trap, its reasons for a change, addresses and pasts too."""
    scored.insert(owner)
    one_of_each.insert(owner)
    took = one_of_each.call_everything(owner, trap.name, "![x](x) <img> $5k … $10k :red[x]")  # a file's has no slash
    assert took >= FREE - NOT_FREE
    owner.exec_driver_sql("update crm_email_templates set body_html = body_html || %s", (trap.letter,))
    owner.exec_driver_sql("update crm_outbox set body_html = body_html || %s", (trap.letter,))
    owner.exec_driver_sql("update crm_drafts set base = base || jsonb_build_object('title', %s::text)", (trap.name,))
    owner.exec_driver_sql("update crm_organizers set address = jsonb_build_object('street', %s::text)", (trap.name,))
    with writing_as("ada", reason=trap.name) as db:
        db.execute(sa.update(v.organizers).values(industry=v.organizers.c.industry + "!"))


def settled(page: Page) -> None:
    """Waits until the page is drawn whole."""
    expect(page.get_by_role("heading").first).to_be_visible()
    at_rest(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def test_a_name_is_text_wherever_it_stands(page: Page, dashboard: Dashboard, company: None, trap: Trap) -> None:
    outside: list[str] = []
    errors: list[str] = []
    dialogs: list[str] = []

    def ended(request: Request) -> None:
        # What an email asks for fails by the policy of its frame, before anything is sent.
        if not request.url.startswith((dashboard.address, "data:", "blob:")) and request.failure != "csp":
            outside.append(request.url)

    def answered(dialog: Any) -> None:
        dialogs.append(f"{dialog.type} {dialog.message}")
        dialog.accept()

    def look(where: str) -> None:
        settled(page)
        assert page.get_by_test_id("stException").count() == 0, where
        assert page.get_by_text("Something went wrong here").count() == 0, where
        live = f"img[src*='{trap.port}'], a[href^='javascript'], a[href*='{trap.port}'], .katex"
        assert page.locator(live).count() == 0, where
        assert (trap.asked, outside, errors) == ([], [], []), where

    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", answered)
    dashboard.sign_in(page, "ada", "/overview")
    for where in (*NAMES, *RECORDS, *GRIDS, f"pipeline?owner={trap.name}"):
        page.goto(dashboard.url(f"/{where}"))
        look(where)

    # What opens at a click: a view that is named, a bar's records, the board, a form with a draft, mail, a change.
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Name of the present view").fill(trap.name[:40])
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("stToast")).to_contain_text("![x](http")
    page.keyboard.press("Escape")
    drawer = drawer_of(page, page.locator(".st-key-card-by-stage .trace.bars").nth(0).locator(".point path").first)
    expect(drawer).to_contain_text("![x](http")
    look("the drawer of a bar")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.get_by_role("radio", name="Board").or_(page.get_by_role("button", name="Board")).first.click()
    expect(page.locator(".board article").first).to_contain_text("![x](http")
    look("the board")
    for where, button in (
        (f"opportunities?id={id_of('opportunity')}", "Edit"),
        (f"organizer?id={id_of('organizer')}", "Merge"),
        ("outbox", "Read"),
        ("history", "Details"),
    ):
        page.goto(dashboard.url(f"/{where}"))
        page.get_by_role("button", name=button, exact=True).first.click()
        expect(drawer).to_be_visible()
        look(f"{where}, {button}")
    page.goto(dashboard.url("/overview"))
    page.get_by_role("button", name="Search Ctrl K").click()
    page.get_by_role("combobox", name="Search everything").fill("click javascript")
    expect(page.get_by_role("option").first).to_contain_text("![x](http")
    look("the search")
    page.keyboard.press("Escape")
    page.locator(".st-key-account").get_by_role("button").click()
    page.get_by_role("link", name="Continue as somebody else").click()
    expect(page.get_by_role("link", name=re.compile(re.escape("![x]"))).first).to_be_visible()
    assert page.locator(f"img[src*='{trap.port}']").count() == 0
    assert (trap.asked, outside, errors) == ([], [], [])
    assert not [dialog for dialog in dialogs if not dialog.startswith("beforeunload")]
