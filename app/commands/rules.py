"""What a record asks of a change beyond its single fields: what it refers to, and what follows from what."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from app import formats
from app.errors import InvalidFields
from app.fields import ACTIVITY, CONTACT, NOTE, OPPORTUNITY, ORGANIZER, REFERENCES, TARGET, TEMPLATE, Noun
from app.viewer import Viewer
from queries import vocabulary as v
from queries.stages import stages

Before = Mapping[str, Any]  # the stored row; nothing for a new record
Values = dict[str, Any]  # the columns to write

_TABLES: Final[Mapping[str, sa.Table]] = {
    "organizer": v.organizers,
    "contact": v.contacts,
    "opportunity": v.opportunities,
    "stage": stages,
    "event": v.event_records,
}
_PARENTS: Final = ("opportunity_id", "contact_id", "event_id")


class Desk:
    """Whose change it is and in which transaction; what many of its records refer to is looked up once."""

    def __init__(self, db: sa.Connection, by: Viewer) -> None:
        self.db, self.by = db, by
        self._found: dict[tuple[str, Any], Before | None] = {}

    def found(self, table: sa.Table, key: str, wanted: Any) -> Before | None:
        """The record with this key, or None where there is none for the viewer."""
        if (table.name, wanted) not in self._found:
            row = self.db.execute(sa.select(table).where(table.c[key] == wanted)).mappings().one_or_none()
            self._found[table.name, wanted] = dict(row) if row else None
        return self._found[table.name, wanted]


def settle(desk: Desk, noun: Noun, before: Before, values: Values) -> None:
    """Brings the values in agreement with each other and with what is stored, in place; raises InvalidFields."""
    _check_people(desk, noun, values)
    _check_records(desk, noun, before, values)
    if rule := _RULES.get(noun.name):
        rule(desk, before, values)


def may_go(db: sa.Connection, noun: Noun, row: Before) -> None:
    """Raises InvalidFields where the record has to stay because of what hangs on it."""
    if noun is not ORGANIZER:
        return
    deals = v.opportunities
    held = sa.select(sa.func.count()).select_from(deals).where(deals.c.organizer_id == row["id"])
    if number := db.execute(held).scalar_one():
        held_there = formats.counted(number, "opportunity", "opportunities")
        said = f"{row['company_name']} has {held_there}, which would be lost with it: archive it instead."
        raise InvalidFields({"": said})


# What is referred to ---------------------------------------------------------------------------------------------


def _check_people(desk: Desk, noun: Noun, values: Values) -> None:
    for field in noun.fields:
        person = values.get(field.name)
        if field.kind != "person" or not field.editable or person is None:
            continue
        found = desk.found(v.profiles, "user_id", person)
        if found is None or not found["is_active"]:
            raise InvalidFields({field.name: "This person does not work here any more. Choose somebody else."})
        if desk.by.team is not None and person not in desk.by.team:
            raise InvalidFields({field.name: "This person is not in your team: choose somebody who is."})


def _check_records(desk: Desk, noun: Noun, before: Before, values: Values) -> None:
    """Each record must be there for the viewer, and belong to the same organizer as the others."""
    refusals = {}
    after = {**before, **values}
    for field in noun.fields:
        if field.kind not in REFERENCES - {"person"} or after.get(field.name) is None:
            continue
        belongs = field.name in _PARENTS
        if field.name not in values and not (belongs and "organizer_id" in values):
            continue
        found = desk.found(_TABLES[field.kind], "id", after[field.name])
        if found is None:
            refusals[field.name] = f"There is no such {field.kind}, or it is not for you to see. Choose another one."
        elif not belongs or "organizer_id" in refusals:
            continue
        elif after.get("organizer_id") is None:
            after["organizer_id"] = values["organizer_id"] = found["organizer_id"]
        elif found["organizer_id"] != after["organizer_id"]:
            refusals[field.name] = f"This {field.kind} is another organizer’s. Choose one of this organizer’s, or none."
    if refusals:
        raise InvalidFields(refusals)


# What follows from what ------------------------------------------------------------------------------------------


def _opportunity(desk: Desk, before: Before, values: Values) -> None:
    after = {**before, **values}
    stage = desk.found(stages, "id", after["stage_id"])
    assert stage  # noqa: S101  (no opportunity is without one, and everybody sees them all)
    moved = before.get("stage_id") != stage["id"]
    refusals = {}
    if moved and not stage["is_active"]:
        refusals["stage_id"] = f"{stage['name']} is not in use any more. Choose another stage."
    if stage["is_closed"]:
        refusals |= _closed(desk.by, before, values, stage, moved=moved)
    else:
        refusals |= _open(before, values)
    if refusals:
        raise InvalidFields(refusals)


def _open(before: Before, values: Values) -> dict[str, str]:
    refusals = {}
    if values.get("actual_close_date"):
        refusals["actual_close_date"] = "An open opportunity was not closed on any day: move it to Won or Lost first."
    if values.get("loss_reason"):
        refusals["loss_reason"] = "An open opportunity is not lost: move it to Lost first."
    follows = "probability" in values and values["probability"] is None or values.get("probability_source") == "stage"
    if values.get("probability_source") == "manual" and {**before, **values}.get("probability") is None:
        refusals["probability_source"] = "One’s own probability is a number: write it, or let it follow the stage."
    elif follows:
        values["probability"] = None
        values.pop("probability_source", None)
        if before.get("probability_source") == "stage":
            values.pop("probability")  # it does so already, and goes on in the next stage
    return refusals


def _closed(by: Viewer, before: Before, values: Values, stage: Before, *, moved: bool) -> dict[str, str]:
    refusals = {}
    after = {**before, **values}
    closed_on = values.get("actual_close_date")
    if values.get("probability") is not None or values.get("probability_source") == "manual":
        certain = 100 if stage["is_won"] else 0
        refusals["probability"] = f"In {stage['name']} it is {certain}{formats.GAP}% for good: leave it empty."
    if "actual_close_date" in values and closed_on is None and not moved:
        refusals["actual_close_date"] = "A closed opportunity was closed on some day: write which."
    if closed_on is not None and closed_on > by.today:
        refusals["actual_close_date"] = f"{formats.day(closed_on)} is yet to come: write on which day it was closed."
    if stage["is_won"]:
        if values.get("loss_reason"):
            refusals["loss_reason"] = f"In {stage['name']} it is not lost. Leave this empty."
        elif before.get("loss_reason"):
            values["loss_reason"] = None
    elif (moved or "loss_reason" in values) and after.get("status") != "abandoned" and not after.get("loss_reason"):
        refusals["loss_reason"] = "Say why it was lost: whoever sells there next will want to know."
    return refusals


def _contact(desk: Desk, before: Before, values: Values) -> None:
    after = {**before, **values}
    contacts = v.contacts.c
    others = sa.and_(contacts.organizer_id == after["organizer_id"], contacts.id != after["id"])
    if {"email", "organizer_id"} & values.keys():
        same = sa.func.lower(contacts.email) == sa.func.lower(after["email"])
        if taken := desk.db.scalar(sa.select(contacts.full_name).where(others, same)):
            raise InvalidFields({"email": f"{taken} has this address already, at the same organizer."})
    if after.get("is_primary") and {"is_primary", "organizer_id"} & values.keys():
        # Before the other one takes its place: within one statement the index would see two.
        desk.db.execute(sa.update(v.contacts).where(others, contacts.is_primary).values(is_primary=False))


def _activity(desk: Desk, before: Before, values: Values) -> None:
    _belongs(desk, before, values)
    after = {**before, **values}
    if after["type"] == "task":
        if after.get("task_status") is None:
            values["task_status"] = "pending"
        if values.get("task_status") == "completed" and before.get("task_status") in ("pending", "cancelled"):
            values.setdefault("activity_date", _NOW)  # when it counts as done
        values["is_task"] = True
    else:
        refusals = {name: "Only a task has this. Leave it empty." for name in _OF_TASKS if values.get(name)}
        if refusals:
            raise InvalidFields(refusals)
        values |= dict.fromkeys(_OF_TASKS) | {"is_task": False}
    for name in ("is_task", *_OF_TASKS):
        if name in values and before and before[name] == values[name]:
            del values[name]


_NOW: Final = sa.func.now()
_OF_TASKS: Final = ("task_status", "due_date")


def _belongs(desk: Desk, before: Before, values: Values) -> None:  # noqa: ARG001  (as all rules)
    if {**before, **values}.get("organizer_id") is None:
        raise InvalidFields({"organizer_id": "Choose the organizer that this is about."})


def _target(desk: Desk, before: Before, values: Values) -> None:
    after = {**before, **values}
    first = after["period_start"]
    if first.day != 1 or (first.month - desk.by.organisation.fiscal_year_first_month) % 3:
        raise InvalidFields({"period_start": f"No quarter starts on {formats.day(first)}."})
    targets = v.targets.c
    same = sa.and_(targets.user_id == after["user_id"], targets.period_start == first, targets.id != after["id"])
    if desk.db.scalar(sa.select(sa.exists().where(same))):
        raise InvalidFields({"period_start": "There is a target for this person and quarter already: change that one."})


def _template(desk: Desk, before: Before, values: Values) -> None:
    from app.commands import templates  # which are records themselves

    templates.check(desk.db, {**before, **values})


_RULES: Final[Mapping[str, Callable[[Desk, Before, Values], None]]] = {
    OPPORTUNITY.name: _opportunity,
    CONTACT.name: _contact,
    ACTIVITY.name: _activity,
    NOTE.name: _belongs,
    TARGET.name: _target,
    TEMPLATE.name: _template,
}
