"""`eventos import`: another system's export becomes organizers, stages, opportunities with history, activities, people.

A mapping file (`mappings/*.toml`, or anybody's own) says which columns become which fields; `mappings/README.md` has
its language. Files are read and checked first (`reading`), then loaded in one transaction (`loading`).
"""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, column, func, select, table

from app.errors import Refused
from app.importing import loading, mapping_file, reading, values
from app.importing.report import Report

Progress = Callable[[str, float], None]
"""Told what is being done, and how much of the whole is done, from 0 to 1."""


def run(
    connection: Connection,
    *,
    format: str,  # noqa: A002  (the command's own word)
    directory: Path,
    currency: str | None = None,
    dry_run: bool = False,
    skip_rejected: bool = False,
    progress: Progress = lambda _text, _share: None,
) -> Report:
    """Import an export as the owner, in the connection's transaction; return what came of it.

    A rejected row leaves nothing imported, unless `skip_rejected` leaves only that row out. A dry run goes all the
    way, so that it also finds what only the database refuses, and takes everything back. What an earlier import of
    the same export brought stays as it is.
    """
    mapping = mapping_file.load(format)
    settings = table("crm_settings", column("time_zone"), schema="public")
    time_zone, now = connection.execute(select(settings.c.time_zone, func.now())).one()
    style = values.Style(mapping.dates, mapping.numbers, mapping.source_zone, ZoneInfo(time_zone), now)
    currency = _checked(currency or mapping.currency, style)
    # About half of the time goes into reading.
    export = reading.read(mapping, directory, style, lambda name, share: progress(f"Reading {name}", share / 2))
    with connection.begin_nested() as attempt:
        new, refused = loading.load(
            connection,
            export,
            vendor=mapping.vendor,
            name=mapping.name,
            currency=currency,
            style=style,
            said=lambda name, share: progress(f"Loading {name}", 0.5 + share / 2),
        )
        rejected = [*export.rejected, *refused]
        written = not dry_run and (skip_rejected or not rejected)
        if not written:
            attempt.rollback()
    progress("Done", 1)
    return Report(mapping.name, dry_run, written, export.rows, new, rejected)


def _checked(currency: str, style: values.Style) -> str:
    try:
        return str(values.currency(currency, style))
    except values.UnusableError as error:
        raise Refused(f"The currency {error}: say it with --currency.") from None
