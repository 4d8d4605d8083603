import io
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pypdfium2
import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from app.components import board_pack, findings
from app.components.findings import Finding
from app.components.overview import Overview
from tests import scored
from tests.conftest import Given
from tests.pages.conftest import LOOKING, Open, errors, metrics

EVIL = "![x](http://evil.example/x) **b** :smile: $x$ <b>"


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    """The company of the Health page, with something that needs somebody, and names that no page must believe."""
    today = scored.insert(owner)
    given(owner, "crm_targets", f"user_id | period_start | amount\nrita | {quarter(today)} | 2800.06")
    given(owner, "crm_opportunities", f"""
        organizer_id | name   | stage_id | value  | currency | assigned_to | expected_close_date
        acme         | {EVIL} | Proposal | 500.01 | CAD      | rita        | 2020-01-01
        acme         | Yen    | Proposal | 500    | JPY      | rita        | 2199-01-01
    """)  # fmt: skip
    given(owner, "crm_activities", """
        organizer_id | type | subject | user_id | is_task | task_status | due_date
        acme         | task | Late    | rita    | true    | pending     | 2020-01-01
    """)  # fmt: skip
    owner.exec_driver_sql(
        "update crm_organizers set company_name = %s where company_name = 'Acme Conferences'", (EVIL,)
    )


def quarter(today: object) -> str:
    year, month = str(today)[:4], int(str(today)[5:7])
    return f"{year}-{(month - 1) // 3 * 3 + 1:02}-01"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Finding]]:
    """The lists that were drawn, by their keys: what a component of the browser was given can't be read elsewhere."""
    lists: dict[str, list[Finding]] = {}
    draw = findings.draw

    def watched(rows: list[Finding], key: str) -> None:
        lists[key] = list(rows)
        draw(rows, key)

    monkeypatch.setattr(findings, "draw", watched)
    return lists


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[Overview]:
    """What the page offers as a PDF."""
    from app.components import overview

    pages: list[Overview] = []
    draw = overview.draw
    monkeypatch.setattr(overview, "draw", lambda page, *more: (pages.append(page), draw(page, *more)))
    return pages


@pytest.fixture
def overview(opened: Open) -> Callable[..., AppTest]:
    """overview("rita"): the page as she sees it."""
    return partial(opened, page="overview")


def said(app: AppTest) -> str:
    text = "\n".join(element.value for kind in (app.caption, app.markdown) for element in kind)
    return re.sub(r"[\\\u2068\u2069\u2060]", "", text)


def needs(drawn: dict[str, list[Finding]]) -> dict[str, str]:
    return {row.title: row.number for row in drawn["needs"]}


@pytest.mark.parametrize("who", LOOKING)
def test_an_empty_company_looks_intended(
    overview: Callable[..., AppTest], owner: Connection, drawn: dict[str, list[Finding]], who: str
) -> None:
    app = overview(who)
    assert errors(app) == []
    assert [title.value for title in app.title] == ["Overview"]
    assert metrics(app) == {
        "Won": "CA$0", "Expected revenue": "CA$0", "Win rate": "–", "Median health": "–", "Revenue at risk": "–",
        "Activities": "0",
    }  # fmt: skip
    assert set(needs(drawn).values()) == {"0"}
    assert "What is won and what may come will stand here" in said(app)
    assert "Nothing was won" in said(app)
    assert "No health score fell" in said(app)


@pytest.mark.parametrize(
    ("who", "won", "expected", "risky", "tasks"),
    [
        ("rita", "CA$1.40K", "CA$250", "2", "1"),
        ("ravi", "CA$800", "CA$5", "0", "0"),
        ("olaf", "CA$0", "CA$0", "0", "0"),
        ("max", "CA$2.20K", "CA$255", "2", "1"),
        ("eve", "CA$2.20K", "CA$255", "2", "1"),
        ("ada", "CA$2.20K", "CA$255", "2", "1"),
    ],
)
def test_each_sees_the_numbers_of_their_own_rows(
    overview: Callable[..., AppTest], company: None, drawn: dict[str, list[Finding]],
    who: str, won: str, expected: str, risky: str, tasks: str,
) -> None:  # fmt: skip
    app = overview(who)
    assert errors(app) == []
    assert (metrics(app)["Won"], metrics(app)["Expected revenue"]) == (won, expected)
    assert needs(drawn)["Accounts at ■ high risk"] == risky
    assert needs(drawn)["Overdue tasks"] == tasks


@pytest.mark.parametrize(
    ("number", "page"),
    [
        ("Won", "pipeline"),
        ("Expected revenue", "pipeline"),
        ("Win rate", "pipeline"),
        ("Won", "forecast"),
        ("Median health", "health"),
        ("Revenue at risk", "health"),
        ("Activities", "engagement"),
    ],
)
def test_every_number_is_that_of_its_own_page(
    overview: Callable[..., AppTest], opened: Open, company: None, number: str, page: str
) -> None:
    here = metrics(overview("max"))
    there = metrics(opened("max", page))
    assert here[number] == there[number]


def test_it_says_whether_we_are_on_track(overview: Callable[..., AppTest], company: None) -> None:
    app = overview("rita")
    assert app.metric[0].delta_description == "50\N{NO-BREAK SPACE}% of target"  # type: ignore[attr-defined]
    assert "CA$1.40K of CA$2.80K won in" in said(app)
    assert "Chance to reach the target:" in said(app)
    assert "No target is set" in said(overview("ravi"))


def test_what_needs_somebody_leads_to_its_page_with_the_same_scope(
    overview: Callable[..., AppTest], company: None, drawn: dict[str, list[Finding]]
) -> None:
    app = overview("max", industry="arts", currency="CAD")
    assert errors(app) == []
    assert [row.page for row in drawn["needs"]] == ["forecast", "pipeline", "engagement", "health", "engagement"]
    assert all("industry=arts" in row.address for row in drawn["needs"])
    assert drawn["needs"][0].number == "1"
    assert drawn["needs"][0].detail.startswith("CA$500 expected")
    assert drawn["needs"][3].detail == "CA$840 at risk"


def test_what_changed_leads_to_the_organizer(
    overview: Callable[..., AppTest], company: None, drawn: dict[str, list[Finding]]
) -> None:
    app = overview("max")
    won = drawn["changed.Won"]
    assert [(row.title, row.number) for row in won] == [("Gala", "CA$1.00K"), ("Expo", "CA$800"), ("Summit", "CA$400")]
    assert won[0].detail == f"{EVIL} · Rita"
    assert all(row.address.startswith("/organizer?id=") for row in won)
    assert EVIL not in said(app)


def test_the_fall_of_health_in_the_week(
    overview: Callable[..., AppTest], company: None, owner: Connection, drawn: dict[str, list[Finding]]
) -> None:
    owner.exec_driver_sql("update crm_organizer_scores set scored_on = scored_on + 20 where scored_on < app.today()")
    app = overview("max")
    assert errors(app) == []
    (row,) = drawn["changed.Health fell"]
    assert (row.title, row.number, row.detail) == (EVIL, "55 → 30", "Rita · ▲ medium → ■ high")


def test_a_past_day_and_a_filter_that_leaves_nothing(overview: Callable[..., AppTest], company: None) -> None:
    app = overview("max", as_of="2020-02-01")
    assert errors(app) == []
    assert metrics(app)["Won"] == "CA$0"
    app = overview("max", industry="health", owner=["nobody I know"])
    assert errors(app) == []


@pytest.mark.parametrize("view", ["Table", "SQL"])
def test_behind_the_picture_stand_its_table_and_its_sql(
    overview: Callable[..., AppTest], company: None, view: str
) -> None:
    app = overview("max")
    app.segmented_control(key="track.view").set_value(view).run()
    assert errors(app) == []
    if view == "Table":
        assert sum(map(Decimal, map(str, app.dataframe[0].value["won"]))) == Decimal("2200.03")


@pytest.mark.parametrize("who", ["rita", "max", "eve"])
def test_the_pdf_has_the_numbers_of_the_page(
    overview: Callable[..., AppTest], company: None, packed: list[Overview], drawn: dict[str, list[Finding]], who: str
) -> None:
    app = overview(who)
    document = pypdfium2.PdfDocument(io.BytesIO(board_pack.pdf(packed[-1])))
    assert len(document) == 1
    text = document[0].get_textpage().get_text_range()
    document.close()
    plain = " ".join(text.split())
    for metric in app.metric:
        assert metric.label in plain
        assert metric.value.replace("\N{NO-BREAK SPACE}", " ") in plain.replace("\N{NO-BREAK SPACE}", " ")
    for row in (row for rows in drawn.values() for row in rows):
        assert row.number.replace("\N{NO-BREAK SPACE}", " ") in plain.replace("\N{NO-BREAK SPACE}", " ")
    assert {"rita": "What Rita may see", "max": "What Max may see", "eve": "The whole company"}[who] in plain
    assert packed[-1].as_of in plain
    assert packed[-1].filters in plain
    assert "Chance to reach the target" in plain
