from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.importing.history import Version, versions
from app.importing.records import Known, Opportunity, Origin, Stage
from tests.app.importing.conftest import NOW, STYLE

HERE = Origin("deals.csv", 2)
STAGES = {
    name: Stage(id=uuid4(), origin=HERE, name=name, probability=probability, outcome=outcome)
    for name, probability, outcome in (
        ("Talking", 30, None), ("Deciding", 60, None), ("Won", 100, "won"), ("Lost", 0, "lost"),
    )
}  # fmt: skip
BY_ID = {stage.id: stage for stage in STAGES.values()}
NAMES: dict[UUID | None, str | None] = {None: None} | {stage.id: stage.name for stage in STAGES.values()}
TODAY = STYLE.moment_of(date(2025, 5, 31))


def on(day: str) -> datetime:
    return STYLE.moment_of(date.fromisoformat(f"2025-{day}"))


def deal(stage: str, created: str | None, closed: str | None = None, value: int = 100, **fields: object) -> Opportunity:
    return Opportunity(
        id=uuid4(), origin=HERE, organizer=uuid4(), name="Gala", stage=STAGES[stage].id, value=Decimal(value),
        created=on(created) if created else None,
        actual_close_date=date.fromisoformat(f"2025-{closed}") if closed else None, **fields,
    )  # type: ignore[arg-type]  # fmt: skip


def known(day: str, stage: str, value: int | None = None, **fields: object) -> Known:
    worth = None if value is None else Decimal(value)
    return Known(
        id=uuid4(), origin=HERE, opportunity=uuid4(), stage=STAGES[stage].id, at=on(day), value=worth, **fields
    )  # type: ignore[arg-type]


def told(opportunity: Opportunity, *rows: Known) -> list[tuple[object, ...]]:
    """Day, stage, day of its entry, value and status of each version."""
    return [
        (
            f"{version.valid_from:%m-%d}",
            NAMES[version.stage],
            version.stage_entered_at and f"{version.stage_entered_at:%m-%d}",
            int(version.value),
            version.status,
        )
        for version in versions(opportunity, rows, BY_ID, TODAY, STYLE)
    ]


def test_before_the_first_known_row_the_stage_is_unknown() -> None:
    rows = (known("02-01", "Talking", 80), known("03-01", "Deciding", 100))
    assert told(deal("Deciding", "01-10"), *rows) == [
        ("01-10", None, None, 80, "open"),
        ("02-01", "Talking", "02-01", 80, "open"),
        ("03-01", "Deciding", "03-01", 100, "open"),
    ]
    unknown, *_ = versions(deal("Deciding", "01-10"), rows, BY_ID, TODAY, STYLE)
    assert (unknown.probability, unknown.probability_source, unknown.expected_close_date) == (None, None, None)


def test_a_closed_deal_without_history_closes_at_its_closing_date() -> None:
    assert told(deal("Won", "01-10", closed="03-15")) == [
        ("01-10", None, None, 100, "open"),
        ("03-15", "Won", "03-15", 100, "won"),
    ]


def test_an_open_deal_without_history_is_seen_in_its_stage_on_the_exports_last_day() -> None:
    assert told(deal("Talking", "01-10")) == [
        ("01-10", None, None, 100, "open"),
        ("05-31", "Talking", "05-31", 100, "open"),
    ]
    assert told(deal("Talking", None)) == [("05-31", "Talking", "05-31", 100, "open")]


def test_a_state_that_no_row_explains_was_seen_on_the_last_day() -> None:
    assert told(deal("Talking", "02-01", value=150), known("02-01", "Talking", 80))[-1] == (
        "05-31", "Talking", "02-01", 150, "open",
    )  # fmt: skip


def test_history_older_than_the_creation_is_the_creation() -> None:
    assert told(deal("Talking", "02-10"), known("02-01", "Talking", 100)) == [
        ("02-01", "Talking", "02-01", 100, "open")
    ]


def test_a_deal_closed_before_it_was_entered_began_then() -> None:
    assert told(deal("Won", "03-20", closed="03-15")) == [("03-15", "Won", "03-15", 100, "won")]


def test_the_closing_date_wins_over_what_was_written_down_later_or_earlier() -> None:
    assert told(deal("Won", "02-01", closed="03-15"), known("02-01", "Talking"), known("04-01", "Deciding")) == [
        ("02-01", "Talking", "02-01", 100, "open"),
        ("03-15", "Won", "03-15", 100, "won"),
    ]
    assert told(deal("Won", "02-01", closed="03-15"), known("02-01", "Talking"), known("03-10", "Won")) == [
        ("02-01", "Talking", "02-01", 100, "open"),
        ("03-15", "Won", "03-15", 100, "won"),
    ]


def test_a_reopened_deal_was_closed_on_the_day_of_its_row_and_keeps_what_was_expected() -> None:
    expected, later = date(2025, 7, 31), date(2025, 8, 31)
    rows = (
        known("02-01", "Talking", expected_close_date=expected),
        known("03-01", "Lost", expected_close_date=date(2025, 3, 1)),
        known("04-01", "Talking", expected_close_date=later),
    )
    _, lost, again = versions(deal("Talking", "02-01", expected_close_date=later), rows, BY_ID, TODAY, STYLE)
    assert (lost.status, lost.actual_close_date, lost.expected_close_date) == ("lost", date(2025, 3, 1), expected)
    assert (again.status, again.actual_close_date, again.expected_close_date) == ("open", None, later)
    assert again.stage_entered_at == on("04-01")


def test_steps_of_one_day_keep_their_order() -> None:
    rows = (known("03-15", "Talking"), known("03-15", "Deciding"))
    found = versions(deal("Won", "03-15", closed="03-15"), rows, BY_ID, TODAY, STYLE)
    assert [NAMES[version.stage] for version in found] == ["Talking", "Deciding", "Won"]


def test_an_exports_own_probability_is_kept_with_its_source_until_closing() -> None:
    rows = (known("02-01", "Talking", probability=45), known("03-01", "Deciding"))
    found = versions(deal("Lost", "02-01", closed="04-01", probability=45), rows, BY_ID, TODAY, STYLE)
    assert [(version.probability, version.probability_source) for version in found] == [
        (45, "import"), (60, "stage"), (0, "stage"),
    ]  # fmt: skip
    rows = (known("02-01", "Talking", probability=0),)
    assert versions(deal("Talking", "02-01", probability=0), rows, BY_ID, TODAY, STYLE)[0].probability == 0


days = st.dates(date(2025, 1, 1), date(2025, 5, 31)).map(lambda day: f"{day:%m-%d}")
names = st.sampled_from(list(STAGES))


@given(names, st.none() | days, days, st.lists(st.tuples(days, names, st.none() | st.integers(0, 9)), max_size=6))
def test_whatever_an_export_tells_the_versions_are_a_history(
    stage: str, created: str | None, closed: str, steps: list[tuple[str, str, int | None]]
) -> None:
    is_closed = STAGES[stage].outcome is not None
    opportunity = deal(stage, created, closed if is_closed else None)
    rows = [known(day, name, value) for day, name, value in steps]
    found = versions(opportunity, rows, BY_ID, TODAY, STYLE)
    assert all(before.valid_from < after.valid_from for before, after in pairwise(found))
    assert all(_differ(before, after) for before, after in pairwise(found))
    assert all(version.stage for version in found[1:]), "only the beginning is unknown"
    assert all((version.status == "open") == (version.actual_close_date is None) for version in found)
    last = found[-1]
    assert (last.stage, last.value, last.actual_close_date) == (
        opportunity.stage, opportunity.value, opportunity.actual_close_date,
    )  # fmt: skip
    dates = [row.at for row in rows] + ([opportunity.created] if opportunity.created else [])
    if is_closed:
        dates = [moment for moment in dates if moment <= on(closed)]
        assert STYLE.day_of(last.valid_from) == opportunity.actual_close_date
    assert found[0].valid_from == min(dates, default=found[0].valid_from)
    assert last.valid_from < NOW + timedelta(minutes=1)


def _differ(before: Version, after: Version) -> bool:
    return replace(after, valid_from=before.valid_from) != before
