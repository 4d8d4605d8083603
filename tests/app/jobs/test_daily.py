"""The refresh of every day: in a process of its own, only where it is due, and gone with the dashboard."""

import threading

import pytest
from sqlalchemy import Connection

from app.jobs import daily
from app.jobs.daily import Daily
from app.settings import Settings
from tests.tables import given


@pytest.fixture
def at_work(owner: Connection, database: Settings, monkeypatch: pytest.MonkeyPatch) -> Daily:
    """Looks at this worker's database at once, and then every hundredth of a second; its child process finds it too."""
    monkeypatch.setenv("DATABASE_URL", database.database_url or "")
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.migration_database_url or "")
    return Daily(database.data_dir, first=0.01, every=0.01)


def test_it_refreshes_once_a_day(owner: Connection, at_work: Daily, monkeypatch: pytest.MonkeyPatch) -> None:
    given(owner, "crm_organizers", "company_name | assigned_to\nAcme | rita")
    looked, is_done = daily.refresh.is_due, threading.Event()
    runs = []

    def looks(connection: Connection) -> bool:
        is_due = looked(connection)
        runs.append(is_due)
        if not is_due:
            is_done.set()
        return is_due

    monkeypatch.setattr(daily.refresh, "is_due", looks)
    at_work.start()
    assert is_done.wait(60)
    at_work.stop()
    assert runs[:2] == [True, False]
    assert owner.exec_driver_sql("select count(*) from crm_organizer_health").scalar() == 1


def test_an_empty_company_is_left_in_peace(owner: Connection, at_work: Daily, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, seen = daily.refresh.is_due, threading.Event()

    def looks(connection: Connection) -> bool:
        is_due = looked(connection)
        assert not is_due
        seen.set()
        return is_due

    monkeypatch.setattr(daily.refresh, "is_due", looks)
    at_work.start()
    assert seen.wait(30)
    at_work.stop()
    assert not at_work.is_alive()


def test_a_refresh_at_work_ends_with_the_dashboard(
    owner: Connection, at_work: Daily, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(owner, "crm_organizers", "company_name | assigned_to\nAcme | rita")
    monkeypatch.setattr(daily.sys, "executable", "/bin/sleep")
    started = threading.Event()
    popen = daily.subprocess.Popen

    def start(*arguments: object, **options: object) -> object:
        process = popen(["/bin/sleep", "600"])
        started.set()
        return process

    monkeypatch.setattr(daily.subprocess, "Popen", start)
    at_work.start()
    assert started.wait(30)
    while at_work._working is None:
        pass
    at_work.stop()
    assert at_work._working.poll() is not None
