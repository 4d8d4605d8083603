"""Debian's PostgreSQL 15, for as long as a block, or the process around it, lasts."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app import embedded

_BINARIES = Path("/usr/lib/postgresql/15/bin")
_ACCOUNT = "postgres"  # of Debian's package; the server refuses to run as root
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # nobody needs these data after a power failure
    "jit": "off",
    "log_min_messages": "log",  # what a statement did wrong is the test's to say; the pipe behind this is small
    "log_checkpoints": "off",
}


def is_installed() -> bool:
    """Whether Debian's package is there."""
    return (_BINARIES / "initdb").exists()


@contextmanager
def server() -> Iterator[embedded.Server]:
    """Yields a new, empty server that nobody else can reach; it is gone after the block."""
    directory = Path(tempfile.mkdtemp(prefix="eventos-15-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam(_ACCOUNT)
        os.chown(directory, account.pw_uid, account.pw_gid)
    try:
        # trust: the directory with the socket is private
        initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(_command("initdb", f"--pgdata={directory}/data", *initdb), check=True, stdout=subprocess.DEVNULL)
        with _running(directory):
            yield embedded.Server(directory)
    finally:
        shutil.rmtree(directory)


@contextmanager
def _running(directory: Path) -> Iterator[None]:
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    command = _command("postgres", "-D", f"{directory}/data", "-k", str(directory), *settings)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        said = []
        for line in server.stderr:
            said.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise RuntimeError("".join(said))
        try:
            yield
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: its data are thrown away


def _command(program: str, *arguments: str) -> Sequence[str]:
    """The program as an account that may run it; it gets a SIGQUIT should this process be killed."""
    account = [f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *account, "--pdeathsig=QUIT", "--", str(_BINARIES / program), *arguments]
