"""A dashboard of two pages, an empty one and the pipeline: `python -m tests.benchmarks.served DIRECTORY EMAIL ANSWERS`.

Where ANSWERS is `constants`, each question is asked once and its answer handed out ever after: the page without its
data. With `real` it is the page as it is.
"""

import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from starlette.routing import Route

from app import database, identity
from app.cache import asking
from app.components import freshness, review
from app.settings import ROOT, Settings
from app.viewer import Viewer
from queries.question import Question


def main(directory: str, email: str, answers: str) -> None:
    """Serves until it is told to stop; prints its address when it is ready."""
    with Settings.load(data_dir=Path(directory), sign_in_as=email).reachable() as settings:
        database.connect(settings)
        identity.configure(settings, port := _free_port())
        if answers == "constants":
            _answer_with_constants()

        @asynccontextmanager
        async def ready(_app: st.App) -> AsyncIterator[None]:
            print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201
            yield

        sys.argv = [str(ROOT / "eventos")]  # Streamlit looks for .streamlit/config.toml beside what was started
        routes = [Route(freshness.PATH, freshness.data_version)]
        application = st.App(Path(__file__).with_name("two_pages.py"), lifespan=ready, routes=routes)
        application.run(config={"server.address": "127.0.0.1", "server.port": port})


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answer_with_constants() -> None:
    answers: dict[str, pd.DataFrame] = {}
    viewer_then = identity.signed_in()
    identity.signed_in = lambda: viewer_then

    @contextmanager
    def constant(viewer: Viewer) -> Iterator[Callable[..., pd.DataFrame]]:
        def ask(question: Question[Any], *args: Any, **kwargs: Any) -> pd.DataFrame:
            if question.name not in answers:
                with asking(viewer) as really:
                    answers[question.name] = really(question, *args, **kwargs)
            return answers[question.name]

        yield ask

    review.asking = constant  # type: ignore[assignment]


if __name__ == "__main__":
    main(*sys.argv[1:])
