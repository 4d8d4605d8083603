"""Email templates beyond their fields: what may stand in them, copies, and whether stages send them."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.commands import records
from app.commands.records import Done
from app.database import writing
from app.errors import InvalidFields, NotAllowed, NotFound
from app.fields import TEMPLATE
from app.viewer import Viewer
from queries import vocabulary as v
from queries.templates import VARIABLES, places_of

_TEXTS = ("subject", "body_text", "body_html")


def check(db: sa.Connection, values: Mapping[str, Any]) -> None:
    """Raises InvalidFields for each text with a place that nothing fills in, with the one that may have been meant."""
    refusals: dict[str, str] = {}
    for column in _TEXTS:
        places = db.scalars(sa.select(places_of(values.get(column) or "")))
        if unknown := sorted(set(places) - set(VARIABLES)):
            meant = get_close_matches(unknown[0], VARIABLES, 1)
            hint = f" Did you mean {{{{{meant[0]}}}}}?" if meant else ""
            names = ", ".join(f"{{{{{name}}}}}" for name in unknown)
            refusals[column] = f"Nothing fills in {names}.{hint}"
    if refusals:
        raise InvalidFields(refusals)


def duplicate(*, by: Viewer, template_id: UUID, key: UUID) -> Done:
    """Makes a copy that is not active yet, named after the template."""
    templates = v.email_templates
    with writing(by) as db:
        found = db.execute(sa.select(templates).where(templates.c.id == template_id)).mappings().one_or_none()
    if found is None:
        raise NotFound("This template is gone; somebody has deleted it meanwhile.")
    given = {field.name: found[field.name] for field in TEMPLATE.given_by(by.role, creating=True)}
    name = f"{found['name'][:190]} (copy)"
    return records.create(TEMPLATE, by=by, given={**given, "name": name, "is_active": False}, key=key)


def switch_automatic_actions(*, by: Viewer, on: bool) -> None:
    """Turns on, or off, what stages do by themselves when an opportunity enters them."""
    with writing(by) as db:
        if db.execute(sa.update(v.settings).values(automatic_actions=on)).rowcount != 1:
            raise NotAllowed("Only an admin turns automatic actions on or off. Nothing was changed.")
