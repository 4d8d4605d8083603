from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from app.cache import asking
from app.components.review import Reading
from app.components.scope_bar import Offer, chosen
from app.viewer import Viewer
from queries import pipeline
from tests.conftest import Given
from tests.pages.conftest import LOOKING, Open, errors, metrics, said
from tests.personas import PERSONAS


@pytest.fixture
def company(owner: Connection, given: Given) -> None:
    """Two accounts, five open opportunities of three people in two currencies, one of them without a rate."""
    given(owner, "crm_organizers", """
        id    | company_name     | industry | assigned_to
        acme  | Acme Conferences | arts     | rita
        birch | Birch Festivals  | health   | ravi
    """)  # fmt: skip
    given(owner, "crm_exchange_rates", """
        currency | rate_date  | rate
        USD      | 2020-01-01 | 1.5
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id     | organizer_id | name       | stage_id    | value | currency | assigned_to | expected_close_date
        gala   | acme         | Gala       | Proposal    | 1000  | CAD      | rita        | 2020-05-01
        summit | acme         | Summit     | Lead        | 400   | USD      | rita        | null
        expo   | birch        | Expo       | Negotiation | 800   | CAD      | ravi        | 2199-01-01
        fair   | birch        | Fair       | Lead        | 50    | XOF      | ravi        | 2199-01-01
        retro  | birch        | Retro      | Won         | 70    | CAD      | ravi        | 2020-01-01
        quiet  | birch        | Quiet      | Lead        | 9     | CAD      | olaf        | null
    """)  # fmt: skip


def names(app: AppTest) -> set[str]:
    return set(app.dataframe[0].value["name"]) if len(app.dataframe) else set()


@pytest.mark.parametrize("who", LOOKING)
def test_everybody_with_a_role_sees_the_whole_page(opened: Open, company: None, who: str) -> None:
    app = opened(who)
    assert errors(app) == []
    assert [title.value for title in app.title] == ["Pipeline"]
    assert len(app.metric) == 6
    assert len(app.get("plotly_chart")) >= 2


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("rita", {"Gala", "Summit"}),
        ("ravi", {"Expo", "Fair", "Quiet"}),
        ("olaf", {"Quiet"}),
        ("max", {"Gala", "Summit", "Expo", "Fair", "Quiet"}),
        ("eve", {"Gala", "Summit", "Expo", "Fair", "Quiet"}),
    ],
)
def test_each_sees_their_own_rows(opened: Open, company: None, who: str, seen: set[str]) -> None:
    assert names(opened(who)) == seen


@pytest.mark.parametrize("who", LOOKING)
def test_an_empty_company_looks_intended(opened: Open, who: str) -> None:
    app = opened(who)
    assert errors(app) == []
    assert "Open opportunities will stand here" in said(app)
    assert metrics(app)["Win rate"] == "–"
    assert metrics(app)["Open value"] == "CA$0"


def test_one_opportunity_with_nothing_optional_is_enough(opened: Open, owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        organizer_id | name | stage_id | value | assigned_to
        acme         | Gala | Lead     | 0     | rita
    """)  # fmt: skip
    app = opened("rita")
    assert errors(app) == []
    assert names(app) == {"Gala"}


def test_the_numbers_are_those_of_the_questions(opened: Open, company: None) -> None:
    app = opened("max")
    # 1000 + 400 × 1.5 + 800 + 9; the opportunity in XOF has no rate and is named, not added.
    assert metrics(app)["Open value"] == "CA$2.41K"
    assert "1\N{NO-BREAK SPACE}open opportunity has no exchange rate to CAD" in said(app)
    table = app.dataframe[0].value
    assert table["value"].sum() == pytest.approx(2409)
    assert f"CA${Decimal(2409):,.2f} value" in said(app)


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        ("All open", {"Gala", "Summit", "Expo", "Fair", "Quiet"}),
        ("No next step", {"Gala", "Summit", "Expo", "Fair", "Quiet"}),
        ("Overdue", {"Gala"}),
        ("Without a rate", {"Fair"}),
    ],
)
def test_lists_of_what_needs_somebody(opened: Open, company: None, chosen: str, seen: set[str]) -> None:
    app = opened("max")
    app.segmented_control(key="list").set_value(chosen).run()
    assert errors(app) == []
    assert names(app) == seen


def test_a_list_is_searched_in_every_column_that_names_something(opened: Open, company: None) -> None:
    app = opened("max")
    app.text_input(key="list.search").set_value("BIRCH lead").run()
    assert names(app) == {"Fair", "Quiet"}
    app.text_input(key="list.search").set_value("%").run()
    assert names(app) == set()


def test_filters_come_from_the_address(opened: Open, company: None) -> None:
    app = opened("max", owner=str(PERSONAS["rita"].id), currency="USD")
    assert names(app) == {"Gala", "Summit"}
    assert metrics(app)["Open value"] == "US$1.07K"
    assert errors(app) == []


def test_a_filter_that_leaves_nothing_is_named_and_cleared(opened: Open, company: None) -> None:
    app = opened("rita", company_size="small", industry="arts")
    assert "company size" in said(app)  # nobody's size is small: unknown here
    app = opened("rita", closing="period", period="2031-01-01_2031-01-31")
    assert "Nothing matches the filters" in said(app)
    app.button(key="by-stage.clear").click().run()
    assert names(app) == {"Gala", "Summit"}


def test_an_address_can_not_widen_what_one_sees(opened: Open, company: None) -> None:
    app = opened("rita", user="ada", role="admin", owner=str(PERSONAS["ravi"].id))
    assert names(app) == {"Gala", "Summit"}
    assert "that you don't have here" in said(app).replace("\\", "")


def test_a_past_day_shows_the_company_as_it_was(opened: Open, company: None) -> None:
    app = opened("max", as_of="2020-02-01")
    assert errors(app) == []
    assert "as it was at the end of 1 Feb 2020" in said(app)
    assert metrics(app)["Open value"] == "CA$0"


@pytest.mark.parametrize("view", ["Table", "SQL"])
def test_behind_each_picture_stand_its_table_and_its_sql(opened: Open, company: None, view: str) -> None:
    app = opened("max")
    pictures = len(app.get("plotly_chart"))
    app.segmented_control(key="by-stage.view").set_value(view).run()
    assert errors(app) == []
    assert len(app.get("plotly_chart")) == pictures - 1
    if view == "Table":
        assert app.dataframe[0].value["value"].sum() == pytest.approx(2409)
    else:
        assert "open_opportunities" in app.code[0].value


def test_the_movement_takes_two_days_in_any_order(opened: Open, company: None) -> None:
    app = opened("max")
    start, end = (picker for picker in app.date_input if (picker.key or "").startswith("movement."))
    start.set_value(date(2021, 1, 1)).run()
    end.set_value(date(2020, 1, 1)).run()
    assert errors(app) == []
    assert "From the end of 1 Jan 2020 to the end of 1 Jan 2021" in said(app)


def test_a_saved_view_is_kept_chosen_and_opened_with(opened: Open, company: None) -> None:
    app = opened("max", industry="arts")
    assert names(app) == {"Gala", "Summit"}
    app.text_input(key="views.name").set_value("Arts [x](y)")
    app.button(key="views.save").click().run()
    assert errors(app) == []
    app.button(key="scope.clear").click().run()
    assert len(names(app)) == 5
    view = next(button for button in app.button if "Arts" in button.label)
    assert "\\[x\\]\\(y\\)" in view.label
    view.click().run()
    assert names(app) == {"Gala", "Summit"}
    app.button(key=f"{view.key}.default").click().run()
    assert names(opened("max")) == {"Gala", "Summit"}
    assert len(names(opened("mona"))) == 5


def test_a_view_without_a_name_is_not_saved(opened: Open, company: None) -> None:
    app = opened("max")
    app.button(key="views.save").click().run()
    assert errors(app)[0].replace("\\", "").strip("\u2068\u2069") == "A view needs a name."


def test_a_leaver_sees_nothing_at_the_next_click(opened: Open, company: None, owner: Connection) -> None:
    app = opened("rita")
    assert names(app)
    owner.exec_driver_sql("update crm_profiles set is_active = false where user_id = %s", (PERSONAS["rita"].id,))
    app.run()
    assert [title.value for title in app.title] == ["Continue as …"]
    assert not len(app.metric)
    assert not len(app.dataframe)


def test_a_changed_role_counts_at_the_next_click(opened: Open, company: None, owner: Connection) -> None:
    app = opened("rita")
    owner.exec_driver_sql("update crm_user_roles set role = 'executive' where user_id = %s", (PERSONAS["rita"].id,))
    assert len(names(app.run())) == 5


def test_what_others_change_is_there_at_the_next_look(opened: Open, company: None, owner: Connection) -> None:
    app = opened("max")
    owner.exec_driver_sql("update crm_opportunities set value = 5000 where name = 'Gala'")
    for _ in range(100):  # the notice travels through the database
        if metrics(app.run())["Open value"] == "CA$6.41K":
            return
    pytest.fail("the page still shows the old value")


def test_a_refusal_is_its_sentence_and_a_way_on() -> None:
    def script() -> None:
        from app.components.states import failing_well
        from app.errors import Unavailable

        with failing_well("here"):
            raise Unavailable("The database is busy. Try *again* in a moment.")

    app = AppTest.from_function(script).run()
    assert "Try \\*again\\* in a moment" in app.error[0].value
    assert app.button(key="here.retry").label == "Try again"


def test_a_defect_is_an_id_and_no_detail(caplog: pytest.LogCaptureFixture) -> None:
    def script() -> None:
        from app.components.states import failing_well

        with failing_well("here"):
            raise RuntimeError("postgresql://eventos:secret@host/")

    app = AppTest.from_function(script).run()
    assert "secret" not in app.error[0].value
    error_id = caplog.records[-1].getMessage().removeprefix("error ")
    assert error_id in app.error[0].value
    assert len(app.exception) == 0


def test_a_file_holds_all_rows_where_the_page_shows_the_first(
    company: None, owner: Connection, viewer: Callable[..., Viewer]
) -> None:
    owner.exec_driver_sql(
        "insert into crm_opportunities (organizer_id, name, stage_id, value, assigned_to)"
        " select organizer_id, name || n, stage_id, n, assigned_to from crm_opportunities, generate_series(1, 3) n"
        " where name = 'Gala'"
    )
    offer = Offer.of(viewer("rita"), pd.DataFrame(columns=list(pipeline.choices.columns)))
    with asking(viewer("rita")) as ask:
        read = Reading(ask, viewer("rita"), offer, pd.DataFrame(), chosen(viewer("rita"), offer, {}))
        found = read.first(pipeline.opportunities, 2)
    assert len(found.frame) == 2
    assert found.everything is not None
    assert set(found.everything()["name"]) == {"Gala", "Summit", "Gala1", "Gala2", "Gala3"}


def test_dates_of_the_movement_stay_within_what_is_known(opened: Open, company: None) -> None:
    app = opened("max", period="next-quarter")
    assert errors(app) == []
    pickers = [picker for picker in app.date_input if (picker.key or "").startswith("movement.")]
    assert all(picker.value <= picker.max for picker in pickers)


@pytest.mark.parametrize(
    ("page", "day"),
    [
        *((page, "2012-03-04") for page in ("pipeline", "forecast", "engagement", "health", "overview")),
        *((page, "1900-01-01") for page in ("pipeline", "health")),
    ],
)
def test_a_day_long_past_is_a_day_like_others(opened: Open, company: None, page: str, day: str) -> None:
    app = opened("eve", page=page, as_of=day)
    assert errors(app) == []
