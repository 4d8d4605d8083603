from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from app.components.quality import PROBLEM
from queries.quality import PROBLEMS
from tests.conftest import Given
from tests.pages.conftest import LOOKING, Open, errors

EVIL = "![x](http://evil.example/x) **b** :smile: $x$ <b>"


@pytest.fixture
def quality(opened: Open) -> Callable[..., AppTest]:
    """quality("rita", problem="overdue"): the page as she sees it."""
    return partial(opened, page="quality")


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", f"""
        id    | company_name | assigned_to
        acme  | Acme         | rita
        birch | {EVIL}       | ravi
    """)  # fmt: skip
    given(owner, "crm_contacts", "organizer_id | full_name | email\nacme | Ann | ann@a.example")
    given(owner, "crm_opportunities", f"""
        organizer_id | name   | stage_id | value | currency | assigned_to | expected_close_date
        acme         | Gala   | Proposal | 5     | JPY      | rita        | 2199-05-01
        birch        | {EVIL} | Lead     | 5     | CAD      | ravi        | 2020-01-01
    """)  # fmt: skip


def said(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.caption, app.markdown) for element in kind)


def problems(app: AppTest) -> dict[str, int]:
    if len(app.dataframe) == 0:
        return {}
    frame = app.dataframe[0].value
    return dict(zip(frame["title"], frame["rows"], strict=True))


@pytest.mark.parametrize("who", LOOKING)
def test_where_nothing_is_wrong_it_says_so(quality: Callable[..., AppTest], owner: Connection, who: str) -> None:
    app = quality(who)
    assert errors(app) == []
    assert [title.value for title in app.title] == ["Data quality"]
    assert "Nothing to put right" in said(app)
    assert f"{len(PROBLEMS)} kinds of problems were looked for" in said(app)


RITAS = {"Open opportunities without an exchange rate": 1, "Organizers without a decision maker": 1}
RAVIS = {"Open, expected to close before today": 1, "Organizers without a contact": 1}


@pytest.mark.parametrize(
    ("who", "seen"),
    [("rita", RITAS), ("ravi", RAVIS), ("olaf", {}), *((who, RITAS | RAVIS) for who in ("max", "eve", "ada"))],
)  # fmt: skip
def test_each_sees_what_is_wrong_with_their_own_rows(
    quality: Callable[..., AppTest], company: None, who: str, seen: dict[str, int]
) -> None:
    app = quality(who)
    assert errors(app) == []
    assert problems(app) == seen


def test_the_most_harmful_problem_is_open_with_its_remedy(quality: Callable[..., AppTest], company: None) -> None:
    app = quality("max")
    assert next(iter(problems(app))) == "Open opportunities without an exchange rate"
    assert [header.value for header in app.subheader][1] == "Open opportunities without an exchange rate"
    assert "**What ends it:** Enter an exchange rate for the currency" in said(app)
    assert "1\N{NO-BREAK SPACE}row of crm" in said(app).replace("\\", "").replace("\N{FIRST STRONG ISOLATE}", "")
    assert app.dataframe[1].value.to_dict("records") == [
        {"record": "Gala", "detail": "JPY 5.00", "organizer": "Acme", "owner": "Rita"}
    ]


def test_the_problem_in_the_address_is_shown(quality: Callable[..., AppTest], company: None) -> None:
    app = quality("ravi", **{PROBLEM: "overdue"})
    assert app.dataframe[1].value["record"].to_list() == [EVIL]
    assert EVIL not in said(app)
    app = quality("ravi", **{PROBLEM: "undated"})
    assert "None any more" in said(app)
    app = quality("ravi", **{PROBLEM: "no such problem"})
    assert errors(app) == []
    assert app.dataframe[1].value["record"].to_list() == [EVIL]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_can_be_opened(quality: Callable[..., AppTest], company: None, problem: str) -> None:
    app = quality("ada", **{PROBLEM: problem})
    assert errors(app) == []
    assert PROBLEMS[problem][0] in [header.value for header in app.subheader]  # type: ignore[index]
