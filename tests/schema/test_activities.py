"""What activities, notes and documents hang on, and tasks."""

import datetime as dt

import pytest
from psycopg.errors import (
    CheckViolation,
    ForeignKeyViolation,
    InsufficientPrivilege,
    RestrictViolation,
    UniqueViolation,
)

from tests.personas import PERSONAS
from tests.schema.session import Session
from tests.tables import id_of

CHILDREN = {
    "crm_activities": {"type": "call", "subject": "Call", "user_id": "rita"},
    "crm_notes": {"content": "Hello", "created_by": "rita"},
    "crm_documents": {
        "file_name": "a.pdf",
        "file_type": "application/pdf",
        "file_size": 1,
        "storage_path": "a",
        "uploaded_by": "rita",
    },
}
PARENTS = [(table, parent) for table in CHILDREN for parent in ("contact_id", "opportunity_id")
           if (table, parent) != ("crm_documents", "contact_id")]  # fmt: skip


@pytest.fixture
def acme(db: Session) -> Session:
    """Two organizers of Rita's, each with a contact and an opportunity."""
    for name in ("acme", "other"):
        db.insert("crm_organizers", id=name, company_name=name, assigned_to="rita")
        db.insert(
            "crm_contacts", id=f"{name} contact_id", organizer_id=name, full_name=name, email=f"{name}@client.example"
        )
        db.insert(
            "crm_opportunities",
            id=f"{name} opportunity_id",
            organizer_id=name,
            name=name,
            stage_id="Lead",
            value=1,
            assigned_to="rita",
        )
    return db


# Parents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "parent"), PARENTS)
def test_the_organizer_is_the_parent_s(acme: Session, table: str, parent: str) -> None:
    child = acme.insert(table, **CHILDREN[table], **{parent: f"acme {parent}"})
    assert child.organizer_id == id_of("acme")


@pytest.mark.parametrize(("table", "parent"), PARENTS)
def test_the_organizer_of_another_is_refused(acme: Session, table: str, parent: str) -> None:
    with acme.refused(ForeignKeyViolation):
        acme.insert(table, **CHILDREN[table], organizer_id="other", **{parent: f"acme {parent}"})
    child = acme.insert(table, **CHILDREN[table], organizer_id="other")
    if table != "crm_documents":  # where it lies is not for anybody to change
        with acme.refused(ForeignKeyViolation):
            acme.update(table, child.id, **{parent: f"acme {parent}"})


@pytest.mark.parametrize("table", CHILDREN)
def test_hangs_on_something(acme: Session, table: str) -> None:
    with acme.refused(CheckViolation):
        acme.insert(table, **CHILDREN[table])


@pytest.mark.parametrize(("table", "parent"), PARENTS)
def test_a_rep_needs_only_the_parent(acme: Session, table: str, parent: str) -> None:
    values = {**CHILDREN[table], parent: id_of(f"acme {parent}")}
    values = {column: PERSONAS["rita"].id if value == "rita" else value for column, value in values.items()}
    with acme.acting("rita"):
        acme.run(
            f"insert into {table} ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})", *values.values()
        )
    acme.run("update crm_organizers set assigned_to = %s", PERSONAS["ravi"].id)
    with acme.acting("rita"), acme.refused(InsufficientPrivilege):
        acme.run(
            f"insert into {table} ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})", *values.values()
        )


@pytest.mark.parametrize("parent", ["contact_id", "opportunity_id"])
def test_a_merge_takes_everything_along(acme: Session, parent: str) -> None:
    tables = [table for table, its in PARENTS if its == parent]
    for table in tables:
        acme.insert(table, **CHILDREN[table], **{parent: f"acme {parent}"})
    acme.update(
        "crm_contacts" if parent == "contact_id" else "crm_opportunities", f"acme {parent}", organizer_id="other"
    )
    for table in tables:
        assert acme.rows(f"select organizer_id from {table}") == [(id_of("other"),)], table


@pytest.mark.parametrize("table", ["crm_activities", "crm_notes"])
def test_a_contact_s_removal_keeps_what_was_done_with_it(acme: Session, table: str) -> None:
    acme.insert(table, **CHILDREN[table], contact_id="acme contact_id")
    acme.run("delete from crm_contacts where id = %s", id_of("acme contact_id"))
    assert acme.rows(f"select contact_id, organizer_id from {table}") == [(None, id_of("acme"))]


@pytest.mark.parametrize("table", CHILDREN)
def test_goes_with_its_opportunity_and_its_organizer(acme: Session, table: str) -> None:
    acme.insert(table, **CHILDREN[table], opportunity_id="acme opportunity_id")
    with acme.undone():
        acme.run("delete from crm_opportunities")
        assert acme.one(f"select count(*) from {table}") == 0
    with acme.refused((ForeignKeyViolation, RestrictViolation)):
        acme.run("delete from crm_organizers")
    acme.run("delete from crm_opportunities")
    acme.insert(table, **CHILDREN[table], organizer_id="acme")
    acme.run("delete from crm_organizers")
    assert acme.one(f"select count(*) from {table}") == 0


def test_an_event_s_removal_keeps_deal_and_activity(acme: Session) -> None:
    acme.insert("events", id="expo", organizer_id="acme", name="Expo", event_date="2026-05-01")
    acme.update("crm_opportunities", "acme opportunity_id", event_id="expo")
    acme.insert("crm_activities", **CHILDREN["crm_activities"], organizer_id="acme", event_id="expo")
    acme.run("delete from events")
    assert acme.read("crm_opportunities", "acme opportunity_id").event_id is None
    assert acme.rows("select event_id from crm_activities") == [(None,)]


def test_the_writer_is_whoever_is_looking(acme: Session) -> None:
    with acme.acting("rita"):
        for table, column in [
            ("crm_activities", "user_id"),
            ("crm_notes", "created_by"),
            ("crm_documents", "uploaded_by"),
        ]:
            values = {key: value for key, value in CHILDREN[table].items() if key != column} | {
                "organizer_id": id_of("acme")
            }
            acme.run(
                f"insert into {table} ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",
                *values.values(),
            )
            assert acme.rows(f"select {column} from {table}") == [(PERSONAS["rita"].id,)]
        acme.run("insert into crm_organizers (company_name, assigned_to) values ('New', app.viewer_id())")
        assert acme.one("select created_by from crm_organizers where company_name = 'New'") == PERSONAS["rita"].id


# Tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "is_fine"), [
    ({"type": "task", "is_task": True, "task_status": "pending"}, True),
    ({"type": "task", "is_task": True, "task_status": "pending", "due_date": "2026-05-01"}, True),
    ({"type": "task", "is_task": True, "task_status": "cancelled"}, True),
    ({"type": "task", "is_task": True}, False),
    ({"type": "task", "task_status": "pending"}, False),
    ({"type": "call", "is_task": True, "task_status": "pending"}, False),
    ({"type": "call", "task_status": "completed"}, False),
    ({"type": "call", "due_date": "2026-05-01"}, False),
    ({"type": "task", "is_task": True, "task_status": "someday"}, False),
    ({"type": "lunch"}, False),
    ({"type": "call", "duration_minutes": 0}, True),
    ({"type": "call", "duration_minutes": -1}, False),
], ids=str)  # fmt: skip
def test_a_task_is_a_task_in_every_column(acme: Session, values: dict[str, object], is_fine: bool) -> None:
    values = CHILDREN["crm_activities"] | {"organizer_id": "acme"} | values
    if is_fine:
        acme.insert("crm_activities", **values)
    else:
        with acme.refused(CheckViolation):
            acme.insert("crm_activities", **values)


def test_when_a_task_was_completed_is_kept(acme: Session) -> None:
    task = {"type": "task", "is_task": True, "organizer_id": "acme", "subject": "Call", "user_id": "rita"}
    acme.run("set local eventos.effective_time = '2026-05-01 12:00Z'")
    done = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
    pending = acme.insert("crm_activities", **task, task_status="pending")
    assert pending.completed_at is None
    assert acme.update("crm_activities", pending.id, task_status="completed").completed_at == done
    acme.run("set local eventos.effective_time = '2026-06-01 12:00Z'")
    assert acme.update("crm_activities", pending.id, subject="Called").completed_at == done
    assert acme.update("crm_activities", pending.id, task_status="pending").completed_at is None
    early = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    assert acme.insert("crm_activities", **task, task_status="completed", completed_at=early).completed_at == early


# Contacts and documents ---------------------------------------------------------------------------------------


def test_one_contact_is_the_primary_one(acme: Session) -> None:
    acme.insert(
        "crm_contacts", id="dina", organizer_id="acme", full_name="Dina", email="dina@client.example", is_primary=True
    )
    with acme.refused(UniqueViolation):
        acme.update("crm_contacts", "acme contact_id", is_primary=True)
    with acme.acting("ravi"):
        assert acme.one("select app.make_primary_contact(%s)", id_of("acme contact_id")) == 0
    with acme.acting("rita"):
        assert acme.one("select app.make_primary_contact(%s)", id_of("acme contact_id")) == 1
        before = acme.read("crm_contacts", "acme contact_id").version
        assert acme.one("select app.make_primary_contact(%s)", id_of("acme contact_id")) == 1
        assert acme.read("crm_contacts", "acme contact_id").version == before  # it was so already
        assert acme.one("select app.make_primary_contact(gen_random_uuid())") == 0
    assert acme.rows("select id from crm_contacts where is_primary") == [(id_of("acme contact_id"),)]


def test_versions_of_a_document_stand_side_by_side(acme: Session) -> None:
    file = CHILDREN["crm_documents"] | {"organizer_id": "acme"}
    acme.insert("crm_documents", **file)
    acme.insert("crm_documents", **file | {"storage_path": "b", "version": 2})
    acme.insert("crm_documents", **file | {"storage_path": "c", "organizer_id": "other"})
    with acme.refused(UniqueViolation, "idx_documents_one_version"):
        acme.insert("crm_documents", **file | {"storage_path": "d", "version": 2})
    with acme.refused(UniqueViolation, "crm_documents_storage_path_key"):
        acme.insert("crm_documents", **file | {"version": 3})


@pytest.mark.parametrize("name", ["../../x.csv", "a/b.pdf", "a\\b.pdf", "", " ", "a\nb.pdf", "x" * 256])
def test_a_file_s_name_is_a_name_and_no_path(acme: Session, name: str) -> None:
    with acme.refused(CheckViolation):
        acme.insert("crm_documents", **CHILDREN["crm_documents"] | {"organizer_id": "acme", "file_name": name})


def test_the_uploader_signs_and_says_what_it_is_and_changes_nothing_else(acme: Session) -> None:
    acme.insert("crm_documents", **CHILDREN["crm_documents"], organizer_id="acme")
    with acme.acting("rita"):
        assert acme.run("update crm_documents set is_signed = true, signed_at = now(), signed_by = uploaded_by") == 1
        assert acme.run("update crm_documents set document_type = 'contract'") == 1
        for column in (
            "file_name",
            "storage_path",
            "file_size",
            "version",
            "uploaded_by",
            "organizer_id",
            "row_version",
        ):
            with acme.refused(InsufficientPrivilege):
                acme.run(f"update crm_documents set {column} = {column}")
