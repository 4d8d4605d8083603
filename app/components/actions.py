"""What can be done to records, said once: for the buttons of a record, for many at once, and for their drawers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from app import fields
from app.commands import activities, contacts, documents, notes, opportunities, organizers, records, templates
from app.commands.records import Done
from app.errors import Invalid, InvalidFields
from app.fields import ADMINS, MANAGERS, NOUNS, WRITERS, Field, Noun
from app.forms.form import Submission
from app.viewer import Role, Viewer

Record = Mapping[str, Any]


def _always(_record: Record) -> bool:
    return True


def _is(column: str, *values: object) -> Callable[[Record], bool]:
    return lambda record: record[column] in values


@dataclass(frozen=True)
class Action:
    """A verb: what it is called, what must be known to do it, and the command that does it.

    `fits` says whether it makes sense for a record; `many` whether it does for several at once. Without `asks` and
    without `warns` it is done at the click.
    """

    verb: str
    label: str
    icon: str
    run: Callable[[Submission], Done]
    asks: tuple[Field, ...] = ()
    roles: Sequence[Role] = WRITERS
    fits: Callable[[Record], bool] = _always
    many: bool = True
    warns: bool = False

    @property
    def is_asked(self) -> bool:
        """Whether a drawer must ask before it is done."""
        return bool(self.asks) or self.warns


def _field(noun: str, name: str, **changed: Any) -> Field:
    found = NOUNS[noun].field(name)
    assert found is not None, name  # noqa: S101  (declared in app.fields)
    return replace(found, **changed)


def _does(command: Callable[..., Done], *names: str, **fixed: Any) -> Callable[[Submission], Done]:
    """Runs the command on the records, with these of the values that were given."""
    return lambda it: command(
        by=it.by, ids=it.ids, key=it.key, reason=it.reason, **{name: it.given[name] for name in names}, **fixed
    )


def _move(it: Submission) -> Done:
    seen = {it.ids[0]: UUID(it.was["stage_id"])} if it.was else {}
    return opportunities.move(by=it.by, ids=it.ids, seen=seen, key=it.key, reason=it.reason, **it.given)


def _merge(it: Submission) -> Done:
    return organizers.merge(by=it.by, kept=it.ids[0], merged=it.given["merged"], key=it.key, reason=it.reason)


def _copy(it: Submission) -> Done:
    return templates.duplicate(by=it.by, template_id=it.ids[0], key=it.key)


def _make_primary(it: Submission) -> Done:
    return contacts.make_primary(by=it.by, record_id=it.ids[0], key=it.key, reason=it.reason)


def _delete(noun: str) -> Action:
    it = NOUNS[noun]

    def run(submission: Submission) -> Done:
        return records.delete(it, by=submission.by, ids=submission.ids, key=submission.key, reason=submission.reason)

    return Action("delete", "Delete", ":material/delete:", run, roles=it.deleters, warns=True)


_OWNER: Final = Field("owner", "New owner", "person", required=True)
_CLOSED_ON: Final = Field("closed_on", "Closed on", "day", required=True)
_STAGE: Final = _field("opportunity", "stage_id")
_FOLLOWS: Final = Field(
    "follow_stage", "Take the probability of the stage", "flag", help="Otherwise one with a number of its own keeps it."
)
_WHY: Final = _field("opportunity", "loss_reason", required=True)
_WITH_THEM: Final = Field("with_opportunities", "Its open opportunities go along", "flag")
_SIGNED_BY: Final = Field("signed_by", "Signed by", "person", required=True)
_SIGNED_ON: Final = Field("signed_on", "Signed on", "day", required=True)
_MERGED: Final = Field("merged", "Organizer that goes into this one", "organizer", required=True)

_ACTIONS: Final[Mapping[str, Sequence[Action]]] = {
    "opportunity": (
        Action("move", "Move", ":material/arrow_forward:", _move, (_STAGE, _FOLLOWS), fits=_is("status", "open")),
        Action("win", "Won", ":material/emoji_events:", _does(opportunities.win, "closed_on"), (_CLOSED_ON,),
               fits=_is("status", "open")),
        Action("lose", "Lost", ":material/cancel:", _does(opportunities.lose, "loss_reason", "closed_on"),
               (_WHY, _CLOSED_ON), fits=_is("status", "open")),
        Action("abandon", "Abandon", ":material/do_not_disturb_on:", _does(opportunities.abandon),
               fits=_is("status", "open")),
        Action("reopen", "Reopen", ":material/restart_alt:", _does(opportunities.reopen, "stage_id"), (_STAGE,),
               fits=_is("status", "won", "lost", "abandoned")),
        Action("reassign", "Reassign", ":material/person_add:", _does(opportunities.reassign, "owner"), (_OWNER,),
               MANAGERS),
        _delete("opportunity"),
    ),
    "organizer": (
        Action("reassign", "Reassign", ":material/person_add:",
               _does(organizers.reassign, "owner", "with_opportunities"), (_OWNER, _WITH_THEM), MANAGERS),
        Action("merge", "Merge", ":material/merge:", _merge, (_MERGED,), many=False, warns=True),
        Action("archive", "Archive", ":material/archive:", _does(organizers.archive),
               fits=_is("status", "active", "inactive", "prospect")),
        Action("reactivate", "Bring back", ":material/unarchive:", _does(organizers.reactivate),
               fits=_is("status", "archived")),
        _delete("organizer"),
    ),
    "contact": (
        Action("make_primary", "Make primary", ":material/star:", _make_primary, fits=_is("is_primary", False),
               many=False),
        _delete("contact"),
    ),
    "activity": (
        Action("complete", "Complete", ":material/task_alt:", _does(activities.complete_tasks),
               fits=_is("task_status", "pending")),
        Action("cancel", "Cancel the task", ":material/block:", _does(activities.cancel),
               fits=_is("task_status", "pending")),
        _delete("activity"),
    ),
    "note": (
        Action("pin", "Pin", ":material/keep:", _does(notes.pin, is_pinned=True), fits=_is("is_pinned", False)),
        Action("unpin", "Unpin", ":material/keep_off:", _does(notes.pin, is_pinned=False),
               fits=_is("is_pinned", True)),
        _delete("note"),
    ),
    "document": (
        Action("sign", "Mark as signed", ":material/draw:", _does(documents.sign, "signed_by", "signed_on"),
               (_SIGNED_BY, _SIGNED_ON), fits=_is("is_signed", False)),
        Action("unsign", "Not signed after all", ":material/ink_eraser:", _does(documents.unsign),
               fits=_is("is_signed", True)),
        _delete("document"),
    ),
    "event": (_delete("event"),),
    "template": (
        Action("copy", "Make a copy", ":material/content_copy:", _copy, roles=ADMINS, many=False),
        _delete("template"),
    ),
    "target": (_delete("target"),),
}  # fmt: skip


def _new(submission: Submission) -> Done:
    it = submission
    return records.create(it.noun, by=it.by, given=it.given, key=it.key, reason=it.reason)


def _edit(submission: Submission) -> Done:
    it = submission
    return records.edit(
        it.noun, by=it.by, record_id=it.ids[0], base=it.base, given=it.given, key=it.key, reason=it.reason
    )


def new(noun: Noun, viewer: Viewer) -> Action | None:
    """Making one of them; None where the viewer's role may not."""
    if viewer.role not in noun.creators or noun.name == "document":  # a document begins with its file
        return None
    asked = noun.given_by(viewer.role, creating=True)
    return Action("new", f"New {noun.name}", ":material/add:", _new, asked, noun.creators, many=False)


def edit(noun: Noun, viewer: Viewer) -> Action | None:
    """Editing one of them; None where the viewer's role may not."""
    asked = noun.given_by(viewer.role)
    if viewer.role not in noun.editors or not asked:
        return None
    return Action("edit", "Edit", ":material/edit:", _edit, asked, noun.editors, many=False)


def of(noun: Noun, viewer: Viewer) -> list[Action]:
    """What the viewer's role can do to these records beside editing them, in the order of the buttons."""
    return [action for action in _ACTIONS.get(noun.name, ()) if viewer.role in action.roles]


def called(noun: Noun, verb: str, viewer: Viewer) -> Action | None:
    """The action of that name, if the viewer's role has it."""
    known = [new(noun, viewer), edit(noun, viewer), *of(noun, viewer)]
    return next((action for action in known if action and action.verb == verb), None)


def read(action: Action, submission: Submission) -> Submission:
    """The same with what was typed as it is stored; raises InvalidFields. For what is not a whole record's form."""
    values: dict[str, Any] = {}
    refusals: dict[str, str] = {}
    for field in action.asks:
        try:
            values[field.name] = fields.read(field, submission.given[field.name], submission.by.time_zone)
        except Invalid as refusal:
            refusals[field.name] = str(refusal)
    if refusals:
        raise InvalidFields(refusals)
    return replace(submission, given=values)
