"""From one page of the open app to the pipeline with all its charts: real data against constants, in turns.

`EVENTOS_BENCHMARK_DATA` names the data directory of a company (`eventos demo --scale 10 --data-dir …`); without it, a
demo company is made.
"""

import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from app import database
from app.settings import Settings

pytest_plugins = ["tests.browser.conftest"]
ROUNDS = 15
DRAWN = """
() => document.querySelectorAll('.js-plotly-plot .main-svg').length >= 8
  && document.querySelectorAll('[data-testid=stMetric]').length === 6
  && document.querySelector('.st-key-card-list canvas')
  && document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'
"""
# From the click to the first frame in which everything is drawn, on the browser's own clock.
CHANGE = f"""
() => new Promise(done => {{
  const start = performance.now(), drawn = {DRAWN}
  const look = () => drawn() ? done(performance.now() - start) : requestAnimationFrame(look)
  const links = [...document.querySelectorAll('[data-testid=stSidebar] a')]
  links.find(link => link.textContent.includes('Pipeline')).click()
  requestAnimationFrame(look)
}})
"""


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a company."""
    if given := os.environ.get("EVENTOS_BENCHMARK_DATA"):
        return Path(given)
    made = tmp_path_factory.mktemp("benchmark") / "data"
    subprocess.run([sys.executable, "-m", "app.cli", "demo", "--data-dir", str(made)], check=True)
    return made


@contextmanager
def served(company: Path, email: str, answers: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.served", str(company), email, answers]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    yield next(line.strip() for line in process.stdout if line.startswith("http://"))
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    process.stdout.close()


def someone(company: Path, role: str) -> str:
    with Settings.load(data_dir=company).reachable() as settings:
        database.use(settings)
        with database.owning() as owner:
            return str(
                owner.execute(
                    text(
                        "select email from auth.users join crm_user_roles on user_id = id"
                        " join crm_profiles using (user_id) where role = :role and is_active order by email limit 1"
                    ),
                    {"role": role},
                ).scalar_one()
            )


def change(page: Page) -> float:
    page.get_by_role("link", name="Elsewhere").click()
    page.get_by_role("heading", name="Elsewhere").wait_for()
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")
    return float(page.evaluate(CHANGE))


@pytest.mark.parametrize("role", ["rep", "manager", "admin"])
def test_a_page_change_costs_what_its_drawing_costs(browser: Browser, company: Path, role: str) -> None:
    email = someone(company, role)
    with served(company, email, "real") as real, served(company, email, "constants") as constants:
        pages = {}
        for name, address in (("real", real), ("constants", constants)):
            pages[name] = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            pages[name].set_default_timeout(60_000)
            pages[name].goto(address)
            change(pages[name])  # the first one loads Plotly
        times: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(ROUNDS):
            for name, page in pages.items():
                times[name].append(change(page))
        for page in pages.values():
            page.context.close()
    middle = {name: statistics.median(found) for name, found in times.items()}
    print(f"\n{role}: real {middle['real']:.0f} ms, constants {middle['constants']:.0f} ms")  # noqa: T201
    assert middle["real"] <= 1.3 * middle["constants"]
