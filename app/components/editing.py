"""Creating, editing and every other change of records in the side drawer, and what stands on the page about it.

What is typed is kept as a draft at every change of a field. A drawer that is closed, a page that is left and a
connection that is lost therefore take nothing away: the draft is offered again until it is saved or thrown away.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

import streamlit as st

from app import database, formats, identity
from app.cache import asking
from app.commands import drafts, undo
from app.commands.records import Done
from app.components import actions, consequences, drawer, refusals, shell, states, templates, unsaved
from app.components.actions import Action
from app.components.drawer import Records
from app.components.markdown import literal
from app.errors import Clashes, Conflict, NotAllowed, Refused
from app.fields import NOUNS, Noun
from app.forms.form import Form, Purpose, Submission
from app.viewer import Viewer
from queries import history
from queries import record as questions

_SAVES: Final = {"new": "Create", "edit": "Save"}  # every other drawer says on its button what its verb is called
_SELF_EVIDENT: Final = ("new", "lose")  # what says itself why
_SESSION: Final = "editing.session"
_FORM: Final = "editing.form"
_DONE: Final = "editing.done"
_NOT_KEPT: Final = "editing.not-kept"
_GRID: Final = "grid"  # the verb of a grid's draft
_OFFERED: Final = 3  # drafts at once above a page; the others wait for their turn


# Buttons that open a drawer, or do it at once ----------------------------------------------------------------------


def create_button(viewer: Viewer, noun: str, preset: Mapping[str, Any] | None = None, *, primary: bool = False) -> None:
    """The button that opens an empty form, filled with the preset; nothing where the viewer may not create."""
    action = actions.new(NOUNS[noun], viewer)
    if action is None:
        return
    given = {name: str(value) for name, value in (preset or {}).items()}
    purpose = Purpose(NOUNS[noun], "new", (), given)
    st.button(action.label, icon=action.icon, key=purpose.name, type="primary" if primary else "secondary",
              on_click=open_purpose, args=(purpose, action.label))  # fmt: skip


def edit_button(viewer: Viewer, noun: str, record_id: str | UUID, name: str) -> None:
    """The button that opens the record's form; nothing where the viewer's role edits nothing of it."""
    if action := actions.edit(NOUNS[noun], viewer):
        st.button(action.label, icon=action.icon, key=f"edit.{record_id}", on_click=open_form,
                  args=(noun, record_id, name))  # fmt: skip


def open_form(noun: str, record_id: str | UUID, name: str) -> None:
    """For a callback (a row of a list, a card): opens the record's form."""
    open_purpose(Purpose(NOUNS[noun], "edit", (UUID(str(record_id)),)), name)


def open_action(noun: str, verb: str, ids: Sequence[str | UUID], title: str) -> None:
    """For a callback: opens the drawer that asks what the action needs to know, such as why a deal was lost."""
    open_purpose(Purpose(NOUNS[noun], verb, tuple(UUID(str(one)) for one in ids)), title)


def open_purpose(purpose: Purpose, title: str) -> None:
    """For a callback: opens the drawer of a form."""
    refusals.forget()
    st.session_state.pop(_FORM, None)
    drawer.open_at("form", purpose.name, title)


def action_button(action: Action, noun: Noun, ids: Sequence[UUID], name: str) -> None:
    """The button of an action on these records, which `name` names in a drawer's title."""
    key = f"{noun.name}.{action.verb}"
    if action.is_asked:
        st.button(action.label, icon=action.icon, key=key, on_click=open_action,
                  args=(noun.name, action.verb, ids, f"{action.label}: {name}"))  # fmt: skip
        return
    # Another one when the data have changed: the second click of a double click does nothing, a later one does.
    session = st.session_state.setdefault(_SESSION, uuid4())
    once = uuid5(session, f"{action.verb} {ids} {database.data_version()}")
    st.button(action.label, icon=action.icon, key=key, on_click=_do_at_once, args=(action, noun, ids, once))


def _do_at_once(action: Action, noun: Noun, ids: Sequence[UUID], key: UUID) -> None:
    submission = Submission(identity.viewer(), noun, tuple(ids), {}, {}, key, "", {})
    with states.trying():
        done(action.run(submission))


# What stands above a page ------------------------------------------------------------------------------------------


def strips(viewer: Viewer) -> None:
    """At the top of a page's body: what was just done, with "Undo", and what is typed and not saved, with
    "Continue" and "Discard"."""
    states.outcome()
    with st.container():  # see there
        if done := st.session_state.get(_DONE):
            _undo_strip(done)
        if drawer.is_open():
            return  # what is typed there is nothing to go on with
        with asking(viewer) as ask:
            kept = ask.once(history.drafts)
        for draft in [draft for draft in kept.itertuples() if not _is_here(Purpose.of(str(draft.form)))][:_OFFERED]:
            _draft_strip(draft, viewer)


def _undo_strip(done: Done) -> None:
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="card-done"):
        st.markdown(f":material/check: {literal(done.said)}", width="stretch")
        if done.records:
            st.button("Undo", icon=":material/undo:", key="done.undo", on_click=undo_change, args=(done.change,))
        st.button("", icon=":material/close:", help="Close", type="tertiary", key="done.close",
                  on_click=st.session_state.pop, args=(_DONE,))  # fmt: skip


def undo_change(change: int) -> None:
    """For a callback: takes the change back, and says so above the page."""
    viewer = identity.viewer()
    st.session_state.pop(_DONE, None)
    with states.trying():
        done(undo.undo(by=viewer, change=change))


def restore(noun: Noun, record_id: UUID, entry: int) -> None:
    """For a callback: gives the record back what the entry of its history took, and says so above the page."""
    viewer = identity.viewer()
    with states.trying():
        done(undo.restore(by=viewer, noun=noun, record_id=record_id, entry=entry))


def done(what: Done) -> None:
    """For a callback: the page says what was done, with the way back."""
    st.session_state[_DONE] = what


def _draft_strip(draft: Any, viewer: Viewer) -> None:
    base: dict[str, Any] = json.loads(draft.base)
    with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"card-draft-{base['token']}"):
        at = formats.moment(draft.saved_at, viewer.time_zone)
        st.markdown(
            f":material/edit_note: **{literal(base['title'])}** is not saved :gray[· typed {at}]", width="stretch"
        )
        st.button("Continue", key=f"continue.{draft.form}", on_click=_go_on,
                  args=(Purpose.of(draft.form), base["title"]))  # fmt: skip
        st.button("Discard", type="tertiary", key=f"discard.{draft.form}", on_click=_discard, args=(draft.form,))


def _is_here(purpose: Purpose) -> bool:
    """Whether it is the grid of this page, where what is typed stands already."""
    path = urlsplit(st.context.url or "").path
    return purpose.verb == _GRID and path.endswith(f"/{purpose.noun.plural}") and _shows_grid(purpose.noun)


def _shows_grid(noun: Noun) -> bool:
    return noun.name == "target" or st.query_params.get("as") == _GRID


def _go_on(purpose: Purpose, title: str) -> None:
    if purpose.verb == _GRID:
        st.switch_page(shell.PAGES / f"{purpose.noun.plural}.py", query_params={"as": _GRID})
    open_purpose(purpose, title)


def _discard(form: str) -> None:
    viewer = identity.viewer()
    st.session_state.pop(form, None)  # of a grid: what the session holds of it
    states.attempt(lambda: drafts.discard(by=viewer, form=form), "What was typed is thrown away.")


# The drawer --------------------------------------------------------------------------------------------------------


def opener(viewer: Viewer) -> None:  # noqa: ARG001  (every door of the page knows who looks)
    """Where the drawers of forms open: once a page, beside its body. A page with drawers of its own places them all:
    `drawer.place({**its_own, **editing.drawers()})`."""
    drawer.place(drawers())


def drawers() -> Mapping[str, Records]:
    """What `drawer.place` needs for the forms."""
    return {"form": _content}


def _content(name: str) -> None:
    viewer, purpose = identity.viewer(), Purpose.of(name)
    action = actions.called(purpose.noun, purpose.verb, viewer)
    if action is None:
        st.caption("Your role does not do this.")
        return
    now, stages = _read(viewer, purpose)
    if now is None:
        st.caption(f"This {purpose.noun.title.lower()} is gone, or it is not yours to see.")
        return
    form = _open(viewer, purpose, action, now, stages)
    if form.kept_at:
        _kept(form)
    if action.warns:
        consequences.OF[action.verb](viewer, form, _changed)
    form.draw(_changed, now)
    if purpose.noun.name == "template":
        templates.aids(viewer, form.typed())
    if action.verb not in _SELF_EVIDENT:
        st.text_input("Why", key=form.reason_key, placeholder="For the history; may stay empty")
    with st.container(horizontal=True, vertical_alignment="center", key="form-footer"):
        st.button(_SAVES.get(action.verb, action.label), type="primary", key=form.key("save"),
                  on_click=_save, args=(form.token,))  # fmt: skip
        if purpose.verb == "edit" and purpose.noun.name == "event":  # it has no page for its other buttons
            for other in actions.of(purpose.noun, viewer):
                action_button(other, purpose.noun, purpose.ids, form.title)
        if refused := [item.label for item in form.fields if item.name in refusals.named()]:
            st.markdown(f":red[:material/error: Not saved yet: look at {literal(', '.join(refused))}.]")
    if st.session_state.get(_NOT_KEPT):
        st.caption(f":material/cloud_off: What you type is not kept at the moment: {st.session_state[_NOT_KEPT]}")
    unsaved.guard(form.is_changed, "editing.guard")


def _read(viewer: Viewer, purpose: Purpose) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The one record that it is about, empty of a new one or of several, None where it is gone; and the stages."""
    with asking(viewer) as ask:
        found = ask(questions.one, purpose.noun.name, purpose.ids[0]) if len(purpose.ids) == 1 else None
        stages = ask(questions.stages_offered)
    if found is None:
        record: dict[str, Any] | None = {}
    else:
        record = json.loads(found["record"].iloc[0], parse_float=str) if len(found) else None
    own = (record or {}).get("stage_id")
    offered = [row for row in stages.itertuples() if not row.is_closed or row.id == own]
    return record, {str(row.id): str(row.name) for row in offered}


def _open(viewer: Viewer, purpose: Purpose, action: Action, record: dict[str, Any], stages: dict[str, str]) -> Form:
    """The form that is open, or the one that begins now: with its draft where there is one."""
    form = st.session_state.get(_FORM)
    if isinstance(form, Form) and form.purpose == purpose:
        return form
    form = Form.begun(viewer, purpose, _title(purpose, record, action), action.asks, record, stages)
    with asking(viewer) as ask:
        kept = ask.once(history.draft, purpose.name)
    if len(kept):
        draft = kept.iloc[0]
        form.take_up(json.loads(draft["base"]), json.loads(draft["given"]), draft["saved_at"])
    st.session_state[_FORM] = form
    return form


def _title(purpose: Purpose, record: Mapping[str, Any], action: Action) -> str:
    name = record.get(purpose.noun.named_by)
    if purpose.verb == "edit":
        return str(name or purpose.noun.title)
    return f"{action.label}: {name}" if name else action.label


def _kept(form: Form) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="card-kept", border=True):
        at = formats.moment(form.kept_at, form.time_zone)
        st.markdown(f":material/edit_note: You typed this and did not save it :gray[· {at}]", width="stretch")
        st.button(
            "Start again", type="tertiary", key=form.key("again"), on_click=_start_again, args=(form.purpose.name,)
        )


def _start_again(name: str) -> None:
    with suppress(Refused):
        drafts.discard(by=identity.viewer(), form=name)
    refusals.forget()
    st.session_state.pop(_FORM, None)


def _changed() -> None:
    """Keeps what is typed, or forgets it where it is as it was."""
    form = st.session_state.get(_FORM)
    if not isinstance(form, Form):
        return  # saved by a click that arrived together with the last letter
    viewer = identity.viewer()
    st.session_state.pop(_NOT_KEPT, None)
    try:
        if form.is_changed:
            drafts.keep(by=viewer, form=form.purpose.name, **form.draft())
        else:
            drafts.discard(by=viewer, form=form.purpose.name)
    except Refused as refusal:
        st.session_state[_NOT_KEPT] = str(refusal)


def _save(token: UUID) -> None:
    form = st.session_state.get(_FORM)
    if not isinstance(form, Form) or form.token != token:
        return  # the second click of a double click: the first one has saved
    viewer = identity.viewer()
    action = actions.called(form.purpose.noun, form.purpose.verb, viewer)
    refusals.forget()
    try:
        if action is None:
            raise NotAllowed("Your role does not do this. Nothing was changed.")
        form.settle()
        submission = form.submission(viewer)
        saved = action.run(submission if action.verb in ("new", "edit") else actions.read(action, submission))
    except Clashes as refusal:
        form.clashes = refusal.clashes
        refusals.keep(Conflict(str(refusal)))
    except Refused as refusal:
        refusals.keep(refusal)
    else:
        done(saved)
        with suppress(Refused):
            drafts.discard(by=viewer, form=form.purpose.name)
        del st.session_state[_FORM]
        drawer.close()
