import ast
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, text

import app
from app import cache
from app.cache import asking
from app.errors import ConnectionLost, Invalid
from app.viewer import Viewer
from queries import units
from queries.question import question
from tests.personas import PERSONAS

ViewerOf = Callable[..., Viewer]
asked: list[str] = []


@question(company_name=units.text("Company"))
def companies(like: str = "%") -> sa.Select[Any]:
    """The companies that the viewer sees; it counts how often the database is asked."""
    asked.append(like)
    organizers = sa.table("crm_organizers", sa.column("company_name", sa.Text))
    return sa.select(organizers.c.company_name).where(organizers.c.company_name.like(like)).order_by(sa.text("1"))


@pytest.fixture(autouse=True)
def _two_companies(owner: Connection, given: Callable[..., None]) -> None:
    given(owner, "crm_organizers", """
        company_name | assigned_to
        Rita's       | rita
        Ravi's       | ravi
    """)  # fmt: skip
    asked.clear()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A data version that moves only when this is called; each test has versions of its own."""
    version = next(_versions)

    def move() -> None:
        nonlocal version
        version = next(_versions)

    monkeypatch.setattr(cache, "data_version", lambda: version)
    return move


_versions = itertools.count(10**9)


def names(viewer: Viewer, *arguments: str) -> list[str]:
    with asking(viewer) as ask:
        return list(ask(companies, *arguments)["company_name"])


def test_the_same_question_is_asked_once(quiet: Callable[[], None], viewer: ViewerOf) -> None:
    rita = viewer("rita")
    assert names(rita) == ["Rita's"]
    assert names(rita) == ["Rita's"]
    assert names(rita, "%x%") == []
    assert asked == ["%", "%x%"]


def test_two_viewers_never_share_an_answer(quiet: Callable[[], None], viewer: ViewerOf) -> None:
    for _ in range(2):
        assert names(viewer("rita")) == ["Rita's"]
        assert names(viewer("ravi")) == ["Ravi's"]
        assert names(viewer("max")) == ["Ravi's", "Rita's"]
    assert len(asked) == 3


def test_a_changed_role_is_answered_anew(quiet: Callable[[], None], owner: Connection, viewer: ViewerOf) -> None:
    assert names(viewer("rita")) == ["Rita's"]
    owner.execute(text("update crm_user_roles set role = 'admin' where user_id = :id"), {"id": PERSONAS["rita"].id})
    assert names(viewer("rita")) == ["Ravi's", "Rita's"]


def test_another_day_is_another_question(quiet: Callable[[], None], viewer: ViewerOf) -> None:
    names(viewer("rita", today=date(2026, 3, 31)))
    names(viewer("rita", today=date(2026, 4, 1)))
    assert len(asked) == 2


def test_changed_data_are_read_again(quiet: Callable[[], None], viewer: ViewerOf) -> None:
    names(viewer("rita"))
    quiet()
    names(viewer("rita"))
    assert len(asked) == 2


def test_an_answer_is_the_callers_own(quiet: Callable[[], None], viewer: ViewerOf) -> None:
    with asking(viewer("rita")) as ask:
        frame = ask(companies)
        frame["company_name"] = "scribbled over"
        assert list(ask(companies)["company_name"]) == ["Rita's"]


def test_what_one_block_asks_is_read_at_one_moment(
    quiet: Callable[[], None], owner: Connection, viewer: ViewerOf
) -> None:
    with asking(viewer("rita")) as ask:
        assert list(ask(companies)["company_name"]) == ["Rita's"]
        owner.execute(text("update crm_organizers set company_name = 'Renamed'"))
        assert list(ask(companies, "R%")["company_name"]) == ["Rita's"]


def test_a_change_by_somebody_else_shows_within_two_seconds(owner: Connection, viewer: ViewerOf) -> None:
    rita = viewer("rita")
    names(rita)
    owner.execute(text("update crm_organizers set company_name = 'Renamed'"))
    deadline = time.monotonic() + 2
    while names(rita) != ["Renamed"]:
        assert time.monotonic() < deadline


def test_a_refused_question_is_not_remembered(quiet: Callable[[], None], viewer: ViewerOf) -> None:
    rita = viewer("rita")
    with pytest.raises(Invalid):
        names(replace(rita, time_zone="Mars/Phobos"))
    assert names(rita) == ["Rita's"]


def test_a_connection_that_breaks_under_the_first_question_is_replaced_once(
    quiet: Callable[[], None], superuser: psycopg.Connection[Any], viewer: ViewerOf
) -> None:
    def cut_off() -> None:
        superuser.execute(
            "select pg_terminate_backend(pid, 1000) from pg_stat_activity"
            " where datname = current_database() and usename = 'eventos_app' and xact_start is not null"
        )

    rita = viewer("rita")
    with asking(rita) as ask:
        ask._connection()
        cut_off()
        assert list(ask(companies)["company_name"]) == ["Rita's"]
    # Later answers would come from another moment than the first one: the page is told instead.
    with pytest.raises(ConnectionLost), asking(rita) as ask:
        ask(companies, "a")
        cut_off()
        ask(companies, "b")


def test_nobody_else_remembers_what_the_database_answered() -> None:
    """st.cache_data without the viewer in its key, and st.connection, show one person's rows to another."""
    ours = Path(app.__file__).parents[1]
    files = [file for package in ("app", "pages", "queries") for file in (ours / package).rglob("*.py")]
    assert files
    elsewhere = {
        f"{file.relative_to(ours)}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.alias)
        and (node.attr if isinstance(node, ast.Attribute) else node.name)
        in ("cache_data", "connection", "experimental_memo")
        and not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id != "st")
        and file.name != "cache.py"
    }
    assert elsewhere == set()
