"""A rep, a manager and an admin do this and that, in any order: the database is what a simple model of it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection

from app import database as doors
from app.commands import opportunities, organizers
from app.commands.records import Done
from app.commands.undo import undo
from app.errors import Refused
from app.viewer import Viewer
from queries import vocabulary as v
from tests.personas import PERSONAS

ID = {name: persona.id for name, persona in PERSONAS.items()}
TEAMS: Mapping[str, set[str] | None] = {
    "rita": {"rita"},
    "olaf": {"olaf"},
    "max": {"max", "rita", "ravi", "dora"},
    "eve": None,
    "ada": None,
}
DEFAULTS = {"Lead": 10, "Proposal": 50, "Negotiation": 75, "Won": 100, "Lost": 0}
OPEN = ("Lead", "Proposal", "Negotiation")

Row = dict[str, Any]
actors = st.sampled_from(["rita", "max", "ada"])
managers = st.sampled_from(["max", "ada", "ada", "rita"])  # and somebody who may not
places = st.integers(0, 5)


@dataclass
class Change:
    """What a command did to the model's rows: as they were, and as they are since; None where there is none."""

    done: Done
    by: str
    before: Mapping[UUID, Row | None]
    after: Mapping[UUID, Row | None]


class Company(RuleBasedStateMachine):
    owner: ClassVar[Connection]

    @initialize()
    def begin(self) -> None:
        self.rows: dict[UUID, Row] = {}
        self.done: list[Change] = []
        self.viewers = {name: self.seen(name) for name in TEAMS}
        self.stages = dict(self.owner.exec_driver_sql("select name, id from crm_pipeline_stages").all())
        for name in ("rita", "ravi", "olaf"):
            made = uuid4()
            self.rows[made] = {"owner": name}
            insert = "insert into crm_organizers (id, company_name, assigned_to) values (%s, %s, %s)"
            self.owner.exec_driver_sql(insert, (made, name, ID[name]))
        for who, place, probability in (("rita", 0, 30), ("rita", 0, ""), ("max", 1, "")):
            self.create(who, place, 5, "Proposal", probability)

    @staticmethod
    def seen(name: str) -> Viewer:
        found = doors.viewer_of(ID[name])
        assert found
        return found

    # What may be done ----------------------------------------------------------------------------------------

    def may_write(self, name: str, row: Row | None) -> bool:
        team = TEAMS[name]
        if row is None or team is None:
            return name != "eve"
        parent = self.rows.get(row.get("organizer", NO_PARENT), row)
        return row["owner"] in team and parent["owner"] in team

    def may_see(self, name: str, row: Row) -> bool:
        team = TEAMS[name]
        return team is None or row["owner"] in team or self.rows[row["organizer"]]["owner"] in team

    def attempt(self, who: str, is_allowed: bool, command: Callable[[], Done], **after: Row | None) -> Done | None:
        """Does it, and holds the outcome against what the model expects of these rows."""
        wanted = {UUID(key): row for key, row in after.items()}
        before = {key: self.rows.get(key) for key in wanted}
        try:
            done = command()
        except Refused:
            assert not is_allowed
            return None
        assert is_allowed
        if done.records:
            self.become(Change(done, who, before, wanted))
        return done

    def become(self, change: Change) -> None:
        for key, row in change.after.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        self.done.append(change)
        self.has_changed = True

    # What people do ------------------------------------------------------------------------------------------

    @rule(
        who=actors,
        place=st.integers(0, 2),
        value=st.integers(0, 9),
        stage=st.sampled_from(OPEN),
        probability=st.sampled_from(["", 30]),
    )
    def create(self, who: str, place: int, value: int, stage: str, probability: Any) -> None:
        organizer = [key for key, row in self.rows.items() if "organizer" not in row][place]
        given = {"name": "Deal", "organizer_id": organizer, "value": value, "stage_id": self.stages[stage]}
        own = {"probability": probability, "source": "manual"} if probability else {}
        team = TEAMS[who]
        try:
            done = opportunities.create(by=self.viewers[who], given={**given, "probability": probability}, key=uuid4())
        except Refused:
            assert team is not None
            assert self.rows[organizer]["owner"] not in team
            return
        assert team is None or self.rows[organizer]["owner"] in team
        row = {"organizer": organizer, "owner": who, "value": value, **in_stage(stage), **own}
        self.become(Change(done, who, {done.records[0]: None}, {done.records[0]: row}))

    @rule(who=actors, place=places, value=st.integers(0, 9), probability=st.sampled_from(["", 30, 50]))
    def edit(self, who: str, place: int, value: int, probability: Any) -> None:
        deal, row = self.deal(place)
        base = {"value": row["value"], "probability": row["probability"]}
        given = {"value": value, "probability": probability}
        new = {**row, "value": value}
        if probability == "":
            new |= in_stage(row["stage"]) | {"status": row["status"]}
        elif probability != row["probability"]:
            new |= {"probability": probability, "source": "manual"}
        is_allowed = self.may_write(who, row) and (row["status"] == "open" or probability in ("", row["probability"]))
        self.attempt(
            who,
            is_allowed,
            lambda: opportunities.edit(by=self.viewers[who], record_id=deal, base=base, given=given, key=uuid4()),
            **{str(deal): new},
        )

    @rule(who=actors, place=places, stage=st.sampled_from(OPEN), follow_stage=st.booleans())
    def move(self, who: str, place: int, stage: str, follow_stage: bool) -> None:
        deal, row = self.deal(place)
        new = {**row, **in_stage(stage)}
        if row["stage"] == stage:
            new = row
        elif row["source"] == "manual" and not follow_stage:
            new |= {"probability": row["probability"], "source": "manual"}
        stage_id = self.stages[stage]
        self.attempt(
            who,
            self.may_write(who, row),
            lambda: opportunities.move(
                by=self.viewers[who], ids=[deal], stage_id=stage_id, follow_stage=follow_stage, key=uuid4()
            ),
            **{str(deal): new},
        )

    @rule(who=actors, place=places, is_won=st.booleans())
    def close(self, who: str, place: int, is_won: bool) -> None:
        deal, row = self.deal(place)
        given: dict[str, Any] = {"by": self.viewers[who], "ids": [deal], "key": uuid4()}
        self.attempt(
            who,
            self.may_write(who, row) and row["status"] == "open",
            lambda: (
                opportunities.win(**given, closed_on="2026-01-01")
                if is_won
                else opportunities.lose(**given, loss_reason="So")
            ),
            **{str(deal): {**row, **in_stage("Won" if is_won else "Lost")}},
        )

    @rule(who=managers, place=places, to=st.sampled_from(["rita", "ravi", "olaf"]))
    def reassign(self, who: str, place: int, to: str) -> None:
        (deal, row), team = self.deal(place), TEAMS[who]
        self.attempt(
            who,
            who != "rita" and self.may_write(who, row) and (team is None or to in team or to == row["owner"]),
            lambda: opportunities.reassign(by=self.viewers[who], ids=[deal], owner=ID[to], key=uuid4()),
            **{str(deal): {**row, "owner": to}},
        )

    @rule(who=managers, place=st.integers(0, 2), to=st.sampled_from(["rita", "ravi", "olaf"]), along=st.booleans())
    def give_away(self, who: str, place: int, to: str, along: bool) -> None:
        organizer = [key for key, row in self.rows.items() if "organizer" not in row][place]
        row, team = self.rows[organizer], TEAMS[who]
        following = {
            str(key): {**deal, "owner": to}
            for key, deal in self.rows.items()
            if along
            and deal.get("organizer") == organizer
            and deal["status"] == "open"
            and deal["owner"] == row["owner"] != to
        }
        self.attempt(
            who,
            who != "rita" and self.may_write(who, row) and (team is None or to in team or to == row["owner"]),
            lambda: organizers.reassign(
                by=self.viewers[who], ids=[organizer], owner=ID[to], with_opportunities=along, key=uuid4()
            ),
            **{str(organizer): {**row, "owner": to}},
            **following,
        )

    @rule(who=managers, place=places)
    def delete(self, who: str, place: int) -> None:
        deal, _ = self.deal(place)
        self.attempt(
            who,
            who == "ada",
            lambda: opportunities.delete(by=self.viewers[who], ids=[deal], key=uuid4()),
            **{str(deal): None},
        )

    @rule(who=actors, back=st.integers(0, 2))
    def undo(self, who: str, back: int) -> None:
        assume(back < len(self.done))
        change = self.done[-1 - back]
        try:
            done = undo(by=self.viewers[who], change=change.done.change)
        except Refused:
            theirs = who == "ada" or who == change.by
            both = [*change.before.values(), *change.after.values()]
            assert back or not (theirs and all(self.may_write(who, row) for row in both))
            return
        assert who in ("ada", change.by)
        restored: dict[UUID, Row | None] = {}
        for key, was in change.before.items():
            became, now = change.after[key], self.rows.get(key)
            if was is None or became is None or now is None:
                assert now == became
                restored[key] = was
            else:
                moved = {column for column in was if was[column] != became[column]}
                assert all(now[column] == became[column] for column in moved)
                restored[key] = {**now, **{column: was[column] for column in moved}}
        self.become(Change(done, who, {key: self.rows.get(key) for key in restored}, restored))

    def deal(self, place: int) -> tuple[UUID, Row]:
        deals = [(key, row) for key, row in self.rows.items() if "organizer" in row]
        assume(deals)
        return deals[place % len(deals)]

    # What everybody sees -------------------------------------------------------------------------------------

    @invariant()
    def everybody_sees_theirs_as_it_is(self) -> None:
        if not hasattr(self, "rows"):
            return
        names = {key: name for name, key in ID.items()}
        stage_names = {key: name for name, key in self.stages.items()}
        deals = v.opportunities.c
        statement = sa.select(
            *(deals.id, deals.organizer_id, deals.assigned_to, deals.value, deals.stage_id, deals.status),
            *(deals.probability, deals.probability_source),
        ).where(deals.organizer_id.in_(self.rows))
        # Where nothing should have changed, it is enough that nothing has.
        asking = self.viewers if self.has_changed else {"eve": self.viewers["eve"]}
        self.has_changed = False
        for name, viewer in asking.items():
            with doors.reading(viewer) as db:
                found = {
                    row.id: {
                        "organizer": row.organizer_id,
                        "owner": names[row.assigned_to],
                        "value": row.value,
                        "stage": stage_names[row.stage_id],
                        "status": row.status,
                        "probability": row.probability,
                        "source": row.probability_source,
                    }
                    for row in db.execute(statement)
                }
            deals_of_it = {key: row for key, row in self.rows.items() if "organizer" in row}
            assert found == {key: row for key, row in deals_of_it.items() if self.may_see(name, row)}, name


NO_PARENT = UUID(int=0)


def in_stage(stage: str) -> Row:
    status = stage.lower() if stage in ("Won", "Lost") else "open"
    return {"stage": stage, "status": status, "probability": DEFAULTS[stage], "source": "stage"}


def test_the_database_is_what_the_model_says(owner: Connection) -> None:
    Company.owner = owner
    run_state_machine_as_test(
        Company,
        settings=settings(
            max_examples=8,
            stateful_step_count=25,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
