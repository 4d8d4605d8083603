"""Documents: a file and its row, never one without the other, whoever is killed in between."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from app import files
from app.commands import documents, records, undo
from app.commands.records import Done
from app.errors import Conflict, Invalid, NotAllowed, NotFound, Refused, RowRefusals
from app.fields import DOCUMENT
from app.files import of_document
from app.jobs.files import sweep
from app.settings import Settings
from app.viewer import Viewer
from tests.personas import PERSONAS
from tests.tables import given, id_of

People = Callable[..., Viewer]
PDF = b"%PDF-1.7\nan offer\n%%EOF"


@pytest.fixture
def company(owner: Connection, tmp_path: Path) -> Connection:
    """Rita's Acme and Olaf's Orbit, each with an opportunity; the files lie in this test's own directory."""
    files.use(Settings(files=str(tmp_path / "files")))
    given(owner, "crm_organizers", """
        id    | company_name | assigned_to
        acme  | Acme         | rita
        orbit | Orbit        | olaf""")  # fmt: skip
    given(owner, "crm_opportunities", """
        id   | organizer_id | name  | assigned_to | value | stage_id
        gala | acme         | Gala  | rita        | 1     | Lead
        expo | orbit        | Expo  | olaf        | 1     | Lead""")  # fmt: skip
    return owner


def upload(by: Viewer, name: str = "Offer.pdf", content: bytes = PDF, **more: Any) -> Done:
    options = {"organizer_id": id_of("acme"), "key": uuid4(), **more}
    return documents.upload(by=by, file_name=name, content=io.BytesIO(content), **options)


def rows(owner: Connection, table: str = "crm_documents") -> list[Any]:
    return list(owner.execute(text(f"select * from {table} order by 1")))


def stored(path: Path) -> list[Path]:
    return [file for file in (path / "files").rglob("*") if file.is_file()]


def test_a_file_becomes_a_document_at_a_place_that_its_name_has_no_part_in(
    company: Connection, viewer: People, tmp_path: Path
) -> None:
    done = upload(viewer("rita"), "Offer 2026.PDF", opportunity_id=id_of("gala"), document_type="proposal")
    [row] = rows(company)
    assert (row.id, row.organizer_id, row.opportunity_id) == (done.records[0], id_of("acme"), id_of("gala"))
    assert (row.file_name, row.file_type, row.file_size) == ("Offer 2026.PDF", "application/pdf", len(PDF))
    assert (row.document_type, row.version, row.uploaded_by) == ("proposal", 1, PERSONAS["rita"].id)
    assert stored(tmp_path) == [tmp_path / "files" / row.storage_path]
    assert str(UUID(row.storage_path.removeprefix("documents/"))) not in (str(row.id), "")
    assert done.said == "Offer 2026.PDF was uploaded."
    assert rows(company, "crm_file_removals") == []
    assert of_document(viewer("rita"), row.id) == PDF


def test_a_second_click_uploads_once(company: Connection, viewer: People, tmp_path: Path) -> None:
    key = uuid4()
    assert upload(viewer("rita"), key=key) == upload(viewer("rita"), key=key)
    assert (len(rows(company)), len(stored(tmp_path))) == (1, 1)


def test_the_same_name_is_the_next_version_also_at_the_same_moment(company: Connection, viewer: People) -> None:
    rita = viewer("rita")
    assert upload(rita, "Caf\u00e9.pdf").said == "Caf\u00e9.pdf was uploaded."
    at_once = [threading.Thread(target=upload, args=(rita, "Cafe\u0301.pdf")) for _ in range(4)]
    for one in at_once:
        one.start()
    for one in at_once:
        one.join()
    assert upload(rita, "Caf\u00e9.pdf").said == "Caf\u00e9.pdf was uploaded as version 6."
    upload(viewer("olaf"), "Caf\u00e9.pdf", organizer_id=id_of("orbit"))
    versions = sorted((row.organizer_id == id_of("acme"), row.version) for row in rows(company))
    assert versions == [(False, 1), *((True, version) for version in range(1, 7))]


@pytest.mark.parametrize(
    ("who", "more", "kind", "sentence"),
    [
        ("olaf", {}, NotFound, "This organizer is gone, or it is not yours to see."),
        ("eve", {}, NotAllowed, "Your role"),
        ("rita", {"name": "setup.exe"}, Invalid, "Files of this kind are not kept."),
        ("rita", {"document_type": "poem"}, Invalid, "."),
        ("rita", {"opportunity_id": id_of("expo")}, Invalid, "."),
    ],
)
def test_what_is_refused_leaves_no_row(
    company: Connection,
    viewer: People,
    tmp_path: Path,
    who: str,
    more: dict[str, Any],
    kind: type[Refused],
    sentence: str,
) -> None:
    with pytest.raises(kind, match=sentence):
        upload(viewer(who), **more)
    assert rows(company) == []
    for note in rows(company, "crm_file_removals"):
        make_due(company, note.storage_path)
    sweep()
    assert stored(tmp_path) == []


def test_signing_says_who_and_when_and_can_be_taken_back(company: Connection, viewer: People) -> None:
    rita, max_ = viewer("rita"), viewer("max")
    [one], [two] = upload(rita, "a.pdf").records, upload(rita, "b.pdf").records
    yesterday = rita.today - timedelta(days=1)
    documents.sign(by=rita, ids=[one], signed_on=yesterday, signed_by=max_.id, key=uuid4())
    first, second = sorted(rows(company), key=lambda row: row.file_name)
    assert (first.is_signed, first.signed_by, first.signed_at.date()) == (True, max_.id, yesterday)
    assert not second.is_signed
    with pytest.raises(Conflict, match="signed already"):
        documents.sign(by=rita, ids=[one], signed_on=rita.today, signed_by=rita.id, key=uuid4())
    with pytest.raises(RowRefusals) as refusal:
        documents.sign(by=rita, ids=[one, two], signed_on=rita.today, signed_by=rita.id, key=uuid4())
    assert list(refusal.value.rows) == [one]
    with pytest.raises(NotAllowed):
        documents.sign(by=max_, ids=[two], signed_on=max_.today, signed_by=max_.id, key=uuid4())
    with pytest.raises(NotFound):
        documents.sign(by=viewer("olaf"), ids=[two], signed_on=rita.today, signed_by=rita.id, key=uuid4())
    with pytest.raises(Invalid, match="today or earlier"):
        documents.sign(by=rita, ids=[two], signed_on=rita.today + timedelta(days=1), signed_by=rita.id, key=uuid4())
    with pytest.raises(Invalid, match="does not work here"):
        documents.sign(by=rita, ids=[two], signed_on=rita.today, signed_by=PERSONAS["dora"].id, key=uuid4())
    assert sum(row.is_signed for row in rows(company)) == 1
    documents.unsign(by=viewer("ada"), ids=[one, two], key=uuid4())
    assert [(row.is_signed, row.signed_at, row.signed_by) for row in rows(company)] == [(False, None, None)] * 2


def test_only_whoever_sees_the_row_gets_the_file(company: Connection, viewer: People) -> None:
    [document] = upload(viewer("rita")).records
    for name in ("rita", "max", "mona", "eve", "ada"):
        assert of_document(viewer(name), document) == PDF
    for name, which in (("olaf", document), ("ravi", document), ("rita", uuid4())):
        with pytest.raises(NotFound, match="This document is gone, or it is not yours to see"):
            of_document(viewer(name), which)
    rita = viewer("rita")
    company.execute(text("update crm_profiles set is_active = false where full_name = 'Rita'"))
    with pytest.raises(NotAllowed):  # who she is now, not who she was when the button was drawn
        of_document(rita, document)


def test_a_row_without_a_file_says_so_and_leads_to_no_other_file(
    company: Connection, viewer: People, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    for place in (f"demo/{uuid4()}", "../secret", "documents/../../secret"):
        company.execute(
            text("insert into crm_documents (id, organizer_id, uploaded_by, file_name, file_type, file_size,"
                 " storage_path) values (:id, :acme, :rita, 'old.pdf', 'application/pdf', 6, :place)"),
            {"id": (document := uuid4()), "acme": id_of("acme"), "rita": PERSONAS["rita"].id, "place": place},
        )  # fmt: skip
        with pytest.raises(NotFound, match="The file itself is not here"):
            of_document(viewer("rita"), document)
        company.execute(text("delete from crm_documents"))


# Never one without the other -----------------------------------------------------------------------------------


def make_due(owner: Connection, path: str) -> None:
    """As if its time had passed."""
    owner.execute(text("update crm_file_removals set keep_until = now() where storage_path = :path"), {"path": path})


def enter_again(owner: Connection, row: Any) -> None:
    """Puts the row back as an undo does."""
    columns = row._mapping
    owner.execute(
        text(f"insert into crm_documents ({', '.join(columns)}) values ({', '.join(f':{name}' for name in columns)})"),
        dict(columns),
    )


@pytest.mark.parametrize("removes", ["the document", "its organizer"])
def test_a_removed_document_keeps_its_file_while_it_may_come_back(
    company: Connection, viewer: People, tmp_path: Path, removes: str
) -> None:
    [document] = upload(viewer("rita")).records
    [row] = rows(company)
    with pytest.raises(NotAllowed):
        records.delete(DOCUMENT, by=viewer("rita"), ids=[document], key=uuid4())
    if removes == "the document":
        done = records.delete(DOCUMENT, by=viewer("ada"), ids=[document], key=uuid4())
        days = company.scalar(text("select extract(day from keep_until - now()) from crm_file_removals"))
        assert days == 29
        assert sweep() == 0
        undo.undo(by=viewer("ada"), change=done.change)
        assert rows(company, "crm_file_removals") == []
        assert of_document(viewer("rita"), document) == PDF
    company.execute(text("delete from crm_opportunities"))
    company.execute(text("delete from crm_organizers where company_name = 'Acme'" if removes == "its organizer"
                         else "delete from crm_documents"))  # fmt: skip
    make_due(company, row.storage_path)
    assert (sweep(), sweep(), stored(tmp_path)) == (1, 0, [])


def test_what_is_gone_for_good_does_not_come_back_without_its_file(company: Connection, viewer: People) -> None:
    uploaded = upload(viewer("ada"))
    [row] = rows(company)
    undone = undo.undo(by=viewer("ada"), change=uploaded.change)
    assert rows(company) == []
    make_due(company, row.storage_path)
    sweep()
    with pytest.raises(Conflict, match=r'The file of "Offer\.pdf" has been removed for good: upload it again\.'):
        undo.undo(by=viewer("ada"), change=undone.change)
    assert rows(company) == []


_WORK = """
import io, sys, uuid
from app import database, files
from app.settings import Settings
settings = Settings.load()
files.use(settings)
if sys.argv[1] == "sweep":
    from app.jobs.files import sweep
    database.use(settings)
    sweep()
else:
    from app.commands import documents
    database.connect(settings)
    documents.upload(by=database.viewer_of(uuid.UUID(sys.argv[1])), key=uuid.uuid4(), file_name="Offer.pdf",
                     organizer_id=uuid.UUID(sys.argv[2]), content=io.BytesIO(b"%PDF-1.7"))
"""


@contextmanager
def killed_at_the_end(settings: Settings, where: str, *arguments: str, **more: str) -> Iterator[None]:
    """Does the work in a process of its own that is killed when the block ends."""
    known = {"DATABASE_URL": settings.database_url, "MIGRATION_DATABASE_URL": settings.migration_database_url}
    environment = {**os.environ, **{name: value or "" for name, value in known.items()}, "EVENTOS_FILES": where, **more}
    working = subprocess.Popen([sys.executable, "-c", _WORK, *arguments], env=environment)
    try:
        yield
    finally:
        assert working.poll() is None, "it should be at work"
        working.send_signal(signal.SIGKILL)
        working.wait()


def test_an_upload_killed_between_file_and_row_leaves_neither(
    company: Connection, database: Settings, tmp_path: Path
) -> None:
    with company.engine.connect() as holding:
        holding.execute(text("begin; lock table crm_documents in share row exclusive mode"))  # its row has to wait
        arguments = str(PERSONAS["rita"].id), str(id_of("acme"))
        with killed_at_the_end(database, str(tmp_path / "files"), *arguments):
            waits = text("select count(*) from pg_locks where relation = 'crm_documents'::regclass and not granted")
            until(lambda: bool(company.scalar(waits)))
            assert len(stored(tmp_path)) == 1
    until(lambda: not company.scalar(text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")))
    assert rows(company) == []
    assert (sweep(), len(stored(tmp_path))) == (0, 1)  # it might still be at work
    [note] = rows(company, "crm_file_removals")
    make_due(company, note.storage_path)
    assert (sweep(), stored(tmp_path)) == (1, [])


def test_a_sweep_killed_under_way_is_finished_by_the_next_one(
    company: Connection, database: Settings, viewer: People, tmp_path: Path
) -> None:
    upload(viewer("rita"))
    [row] = rows(company)
    company.execute(text("delete from crm_documents"))
    make_due(company, row.storage_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a store that never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret"}
        with killed_at_the_end(database, "s3://documents", "sweep", EVENTOS_FILES_ENDPOINT=endpoint, **keys):
            silent.settimeout(60)
            silent.accept()[0].close()
    [note] = rows(company, "crm_file_removals")
    assert (note.given_up_at is None, note.removed_at) == (False, None)
    with pytest.raises(Exception, match="has been removed for good"):  # never half a document, even now
        enter_again(company, row)
    assert (sweep(), stored(tmp_path)) == (1, [])


def until(is_so: Callable[[], bool]) -> None:
    """Asks the database again and again, for a minute at most."""
    for _ in range(6000):
        if is_so():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not happen")
