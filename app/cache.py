"""Questions asked once: the only place where answers are remembered between reruns and people's sessions."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, ParamSpec, TypeVar

import pandas as pd
import streamlit as st
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.database import data_version, reading
from app.errors import ConnectionLost
from app.viewer import Viewer
from queries.question import Question

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def asking(viewer: Viewer) -> Iterator["Ask"]:
    """Yields `ask(question, scope, …)`, which answers as `question(db, scope, …)` would, from memory where it can.

    What it must ask the database comes from one snapshot, opened at the first such question; draw after the block.
    """
    with ExitStack() as door:
        yield Ask(viewer, door)


class Ask:
    """Answers one viewer's questions."""

    def __init__(self, viewer: Viewer, door: ExitStack) -> None:
        self._viewer = viewer
        self._door = door
        self._db: Connection | None = None
        self._has_read = False
        # Read before the snapshot is taken: an answer may be newer than its key says, never older.
        self._version = data_version()

    def __call__(self, question: Question[P], *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        """The answer, a frame of the caller's own."""
        # As text, because Streamlit takes 3 ms to hash as many dataclasses: all that stands in these says what it is.
        key = repr((self._viewer, self._version, question.name, args, sorted(kwargs.items())))
        return _remembered(key, lambda: self._ask(question, *args, **kwargs))

    def once(self, question: Question[P], *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        """The answer from the database, not kept: for what is only a step to something that is."""
        return self._ask(question, *args, **kwargs)

    def kept(self, what: object, make: Callable[[], T]) -> T:
        """What `make` makes of answers, from memory where it can; `what` says, as text, everything else it depends on.

        It runs outside the cache, so it may draw its progress.
        """
        key = repr((self._viewer, self._version, what))
        try:
            found: T = _computed(key, _not_yet)
        except _NotYetError:
            made = make()
            found = _computed(key, lambda: made)
        return found

    def _ask(self, question: Question[P], *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        try:
            answer = question(self._connection(), *args, **kwargs)
        except DBAPIError as error:
            # Once more on another connection, unless an earlier answer came from the snapshot that is gone.
            if self._has_read or not error.connection_invalidated:
                raise
            with suppress(ConnectionLost):
                self._door.__exit__(type(error), error, error.__traceback__)
            self._db = None
            answer = question(self._connection(), *args, **kwargs)
        self._has_read = True
        return answer

    def _connection(self) -> Connection:
        if self._db is None:
            self._db = self._door.enter_context(reading(self._viewer))
        return self._db


# The key is everything that an answer depends on: the whole viewer (who, role, team, time zone, today), the state of
# the data, the question and its arguments. `_answer` alone stays out of it.
@st.cache_data(
    max_entries=1000,  # some 20 kB each: about 20 people's pages in their last few scopes
    ttl=600,  # seconds; should a notice of a change ever be lost, nothing is stale for longer
    show_spinner=False,  # the page has its own skeleton
)
def _remembered(key: str, _answer: Callable[[], pd.DataFrame]) -> pd.DataFrame:  # noqa: ARG001  (hashed)
    return _answer()


class _NotYetError(Exception):
    """Nothing is kept under the key."""


def _not_yet() -> Any:
    raise _NotYetError


# The same key, for what is computed from answers: larger, and asked for less often.
@st.cache_data(
    max_entries=60,  # up to a megabyte each: a forecast of 20,000 simulated periods with every opportunity's part
    ttl=600,
    show_spinner=False,
)
def _computed(key: str, _make: Callable[[], Any]) -> Any:  # noqa: ARG001  (hashed)
    return _make()
