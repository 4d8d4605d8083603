"""What stands behind the Health page's pictures adds up to them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date

import pytest
from sqlalchemy import Connection

from queries import health
from queries.scope import Scope
from tests import scored
from tests.queries.conftest import scope_of
from tests.tables import id_of

Reading = Callable[..., AbstractContextManager[Connection]]


@pytest.fixture
def scope(owner: Connection) -> Scope:
    today = scored.insert(owner)
    return scope_of(today=today, as_of=today)


@pytest.mark.parametrize(("who", "word", "total"), [("max", "acme", "1400.03"), ("ravi", "birch", "800.00")])
def test_the_wins_of_an_organizer_add_up_to_its_value(
    reading_as: Reading, scope: Scope, who: str, word: str, total: str
) -> None:
    with reading_as(who) as db:
        won = health.wins(db, scope, id_of(word))
        value = health.organizer(db, scope, id_of(word))["value"].item()
    assert str(won["value"].sum()) == str(value) == total


def test_nobody_sees_the_wins_of_another_s_organizer(reading_as: Reading, scope: Scope) -> None:
    with reading_as("ravi") as db:
        assert health.wins(db, scope, id_of("acme")).empty


def test_the_newcomers_of_a_quarter_are_those_of_its_cell(reading_as: Reading, scope: Scope) -> None:
    with reading_as("eve") as db:
        cells = health.retention(db, scope)
        assert len(cells) > 1
        for cell in cells.itertuples():
            began: date = cell.cohort.date()
            newcomers = health.cohort(db, scope, began, int(cell.quarters))
            assert len(newcomers) == newcomers["total"].iloc[0] == cell.organizers
            assert newcomers["kept"].sum() == cell.kept


@pytest.mark.parametrize(("who", "number"), [("rita", 0), ("ravi", 1), ("eve", 1)])
def test_days_on_which_organizers_churned(reading_as: Reading, scope: Scope, who: str, number: int) -> None:
    with reading_as(who) as db:
        assert health.churned_days(db, scope)["organizers"].sum() == number


def test_the_trend_ends_at_the_headline(reading_as: Reading, scope: Scope) -> None:
    with reading_as("eve") as db:
        now = health.headline(db, scope).set_index("which").loc["current"]
        last = health.headline_trend(db, scope).iloc[-1]
    assert (last["median_health"], last["high_risk"]) == (now["median_health"], now["high_risk"]) == (30, 2)
