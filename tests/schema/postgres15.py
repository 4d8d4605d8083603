"""Debian's PostgreSQL 15, for as long as a block lasts."""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import embedded

_BINARIES = Path("/usr/lib/postgresql/15/bin")
_ACCOUNT = "postgres"  # of Debian's package; the server refuses to run as root


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
    settings = {"listen_addresses": "", "unix_socket_directories": str(directory), "fsync": "off", "jit": "off"}
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    data, log = f"--pgdata={directory}/data", f"--log={directory}/log"
    try:
        # trust: the directory with the socket is private
        _run("initdb", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        _run("pg_ctl", "start", "--wait", data, log, f"--options={options}")
        try:
            yield embedded.Server(directory)
        finally:
            _run("pg_ctl", "stop", "--mode=immediate", data)
    finally:
        shutil.rmtree(directory)


def _run(program: str, *arguments: str) -> None:
    as_account = ["setpriv", f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--init-groups"] if os.geteuid() == 0 else []
    subprocess.run([*as_account, str(_BINARIES / program), *arguments], cwd="/", check=True, stdout=subprocess.DEVNULL)
