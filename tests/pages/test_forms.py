"""Forms and grids as the server draws and reads them, without the drawer around a form and without a browser."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from app import identity
from app.commands import records
from app.settings import Settings
from tests.personas import PERSONAS
from tests.tables import id_of

Given = Callable[[Connection, str, str], None]
Draw = Callable[..., AppTest]
NBSP = "\N{NO-BREAK SPACE}"
_UNSEEN = str.maketrans("", "", "\\\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}\N{WORD JOINER}")


def the_form() -> None:
    import streamlit as st

    from app import identity
    from app.components import editing

    editing.strips(identity.viewer())
    editing.drawers()["form"](st.session_state["form"])


def the_grid() -> None:
    import streamlit as st

    from app import identity
    from app.components import editing, grid

    editing.strips(identity.viewer())
    grid.editor(identity.viewer(), st.session_state["noun"], st.session_state["ids"])


def the_targets() -> None:
    import streamlit as st

    from app import identity
    from app.components import grid

    grid.target_grid(identity.viewer(), st.session_state["quarters"])


@pytest.fixture
def drawn(database: Settings, owner: Connection) -> Iterator[Draw]:
    """drawn(the_form, "rita", form="opportunity/edit/…"): that piece as she sees it."""

    def drawn(script: Callable[[], None], who: str, **state: Any) -> AppTest:
        identity.configure(replace(database, sign_in_as=PERSONAS[who].email), port=8501)
        running = AppTest.from_function(script, default_timeout=30)
        for name, value in state.items():
            running.session_state[name] = value
        return running.run()

    yield drawn
    identity._local = None


@pytest.fixture
def company(owner: Connection, given: Given) -> Connection:
    given(owner, "crm_organizers", """
        id    | company_name | assigned_to
        acme  | Acme         | rita
        birch | Birch        | rita
    """)  # fmt: skip
    given(owner, "crm_contacts", """
        id  | organizer_id | full_name | email
        ann | acme         | Ann Lee   | ann@acme.test
        bob | birch        | Bob Ray   | bob@birch.test
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id     | organizer_id | name   | stage_id | value | assigned_to
        gala   | acme         | Gala   | Proposal | 1000  | rita
        summit | birch        | Summit | Lead     | 500   | rita
    """)  # fmt: skip
    return owner


def deal(owner: Connection, word: str) -> Any:
    return owner.exec_driver_sql("select * from crm_opportunities where id = %s", (id_of(word),)).one()


def key(app: AppTest, field: str) -> str:
    return str(app.session_state["editing.form"].key(field))


def edit(app: AppTest, field: str, value: str) -> AppTest:
    return app.text_input(key=key(app, field)).set_value(value).run()


def save(app: AppTest) -> AppTest:
    return app.button(key=key(app, "save")).click().run()


def errors(app: AppTest) -> list[str]:
    return [element.value.translate(_UNSEEN) for kind in (app.error, app.exception) for element in kind]


def said(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.caption, app.markdown) for element in kind).translate(_UNSEEN)


def drafts(owner: Connection) -> list[Any]:
    return list(owner.exec_driver_sql("select form, given from crm_drafts"))


# One record --------------------------------------------------------------------------------------------------------


def test_an_edit_is_saved_and_only_what_was_typed_is_written(drawn: Draw, company: Connection) -> None:
    app = drawn(the_form, "rita", form=f"opportunity/edit/{id_of('gala')}")
    assert errors(app) == []
    edit(app, "value", "1 250.50")
    save(app)
    assert errors(app) == []
    after = deal(company, "gala")
    assert (after.name, str(after.value), after.probability_source) == ("Gala", "1250.50", "stage")
    assert "Gala was changed." in said(app)
    app.button(key="done.undo").click().run()
    assert str(deal(company, "gala").value) == "1000.00"


def test_what_can_t_be_read_is_said_at_its_field_and_all_that_was_typed_stays(drawn: Draw, company: Connection) -> None:
    app = drawn(the_form, "rita", form=f"opportunity/edit/{id_of('gala')}")
    edit(app, "name", "Spring [gala](x)")
    edit(app, "value", "1,0x")
    edit(app, "probability", "101")
    save(app)
    assert len(errors(app)) == 2
    assert "“1,0x”" in errors(app)[0]
    assert app.text_input(key=key(app, "name")).value == "Spring [gala](x)"
    assert app.text_input(key=key(app, "value")).value == "1,0x"
    assert "look at Value, Probability" in said(app)
    assert deal(company, "gala").name == "Gala"


def test_what_is_typed_outlives_the_session_until_it_is_saved(drawn: Draw, company: Connection) -> None:
    form = f"opportunity/edit/{id_of('gala')}"
    app = drawn(the_form, "rita", form=form)
    edit(app, "name", "Grand gala")
    assert [row.form for row in drafts(company)] == [form]
    again = drawn(the_form, "rita", form=form)
    assert again.text_input(key=key(again, "name")).value == "Grand gala"
    assert "You typed this and did not save it" in said(again)
    save(again)
    assert drafts(company) == []
    assert deal(company, "gala").name == "Grand gala"


def test_a_draft_is_nobody_else_s_and_can_be_thrown_away(drawn: Draw, company: Connection) -> None:
    form = f"opportunity/edit/{id_of('gala')}"
    edit(drawn(the_form, "rita", form=form), "name", "Grand gala")
    colleague = drawn(the_form, "max", form=form)
    assert colleague.text_input(key=key(colleague, "name")).value == "Gala"
    app = drawn(the_form, "rita", form=form)
    app.button(key=key(app, "again")).click().run()
    assert app.text_input(key=key(app, "name")).value == "Gala"
    assert drafts(company) == []


def test_what_is_typed_back_leaves_nothing_to_save(drawn: Draw, company: Connection) -> None:
    app = drawn(the_form, "rita", form=f"opportunity/edit/{id_of('gala')}")
    edit(app, "name", "Grand gala")
    edit(app, "name", "Gala")
    assert drafts(company) == []


def test_two_people_edit_one_record_and_the_second_chooses_per_field(drawn: Draw, company: Connection) -> None:
    form = f"opportunity/edit/{id_of('gala')}"
    late = drawn(the_form, "rita", form=form)
    edit(late, "name", "Grand gala")
    edit(late, "value", "3000")
    edit(late, "currency", "USD")
    company.exec_driver_sql(
        "update crm_opportunities set name = 'Autumn gala', value = 2000, description = 'By hand' where name = 'Gala'"
    )
    save(late)
    assert deal(company, "gala").name == "Autumn gala"
    assert deal(company, "gala").currency == "CAD"  # nothing is written while two values clash
    save(late)
    assert sum("Choose which of the two values holds." in error for error in errors(late)) == 2
    for field, choice in (("name", "theirs"), ("value", "yours")):
        late.radio(key=f"{key(late, field)}.holds").set_value(choice).run()
    offered = [option.translate(_UNSEEN) for radio in late.radio for option in radio.options]
    assert [option.split(" ")[0] for option in offered] == ["**Autumn", "**Grand", "**2,000.00**", "**3,000.00**"]
    save(late)
    after = deal(company, "gala")
    assert (after.name, str(after.value), after.currency) == ("Autumn gala", "3000.00", "USD")
    assert after.description == "By hand"  # a field that nobody else typed into merges by itself


def test_a_second_click_makes_nothing_twice(drawn: Draw, company: Connection) -> None:
    app = drawn(the_form, "rita", form=f"note/new/?organizer_id={id_of('acme')}")
    app.text_area(key=key(app, "content")).set_value("They want the hall").run()
    first = app.session_state["editing.form"]
    save(app)
    # As where the answer to the first click was lost.
    first.start["content"] = "They want the hall"
    again = first.submission(identity.viewer())
    records.create(again.noun, by=again.by, given=again.given, key=again.key, reason=again.reason)
    assert company.exec_driver_sql("select count(*) from crm_notes").scalar_one() == 1


# What is asked -----------------------------------------------------------------------------------------------------


def test_a_role_is_asked_for_what_it_may_change(drawn: Draw, company: Connection) -> None:
    form = f"opportunity/edit/{id_of('gala')}"
    rep, manager = drawn(the_form, "rita", form=form), drawn(the_form, "max", form=form)
    assert "assigned_to" not in rep.session_state["editing.form"].base
    assert "assigned_to" in manager.session_state["editing.form"].base
    executive = drawn(the_form, "eve", form=form)
    assert "Your role does not do this." in said(executive)
    assert not executive.button


def test_another_s_record_and_a_missing_one_get_the_same_sentence(drawn: Draw, company: Connection) -> None:
    hidden = drawn(the_form, "olaf", form=f"opportunity/edit/{id_of('gala')}")
    missing = drawn(the_form, "olaf", form=f"opportunity/edit/{id_of('nowhere')}")
    assert said(hidden) == said(missing) == "This opportunity is gone, or it is not yours to see."


def test_a_lost_deal_needs_its_reason(drawn: Draw, company: Connection) -> None:
    app = drawn(the_form, "rita", form=f"opportunity/lose/{id_of('gala')}")
    save(app)
    assert errors(app)[0] == "Why it was lost is needed."
    app.text_area(key=key(app, "loss_reason")).set_value("Too dear").run()
    save(app)
    assert (deal(company, "gala").status, deal(company, "gala").loss_reason) == ("lost", "Too dear")


def test_a_picker_searches_on_the_server_and_stays_with_the_organizer(drawn: Draw, company: Connection) -> None:
    app = drawn(the_form, "rita", form=f"activity/new/?organizer_id={id_of('acme')}")
    assert "Acme" in said(app)
    offered = [button.label for button in app.button if (button.key or "").startswith(key(app, "contact_id"))]
    assert len(offered) == 1
    assert "Ann Lee" in offered[0]
    app.button(key=f"{key(app, 'contact_id')}.{id_of('ann')}").click().run()
    app.button(key=f"{key(app, 'organizer_id')}.another").click().run()
    app.text_input(key=f"{key(app, 'organizer_id')}.search").set_value("bir").run()
    labels = [button.label for button in app.button if (button.key or "").startswith(key(app, "organizer_id"))]
    assert [label for label in labels if "Birch" in label]
    assert not [label for label in labels if "Acme" in label]


def test_deleting_says_in_numbers_what_goes_along(drawn: Draw, company: Connection, given: Given) -> None:
    given(company, "crm_activities", """
        organizer_id | opportunity_id | user_id | type | subject
        acme         | gala           | rita    | call | About prices
        acme         | gala           | rita    | call | About dates
    """)  # fmt: skip
    app = drawn(the_form, "ada", form=f"opportunity/delete/{id_of('gala')}")
    assert f"Deleted along with it:** 2{NBSP}activities" in said(app)
    app = drawn(the_form, "ada", form=f"organizer/delete/{id_of('acme')}")
    assert f"can’t be deleted: archive it instead:** 1{NBSP}opportunity." in said(app)
    save(app)
    assert "archive it instead" in errors(app)[0]


def test_organizers_that_may_be_one_are_suggested_first(drawn: Draw, company: Connection, given: Given) -> None:
    given(company, "crm_organizers", "id | company_name | assigned_to\ntwin | ACME Inc. | rita")
    app = drawn(the_form, "rita", form=f"organizer/merge/{id_of('twin')}")
    app.button(key=f"{key(app, 'merged')}.{id_of('acme')}.alike").click().run()
    assert f"Moves here:** 1{NBSP}contact, 1{NBSP}opportunity" in said(app)
    save(app)
    assert errors(app) == []
    assert deal(company, "gala").organizer_id == id_of("twin")
    app.button(key="done.undo").click().run()
    assert deal(company, "gala").organizer_id == id_of("acme")


# Many in a grid ----------------------------------------------------------------------------------------------------


def typed(app: AppTest, name: str, edits: dict[int, dict[str, Any]], **more: Any) -> AppTest:
    """What the browser sends of a grid: anything."""
    sheet = app.session_state[name]
    app.session_state[sheet.key] = {"edited_rows": edits, "added_rows": [], "deleted_rows": [], **more}
    return app.run()


@pytest.fixture
def grid(drawn: Draw, company: Connection) -> AppTest:
    return drawn(the_grid, "rita", noun="opportunity", ids=[str(id_of("gala")), str(id_of("summit"))])


def test_a_grid_writes_what_was_typed_in_one_change(grid: AppTest, company: Connection) -> None:
    typed(grid, "opportunity/grid/", {0: {"value": 1500.5}, 1: {"name": "Peak", "expected_close_date": "2027-02-01"}})
    assert f"2{NBSP}rows are changed and not saved" in said(grid)
    grid.button(key="opportunity/grid/.save").click().run()
    assert errors(grid) == []
    assert str(deal(company, "gala").value) == "1500.50"
    assert (deal(company, "summit").name, str(deal(company, "summit").expected_close_date)) == ("Peak", "2027-02-01")
    grid.button(key="done.undo").click().run()
    assert (str(deal(company, "gala").value), deal(company, "summit").name) == ("1000.00", "Summit")


def test_a_grid_believes_nothing_that_the_browser_says(grid: AppTest, company: Connection) -> None:
    # A column that is shown and not edited, rows that never were; what is not drawn at all, Streamlit refuses itself.
    typed(grid, "opportunity/grid/", {0: {"organizer": "Mine"}}, added_rows=[{"name": "New"}], deleted_rows=[0, 1])
    assert "Click a cell to change it" in said(grid)
    assert grid.button(key="opportunity/grid/.save").disabled
    typed(grid, "opportunity/grid/", {0: {"value": -5, "currency": "dollars"}, 1: {"name": "Peak"}})
    grid.button(key="opportunity/grid/.save").click().run()
    assert any("Gala" in error and "Value" in error for error in errors(grid))
    assert any("Currency" in error for error in errors(grid))
    assert deal(company, "summit").name == "Summit"  # all or nothing
    assert f"2{NBSP}rows are changed and not saved" in said(grid)  # and all of it kept
    typed(grid, "opportunity/grid/", {0: {"value": 5}, 1: {"name": "Peak"}})
    grid.button(key="opportunity/grid/.save").click().run()
    assert (str(deal(company, "gala").value), deal(company, "summit").name) == ("5.00", "Peak")


def test_a_grid_keeps_what_is_typed_while_others_save_and_then_asks(grid: AppTest, company: Connection) -> None:
    typed(grid, "opportunity/grid/", {0: {"value": 3000}})
    company.exec_driver_sql("update crm_opportunities set value = 2000 where name = 'Gala'")
    grid.run()
    assert f"1{NBSP}row is changed and not saved" in said(grid)
    grid.button(key="opportunity/grid/.save").click().run()
    assert str(deal(company, "gala").value) == "2000.00"
    grid.radio[0].set_value("yours").run()
    grid.button(key="opportunity/grid/.save").click().run()
    assert str(deal(company, "gala").value) == "3000.00"


def test_targets_are_set_by_managers_and_read_by_reps(drawn: Draw, owner: Connection) -> None:
    quarters = [date(2027, 1, 1), date(2027, 4, 1)]
    app = drawn(the_targets, "max", quarters=quarters)
    people = app.dataframe[0].value["person"].tolist()
    assert {"Max", "Rita", "Ravi"} <= set(people)
    typed(app, "target/grid/", {people.index("Rita"): {"2027-01-01": 50000}})
    app.button(key="target/grid/.save").click().run()
    assert errors(app) == []
    set_for = owner.exec_driver_sql("select user_id, period_start, amount from crm_targets").all()
    assert set_for == [(PERSONAS["rita"].id, date(2027, 1, 1), 50000)]
    rep = drawn(the_targets, "rita", quarters=quarters)
    typed(rep, "target/grid/", {0: {"2027-01-01": 1}})
    assert rep.button(key="target/grid/.save").disabled
