"""What every review page does the same way: title, scope, one round of reading, and what its pictures share."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pandas as pd
import streamlit as st

from app import database, identity
from app.cache import Ask, asking
from app.components import saved_views, scope_bar, states
from app.components.picture import Answer, Setting
from app.viewer import Viewer
from queries.pipeline import choices
from queries.question import Question
from queries.saved_views import saved_views as views_of
from queries.scope import Scope

SCREENFUL: Final = 720  # pixels below the title
MOST_ROWS: Final = 100_000  # in a file: more than anybody reads, less than the memory of this process


@dataclass(frozen=True)
class Reading:
    """Asks questions about the scope in the address; everything it answers holds at one moment."""

    ask: Ask
    viewer: Viewer
    offer: scope_bar.Offer
    views: pd.DataFrame
    chosen: scope_bar.Chosen

    def __call__(self, question: Question[Any], *args: Any, **options: Any) -> Answer:
        """The question's answer for the scope, with its columns and its SQL."""
        frame = self.ask(question, self.scope, *args, **options)
        return Answer(frame, question.columns, partial(question.sql, self.scope, *args, **options))

    def first(self, question: Question[Any], rows: int, **options: Any) -> Answer:
        """The same of a question that takes a limit: its first rows to look at, all of them for a file."""
        found = self(question, limit=rows, **options)
        return replace(found, everything=partial(_everything, self.viewer, question, self.scope, options))

    def changed(self, **scope: Any) -> "Reading":
        """The same, of a scope that differs in these."""
        return replace(self, chosen=replace(self.chosen, scope=replace(self.scope, **scope)))

    @property
    def scope(self) -> Scope:
        """What the reader has chosen to look at."""
        return self.chosen.scope

    @property
    def setting(self) -> Setting:
        """What the pictures drawn from this reading have in common."""
        return Setting(
            filters=self.chosen.words,
            is_filtered=bool(self.chosen.filters),
            moment=self.scope.moment or datetime.now(UTC),
            time_zone=self.viewer.time_zone,
            currency=self.scope.currency,
        )


def _everything(viewer: Viewer, question: Question[Any], scope: Scope, options: Mapping[str, Any]) -> pd.DataFrame:
    # A file is made outside any script run and once: with the viewer who asked, and past what is remembered.
    with database.reading(viewer) as db:
        return question(db, scope, limit=MOST_ROWS, **options)


@contextmanager
def reading(page: str, without: Collection[str] = ()) -> Iterator[Reading]:
    """Yields a reading for the viewer of this run. It holds a connection: draw after it, not in its block.

    `without`: parameters of the scope that mean nothing on the page; they stay chosen for the other pages.
    """
    viewer = identity.viewer()
    with asking(viewer) as ask:
        views = ask(views_of, viewer.id, page)
        offer = scope_bar.Offer.of(viewer, ask(choices))
        parameters = scope_bar.ADDRESS.parameters(lambda: saved_views.default_query(views))
        used = {name: values for name, values in parameters.items() if name not in without}
        yield Reading(ask, viewer, offer, views, scope_bar.chosen(viewer, offer, used))


@contextmanager
def opened(page: str, title: str, without: Collection[str] = ()) -> Iterator[Reading]:
    """Draws the page's title, yields a reading, and when its block has read, draws the scope above what follows."""
    states.outcome()
    head = st.container(horizontal=True, vertical_alignment="center", key="head")
    head.title(title, anchor=False, width="stretch")
    with st.skeleton(height=SCREENFUL), reading(page, without) as read:  # seen when reading takes over half a second
        yield read
    with head:
        if "closing" not in without:
            scope_bar.closing_switch(read.chosen)
        saved_views.draw(read.viewer, page, read.views, scope_bar.ADDRESS)
    scope_bar.draw(read.viewer, read.offer, read.chosen)
