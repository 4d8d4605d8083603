import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from app import cli, demo, embedded, schema
from app import database as doors
from app.errors import Refused
from app.jobs import company
from app.settings import Settings
from tests.conftest import owner_of, settings_of
from tests.queries import history
from tests.tables import id_of

Eventos = Callable[..., tuple[int, str, str]]


@pytest.fixture
def eventos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Eventos]:
    """eventos("migrate", "--sql") runs the command here: exit code, what it printed, what it complained about."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eventos", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    handler = signal.getsignal(signal.SIGTERM)
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def at_ours(owner: Connection, database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The environment points at this worker's database as at anybody's server."""
    monkeypatch.setenv("DATABASE_URL", database.database_url or "")
    monkeypatch.setenv("MIGRATION_DATABASE_URL", database.migration_database_url or "")
    yield owner
    doors.disconnect()


def test_it_says_what_it_can_do(eventos: Eventos) -> None:
    code, said, _ = eventos("--help")
    assert code == 0
    known = {"run", "migrate", "demo", "import", "calibration", "forecast", "refresh", "files", "models", "check"}
    assert known <= set(said.split())


@pytest.mark.parametrize(
    "command", ["run", "migrate", "demo", "import", "calibration", "forecast", "refresh", "files", "models", "check"]
)
def test_every_command_takes_a_data_directory(eventos: Eventos, command: str) -> None:
    assert "--data-dir" in eventos(command, "--help")[1]


def test_a_wrong_option_is_a_usage_error(eventos: Eventos) -> None:
    code, _, complaint = eventos("migrate", "--no-such-option")
    assert code == 2
    assert "--no-such-option" in complaint


def test_the_script_needs_no_connection(eventos: Eventos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    code, said, _ = eventos("migrate", "--sql")
    assert code == 0
    assert said.strip() == schema.script().strip()


def test_migrating_what_is_up_to_date_says_so(eventos: Eventos, at_ours: Connection) -> None:
    assert eventos("migrate") == (0, f"The database is at migration {schema.newest()}.\n", "")


def test_a_refresh_and_its_report_cards(eventos: Eventos, at_ours: Connection) -> None:
    assert eventos("models") == (0, "No model has been made yet: run `eventos refresh`.\n", "")
    code, said, _ = eventos("refresh")
    assert (code, said) == (0, "0 organizers, 0 opportunities scored.\n")
    cards = json.loads(eventos("models", "--json")[1])
    assert [card["model"] for card in cards] == ["churn", "win"]
    for card in cards:
        assert {"n", "events", "cutoffs", "auc", "brier", "brier_base", "curve", "abstained", "reason"} <= set(card)
        assert card["abstained"]
    assert "Abstains: Too little to learn from: 0 organizers" in eventos("models")[1]


def test_check_finds_nothing_wrong_or_says_what(eventos: Eventos, at_ours: Connection) -> None:
    assert eventos("check")[0] == 0
    at_ours.execute(text("alter table crm_notes disable row level security"))
    try:
        code, _, complaint = eventos("check")
    finally:
        at_ours.execute(text("alter table crm_notes enable row level security"))
    assert code == 1
    assert complaint.startswith("eventos: The app refuses to serve this database. The table crm_notes has no row-level")


def test_a_job_needs_the_owners_address_only(
    eventos: Eventos, at_ours: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert eventos("migrate")[0] == 0
    code, _, complaint = eventos("check")
    assert (code, complaint.split(".")[0]) == (1, "eventos: DATABASE_URL is not set")


def test_a_database_that_is_not_there_is_a_sentence_with_its_cause(
    eventos: Eventos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/nothing")
    code, _, complaint = eventos("migrate")
    assert code == 1
    assert complaint.startswith("eventos: The database can't be reached.")
    assert "Connection refused" in complaint
    assert "Traceback" not in complaint
    assert "secret" not in complaint


def test_the_demo_fills_an_empty_database_and_refuses_another(eventos: Eventos, at_ours: Connection) -> None:
    options = ("demo", "--scale", "0.01", "--seed", "7", "--anchor", "2026-03-31")
    at_ours.execute(text("delete from crm_user_roles"))
    at_ours.execute(text("delete from crm_profiles"))
    at_ours.execute(text("alter table crm_audit disable trigger user"))
    at_ours.execute(text("delete from auth.users"))
    assert eventos(*options)[0] == 0
    assert at_ours.scalar(text("select count(*) from crm_organizers"))
    code, _, complaint = eventos(*options)
    assert code == 1
    assert "empty" in complaint


def test_the_demo_s_day_is_a_day(eventos: Eventos) -> None:
    code, _, complaint = eventos("demo", "--anchor", "tomorrow")
    assert code == 2
    assert "tomorrow is not a day like 2026-03-31" in complaint


# Serving ------------------------------------------------------------------------------------------------------


def test_another_database_is_not_served_without_an_identity_provider(eventos: Eventos, at_ours: Connection) -> None:
    code, _, complaint = eventos("run", "--no-browser")
    assert code == 1
    assert "sign in through an identity provider ([auth] in .streamlit/secrets.toml" in complaint


@pytest.fixture
def new_server(server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, ...]]:
    """The options of a run on the tests' own embedded server."""
    return lambda *more: ("run", "--no-browser", "--data-dir", str(server_directory), "--empty", *more)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104
def test_local_sign_in_is_served_to_this_machine_only(
    eventos: Eventos, server: embedded.Server, new_server: Callable[..., tuple[str, ...]], host: str
) -> None:
    code, _, complaint = eventos(*new_server("--host", host))
    assert code == 1
    assert f"and {host} is not" in complaint


def test_nobody_is_signed_in_as_somebody_unknown(
    eventos: Eventos, server: embedded.Server, new_server: Callable[..., tuple[str, ...]]
) -> None:
    code, _, complaint = eventos(*new_server("--as", "nobody@example.com"))
    assert code == 1
    assert "Nobody with the address nobody@example.com" in complaint


def test_a_port_in_use_is_said_when_it_was_asked_for(
    eventos: Eventos, server: embedded.Server, new_server: Callable[..., tuple[str, ...]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, complaint = eventos(*new_server("--port", str(taken.getsockname()[1])))
    assert code == 1
    assert "is not free" in complaint


def test_a_port_in_use_is_passed_over_when_none_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setattr(cli, "_FIRST_PORT", first)
        assert cli._free_port("127.0.0.1", None) > first


def test_a_demo_that_fails_leaves_a_new_database_new(
    eventos: Eventos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Refused("interrupted")

    monkeypatch.setattr(demo, "load", fail)
    assert eventos("demo", "--data-dir", str(tmp_path / "data"))[0] == 1
    with embedded.server(tmp_path / "data") as server, owner_of(server, "eventos").begin() as connection:
        assert not schema.is_there(connection)
        assert connection.scalar(text("select to_regnamespace('app')")) is None


def test_a_new_database_gets_the_demo_company_and_an_existing_one_is_left_alone(tmp_path: Path) -> None:
    with embedded.server(tmp_path / "data") as server:
        doors.use(settings_of(server, "eventos", tmp_path / "data"))
        organizers = text("select count(*) from crm_organizers")
        with owner_of(server, "eventos").execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            cli._bring_forward(tmp_path / "data", with_demo=True)
            grown = connection.scalar(organizers)
            connection.execute(text("update crm_settings set organisation_name = 'Ours now'"))
            cli._bring_forward(tmp_path / "data", with_demo=True)
            assert grown
            assert connection.scalar(organizers) == grown
            assert connection.scalar(text("select organisation_name from crm_settings")) == "Ours now"


def test_run_serves_until_it_is_told_to_stop_and_keeps_what_is_there(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "app.cli", "--empty", "--no-browser", "--data-dir", str(data_dir)]
    for _ in ("new", "existing"):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            address = next(line.strip() for line in process.stdout if "http://" in line)
            with urllib.request.urlopen(address.split("/?token=")[0] + "/healthz") as answer:  # noqa: S310
                assert answer.status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
    with embedded.server(data_dir) as server, owner_of(server, "eventos").begin() as connection:
        assert connection.scalar(text("select count(*) from crm_organizers")) == 0


def test_the_calibration_is_computed_and_printed(eventos: Eventos, at_ours: Connection) -> None:
    history.stages_since(at_ours, date(2024, 1, 1))
    at_ours.exec_driver_sql(
        "insert into public.crm_organizers (id, company_name, assigned_to) values (%s, 'Acme', %s)",
        (id_of("acme"), id_of("rita")),
    )
    history.happens(
        at_ours,
        """
        at               | deal | organizer_id | assigned_to | stage_id | value | expected_close_date |
        2025-01-02 09:00 | Gala | acme         | rita        | Proposal | 100   | 2025-03-01          |
        2025-02-02 09:00 | Gala |              |             | Won      |       |                     |
        2025-01-02 09:00 | Expo | acme         | rita        | Proposal | 30    | 2025-03-10          |
        """,
    )
    code, said, complaint = eventos("calibration", "--json")
    assert (code, complaint.strip()) == (0, "")
    found = json.loads(said)
    proposal = next(stage for stage in found["stages"] if stage["name"] == "Proposal")
    assert {name: proposal[name] for name in ("set_value", "closed", "wins", "rate", "open")} == {
        "set_value": 0.5, "closed": 1, "wins": 1, "rate": 1.0, "open": 1,
    }  # fmt: skip
    assert proposal["reason"] == "Not enough closed deals: 1, and a judgement takes 30."
    assert [one["forecaster"] for one in found["forecasters"]] == ["set", "calibrated", "base"]
    code, said, _ = eventos("calibration")
    assert code == 0
    assert "Proposal" in said
    code, said, complaint = eventos("forecast", "--period", "2025-Q1", "--as-of", "2025-02-10", "--json")
    assert (code, complaint.strip()) == (0, "")
    found = json.loads(said)
    assert {name: found[name] for name in ("period", "start", "end", "currency", "won", "weighted", "actual")} == {
        "period": "2025 Q1", "start": "2025-01-01", "end": "2025-03-31", "currency": "CAD", "won": 100.0,
        "weighted": 115.0, "actual": 100.0,
    }  # fmt: skip
    assert found["p10"] == 100 < found["p90"] == 130
    code, said, _ = eventos("forecast", "--period", "2025-02")
    assert code == 0
    assert "What happened        CAD 100.00" in said
    code, said, _ = eventos("forecast", "--past", "--json")
    assert code == 0
    found = json.loads(said)
    assert found["forecasts"] == 3 * found["periods"] - 2  # nothing was known 90 and 60 days before the first one's end
    assert {band["n"] for band in found["coverage"]} == {found["forecasts"]}
    code, said, _ = eventos("forecast", "--past")
    assert code == 0
    assert f"{found['forecasts']} forecasts of {found['periods']} past quarters" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--period", "2025-Q5"),
            "2025-Q5 is no period: name a month (2027-01), a quarter (2027-Q1) or a year (2027).",
        ),
        (("--period", "soon"), "soon is no period"),
        (("--as-of", "2199-01-01"), "2199-01-01 is still to come"),
    ],
)
def test_a_forecast_of_nothing_sensible_is_refused(
    eventos: Eventos, at_ours: Connection, options: tuple[str, ...], sentence: str
) -> None:
    code, _, complaint = eventos("forecast", *options)
    assert code == 1
    assert complaint.startswith(f"eventos: {sentence}")


@pytest.mark.parametrize(
    ("text", "first_month", "start", "end"),
    [
        ("2027", 1, date(2027, 1, 1), date(2028, 1, 1)),
        ("2027-q4", 1, date(2027, 10, 1), date(2028, 1, 1)),
        ("2027-02", 4, date(2027, 2, 1), date(2027, 3, 1)),
        ("2027-Q1", 4, date(2026, 4, 1), date(2026, 7, 1)),
        ("2027-Q4", 4, date(2027, 1, 1), date(2027, 4, 1)),
        ("2027", 4, date(2026, 4, 1), date(2027, 4, 1)),
    ],
)
def test_periods_have_names(text: str, first_month: int, start: date, end: date) -> None:
    found = company.named(text, first_month)
    assert (found.start, found.end) == (start, end)
