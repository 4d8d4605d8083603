from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from app.cache import asking
from app.components import forecast as pieces
from app.components import roll_up
from app.components.review import Reading
from app.components.scope_bar import Offer, chosen
from app.errors import Invalid
from app.viewer import Viewer
from queries import forecast
from queries.pipeline import choices
from queries.scope import Period
from tests.conftest import Given
from tests.pages.conftest import LOOKING, Open, errors, metrics, said
from tests.personas import PERSONAS

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def today(owner: Connection) -> date:
    """The organisation's."""
    found = owner.exec_driver_sql("select app.today()").scalar_one()
    assert isinstance(found, date)
    return found


@pytest.fixture
def company(owner: Connection, given: Given, today: date) -> None:
    """Three people's opportunities of this quarter and of none, in two currencies, one without a rate; two targets."""
    last = Period.of("quarter", today).end - timedelta(days=1)
    given(owner, "crm_organizers", """
        id   | company_name     | industry | assigned_to
        acme | Acme Conferences | arts     | rita
        fest | Birch Festivals  | health   | ravi
    """)  # fmt: skip
    given(owner, "crm_exchange_rates", """
        currency | rate_date  | rate
        USD      | 2020-01-01 | 1.5
    """)  # fmt: skip
    given(owner, "crm_opportunities", f"""
        organizer_id | name   | stage_id    | value | currency | assigned_to | probability | expected_close_date
        acme         | Gala   | Proposal    | 1000  | CAD      | rita        | 80          | {last}
        acme         | Summit | Lead        | 400   | USD      | rita        | 50          | {last}
        fest         | Expo   | Negotiation | 800   | CAD      | ravi        | 30          | {last}
        fest         | Fair   | Lead        | 50    | XOF      | ravi        | 50          | {last}
        fest         | Late   | Lead        | 90    | CAD      | ravi        | 50          | 2020-01-01
        fest         | Quiet  | Lead        | 9     | CAD      | olaf        | 50          | null
    """)  # fmt: skip
    owner.exec_driver_sql(
        "insert into crm_opportunities (organizer_id, name, stage_id, value, assigned_to, actual_close_date)"
        " select o.id, 'Retro', s.id, 700, %s, %s from crm_organizers o, crm_pipeline_stages s"
        " where o.company_name = 'Birch Festivals' and s.name = 'Won'",
        (PERSONAS["ravi"].id, today),
    )


@pytest.fixture
def targets(owner: Connection, today: date) -> None:
    """2,000 for Rita and 1,500 for Ravi this quarter."""
    quarter = Period.of("quarter", today)
    for who, amount in (("rita", 2000), ("ravi", 1500)):
        owner.exec_driver_sql(
            "insert into crm_targets (user_id, period_start, amount) values (%s, %s, %s)",
            (PERSONAS[who].id, quarter.start, amount),
        )


def opened_forecast(opened: Open, who: str, **parameters: Any) -> AppTest:
    app = opened(who, page="forecast", **parameters)
    assert errors(app) == []
    return app


def team(app: AppTest) -> pd.DataFrame:
    """The table by team and owner, by its first column."""
    frame: pd.DataFrame = next(table.value for table in app.dataframe if "who" in table.value)
    return frame.assign(who=frame["who"].str.strip()).set_index("who")


# Who looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", LOOKING)
def test_everybody_with_a_role_sees_the_whole_page(opened: Open, company: None, targets: None, who: str) -> None:
    app = opened_forecast(opened, who)
    assert [title.value for title in app.title] == ["Forecast"]
    assert list(metrics(app)) == ["Won", "Weighted", "Likely", "Chance of target", "Coverage"]
    assert len(app.get("plotly_chart")) >= 2


@pytest.mark.parametrize("who", LOOKING)
def test_an_empty_company_looks_intended(opened: Open, who: str) -> None:
    app = opened_forecast(opened, who)
    assert "What is won and what may come will stand here" in said(app)
    assert metrics(app)["Won"] == "CA$0"
    assert metrics(app)["Chance of target"] == "–"


def test_one_opportunity_with_nothing_optional_is_enough(opened: Open, owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        organizer_id | name | stage_id | value | assigned_to
        acme         | Gala | Lead     | 0     | rita
    """)  # fmt: skip
    app = opened_forecast(opened, "rita")
    assert metrics(app)["Weighted"] == "CA$0"
    assert "Without a close date" in next(chart.proto.alt for chart in app.get("plotly_chart"))


# What it says -------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_questions(opened: Open, company: None, targets: None) -> None:
    app = opened_forecast(opened, "max")
    # 700 won of 3,500; weighted 700 + 1000 × 80 % + 400 × 1.5 × 50 % + 800 × 30 %: overdue, undated and XOF are apart.
    assert metrics(app)["Won"] == "CA$700"
    assert metrics(app)["Weighted"] == "CA$2.04K"
    # 2,400 open for the 2,800 that the target lacks.
    assert metrics(app)["Coverage"] == "0.9×"
    assert "has no exchange rate to CAD" in said(app)
    words = next(chart.proto.alt for chart in app.get("plotly_chart"))
    assert "CA$2.04K weighted · target CA$3.50K" in words
    assert "Overdue: won –, CA$45 weighted · 1 open" in words


def test_without_a_target_the_page_says_so(opened: Open, company: None) -> None:
    app = opened_forecast(opened, "max")
    assert metrics(app)["Chance of target"] == "–"
    assert metrics(app)["Coverage"] == "–"
    assert team(app)["attainment"].isna().all()


def test_without_a_calibration_run_the_page_says_so(opened: Open, company: None) -> None:
    words = said(opened_forecast(opened, "max"))
    assert "Nothing is calibrated yet" in words
    assert "stage rates as set" in words


def test_each_sees_their_own_rows(opened: Open, company: None, targets: None) -> None:
    assert metrics(opened_forecast(opened, "rita"))["Won"] == "CA$0"
    assert metrics(opened_forecast(opened, "ravi"))["Won"] == "CA$700"
    assert "Ravi" not in team(opened_forecast(opened, "rita")).index


def test_filters_and_currency_come_from_the_address(opened: Open, company: None, targets: None) -> None:
    app = opened_forecast(opened, "max", owner=str(PERSONAS["rita"].id), currency="USD")
    # (1000 × 80 %) / 1.5 + 400 × 50 %
    assert metrics(app)["Weighted"] == "US$733"
    app = opened_forecast(opened, "max", industry="health")
    assert metrics(app)["Won"] == "CA$700"


def test_a_filter_that_leaves_nothing_is_named_and_cleared(opened: Open, company: None) -> None:
    app = opened_forecast(opened, "rita", period="2031-01-01_2031-01-31", industry="arts")
    assert "Nothing matches the filters" in said(app)
    app.button(key="against-target.clear").click().run()
    assert metrics(app)["Weighted"] == "CA$1.10K"


def test_the_switch_of_other_pages_changes_nothing_here(opened: Open, company: None) -> None:
    app = opened_forecast(opened, "max", closing="period")
    assert not [control for control in app.segmented_control if control.key == "scope.closing"]
    assert "Overdue" in next(chart.proto.alt for chart in app.get("plotly_chart"))


def test_a_past_day_shows_the_company_as_it_was(opened: Open, company: None) -> None:
    app = opened_forecast(opened, "max", as_of="2020-02-01")
    assert "as it was at the end of 1 Feb 2020" in said(app)
    assert metrics(app)["Won"] == "CA$0"
    assert not [button for button in app.button if button.key == "own-number.open"]


@pytest.mark.parametrize("period", ["month", "year", "last-quarter", "next-quarter", "2020-01-01_2022-12-31"])
def test_every_period_has_its_picture(opened: Open, company: None, targets: None, period: str) -> None:
    opened_forecast(opened, "max", period=period)


@pytest.mark.parametrize("view", ["Table", "SQL"])
@pytest.mark.parametrize("picture", ["against-target", "distribution", "contributions"])
def test_behind_each_picture_stand_its_table_and_its_sql(opened: Open, company: None, view: str, picture: str) -> None:
    app = opened_forecast(opened, "max")
    pictures = len(app.get("plotly_chart"))
    app.segmented_control(key=f"{picture}.view").set_value(view).run()
    assert errors(app) == []
    assert len(app.get("plotly_chart")) == pictures - 1


# By team and owner --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", ["CAD", "USD"])
def test_each_team_s_row_is_the_sum_of_the_rows_below(
    opened: Open, company: None, targets: None, currency: str
) -> None:
    frame: pd.DataFrame = next(
        table.value for table in opened_forecast(opened, "mona", currency=currency).dataframe if "who" in table.value
    )
    depth = frame["who"].str.len() - frame["who"].str.lstrip().str.len()
    for column in ("won", "weighted", "commit", "best_case", "pipeline"):
        for place, (level, amount) in enumerate(zip(depth, frame[column], strict=True)):
            below = []
            for row in range(place + 1, len(frame)):
                if depth[row] <= level:
                    break
                if depth[row] == level + 1:
                    below.append(frame[column][row])
            assert not below or sum(below) == pytest.approx(amount)


def test_the_table_says_attainment_and_coverage(opened: Open, company: None, targets: None) -> None:
    rows = team(opened_forecast(opened, "max"))
    assert rows.loc["Ravi", "won"] == 700
    assert rows.loc["Ravi", "attainment"] == pytest.approx(100 * 700 / 1500)
    assert rows.loc["Ravi", "coverage"] == pytest.approx(800 / 800)
    assert rows.loc["Max’s team", "target"] == 3500


@pytest.mark.parametrize("currency", ["CAD", "USD"])
def test_the_records_behind_an_amount_add_up_to_it_at_every_level(
    company: None, viewer: Callable[..., Viewer], currency: str
) -> None:
    mona = viewer("mona")
    with asking(mona) as ask:
        offer = Offer.of(mona, ask(choices))
        read = Reading(ask, mona, offer, pd.DataFrame(), chosen(mona, offer, {"currency": [currency]}))
        found, rows = roll_up.lines(read(forecast.roll_up).frame)
        whole = pieces.behind_bar(read, "pipeline").frame["value"].sum()
        months = [pieces.behind_bar(read, "pipeline", part.key) for part in pieces.parts(read.scope.period)]
        assert sum(answer.frame["value"].sum() for answer in months) == whole > 0
        for line, row in zip(found, rows.to_dict("records"), strict=True):
            whose = "team" if line.is_team else "own"
            for bar, amount in (("won", "value"), ("commit", "value"), ("weighted", "expected_revenue")):
                behind = roll_up.behind_sum(read, bar, whose, line.key)
                assert behind.frame[amount].sum() == row[bar], (line, bar)


# A number of one's own ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "may"), [("rita", False), ("max", True), ("eve", False), ("ada", True)])
def test_managers_and_admins_name_numbers(opened: Open, company: None, who: str, may: bool) -> None:
    app = opened_forecast(opened, who)
    assert bool([button for button in app.button if button.key == "own-number.open"]) == may


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("1,250,000", "1250000"), (" 1 250 000.50 ", "1250000.50"), ("0", "0"), ("1’000", "1000"), ("12e3", "12E+3")],
)
def test_an_amount_is_read_as_people_write_it(typed: str, amount: str) -> None:
    assert roll_up.amount_of(typed) == Decimal(amount)


@pytest.mark.parametrize("typed", ["", "a lot", "-5", "NaN", "Infinity", "1.2.3"])
def test_what_is_no_amount_is_refused_in_words(typed: str) -> None:
    with pytest.raises(Invalid, match="number"):
        roll_up.amount_of(typed)


# What if ------------------------------------------------------------------------------------------------------


def shown_chance(app: AppTest) -> str:
    return next(caption.value for caption in app.caption if caption.value.startswith("As it is:"))


def test_what_is_tried_changes_the_forecast_and_nothing_else(
    opened: Open, company: None, targets: None, owner: Connection
) -> None:
    app = opened_forecast(opened, "max")
    gala = owner.exec_driver_sql("select id::text from crm_opportunities where name = 'Gala'").scalar_one()
    before = metrics(app)
    app.selectbox(key="what-if.pick").set_value(gala).run()
    assert errors(app) == []
    assert "This is a what-if: nothing is saved" in [info.value for info in app.info]
    app.number_input(key=f"what-if.{gala}.probability").set_value(100).run()
    surer = shown_chance(app)
    app.toggle(key=f"what-if.{gala}.in").set_value(False).run()
    without = shown_chance(app)
    assert errors(app) == []
    assert surer.split("What if")[0] == without.split("What if")[0]
    assert surer != without
    assert metrics(app) == before
    probability = owner.exec_driver_sql("select probability from crm_opportunities where name = 'Gala'").scalar_one()
    assert probability == 80
    app.button(key="what-if.reset").click().run()
    assert not [info for info in app.info if "what-if" in info.value]


def test_what_is_tried_survives_what_others_change(
    opened: Open, company: None, targets: None, owner: Connection
) -> None:
    app = opened_forecast(opened, "max")
    gala = owner.exec_driver_sql("select id::text from crm_opportunities where name = 'Gala'").scalar_one()
    app.selectbox(key="what-if.pick").set_value(gala).run()
    app.date_input(key=f"what-if.{gala}.close").set_value(date(2199, 1, 1)).run()
    owner.exec_driver_sql("update crm_opportunities set value = 5000 where name = 'Gala'")
    app.run()
    assert app.date_input(key=f"what-if.{gala}.close").value == date(2199, 1, 1)
    owner.exec_driver_sql(
        "update crm_opportunities set stage_id = (select id from crm_pipeline_stages where name = 'Lost')"
        " where name = 'Gala'"
    )
    for _ in range(100):  # the notice travels through the database
        if "it changes nothing" in said(app.run()):
            break
    assert errors(app) == []
    assert "it changes nothing" in said(app)


# Looking back -------------------------------------------------------------------------------------------------


def test_looking_back_at_nothing_says_that_it_is_too_early(opened: Open, company: None) -> None:
    app = opened_forecast(opened, "max")
    app.session_state["look-back.open"] = True
    app.run()
    assert errors(app) == []
    assert "Too early to judge" in said(app)


# What a period consists of ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "keys"),
    [
        (Period.of("quarter", date(2026, 11, 5)), ["2026-10-01", "2026-11-01", "2026-12-01"]),
        (Period.of("month", date(2026, 11, 5)), []),
        (Period.of("year", date(2026, 11, 5), 4), ["2026-04-01", "2026-07-01", "2026-10-01", "2027-01-01"]),
        (Period(date(2026, 1, 15), date(2026, 2, 3), "any days"), ["2026-01-01", "2026-02-01"]),
    ],
)
def test_a_period_is_shown_by_month_and_a_long_one_by_quarter(period: Period, keys: list[str]) -> None:
    parts = pieces.parts(period)
    assert [part.key for part in parts] == keys
    assert len({month for part in parts for month in part.months}) == sum(len(part.months) for part in parts)
