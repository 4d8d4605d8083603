"""What all records share when they are changed: conflicts, double submits, refusals at their fields, hostile input."""

# ruff: noqa: E501 (tables are read across)

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.commands import records
from app.commands.records import Done
from app.errors import Clashes, Invalid, InvalidFields, NotAllowed, NotFound, RowRefusals
from app.fields import NOUNS
from app.viewer import Viewer
from tests.strategies import NO_ID, given_to, is_as_entered
from tests.tables import id_of

ViewerOf = Callable[..., Viewer]
Stored = Callable[[str, str | UUID], Mapping[str, Any]]
RECORDS = {
    "opportunity": "gala",
    "organizer": "acme",
    "contact": "carl",
    "activity": "task",
    "note": "memo",
    "event": "fair",
    "target": "goal",
    "template": "mail",
    "document": "offer",
}
DEAL = NOUNS["opportunity"]
# Each example is a round trip for every field; what fails is one of few values, and needs no shrinking.
A_FEW = settings(
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def edit(by: Viewer, record: str, base: Mapping[str, Any], noun: str = "opportunity", **given: Any) -> Done:
    return records.edit(NOUNS[noun], by=by, record_id=id_of(record), base=base, given=given, key=uuid4())


@pytest.mark.parametrize("name", RECORDS)
@A_FEW
@given(data=st.data())
def test_a_field_is_saved_as_entered_or_refused_and_no_other_row_changes(
    sold: Connection, viewer: ViewerOf, stored: Stored, snapshot: Callable[[], Any], name: str, data: st.DataObject
) -> None:
    noun, record, ada = NOUNS[name], RECORDS[name], viewer("ada")
    now = snapshot()
    for field in noun.fields:
        entered, before = data.draw(given_to(field), label=field.name), now
        try:
            edit(ada, record, dict(stored(name, record)), name, **{field.name: entered})
        except InvalidFields as refused:
            assert set(refused.fields) == {field.name}, refused.fields  # noqa: PT017  (or it is saved)
            now = snapshot()
            assert now == before
        else:
            now = snapshot()
            touched = {(name, id_of(record))} if field.editable else set()
            if field.name == "is_primary":
                touched.add(("contact", id_of("cleo")))
            assert {key for key in {**before, **now} if now.get(key) != before.get(key)} <= touched
            if field.kind != "organizer":  # which a note or a call has from what else it is about
                assert not touched or is_as_entered(field, entered, stored(name, record)[field.name], ada.time_zone)


@pytest.mark.parametrize("name", sorted(RECORDS.keys() - {"document"}))
@A_FEW
@given(data=st.data())
def test_a_new_record_is_as_entered_or_refused_and_nothing_is_left_of_it(
    sold: Connection, viewer: ViewerOf, stored: Stored, snapshot: Callable[[], Any], name: str, data: st.DataObject
) -> None:
    noun, ada, before = NOUNS[name], viewer("ada"), snapshot()
    for field in noun.given_by("admin", creating=True):
        entered = {**SOUND[name], field.name: data.draw(given_to(field), label=field.name)}
        try:
            done = records.create(noun, by=ada, given=entered, key=uuid4())
        except InvalidFields as refused:
            assert set(refused.fields) == {field.name}, refused.fields  # noqa: PT017  (or it is saved)
        else:
            (made,) = done.records
            assert is_as_entered(field, entered[field.name], stored(name, made)[field.name], ada.time_zone)
            sold.exec_driver_sql(f"delete from {noun.table.name} where id = %s", (made,))
        if field.name == "is_primary":
            sold.exec_driver_sql("update crm_contacts set is_primary = true, version = 1 where full_name = 'Cleo'")
            before = snapshot()
        assert snapshot() == before


SOUND: Mapping[str, Mapping[str, Any]] = {
    "opportunity": {"name": "New", "organizer_id": id_of("acme"), "value": "1 000", "stage_id": None},
    "organizer": {"company_name": "New"},
    "contact": {"full_name": "New", "organizer_id": id_of("acme"), "email": "new@a.eg"},
    "activity": {"type": "task", "subject": "New", "organizer_id": id_of("acme")},
    "note": {"content": "New", "organizer_id": id_of("acme")},
    "event": {"name": "New", "organizer_id": id_of("acme")},
    "template": {"name": "New", "subject": "Hello", "body_html": "<p>Hello</p>"},
    "target": {"user_id": id_of("ravi"), "period_start": "2026-04-01", "amount": "5"},
}


@pytest.fixture(autouse=True)
def _stage(sold: Connection) -> None:
    SOUND["opportunity"]["stage_id"] = stage(sold, "Lead")  # type: ignore[index]


def stage(owner: Connection, name: str) -> UUID:
    return UUID(str(owner.exec_driver_sql("select id from crm_pipeline_stages where name = %s", (name,)).scalar_one()))


# Two people, one record ------------------------------------------------------------------------------------------


def test_fields_that_do_not_clash_merge(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    seen = dict(stored("opportunity", "gala"))
    edit(viewer("max"), "gala", seen, value="2000", name="Gala 2026")
    done = edit(viewer("rita"), "gala", seen, description="With fireworks", name="Gala 2026", currency="CAD")
    now = stored("opportunity", "gala")
    assert (now["value"], now["name"], now["description"], now["version"]) == (2000, "Gala 2026", "With fireworks", 3)
    assert (done.said, done.records) == ("Gala 2026 was changed.", (id_of("gala"),))


def test_fields_that_clash_are_shown_with_both_values_and_nothing_is_written(
    sold: Connection, viewer: ViewerOf, stored: Stored
) -> None:
    seen = dict(stored("opportunity", "gala"))
    edit(viewer("max"), "gala", seen, value="2000", expected_close_date="2026-05-01")
    edit(viewer("ada"), "gala", dict(stored("opportunity", "gala")), name="Ball")
    with pytest.raises(Clashes, match=r"Max changed Value to 2,000.00 on .*; you have 3,000.00") as refused:
        edit(viewer("rita"), "gala", seen, value="3 000", expected_close_date="2026-05-01", description="Mine")
    (clash,) = refused.value.clashes
    assert (clash.field, clash.base, clash.theirs, clash.yours, clash.who) == ("value", 1000, 2000, 3000, "Max")
    assert clash.at is not None
    assert stored("opportunity", "gala")["description"] is None
    # Whoever chooses their own sees theirs as the base, and saves.
    edit(viewer("rita"), "gala", {**seen, "value": clash.theirs}, value="3000", description="Mine")
    now = stored("opportunity", "gala")
    assert (now["value"], now["description"], now["name"]) == (3000, "Mine", "Ball")


def test_a_base_from_a_draft_is_json(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    base = {"value": 1000.0, "expected_close_date": None, "organizer_id": str(id_of("acme")), "name": " Gala "}
    done = edit(
        viewer("rita"), "gala", base, value="1000", organizer_id=id_of("acme"), name="Gala", expected_close_date=""
    )
    assert done.records == ()
    assert "Nothing was changed" in done.said
    assert stored("opportunity", "gala")["version"] == 1


def test_a_value_that_nobody_could_type_is_no_hindrance(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    sold.exec_driver_sql("update crm_opportunities set name = '\u200b' where name = 'Gala'")
    edit(viewer("rita"), "gala", dict(stored("opportunity", "gala")), name="\u200b", value="7")
    assert stored("opportunity", "gala")["value"] == 7


def test_seconds_are_nobody_s_change(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    sold.exec_driver_sql("update crm_activities set activity_date = '2026-01-05 14:30:59.5+00' where subject = 'Call'")
    seen = stored("activity", "call")
    assert edit(viewer("rita"), "call", dict(seen), "activity", activity_date="2026-01-05 09:30").records == ()


# A key is used once ----------------------------------------------------------------------------------------------


def test_the_same_key_writes_once_and_says_the_same(sold: Connection, viewer: ViewerOf) -> None:
    rita, key = viewer("rita"), uuid4()
    given = {**SOUND["opportunity"], "name": "Twice"}
    start = threading.Barrier(2)

    def submit() -> Done:
        start.wait()
        return records.create(DEAL, by=rita, given=given, key=key)

    with ThreadPoolExecutor(2) as pool:
        first, second = (future.result() for future in [pool.submit(submit), pool.submit(submit)])
    assert first == second == records.earlier(by=rita, key=key)
    assert sold.exec_driver_sql("select count(*) from crm_opportunities where name = 'Twice'").scalar_one() == 1
    changed = sold.exec_driver_sql(
        "select distinct transaction_id::text from crm_audit where new ->> 'name' = 'Twice'"
    ).scalars()
    assert list(changed) == [str(first.change)]
    assert records.earlier(by=viewer("ada"), key=key) is None


def test_what_was_refused_may_be_sent_again_under_its_key(sold: Connection, viewer: ViewerOf) -> None:
    key = uuid4()
    for value in ("nothing", "5"):
        given = {**SOUND["opportunity"], "value": value}
        if value == "5":
            assert records.create(DEAL, by=viewer("rita"), given=given, key=key).said == "Opportunity New was created."
        else:
            with pytest.raises(InvalidFields):
                records.create(DEAL, by=viewer("rita"), given=given, key=key)


def test_a_save_whose_connection_breaks_is_made_once(
    sold: Connection, viewer: ViewerOf, superuser: psycopg.Connection[Any]
) -> None:
    tries = []

    def write(db: Connection) -> tuple[str, list[UUID]]:
        db.exec_driver_sql("insert into crm_notes (organizer_id, content) values (%s, 'Once')", (id_of("acme"),))
        tries.append(db.exec_driver_sql("select pg_backend_pid()").scalar_one())
        if len(tries) == 1:
            superuser.execute("select pg_terminate_backend(%s)", tries)
        return "Done.", []

    assert records.once(by=viewer("rita"), key=uuid4(), write=write).said == "Done."
    assert len(set(tries)) == 2
    assert sold.exec_driver_sql("select count(*) from crm_notes where content = 'Once'").scalar_one() == 1


def test_a_reason_that_cannot_be_kept_is_refused(sold: Connection, viewer: ViewerOf) -> None:
    with pytest.raises(Invalid) as refused:
        records.delete(DEAL, by=viewer("ada"), ids=[id_of("gala")], key=uuid4(), reason="a\0b")
    assert refused.value.field == "reason"


# Several at once -------------------------------------------------------------------------------------------------


def test_one_that_cannot_be_saved_keeps_all_from_being_saved_and_says_why(
    sold: Connection, viewer: ViewerOf, snapshot: Callable[[], Any], stored: Stored
) -> None:
    before = snapshot()
    seen = {name: dict(stored("opportunity", name)) for name in ("gala", "ball", "join", "tour", "past")}
    edit(viewer("max"), "ball", seen["ball"], value="77")
    before = snapshot()
    wanted = {
        "gala": {"value": "1,000.00", "name": ""}, "ball": {"value": "78"}, "join": {"name": "Mine"}, "tour": {"name": "Mine"},
        "past": {"name": "Past and gone"},
    }  # fmt: skip
    changes = {id_of(name): (seen[name], given) for name, given in wanted.items()}
    with pytest.raises(RowRefusals, match=r"4.opportunities of 5") as refused:
        records.edit_many(DEAL, by=viewer("rita"), changes=changes, key=uuid4())
    rows = {name: refused.value.rows.get(id_of(name)) for name in wanted}
    assert set(rows["gala"] or {}) == {"value", "name"}
    assert "Max changed Value to 77" in (rows["ball"] or {})["value"]
    assert "colleague" in (rows["join"] or {})[""]
    assert "not for you to see" in (rows["tour"] or {})[""]
    assert rows["past"] is None
    assert snapshot() == before
    good = {id_of("past"): changes[id_of("past")]}
    assert records.edit_many(DEAL, by=viewer("rita"), changes=good, key=uuid4()).said == "Past was changed."


# Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", ["tour", "missing"])
def test_hidden_and_missing_are_told_alike(sold: Connection, viewer: ViewerOf, record: str) -> None:
    with pytest.raises(NotFound, match=r"This opportunity is gone, or it is not for you to see\."):
        edit(viewer("rita"), record, {"name": "Tour"}, name="Mine")


def test_an_executive_changes_nothing(sold: Connection, viewer: ViewerOf, stored: Stored) -> None:
    with pytest.raises(NotAllowed, match="looks at records"):
        edit(viewer("eve"), "gala", dict(stored("opportunity", "gala")), name="Hers")


@pytest.mark.parametrize(("who", "field", "value"), [
    ("rita", "assigned_to", id_of("ravi")), ("max", "assigned_to", id_of("olaf")), ("ada", "assigned_to", id_of("dora")),
    ("ada", "version", 7), ("ada", "expected_revenue", 7), ("ada", "created_at", "2020-01-01"), ("rita", "organizer_id", id_of("cedar")),
    ("rita", "event_id", id_of("expo")), ("rita", "stage_id", NO_ID), ("ada", "event_id", id_of("expo")), ("ada", "id", NO_ID),
])  # fmt: skip
def test_what_is_not_theirs_to_give_is_refused_at_its_field(
    sold: Connection, viewer: ViewerOf, stored: Stored, who: str, field: str, value: object
) -> None:
    with pytest.raises(InvalidFields) as refused:
        edit(viewer(who), "gala", dict(stored("opportunity", "gala")), **{field: value})
    assert set(refused.value.fields) == {field if DEAL.field(field) else ""}


def test_only_an_admin_deletes_and_what_would_take_opportunities_along_stays(
    sold: Connection, viewer: ViewerOf
) -> None:
    organizer = NOUNS["organizer"]
    for who in ("rita", "max"):
        with pytest.raises(NotAllowed, match="Only an admin deletes"):
            records.delete(organizer, by=viewer(who), ids=[id_of("acme")], key=uuid4())
    with pytest.raises(InvalidFields, match=r"4.opportunities.*archive it"):
        records.delete(organizer, by=viewer("ada"), ids=[id_of("acme")], key=uuid4())
    assert records.delete(NOUNS["contact"], by=viewer("ada"), ids=[id_of("cleo"), id_of("carl")], key=uuid4()).said == (
        "2\N{NO-BREAK SPACE}contacts were deleted."
    )
    assert (
        sold.exec_driver_sql("select count(*) from crm_activities where subject in ('Call', 'Task')").scalar_one() == 2
    )
