"""What may be uploaded: a file that is what its name says, or a sentence."""

import io
import tomllib
import tracemalloc
import unicodedata
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app import uploads
from app.errors import Invalid
from app.settings import ROOT

PDF = b"%PDF-1.7\n%%EOF"
CSV = b"name,value\r\nCaf\xe9,1\r\n"


def office(mark: str, parts: dict[str, bytes] | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in {mark: b"<x/>", **(parts or {})}.items():
            packed.writestr(name, content)
    return file.getvalue()


def picture(kind: str, size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    Image.new("1", size).convert("RGB" if size == (3, 2) else "1").save(file, kind)
    return file.getvalue()


def understated(packed: bytes) -> bytes:
    """The same office file, whose list says that its last part is 10 bytes long."""
    at = packed.rindex(b"PK\x01\x02") + 24
    return packed[:at] + (10).to_bytes(4, "little") + packed[at + 4 :]


KEPT = {
    "pdf": PDF,
    "docx": office("word/document.xml"),
    "xlsx": office("xl/workbook.xml"),
    "pptx": office("ppt/presentation.xml"),
    "odt": office("content.xml"),
    "ods": office("content.xml"),
    "odp": office("content.xml"),
    "png": picture("PNG"),
    "jpg": picture("JPEG"),
    "jpeg": picture("JPEG"),
    "webp": picture("WEBP"),
    "csv": CSV,
    "txt": "Ünïcode\ttext\n".encode(),
}


def test_every_kind_is_kept_under_a_name_in_any_case_and_no_other_kind_passes_for_it() -> None:
    assert list(KEPT) == list(uploads.KINDS)
    for extension, content in KEPT.items():
        file = io.BytesIO(content)
        kept = uploads.checked(f"Offer.v2.{extension.upper()}", file)
        assert kept.size == len(content)
        assert kept.media_type == uploads.KINDS[extension].media_type
        assert file.tell() == 0
    for extension, kind in uploads.KINDS.items():
        for other, content in KEPT.items():
            if uploads.KINDS[other].title not in (kind.title, "plain text") and kind.title != "plain text":
                with pytest.raises(Invalid, match=f"it is no {kind.title} file"):
                    uploads.checked(f"offer.{extension}", io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("setup.exe", b"MZ\x90\0\3\0", "Files of this kind are not kept. These are: pdf, docx"),
        ("setup.pdf", b"MZ\x90\0\3\0", "it is no PDF file"),
        ("setup.csv", b"MZ\x90\0\3\0", "it is no plain text file"),
        ("setup.docx", b"MZ\x90\0" + KEPT["docx"], "it is no Word file"),
        ("utf16.csv", "a;b\n".encode("utf-16"), "it is no plain text file"),
        ("bomb.xlsx", office("xl/workbook.xml", {"xl/x": bytes(101 * 2**20)}), "unpacks to more than"),
        ("liar.xlsx", understated(office("xl/workbook.xml", {"xl/x": bytes(2**20)})), "it is no Excel file"),
        ("many.docx", office("word/document.xml", {f"{n}": b"" for n in range(10_000)}), "unpacks to more than"),
        ("macro.docx", office("word/document.xml", {"word/vbaProject.bin": b"x"}), "holds a program"),
        ("cut.docx", KEPT["docx"][:-30], "it is no Word file"),
        ("huge.png", picture("PNG", (8000, 8000)), "more than 50 million points"),
        ("bomb.png", picture("PNG", (20000, 20000)), "more than 50 million points"),
        ("large.pdf", PDF + bytes(uploads.LARGEST), "larger than 5 MB"),
        ("empty.txt", b"", "is empty"),
        ("../../x.csv", CSV, "leads to another folder"),
        ("..\\x.csv", CSV, "leads to another folder"),
        ("a\0.csv", CSV, "nobody can see"),
        ("a\n.csv", CSV, "nobody can see"),
        ("\ud800.csv", CSV, "nobody can see"),
        (" .csv", CSV, "not kept"),
        ("..csv", CSV, "not kept"),
        ("csv", CSV, "not kept"),
        ("", CSV, "not kept"),
        ("a" * 252 + ".csv", CSV, "longer than 255"),
    ],
)
def test_what_is_not_what_it_says_is_refused_with_a_sentence(name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence) as refusal:
        uploads.checked(name, io.BytesIO(content))
    assert refusal.value.field == "file"


def test_checking_takes_no_memory_to_speak_of() -> None:
    file = io.BytesIO(office("xl/workbook.xml", {"xl/x": bytes(90 * 2**20)}))
    tracemalloc.start()
    uploads.checked("large.xlsx", file)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_a_name_is_the_same_however_its_accents_are_written() -> None:
    assert uploads.checked("Cafe\u0301.csv", io.BytesIO(CSV)).file_name == "Caf\u00e9.csv"


@given(st.text(st.characters(), max_size=300), st.binary(max_size=200), st.sampled_from(sorted(KEPT)))
def test_anything_else_is_kept_under_its_name_or_refused(stem: str, content: bytes, extension: str) -> None:
    with suppress(Invalid):
        kept = uploads.checked(f"{stem}.{extension}", io.BytesIO(content))
        assert kept.file_name == unicodedata.normalize("NFC", f"{stem}.{extension}").strip()
        assert (kept.size, len(kept.file_name) <= 255) == (len(content), True)


def test_the_server_takes_files_as_large_as_may_be_kept() -> None:
    config = tomllib.loads((Path(ROOT) / ".streamlit" / "config.toml").read_text())
    assert config["server"]["maxUploadSize"] * 2**20 == uploads.LARGEST
