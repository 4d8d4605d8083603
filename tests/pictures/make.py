"""Draws the pages as they should look, for the README: `python -m tests.pictures.make`, on a demo company of its own.

The company is always the same, but its days are counted from today, so dates and some numbers move.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
WHO = "Hélène Marchand"  # a manager with a team
LAPTOP, PHONE = (1440, 900), (390, 844)


def drawn(page: Page) -> None:
    expect(page.locator(".js-plotly-plot .main-svg")).to_have_count(12)
    expect(page.locator(".st-key-card-list canvas").first).to_be_visible()
    expect(page.locator("[data-testid=stMetric] canvas, [data-testid=stMetric] svg.marks")).to_have_count(4)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_load_state("networkidle")


def save(page: Page, name: str, *, whole: bool = False) -> None:
    if whole:
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
        drawn(page)
    picture = Image.open(io.BytesIO(page.screenshot()))
    # 256 colours are enough for a page, and a third of the size.
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)


def main() -> None:
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        command = [sys.executable, "-m", "app.cli", "run", "--no-browser", "--data-dir", directory]
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
                if (scheme, device) == ("light", "laptop"):
                    save(page, "continue-as")
                person.click()
                drawn(page)
                if device == "laptop":
                    save(page, f"pipeline-{scheme}")
                    page.locator(".st-key-card-by-stage .trace.bars").nth(1).locator(".point path").nth(2).click(
                        force=True
                    )
                    expect(page.get_by_role("dialog").locator("canvas").first).to_be_visible()
                    if scheme == "light":
                        save(page, "pipeline-drawer")
                    page.keyboard.press("Escape")
                    expect(page.get_by_role("dialog")).to_have_count(0)
                save(page, f"pipeline-{scheme}-{device}-whole", whole=True)
                context.close()
        browser.close()
        dashboard.terminate()
        dashboard.wait()
        dashboard.stdout.close()


if __name__ == "__main__":
    main()
