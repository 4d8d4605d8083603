"""What is done beside the pages, because on our own database nobody else would: the refresh of every day, old files."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from app import database
from app.errors import Refused
from app.jobs import files, refresh

_log = logging.getLogger(__name__)

FIRST: Final = 10.0
"""Seconds after the dashboard has opened: the first pages come first."""

EVERY: Final = 600.0
"""Seconds between looking whether a new day has begun."""


class Daily(threading.Thread):
    """Looks now and then whether today's refresh is done, and if not, has another process do it, at low priority.

    In a process of its own, because learning takes memory and a processor that the pages' process has better use for.
    """

    def __init__(self, data_dir: Path, first: float = FIRST, every: float = EVERY) -> None:
        super().__init__(name="eventos-daily", daemon=True)
        self._data_dir = data_dir
        self._pauses = first, every
        self._stopped = threading.Event()
        self._working: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Until it is stopped."""
        pause, every = self._pauses
        while not self._stopped.wait(pause):
            pause = every
            try:
                files.sweep()
                with database.owning() as connection:
                    is_due = refresh.is_due(connection)
            except Refused as refusal:
                _log.warning("Nothing was removed or refreshed: %s", refusal)
                continue
            if is_due and self._refresh():
                _log.warning("The refresh failed; it is tried again in %d minutes.", every // 60)

    def _refresh(self) -> int:
        command = [sys.executable, "-P", "-m", "app.cli", "refresh", "--data-dir", str(self._data_dir)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as self._working:
            os.setpriority(os.PRIO_PROCESS, self._working.pid, 10)
            return self._working.wait()

    def stop(self) -> None:
        """Ends it, and a refresh that is at work, which the next one completes."""
        self._stopped.set()
        if self._working is not None:
            self._working.terminate()
        self.join()
