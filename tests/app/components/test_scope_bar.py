from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components.scope_bar import ADDRESS, NAMES, Offer, chosen
from app.viewer import Organisation, Viewer
from queries.pipeline import choices
from queries.scope import Scope
from tests.personas import PERSONAS

MANAGERS = {"max": "mona", "rita": "max", "ravi": "max"}
NAMED = {name: str(PERSONAS[name].id) for name in ("ada", "eve", "mona", "max", "rita", "ravi", "olaf")}
CHOICES = pd.DataFrame(
    [
        *(("owner", NAMED[name], name.title(), NAMED.get(MANAGERS.get(name, ""))) for name in NAMED),
        ("industry", "arts", "arts", None),
        ("industry", "health", "health", None),
        ("company_size", "small", "small", None),
        ("currency", "EUR", "EUR", None),
        ("currency", "USD", "USD", None),
    ],
    columns=list(choices.columns),
)
MONA = Viewer(
    id=PERSONAS["mona"].id,
    email="mona@example.com",
    full_name="Mona",
    role="manager",
    role_version="1",
    team=tuple(PERSONAS[name].id for name in ("mona", "max", "rita", "ravi")),
    time_zone="America/Toronto",
    organisation=Organisation("Northern Lights", "CAD", "America/Toronto", 1),
    today=date(2025, 11, 22),
)
ADA = replace(MONA, id=PERSONAS["ada"].id, role="admin", team=None)


def scope(parameters: Mapping[str, list[str]], viewer: Viewer = MONA) -> Scope:
    found = chosen(viewer, Offer.of(viewer, CHOICES), parameters)
    assert found.ignored == ()
    return found.scope


def test_nothing_chosen_is_this_quarter_today_everybody_in_the_report_currency() -> None:
    found = scope({})
    assert (found.period.start, found.period.end) == (date(2025, 10, 1), date(2026, 1, 1))
    assert found.as_of == found.today == date(2025, 11, 22)
    assert found.moment is None
    assert found.owners is None
    assert found.currency == "CAD"
    assert found.limited_to == MONA.team
    assert not found.closing_in_period


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("month", date(2025, 11, 1), date(2025, 12, 1)),
        ("last-month", date(2025, 10, 1), date(2025, 11, 1)),
        ("last-quarter", date(2025, 7, 1), date(2025, 10, 1)),
        ("next-quarter", date(2026, 1, 1), date(2026, 4, 1)),
        ("last-year", date(2024, 1, 1), date(2025, 1, 1)),
        ("2025-02-01_2025-02-28", date(2025, 2, 1), date(2025, 3, 1)),
    ],
)
def test_periods(period: str, start: date, end: date) -> None:
    found = scope({"period": [period]})
    assert (found.period.start, found.period.end) == (start, end)


def test_a_period_belongs_to_the_as_of_day_and_to_the_fiscal_year() -> None:
    assert scope({"as_of": ["2025-03-31"]}).period.label == "2025 Q1"
    viewer = replace(MONA, organisation=replace(MONA.organisation, fiscal_year_first_month=4))
    assert scope({"as_of": ["2025-03-31"]}, viewer).period.end == date(2025, 4, 1)


def test_a_team_is_its_manager_and_everybody_below() -> None:
    found = scope({"owner": [f"team-{NAMED['mona']}"]})
    assert found.owners is not None
    assert {str(person) for person in found.owners} == {NAMED[name] for name in ("mona", "max", "rita", "ravi")}


def test_a_viewer_is_offered_the_people_whose_rows_they_see() -> None:
    assert set(Offer.of(MONA, CHOICES).owners.values()) == {"Mona's team", "Max's team", "Mona", "Max", "Rita", "Ravi"}
    assert "Olaf" in Offer.of(ADA, CHOICES).owners.values()
    rita = replace(MONA, id=PERSONAS["rita"].id, role="rep", team=(PERSONAS["rita"].id,))
    assert set(Offer.of(rita, CHOICES).owners.values()) == {"Rita"}


def test_people_who_report_in_a_circle_are_a_team_once() -> None:
    circle = CHOICES.copy()
    circle.loc[circle["key"] == NAMED["mona"], "manager"] = NAMED["rita"]
    team = Offer.of(ADA, circle).teams[f"team-{NAMED['max']}"]
    assert len(team) == len(set(team)) == 4


def test_every_filter_is_said() -> None:
    parameters = {"owner": [NAMED["rita"]], "industry": ["arts"], "closing": ["period"], "currency": ["EUR"]}
    found = chosen(MONA, Offer.of(MONA, CHOICES), parameters)
    assert found.words == "2025 Q4 · Rita · arts · closing in the period · EUR"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"owner": [NAMED["olaf"]]}, "a person or team"),
        ({"owner": ["x' OR '1'='1"]}, "a person or team"),
        ({"currency": ["XXX"]}, "a currency"),
        ({"industry": ["mining"]}, "a filter on industry"),
        ({"period": ["decade"]}, "a period"),
        ({"period": ["2025-03-31_2025-03-01"]}, "a period"),
        ({"period": ["0001-01-01_9999-12-31"]}, "a period"),
        ({"as_of": ["2025-02-30"]}, "a date"),
        ({"as_of": ["infinity"]}, "a date"),
        ({"as_of": ["2099-01-01"]}, "a date"),
        ({"closing": ["maybe"]}, "a choice"),
    ],
)
def test_what_an_address_can_t_mean_is_left_out_with_a_notice(parameters: dict[str, list[str]], said: str) -> None:
    found = chosen(MONA, Offer.of(MONA, CHOICES), parameters)
    assert found.scope == scope({})
    assert len(found.ignored) == 1
    assert said in found.ignored[0]


def test_an_address_says_nothing_of_who_looks() -> None:
    assert scope({"user": ["ada"], "role": ["admin"], "limited_to": [""]}) == scope({})


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.text(max_size=30), max_size=3)))
def test_whatever_an_address_holds_there_is_a_scope(parameters: dict[str, list[str]]) -> None:
    found = chosen(MONA, Offer.of(MONA, CHOICES), parameters).scope
    assert found.period.start < found.period.end
    assert found.as_of <= MONA.today
    assert found.limited_to == MONA.team
    assert found.owners is None or set(found.owners) <= set(MONA.team or ())


def test_a_choice_is_written_as_an_address_in_one_order() -> None:
    assert ADDRESS.parsed("owner=a&currency=EUR&other=x&owner=b") == {"owner": ["a", "b"], "currency": ["EUR"]}
