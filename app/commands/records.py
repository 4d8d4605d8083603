"""What the commands of all records share: once per key, in one transaction, nobody's change overwritten unseen.

Every command takes `key`, the form's own: the same key again returns what was done the first time and writes nothing.
Every command returns Done; whoever undoes it names its `change`. A command of several records is all or nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa

from app import formats, typed
from app.commands import rules
from app.commands.merging import merged, read_given
from app.commands.rules import Desk
from app.database import explained, reading, writing
from app.errors import (
    Clashes,
    Conflict,
    ConnectionLost,
    Invalid,
    InvalidFields,
    NotAllowed,
    NotFound,
    Refused,
    RowRefusals,
)
from app.fields import WRITERS, Noun
from app.viewer import Viewer
from queries import vocabulary as v

LONGEST_REASON: Final = 2000
_AT_ONCE: Final = 500  # records by one statement, which has ten seconds

Row = Mapping[str, Any]
Write = Callable[[sa.Connection], tuple[str, Sequence[UUID]]]


@dataclass(frozen=True)
class Done:
    """What a command did: the number of its transaction, a sentence about it, and the records that it is about.

    Without records, everything was as wanted before: nothing was written and there is nothing to undo.
    """

    change: int
    said: str
    records: tuple[UUID, ...]


# Creating, editing, deleting -------------------------------------------------------------------------------------


def create(noun: Noun, *, by: Viewer, given: Mapping[str, Any], key: UUID, reason: str | None = None) -> Done:
    """Makes a record of what was typed; a field that isn't given begins as its noun says, or as the database does.

    Raises InvalidFields with a sentence for each field that can't be as it is, and NotAllowed.
    """
    if by.role not in noun.creators:
        raise NotAllowed(f"Your role does not make {noun.plural}. Nothing was saved.")
    needed = dict.fromkeys(field.name for field in noun.fields if field.required and field.initial is None)
    initial = {field.name: field.initial(by) for field in noun.fields if field.initial}
    made = {**initial, **read_given(noun, by, {**needed, **given}, creating=True)}

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        with explained_at_fields():
            record_id = insert(Desk(db, by), noun, made)
        return f"{noun.title} {name_of(noun, made)} was created.", [record_id]

    return once(by=by, key=key, reason=reason, write=write)


def edit(
    noun: Noun,
    *,
    by: Viewer,
    record_id: UUID,
    base: Mapping[str, Any],
    given: Mapping[str, Any],
    key: UUID,
    reason: str | None = None,
) -> Done:
    """Changes the fields whose `given` is not what the form showed, which is `base`; the others stay as they are now.

    Raises Clashes with the fields that somebody else has changed to something else since, InvalidFields, NotFound,
    NotAllowed; nothing was written then.
    """
    return edit_many(noun, by=by, changes={record_id: (base, given)}, key=key, reason=reason)


def edit_many(
    noun: Noun,
    *,
    by: Viewer,
    changes: Mapping[UUID, tuple[Mapping[str, Any], Mapping[str, Any]]],
    key: UUID,
    reason: str | None = None,
) -> Done:
    """Changes several records, each as `edit` does, in one transaction; `changes` holds base and given by record.

    Raises RowRefusals with the sentences of every record that stands in the way; nothing was written then. Where there
    is one record only, its refusal is raised as it is.
    """

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        return changed(
            db, by, noun, list(changes), lambda row: merged(db, by, noun, row, *changes[row["id"]]), "changed"
        )

    return once(by=by, key=key, reason=reason, write=write)


def delete(noun: Noun, *, by: Viewer, ids: Sequence[UUID], key: UUID, reason: str | None = None) -> Done:
    """Deletes the records, with what hangs on them; raises RowRefusals, NotFound, NotAllowed as `edit_many` does."""
    if by.role not in noun.deleters:
        raise NotAllowed(f"Only an admin deletes {noun.plural}. Nothing was deleted.")

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        refusals = Refusals(noun)
        rows = locked(db, noun, ids, refusals)
        for row in rows:
            with refusals.of(row["id"]):
                rules.may_go(db, noun, row)
        refusals.raise_if_any(len(ids))
        exactly(db.execute(sa.delete(noun.table).where(noun.table.c.id.in_(ids))), len(rows))
        return f"{named(noun, rows)} deleted.", [row["id"] for row in rows]

    return once(by=by, key=key, reason=reason, write=write)


# What every command is made of -----------------------------------------------------------------------------------


def once(*, by: Viewer, key: UUID, write: Write, reason: str | None = None) -> Done:
    """Does it in one transaction, unless it was done under this key before: then says what was done.

    Where the connection breaks, nobody can tell whether it was done; under its key it can be asked for once more.
    """
    if by.role not in WRITERS:
        raise NotAllowed("Your role looks at records and changes none. Nothing was changed.")
    why = _reason(reason)
    try:
        return _once(by, key, write, why)
    except ConnectionLost:
        return _once(by, key, write, why)


def _once(by: Viewer, key: UUID, write: Write, reason: str | None) -> Done:
    with writing(by, reason) as db:
        # A second click waits here for the first one's end.
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(str(key), 0))))
        if done := _done(db, key):
            return done
        said, records = write(db)
        result = {"said": said, "records": [str(record) for record in records]}
        insert = sa.insert(v.submissions).values(key=key, result=result).returning(v.submissions.c.change)
        return Done(int(db.execute(insert).scalar_one()), said, tuple(records))


def earlier(*, by: Viewer, key: UUID) -> Done | None:
    """What was done under this key before, if anything was: for a command that does something outside the database."""
    with reading(by) as db:
        return _done(db, key)


def _done(db: sa.Connection, key: UUID) -> Done | None:
    kept = v.submissions.c
    found = db.execute(sa.select(kept.change, kept.result).where(kept.key == key)).first()
    return found and Done(int(found.change), found.result["said"], tuple(map(UUID, found.result["records"])))


def give(
    noun: Noun,
    *,
    by: Viewer,
    ids: Sequence[UUID],
    values: Mapping[str, Any],
    did: str,
    key: UUID,
    reason: str | None = None,
) -> Done:
    """Gives all of them these values; `did` says in the sentence about it what was done."""

    def write(db: sa.Connection) -> tuple[str, Sequence[UUID]]:
        return changed(db, by, noun, ids, lambda _: values, did)

    return once(by=by, key=key, reason=reason, write=write)


def changed(
    db: sa.Connection,
    by: Viewer,
    noun: Noun,
    ids: Sequence[UUID],
    wanted: Callable[[Row], Mapping[str, Any]],
    did: str,
) -> tuple[str, Sequence[UUID]]:
    """Gives each record the values that `wanted` says of its row, locked; returns what was done, and to which records.

    Raises what `edit_many` raises.
    """
    if by.role not in noun.editors:
        raise NotAllowed(f"Your role does not change {noun.plural}. Nothing was changed.")
    refusals, desk = Refusals(noun), Desk(db, by)
    alike: dict[str, tuple[dict[str, Any], list[Row]]] = {}
    for row in locked(db, noun, ids, refusals):
        with refusals.of(row["id"]), explained_at_fields():
            if values := settled(desk, noun, row, wanted(row)):
                alike.setdefault(repr(values), (values, []))[1].append(row)
    for values, rows in alike.values():
        for start in range(0, len(rows), _AT_ONCE):
            _write(db, noun, rows[start : start + _AT_ONCE], values, refusals)
    refusals.raise_if_any(len(ids))
    if not alike:
        return "Everything was like this already. Nothing was changed.", ()
    every = [row for _, rows in alike.values() for row in rows]
    return f"{named(noun, every)} {did}.", [row["id"] for row in every]


def _write(db: sa.Connection, noun: Noun, rows: Sequence[Row], values: Mapping[str, Any], refusals: "Refusals") -> None:
    """Writes all of them by one statement; where that is refused one by one, to learn which of them is why."""
    try:
        with explained_at_fields(), db.begin_nested():
            update(db, noun, rows, values)
    except (Invalid, Conflict, NotAllowed) as refusal:
        if len(rows) == 1:
            refusals.add(rows[0]["id"], refusal)
            return
        for row in rows:
            _write(db, noun, [row], values, refusals)


def insert(desk: Desk, noun: Noun, wanted: Mapping[str, Any]) -> UUID:
    """Makes a record of these values by its noun's rules; returns its id."""
    values = {"id": uuid4(), **wanted}
    rules.settle(desk, noun, {}, values)
    return UUID(str(desk.db.execute(sa.insert(noun.table).values(values).returning(noun.table.c.id)).scalar_one()))


def settled(desk: Desk, noun: Noun, row: Row, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is left to write of these values into a locked record by its noun's rules; nothing where it has them."""
    values = {name: value for name, value in wanted.items() if row[name] != value}
    if values:
        rules.settle(desk, noun, row, values)
    return values


def update(db: sa.Connection, noun: Noun, rows: Sequence[Row], values: Mapping[str, Any]) -> None:
    """Writes settled values into locked records."""
    ids = [row["id"] for row in rows]
    exactly(db.execute(sa.update(noun.table).where(noun.table.c.id.in_(ids)).values(values)), len(rows))


def locked(db: sa.Connection, noun: Noun, ids: Sequence[UUID], refusals: "Refusals") -> Sequence[Row]:
    """The records that the viewer may change, nobody else's until the transaction ends; refuses the others."""
    table = noun.table
    # In one order everywhere, so that two bulk changes never wait for each other.
    statement = sa.select(table).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update(key_share=True)
    rows = [dict(row) for row in db.execute(statement).mappings()]
    missing = set(ids) - {row["id"] for row in rows}
    seen = set(db.scalars(sa.select(table.c.id).where(table.c.id.in_(missing)))) if missing else set()
    for record_id in missing:
        if record_id in seen:
            refusal: Refused = NotAllowed(
                f"You may look at this {noun.title.lower()}, and not change it: it is a colleague’s."
            )
        else:
            refusal = NotFound(f"This {noun.title.lower()} is gone, or it is not for you to see.")
        refusals.add(record_id, refusal)
    return rows


def exactly(result: sa.CursorResult[Any], number: int) -> None:
    """Raises NotAllowed where a statement changed fewer rows than it meant to: the policies hide the others."""
    if result.rowcount != number:
        raise NotAllowed("Your role does not allow this. Nothing was changed.")


class Refusals:
    """Why records of one change can't be changed, until it is known of all."""

    def __init__(self, noun: Noun) -> None:
        self._noun = noun
        self._rows: dict[Any, Refused] = {}

    def add(self, row: Any, refusal: Refused) -> None:
        """Notes why this one can't."""
        self._rows[row] = refusal

    @contextmanager
    def of(self, row: Any) -> Iterator[None]:
        """Notes what is refused within the block; what concerns the database as a whole is raised."""
        try:
            yield
        except (Invalid, Conflict, NotAllowed, NotFound) as refusal:
            self.add(row, refusal)

    def raise_if_any(self, of: int) -> None:
        """Raises the one refusal of a change of one record, or RowRefusals."""
        if not self._rows:
            return
        if of == 1:
            raise next(iter(self._rows.values()))
        number = counted(self._noun, len(self._rows))
        raise RowRefusals(
            f"{number} of {of:,} can’t be changed like this, so nothing was saved.",
            {row: by_field(refusal) for row, refusal in self._rows.items()},
        )


def by_field(refusal: Refused) -> Mapping[str, str]:
    """The sentences of a refusal at their fields; "" is the record as a whole."""
    match refusal:
        case InvalidFields():
            return refusal.fields
        case Clashes():
            return {clash.field: str(refusal) for clash in refusal.clashes}
        case Invalid():
            return {refusal.field or "": str(refusal)}
    return {"": str(refusal)}


@contextmanager
def explained_at_fields() -> Iterator[None]:
    """Turns every refusal of a value within the block, the database's too, into InvalidFields."""
    try:
        with explained():
            yield
    except InvalidFields:
        raise
    except Invalid as refusal:
        raise InvalidFields({refusal.field or "": str(refusal)}) from refusal


def name_of(noun: Noun, row: Mapping[str, Any]) -> str:
    """What a sentence calls the record."""
    return str(row.get(noun.named_by) or f"without {noun.named_by}")


def named(noun: Noun, rows: Sequence[Mapping[str, Any]]) -> str:
    """What a sentence says was …: Spring gala was; 3 opportunities were."""
    if len(rows) == 1:
        return f"{name_of(noun, rows[0])} was"
    return f"{counted(noun, len(rows))} were"


def counted(noun: Noun, number: int) -> str:
    """How many of them: 1 opportunity, 3 opportunities."""
    return formats.counted(number, noun.title.lower(), noun.plural)


def _reason(reason: str | None) -> str | None:
    if not (reason or "").strip():
        return None
    try:
        return typed.text(reason, LONGEST_REASON)
    except Invalid as refusal:
        raise Invalid(str(refusal), "reason") from refusal
