"""What may be uploaded: which kinds of file, how large, under which names, and that each is what its name says.

Nothing here trusts the sender: a browser's list of allowed kinds is a convenience, and its word on a file's type none.
"""

import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from PIL import Image

from app.errors import Invalid

LARGEST: Final = 5 * 2**20
"""Bytes of a file: as many as the server takes of an upload (maxUploadSize in .streamlit/config.toml)."""

LONGEST_NAME: Final = 255
_MOST_UNPACKED: Final = 100 * 2**20  # bytes; an office file of 5 MB with photos in it stays far below
_MOST_PARTS: Final = 10_000  # of an office file
_MOST_PIXELS: Final = 50_000_000  # a large camera's; a browser takes 200 MB to show them
_PIECE: Final = 2**20
# What plain text has none of: UTF-16 and programs are full of them.
_NOT_IN_TEXT: Final = bytes(set(range(32)) - set(b"\t\n\f\r")) + b"\x7f"


@dataclass(frozen=True)
class Kind:
    """A kind of file: what it is called, its media type, and what raises where the content is something else."""

    title: str
    media_type: str
    check: Callable[["Kind", BinaryIO], None]
    mark: str = ""  # of an office file: the part that it must have


@dataclass(frozen=True)
class Upload:
    """A file that may be kept: its name, its type by its content, and its size in bytes."""

    file_name: str
    media_type: str
    size: int


def checked(file_name: str, content: BinaryIO) -> Upload:
    """What was uploaded, if it may be kept; its content is read and left at the start. Raises Invalid otherwise."""
    name = _name(file_name)
    kind = KINDS[name.rpartition(".")[2].lower()]
    size = content.seek(0, 2)
    if size > LARGEST:
        raise Invalid(f"The file is larger than {LARGEST // 2**20} MB. Nothing was kept; make it smaller.", "file")
    if size == 0:
        raise Invalid("The file is empty. Nothing was kept.", "file")
    content.seek(0)
    kind.check(kind, content)
    content.seek(0)
    return Upload(name, kind.media_type, size)


def _name(given: str) -> str:
    """The name as one text however the sender's system writes accents: the same name is the next version."""
    name = unicodedata.normalize("NFC", given).strip()
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise Invalid("The file's name holds a character that nobody can see. Rename the file.", "file")
    if "/" in name or "\\" in name:
        raise Invalid("The file's name leads to another folder. Rename the file, without / and \\.", "file")
    if len(name) > LONGEST_NAME:
        raise Invalid(f"The file's name is longer than {LONGEST_NAME} letters. Rename the file.", "file")
    stem, _, extension = name.rpartition(".")
    if not stem.strip(" .") or extension.lower() not in KINDS:
        raise Invalid(f"Files of this kind are not kept. These are: {', '.join(KINDS)}.", "file")
    return name


def _pdf(kind: Kind, content: BinaryIO) -> None:
    if content.read(5) != b"%PDF-":
        raise _is_not(kind)


def _image(kind: Kind, content: BinaryIO) -> None:
    try:
        with Image.open(content, formats=[kind.title]) as image:  # its head only: nothing is unpacked
            is_too_large = image.width * image.height > _MOST_PIXELS
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # says the library before we can ask
        is_too_large = True
    except (OSError, SyntaxError, ValueError):
        raise _is_not(kind) from None
    if is_too_large:
        raise Invalid("The picture has more than 50 million points. Nothing was kept; make it smaller first.", "file")


def _office(kind: Kind, content: BinaryIO) -> None:
    """Everything in it is unpacked once, piece by piece: what it says of its own size may be a lie."""
    if content.read(4) != b"PK\x03\x04":  # a program may stand before the archive, which would still open
        raise _is_not(kind)
    unpacked = 0
    try:
        with zipfile.ZipFile(content) as packed:
            parts = packed.infolist()
            if kind.mark not in packed.namelist():
                raise _is_not(kind)
            if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
                raise _unpacks_to_too_much()
            if any(part.filename.endswith("vbaProject.bin") for part in parts):
                raise Invalid("The file holds a program (a macro). Nothing was kept; save it without macros.", "file")
            for part in parts:
                with packed.open(part) as unpacking:
                    while piece := unpacking.read(_PIECE):
                        unpacked += len(piece)
                        if unpacked > _MOST_UNPACKED:
                            raise _unpacks_to_too_much()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError):
        raise _is_not(kind) from None


def _text(kind: Kind, content: BinaryIO) -> None:
    while piece := content.read(_PIECE):
        if len(piece.translate(None, _NOT_IN_TEXT)) != len(piece):
            raise _is_not(kind)


def _is_not(kind: Kind) -> Invalid:
    return Invalid(
        f"This file does not hold what its name says: it is no {kind.title} file, or it is damaged or protected by a "
        "password. Nothing was kept.",
        "file",
    )


def _unpacks_to_too_much() -> Invalid:
    return Invalid("The file unpacks to more than anybody could open. Nothing was kept.", "file")


_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument."
KINDS: Final[Mapping[str, Kind]] = {
    "pdf": Kind("PDF", "application/pdf", _pdf),
    "docx": Kind("Word", f"{_OPEN_XML}wordprocessingml.document", _office, "word/document.xml"),
    "xlsx": Kind("Excel", f"{_OPEN_XML}spreadsheetml.sheet", _office, "xl/workbook.xml"),
    "pptx": Kind("PowerPoint", f"{_OPEN_XML}presentationml.presentation", _office, "ppt/presentation.xml"),
    "odt": Kind("OpenDocument", f"{_OPEN_DOCUMENT}text", _office, "content.xml"),
    "ods": Kind("OpenDocument", f"{_OPEN_DOCUMENT}spreadsheet", _office, "content.xml"),
    "odp": Kind("OpenDocument", f"{_OPEN_DOCUMENT}presentation", _office, "content.xml"),
    "png": Kind("PNG", "image/png", _image),
    "jpg": Kind("JPEG", "image/jpeg", _image),
    "jpeg": Kind("JPEG", "image/jpeg", _image),
    "webp": Kind("WebP", "image/webp", _image),
    "csv": Kind("plain text", "text/csv", _text),
    "txt": Kind("plain text", "text/plain", _text),
}
"""What is kept, by extension."""
