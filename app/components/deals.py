"""The open opportunities of the Pipeline page: as a table, as a board to move them on, or as a grid to edit."""

from typing import Any, Final
from uuid import UUID, uuid4

import streamlit as st

from app import identity
from app.cache import asking
from app.commands import opportunities
from app.components import board, editing, grid, pipeline, states
from app.components.board import Moved, Stage
from app.components.picture import Answer, nothing_there
from app.components.review import Reading
from app.fields import WRITERS
from app.viewer import Viewer
from queries import stages as stage_questions

_VIEWS: Final = {"Table": ":material/table_rows:", "Board": ":material/view_kanban:", "Edit": ":material/edit:"}
_EDITED: Final = 200  # rows of the grid, the largest expected revenue first


def draw(read: Reading, deals: Answer, title: str) -> None:
    """The list in the view that the reader has chosen; the past can be looked at, but not moved or edited."""
    scope = read.scope
    is_theirs = read.viewer.role in WRITERS and scope.as_of == scope.today
    views = list(_VIEWS) if is_theirs else list(_VIEWS)[:2]
    view = st.segmented_control(
        "As", views, default="Table", required=True, key=f"list.as.{is_theirs}", label_visibility="collapsed",
        format_func=lambda name: f"{_VIEWS[name]} {name}",
    )  # fmt: skip
    if view == "Table":
        pipeline.opportunities(deals, read.setting, "list", title)
    elif deals.frame.empty:
        nothing_there(read.setting, pipeline.NOTHING, "list")
    elif view == "Board":
        stages = _stages(read.viewer)
        kinds = {stage.id: stage for stage in stages}
        board.draw(
            deals.frame, stages, scope.currency, key="board",
            on_moved=(lambda moved: _move(moved, kinds[moved.to])) if is_theirs else None,
            on_opened=lambda opportunity, name: editing.open_form("opportunity", opportunity, name),
        )  # fmt: skip
    else:
        grid.editor(read.viewer, "opportunity", [UUID(one) for one in deals.frame["opportunity_id"].head(_EDITED)])


def _stages(viewer: Viewer) -> list[Stage]:
    with asking(viewer) as ask:
        found = ask(stage_questions.set_up)
    offered = found[found["is_active"]]
    # Cards go to the first won and the first lost one, as the commands have it.
    closed = offered[offered["is_closed"]].drop_duplicates("is_won")
    rows: list[Any] = [
        *offered[~offered["is_closed"]].itertuples(),
        *closed.sort_values("is_won", ascending=False).itertuples(),
    ]
    return [
        Stage(row.stage_id, row.stage, row.color, "open" if not row.is_closed else "won" if row.is_won else "lost")
        for row in rows
    ]


def _move(moved: Moved, stage: Stage) -> None:
    """For a callback: moves it; what a closed stage must know is asked in the drawer."""
    if stage.kind != "open":
        verb, title = ("win", "Won") if stage.kind == "won" else ("lose", "Lost")
        editing.open_action("opportunity", verb, [moved.opportunity], title)
        return
    viewer = identity.viewer()
    with states.trying():
        editing.done(
            opportunities.move(
                by=viewer,
                ids=[UUID(moved.opportunity)],
                stage_id=UUID(stage.id),
                follow_stage=False,
                seen={UUID(moved.opportunity): UUID(moved.was)},
                key=uuid4(),
            )
        )
