"""The real thing: `eventos run` as a process of its own, looked at with Chromium.

Here `owner`, `given` and `reading_as` work on the dashboard's own database.
"""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, Playwright, expect, sync_playwright
from reportlab.pdfgen.canvas import Canvas

from app import embedded
from app.settings import Settings
from tests import conftest, personas

TOKEN = "a token for the tests"
expect.set_options(timeout=60_000)  # a fresh browser loads 3 MB of scripts on a machine that is busy with other tests


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard: where it is, and whether its process lives."""

    address: str
    process: subprocess.Popen[str]

    def url(self, path: str = "/") -> str:
        """The path at this dashboard."""
        return self.address + path

    def sign_in(self, page: Page, persona: str, path: str = "/pipeline") -> None:
        """Continues as the persona and opens the path."""
        page.request.get(self.url(f"/?token={TOKEN}"))
        page.request.get(self.url(f"/continue-as/{personas.PERSONAS[persona].id}"), max_redirects=0)
        page.goto(self.url(path))


def drawer_of(page: Page, mark: Locator) -> Locator:
    """The drawer that a click on what a chart has drawn opens; Plotly lays its own surface above, not in the way.

    Clicked again where nothing opened: a chart that is just drawn anew takes no click, and a person would click again.
    """
    drawer = page.get_by_role("dialog")
    for _ in range(5):
        expect(mark).to_be_visible()
        with suppress(Error):
            mark.click(force=True)
            drawer.wait_for(timeout=5_000)
            return drawer
        at_rest(page)
        if drawer.count():
            return drawer
    raise AssertionError("the chart never took the click")


def at_rest(page: Page) -> None:
    """Waits until the page's script has run to its end."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")


def assert_nothing_sticks_out(page: Page, width: int) -> None:
    """In a window of this width neither the page nor a card on it is wider."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    for card in page.locator("[class*=st-key-card-]").all():
        box = card.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def assert_every_chart_has_a_name(page: Page) -> None:
    """Those who don't see a chart hear what it is."""
    for chart in page.get_by_test_id("stPlotlyChart").all():
        assert chart.get_attribute("aria-label")


def proposal() -> bytes:
    """A PDF of one page."""
    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.drawString(80, 700, "Offer for the gala")
    canvas.save()
    return file.getvalue()


@pytest.fixture(scope="session")
def server_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory for each worker's dashboard."""
    return tmp_path_factory.mktemp("dashboard") / "data"


@pytest.fixture(scope="session")
def server(server_directory: Path) -> Iterator[embedded.Server]:
    """The dashboard's server."""
    with embedded.server(server_directory) as running:
        yield running


@pytest.fixture(scope="session")
def database(server: embedded.Server, server_directory: Path) -> Settings:
    """The dashboard's database, with the personas in it."""
    conftest.prepare(server, "eventos")
    return conftest.settings_of(server, "eventos", server_directory)


@pytest.fixture(scope="session")
def dashboard(database: Settings) -> Iterator[Dashboard]:
    """`eventos run` on the dashboard's database, ready to be looked at."""
    # Any free port: several workers that look from 8501 on at the same moment would find the same one.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "run",
        "--no-browser",
        "--no-refresh",
        f"--port={port}",
        "--token",
        TOKEN,
        "--data-dir",
        str(database.data_dir),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert process.stdout
    # It prints the address when it is ready, or ends with a sentence.
    address = next((line.strip() for line in process.stdout if line.strip().startswith("http://")), None)
    assert address, f"the dashboard did not start: exit code {process.wait()}"
    yield Dashboard(address.split("/?")[0], process)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    process.stdout.close()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, once a worker."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium, once a worker."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        conftest.missing("Chromium")
    # No sandbox, because it refuses root; no visits of its own to the network.
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    running = playwright.chromium.launch(executable_path=chromium, args=flags)
    yield running
    running.close()


@pytest.fixture(scope="session")
def _browsers(browser: Browser) -> list[BrowserContext]:
    """Two people's, kept: each test in a new one would fetch and compile 3 MB of scripts again."""
    contexts = [
        browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-CA", timezone_id="America/Toronto")
        for _ in range(2)
    ]
    for context in contexts:
        context.set_default_timeout(60_000)  # a machine that is busy with other tests
    return contexts


@pytest.fixture
def page(_browsers: list[BrowserContext]) -> Iterator[Page]:
    """Somebody's page at 1440 × 900."""
    yield from _page(_browsers[0])


@pytest.fixture
def another(_browsers: list[BrowserContext]) -> Iterator[Page]:
    """A second person's page."""
    yield from _page(_browsers[1])


def _page(context: BrowserContext) -> Iterator[Page]:
    yield context.new_page()
    for page in context.pages:
        with suppress(Error):  # a page that never was anywhere has no storage
            page.evaluate("localStorage.clear()")
        page.close()
    context.clear_cookies()
