"""A small company to ask questions about, and how to ask them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection

from queries.question import Question
from queries.scope import Period, Scope
from tests.conftest import Once
from tests.queries import history
from tests.tables import given, id_of

TODAY = date(2025, 11, 5)  # three days after Toronto put its clocks back

Ask = Callable[..., pd.DataFrame]


def scope_of(**chosen: Any) -> Scope:
    """The page as it opens, but for what is chosen: this quarter, today, everybody, in the report currency."""
    as_of = chosen.get("as_of", TODAY)
    defaults = {"today": TODAY, "as_of": as_of, "period": Period.of("quarter", as_of), "currency": "CAD"}
    return Scope(**{**defaults, "time_zone": history.ZONE, **chosen})


def owned_by(*names: str) -> tuple[Any, ...]:
    """The filter on these owners."""
    return tuple(id_of(name) for name in names)


@pytest.fixture
def company(owner: Connection, once: Once) -> Connection:
    """Three organizers and two rates, in 2024; the yen has none."""
    once("company", lambda: _company(owner))
    return owner


def _company(owner: Connection) -> None:
    history.stages_since(owner, date(2024, 1, 1))
    # Days are the organisation's, whoever looks.
    owner.exec_driver_sql("update public.crm_profiles set time_zone = 'Asia/Tokyo'")
    given(
        owner,
        "crm_organizers",
        """
        id    | company_name | industry   | company_size | status   | assigned_to
        acme  | Acme         | Festivals  | small        | active   | rita
        beta  | Beta         | Congresses | large        | active   | ravi
        gamma | Gamma        | Festivals  |              | archived | olaf
        """,
    )
    given(
        owner,
        "crm_exchange_rates",
        """
        currency | rate_date  | rate
        USD      | 2024-01-01 | 1.5
        EUR      | 2024-01-01 | 2
        """,
    )


@pytest.fixture
def ask(reading_as: Callable[..., AbstractContextManager[Connection]]) -> Ask:
    """ask("rita", pipeline.movement, start, end, owners=…): what the question answers her."""

    def ask(who: str, question: Question[Any], *arguments: Any, **chosen: Any) -> pd.DataFrame:
        with reading_as(who, TODAY) as db:
            return question(db, scope_of(**chosen), *arguments)

    return ask
