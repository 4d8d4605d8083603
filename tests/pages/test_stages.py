"""The Stages page as each role sees it, without a browser."""

from typing import Any

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from tests import misjudged
from tests.conftest import Given
from tests.pages.conftest import Open, errors, metrics, said
from tests.personas import PERSONAS

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def company(owner: Connection) -> Connection:
    misjudged.insert(owner)
    return owner


@pytest.fixture
def calibrated(company: Connection) -> Connection:
    misjudged.calibrate()
    return company


def stage(owner: Connection, name: str) -> Any:
    return owner.exec_driver_sql("select * from crm_pipeline_stages where name = %s", (name,)).one()


def opened_at(opened: Open, who: str) -> AppTest:
    app = opened(who, page="stages")
    assert errors(app) == []
    return app


def choose(app: AppTest, owner: Connection, name: str, percent: int) -> AppTest:
    found = str(stage(owner, name).id)
    app.segmented_control(key="stages.chosen").set_value(found).run()
    return app.slider(key=f"stages.value.{found}").set_value(percent).run()


def buttons(app: AppTest) -> set[str]:
    return {button.key or "" for button in app.button}


@pytest.mark.parametrize("who", ["max", "mona", "eve", "ada"])
def test_those_who_may_read_see_the_judgement(opened: Open, calibrated: Connection, who: str) -> None:
    app = opened_at(opened, who)
    assert [title.value for title in app.title] == ["Stages"]
    table = app.dataframe[0].value.set_index("stage")
    assert table.loc["Proposal", ["set_probability", "rate", "n", "open", "verdict"]].tolist() == [
        0.5,
        0.1,
        40,
        3,
        "▲ set too high",
    ]
    assert table.loc["Lead", "verdict"] == "No history for this stage."
    assert metrics(app)["Set outside what came true"] == "1 of 1"
    assert f"keeps **10{NBSP}%**: 4 of 40 were won" in said(app)


def test_a_rep_is_told_that_it_is_not_theirs(opened: Open, calibrated: Connection) -> None:
    app = opened("rita", page="stages")
    assert [title.value for title in app.title] == ["This page is not for your role"]
    assert not app.dataframe
    assert not app.metric


@pytest.mark.parametrize("who", ["max", "eve"])
def test_readers_have_nothing_to_change_with(opened: Open, calibrated: Connection, who: str) -> None:
    app = opened_at(opened, who)
    assert not app.slider
    assert not {key for key in buttons(app) if key.startswith(("stages.", "undo."))}
    assert "What was changed" in [heading.value for heading in app.subheader]


@pytest.mark.parametrize("who", ["max", "eve", "ada"])
def test_an_empty_company_looks_intended(opened: Open, who: str) -> None:
    app = opened_at(opened, who)
    assert "How often opportunities are won from each stage will stand here" in said(app)
    assert metrics(app)["Set outside what came true"] == "–"
    assert metrics(app)["Error of the set values"] == "–"


def test_an_empty_company_that_was_calibrated_abstains(opened: Open, owner: Connection) -> None:
    misjudged.calibrate()
    app = opened_at(opened, "ada")
    assert set(app.dataframe[0].value["verdict"]) == {"No history for this stage."}
    assert "No stage has enough closed deals to be judged yet." in said(app)


def test_one_opportunity_is_enough(opened: Open, owner: Connection, given: Given) -> None:
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    given(owner, "crm_opportunities", "organizer_id | name | stage_id | value\nacme | Gala | Lead | 0")
    misjudged.calibrate()
    app = opened_at(opened, "ada")
    choose(app, owner, "Lead", 40)
    assert errors(app) == []


def test_a_company_without_open_stages_says_so(opened: Open, owner: Connection) -> None:
    owner.exec_driver_sql("delete from crm_pipeline_stages where not is_closed")
    app = opened_at(opened, "ada")
    assert "There is no open stage" in said(app)


def test_the_other_horizon_is_named_and_shown(opened: Open, calibrated: Connection) -> None:
    app = opened_at(opened, "max")
    assert "Ever wins: of the closed opportunities" in said(app)
    app.segmented_control(key="horizon").set_value("by_expected_close").run()
    assert errors(app) == []
    assert "Wins by its expected close: of those that came" in said(app)
    verdicts = app.dataframe[0].value.set_index("stage")["verdict"]
    assert verdicts["Proposal"] == "No expected close was known on entering."


def test_the_preview_answers_before_anything_is_saved(opened: Open, calibrated: Connection) -> None:
    app = choose(opened_at(opened, "ada"), calibrated, "Proposal", 40)
    assert errors(app) == []
    words = said(app)
    assert "| **Expected revenue** |" in words
    assert "CA\\$990" in words  # 750 + 240
    assert "CA\\$840" in words
    assert "In all −CA$150.00" in words
    assert "inherit" in app.radio(key="stages.follows").options[1]
    app.radio(key="stages.follows").set_value("all").run()
    assert "In all −CA$70.00" in said(app)  # and 800 × +10 %
    app.radio(key="stages.follows").set_value("new").run()
    assert "In all no change" in said(app)
    assert stage(calibrated, "Proposal").default_probability == 50


def test_the_suggestion_is_one_click(opened: Open, calibrated: Connection) -> None:
    app = opened_at(opened, "ada")
    found = str(stage(calibrated, "Proposal").id)
    app.segmented_control(key="stages.chosen").set_value(found).run()
    suggestion = round(app.dataframe[0].value.set_index("stage").loc["Proposal", "suggestion"] * 100)
    app.button(key="stages.suggest").click().run()
    assert app.slider(key=f"stages.value.{found}").value == suggestion < 20


def test_a_value_is_saved_with_its_reason_and_undone(opened: Open, calibrated: Connection) -> None:
    app = choose(opened_at(opened, "ada"), calibrated, "Proposal", 40)
    app.button(key="stages.save").click().run()
    assert "Say why" in errors(app)[0]
    assert app.slider(key=f"stages.value.{stage(calibrated, 'Proposal').id}").value == 40
    app.text_area(key="stages.reason").set_value("We [looked](x)").run()
    app.button(key="stages.save").click().run()
    assert errors(app) == []
    assert stage(calibrated, "Proposal").default_probability == 40
    assert f"2{NBSP}open opportunities followed: −CA$150.00 expected revenue." in said(app).replace("\\", "")
    assert app.text_area(key="stages.reason").value == ""
    assert "50 % → 40 %" in said(app).replace("\\", "")
    assert "[looked](x)" not in said(app)
    app.button(key="stages.undo").click().run()
    assert stage(calibrated, "Proposal").default_probability == 50
    assert "undone" in said(app)
    assert "stages.undo" not in buttons(app)


def test_a_change_is_undone_from_the_history(opened: Open, calibrated: Connection) -> None:
    app = choose(opened_at(opened, "ada"), calibrated, "Proposal", 40)
    app.text_area(key="stages.reason").set_value("Why not").run()
    app.button(key="stages.save").click().run()
    undo = next(key for key in buttons(app) if key.startswith("undo."))
    app.button(key=undo).click().run()
    assert errors(app) == []
    assert stage(calibrated, "Proposal").default_probability == 50


def test_two_admins_see_each_other_s_value_and_who_saved_it(opened: Open, calibrated: Connection) -> None:
    app = choose(opened_at(opened, "ada"), calibrated, "Proposal", 40)
    calibrated.exec_driver_sql("update crm_user_roles set role = 'admin' where user_id = %s", (PERSONAS["eve"].id,))
    other = choose(opened_at(opened, "eve"), calibrated, "Proposal", 60)
    other.text_area(key="stages.reason").set_value("Mine").run()
    other.button(key="stages.save").click().run()
    assert errors(other) == []
    opened("ada", page="stages")  # she is looking again
    app.text_area(key="stages.reason").set_value("And mine").run()
    app.button(key="stages.save").click().run()
    clash = next(sentence for sentence in errors(app) if "Nothing was saved" in sentence).replace("\\", "")
    assert "Eve changed the probability of Proposal to 60 %; you have 40 %, on" in clash
    assert app.slider(key=f"stages.value.{stage(calibrated, 'Proposal').id}").value == 40
    assert app.text_area(key="stages.reason").value == "And mine"
    assert stage(calibrated, "Proposal").default_probability == 60
    app.button(key="stages.save").click().run()  # both values are on the screen: meant so
    assert errors(app) == []
    assert stage(calibrated, "Proposal").default_probability == 40


def test_a_stage_moves_at_a_click(opened: Open, calibrated: Connection) -> None:
    app = opened_at(opened, "ada")
    app.button(key=f"stages.{stage(calibrated, 'Lead').id}.Later").click().run()
    assert errors(app) == []
    names = calibrated.exec_driver_sql("select name from crm_pipeline_stages order by order_index").scalars().all()
    assert list(names)[:2] == ["Qualified", "Lead"]
    assert app.button(key=f"stages.{stage(calibrated, 'Qualified').id}.Earlier").disabled


def test_a_stage_that_was_deleted_meanwhile_is_said_to_be(opened: Open, calibrated: Connection) -> None:
    app = choose(opened_at(opened, "ada"), calibrated, "Qualified", 40)
    app.text_area(key="stages.reason").set_value("Why").run()
    calibrated.exec_driver_sql("delete from crm_pipeline_stages where name = 'Qualified'")
    app.button(key="stages.save").click().run()
    assert any("This stage is gone" in sentence for sentence in errors(app))
