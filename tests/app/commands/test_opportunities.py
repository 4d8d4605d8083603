"""Moving, winning, losing, abandoning, reopening and reassigning opportunities."""

# ruff: noqa: E501 (tables are read across)

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from app.commands import opportunities
from app.errors import Clashes, InvalidFields, NotAllowed, RowRefusals
from app.viewer import Viewer
from tests.tables import id_of

ViewerOf = Callable[..., Viewer]
Stored = Callable[[str, str | UUID], Mapping[str, Any]]


@pytest.fixture
def stage(sold: Connection) -> Callable[[str], UUID]:
    def stage(name: str) -> UUID:
        found = sold.exec_driver_sql("select id from crm_pipeline_stages where name = %s", (name,)).scalar_one()
        return UUID(str(found))

    return stage


def ids(*records: str) -> list[UUID]:
    return [id_of(record) for record in records]


def is_now(stored: Stored, record: str, *columns: str) -> tuple[Any, ...]:
    row = stored("opportunity", record)
    return tuple(row[column] for column in columns)


@pytest.mark.parametrize(("record", "follow_stage", "probability", "source"), [
    ("gala", False, 25, "stage"), ("gala", True, 25, "stage"), ("ball", False, 40, "manual"), ("ball", True, 25, "stage"),
])  # fmt: skip
def test_a_move_overwrites_a_probability_of_ones_own_only_when_asked_to(
    sold: Connection, viewer: ViewerOf, stored: Stored, stage: Callable[[str], UUID],
    record: str, follow_stage: bool, probability: int, source: str,
) -> None:  # fmt: skip
    key = uuid4()
    done = opportunities.move(
        by=viewer("rita"), ids=ids(record), stage_id=stage("Qualified"), follow_stage=follow_stage, key=key
    )
    assert is_now(stored, record, "stage_id", "probability", "probability_source") == (
        stage("Qualified"),
        probability,
        source,
    )
    assert done.said == f"{record.title()} was moved to Qualified."


def test_a_form_may_follow_the_stage_again_or_set_a_number_of_its_own(
    sold: Connection, viewer: ViewerOf, stored: Stored
) -> None:
    rita = viewer("rita")
    for given, expected in (
        ({"probability": ""}, (75, "stage")), ({"probability": "60 %", "probability_reason": "They said so"}, (60, "manual")),
        ({"probability_source": "stage"}, (75, "stage")), ({"probability_source": "manual"}, (75, "manual")),
    ):  # fmt: skip
        base = dict(stored("opportunity", "ball"))
        opportunities.edit(by=rita, record_id=id_of("ball"), base=base, given=given, key=uuid4())
        assert is_now(stored, "ball", "probability", "probability_source") == expected
    base = dict(stored("opportunity", "gala"))
    assert not opportunities.edit(
        by=rita, record_id=id_of("gala"), base=base, given={"probability": None}, key=uuid4()
    ).records


def test_winning_needs_the_day_and_losing_a_reason_however_one_gets_there(
    sold: Connection, viewer: ViewerOf, stored: Stored, stage: Callable[[str], UUID], snapshot: Callable[[], Any]
) -> None:
    rita, before = viewer("rita"), snapshot()
    later = rita.today + timedelta(1)
    gala: dict[str, Any] = {"by": rita, "ids": ids("gala")}
    base = dict(stored("opportunity", "gala"))

    def move(name: str, **more: Any) -> Any:
        return opportunities.move(**gala, stage_id=stage(name), follow_stage=True, key=uuid4(), **more)

    for attempt, field in (
        (lambda: move("Won"), "actual_close_date"),
        (lambda: move("Won", closed_on=later), "actual_close_date"),
        (lambda: move("Won", closed_on="2025-02-30"), "actual_close_date"),
        (lambda: move("Lost"), "loss_reason"),
        (lambda: move("Lost", loss_reason=" "), "loss_reason"),
        (lambda: opportunities.win(**gala, closed_on=later, key=uuid4()), "actual_close_date"),
        (lambda: opportunities.lose(**gala, loss_reason="\u200b", key=uuid4()), "loss_reason"),
        (lambda: opportunities.edit(
            by=rita, record_id=id_of("gala"), base=base, given={"stage_id": stage("Lost")}, key=uuid4()), "loss_reason"),
        (lambda: opportunities.edit(
            by=rita, record_id=id_of("gala"), base=base, given={"actual_close_date": "2025-01-01"}, key=uuid4()), "actual_close_date"),
    ):  # fmt: skip
        with pytest.raises(InvalidFields) as refused:
            attempt()
        assert set(refused.value.fields) == {field}
    assert snapshot() == before
    assert opportunities.win(**gala, closed_on="2025-11-07", key=uuid4()).said == "Gala was won."
    assert is_now(stored, "gala", "status", "actual_close_date", "probability") == ("won", date(2025, 11, 7), 100)
    lost = opportunities.lose(by=rita, ids=ids("ball"), loss_reason=" Too dear ", key=uuid4())
    assert is_now(stored, "ball", "status", "actual_close_date", "loss_reason") == ("lost", rita.today, "Too dear")
    assert lost.records == (id_of("ball"),)


def test_what_is_closed_is_reopened_before_it_is_closed_otherwise(
    sold: Connection, viewer: ViewerOf, stored: Stored, stage: Callable[[str], UUID]
) -> None:
    rita = viewer("rita")
    for attempt in (
        lambda: opportunities.lose(by=rita, ids=ids("past"), loss_reason="Oh", key=uuid4()),
        lambda: opportunities.win(by=rita, ids=ids("past"), closed_on="2025-01-01", key=uuid4()),
        lambda: opportunities.abandon(by=rita, ids=ids("gone"), key=uuid4()),
    ):
        with pytest.raises(InvalidFields, match=r"was closed as (won|lost) on .* Reopen it first"):
            attempt()
    with pytest.raises(InvalidFields, match="Lost is closed"):
        opportunities.reopen(by=rita, ids=ids("past"), stage_id=stage("Lost"), key=uuid4())
    opportunities.reopen(by=rita, ids=ids("past", "gone"), stage_id=stage("Proposal"), key=uuid4())
    for record in ("past", "gone"):
        columns = "status", "probability", "actual_close_date", "loss_reason"
        assert is_now(stored, record, *columns) == ("open", 50, None, None)
    opportunities.abandon(by=rita, ids=ids("past"), key=uuid4())
    assert is_now(stored, "past", "status", "stage_id", "loss_reason") == ("abandoned", stage("Lost"), None)


def test_a_card_that_is_elsewhere_by_now_is_not_moved(
    sold: Connection, viewer: ViewerOf, stored: Stored, stage: Callable[[str], UUID]
) -> None:
    seen = {id_of("gala"): stage("Proposal")}
    opportunities.move(by=viewer("max"), ids=ids("gala"), stage_id=stage("Lead"), follow_stage=False, key=uuid4())
    with pytest.raises(Clashes, match="Max changed Stage on") as refused:
        opportunities.move(
            by=viewer("rita"),
            ids=ids("gala"),
            stage_id=stage("Negotiation"),
            follow_stage=False,
            seen=seen,
            key=uuid4(),
        )
    (clash,) = refused.value.clashes
    assert (clash.base, clash.theirs, clash.yours) == (stage("Proposal"), stage("Lead"), stage("Negotiation"))


def test_a_stage_out_of_use_takes_nothing_in(sold: Connection, viewer: ViewerOf, stage: Callable[[str], UUID]) -> None:
    sold.exec_driver_sql("update crm_pipeline_stages set is_active = false where name = 'Qualified'")
    with pytest.raises(InvalidFields, match="Qualified is not in use any more"):
        opportunities.move(
            by=viewer("rita"), ids=ids("gala"), stage_id=stage("Qualified"), follow_stage=True, key=uuid4()
        )


def test_a_bulk_change_is_one_change_and_all_or_nothing(
    sold: Connection, viewer: ViewerOf, snapshot: Callable[[], Any], stored: Stored
) -> None:
    before = snapshot()
    with pytest.raises(RowRefusals) as refused:
        opportunities.win(by=viewer("max"), ids=ids("gala", "past", "tour"), closed_on="2026-01-01", key=uuid4())
    assert {id_of("past"), id_of("tour")} == set(refused.value.rows)
    assert snapshot() == before
    done = opportunities.win(by=viewer("max"), ids=ids("gala", "ball", "show"), closed_on="2026-01-01", key=uuid4())
    assert done.said == "3\N{NO-BREAK SPACE}opportunities were won."
    changes = (
        sold.exec_driver_sql("select distinct transaction_id::text from crm_audit where actor is not null")
        .scalars()
        .all()
    )
    assert changes == [str(done.change)]


def test_managers_reassign_within_their_team_and_organizers_stay(
    sold: Connection, viewer: ViewerOf, stored: Stored
) -> None:
    with pytest.raises(NotAllowed, match="managers do"):
        opportunities.reassign(by=viewer("rita"), ids=ids("gala"), owner=id_of("rita"), key=uuid4())
    for owner in ("olaf", "dora"):
        with pytest.raises(InvalidFields) as refused:
            opportunities.reassign(by=viewer("max"), ids=ids("gala"), owner=id_of(owner), key=uuid4())
        assert set(refused.value.fields) == {"assigned_to"}
    opportunities.reassign(
        by=viewer("max"), ids=ids("gala", "ball"), owner=id_of("ravi"), key=uuid4(), reason="On leave"
    )
    assert is_now(stored, "gala", "assigned_to") == (id_of("ravi"),)
    assert stored("organizer", "acme")["assigned_to"] == id_of("rita")
    reasons = sold.exec_driver_sql("select distinct reason from crm_audit where actor is not null").scalars().all()
    assert reasons == ["On leave"]
