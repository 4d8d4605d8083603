"""Pages run as Streamlit runs them, without a browser, on the test's database and as one of the personas."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import app
from app import cache, identity
from app.settings import Settings
from tests.personas import PERSONAS

Open = Callable[..., AppTest]
LOOKING = ["rita", "ravi", "olaf", "max", "mona", "eve", "ada"]


@pytest.fixture(scope="session")
def components() -> BidiComponentManager:
    """What Streamlit would look for anew, among all installed packages, for each page that a test opens."""
    found = BidiComponentManager()
    found.discover_and_register_components(start_file_watching=False)
    return found


@pytest.fixture
def opened(
    database: Settings, owner: Connection, components: BidiComponentManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """opened("rita", page="pipeline", owner=[…]): the page as she sees it, with these parameters in its address."""
    # Notices of changes come a moment later; here the next run asks what was committed before it.
    version = "select pg_snapshot_xmax(pg_current_snapshot())::text"
    monkeypatch.setattr(cache, "data_version", lambda: owner.exec_driver_sql(version).scalar_one())

    def opened(who: str, page: str = "pipeline", **parameters: list[str] | str) -> AppTest:
        identity.configure(replace(database, sign_in_as=PERSONAS[who].email), port=8501)
        running = AppTest.from_file(str(Path(app.__file__).with_name("main.py")), default_timeout=30)
        running._page_hash = calc_hash(page)  # as the browser says which address it is at
        running._bidi_component_manager = components
        for name, value in parameters.items():
            running.query_params[name] = value
        return running.run()

    yield opened
    identity._local = None


def errors(app: AppTest) -> list[str]:
    """What the page says went wrong."""
    return [*(element.value for element in app.error), *(element.value for element in app.exception)]


def said(app: AppTest) -> str:
    """The page's sentences."""
    return "\n".join(element.value for kind in (app.caption, app.markdown, app.info, app.warning) for element in kind)


def metrics(app: AppTest) -> dict[str, str]:
    """The numbers above the page, by their labels."""
    return {metric.label: metric.value for metric in app.metric}
