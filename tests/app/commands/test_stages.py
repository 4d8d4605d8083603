"""What an admin does to the stages, and how it is taken back."""

# ruff: noqa: E501 (tables are read across)

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pandas as pd
import pytest
from sqlalchemy import Connection

from app.commands import stages as commands
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.viewer import Viewer
from queries import pipeline
from queries.scope import Period, Scope
from queries.stages import changes_made
from tests.personas import PERSONAS
from tests.queries import history
from tests.tables import given, id_of

Reading = Callable[..., AbstractContextManager[Connection]]
ViewerOf = Callable[..., Viewer]
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def company(owner: Connection) -> Connection:
    """In Proposal (50 %): two that inherit, one with its own 30 %, one from an import, one in a currency without a rate.

    Elsewhere: one that inherits, one that is won.
    """
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    given(owner, "crm_exchange_rates", """
        currency | rate_date  | rate
        USD      | 2020-01-01 | 1.5
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id     | organizer_id | name   | stage_id    | value   | currency | probability | probability_source | assigned_to
        gala   | acme         | Gala   | Proposal    | 1000.01 | CAD      |             |                    | rita
        summit | acme         | Summit | Proposal    | 400     | USD      |             |                    | rita
        expo   | acme         | Expo   | Proposal    | 800     | CAD      | 30          | manual             | ravi
        fair   | acme         | Fair   | Proposal    | 100     | CAD      | 20          | import             | ravi
        noh    | acme         | Noh    | Proposal    | 9999    | JPY      |             |                    | rita
        camp   | acme         | Camp   | Negotiation | 50      | CAD      |             |                    | rita
        retro  | acme         | Retro  | Won         | 70      | CAD      |             |                    | ravi
    """)  # fmt: skip
    owner.exec_driver_sql("update crm_opportunities set probability_reason = 'They told me' where name = 'Expo'")
    return owner


def stage(owner: Connection, name: str) -> Any:
    return owner.exec_driver_sql("select * from crm_pipeline_stages where name = %s", (name,)).one()


def probabilities(owner: Connection) -> dict[str, tuple[int, str]]:
    rows = owner.exec_driver_sql("select name, probability, probability_source from crm_opportunities")
    return {row.name: (row.probability, row.probability_source) for row in rows}


def change(viewer: ViewerOf, owner: Connection, name: str = "Proposal", **more: Any) -> commands.Saved:
    asked = {"probability": 40, "follows": "inheriting", "reason": "Two years of history", "version": 0, **more}
    found = stage(owner, name)
    asked["version"] = asked["version"] or found.version
    return commands.set_probability(by=viewer("ada"), stage_id=found.id, **asked)


def made(reading_as: Reading, who: str = "ada") -> pd.DataFrame:
    with reading_as(who) as db:
        return changes_made(db)


BEFORE = {
    "Gala": (50, "stage"),
    "Summit": (50, "stage"),
    "Noh": (50, "stage"),
    "Expo": (30, "manual"),
    "Fair": (20, "import"),
    "Camp": (75, "stage"),
    "Retro": (100, "stage"),
}


@pytest.mark.parametrize(
    ("follows", "number", "effect", "now"),
    [
        ("new", 0, "0.00", {}),
        # (1000.01 + 400 × 1.5) × −10 %; the yen has no rate
        ("inheriting", 3, "-160.00", dict.fromkeys(["Gala", "Summit", "Noh"], (40, "stage"))),
        # and 800 × +10 %, 100 × +20 %
        ("all", 5, "-60.00", dict.fromkeys(["Gala", "Summit", "Noh", "Expo", "Fair"], (40, "stage"))),
    ],
)
def test_who_follows_is_chosen(
    company: Connection, viewer: ViewerOf, reading_as: Reading, follows: str, number: int, effect: str, now: Any
) -> None:
    saved = change(viewer, company, follows=follows)
    assert stage(company, "Proposal").default_probability == 40
    assert probabilities(company) == BEFORE | now
    assert (saved.opportunities, saved.effect) == (number, Decimal(effect))
    newest = made(reading_as).iloc[0]
    assert newest["what"] == "50 % → 40 %"
    assert (newest["who"], newest["reason"], newest["follows"]) == ("Ada", "Two years of history", follows)
    assert (newest["opportunities"], newest["effect"]) == (number, Decimal(effect))
    assert bool(newest["can_be_undone"])


def test_the_next_one_to_enter_gets_the_new_value(company: Connection, viewer: ViewerOf) -> None:
    change(viewer, company, follows="new")
    company.exec_driver_sql(
        "update crm_opportunities set stage_id = %s where name = 'Camp'", (stage(company, "Proposal").id,)
    )
    assert probabilities(company)["Camp"] == (40, "stage")


def test_everything_is_audited_under_one_transaction(company: Connection, viewer: ViewerOf) -> None:
    change(viewer, company, follows="all")
    entries = company.exec_driver_sql(
        "select table_name, count(*) as n, count(distinct transaction_id) as transactions, min(actor::text) as actor"
        " from crm_audit where reason = 'Two years of history' group by table_name order by table_name"
    ).all()
    ada = str(PERSONAS["ada"].id)
    assert [(entry.table_name, entry.n, entry.transactions, entry.actor) for entry in entries] == [
        ("crm_opportunities", 5, 1, ada),
        ("crm_pipeline_stages", 1, 1, ada),
        ("crm_stage_changes", 1, 1, ada),
    ]


WHOLE = (
    "select name, stage_id, probability, probability_source, probability_set_by, probability_set_at, probability_reason"
    " from crm_opportunities order by name"
)


@pytest.mark.parametrize("follows", ["new", "inheriting", "all"])
def test_an_undo_restores_everything_that_followed(
    company: Connection, viewer: ViewerOf, reading_as: Reading, follows: str
) -> None:
    before = company.exec_driver_sql(WHOLE).all()
    saved = change(viewer, company, follows=follows)
    undone = commands.undo(by=viewer("ada"), change_id=saved.change_id)
    assert company.exec_driver_sql(WHOLE).all() == before
    assert stage(company, "Proposal").default_probability == 50
    assert (undone.opportunities, undone.effect, undone.kept) == (saved.opportunities, -saved.effect, 0)
    newest, undone_one = made(reading_as).iloc[0], made(reading_as).iloc[1]
    assert (newest["what"], newest["reason"]) == ("40 % → 50 %", "Undone: Two years of history")
    assert bool(undone_one["undone"])
    assert not undone_one["can_be_undone"]
    with pytest.raises(Conflict, match="Ada has undone this already, on"):
        commands.undo(by=viewer("ada"), change_id=saved.change_id)


def test_an_undo_restores_an_older_value_that_never_followed(company: Connection, viewer: ViewerOf) -> None:
    change(viewer, company, probability=60, follows="new")
    second = change(viewer, company, probability=40)
    assert probabilities(company)["Gala"] == (40, "stage")
    commands.undo(by=viewer("ada"), change_id=second.change_id)
    assert probabilities(company)["Gala"] == (50, "stage")  # and not the stage's 60
    assert stage(company, "Proposal").default_probability == 60


def test_what_was_changed_since_keeps_what_it_has(company: Connection, viewer: ViewerOf) -> None:
    saved = change(viewer, company, follows="all")
    company.exec_driver_sql("update crm_opportunities set probability = 90 where name = 'Gala'")
    company.exec_driver_sql(
        "update crm_opportunities set stage_id = %s where name = 'Summit'", (stage(company, "Lost").id,)
    )
    undone = commands.undo(by=viewer("ada"), change_id=saved.change_id)
    assert (undone.opportunities, undone.kept) == (3, 2)
    now = probabilities(company)
    assert (now["Gala"], now["Summit"], now["Expo"]) == ((90, "manual"), (0, "stage"), (30, "manual"))


def test_a_later_change_stands_in_the_way_of_an_undo_and_is_named(
    company: Connection, viewer: ViewerOf, reading_as: Reading
) -> None:
    first = change(viewer, company)
    second = change(viewer, company, probability=60)
    third = change(viewer, company, probability=40)  # the number of the first, and not its doing
    with pytest.raises(Conflict, match=r"Ada set Proposal to 40 % on .*: undo that one first"):
        commands.undo(by=viewer("ada"), change_id=first.change_id)
    for saved in (third, second, first):
        assert made(reading_as).set_index("change_id").loc[str(saved.change_id), "can_be_undone"]
        commands.undo(by=viewer("ada"), change_id=saved.change_id)
    assert probabilities(company) == BEFORE


def test_a_value_set_past_the_page_stands_in_the_way_too(company: Connection, viewer: ViewerOf) -> None:
    saved = change(viewer, company)
    company.exec_driver_sql("update crm_pipeline_stages set default_probability = 45 where name = 'Proposal'")
    with pytest.raises(Conflict, match="Proposal is at 45 % by now, and not at the 40 %"):
        commands.undo(by=viewer("ada"), change_id=saved.change_id)


def test_a_setting_lets_nobody_past_the_rules(company: Connection, writing_as: Reading) -> None:
    """What an undo of the owner's function may, an admin's own statement may not."""
    with writing_as("ada") as db:
        db.exec_driver_sql("select set_config('eventos.undoing', 'yes', true)")
        db.exec_driver_sql("update crm_opportunities set probability = 99 where name = 'Gala'")
    assert probabilities(company)["Gala"] == (99, "manual")


def test_the_same_value_again_brings_stragglers_along(
    company: Connection, viewer: ViewerOf, reading_as: Reading
) -> None:
    change(viewer, company, follows="new")
    saved = change(viewer, company)
    assert saved.opportunities == 3
    newest = made(reading_as).iloc[0]
    assert (newest["what"], bool(newest["can_be_undone"])) == ("40 % again", True)
    commands.undo(by=viewer("ada"), change_id=saved.change_id)
    assert probabilities(company) == BEFORE


def test_two_admins_clash_and_see_both_values(company: Connection, viewer: ViewerOf, owner: Connection) -> None:
    seen = stage(company, "Proposal").version
    company.exec_driver_sql("update crm_user_roles set role = 'admin' where user_id = %s", (PERSONAS["eve"].id,))
    found = stage(company, "Proposal")
    commands.set_probability(
        by=viewer("eve"), stage_id=found.id, probability=60, follows="new", reason="Eve's", version=seen
    )
    with pytest.raises(Conflict, match="Eve changed the probability of Proposal to 60 %; you have 40 %, on"):
        change(viewer, company, version=seen)
    assert stage(company, "Proposal").default_probability == 60
    assert probabilities(company) == BEFORE


def test_edits_of_different_fields_do_not_clash(company: Connection, viewer: ViewerOf) -> None:
    seen = stage(company, "Proposal").version
    commands.recolor(by=viewer("ada"), stage_id=stage(company, "Proposal").id, color="#ABCDEF", version=seen)
    change(viewer, company, version=seen)
    commands.rename(by=viewer("ada"), stage_id=stage(company, "Proposal").id, name=" Offer ", version=seen)
    offer = stage(company, "Offer")
    assert (offer.color, offer.default_probability) == ("#abcdef", 40)


@pytest.mark.parametrize(
    ("given_value", "sentence"),
    [
        (101, "101 is outside 0 to 100"),
        (-1, "-1 is outside 0 to 100"),
        ("abc", "“abc” is no number"),
        ("", "“” is no number"),
        ("NaN", "“NaN” is no number"),
        ("1e999999", "outside 0 to 100"),
        ("12.5", "12.5 is no whole number"),
    ],
)
def test_a_probability_that_is_none_is_refused_at_its_field(
    company: Connection, viewer: ViewerOf, given_value: float | str, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        change(viewer, company, probability=given_value)
    assert refused.value.field == "probability"
    assert probabilities(company) == BEFORE


@pytest.mark.parametrize("given_value", [0, "100 %", " 7 "])
def test_a_probability_may_be_typed(company: Connection, viewer: ViewerOf, given_value: float | str) -> None:
    change(viewer, company, probability=given_value)
    assert stage(company, "Proposal").default_probability == int(str(given_value).strip(" %"))


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 2001])
def test_a_change_takes_a_reason(company: Connection, viewer: ViewerOf, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        change(viewer, company, reason=reason)
    assert refused.value.field == "reason"


def test_a_closed_stage_has_no_probability_to_set(company: Connection, viewer: ViewerOf) -> None:
    with pytest.raises(Invalid, match="Won is closed"):
        change(viewer, company, "Won")


def test_a_stage_that_was_deleted_meanwhile_is_said_to_be(company: Connection, viewer: ViewerOf) -> None:
    lead = stage(company, "Lead")
    commands.delete(by=viewer("ada"), stage_id=lead.id)
    gone = {"by": viewer("ada"), "stage_id": lead.id, "version": lead.version}
    for attempt in (
        lambda: commands.set_probability(**gone, probability=1, follows="new", reason="Why"),
        lambda: commands.rename(**gone, name="X"),
        lambda: commands.move(**gone, place=1),
        lambda: commands.delete(by=viewer("ada"), stage_id=lead.id),
    ):
        with pytest.raises(NotFound, match="This stage is gone"):
            attempt()
    with pytest.raises(NotFound):
        commands.undo(by=viewer("ada"), change_id=uuid4())


@pytest.mark.parametrize("who", ["rita", "max", "eve"])
def test_only_an_admin_changes_stages(company: Connection, viewer: ViewerOf, who: str) -> None:
    saved = change(viewer, company)
    proposal = stage(company, "Proposal")
    before = proposal, probabilities(company)
    # Also somebody whose role changed while their page stood open: the policies hold whatever the page believes.
    for person in (viewer(who), replace(viewer(who), role="admin")):
        it: dict[str, Any] = {"by": person, "stage_id": proposal.id, "version": proposal.version}
        for attempt in (
            lambda it=it: commands.set_probability(**it, probability=1, follows="all", reason="Why"),
            lambda it=it: commands.rename(**it, name="X"),
            lambda it=it: commands.recolor(**it, color="#000000"),
            lambda it=it: commands.activate(**it, is_active=False),
            lambda it=it: commands.make(**it, kind="lost"),
            lambda it=it: commands.move(**it, place=1),
            lambda it=it: commands.set_actions(**it, actions=[]),
            lambda person=person: commands.create(by=person, name="X"),
            lambda person=person: commands.delete(by=person, stage_id=id_of("lead")),
            lambda person=person: commands.undo(by=person, change_id=saved.change_id),
        ):
            with pytest.raises((NotAllowed, NotFound)):
                attempt()
    assert (stage(company, "Proposal"), probabilities(company)) == before


# What it is called, how it looks, where it stands ----------------------------------------------------------------


def order(owner: Connection) -> list[str]:
    return list(owner.exec_driver_sql("select name from crm_pipeline_stages order by order_index").scalars())


def it(viewer: ViewerOf, owner: Connection, name: str) -> dict[str, Any]:
    found = stage(owner, name)
    return {"by": viewer("ada"), "stage_id": found.id, "version": found.version}


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("Lead", 2, ["Qualified", "Lead", "Proposal", "Negotiation", "Won", "Lost"]),
        ("Negotiation", 1, ["Negotiation", "Lead", "Qualified", "Proposal", "Won", "Lost"]),
        ("Lead", 99, ["Qualified", "Proposal", "Negotiation", "Won", "Lost", "Lead"]),
        ("Lead", -5, ["Lead", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]),
    ],
)
def test_a_stage_moves_in_one_go(
    owner: Connection, viewer: ViewerOf, name: str, place: int, expected: list[str]
) -> None:
    commands.move(**it(viewer, owner, name), place=place)
    assert order(owner) == expected


def test_a_name_that_is_taken_or_none_is_refused_at_its_field(owner: Connection, viewer: ViewerOf) -> None:
    for name, sentence in [
        ("lost", "There is a stage called Lost already"),
        (" ", "needs a name"),
        ("x" * 81, "at most 80"),
    ]:
        for attempt in (
            lambda name=name: commands.rename(**it(viewer, owner, "Lead"), name=name),
            lambda name=name: commands.create(by=viewer("ada"), name=name),
        ):
            with pytest.raises(Invalid, match=sentence) as refused:
                attempt()
            assert refused.value.field == "name"
    commands.rename(**it(viewer, owner, "Lead"), name="LEAD")  # its own name in another case
    assert order(owner)[0] == "LEAD"


def test_the_database_says_it_too_where_two_take_a_name_at_once(owner: Connection, writing_as: Reading) -> None:
    with pytest.raises(Invalid, match="There is a stage with this name already"), writing_as("ada") as db:
        db.exec_driver_sql("update crm_pipeline_stages set name = 'LOST' where name = 'Lead'")


def test_a_colour_is_one(owner: Connection, viewer: ViewerOf) -> None:
    with pytest.raises(Invalid) as refused:
        commands.recolor(**it(viewer, owner, "Lead"), color="red; }")
    assert refused.value.field == "color"


def test_a_stage_is_switched_off_and_keeps_what_it_holds(company: Connection, viewer: ViewerOf) -> None:
    commands.activate(**it(viewer, company, "Proposal"), is_active=False)
    assert not stage(company, "Proposal").is_active
    assert probabilities(company) == BEFORE


def test_what_counts_as_won_changes_only_where_nothing_is(company: Connection, viewer: ViewerOf) -> None:
    with pytest.raises(Invalid, match=f"Proposal holds 5{NBSP}opportunities: move them") as refused:
        commands.make(**it(viewer, company, "Proposal"), kind="won")
    assert refused.value.field == "is_closed"
    commands.make(**it(viewer, company, "Lead"), kind="won")
    lead = stage(company, "Lead")
    assert (lead.is_closed, lead.is_won, lead.default_probability) == (True, True, 100)


def test_a_new_stage_stands_behind_the_last_open_one(owner: Connection, viewer: ViewerOf) -> None:
    commands.create(by=viewer("ada"), name="Verbal yes", probability="85 %", color="#00FF00")
    commands.create(by=viewer("ada"), name="Given up", kind="lost")
    assert order(owner) == ["Lead", "Qualified", "Proposal", "Negotiation", "Verbal yes", "Won", "Lost", "Given up"]
    yes = stage(owner, "Verbal yes")
    assert (yes.default_probability, yes.color, yes.is_closed) == (85, "#00ff00", False)
    assert stage(owner, "Given up").default_probability == 0


def test_automatic_actions_are_known_ones(owner: Connection, viewer: ViewerOf) -> None:
    given(owner, "crm_email_templates", """
        name    | subject | body_html | is_active
        Welcome | Hello   | Hello     | true
        Old     | Hello   | Hello     | false
    """)  # fmt: skip
    good = [
        {"action": "send_email", "template": "Welcome"},
        {"action": "create_task", "subject": "Call", "days": 3},
    ]
    commands.set_actions(**it(viewer, owner, "Lead"), actions=good)
    assert stage(owner, "Lead").auto_actions == good
    for bad, field in [
        ({"action": "send_email", "template": "Old"}, "template"),
        ({"action": "send_email"}, "action"),
        ({"action": "create_task", "subject": " ", "days": 1}, "subject"),
        ({"action": "create_task", "subject": "Call", "days": -1}, "days"),
        ({"action": "create_task", "subject": "Call", "days": "soon"}, "action"),
        ({"action": "format_disk"}, "action"),
        ({"action": "send_email", "template": "Welcome", "bcc": "me"}, "action"),
        ({}, "action"),
    ]:
        with pytest.raises(Invalid) as refused:
            commands.set_actions(**it(viewer, owner, "Lead"), actions=[*good, bad])
        assert refused.value.field == field, bad
    assert stage(owner, "Lead").auto_actions == good


def test_actions_stand_in_the_history(owner: Connection, viewer: ViewerOf, reading_as: Reading) -> None:
    commands.set_actions(**it(viewer, owner, "Lead"), actions=[{"action": "create_task", "subject": "Call", "days": 0}])
    newest = made(reading_as, "max").iloc[0]
    assert (newest["stage"], newest["who"], newest["what"]) == ("Lead", "Ada", "automatic actions")


# Coming and going ------------------------------------------------------------------------------------------------


def test_a_stage_in_use_is_deleted_only_with_a_way_out(company: Connection, viewer: ViewerOf) -> None:
    proposal, negotiation = stage(company, "Proposal"), stage(company, "Negotiation")
    ada = viewer("ada")
    with pytest.raises(Invalid, match=f"Proposal holds 5{NBSP}opportunities, 5 of them open") as refused:
        commands.delete(by=ada, stage_id=proposal.id)
    assert refused.value.field == "move_to"
    for elsewhere in (stage(company, "Won").id, proposal.id, uuid4()):
        with pytest.raises(Invalid, match="gone, or of another kind"):
            commands.delete(by=ada, stage_id=proposal.id, move_to=elsewhere)
    assert order(company)[2] == "Proposal"
    assert commands.delete(by=ada, stage_id=proposal.id, move_to=negotiation.id) == 5
    assert "Proposal" not in order(company)
    now = probabilities(company)
    # What inherits follows; what somebody set stays.
    assert (now["Gala"], now["Expo"]) == ((75, "stage"), (30, "manual"))


def test_the_last_stage_of_its_kind_stays(owner: Connection, viewer: ViewerOf) -> None:
    with pytest.raises(Invalid, match="Won is the only stage where opportunities are won"):
        commands.delete(by=viewer("ada"), stage_id=stage(owner, "Won").id)


def test_won_ones_move_to_another_won_stage_and_stay_won(company: Connection, viewer: ViewerOf) -> None:
    signed = commands.create(by=viewer("ada"), name="Signed", kind="won")
    assert commands.delete(by=viewer("ada"), stage_id=stage(company, "Won").id, move_to=signed) == 1
    row = company.exec_driver_sql("select status, stage_id from crm_opportunities where name = 'Retro'").one()
    assert (row.status, UUID(str(row.stage_id))) == ("won", signed)


# What the Pipeline page makes of it ------------------------------------------------------------------------------


@pytest.mark.parametrize("follows", ["inheriting", "all"])
def test_the_movement_sets_an_edit_of_a_default_apart(
    owner: Connection, viewer: ViewerOf, reading_as: Reading, follows: str
) -> None:
    """An edit of a stage between the two dates of the waterfall is a bar of its own, and no real movement."""
    today = viewer("ada").today
    history.stages_since(owner, today - timedelta(days=90))
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    history.happens(owner, f"""
        at                          | deal   | name   | organizer_id | stage_id | value | assigned_to
        {today - timedelta(days=9)} | gala   | Gala   | acme         | Proposal | 1000  | rita
        {today - timedelta(days=8)} | summit | Summit | acme         | Lead     | 500   | rita
    """)  # fmt: skip
    change(viewer, owner, follows=follows)
    owner.exec_driver_sql(
        "update crm_opportunities set stage_id = %s where name = 'Summit'", (stage(owner, "Qualified").id,)
    )
    ada = viewer("ada")
    scope = Scope(
        today=ada.today, as_of=ada.today, period=Period.of("quarter", ada.today), currency="CAD",
        time_zone=ada.organisation.time_zone,
    )  # fmt: skip
    with reading_as("ada") as db:
        terms = pipeline.movement(db, scope, date.fromordinal(today.toordinal() - 1), today).set_index("term")
    moved = {term: row["expected_revenue"] for term, row in terms.iterrows() if row["expected_revenue"]}
    assert moved == {
        "start": Decimal("550.00"),
        "stage_default": Decimal("-100.00"),
        "stage": Decimal("75.00"),
        "end": Decimal("525.00"),
    }
