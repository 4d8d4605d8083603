"""A form: what it is about, what it showed, and what is typed into it.

What it showed stays as it was when it was opened, whatever others save meanwhile: the command compares with it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID, uuid4, uuid5

import streamlit as st

from app import fields
from app.components import refusals
from app.components.markdown import literal
from app.errors import Clash, InvalidFields
from app.fields import NOUNS, Field, Noun
from app.forms import clashing, inputs
from app.viewer import Viewer

# What a field begins with where there is no record; what is not here begins empty.
_BEGINNINGS: Final[Mapping[str, Callable[[Viewer], Any]]] = {
    "currency": lambda viewer: viewer.organisation.report_currency,
    "status": lambda _: "active",
    "assigned_to": lambda viewer: viewer.id,
    "user_id": lambda viewer: viewer.id,
    "communication_preference": lambda _: "email",
    "timezone": lambda viewer: viewer.organisation.time_zone,
    "language": lambda _: "en",
    "activity_date": lambda _: datetime.now(UTC),
    "closed_on": lambda viewer: viewer.today,
    "signed_by": lambda viewer: viewer.id,
    "signed_on": lambda viewer: viewer.today,
    "follow_stage": lambda _: True,
    "with_opportunities": lambda _: True,
}


@dataclass(frozen=True)
class Purpose:
    """What a form is for: the verb, and the records; a new one has none, and may have a preset."""

    noun: Noun
    verb: str
    ids: tuple[UUID, ...] = ()
    preset: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str) -> "Purpose":
        """The purpose out of a form's name."""
        noun, verb, rest = name.split("/", 2)
        ids, _, preset = rest.partition("?")
        return cls(NOUNS[noun], verb, tuple(map(UUID, filter(None, ids.split(",")))), dict(parse_qsl(preset)))

    @property
    def name(self) -> str:
        """The form's name, under which its draft is kept: `opportunity/edit/<id>`, `note/new/?organizer_id=<id>`."""
        preset = f"?{urlencode(sorted(self.preset.items()))}" if self.preset else ""
        return f"{self.noun.name}/{self.verb}/{','.join(map(str, self.ids))}{preset}"


@dataclass(frozen=True)
class Submission:
    """The arguments of a command: what the form showed, what is wanted, and the key that lets it happen once."""

    by: Viewer
    noun: Noun
    ids: tuple[UUID, ...]
    base: Mapping[str, Any]
    given: Mapping[str, Any]
    key: UUID
    reason: str
    was: Mapping[str, Any]  # the one record as it was when the form was opened; empty of a new one, or of several


@dataclass
class Form:
    """One form that somebody has open. `base` and what is typed are JSON by field."""

    purpose: Purpose
    title: str
    fields: tuple[Field, ...]
    base: dict[str, Any]
    time_zone: str
    stages: Mapping[str, str]  # what each that may be chosen is called
    was: Mapping[str, Any]  # the one record that it is about, as it was when it was opened
    token: UUID = field(default_factory=uuid4)
    kept_at: datetime | None = None  # when the draft was kept that it goes on from
    clashes: tuple[Clash, ...] = ()
    start: dict[str, Any] = field(default_factory=dict)  # what each field begins with
    filled: int = 0  # how often it was filled in: the widgets are others each time

    @classmethod
    def begun(
        cls,
        viewer: Viewer,
        purpose: Purpose,
        title: str,
        asked: Sequence[Field],
        record: Mapping[str, Any],
        stages: Mapping[str, str],
    ) -> "Form":
        """The form as it is before anything is typed; `record` is the stored one, empty of a new one or of several."""
        if purpose.verb == "edit":
            stored = record
        else:
            stored = {item.name: _BEGINNINGS[item.name](viewer) for item in asked if item.name in _BEGINNINGS}
            if purpose.verb == "new" and stages:
                stored["stage_id"] = next(iter(stages))  # where every sale begins
            stored |= purpose.preset
        base = {item.name: _plain(stored.get(item.name)) for item in asked}
        form = cls(purpose, title, tuple(asked), base, viewer.time_zone, stages, record)
        form.fill({item.name: form.as_shown(item) for item in asked})
        return form

    def take_up(self, base: Mapping[str, Any], given: Mapping[str, Any], kept_at: datetime) -> None:
        """Goes on where a draft was left: with what the form showed then, and what was typed."""
        self.base |= {name: value for name, value in base["shown"].items() if name in self.base}
        self.token, self.kept_at = UUID(base["token"]), kept_at
        self.fill({item.name: given.get(item.name, self.as_shown(item)) for item in self.fields})

    def draft(self) -> dict[str, dict[str, Any]]:
        """What `drafts.keep` is to keep of it."""
        return {"base": {"token": str(self.token), "title": self.title, "shown": self.base}, "given": self.typed()}

    def key(self, name: str) -> str:
        """The key of the field's widget."""
        return f"form.{self.token}.{self.filled}.{name}"

    @property
    def reason_key(self) -> str:
        """The key of the field for why it is changed."""
        return f"form.{self.token}.reason"

    def as_shown(self, item: Field) -> Any:
        """The field as it is shown before anything is typed."""
        return inputs.as_typed(item, self.base[item.name], self.time_zone)

    def fill(self, typed: Mapping[str, Any]) -> None:
        """Fills these fields in; what is typed into the others stays."""
        self.start = {**self.typed(), **typed}
        self.filled += 1

    def typed(self) -> dict[str, Any]:
        """What stands in each field; in one that is not asked for at present, what it began with."""
        keys = [(item, self.key(item.name)) for item in self.fields]
        return {
            item.name: inputs.typed(item, key) if inputs.is_there(item, key) else self.start.get(item.name)
            for item, key in keys
        }

    @property
    def is_changed(self) -> bool:
        """Whether anything is typed that is not as it was shown."""
        typed = self.typed()
        return any(typed[item.name] != self.as_shown(item) for item in self.fields)

    def _is_typed(self, name: str) -> bool:
        return any(self.typed()[name] != self.as_shown(item) for item in self.fields if item.name == name)

    def submission(self, by: Viewer) -> Submission:
        """What is wanted; of a field where nothing else is typed, what was stored, to the last digit and second."""
        typed = self.typed()
        given = {
            item.name: self.base[item.name] if typed[item.name] == self.as_shown(item) else typed[item.name]
            for item in self.fields
        }
        reason = str(st.session_state.get(self.reason_key, ""))
        # The same for the same content: a second click writes nothing, and other content is another change.
        key = uuid5(self.token, json.dumps([given, self.base, reason], sort_keys=True))
        return Submission(by, self.purpose.noun, self.purpose.ids, dict(self.base), given, key, reason, self.was)

    def settle(self) -> None:
        """Takes what was chosen for each field that clashed; what the other one saved is what the form showed now.

        Raises InvalidFields where it is not chosen yet.
        """
        open_ones = [clash for clash in self.clashes if not clashing.is_settled(self.key(clash.field))]
        if open_ones:
            raise InvalidFields({clash.field: "Choose which of the two values holds." for clash in open_ones})
        theirs = {clash.field: _plain(clash.theirs) for clash in self.clashes}
        taken = [name for name in theirs if clashing.takes_theirs(self.key(name))]
        self.base |= theirs
        self.was = {**self.was, **theirs}
        self.clashes = ()
        if taken:
            self.fill({item.name: self.as_shown(item) for item in self.fields if item.name in taken})

    # Drawing -----------------------------------------------------------------------------------------------------

    def draw(self, changed: Callable[[], None], now: Mapping[str, Any]) -> None:
        """Draws the fields, each with what was refused of it; `now` is the one record as it is stored by now."""
        asked = [item for item in self.fields if self._is_asked(item)]
        for row in _rows(asked):
            for column, item in zip(st.columns(2) if len(row) > 1 else [st.container()], row, strict=True):
                with column:
                    self._field(item, changed, now)
        refusals.rest([item.name for item in asked])

    def _field(self, item: Field, changed: Callable[[], None], now: Mapping[str, Any]) -> None:
        key, clash = self.key(item.name), next((clash for clash in self.clashes if clash.field == item.name), None)
        within = self.typed().get("organizer_id") or self.was.get("organizer_id")
        inputs.draw(item, key, self.start[item.name], changed, within=within, stages=self.stages)
        refusals.at(item.name)
        if clash:
            clashing.draw(clash, item, key, self.time_zone)
        elif self.purpose.verb == "edit" and _plain(now.get(item.name)) != self.base[item.name]:
            said = "" if item.kind in fields.REFERENCES else f" to {fields.shown(item, now[item.name], self.time_zone)}"
            st.caption(f":material/sync: Somebody has changed this{literal(said)} meanwhile.")

    def _is_asked(self, item: Field) -> bool:
        """Whether the field means something as things stand: a meeting has no due date, an open deal no closing day."""
        if self.purpose.verb not in ("new", "edit"):
            return True
        status, kind = self.was.get("status", "open"), self.typed().get("type")
        asked: dict[str, bool] = {
            "probability": status == "open",
            "probability_reason": status == "open" and self._is_typed("probability"),
            "probability_source": False,  # it follows from the probability
            "actual_close_date": status in ("won", "lost", "abandoned"),
            "loss_reason": status in ("lost", "abandoned"),
            "due_date": kind == "task",
            "task_status": kind == "task" and self.purpose.verb == "edit",
            "duration_minutes": kind != "task",
        }
        return asked.get(item.name, True)


def _plain(value: Any) -> Any:
    """The value as JSON says it."""
    return value if value is None or isinstance(value, bool | int | list | dict) else str(value)


def _rows(items: Sequence[Field]) -> Iterator[list[Field]]:
    """The fields line by line: in pairs, the long ones alone."""
    row: list[Field] = []
    for item in items:
        if row and (item.kind in inputs.WIDE or len(row) == 2):
            yield row
            row = []
        row.append(item)
        if item.kind in inputs.WIDE:
            yield row
            row = []
    if row:
        yield row
