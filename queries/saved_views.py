"""The scopes that a person has given names to."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Text, Uuid

from queries.question import Statement, question
from queries.units import flag, identifier, text
from queries.vocabulary import catalogue

views = sa.Table(
    "crm_saved_views",
    catalogue,
    Column("id", Uuid),
    Column("user_id", Uuid),
    Column("page", Text),
    Column("name", Text),
    Column("query", Text),
    Column("is_default", Boolean),
)


@question(
    view_id=identifier("View"),
    name=text("View"),
    query=text("Address", "What stands after the address's question mark"),
    is_default=flag("Default", "The page opens with it"),
)
def saved_views(user_id: UUID, page: str) -> Statement:
    """The person's views of one page, by name."""
    return (
        sa.select(views.c.id.label("view_id"), views.c.name, views.c.query, views.c.is_default)
        .where(views.c.user_id == user_id, views.c.page == page)
        .order_by(sa.func.lower(views.c.name))
    )
