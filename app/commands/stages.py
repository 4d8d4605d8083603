"""The steps of a sale: what they promise, what they are called, in which order they stand. Admins alone change them.

`version` is the one that the admin saw. Where somebody else changed the same field since, the command raises Conflict
with both values, who saved the other one and when; changes of other fields don't clash.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import sqlalchemy as sa

from app import formats
from app.database import writing
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.viewer import Viewer
from queries import vocabulary as v
from queries.stages import changes, held, history, stages, template_names, worth

Follows = Literal["new", "inheriting", "all"]
Kind = Literal["open", "won", "lost"]

LONGEST_NAME: Final = 80
LONGEST_REASON: Final = 2000
MOST_DAYS: Final = 365
_FLAGS: Final[Mapping[Kind, dict[str, bool]]] = {
    "open": {"is_closed": False, "is_won": False},
    "won": {"is_closed": True, "is_won": True},
    "lost": {"is_closed": True, "is_won": False},
}
_CLOSED_AT: Final[Mapping[Kind, int]] = {"won": 100, "lost": 0}
_GONE: Final = "This stage is gone; somebody has deleted it meanwhile."
_FIELDS: Final = {
    "name": "the name",
    "default_probability": "the probability",
    "color": "the colour",
    "order_index": "the place",
    "is_active": "whether it is active",
    "is_closed": "whether it is closed",
    "is_won": "whether it counts as won",
    "auto_actions": "the automatic actions",
}


@dataclass(frozen=True)
class Saved:
    """What a change of a probability did: to how many open opportunities, and to their expected revenue."""

    change_id: UUID
    opportunities: int
    effect: Decimal
    kept: int = 0  # by an undo: opportunities that were changed since and keep what they have


# The probability -----------------------------------------------------------------------------------------------


def set_probability(
    *, by: Viewer, stage_id: UUID, probability: float | str, follows: Follows, reason: str, version: int
) -> Saved:
    """Sets what an opportunity in the stage has unless it has its own, and says who of those there now follow."""
    percent, why = _percent(probability), _reason(reason)
    with writing(by, why) as db:
        stage = _locked(db, by, stage_id, version, default_probability=percent)
        if stage.is_closed:
            raise Invalid(
                f"{stage.name} is closed: what is there is at {stage.default_probability} % for good.", "probability"
            )
        change = _Change(db, by, stage)
        change.default_becomes(percent)
        opportunities = 0 if follows == "new" else _let_follow(db, stage_id, percent, follows, why)
        return change.kept(percent, follows=follows, opportunities=opportunities, reason=why)


def undo(*, by: Viewer, change_id: UUID) -> Saved:
    """Takes a change of a probability back, and with it what each opportunity had: the number, where it came from, who
    set it, when and why. Raises Conflict, naming it, where a later change stands on this one.
    """
    _require_admin(by)
    with writing(by) as db:
        done = db.execute(sa.select(changes).where(changes.c.id == change_id)).one_or_none()
        if done is None:
            raise NotFound("There is no such change.")
        stage = _lock(db, done.stage_id)
        _refuse_unless_on_top(db, by, done, stage)
        reason = f"Undone: {done.reason}"[:LONGEST_REASON]
        db.execute(sa.select(sa.func.set_config("eventos.reason", reason, True)))
        change = _Change(db, by, stage)
        change.default_becomes(done.probability_before)
        restored = int(db.execute(sa.select(sa.func.app.put_probabilities_back(change_id))).scalar_one())
        return change.kept(
            done.probability_before,
            follows=done.follows,
            opportunities=restored,
            reason=reason,
            undoes=change_id,
            left=done.opportunities - restored,
        )


def _let_follow(db: sa.Connection, stage_id: UUID, percent: int, follows: Follows, why: str) -> int:
    deals = v.opportunities
    inherits = deals.c.probability_source == "stage"
    differs = deals.c.probability != percent
    which = sa.and_(inherits, differs) if follows == "inheriting" else sa.or_(sa.not_(inherits), differs)
    followers = sa.update(deals).where(deals.c.stage_id == stage_id, deals.c.status == "open", which)
    # Null means "from the stage": written as a number it would be each opportunity's own.
    return db.execute(followers.values(probability=None, probability_reason=why)).rowcount


class _Change:
    """What becomes of a stage's expected revenue in one transaction, noted beside the history."""

    def __init__(self, db: sa.Connection, by: Viewer, stage: Any) -> None:
        self._db, self._by, self._stage = db, by, stage
        self._before = self._worth()
        self._seq: int | None = None

    def default_becomes(self, percent: int) -> None:
        if percent == self._stage.default_probability:
            return
        _update(self._db, self._stage.id, default_probability=percent)
        newest = sa.and_(history.c.stage_id == self._stage.id, history.c.valid_to.is_(None))
        self._seq = self._db.execute(sa.select(history.c.seq).where(newest)).scalar_one()

    def kept(
        self, percent: int, *, follows: str, opportunities: int, reason: str, undoes: UUID | None = None, left: int = 0
    ) -> Saved:
        after, change_id = self._worth(), uuid4()
        effect = Decimal(round(after.expected_revenue - self._before.expected_revenue, 2))
        self._db.execute(
            sa.insert(changes).values(
                id=change_id,
                stage_id=self._stage.id,
                seq=self._seq,
                probability_before=self._stage.default_probability,
                probability=percent,
                follows=follows,
                opportunities=opportunities,
                effect=effect,
                currency=self._by.organisation.report_currency,
                without_rate=after.without_rate,
                reason=reason,
                undoes=undoes,
            )
        )
        return Saved(change_id, opportunities, effect, left)

    def _worth(self) -> Any:
        return self._db.execute(worth(self._stage.id, self._by.organisation.report_currency, self._by.today)).one()


def _refuse_unless_on_top(db: sa.Connection, by: Viewer, done: Any, stage: Any) -> None:
    undoing = changes.alias("undoing")
    stands = sa.not_(sa.exists().where(undoing.c.undoes == changes.c.id))
    taken_back = db.execute(_named(sa.select(changes).where(changes.c.undoes == done.id), changes.c.made_by)).first()
    if taken_back:
        raise Conflict(f"{taken_back.who} has undone this already, on {_at(taken_back.made_at, by)}.")
    later = db.execute(
        _named(
            sa.select(changes)
            .where(changes.c.stage_id == done.stage_id, changes.c.made_at > done.made_at, changes.c.undoes.is_(None))
            .where(stands)
            .order_by(changes.c.made_at.desc()),
            changes.c.made_by,
        )
    ).first()
    if later:
        raise Conflict(
            f"{later.who} set {stage.name} to {later.probability} % on {_at(later.made_at, by)}, after this change:"
            " undo that one first. Nothing was changed."
        )
    if stage.default_probability != done.probability:
        raise Conflict(
            f"{stage.name} is at {stage.default_probability} % by now, and not at the {done.probability} % that this"
            " change set. Nothing was changed."
        )


def _named(statement: Any, person: sa.ColumnElement[Any]) -> Any:
    people = v.profiles.alias("people")
    return statement.add_columns(sa.func.coalesce(people.c.full_name, "Somebody").label("who")).outerjoin(
        people, people.c.user_id == person
    )


# What it is called, how it looks, where it stands ----------------------------------------------------------------


def rename(*, by: Viewer, stage_id: UUID, name: str, version: int) -> None:
    """Gives the stage another name."""
    wanted = _name(name)
    with writing(by) as db:
        _locked(db, by, stage_id, version, name=wanted)
        _refuse_taken(db, wanted, stage_id)
        _update(db, stage_id, name=wanted)


def recolor(*, by: Viewer, stage_id: UUID, color: str, version: int) -> None:
    """Gives the stage another colour, #rrggbb, in every chart."""
    wanted = _color(color)
    with writing(by) as db:
        _locked(db, by, stage_id, version, color=wanted)
        _update(db, stage_id, color=wanted)


def activate(*, by: Viewer, stage_id: UUID, is_active: bool, version: int) -> None:
    """Offers the stage for opportunities, or no longer; those in it stay."""
    with writing(by) as db:
        _locked(db, by, stage_id, version, is_active=is_active)
        _update(db, stage_id, is_active=is_active)


def make(*, by: Viewer, stage_id: UUID, kind: Kind, version: int) -> None:
    """Makes it a stage that is open, won or lost; refused while it holds opportunities."""
    with writing(by) as db:
        stage = _locked(db, by, stage_id, version, **_FLAGS[kind])
        if kind_of(stage) == kind:
            return
        if number := int(held(db, stage_id)["opportunities"].iloc[0]):
            raise Invalid(
                f"{stage.name} holds {formats.counted(number, 'opportunity', 'opportunities')}: move them before"
                " changing whether it is closed or won.",
                "is_closed",
            )
        _update(db, stage_id, **_FLAGS[kind], default_probability=_CLOSED_AT.get(kind, stage.default_probability))


def move(*, by: Viewer, stage_id: UUID, place: int, version: int) -> None:
    """Puts the stage at this place of the pipeline, counted from 1; the others close up. Next door, the two swap."""
    with writing(by) as db:
        _locked(db, by, stage_id, version, order_index=None)
        order = db.execute(sa.select(stages.c.id, stages.c.order_index).order_by(stages.c.order_index)).all()
        wanted = [stage.id for stage in order if stage.id != stage_id]
        wanted.insert(min(max(place, 1), len(order)) - 1, stage_id)
        indices = [stage.order_index for stage in order]
        moved = {stage: index for stage, index, old in zip(wanted, indices, order, strict=True) if stage != old.id}
        if not moved:
            return
        # In one statement: the order is unique at its end, not in its course.
        statement = sa.update(stages).where(stages.c.id.in_(moved))
        result = db.execute(statement.values(order_index=sa.case(moved, value=stages.c.id)))
        if result.rowcount != len(moved):
            raise NotAllowed("Your role does not allow this. Nothing was changed.")


def set_actions(*, by: Viewer, stage_id: UUID, actions: Sequence[Mapping[str, Any]], version: int) -> None:
    """Says what is done by itself when an opportunity comes into the stage: `{"action": "send_email", "template": …}`
    with the name of an active template, or `{"action": "create_task", "subject": …, "days": …}`."""
    with writing(by) as db:
        _locked(db, by, stage_id, version, auto_actions=None)
        known = set(template_names(db)["name"])
        _update(db, stage_id, auto_actions=[_action(action, known) for action in actions])


# Coming and going ------------------------------------------------------------------------------------------------


def create(
    *, by: Viewer, name: str, probability: float | str = 50, color: str = "#3b82f6", kind: Kind = "open"
) -> UUID:
    """Makes a stage, an open one behind the last open one, a closed one at the end; returns its id."""
    wanted, look = _name(name), _color(color)
    percent = _CLOSED_AT[kind] if kind != "open" else _percent(probability)
    _require_admin(by)
    made = uuid4()
    with writing(by) as db:
        _refuse_taken(db, wanted)
        order = db.execute(sa.select(stages).order_by(stages.c.order_index).with_for_update(key_share=True)).all()
        behind = order if kind != "open" else [stage for stage in order if not stage.is_closed]
        place = behind[-1].order_index + 1 if behind else 1
        later = sa.update(stages).where(stages.c.order_index >= place)
        db.execute(later.values(order_index=stages.c.order_index + 1))
        db.execute(
            sa.insert(stages).values(
                id=made, name=wanted, order_index=place, color=look, default_probability=percent, **_FLAGS[kind]
            )
        )
    return made


def delete(*, by: Viewer, stage_id: UUID, move_to: UUID | None = None) -> int:
    """Deletes the stage; what it holds is moved to another one of its kind first. Returns how many were moved."""
    _require_admin(by)
    with writing(by) as db:
        stage = _lock(db, stage_id, wholly=True)
        same = sa.select(stages).where(stages.c.id != stage_id, *(stages.c[k] == is_so for k, is_so in _flags(stage)))
        others = {other.id: other for other in db.execute(same)}
        if not others:
            raise Invalid(f"{stage.name} is the only stage where opportunities are {kind_of(stage)}: it can't go.")
        found = held(db, stage_id).iloc[0]
        if found["opportunities"] and move_to is None:
            number = formats.counted(int(found["opportunities"]), "opportunity", "opportunities")
            raise Invalid(
                f"{stage.name} holds {number}, {formats.count(found['open'])} of them open."
                " Choose the stage that takes them.",
                "move_to",
            )
        if move_to is not None and move_to not in others:
            raise Invalid("That stage is gone, or of another kind. Choose another one.", "move_to")
        deals = v.opportunities
        moved = db.execute(sa.update(deals).where(deals.c.stage_id == stage_id).values(stage_id=move_to)).rowcount
        if db.execute(sa.delete(stages).where(stages.c.id == stage_id)).rowcount != 1:
            raise NotAllowed("Your role does not allow this. Nothing was changed.")
    return moved


def kind_of(stage: Any) -> Kind:
    """Whether opportunities in the stage are open, won or lost."""
    return "won" if stage.is_won else "lost" if stage.is_closed else "open"


def _flags(stage: Any) -> list[tuple[str, bool]]:
    return list(_FLAGS[kind_of(stage)].items())


# What all of them need -------------------------------------------------------------------------------------------


def _require_admin(by: Viewer) -> None:
    if by.role != "admin":
        raise NotAllowed("Only an admin changes stages. Nothing was changed.")


def _lock(db: sa.Connection, stage_id: UUID, *, wholly: bool = False) -> Any:
    # Less than wholly: opportunities may come in meanwhile.
    statement = sa.select(stages).where(stages.c.id == stage_id).with_for_update(key_share=not wholly)
    stage = db.execute(statement).one_or_none()
    if stage is None:
        raise NotFound(_GONE)
    return stage


def _locked(db: sa.Connection, by: Viewer, stage_id: UUID, version: int, **wanted: Any) -> Any:
    """The stage as it is, nobody else's until the transaction ends; raises Conflict where a wanted field has moved."""
    _require_admin(by)
    stage = _lock(db, stage_id)
    if stage.version > version:
        _refuse_clash(db, by, stage, stage.version - version, wanted)
    return stage


def _refuse_clash(db: sa.Connection, by: Viewer, stage: Any, since: int, wanted: Mapping[str, Any]) -> None:
    audit = v.audit
    edits = db.execute(
        _named(sa.select(audit), audit.c.actor)
        .where(audit.c.table_name == "crm_pipeline_stages", audit.c.record_id == stage.id, audit.c.verb == "update")
        .order_by(audit.c.id.desc())
        .limit(since)  # one for each version
    ).all()
    for edit in edits:
        for field, mine in wanted.items():
            if field in edit.new and (mine is None or edit.new[field] != mine):
                theirs = "" if mine is None else f" to {_shown(field, edit.new[field])}; you have {_shown(field, mine)}"
                raise Conflict(
                    f"{edit.who} changed {_FIELDS[field]} of {stage.name}{theirs}, on {_at(edit.occurred_at, by)}."
                    " Nothing was saved: save again if yours shall hold.",
                )


def _shown(field: str, value: Any) -> str:
    if field == "default_probability":
        return f"{value} %"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _at(moment: Any, by: Viewer) -> str:
    return formats.moment(moment, by.time_zone)


def _update(db: sa.Connection, stage_id: UUID, **values: Any) -> None:
    if db.execute(sa.update(stages).where(stages.c.id == stage_id).values(**values)).rowcount != 1:
        raise NotAllowed("Your role does not allow this. Nothing was changed.")


def _percent(probability: float | str) -> int:
    text = str(probability).strip().removesuffix("%").strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Invalid(f"“{text[:40]}” is no number: a probability is a whole one from 0 to 100.", "probability")
    if not 0 <= number <= 100:
        raise Invalid(f"{text[:40]} is outside 0 to 100.", "probability")
    if number != int(number):
        raise Invalid(f"{text[:40]} is no whole number: a probability has no decimals.", "probability")
    return int(number)


def _reason(reason: str) -> str:
    why = reason.strip()
    if not why:
        raise Invalid("Say why: whoever reads the history later will ask.", "reason")
    if len(why) > LONGEST_REASON:
        raise Invalid(f"The reason is longer than {LONGEST_REASON:,} letters.", "reason")
    return why


def _name(name: str) -> str:
    wanted = name.strip()
    if not wanted:
        raise Invalid("A stage needs a name.", "name")
    if len(wanted) > LONGEST_NAME:
        raise Invalid(f"A name has at most {LONGEST_NAME} letters; this one has {len(wanted)}.", "name")
    return wanted


def _color(color: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise Invalid("A colour is written #rrggbb, as in #3b82f6.", "color")
    return color.lower()


def _refuse_taken(db: sa.Connection, name: str, stage_id: UUID | None = None) -> None:
    same = sa.func.lower(stages.c.name) == sa.func.lower(name)
    others = stages.c.id != stage_id if stage_id else sa.true()
    if taken := db.execute(sa.select(stages.c.name).where(same, others)).scalar():
        raise Invalid(f"There is a stage called {taken} already.", "name")


def _action(action: Mapping[str, Any], templates: set[str]) -> dict[str, Any]:
    match action:
        case {"action": "send_email", "template": str(template), **rest} if not rest:
            if template not in templates:
                raise Invalid(f"There is no active email template called “{template}”.", "template")
            return dict(action)
        case {"action": "create_task", "subject": str(subject), "days": int(days), **rest} if not rest:
            if not subject.strip() or len(subject.strip()) > 200:
                raise Invalid("A task needs a subject of at most 200 letters.", "subject")
            if not 0 <= days <= MOST_DAYS:
                raise Invalid(f"A task is due within 0 to {MOST_DAYS} days.", "days")
            return {"action": "create_task", "subject": subject.strip(), "days": days}
        case {"action": "send_email" | "create_task"}:
            raise Invalid("An email needs a template; a task needs a subject and in how many days it is due.", "action")
        case _:
            known = "send_email and create_task"
            raise Invalid(f"“{action.get('action')}” is no action that is known here: these are {known}.", "action")
