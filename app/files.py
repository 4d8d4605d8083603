"""Where the files of documents lie: in a directory, or in a bucket that speaks S3.

A file's path comes from the database (`app.new_file`), never from its name; the store gives access to nothing else.
"""

import io
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID, uuid4

import fsspec

from app import database
from app.errors import Misconfigured, NotAllowed, NotFound, Unavailable
from app.settings import Settings
from app.viewer import Viewer
from queries import documents

GONE: Final = "This document is gone, or it is not yours to see."
NOT_THERE: Final = "The file itself is not here, only this entry. Upload it again as a new version."

_log = logging.getLogger(__name__)

_OURS: Final = re.compile(r"documents/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PIECE: Final = 2**20  # bytes that are copied at once
# The smallest part that S3 takes of several; what is written waits in memory until there is as much.
_PART: Final = 5 * 2**20
# Somebody waits for it: seconds, and no more than one attempt more than s3fs makes by itself.
_IMPATIENT: Final = {"connect_timeout": 3, "read_timeout": 20, "retries": {"max_attempts": 1}}


class Store:
    """Files by their path. What goes wrong is raised as Unavailable, and what is not there is no error."""

    def __init__(self, address: str, endpoint: str | None = None) -> None:
        self._is_directory = not address.startswith("s3://")
        if self._is_directory:
            self._root = str(Path(address).expanduser().absolute())
            self._files = fsspec.filesystem("file", auto_mkdir=True)
            return
        self._root = address.removeprefix("s3://").strip("/")
        try:
            self._files = fsspec.filesystem(
                "s3",
                endpoint_url=endpoint,
                config_kwargs=_IMPATIENT,
                use_listings_cache=False,
                default_block_size=_PART,
            )
        except ImportError:
            raise Misconfigured(
                "EVENTOS_FILES is in an S3 store, and the package that speaks to one is not installed. "
                "Install it with: pip install 'eventos-crm[s3]'"
            ) from None

    def write(self, path: str, content: BinaryIO) -> None:
        """Writes the file, piece by piece; when this returns, the store has kept it."""
        with _explained():
            if self._is_directory:
                Path(self._root).mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._files.open(self._place(path), "wb") as file:
                while piece := content.read(_PIECE):
                    file.write(piece)
                if self._is_directory:  # a bucket has kept it when it is closed
                    file.flush()
                    os.fsync(file.fileno())

    def read(self, path: str) -> bytes | None:
        """The file, or None where there is none."""
        with _explained(), suppress(FileNotFoundError):
            return bytes(self._files.cat_file(self._place(path)))
        return None

    def has(self, path: str) -> bool:
        """Whether the file is there."""
        with _explained(), suppress(FileNotFoundError):
            return bool(self._files.isfile(self._place(path)))
        return False

    def remove(self, path: str) -> None:
        """Removes the file, if it is there."""
        with _explained(), suppress(FileNotFoundError):
            self._files.rm_file(self._place(path))

    def prove(self) -> None:
        """Raises Unavailable unless a file can be written here and removed again."""
        path = f"documents/{uuid4()}"
        self.write(path, io.BytesIO(b"written by `eventos check`"))
        self.remove(path)

    def _place(self, path: str) -> str:
        # A path in a row may have been put there past the app; it must not lead to anything that is not a document's.
        if not _OURS.fullmatch(path):
            raise FileNotFoundError(path)
        return f"{self._root}/{path}"


def use(settings: Settings) -> None:
    """Says where the files of this process's documents are; raises Misconfigured where that can't be."""
    global _store
    _store = Store(settings.files or str(settings.data_dir / "files"), settings.files_endpoint)


def store() -> Store:
    """The store of this process."""
    if _store is None:
        raise RuntimeError("app.files.use(settings) comes first")
    return _store


def of_document(viewer: Viewer, document_id: UUID) -> bytes:
    """The file of a document, asked for as the viewer whom the database knows now, whatever a page drew before.

    Raises NotAllowed for a leaver, NotFound where the viewer doesn't see the document, or only its entry is here.
    """
    now = database.viewer_of(viewer.id)
    if now is None:
        raise NotAllowed("You may not look at anything here any more.")
    with database.reading(now) as db:
        found = documents.document(db, document_id)
    if found.empty:
        raise NotFound(GONE)
    content = store().read(found.iloc[0]["storage_path"])
    if content is None:
        raise NotFound(NOT_THERE)
    return content


_store: Store | None = None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each kind of store raises its own
        _log.warning("The file store failed: %s: %s", type(error).__name__, error)
        raise Unavailable("The file store doesn't answer. Nothing was changed; try again in a moment.") from error
