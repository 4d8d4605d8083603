"""Documents where people meet them: upload, download, a preview, and the versions."""

import base64
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID, uuid4

import pandas as pd
import streamlit as st

from app import files, formats, identity, uploads
from app.cache import asking
from app.commands import documents as commands
from app.commands.records import Done
from app.components import actions, drawer, editing, refusals
from app.components.drawer import Records
from app.components.health import records
from app.components.markdown import literal
from app.components.picture import Answer, Empty, Setting, nothing_there
from app.errors import Refused
from app.fields import DOCUMENT
from app.viewer import Viewer
from queries import documents as questions
from queries import record

_PREVIEW: Final = 560  # pixels
_KEY: Final = "document.key"
_SHOWN: Final = "document.shown"
_LISTED: Final = "documents.listed"
_OPEN: Final = "documents.open"


def upload_button(viewer: Viewer, organizer_id: UUID, opportunity_id: UUID | None = None) -> None:
    """A button that opens the drawer in which a file is uploaded; nothing for those who only read."""
    _opens_upload(viewer, "Upload a document", f"{organizer_id}/{opportunity_id or ''}/", "Upload a document")


def _opens_upload(viewer: Viewer, label: str, what: str, title: str) -> None:
    if viewer.role in DOCUMENT.creators:
        st.button(label, icon=":material/upload_file:", key=f"document.upload.{what}", on_click=_open_upload,
                  args=(what, title))  # fmt: skip


def _open_upload(what: str, title: str) -> None:
    refusals.forget()
    st.session_state[_KEY] = uuid4()
    drawer.open_at("document.upload", what, title)


def drawers() -> Mapping[str, Records]:
    """What `drawer.place` needs for these; "document" opens at a document's id."""
    return {"document": _document, "document.upload": _upload}


def card(answer: Answer, setting: Setting, viewer: Viewer, organizer_id: UUID) -> None:
    """The documents of an organizer; a click on one opens it."""
    with st.container(border=True, key="card-documents"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("Documents", anchor=False, width="stretch")
            upload_button(viewer, organizer_id)
        if answer.frame.empty:
            nothing_there(setting, Empty("No documents", "Proposals and contracts will stand here."), "documents")
            return
        st.session_state[_LISTED] = list(zip(answer.frame["document_id"], answer.frame["file_name"], strict=True))
        opener = st.column_config.ButtonColumn(
            "File", type="tertiary", width=260, alignment="left", help="Opens it", on_click=_open, key=_OPEN
        )
        signed = int(answer.frame["is_signed"].fillna(False).sum())
        note = f"{formats.counted(len(answer.frame), 'document')}, {signed} signed"
        records(answer, setting, "documents", "Documents", note, columns={"file_name": opener})


def _open() -> None:
    click, listed = st.session_state[_OPEN], st.session_state[_LISTED]
    if click and click["row"] < len(listed):
        drawer.open_at("document", *listed[click["row"]])


# Uploading -----------------------------------------------------------------------------------------------------


def _upload(what: str) -> None:
    """The drawer of an upload: to an organizer or its opportunity, or as the next version of a document there."""
    viewer = identity.viewer()
    organizer_id, opportunity_id, document_id = what.split("/")
    named: str | None = None
    document_type: str | None = None
    if document_id:
        with asking(viewer) as ask:
            found = ask(questions.document, UUID(document_id))
        if found.empty:
            st.caption(files.GONE)
            return
        row = _row(found)
        named, document_type = row["file_name"], row["document_type"]
    kinds = [named.rpartition(".")[2].lower()] if named else list(uploads.KINDS)
    key = st.session_state.setdefault(_KEY, uuid4())
    file = st.file_uploader("File", kinds, key=f"document.file.{key}")
    refusals.at("file")
    if named is None:
        document_type = st.selectbox(
            "Type",
            commands.TYPE.choices,
            index=None,
            format_func=str.capitalize,
            key="document.type",
            placeholder="Choose what it is",
        )
        refusals.at("document_type")
        st.caption("A file with the name of one that is here already becomes its next version.")
    refusals.at()

    def upload() -> Done:
        assert file is not None  # noqa: S101  (the button waits for it)
        return commands.upload(
            by=viewer,
            key=key,
            organizer_id=UUID(organizer_id),
            opportunity_id=UUID(opportunity_id) if opportunity_id else None,
            file_name=named or file.name,
            content=file,
            document_type=document_type,
        )

    st.button("Upload", type="primary", key="document.save", disabled=file is None, on_click=_attempt, args=(upload,))


def _attempt(change: Callable[[], Done]) -> None:
    refusals.forget()
    try:
        editing.done(change())
    except Refused as refusal:
        refusals.keep(refusal)
        return
    st.session_state.pop(_KEY, None)
    drawer.close()


# One document --------------------------------------------------------------------------------------------------


def _document(document_id: str) -> None:
    """The drawer of a document: what it is, what can be done to it, and its file."""
    viewer = identity.viewer()
    with asking(viewer) as ask:
        found, it = ask(questions.document, UUID(document_id)), ask(record.one, "document", UUID(document_id))
    if not found.empty:
        row = _row(found)
        st.markdown(_facts(row, viewer))
    if not it.empty and it["may_change"].iloc[0]:
        with st.container(horizontal=True):
            editing.edit_button(viewer, "document", document_id, row["file_name"])
            for action in actions.of(DOCUMENT, viewer):
                if action.fits(row):
                    editing.action_button(action, DOCUMENT, [UUID(document_id)], row["file_name"])
    detail(viewer, UUID(document_id))


def detail(viewer: Viewer, document_id: UUID) -> None:
    """What is about a document's file: download, next version, preview, and the versions there are."""
    with asking(viewer) as ask:
        found, versions = ask(questions.document, document_id), ask(questions.versions, document_id)
    if found.empty:
        st.caption(files.GONE)
        return
    row = _row(found)
    is_there = files.store().has(row["storage_path"])
    with st.container(horizontal=True):
        if is_there:
            st.download_button(
                "Download",
                partial(files.of_document, viewer, document_id),  # it runs outside any script run
                row["file_name"],
                row["file_type"],
                icon=":material/download:",
                type="primary",
                on_click="ignore",
                key=f"document.{document_id}.download",
            )
        what = f"{row['organizer_id']}/{row['opportunity_id'] or ''}/{document_id}"
        _opens_upload(viewer, "New version", what, f"New version of {row['file_name']}")
    if is_there:
        _preview(row)
    else:
        st.warning(files.NOT_THERE, icon=":material/draft:")
    if len(versions) > 1:
        st.markdown("**Versions**")
        for version in versions.itertuples():
            _version(version, row, viewer)


def _row(found: pd.DataFrame) -> dict[str, Any]:
    return {str(name): None if pd.isna(value) else value for name, value in found.iloc[0].items()}


def _preview(row: Mapping[str, Any]) -> None:
    """The picture or PDF as it is, drawn by the reader's browser: the server unpacks nothing that somebody sent."""
    kind, name = row["file_type"], row["file_name"]
    if not kind.startswith("image/") and kind != "application/pdf":
        return
    content = _content(row["storage_path"])
    if content is None:
        st.warning(files.NOT_THERE, icon=":material/draft:")
    elif kind == "application/pdf":
        st.pdf(content, height=_PREVIEW, key=f"document.{row['document_id']}.preview", alt=f"Preview of {name}")
    else:
        # As part of the page and not at an address of its own, which would answer whoever knows it.
        st.image(f"data:{kind};base64,{base64.b64encode(content).decode()}", alt=name)


def _content(path: str) -> bytes | None:
    """The file that this person looks at, read once: it never changes, and the page is drawn again at every edit."""
    shown = st.session_state.get(_SHOWN)
    if shown is None or shown[0] != path:
        shown = st.session_state[_SHOWN] = path, files.store().read(path)
    content: bytes | None = shown[1]
    return content


def _version(version: Any, row: Mapping[str, Any], viewer: Viewer) -> None:
    said = f"{version.version} · {_uploaded(version, viewer)}{_signed(version, viewer)}"
    if version.document_id == row["document_id"]:
        st.markdown(f"**Version {said}**")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Version {said}", width="stretch")
        st.button("Open", type="tertiary", key=f"document.{version.document_id}.open", on_click=drawer.open_at,
                  args=("document", version.document_id, row["file_name"]))  # fmt: skip


def _facts(row: Mapping[str, Any], viewer: Viewer) -> str:
    its = (row["document_type"] or "").capitalize(), row["organizer"], row["opportunity"]
    about = " · ".join(literal(part) for part in its if part)
    found = SimpleNamespace(**row)
    return f"{about}  \nVersion {row['version']} · {_uploaded(found, viewer)}{_signed(found, viewer)}"


def _uploaded(row: Any, viewer: Viewer) -> str:
    at = formats.moment(row.uploaded_at, viewer.time_zone)
    return f"{_size(int(row.size))} · uploaded by {literal(row.uploaded_by)}, {at}"


def _signed(row: Any, viewer: Viewer) -> str:
    if not row.is_signed:
        return ""
    on = formats.day(row.signed_at.tz_convert(viewer.time_zone))
    return f" · :green[:material/draw: signed by {literal(row.signed_by)}, {on}]"


def _size(number: int) -> str:
    kilobytes = number / 1000
    if kilobytes < 1:
        return formats.counted(number, "byte")
    return f"{kilobytes:.0f}{formats.GAP}kB" if kilobytes < 1000 else f"{kilobytes / 1000:.1f}{formats.GAP}MB"
