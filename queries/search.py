"""The search box: what the viewer may see that holds the words, a few of each kind."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, Text, Uuid, func

from app.fields import NOUNS
from queries import vocabulary as v
from queries.question import Statement, question
from queries.units import identifier, text

# Names first: they are few, and answered at once; then what is many.
NAMES: Final = ("organizer", "contact", "opportunity", "template")
TEXTS: Final = ("activity", "note", "document")
MOST: Final = 5  # of each kind


@question(noun=identifier("Kind"), id=identifier(), name=text("Name"), organizer=text("Organizer", "Whose it is"))
def found(words: str, nouns: tuple[str, ...], alike: bool = False) -> Statement:
    """At most MOST records of each noun, the latest, that hold all the words or whose names are similar; by noun."""
    nouns_by_table = {str(NOUNS[noun].table.name): noun for noun in nouns}
    tables = sa.cast(list(nouns_by_table), sa.ARRAY(Text))
    results = func.app.search(words, tables, alike, MOST).table_valued(
        Column("table_name", Text), Column("record_id", Uuid), Column("organizer_id", Uuid), Column("label", Text),
        with_ordinality="place", name="results",
    ).render_derived()  # fmt: skip
    owner = v.organizers
    return (
        sa.select(
            sa.case(nouns_by_table, value=results.c.table_name).label("noun"),
            results.c.record_id.label("id"),
            results.c.label.label("name"),
            func.nullif(owner.c.company_name, results.c.label).label("organizer"),
        )
        .select_from(results.outerjoin(owner, owner.c.id == results.c.organizer_id))
        .order_by(func.array_position(tables, results.c.table_name), results.c.place)
    )
