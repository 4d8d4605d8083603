"""Undo: what a change did is put back whole, or refused with a sentence; nothing else moves."""

# ruff: noqa: E501 (tables and statements are read across)

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.commands import undo as commands
from app.errors import Conflict, NotAllowed, NotFound
from app.fields import NOUNS
from app.viewer import Viewer
from tests.tables import given, id_of

Change = Callable[..., int]


@pytest.fixture
def company(owner: Connection) -> Connection:
    """Acme is Rita's, with two contacts, a deal in Proposal, what was done with them; Other is Ravi's."""
    given(
        owner,
        "crm_organizers",
        """
        id    | company_name | assigned_to | website                  | tags
        acme  | Acme Events  | rita        | null                     | {big}
        twin  | ACME events  | rita        | https://www.acme.example | {small,big}
        other | Other        | ravi        | null                     | {}
    """,
    )
    given(
        owner,
        "crm_contacts",
        """
        id   | organizer_id | full_name | email             | is_primary | phone
        cleo | acme         | Cleo      | cleo@acme.example | true       | null
        carl | acme         | Carl      | carl@acme.example | false      | null
        cloe | twin         | Cloe      | CLEO@acme.example | true       | 123
        tina | twin         | Tina      | tina@twin.example | false      | null
    """,
    )
    given(
        owner,
        "events",
        """
        id   | organizer_id | name | event_date
        fair | twin         | Fair | 2026-03-01
    """,
    )
    given(
        owner,
        "crm_opportunities",
        """
        id   | organizer_id | name | stage_id | value | assigned_to | event_id
        gala | acme         | Gala | Proposal | 100   | rita        | null
        ball | twin         | Ball | Lead     | 50    | rita        | fair
    """,
    )
    given(
        owner,
        "crm_activities",
        """
        id   | organizer_id | contact_id | opportunity_id | type | subject | user_id | task_status | is_task | activity_date
        call | acme         | cleo       | gala           | call | Call    | rita    |             | false   | 2026-01-05
        task | acme         | cleo       | null           | task | Task    | rita    | pending     | true    | 2026-01-06
        talk | twin         | cloe       | ball           | call | Talk    | rita    |             | false   | 2026-01-07
        mail | twin         | tina       | null           | call | Mail    | rita    |             | false   | 2026-01-08
    """,
    )
    given(
        owner,
        "crm_notes",
        """
        id   | organizer_id | contact_id | content | created_by
        memo | acme         | cleo       | Memo    | rita
        line | twin         | cloe       | Line    | rita
    """,
    )
    given(
        owner,
        "crm_documents",
        """
        id    | organizer_id | opportunity_id | file_name | file_type       | file_size | storage_path | uploaded_by
        offer | acme         | gala           | offer.pdf | application/pdf | 1         | a            | rita
        bid   | twin         | ball           | offer.pdf | application/pdf | 1         | b            | rita
    """,
    )
    given(
        owner,
        "crm_organizer_scores",
        """
        organizer_id | scored_on  | engagement_score
        twin         | 2026-01-01 | 40
        twin         | 2026-01-02 | 38
    """,
    )
    return owner


@pytest.fixture
def change(company: Connection, writing_as: Callable[..., Any]) -> Change:
    """change("rita", statement, reason=…): her change, committed; returns its number. Ids are words in {braces}."""

    def change(who: str, *statements: str, reason: str | None = None) -> int:
        with writing_as(who, reason) as db:
            for statement in statements:
                db.exec_driver_sql(in_words(company, statement).replace("%", "%%"))
            return int(db.exec_driver_sql("select pg_current_xact_id()").scalar_one())

    return change


def in_words(owner: Connection, statement: str) -> str:
    stages = dict(owner.exec_driver_sql("select name, id from crm_pipeline_stages").all())
    for part in statement.split("{")[1:]:
        word = part.split("}")[0]
        statement = statement.replace(f"{{{word}}}", f"'{stages.get(word) or id_of(word)}'")
    return statement


# What an undo may leave different: who saved last, and that it happened at all.
_WITNESSES = {"crm_audit", "crm_opportunity_history", "crm_stage_history", "crm_undone", "crm_file_removals"}
_COUNTS = {"crm_stage_stay_counts": "stays", "crm_activity_counts": "activities",
           "crm_activity_counts_by_person": "activities"}  # fmt: skip


def everything(owner: Connection) -> dict[str, list[str]]:
    """Every row of every table, without its version."""
    tables = owner.exec_driver_sql(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    ).scalars()
    return {
        table: sorted(
            owner.exec_driver_sql(
                "select (to_jsonb(record) - array['updated_at', 'row_version']"
                + ("" if table == "crm_documents" else " - 'version'")
                + f")::text from {table} as record"
                + (f" where {_COUNTS[table]} <> 0" if table in _COUNTS else "")
            ).scalars()
        )
        for table in tables
        if table not in _WITNESSES
    }


ONE_OF_EACH = {
    "an edit": ["update crm_organizers set industry = 'Sports', tags = array['new'] where id = {acme}"],
    "a move": ["update crm_opportunities set stage_id = {Negotiation} where id = {gala}"],
    "a win": ["update crm_opportunities set stage_id = {Won} where id = {gala}"],
    "several steps": ["update crm_opportunities set stage_id = {Lost}, loss_reason = 'Price' where id = {gala}",
                      "update crm_opportunities set stage_id = {Lead}, value = 7 where id = {gala}",
                      "update crm_opportunities set probability = 33, probability_reason = 'A feeling' where id = {gala}"],
    "a new record": ["insert into crm_notes (id, organizer_id, content, created_by) values ({new}, {acme}, 'New', {rita})"],
    "a new record with another on it": [
        "insert into crm_contacts (id, organizer_id, full_name, email) values ({new}, {acme}, 'New', 'new@x.example')",
        "insert into crm_activities (organizer_id, contact_id, type, subject, user_id) values ({acme}, {new}, 'call', 'First', {rita})"],
    "a note that goes": ["delete from crm_notes where id = {memo}"],
    "another primary contact": ["select app.make_primary_contact({carl})"],
    "a task done": ["update crm_activities set task_status = 'completed', activity_date = now() where id = {task}"],
    "a contact that moves": ["update crm_contacts set organizer_id = {acme} where id = {tina}"],
    "a merge": ["select app.merge_organizers({acme}, {twin})"],
    "a merge the other way round": ["select app.merge_organizers({twin}, {acme})"],
}  # fmt: skip
OF_ADMINS = {
    "a contact that goes": ["delete from crm_contacts where id = {cleo}"],
    "a deal that goes with what hangs on it": ["delete from crm_opportunities where id = {gala}"],
    "an organizer that goes with everything": [
        "delete from crm_opportunities where id = {ball}", "delete from crm_organizers where id = {twin}"],
    "an account handed over": ["update crm_organizers set assigned_to = {ravi} where id = {acme}",
                               "update crm_opportunities set assigned_to = {ravi} where organizer_id = {acme}"],
    "a person who leaves": ["update crm_profiles set is_active = false where user_id = {rita}"],
    "a setting": ["update crm_settings set organisation_name = 'Other'"],
    "two stages that change places": [
        "update crm_pipeline_stages set order_index = case order_index when 1 then 2 else 1 end where order_index < 3"],
    "a stage that goes": ["update crm_opportunities set stage_id = {Lead} where stage_id = {Proposal}",
                          "delete from crm_pipeline_stages where id = {Proposal}"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("who", "statements"),
    [pytest.param("rita", each, id=name) for name, each in ONE_OF_EACH.items()]
    + [pytest.param("ada", each, id=name) for name, each in OF_ADMINS.items()],
)
def test_everything_is_as_it_was_and_can_be_done_again(
    company: Connection, change: Change, viewer: Callable[..., Viewer], who: str, statements: list[str]
) -> None:  # fmt: skip
    before = everything(company)
    number = change(who, *statements)
    after = everything(company)
    assert before != after
    undone = commands.undo(by=viewer(who), change=number)
    assert everything(company) == before
    commands.undo(by=viewer(who), change=undone.change)
    assert everything(company) == after


_AT_RANDOM = st.one_of(
    st.sampled_from([statement for each in (ONE_OF_EACH | OF_ADMINS).values() for statement in each]),
    st.builds(
        "update crm_opportunities set value = {}, stage_id = {{{}}}, probability = {} where id = {{{}}}".format,
        st.decimals(0, 10**15, places=2), st.sampled_from(["Lead", "Proposal", "Won", "Lost"]),
        st.sampled_from(["null", "0", "63"]), st.sampled_from(["gala", "ball"]),
    ),
    st.builds(
        "insert into crm_contacts (id, organizer_id, full_name, email, is_primary)"
        " values ({{{}}}, {{{}}}, 'New', '{}', {})".format,
        st.sampled_from(["cleo", "new", "newer"]), st.sampled_from(["acme", "twin"]),
        st.sampled_from(["cleo@acme.example", "new@acme.example"]), st.booleans(),
    ),
    st.builds("delete from {} where id = {{{}}}".format, st.sampled_from(["crm_contacts", "events", "crm_organizers"]),
              st.sampled_from(["cleo", "cloe", "tina", "fair", "twin", "other"])),
)  # fmt: skip


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@generated(statements=st.lists(_AT_RANDOM, min_size=1, max_size=6))
def test_whatever_a_change_did_is_undone(
    company: Connection, writing_as: Callable[..., Any], viewer: Callable[..., Viewer], statements: list[str]
) -> None:  # fmt: skip
    before = everything(company)
    with writing_as("ada") as db:
        for statement in statements:
            with suppress(sa.exc.DBAPIError), db.begin_nested():
                db.exec_driver_sql(in_words(company, statement))
        number = int(db.exec_driver_sql("select pg_current_xact_id()").scalar_one())
    if everything(company) != before:
        commands.undo(by=viewer("ada"), change=number)
        assert everything(company) == before


def test_a_deal_moved_by_mistake_is_as_old_in_its_stage_as_before(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    stay = "select stage_entered_at from crm_opportunity_history where opportunity_id = %s and valid_to is null"
    entered = company.exec_driver_sql(stay, (id_of("gala"),)).scalar_one()
    number = change("rita", "update crm_opportunities set stage_id = {Won} where id = {gala}")
    commands.undo(by=viewer("rita"), change=number)
    assert company.exec_driver_sql(stay, (id_of("gala"),)).scalar_one() == entered
    finished = "select count(*) from crm_opportunity_history where next_stage_id is not null"
    assert company.exec_driver_sql(finished).scalar_one() == 0
    recounted = "select count(*) from crm_stage_stay_counts where stays <> 0"
    assert company.exec_driver_sql(recounted).scalar_one() == 0


# What stands in its way -----------------------------------------------------------------------------------------

STANDS_ON = [
    ("update crm_opportunities set value = 7 where id = {gala}",
     "update crm_opportunities set value = 8 where id = {gala}",
     r"Max changed value of the opportunity “Gala” on .*, and that stands on it\. Undo that first"),
    ("update crm_opportunities set value = 7 where id = {gala}",
     "delete from crm_opportunities where id = {gala}", "Ada deleted the opportunity “Gala” on"),
    ("insert into crm_notes (id, organizer_id, content, created_by) values ({new}, {acme}, 'New', {rita})",
     "update crm_notes set is_pinned = true where id = {new}", "Ada changed is pinned of the note “New” on"),
    ("insert into crm_contacts (id, organizer_id, full_name, email) values ({new}, {acme}, 'New', 'n@x.example')",
     "insert into crm_activities (organizer_id, contact_id, type, subject, user_id)"
     " values ({acme}, {new}, 'call', 'First', {max})",
     "Max added the activity “First” on .*, and it hangs on what would go"),
    ("delete from crm_notes where id = {memo}",
     "insert into crm_notes (id, organizer_id, content, created_by) values ({memo}, {acme}, 'Back', {max})",
     "Max added the note “Back”"),
    ("update crm_contacts set email = 'first@acme.example' where id = {carl}",
     "update crm_contacts set email = 'carl@acme.example' where id = {cleo}", "the only one of its kind"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "then", "sentence"), STANDS_ON)
def test_is_refused_where_a_later_change_stands_on_it(
    company: Connection, change: Change, viewer: Callable[..., Viewer], first: str, then: str, sentence: str
) -> None:  # fmt: skip
    number = change("rita", first)
    change("ada" if "Ada" in sentence else "max", then)
    before = everything(company)
    with pytest.raises(Conflict, match=sentence):
        commands.undo(by=viewer("rita"), change=number)
    assert everything(company) == before


def test_other_fields_may_have_changed_since(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:
    number = change("rita", "update crm_opportunities set value = 7, name = 'Ball' where id = {gala}")
    change("max", "update crm_opportunities set description = 'Later' where id = {gala}")
    commands.undo(by=viewer("rita"), change=number)
    found = company.exec_driver_sql(
        "select value, name, description from crm_opportunities where id = %s", (id_of("gala"),)
    )
    assert tuple(found.one()) == (100, "Gala", "Later")


def test_a_later_change_that_was_undone_does_not_stand_on_it(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    before = everything(company)
    first = change("rita", "update crm_opportunities set value = 7 where id = {gala}", reason="A guess")
    second = change("rita", "update crm_opportunities set value = 8 where id = {gala}")
    commands.undo(by=viewer("rita"), change=second)
    undone = commands.undo(by=viewer("rita"), change=first)
    assert everything(company) == before
    assert (undone.said, undone.records) == ("Undone: Gala is as it was.", (id_of("gala"),))
    reasons = (
        company.exec_driver_sql("select reason from crm_audit where actor is not null order by id").scalars().all()
    )
    assert (reasons[0], reasons[3]) == ("A guess", "Undone: A guess")
    assert reasons[2] == "Undone: Rita changed value of the opportunity “Gala”"


def test_nothing_is_undone_twice(company: Connection, change: Change, viewer: Callable[..., Viewer]) -> None:
    number = change("rita", "update crm_opportunities set value = 7 where id = {gala}")
    commands.undo(by=viewer("rita"), change=number)
    with pytest.raises(Conflict, match="undone already"):
        commands.undo(by=viewer("ada"), change=number)


def test_what_was_written_on_another_clock_is_the_same(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    company.exec_driver_sql("update crm_profiles set time_zone = 'Asia/Tokyo' where full_name = 'Ada'")
    before = everything(company)
    number = change("rita", "update crm_activities set activity_date = '2026-02-03 12:00Z' where id = {call}")
    commands.undo(by=viewer("ada"), change=number)
    assert everything(company) == before


# Whose it is to undo ----------------------------------------------------------------------------------------------


def test_others_do_not_undo_it(company: Connection, change: Change, viewer: Callable[..., Viewer]) -> None:
    number = change("rita", "update crm_opportunities set value = 7 where id = {gala}")
    for who in ("max", "ravi", "eve"):
        with pytest.raises(NotAllowed, match="they or an admin"):
            commands.undo(by=viewer(who), change=number)
    commands.undo(by=viewer("ada"), change=number)


def test_whoever_may_not_change_it_any_more_does_not_undo_it(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    number = change("rita", "update crm_opportunities set value = 7 where id = {gala}")
    change("ada", "update crm_organizers set assigned_to = {ravi} where id = {acme}")
    with pytest.raises(NotAllowed, match="Not every record in it is yours"):
        commands.undo(by=viewer("rita"), change=number)


def test_nothing_comes_back_to_where_the_viewer_may_not_put_it(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    given(
        company,
        "crm_organizers",
        """
        id  | company_name | assigned_to
        old | Old          | max
    """,
    )
    number = change("max", "update crm_organizers set assigned_to = {rita} where id = {old}")
    company.exec_driver_sql("update crm_profiles set manager_id = null where full_name = 'Rita'")
    with pytest.raises(NotAllowed):
        commands.undo(by=viewer("max"), change=number)


def test_there_is_nothing_to_undo(company: Connection, change: Change, viewer: Callable[..., Viewer]) -> None:
    number = change("rita", "insert into crm_saved_views (page, name, query) values ('pipeline', 'Mine', '')")
    for unknown in (number, number + 1000, 0):
        with pytest.raises(NotFound):
            commands.undo(by=viewer("rita"), change=unknown)


def test_a_stage_s_probability_is_undone_where_it_was_set(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    number = change("ada", "insert into crm_stage_changes (stage_id, probability_before, probability, follows, opportunities,"
                           " effect, currency, without_rate, reason) values ({Lead}, 1, 2, 'new', 0, 0, 'CAD', 0, 'x')")  # fmt: skip
    with pytest.raises(Conflict, match="on the page Stages"):
        commands.undo(by=viewer("ada"), change=number)


# One entry of a record's history ----------------------------------------------------------------------------------


def entry_of(owner: Connection, record: str) -> int:
    latest = "select max(id) from crm_audit where record_id = %s"
    return int(owner.exec_driver_sql(latest, (id_of(record),)).scalar_one())


def test_an_entry_is_restored_over_what_came_later(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    change("rita", "update crm_opportunities set stage_id = {Negotiation}, value = 7 where id = {gala}")
    entry = entry_of(company, "gala")
    change("rita", "update crm_opportunities set stage_id = {Won}, value = 8, name = 'Won' where id = {gala}")
    done = commands.restore(by=viewer("rita"), noun=NOUNS["opportunity"], record_id=id_of("gala"), entry=entry)
    found = company.exec_driver_sql(
        "select stage.name, status, value, probability, deal.name, actual_close_date from crm_opportunities as deal"
        " join crm_pipeline_stages as stage on stage.id = stage_id where deal.id = %s", (id_of("gala"),)
    )  # fmt: skip
    assert tuple(found.one()) == ("Proposal", "open", 100, 50, "Won", None)
    commands.undo(by=viewer("rita"), change=done.change)


def test_a_deleted_record_is_restored_with_what_went_along(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    before = everything(company)
    change("ada", "delete from crm_contacts where id = {cleo}")
    commands.restore(by=viewer("ada"), noun=NOUNS["contact"], record_id=id_of("cleo"), entry=entry_of(company, "cleo"))
    assert everything(company) == before


def test_what_one_may_not_change_one_does_not_restore(
    company: Connection, change: Change, viewer: Callable[..., Viewer]
) -> None:  # fmt: skip
    number = change("rita", "update crm_opportunities set value = 7 where id = {gala}")
    gala = {"noun": NOUNS["opportunity"], "record_id": id_of("gala"), "entry": entry_of(company, "gala")}
    with pytest.raises(NotAllowed):
        commands.restore(by=viewer("eve"), **gala)
    with pytest.raises(NotFound):
        commands.restore(by=viewer("ravi"), **gala)
    with pytest.raises(NotFound, match="nothing in it"):
        first = company.exec_driver_sql("select min(id) from crm_audit where record_id = %s", (id_of("gala"),))
        commands.restore(by=viewer("rita"), **{**gala, "entry": first.scalar_one()})
    assert number
