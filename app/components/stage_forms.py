"""The stages themselves: their order, and the drawers in which one is edited, made and deleted."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats, frames, identity
from app.commands import stages as commands
from app.components import drawer, refusals, states
from app.components.fragments import BODY, RECORDS, draw_again
from app.components.markdown import literal
from app.components.stages import reading
from app.errors import Refused
from app.viewer import Viewer
from queries import stages as questions

KINDS: Final[Mapping[commands.Kind, str]] = {"open": "Open", "won": "Closed: won", "lost": "Closed: lost"}


def _attempt(change: Callable[[], object], done: str, *, close: bool = False) -> None:
    """For a callback in the drawer: the refusal stands at its field, and what was typed stays."""
    refusals.forget()
    try:
        change()
    except Refused as refusal:
        refusals.keep(refusal)
        return
    states.say(done)
    if close:
        drawer.close()
    draw_again(BODY, RECORDS)


def arrange(viewer: Viewer, stages: pd.DataFrame) -> None:
    """The stages in their order, each with the ways to change it."""
    with st.container(border=True, key="card-arrange", height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("The stages", anchor=False, width="stretch")
            st.button("New stage", icon=":material/add:", key="stages.create",
                      on_click=drawer.open_at, args=("create", "", "New stage"))  # fmt: skip
        for stage in frames.rows(stages):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                _row(viewer, stage, len(stages))


def _row(viewer: Viewer, stage: Any, number: int) -> None:
    key, name = f"stages.{stage.stage_id}", str(stage.stage)
    actions = len(json.loads(stage.auto_actions))
    notes = [
        KINDS[commands.kind_of(stage)]
        if stage.is_closed
        else f"{formats.whole_percent(stage.default_probability)}{formats.GAP}%",
        *([] if stage.is_active else ["inactive"]),
        *([formats.counted(actions, "action")] if actions else []),
    ]
    st.html(f'<span class="stage-dot" style="background:{stage.color}"></span>', width="content")
    st.markdown(f"**{literal(name)}** · {' · '.join(notes)}", width="stretch")
    for icon, words, place in ((":material/arrow_upward:", "Earlier", -1), (":material/arrow_downward:", "Later", 1)):
        st.button(
            "",
            icon=icon,
            help=words,
            type="tertiary",
            key=f"{key}.{words}",
            disabled=not 1 <= stage.place + place <= number,
            on_click=_move,
            args=(viewer, stage.stage_id, name, int(stage.place) + place, int(stage.version)),
        )
    st.button("Edit", type="tertiary", key=f"{key}.edit", on_click=drawer.open_at, args=("edit", stage.stage_id, name))
    st.button(
        "",
        icon=":material/delete:",
        help=f"Delete {literal(name)}",
        type="tertiary",
        key=f"{key}.delete",
        on_click=drawer.open_at,
        args=("delete", stage.stage_id, name),
    )


def _move(viewer: Viewer, stage_id: str, name: str, place: int, version: int) -> None:
    states.attempt(
        lambda: commands.move(by=viewer, stage_id=UUID(stage_id), place=place, version=version),
        f"{name} stands at place {place} now.",
    )


def _found(stage_id: str) -> tuple[Viewer, pd.DataFrame, Any, list[str]]:
    with reading() as read:
        stages = read.plain(questions.set_up).frame
        templates = read.plain(questions.template_names).frame["name"].tolist()
    return read.viewer, stages, next((row for row in frames.rows(stages) if row.stage_id == stage_id), None), templates


def edit(stage_id: str) -> None:
    """The drawer of one stage: each field is saved as it is changed."""
    viewer, stages, stage, templates = _found(stage_id)
    if stage is None:
        st.caption("This stage is gone; somebody has deleted it.")
        return
    it: dict[str, Any] = {"by": viewer, "stage_id": UUID(stage_id), "version": int(stage.version)}
    key = f"edit.{stage_id}"

    def field(name: str, value: Any) -> str:
        # The value is in the key: somebody else's change of this field shows, and what is typed in the others stays.
        own = f"{key}.{name}.{value}"
        st.session_state.setdefault(own, value)
        return own

    def changed(change: Callable[..., object], argument: str, own: str) -> None:
        value = st.session_state[own]
        _attempt(lambda: change(**it, **{argument: value}), f"{stage.stage} is changed.")

    own = field("name", str(stage.stage))
    st.text_input("Name", key=own, max_chars=commands.LONGEST_NAME, on_change=changed,
                  args=(commands.rename, "name", own))  # fmt: skip
    refusals.at("name")
    own = field("color", str(stage.color))
    st.color_picker("Colour in every chart", key=own, on_change=changed, args=(commands.recolor, "color", own))
    refusals.at("color")
    own = field("place", int(stage.place))
    st.selectbox("Place", list(range(1, len(stages) + 1)), key=own, on_change=changed,
                 args=(commands.move, "place", own))  # fmt: skip
    own = field("active", bool(stage.is_active))
    st.toggle(
        "Active: offered for opportunities", key=own, on_change=changed, args=(commands.activate, "is_active", own)
    )
    own = field("kind", commands.kind_of(stage))
    st.radio("Opportunities here are", list(KINDS), format_func=lambda kind: KINDS[kind], key=own, horizontal=True,
             on_change=changed, args=(commands.make, "kind", own))  # fmt: skip
    refusals.at("is_closed")
    _actions(it, stage, templates)
    refusals.at()


def _actions(it: Mapping[str, Any], stage: Any, templates: list[str]) -> None:
    actions: list[dict[str, Any]] = json.loads(stage.auto_actions)
    st.markdown("**When an opportunity comes in**")
    done_by_itself = st.container()

    def set_to(wanted: list[dict[str, Any]]) -> None:
        _attempt(lambda: commands.set_actions(**it, actions=wanted), f"{stage.stage} is changed.")

    def add_email() -> None:
        set_to([*actions, {"action": "send_email", "template": st.session_state["action.template"]}])

    def add_task() -> None:
        days, subject = st.session_state["action.days"], st.session_state["action.subject"]
        set_to([*actions, {"action": "create_task", "subject": subject, "days": days}])

    with done_by_itself:
        for place, action in enumerate(actions):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(_said(action), width="stretch")
                st.button("", icon=":material/delete:", help="Remove", type="tertiary", key=f"action.{place}.remove",
                          on_click=set_to, args=([*actions[:place], *actions[place + 1 :]],))  # fmt: skip
        if not actions:
            st.caption("Nothing is done by itself.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Send an email", templates, key="action.template", placeholder="No template yet",
                     disabled=not templates)  # fmt: skip
        st.button("Add", key="action.email", on_click=add_email, disabled=not templates)
    refusals.at("template")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Create a task", key="action.subject", placeholder="Call them", max_chars=200)
        st.number_input("Due in days", 0, commands.MOST_DAYS, 3, key="action.days", width=140)
        st.button("Add", key="action.task", on_click=add_task)
    refusals.at("subject")
    refusals.at("days")
    refusals.at("action")


def _said(action: Mapping[str, Any]) -> str:
    match action:
        case {"action": "send_email", "template": template}:
            return f":material/mail: Send “{literal(template)}”"
        case {"action": "create_task", "subject": subject, "days": days}:
            return f":material/task_alt: Task “{literal(subject)}”, due in {formats.days(days)}"
        case _:
            return f":material/help: {literal(json.dumps(action))}: not known here, and not done"


def create(_nothing: str) -> None:
    """The drawer of a new stage."""
    viewer = identity.viewer()
    st.text_input("Name", key="create.name")
    refusals.at("name")
    st.radio("Opportunities in it are", list(KINDS), format_func=lambda kind: KINDS[kind], key="create.kind",
             horizontal=True)  # fmt: skip
    if st.session_state["create.kind"] == "open":
        st.text_input("Probability, %", "50", key="create.probability")
        refusals.at("probability")
    st.color_picker("Colour in every chart", "#3b82f6", key="create.color")
    refusals.at()

    def save() -> None:
        typed = {name: st.session_state[f"create.{name}"] for name in ("name", "kind", "color")}
        percent = st.session_state.get("create.probability", "0")
        _attempt(
            lambda: commands.create(by=viewer, probability=percent, **typed), f"{typed['name']} is made.", close=True
        )

    st.button("Make the stage", type="primary", key="create.save", on_click=save)


def delete(stage_id: str) -> None:
    """The drawer that deletes a stage, with a way out for what it holds."""
    viewer, stages, stage, _ = _found(stage_id)
    if stage is None:
        st.caption("This stage is gone.")
        return
    with reading() as read:
        held = read.plain(questions.held, UUID(stage_id)).frame.iloc[0]
    kind = commands.kind_of(stage)
    others = {row.stage_id: str(row.stage) for row in frames.rows(stages)
              if row.stage_id != stage_id and commands.kind_of(row) == kind}  # fmt: skip
    number = int(held["opportunities"])
    if number:
        st.markdown(
            f"{literal(stage.stage)} holds **{formats.counted(number, 'opportunity', 'opportunities')}**,"
            f" {formats.count(held['open'])} of them open. They need another stage."
        )
        st.selectbox("Move them to", list(others), index=None, format_func=lambda other: others[other],
                     key="delete.move_to", placeholder="Choose a stage")  # fmt: skip
        refusals.at("move_to")
        st.caption("Open ones that inherit take the probability of that stage; those with their own keep it.")
    else:
        st.markdown("It holds no opportunities. Its history stays.")
    refusals.at()

    def remove() -> None:
        chosen = st.session_state.get("delete.move_to")
        _attempt(
            lambda: commands.delete(by=viewer, stage_id=UUID(stage_id), move_to=UUID(chosen) if chosen else None),
            f"{stage.stage} is deleted.", close=True,
        )  # fmt: skip

    words = "Move them and delete the stage" if number else "Delete the stage"
    st.button(words, type="primary", key="delete.save", on_click=remove)
