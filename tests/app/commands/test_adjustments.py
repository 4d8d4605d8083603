from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.commands import adjustments
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.viewer import Viewer
from queries import forecast
from tests.personas import PERSONAS
from tests.queries.conftest import scope_of
from tests.tables import id_of

Reading = Callable[..., AbstractContextManager[Connection]]
ViewerOf = Callable[..., Viewer]
Q4 = {"period_start": date(2025, 10, 1), "period_end": date(2026, 1, 1)}
TODAY = date(2025, 11, 5)


def adjust(by: Viewer, about: str = "rita", **changed: Any) -> None:
    values = {"amount": 1000, "currency": "CAD", "reason": "Two large ones are as good as signed", **Q4, **changed}
    adjustments.adjust(by=by, owner=PERSONAS[about].id, **values)


def seen(reading_as: Reading, who: str) -> list[tuple[str, Decimal, str]]:
    with reading_as(who) as db:
        frame = forecast.adjustments(db, scope_of())
    return list(zip(frame["owner"], frame["own_amount"], frame["is_newest"], strict=True))


def first(reading_as: Reading, who: str) -> tuple[UUID, int]:
    with reading_as(who) as db:
        row = forecast.adjustments(db, scope_of()).iloc[0]
    return UUID(row["adjustment_id"]), int(row["version"])


def test_a_manager_names_numbers_for_the_team(owner: Connection, viewer: ViewerOf, reading_as: Reading) -> None:
    adjust(viewer("max"), amount=Decimal("1000.005"))
    adjust(viewer("max"), "max", amount="2500.5")
    adjust(viewer("max"), amount=1200.0)
    assert seen(reading_as, "max") == [("Rita", 1200, "yes"), ("Max", Decimal("2500.5"), "yes"), ("Rita", 1000, "no")]
    assert seen(reading_as, "mona") == seen(reading_as, "eve") == seen(reading_as, "ada") == seen(reading_as, "max")
    assert seen(reading_as, "rita") == seen(reading_as, "olaf") == []
    told = owner.exec_driver_sql("select actor, reason from crm_audit where table_name = 'crm_forecast_adjustments'")
    assert set(map(tuple, told)) == {(id_of("max"), "Two large ones are as good as signed")}


@pytest.mark.parametrize(
    ("who", "about", "sentence"),
    [
        ("rita", "rita", "Your role does not name numbers"),
        ("eve", "rita", "Your role does not name numbers"),
        ("max", "olaf", "not in your team"),
        ("max", "mona", "not in your team"),
    ],
)
def test_who_may_not(owner: Connection, viewer: ViewerOf, who: str, about: str, sentence: str) -> None:
    with pytest.raises(NotAllowed, match=sentence):
        adjust(viewer(who), about)


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"period_end": date(2025, 10, 1)}, "period_end", "no days"),
        ({"period_end": date(2025, 9, 1)}, "period_end", "no days"),
        ({"amount": float("nan")}, "amount", "nan is not an amount"),
        ({"amount": float("inf")}, "amount", "inf is not an amount"),
        ({"amount": "a lot"}, "amount", "a lot is not an amount"),
        ({"amount": -1}, "amount", "not negative"),
        ({"amount": 1e30}, "amount", "too large"),
        ({"reason": "  "}, "reason", "Say why"),
        ({"reason": ""}, "reason", "Say why"),
        ({"reason": "x" * 2001}, "reason", "not allowed"),
        ({"currency": "banana"}, "currency", "not allowed"),
        ({"period_end": date(9999, 1, 1)}, "period_end", "not allowed"),
    ],
)
def test_bad_input_is_refused_in_words(
    owner: Connection, viewer: ViewerOf, reading_as: Reading, wrong: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        adjust(viewer("max"), **wrong)
    assert refused.value.field == field
    assert seen(reading_as, "max") == []


def test_taking_back(owner: Connection, viewer: ViewerOf, reading_as: Reading) -> None:
    adjust(viewer("max"), amount=900)
    adjust(viewer("max"), amount=1000)
    number, version = first(reading_as, "max")
    with pytest.raises(NotAllowed, match="Somebody else named"):
        adjustments.withdraw(by=viewer("mona"), adjustment_id=number, version=version)
    adjustments.withdraw(by=viewer("max"), adjustment_id=number, version=version)
    assert seen(reading_as, "max") == [("Rita", 900, "yes")]
    with pytest.raises(Conflict):
        adjustments.withdraw(by=viewer("max"), adjustment_id=number, version=version)
    with pytest.raises(NotFound):
        adjustments.withdraw(by=viewer("max"), adjustment_id=id_of("nothing"), version=1)
    assert owner.exec_driver_sql("select count(*) from crm_forecast_adjustments").scalar_one() == 2
    number, version = first(reading_as, "ada")
    adjustments.withdraw(by=viewer("ada"), adjustment_id=number, version=version)
    assert seen(reading_as, "max") == []
