"""Where files lie: the same of a directory and of a real S3 server on this machine."""

import io
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from app import files
from app.errors import Misconfigured, Unavailable
from app.files import Store
from app.settings import Settings


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server without buckets."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where Amazon's own programs look for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "directory":
        return Store(str(tmp_path / "not" / "there yet"))
    request.getfixturevalue("keys")
    endpoint = request.getfixturevalue("s3")
    Store("s3://documents", endpoint)._files.makedirs("documents", exist_ok=True)
    return Store("s3://documents/of/eventos", endpoint)


def new_path() -> str:
    return f"documents/{uuid4()}"


@pytest.mark.parametrize("size", [0, 1, 6 * 2**20])  # nothing, and more than one part
def test_what_is_written_is_read_and_gone_when_it_is_removed(store: Store, size: int) -> None:
    path, content = new_path(), bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert (store.has(path), store.read(path)) == (False, None)
    store.write(path, io.BytesIO(content))
    assert (store.has(path), store.read(path)) == (True, content)
    for _twice in range(2):
        store.remove(path)
        assert (store.has(path), store.read(path)) == (False, None)


@pytest.mark.parametrize(
    "path", ["../secret", "documents/../../secret", "/etc/passwd", "", "documents/", "s3://other/x", "documents/x\0"]
)
def test_a_path_that_the_database_did_not_make_leads_nowhere(store: Store, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    assert (store.has(path), store.read(path)) == (False, None)
    store.remove(path)
    with pytest.raises(Unavailable):
        store.write(path, io.BytesIO(b"x"))
    assert (tmp_path / "secret").read_text() == "secret"


def test_only_the_owner_of_the_process_opens_the_directory(tmp_path: Path) -> None:
    Store(str(tmp_path / "files")).prove()
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


def test_a_store_that_cannot_be_reached_says_so(keys: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for store in (Store("s3://documents", "http://127.0.0.1:1"), Store(str(tmp_path / "file"))):
        with pytest.raises(Unavailable, match=r"The file store doesn't answer\. Nothing was changed"):
            store.prove()


def test_a_bucket_that_is_not_there_keeps_nothing(keys: None, s3: str) -> None:
    with pytest.raises(Unavailable):
        Store("s3://nobodys-bucket", s3).prove()


def test_without_the_package_for_s3_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(Misconfigured, match="eventos-crm\\[s3\\]"):
        Store("s3://documents")


def test_without_a_setting_files_lie_in_the_data_directory(tmp_path: Path) -> None:
    files.use(Settings(data_dir=tmp_path))
    files.store().write(path := new_path(), io.BytesIO(b"content"))
    assert (tmp_path / "files" / path).read_bytes() == b"content"
