"""Who changed what from what to what, what goes along with a deletion, and which organizers may be the same."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection

from app.commands import drafts, undo
from app.viewer import Viewer
from queries import history
from queries.history import Changes
from tests.tables import given, id_of, shows

Change = Callable[..., int]
Ask = Callable[..., pd.DataFrame]


@pytest.fixture
def company(owner: Connection) -> Connection:
    """Made by the owner's login, so that nobody has done it."""
    given(
        owner,
        "crm_organizers",
        """
        id    | company_name    | assigned_to | status   | website                  | primary_email
        acme  | Acme Events     | rita        | active   | https://www.acme.example | hello@acme.test
        acme2 | ACME-Events Inc | ravi        | active   | null                     | null
        web   | Webber          | rita        | active   | http://acme.example/x    | null
        mail  | Mailer          | rita        | active   | null                     | bills@acme.test
        acne  | Akme Events     | rita        | active   | null                     | one@gmail.com
        other | Other           | rita        | active   | null                     | two@gmail.com
        old   | Acme Events     | rita        | archived | null                     | null
    """,
    )
    given(
        owner,
        "crm_contacts",
        """
        id   | organizer_id | full_name | email
        cleo | acme         | Cleo      | cleo@acme.example
    """,
    )
    given(
        owner,
        "crm_opportunities",
        """
        id   | organizer_id | name | stage_id | value | assigned_to
        gala | acme         | Gala | Proposal | 100   | rita
        ball | acme         | Ball | Won      | 100   | rita
    """,
    )
    given(
        owner,
        "crm_notes",
        """
        id   | organizer_id | contact_id | opportunity_id | content | created_by
        memo | acme         | cleo       | gala           | Memo    | rita
    """,
    )
    return owner


@pytest.fixture
def change(company: Connection, writing_as: Callable[..., Any]) -> Change:
    def change(who: str, statement: str, *words: str, reason: str | None = None) -> int:
        with writing_as(who, reason) as db:
            db.exec_driver_sql(statement, tuple(id_of(word) for word in words))
            return int(db.exec_driver_sql("select pg_current_xact_id()").scalar_one())

    return change


@pytest.fixture
def ask(reading_as: Callable[..., Any]) -> Ask:
    def ask(who: str, question: Any, *values: Any) -> pd.DataFrame:
        with reading_as(who) as db:
            answer: pd.DataFrame = question(db, *values)
            return answer

    return ask


def test_a_record_s_history_is_told_field_by_field(
    company: Connection, change: Change, ask: Ask, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    first = change(
        "rita", "update crm_opportunities set value = 7, name = 'Ball' where id = %s", "gala", reason="A guess"
    )
    change("max", "update crm_opportunities set description = 'Big' where id = %s", "gala")
    undo.undo(by=viewer("rita"), change=first)
    told = ask("rita", history.of_record, "crm_opportunities", id_of("gala"))
    shows(
        told,
        """
        who                | verb   | field       | was    | now    | why              | is_mine | is_undone
        Rita               | update | name        | "Ball" | "Gala" | Undone: A guess  | true    | false
        Rita               | update | value       | 7.00   | 100.00 | Undone: A guess  | true    | false
        Max                | update | description | null   | "Big"  |                  | false   | false
        Rita               | update | name        | "Gala" | "Ball" | A guess          | true    | true
        Rita               | update | value       | 100.00 | 7.00   | A guess          | true    | true
        (set-up or import) | insert |             |        |        |                  | false   | false
    """,
    )
    assert ask("ravi", history.of_record, "crm_opportunities", id_of("gala")).empty


def test_changes_are_told_whole_and_found_by_what_was_done_in_them(
    company: Connection, change: Change, ask: Ask
) -> None:
    change("rita", "update crm_opportunities set value = value + 1 where organizer_id = %s", "acme", reason="Dearer")
    change("ada", "delete from crm_contacts where id = %s", "cleo")
    listed = ask("eve", history.changes, Changes(person=None), 2)
    shows(
        listed,
        """
        who  | records | record | why    | is_undone
        Ada  | 2       |        |        | false
        Rita | 2       |        | Dearer | false
    """,
    )
    assert listed["what"].iloc[1] == '[["update", "crm_opportunities", 2]]'
    for asked, people in [
        (Changes(person=id_of("rita")), ["Rita"]), (Changes(table="crm_notes", verb="update"), ["Ada"]),
        (Changes(verb="delete"), ["Ada"]), (Changes(record_id=id_of("ball"), verb="update"), ["Rita"]),
        (Changes(since=listed["at"].iloc[0].to_pydatetime()), ["Ada"]), (Changes(person=id_of("ravi")), []),
    ]:  # fmt: skip
        assert list(ask("ada", history.changes, asked, 5)["who"]) == people
    assert list(ask("ada", history.changes, Changes(), 1, 1)["who"]) == ["Rita"]
    assert ask("max", history.changes, Changes(), 5).empty


def test_one_change_is_told_record_by_record(company: Connection, change: Change, ask: Ask) -> None:
    number = change("ada", "delete from crm_contacts where id = %s", "cleo")
    told = ask("ada", history.of_change, number).sort_values("table_name")
    shows(
        told,
        """
        table_name   | record | field      | now   | verb
        crm_contacts | Cleo   |            |       | delete
        crm_notes    | Memo   | contact_id | null  | update
    """,
    )
    assert ask("ada", history.changes, Changes(record_id=id_of("cleo"), verb="delete"), 1)["records"].iloc[0] == 2


def test_deleting_says_what_goes_along_and_what_stays(company: Connection, ask: Ask) -> None:
    shows(
        ask("ada", history.goes_along, "crm_organizers", id_of("acme")),
        """
        table_name        | records | won | fate
        crm_contacts      | 1       | 0   | goes
        crm_notes         | 1       | 0   | goes
        crm_opportunities | 2       | 1   | prevents
    """,
    )
    shows(
        ask("ada", history.goes_along, "crm_contacts", id_of("cleo")),
        """
        table_name | records | won | fate
        crm_notes  | 1       | 0   | stays
    """,
    )
    assert ask("ada", history.goes_along, "crm_notes", id_of("memo")).empty


def test_organizers_that_may_be_the_same(company: Connection, ask: Ask) -> None:
    pairs = ask("ada", history.duplicates)
    found = {frozenset((row.organizer, row.other)): row.why for row in pairs.itertuples()}
    assert found == {
        frozenset(("Acme Events", "ACME-Events Inc")): "name",
        frozenset(("Acme Events", "Webber")): "website",
        frozenset(("Acme Events", "Mailer")): "email host",
    }
    assert len(ask("rita", history.duplicates)) == 2  # Ravi's are not hers to see
    alike = company.exec_driver_sql("select app.likeness('acme', 'akme') > 0").scalar_one()
    of_one = ask("ada", history.duplicates, id_of("acme"))
    assert ("similar name" in set(of_one["why"])) is alike
    assert set(of_one["organizer"]) == {"Acme Events"}


def test_a_draft_is_found_again_by_whoever_typed_it(
    company: Connection, ask: Ask, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    rita = viewer("rita")
    drafts.keep(by=rita, form="note/new", base={"title": ""}, given={"title": "H"})
    drafts.keep(by=rita, form="note/new", base={"title": ""}, given={"title": "Hello"})
    drafts.keep(by=rita, form="contact/1", base={}, given={"full_name": "C"})
    shows(
        ask("rita", history.draft, "note/new"),
        """
        base          | given
        {"title": ""} | {"title": "Hello"}
    """,
    )
    assert list(ask("rita", history.drafts)["form"]) == ["contact/1", "note/new"]
    drafts.discard(by=rita, form="contact/1")
    drafts.discard(by=rita, form="contact/1")
    assert list(ask("rita", history.drafts)["form"]) == ["note/new"]
    assert ask("ada", history.drafts).empty
