from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Misconfigured
from app.settings import Settings, is_loopback

Write = Callable[[str], Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with an empty project in it, where the command is typed, and no environment of ours."""
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "project")
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "EVENTOS_FILES", "EVENTOS_FILES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write_secrets(folder: Path, text: str) -> None:
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(text)


def test_without_any_address_there_is_the_embedded_server(home: Path, tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path / "data")
    assert (settings.database_url, settings.migration_database_url, settings.is_embedded) == (None, None, False)
    with settings.reachable() as reachable:
        assert reachable.is_embedded
        assert (reachable.database_url or "").startswith("postgresql+psycopg://eventos_app@/eventos?host=")
        assert (reachable.migration_database_url or "").startswith("postgresql+psycopg://eventos_owner@/eventos?host=")


def test_the_environment_comes_before_the_project_and_the_project_before_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_secrets(home, 'DATABASE_URL = "postgresql://home/x"\nMIGRATION_DATABASE_URL = "postgresql://home/y"')
    assert Settings.load().database_url == "postgresql+psycopg://home/x"
    write_secrets(home / "project", 'DATABASE_URL = "postgresql://project/x"\n[auth]\nclient_id = "x"')
    assert Settings.load().database_url == "postgresql+psycopg://project/x"
    assert Settings.load().migration_database_url == "postgresql+psycopg://home/y"
    assert Settings.load().has_identity_provider
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody:p%40ss@environment:5433/x?sslmode=require")
    assert Settings.load().database_url == "postgresql+psycopg://somebody:p%40ss@environment:5433/x?sslmode=require"


def test_what_is_chosen_on_the_command_line_counts_and_what_is_not_is_left_to_its_default(home: Path) -> None:
    settings = Settings.load(port=8600, token=None, data_dir=None)
    assert settings.port == 8600
    assert settings.token is None
    assert settings.data_dir.name == "eventos"


def test_an_address_given_is_the_one_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "postgresql://owner@host/x")
    with Settings.load().reachable() as settings:
        assert not settings.is_embedded
        assert settings.database_url is None


@pytest.mark.parametrize(
    "address", ["mysql://me:secret@host/x", "host=somewhere password=secret", "postgresql//secret"]
)
def test_an_address_of_another_form_is_refused_without_repeating_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    with pytest.raises(Misconfigured, match="DATABASE_URL is not an address of the form") as refused:
        Settings.load()
    assert "secret" not in str(refused.value)


def test_a_secrets_file_that_can_not_be_read_is_named(home: Path) -> None:
    write_secrets(home, "DATABASE_URL = postgresql://unquoted")
    with pytest.raises(Misconfigured, match=r"secrets\.toml is not valid TOML"):
        Settings.load()


def test_files_lie_in_a_directory_or_in_a_bucket(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().files is None
    for place in ("/srv/files", "files", "s3://bucket", "s3://bucket/of/eventos"):
        monkeypatch.setenv("EVENTOS_FILES", place)
        assert Settings.load().files == place
    for place in ("gs://bucket/x", "s3://", "s3:///x", "file:///etc"):
        monkeypatch.setenv("EVENTOS_FILES", place)
        with pytest.raises(Misconfigured, match="may be a directory or s3://bucket/prefix"):
            Settings.load()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_is(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com", "localhost.example.com", ""])  # noqa: S104
def test_anything_else_is_not(host: str) -> None:
    assert not is_loopback(host)
