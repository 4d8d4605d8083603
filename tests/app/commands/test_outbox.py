"""What stages do by themselves: the emails that they write, and what people decide about them."""

import html
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app import database
from app.commands import outbox, templates, undo
from app.errors import Conflict, InvalidFields, NotAllowed
from app.viewer import Viewer
from queries import templates as questions
from tests.conftest import owner_of
from tests.personas import PERSONAS
from tests.tables import id_of

ViewerOf = Callable[..., Viewer]
TASK = {"action": "create_task", "subject": "Call them", "days": 3}
LETTER = {"action": "send_email", "template": "Offer"}


@pytest.fixture
def company(owner: Connection, given: Any) -> Connection:
    given(owner, "crm_organizers", """
        id    | company_name          | assigned_to
        acme  | Acme <b> {{value}}    | rita
        birch | Birch                 | olaf
    """)  # fmt: skip
    given(owner, "crm_contacts", """
        id  | organizer_id | full_name | email            | is_primary
        al  | acme         | Al        | al@acme.example  | false
        zoe | acme         | Zoë       | zoe@acme.example | true
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id   | organizer_id | stage_id | name        | value | currency | assigned_to
        gala | acme         | Lead     | Spring gala | 1200  | CAD      | rita
        fair | birch        | Lead     | Fair        | 10    | CAD      | olaf
    """)  # fmt: skip
    owner.exec_driver_sql(
        "insert into crm_email_templates (name, subject, body_text, body_html) values"
        " ('Offer', 'For {{ opportunity_name }}', 'Dear {{contact_name}}, {{company_name}}: {{value}}',"
        " '<p>{{company_name}}</p>')"
    )
    switch(owner, "Proposal", [LETTER, TASK])
    return owner


def switch(owner: Connection, stage: str, actions: list[dict[str, Any]], on: bool = True) -> None:
    owner.exec_driver_sql("update crm_settings set automatic_actions = %s", (on,))
    owner.exec_driver_sql(
        "update crm_pipeline_stages set auto_actions = %s where name = %s", (json.dumps(actions), stage)
    )


def move(by: Viewer, deal: str, stage: str) -> None:
    with database.writing(by) as db:
        stage_id = db.exec_driver_sql("select id from crm_pipeline_stages where name = %s", (stage,)).scalar_one()
        moved = db.exec_driver_sql("update crm_opportunities set stage_id = %s where id = %s", (stage_id, id_of(deal)))
        assert moved.rowcount == 1


def letters(owner: Connection) -> list[Any]:
    return list(owner.exec_driver_sql("select * from crm_outbox order by queued_at"))


def test_entering_a_stage_writes_its_email_and_its_task(company: Connection, viewer: ViewerOf) -> None:
    move(viewer("rita"), "gala", "Proposal")
    (letter,) = letters(company)
    assert (letter.status, letter.recipient, letter.subject) == ("waiting", "zoe@acme.example", "For Spring gala")
    # Filled in once, from left to right: what is in a name is neither a place nor markup.
    assert letter.body_text == "Dear Zoë, Acme <b> {{value}}: CAD 1,200.00"
    assert letter.body_html == "<p>Acme &lt;b&gt; {{value}}</p>"
    assert letter.created_by == PERSONAS["rita"].id
    task = company.exec_driver_sql("select * from crm_activities").one()
    assert (task.subject, task.task_status, task.user_id) == ("Call them", "pending", PERSONAS["rita"].id)
    assert (task.due_date - task.created_at).days == 3


def test_nothing_happens_while_it_is_off_or_where_the_owner_s_login_moves(
    company: Connection, viewer: ViewerOf
) -> None:
    company.exec_driver_sql(
        "update crm_opportunities set stage_id = (select id from crm_pipeline_stages where name = 'Proposal')"
    )
    switch(company, "Qualified", [LETTER, TASK], on=False)
    move(viewer("rita"), "gala", "Qualified")
    assert letters(company) == []
    assert company.exec_driver_sql("select count(*) from crm_activities").scalar_one() == 0


def test_what_can_t_be_written_says_why_and_is_written_when_it_can(company: Connection, viewer: ViewerOf) -> None:
    move(viewer("olaf"), "fair", "Proposal")
    company.exec_driver_sql("update crm_email_templates set subject = subject || ' {{event_name}}'")
    move(viewer("rita"), "gala", "Proposal")
    nobody, unknown = letters(company)
    assert (nobody.status, nobody.problem) == ("failed", "The organizer has no contact to write to.")
    assert (unknown.status, unknown.problem) == ("failed", "Nothing is known for: event_name.")
    company.exec_driver_sql("update crm_email_templates set subject = 'Hello'")
    assert outbox.retry(by=viewer("ada"), ids=[nobody.id, unknown.id]) == 1
    assert [(letter.status, letter.subject) for letter in letters(company)] == [
        ("failed", "Hello"),
        ("waiting", "Hello"),
    ]


def test_only_admins_decide_and_only_about_what_is_not_sent(company: Connection, viewer: ViewerOf) -> None:
    move(viewer("rita"), "gala", "Proposal")
    (letter,) = letters(company)
    for person in ("rita", "max", "eve"):
        with pytest.raises((Conflict, NotAllowed)):
            outbox.cancel(by=viewer(person), ids=[letter.id])
        with pytest.raises(NotAllowed):
            outbox.retry(by=viewer(person), ids=[letter.id])
    with pytest.raises(Conflict):
        outbox.retry(by=viewer("ada"), ids=[letter.id])  # it waits already
    outbox.cancel(by=viewer("ada"), ids=[letter.id])
    with pytest.raises(Conflict):
        outbox.cancel(by=viewer("ada"), ids=[letter.id])
    assert letters(company)[0].status == "cancelled"


@pytest.mark.parametrize(("person", "seen"), [("rita", 0), ("max", 1), ("olaf", 0), ("eve", 2), ("ada", 2)])
def test_reps_see_no_outbox_and_managers_their_team_s(
    company: Connection, viewer: ViewerOf, person: str, seen: int
) -> None:
    move(viewer("rita"), "gala", "Proposal")
    move(viewer("olaf"), "fair", "Proposal")
    with database.reading(viewer(person)) as db:
        assert len(questions.letters(db)) == seen


def test_undoing_a_move_takes_back_what_waits(company: Connection, viewer: ViewerOf) -> None:
    move(viewer("rita"), "gala", "Proposal")
    change = company.exec_driver_sql(
        "select max(transaction_id::text::bigint) from crm_audit where table_name = 'crm_opportunities'"
    ).scalar_one()
    undo.undo(by=viewer("rita"), change=change)
    (letter,) = letters(company)
    assert (letter.status, letter.problem) == ("cancelled", "The move that wrote it was undone.")
    assert company.exec_driver_sql("select count(*) from crm_activities").scalar_one() == 0
    undo_of_undo = company.exec_driver_sql("select max(transaction_id::text::bigint) from crm_audit").scalar_one()
    undo.undo(by=viewer("rita"), change=undo_of_undo)
    assert len(letters(company)) == 1  # what an undo brings back enters nothing


def test_a_place_that_nothing_fills_in_is_refused_with_the_one_that_was_meant(
    company: Connection, viewer: ViewerOf
) -> None:
    with database.reading(viewer("ada")) as db:
        templates.check(db, {"subject": "{{ company_name }}", "body_text": None, "body_html": "{{Owner_Name}}"})
        with pytest.raises(InvalidFields) as refused:
            templates.check(db, {"subject": "{{compny_name}} {{x}}", "body_text": "", "body_html": ""})
    assert refused.value.fields == {
        "subject": "Nothing fills in {{compny_name}}, {{x}}. Did you mean {{company_name}}?"
    }


def test_every_variable_on_offer_is_filled_in(company: Connection, viewer: ViewerOf) -> None:
    company.exec_driver_sql(
        "insert into events (organizer_id, name, event_date) values (%s, 'Gala', '2199-05-03')", (id_of("acme"),)
    )
    company.exec_driver_sql("update crm_opportunities set expected_close_date = '2199-01-02'")
    text = " ".join(f"{{{{{name}}}}}" for name in questions.VARIABLES)
    with database.reading(viewer("rita")) as db:
        (row,) = questions.preview(db, text, "", "", id_of("acme"), id_of("gala")).itertuples()
    assert "{{" not in row.subject.replace("{{value}}", "", 1)
    assert row.places.split("\n") == sorted(questions.VARIABLES)
    assert row.recipient == "zoe@acme.example"
    assert pd.isna(row.missing)


def test_a_preview_of_an_organizer_out_of_sight_knows_nothing(company: Connection, viewer: ViewerOf) -> None:
    with database.reading(viewer("olaf")) as db:
        (row,) = questions.preview(db, "{{company_name}}", "", "", id_of("acme"), None).itertuples()
    assert row.subject == "{{company_name}}"


def test_a_copy_is_not_active(company: Connection, viewer: ViewerOf) -> None:
    offer = company.exec_driver_sql("select id from crm_email_templates").scalar_one()
    done = templates.duplicate(by=viewer("ada"), template_id=offer, key=uuid4())
    copy = company.exec_driver_sql("select * from crm_email_templates where id = %s", (done.records[0],)).one()
    assert (copy.name, copy.is_active) == ("Offer (copy)", False)


def test_only_an_admin_turns_it_on(company: Connection, viewer: ViewerOf) -> None:
    with pytest.raises(NotAllowed):
        templates.switch_automatic_actions(by=viewer("max"), on=False)
    templates.switch_automatic_actions(by=viewer("ada"), on=False)
    assert not company.exec_driver_sql("select automatic_actions from crm_settings").scalar_one()


PIECES = st.lists(
    st.sampled_from(["{{", "}}", "company_name", "{{a}}", "{{ A }}", "{", "}", "\\1", "&", "<", "\n", " "])
)


@settings(max_examples=60)
@examples(PIECES.map("".join), st.sampled_from(["", "{{b}}", "\\0", "<i>"]))
def test_filling_in_equals_filling_in_by_hand(database_of_the_owner: Connection, template: str, value: str) -> None:
    details = json.dumps({"a": value, "b": "never"})
    for for_html, shown in ((False, value), (True, html.escape(value).replace("&#x27;", "&#39;"))):
        expected = by_hand(template, {"a": shown, "b": "never"})
        filled = database_of_the_owner.exec_driver_sql(
            "select app.filled_in(%s, %s::jsonb, %s)", (template, details, for_html)
        ).scalar_one()
        assert filled == expected


def by_hand(template: str, known: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*([^{}]*?)\s*\}\}", lambda found: known.get(found[1].lower(), found[0]), template)


@pytest.fixture(scope="module")
def database_of_the_owner(server: Any, database: Any) -> Any:
    name = database.migration_database_url.rsplit("/", 1)[1].split("?")[0]
    with owner_of(server, name).connect() as connection:
        yield connection
