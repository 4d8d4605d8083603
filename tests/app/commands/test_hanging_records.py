"""Organizers and what hangs on them: contacts, notes, tasks; and targets."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from app.commands import activities, contacts, notes, organizers, targets
from app.errors import InvalidFields, NotAllowed, RowRefusals
from app.viewer import Viewer
from tests.tables import id_of

ViewerOf = Callable[..., Viewer]
Stored = Callable[[str, str | UUID], Mapping[str, Any]]
JANUARY, APRIL = date(2026, 1, 1), date(2026, 4, 1)


def test_an_organizer_is_given_away_with_the_open_opportunities_of_its_owner_or_without(
    sold: Connection, viewer: ViewerOf, stored: Stored
) -> None:
    given = {"by": viewer("max"), "owner": id_of("ravi")}
    with pytest.raises(NotAllowed, match="managers do"):
        organizers.reassign(
            by=viewer("rita"), ids=[id_of("acme")], owner=id_of("rita"), with_opportunities=True, key=uuid4()
        )
    sold.exec_driver_sql("update crm_opportunities set assigned_to = %s where name = 'Ball'", (id_of("max"),))
    done = organizers.reassign(**given, ids=[id_of("acme")], with_opportunities=True, key=uuid4())
    assert done.said == "Acme was reassigned, with 1\N{NO-BREAK SPACE}open opportunity."
    owners = {record: stored("opportunity", record)["assigned_to"] for record in ("gala", "ball", "past")}
    assert owners == {"gala": id_of("ravi"), "ball": id_of("max"), "past": id_of("rita")}
    assert stored("organizer", "acme")["assigned_to"] == id_of("ravi")
    done = organizers.reassign(
        by=viewer("ada"),
        ids=[id_of("acme"), id_of("birch")],
        owner=id_of("olaf"),
        with_opportunities=False,
        key=uuid4(),
    )
    assert done.said == "2\N{NO-BREAK SPACE}organizers were reassigned."
    assert stored("opportunity", "show")["assigned_to"] == id_of("ravi")


def test_an_organizer_is_archived_and_comes_back(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    organizers.archive(by=viewer("rita"), ids=[id_of("acme")], key=uuid4())
    assert stored("organizer", "acme")["status"] == "archived"
    assert not organizers.archive(by=viewer("rita"), ids=[id_of("acme")], key=uuid4()).records
    organizers.reactivate(by=viewer("rita"), ids=[id_of("acme")], key=uuid4())
    assert stored("organizer", "acme")["status"] == "active"


def test_two_organizers_become_one(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    done = organizers.merge(by=viewer("ada"), kept=id_of("acme"), merged=id_of("birch"), key=uuid4())
    assert (done.said, done.records) == ("Birch was merged into Acme.", (id_of("acme"), id_of("birch")))
    assert stored("opportunity", "show")["organizer_id"] == id_of("acme")


def test_an_organizer_has_one_primary_contact(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    contacts.make_primary(by=viewer("rita"), record_id=id_of("carl"), key=uuid4())
    assert [stored("contact", record)["is_primary"] for record in ("cleo", "carl", "bea")] == [False, True, True]
    given = {"full_name": "New", "organizer_id": id_of("acme"), "email": "new@a.eg", "is_primary": True}
    (new,) = contacts.create(by=viewer("rita"), given=given, key=uuid4()).records
    assert [stored("contact", record)["is_primary"] for record in ("carl", new)] == [False, True]
    with pytest.raises(InvalidFields, match="Cleo has this address already") as refused:
        contacts.create(by=viewer("rita"), given={**given, "email": "CLEO@a.eg"}, key=uuid4())
    assert set(refused.value.fields) == {"email"}


def test_notes_are_pinned_and_removed_by_whoever_wrote_them(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    notes.pin(by=viewer("rita"), ids=[id_of("memo")], is_pinned=True, key=uuid4())
    assert stored("note", "memo")["is_pinned"]
    with pytest.raises(NotAllowed, match="colleague"):
        notes.delete(by=viewer("max"), ids=[id_of("memo")], key=uuid4())
    assert notes.delete(by=viewer("rita"), ids=[id_of("memo")], key=uuid4()).said == "Memo was deleted."
    assert stored("note", "memo") is None


def test_a_note_needs_somebody_that_it_is_about_and_has_the_organizer_from_there(
    sold: Connection, viewer: ViewerOf, stored: Stored
) -> None:
    rita = viewer("rita")
    for about, field in (
        ({}, "organizer_id"),
        ({"contact_id": id_of("bea")}, "contact_id"),
        ({"organizer_id": id_of("acme"), "opportunity_id": id_of("join")}, "opportunity_id"),
    ):
        with pytest.raises(InvalidFields) as refused:
            notes.create(by=rita, given={"content": "Hello", **about}, key=uuid4())
        assert set(refused.value.fields) == {field}
    given = {"content": "Hello", "opportunity_id": id_of("gala")}
    (note,) = notes.create(by=rita, given=given, key=uuid4()).records
    assert stored("note", note)["organizer_id"] == id_of("acme")


def test_tasks_are_completed_called_off_and_become_something_else(
    sold: Connection, viewer: ViewerOf, stored: Stored
) -> None:
    rita, task = viewer("rita"), id_of("task")
    activities.cancel(by=rita, ids=[task], key=uuid4())
    assert stored("activity", "task")["task_status"] == "cancelled"
    activities.complete_tasks(by=rita, ids=[task], key=uuid4())
    done = stored("activity", "task")
    assert done["task_status"] == "completed"
    assert done["activity_date"] <= done["completed_at"]
    with pytest.raises(RowRefusals) as refused:
        activities.cancel(by=rita, ids=[task, id_of("call"), id_of("oath")], key=uuid4())
    assert set(refused.value.rows) == {id_of("call"), id_of("oath")}
    activities.edit(by=rita, record_id=task, base=dict(done), given={"type": "call"}, key=uuid4())
    call = stored("activity", "task")
    assert (call["is_task"], call["task_status"], call["due_date"], call["completed_at"]) == (False, None, None, None)
    with pytest.raises(InvalidFields, match="Only a task has this"):
        activities.edit(by=rita, record_id=task, base=dict(call), given={"due_date": "2026-05-01"}, key=uuid4())
    activities.edit(
        by=rita, record_id=task, base=dict(call), given={"type": "task", "due_date": "2026-05-01"}, key=uuid4()
    )
    assert stored("activity", "task")["task_status"] == "pending"


def test_targets_are_set_in_a_grid(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    rita, ravi, olaf = id_of("rita"), id_of("ravi"), id_of("olaf")
    given: dict[str, Any] = {"by": viewer("max"), "currency": "CAD"}
    for wrong, cell, sentence in (
        ({(olaf, APRIL): (None, "5")}, (olaf, APRIL), "not in your team"),
        ({(rita, date(2026, 2, 1)): (None, "5")}, (rita, date(2026, 2, 1)), "No quarter starts"),
        ({(rita, JANUARY): (900, "5")}, (rita, JANUARY), "changed Target|Somebody"),
        ({(rita, JANUARY): (1000, None)}, (rita, JANUARY), "Target is needed"),
    ):
        with pytest.raises(RowRefusals) as refused:
            targets.set_amounts(**given, cells={**wrong, (ravi, APRIL): (None, "7")}, key=uuid4())
        assert list(refused.value.rows) == [cell]
        assert any(word in str(refused.value.rows[cell]) for word in sentence.split("|"))
    cells = {(rita, JANUARY): (1000, "2 000"), (rita, APRIL): (None, "3000"), (ravi, APRIL): (None, None)}
    done = targets.set_amounts(**given, cells=cells, key=uuid4())
    assert done.said == "2\N{NO-BREAK SPACE}targets set."
    amounts = sold.exec_driver_sql(
        "select period_start, amount from crm_targets where user_id = %s order by 1", (rita,)
    )
    assert [(row.period_start, row.amount) for row in amounts] == [(JANUARY, 2000), (APRIL, 3000)]
    with pytest.raises(NotAllowed, match="managers do"):
        targets.set_amounts(by=viewer("rita"), currency="CAD", cells={}, key=uuid4())
