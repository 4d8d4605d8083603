"""Pages run as Streamlit runs them, without a browser, on the test's database and as one of the personas."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import app
from app import identity
from app.settings import Settings
from tests.personas import PERSONAS

Open = Callable[..., AppTest]


@pytest.fixture
def opened(database: Settings, owner: Connection) -> Iterator[Open]:
    """opened("rita", page="pipeline", owner=[…]): the page as she sees it, with these parameters in its address."""

    def opened(who: str, page: str = "pipeline", **parameters: list[str] | str) -> AppTest:
        identity.configure(replace(database, sign_in_as=PERSONAS[who].email), port=8501)
        running = AppTest.from_file(str(Path(app.__file__).with_name("main.py")), default_timeout=30)
        running._page_hash = calc_hash(page)  # as the browser says which address it is at
        for name, value in parameters.items():
            running.query_params[name] = value
        return running.run()

    yield opened
    identity._local = None
