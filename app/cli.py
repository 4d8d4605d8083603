"""The `eventos` command. Without a subcommand it runs the dashboard."""

import json
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from app.errors import Misconfigured, Refused

if TYPE_CHECKING:
    from app.identity import LocalSignIn
    from app.jobs.daily import Daily

cli = typer.Typer(
    help="Analytics for an event company's CRM. Without a command, `eventos` runs the dashboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where the embedded database keeps its files. [default: one directory per user]", file_okay=False
    ),
]

_FIRST_PORT = 8501


@cli.command()
def run(
    data_dir: DataDir = None,
    host: Annotated[str, typer.Option(help="The address to listen at; this machine's own only.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: the first free one from 8501]")] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="The key in the address; other users can see it in the process list. [default: a new secret one]"
        ),
    ] = None,
    sign_in_as: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="Sign in directly as this person.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    empty: Annotated[bool, typer.Option("--empty", help="Start a new database without the demo company.")] = False,
    refresh: Annotated[bool, typer.Option(help="Compute scores and calibration anew every day.")] = True,
) -> None:
    """Opens the dashboard: on a new embedded database with a demo company, on an existing one with what is there."""
    from app import database, files, identity
    from app.jobs.daily import Daily

    with _settings(data_dir=data_dir, host=host, port=port, token=token, sign_in_as=sign_in_as) as settings:
        identity.check(settings)
        database.use(settings)
        files.use(settings)
        _bring_forward(settings.data_dir, with_demo=not empty)
        chosen = _free_port(settings.host, settings.port)
        sign_in = identity.configure(settings, chosen)
        database.connect(settings)
        daily = Daily(settings.data_dir) if refresh else None
        try:
            _serve(settings.host, chosen, sign_in, browser, daily)
        finally:
            if daily is not None and daily.is_alive():
                daily.stop()
            database.disconnect()


def _serve(host: str, port: int, sign_in: "LocalSignIn", browser: bool, daily: "Daily | None") -> None:
    """Runs Streamlit in this process until it is told to stop."""
    from app import asgi, log_lines
    from app.settings import ROOT

    log_lines.to_stderr()

    def address(token: str) -> str:
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/?token={quote(token, safe='')}"

    def ready() -> None:
        typer.echo(f"\nThe dashboard is open at\n\n    {address(sign_in.token)}\n\nCtrl-C ends it.\n")
        if daily is not None:
            daily.start()
        if browser:
            # Some browsers return only when they are closed.
            threading.Thread(target=webbrowser.open, args=[address(sign_in.ticket())], daemon=True).start()

    asgi.on_ready = ready
    sys.argv = [str(ROOT / "eventos")]  # Streamlit looks for .streamlit/config.toml beside what was started
    with suppress(KeyboardInterrupt):
        asgi.application.run(config={"server.address": host, "server.port": port})


def _bring_forward(data_dir: Path, with_demo: bool) -> None:
    """Makes the embedded database fit this version; a new one gets the demo company."""
    from app import database, schema

    with database.owning() as connection:
        if schema.is_there(connection) or not with_demo:
            schema.migrate(connection)
            return
    # In a process of its own: what growing a company takes of memory is free again afterwards, and meanwhile this
    # process reads in what it is going to serve.
    command = [sys.executable, "-P", "-m", "app.cli", "demo", "--data-dir", str(data_dir), "--no-past"]
    with subprocess.Popen(command) as growing:
        import_module("app.asgi")
    if growing.returncode:
        raise typer.Exit(growing.returncode)  # it has said why


def _free_port(host: str, wanted: int | None) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in [wanted] if wanted else range(_FIRST_PORT, _FIRST_PORT + 100):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise Misconfigured(f"Port {wanted or _FIRST_PORT} on {host} is not free. Choose another one with --port.")


@cli.command()
def migrate(
    data_dir: DataDir = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print one script from an empty database to the newest schema instead.")
    ] = False,
) -> None:
    """Brings the database's schema up to date; what is already there stays as it is."""
    from app import database, schema

    if sql:
        typer.echo(schema.script())
        return
    with _settings(data_dir=data_dir) as settings:
        database.use(settings)
        with database.owning() as connection:
            applied = schema.migrate(connection)
        for name in applied:
            typer.echo(f"applied {name}")
        typer.echo(f"The database is at migration {schema.newest()}.")


@cli.command()
def demo(
    data_dir: DataDir = None,
    scale: Annotated[
        float | None,
        typer.Option(min=0.01, max=50, help="1 is 2,000 organizers with 20,000 opportunities. [default: 0.2]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another company.")] = None,
    anchor: Annotated[str | None, typer.Option(metavar="DAY", help="The company's today. [default: today]")] = None,
    past: Annotated[bool, typer.Option(hidden=True, help="Calibrate for past months too.")] = True,
) -> None:
    """Fills an empty database with a believable event company."""
    chosen = {"scale": scale, "seed": seed, "anchor": _day(anchor, "--anchor")}
    with _settings(data_dir=data_dir) as settings, _owning(settings) as connection:
        _load_demo(connection, **{name: value for name, value in chosen.items() if value is not None})
        if scale is None or scale <= 1:  # a larger company is there to measure on
            _fill_documents(settings, connection)
        _calibrate(connection, anew=True, past=past)


@cli.command(name="import")
def import_(
    directory: Annotated[
        Path, typer.Argument(help="The export: a directory of CSV files.", exists=True, file_okay=False)
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="NAME|FILE", help="A built-in mapping, or the path of one of your own.")
    ],
    data_dir: DataDir = None,
    currency: Annotated[str | None, typer.Option(help="The export's currency, where its rows don't say it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and change nothing.")] = False,
    skip_rejected: Annotated[
        bool, typer.Option("--skip-rejected", help="Leave rejected rows out instead of importing nothing.")
    ] = False,
) -> None:
    """Loads another system's export. A second run of the same one changes nothing."""
    from app import importing

    with _job(data_dir) as connection, _progress() as progress:
        report = importing.run(
            connection, format=format_, directory=directory, currency=currency, dry_run=dry_run,
            skip_rejected=skip_rejected, progress=progress,
        )  # fmt: skip
        if report.written and report.new.total():
            _calibrate(connection, anew=True)
    typer.echo(str(report))
    if report.failed:
        raise typer.Exit(1)


@cli.command()
def calibration(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Computes how often opportunities are really won from each stage, over the whole company, and says so."""
    from app.jobs import company, report

    with _job(data_dir) as connection:
        _calibrate(connection)
        found = report.calibration(connection, company.scope(connection))
        typer.echo(json.dumps(found, indent=2) if as_json else report.calibration_in_words(found))


@cli.command()
def forecast(
    period: Annotated[str | None, typer.Option(help="2027-01, 2027-Q1 or 2027. [default: this quarter]")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DAY", help="[default: today]")] = None,
    past: Annotated[bool, typer.Option("--past", help="Say how good the forecasts of past quarters were.")] = False,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Says what a period will bring the whole company, and what it brought where it is over."""
    from app.jobs import calibration as job
    from app.jobs import company, report

    with _job(data_dir) as connection:
        chosen = company.scope(connection, period=period, as_of=_day(as_of, "--as-of"))
        if job.missing(connection):
            _calibrate(connection)
        if past:
            with _progress() as progress:
                found = report.past(connection, chosen, progress)
            said = report.past_in_words(found)
        else:
            found = report.forecast(connection, chosen)
            said = report.forecast_in_words(found)
        typer.echo(json.dumps(found, indent=2) if as_json else said)


@cli.command()
def refresh(data_dir: DataDir = None) -> None:
    """Computes every score anew: engagement, health, churn, opportunities. The dashboard does so daily by itself.

    On a server of your own let cron do it, for example

        15 4 * * *  MIGRATION_DATABASE_URL=… eventos refresh
    """
    from app import database, schema
    from app.jobs import refresh as job

    with _settings(data_dir=data_dir) as settings, _progress() as progress:
        database.use(settings)
        if settings.is_embedded:
            with database.owning() as connection:
                schema.migrate(connection)
        scored = job.run(progress)
    typer.echo(", ".join(f"{count:,} {what}" for what, count in scored.items()) + " scored.")


@cli.command()
def deliver(data_dir: DataDir = None) -> None:
    """Sends the emails that stages have written, over EVENTOS_SMTP, each at most once. Let cron do it, for example

    */5 * * * *  MIGRATION_DATABASE_URL=… EVENTOS_SMTP=… EVENTOS_SMTP_FROM=… eventos deliver
    """
    from app import database
    from app.jobs import delivery

    with _settings(data_dir=data_dir) as settings, _progress() as progress:
        database.use(settings)
        counts = delivery.run(delivery.MailServer.at(settings.smtp, settings.smtp_from), progress)
    typer.echo(", ".join(f"{count:,} {status}" for status, count in counts.items()) + ".")


@cli.command(name="files")
def files_(data_dir: DataDir = None) -> None:
    """Removes the files of documents that were removed 30 days ago, and of uploads that were broken off.

    The dashboard does so by itself on the embedded database. On a server of your own let cron do it, for example

        45 4 * * *  MIGRATION_DATABASE_URL=… eventos files
    """
    from app import database, files
    from app.jobs.files import sweep

    with _settings(data_dir=data_dir) as settings, _progress() as progress:
        database.use(settings)
        files.use(settings)
        removed = sweep(progress)
    typer.echo(f"{removed:,} files removed.")


@cli.command()
def models(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report cards.")] = False,
) -> None:
    """Says what each model may be believed: how often it was right on later dates, and why it abstains if it does."""
    from app import database
    from app.jobs import refresh as job

    with _settings(data_dir=data_dir) as settings:
        database.use(settings)
        with database.owning() as connection:
            cards = job.model_runs(connection)
    if as_json:
        typer.echo(json.dumps(cards, indent=2, default=str))
    elif not cards:
        typer.echo("No model has been made yet: run `eventos refresh`.")
    else:
        for card in cards:
            typer.echo(job.told(card))


@cli.command()
def check(
    data_dir: DataDir = None,
    recount: Annotated[
        bool, typer.Option("--recount", help="Count the activities anew first; pages wait for it meanwhile.")
    ] = False,
) -> None:
    """Says whether the app would serve this database, its counts are right and files can be kept, and if not, why."""
    from app import database, files

    with _settings(data_dir=data_dir) as settings:
        database.connect(settings)
        database.disconnect()
        typer.echo("The database is reachable, up to date, and the app's login can do no more than it should.")
        if settings.migration_database_url:
            with database.owning() as connection:
                _check_counts(connection, recount)
            typer.echo("The counts of activities are those of the activities.")
        files.use(settings)
        files.store().prove()
        typer.echo("The file store keeps what it is given.")


def _check_counts(connection: Any, recount: bool) -> None:
    """Raises Misconfigured where the kept counts are not those of the activities, which only the owner sees all of."""
    from sqlalchemy import func, select

    if recount:
        connection.execute(select(func.app.recount_activities()))
    if wrong := connection.scalar(select(func.app.miscounted_activities())):
        raise Misconfigured(
            f"{wrong:,} counts are not those of the activities, as after a load with triggers off. "
            "Run `eventos check --recount` with the owner's login."
        )


def main() -> None:
    """The console script: refusals become one sentence and exit code 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as a request to end, which leaves every block in order
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("--help", "-h")):
        arguments = ["run", *arguments]
    try:
        cli(arguments, prog_name="eventos")
    except Refused as refusal:
        typer.echo(f"eventos: {refusal}", err=True)
        if refusal.__cause__ is not None:
            typer.echo(f"Cause: {str(refusal.__cause__).splitlines()[0]}", err=True)
        sys.exit(1)


@contextmanager
def _settings(**chosen: Any) -> Iterator[Any]:
    from app.settings import Settings

    with Settings.load(**chosen).reachable() as settings:
        yield settings


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not a day like 2026-03-31.", param_hint=option) from None


@contextmanager
def _job(data_dir: Path | None) -> Iterator[Any]:
    """Yields the owner's connection; on the embedded database its transaction first makes the schema up to date."""
    with _settings(data_dir=data_dir) as settings, _owning(settings) as connection:
        yield connection


@contextmanager
def _owning(settings: Any) -> Iterator[Any]:
    from app import database, schema

    database.use(settings)
    with database.owning() as connection:
        if settings.is_embedded:
            schema.migrate(connection)
        yield connection


def _load_demo(connection: Any, **options: Any) -> None:
    from app import demo

    with _progress() as progress:
        demo.load(connection, progress=progress, **options)


def _fill_documents(settings: Any, connection: Any) -> None:
    from app import files
    from app.demo import sheets

    files.use(settings)
    with _progress() as progress:
        sheets.write(connection, files.store(), progress)


def _calibrate(connection: Any, **options: bool) -> None:
    from app.jobs import calibration as job

    with _progress() as progress:
        job.run(connection, progress=progress, **options)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Yields what jobs tell their progress to: what they do, and the share done. Drawn on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1)
        yield lambda text, share: bar.update(task, description=text, completed=share)


if __name__ == "__main__":
    main()
