"""Draws the pages as they should look, for the README: `python -m tests.pictures.make [PAGE …]`, all of them or these.

On a demo company of its own, that is always the same; but its days are counted from today, so dates and some numbers
move.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
WHO = "Hélène Marchand"  # a manager with a team
LAPTOP, PHONE = (1440, 900), (390, 844)


def pipeline(page: Page) -> None:
    expect(page.locator(".js-plotly-plot .main-svg")).to_have_count(12)
    expect(page.locator(".st-key-card-list canvas").first).to_be_visible()
    expect(page.locator("[data-testid=stMetric] canvas, [data-testid=stMetric] svg.marks")).to_have_count(4)


def forecast(page: Page) -> None:
    expect(page.locator(".js-plotly-plot .main-svg")).to_have_count(9)
    expect(page.locator(".st-key-card-roll-up canvas").first).to_be_visible()


def stages(page: Page) -> None:
    expect(page.locator(".st-key-card-evidence canvas").first).to_be_visible()
    expect(page.locator(".st-key-card-by-month .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-card-overrides .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-card-history")).to_be_visible()


def engagement(page: Page) -> None:
    expect(page.locator(".st-key-card-movers .main-svg").first).to_be_visible()
    expect(page.locator("[data-testid=stMetric] canvas, [data-testid=stMetric] svg.marks")).to_have_count(2)


def health(page: Page) -> None:
    expect(page.locator(".st-key-card-model .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-card-retention .main-svg").first).to_be_visible()


def overview(page: Page) -> None:
    expect(page.locator(".st-key-card-track .main-svg").first).to_be_visible()
    expect(page.locator("[data-testid=stMetric] canvas, [data-testid=stMetric] svg.marks")).to_have_count(5)


def quality(page: Page) -> None:
    expect(page.locator(".st-key-card-rows canvas").first).to_be_visible()


def opportunities(page: Page) -> None:
    expect(page.locator("[data-testid=stDataFrame] canvas").first).to_be_visible()


def history(page: Page) -> None:
    expect(page.get_by_role("heading", name="History", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Undo").first).to_be_visible()


# What must be there before a page's picture is taken.
PAGES: Final[Mapping[str, Callable[[Page], None]]] = {
    "overview": overview,
    "pipeline": pipeline,
    "forecast": forecast,
    "engagement": engagement,
    "health": health,
    "stages": stages,
    "quality": quality,
    "opportunities": opportunities,
    "history": history,
}
ADMINS: Final = {"stages": "Priya Raman", "history": "Priya Raman"}  # who looks at the page instead


def at_rest(page: Page) -> None:
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_load_state("networkidle")


def save(page: Page, name: str, *, whole: Callable[[Page], None] | None = None) -> None:
    if whole:
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
        whole(page)
    at_rest(page)
    picture = Image.open(io.BytesIO(page.screenshot()))
    # 256 colours are enough for a page, and a third of the size.
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)


def pipeline_drawer(page: Page) -> None:
    page.locator(".st-key-card-by-stage .trace.bars").nth(1).locator(".point path").nth(2).click(force=True)
    expect(page.get_by_role("dialog").locator("canvas").first).to_be_visible()
    save(page, "pipeline-drawer")


def pipeline_board(page: Page) -> None:
    page.get_by_role("radio", name="Board").click()
    expect(page.locator(".board article").first).to_be_visible()
    page.locator(".st-key-card-list").scroll_into_view_if_needed()
    save(page, "board")


def forecast_what_if(page: Page) -> None:
    card = page.locator(".st-key-card-what-if")
    card.locator("[class*=st-key-what-if-try] button").first.click()
    card.get_by_label("Probability").fill("100")
    card.get_by_label("Probability").press("Enter")
    expect(card.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    card.scroll_into_view_if_needed()
    save(page, "forecast-what-if")


def forecast_past(page: Page) -> None:
    page.get_by_text("How good were past forecasts?").click()
    expect(page.locator(".st-key-card-scores")).to_be_visible()
    page.locator(".st-key-card-look-back").scroll_into_view_if_needed()
    save(page, "forecast-past")


def stages_value(page: Page) -> None:
    page.get_by_role("radiogroup", name="Stage").get_by_text("Negotiation").click()
    page.locator(".st-key-stages-suggest button").click()
    expect(page.locator(".st-key-card-by-owner .main-svg").first).to_be_visible()
    page.locator(".st-key-card-value").scroll_into_view_if_needed()
    save(page, "stages-value")


def health_organizer(page: Page) -> None:
    page.locator(".st-key-card-risk .scatterlayer .trace").last.locator(".point").first.click(force=True)
    page.get_by_role("dialog").get_by_role("link", name="Open the organizer's page").click()
    expect(page.locator(".st-key-card-history .main-svg").first).to_be_visible()
    expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    save(page, "organizer")


# What is done on a page for a picture more.
MORE: Final[Mapping[str, tuple[Callable[[Page], None], ...]]] = {
    "pipeline": (pipeline_drawer, pipeline_board),
    "forecast": (forecast_what_if, forecast_past),
    "health": (health_organizer,),
    "stages": (stages_value,),
}


def pictures(page: Page, address: str, name: str, scheme: str, device: str) -> None:
    """The page's first screenful on the laptop, the whole of it, and in light what it holds more."""

    def opened() -> None:
        page.goto(f"{address}/{name}")
        PAGES[name](page)

    opened()
    if device == "laptop":
        save(page, f"{name}-{scheme}")
        for more in MORE.get(name, ()) if scheme == "light" else ():
            more(page)
            opened()
    size = page.viewport_size
    save(page, f"{name}-{scheme}-{device}-whole", whole=PAGES[name])
    page.set_viewport_size(size)  # type: ignore[arg-type]


def main(names: list[str]) -> None:
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        eventos = [sys.executable, "-m", "app.cli"]
        for prepare in ("demo", "refresh"):
            subprocess.run([*eventos, prepare, "--data-dir", directory], check=True)
        command = [*eventos, "run", "--no-browser", "--no-refresh", "--data-dir", directory]
        dashboard = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert dashboard.stdout
        address = next(line.strip() for line in dashboard.stdout if line.strip().startswith("http://"))
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            for device, (width, height) in (("laptop", LAPTOP), ("phone", PHONE)):
                context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
                context.set_default_timeout(60_000)
                page = context.new_page()
                page.goto(address)
                person = page.get_by_role("link", name=WHO)
                expect(person).to_be_visible()
                if (scheme, device) == ("light", "laptop") and names == list(PAGES):
                    save(page, "continue-as")
                person.click()
                expect(page.locator(".js-plotly-plot").first).to_be_visible()
                for name in names:
                    if name in ADMINS:
                        page.goto(address.split("/?")[0] + "/sign-out")
                        page.get_by_role("link", name=ADMINS[name]).click()
                        expect(page.locator(".js-plotly-plot").first).to_be_visible()
                    pictures(page, address.split("/?")[0], name, scheme, device)
                context.close()
        browser.close()
        dashboard.terminate()
        dashboard.wait()
        dashboard.stdout.close()


if __name__ == "__main__":
    main(sys.argv[1:] or list(PAGES))
