"""The lists of records and the search box, as they are asked the first time.

Run it with `pytest tests/benchmarks/test_lists.py`; `EVENTOS_BENCHMARK_SCALES` and `EVENTOS_BENCHMARK_DIRECTORY` as in
`test_questions.py`, whose companies these are.
"""

from dataclasses import replace

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy.exc import DBAPIError

from app import database
from app.fields import NOUNS
from app.settings import Settings
from app.viewer import Viewer
from queries import records, search
from queries.records import LISTINGS, Wanted
from tests.benchmarks.test_questions import ROUNDS, company, viewer

__all__ = ["company", "viewer"]  # fixtures

ROWS = 50
LISTS = [(noun, "as it opens") for noun in LISTINGS] + [
    *(("opportunity", what) for what in ("searched", "filtered", "by value", "by organizer", "page 100")),
    *(("organizer", what) for what in ("searched", "by engagement")),
    *(("contact", what) for what in ("searched", "similar")),
    *(("activity", what) for what in ("searched", "filtered", "page 100")),
]
WORDS = {"common": "festival", "two": "fest jazz", "begun": "an", "rare": "proposal 000123", "with a slip": "festvial"}


def wanted_of(noun: str, what: str, viewer: Viewer) -> Wanted:
    """The list as it opens, but for one thing."""
    listing = LISTINGS[noun]
    wanted = Wanted(
        listing.order, viewer.organisation.report_currency, viewer.today, listing.descending, limited_to=viewer.team,
        time_zone=viewer.organisation.time_zone,
    )  # fmt: skip
    words = {"opportunity": "gala 2025", "organizer": "festival", "contact": "seb", "activity": "voicemail"}[noun] \
        if what == "searched" else ""  # fmt: skip
    column = {"by value": "value", "by organizer": "organizer_id", "by engagement": "engagement_score"}.get(what)
    if column:
        return replace(wanted, order=column, descending=True)
    if what == "filtered":
        choice = {"opportunity": ("status", ("won",)), "activity": ("type", ("meeting",))}[noun]
        return replace(wanted, among=(choice,))
    return replace(wanted, words="sebstien" if what == "similar" else words)


@pytest.mark.parametrize(("noun", "what"), LISTS)
@pytest.mark.parametrize("asked", ["rows", "count"])
def test_list(noun: str, what: str, asked: str, viewer: Viewer, company: Settings, benchmark: BenchmarkFixture) -> None:
    wanted = wanted_of(noun, what, viewer)
    offset = 99 * ROWS if what == "page 100" else 0
    with database.reading(viewer) as db:
        if asked == "rows":
            ask = lambda: records.rows_of(NOUNS[noun])(db, wanted, limit=ROWS, offset=offset, excerpts=True)  # noqa: E731
        else:
            ask = lambda: records.count_of(NOUNS[noun])(db, wanted)  # noqa: E731
        try:
            rows = benchmark.pedantic(ask, rounds=ROUNDS, warmup_rounds=1)
        except DBAPIError as stopped:
            pytest.xfail(f"stopped after the time that a page waits: {stopped.orig}")
    benchmark.extra_info.update(rows=len(rows) if asked == "rows" else int(rows["rows"].iloc[0]))


@pytest.mark.parametrize("what", WORDS)
@pytest.mark.parametrize("step", ["names", "texts", "similar"])
def test_search(what: str, step: str, viewer: Viewer, company: Settings, benchmark: BenchmarkFixture) -> None:
    """The box's first results are its names."""
    nouns = {"names": search.NAMES, "texts": search.TEXTS, "similar": (*search.NAMES, *search.TEXTS)}[step]
    with database.reading(viewer) as db:
        rows = benchmark.pedantic(
            search.found, (db, WORDS[what], nouns, step == "similar"), rounds=ROUNDS, warmup_rounds=1
        )
    benchmark.extra_info.update(rows=len(rows))
