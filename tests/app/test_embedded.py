import fcntl
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import embedded
from app.errors import Misconfigured

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
SOMEBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
# Somebody who can still run a Python below a closed /root; what the server asks is who they are.
SOMEBODY_WITH_OUR_PYTHON = [
    *SOMEBODY, "--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
]  # fmt: skip


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    stopped(tmp_path / "data")


def stopped(data_dir: Path) -> None:
    """Returns when the keeper has stopped the server: it holds its lock until then."""
    with suppress(FileNotFoundError), (data_dir / "keeper.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


@contextmanager
def another_process(data_dir: Path, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until its standard input closes; its first line is the server's address."""
    script = (
        "import sys; from pathlib import Path; from app import embedded\n"
        "with embedded.server(Path(sys.argv[1])) as server:\n"
        "    print(server.url('eventos_owner'), flush=True); sys.stdin.read()"
    )
    command = [*prefix, sys.executable, "-c", script, str(data_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=embedded.__file__.rsplit("/", 2)[0]
    ) as process:
        yield process


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def eventually(attempt: Callable[[], Any]) -> Any:
    """What the attempt returns once the database can be reached again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return attempt()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise


def one(url: str, query: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]  # type: ignore[index, arg-type]


def test_a_new_server_has_the_owner_and_the_database_and_no_network_address(data_dir: Path) -> None:
    with embedded.server(data_dir) as server:
        assert one(server.url("eventos_owner"), "select current_database()") == "eventos"
        assert not one(server.url("eventos_owner"), "select rolsuper from pg_roles where rolname = current_user")
        assert one(server.url("eventos_owner"), "show listen_addresses") == ""
        assert one(server.url("eventos_owner"), "show fsync") == "on"


def test_nobody_else_can_open_the_files_or_the_socket(data_dir: Path) -> None:
    with embedded.server(data_dir) as server:
        for private in (data_dir, data_dir / "postgres", server.socket_directory):
            assert private.stat().st_mode & 0o777 == 0o700
        assert (server.socket_directory / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700


@as_root
def test_another_user_is_kept_from_the_socket_and_refused_behind_it(data_dir: Path) -> None:
    with embedded.server(data_dir) as server:
        looked = subprocess.run([*SOMEBODY, "ls", str(server.socket_directory)], capture_output=True, text=True)
        assert "Permission denied" in looked.stderr
        script = f"import psycopg; psycopg.connect({server.url('eventos_owner')!r})"
        tried = subprocess.run(
            [*SOMEBODY_WITH_OUR_PYTHON, sys.executable, "-c", script], capture_output=True, text=True
        )
        assert "Peer authentication failed" in tried.stderr


@as_root
def test_an_ordinary_user_has_a_server_of_their_own(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "home of nobody"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    with another_process(home / "data", *SOMEBODY_WITH_OUR_PYTHON) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("postgresql://eventos_owner@/eventos")
        assert (home / "data" / "postgres").stat().st_uid == nobody.pw_uid
        assert Path(f"/proc/{postmaster(home / 'data')}").stat().st_uid == nobody.pw_uid
        with pytest.raises(Misconfigured, match="belongs to nobody, and you are root"), embedded.server(home / "data"):
            pass
    stopped(home / "data")


def test_two_processes_share_one_server_and_the_last_one_to_leave_stops_it(data_dir: Path) -> None:
    with another_process(data_dir) as process:
        assert process.stdout
        address = process.stdout.readline()
        with embedded.server(data_dir) as server:
            assert server.url("eventos_owner") == address.strip()
            first = postmaster(data_dir)
            assert the_keeper(data_dir)
            # The other one has left; with this one still there, the server went on.
            process.communicate()
            assert one(server.url("eventos_owner"), "select 1") == 1
            assert postmaster(data_dir) == first
    stopped(data_dir)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_the_server_stops_when_its_only_user_is_killed(data_dir: Path) -> None:
    with another_process(data_dir) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    stopped(data_dir)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_a_killed_server_comes_back_with_everything_that_was_committed(data_dir: Path) -> None:
    with embedded.server(data_dir) as server:
        with psycopg.connect(server.url("eventos_owner")) as connection:
            connection.execute("create table kept as select 42 as answer")
        killed = postmaster(data_dir)
        os.kill(killed, signal.SIGKILL)
        assert eventually(lambda: one(server.url("eventos_owner"), "select answer from kept")) == 42
        assert postmaster(data_dir) != killed


def test_a_killed_keeper_is_replaced_by_the_next_user_who_stops_the_server_at_the_end(data_dir: Path) -> None:
    with another_process(data_dir) as process:
        assert process.stdout
        process.stdout.readline()
        orphaned = postmaster(data_dir)
        os.kill(the_keeper(data_dir), signal.SIGKILL)
        stopped(data_dir)  # the keeper, not the server
        process.kill()
    with embedded.server(data_dir) as server:
        assert one(server.url("eventos_owner"), "select 1") == 1
        assert postmaster(data_dir) == orphaned
    stopped(data_dir)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def the_keeper(data_dir: Path) -> int:
    """The process that keeps the server; there is one. Just started, it may not have its name yet."""
    deadline = time.monotonic() + 30
    while not (found := keepers(data_dir)):
        assert time.monotonic() < deadline
    (keeper,) = found
    return keeper


def keepers(data_dir: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_text().split("\0")
            if "app.embedded" in words and str(data_dir) in words:
                found.append(int(process.name))
    return found


def test_a_number_left_by_a_killed_server_may_have_gone_to_another_process(data_dir: Path) -> None:
    with embedded.server(data_dir):
        pass
    stopped(data_dir)
    # One that PostgreSQL sees as its own account's.
    account = embedded._as_account(embedded._ACCOUNT_FOR_ROOT) if os.geteuid() == 0 else []
    with subprocess.Popen([*account, "sleep", "60"]) as other:
        left = data_dir / "postgres" / "postmaster.pid"
        left.write_text(f"{other.pid}\n{data_dir}\n1\n5432\n\n\n\nready\n")
        with embedded.server(data_dir) as server:
            assert one(server.url("eventos_owner"), "select 1") == 1
        other.kill()


def test_an_interrupted_first_start_is_begun_again(data_dir: Path) -> None:
    (data_dir / "postgres.unfinished").mkdir(parents=True)
    (data_dir / "in-use.lock").touch()
    with embedded.server(data_dir) as server:
        assert one(server.url("eventos_owner"), "select 1") == 1
    assert not (data_dir / "postgres.unfinished").exists()


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 20) / "data"
    with embedded.server(data_dir) as server:
        assert server.socket_directory.parent == Path("/tmp")
        assert server.socket_directory.stat().st_mode & 0o777 == 0o700
        assert one(server.url("eventos_owner"), "select 1") == 1
    stopped(data_dir)
    assert not server.socket_directory.exists()
    server.socket_directory.mkdir(mode=0o700)  # somebody was there first
    try:
        for owner, mode in ((pwd.getpwnam("nobody").pw_uid, 0o700), (postgres_user(data_dir), 0o755)):
            if os.geteuid() == 0:
                os.chown(server.socket_directory, owner, -1)
            server.socket_directory.chmod(mode)
            if os.geteuid() == 0 or mode != 0o700:
                with pytest.raises(Misconfigured, match="is not private to the database"), embedded.server(data_dir):
                    pass
    finally:
        server.socket_directory.rmdir()


def postgres_user(data_dir: Path) -> int:
    return (data_dir / "postgres").stat().st_uid


def test_it_takes_no_directory_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(Misconfigured, match="holds other files"), embedded.server(tmp_path):
        pass
    with pytest.raises(Misconfigured, match="is not a directory"), embedded.server(tmp_path / "letter.txt"):
        pass


def test_data_of_another_major_version_are_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    (data_dir / "in-use.lock").touch()
    with (
        pytest.raises(Misconfigured, match="written by PostgreSQL 17, and this is PostgreSQL 18"),
        embedded.server(data_dir),
    ):
        pass


@pytest.mark.parametrize(
    ("program", "sentence"), [("setpriv", "needs the program setpriv"), ("useradd", "no useradd to make it")]
)
@as_root
def test_root_is_told_what_it_lacks(
    data_dir: Path, program: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = embedded.shutil.which
    monkeypatch.setattr(embedded, "_ACCOUNT_FOR_ROOT", "eventos-nobody-has-made-it")
    monkeypatch.setattr(embedded.shutil, "which", lambda name, **at: None if name == program else found(name, **at))
    with pytest.raises(Misconfigured, match=sentence), embedded.server(data_dir):
        pass


def test_memory_is_shared_modestly() -> None:
    assert embedded._settings(memory=512)["shared_buffers"] == "128MB"
    assert embedded._settings(memory=64_000)["shared_buffers"] == "2048MB"
