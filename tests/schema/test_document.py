"""Everything that the schema document describes is there, but for the listed departures."""

import re
from pathlib import Path

import pytest

from tests.schema.departures import DEPARTURES, Departure, markdown
from tests.schema.session import Session

TABLES = [
    "crm_organizers", "crm_contacts", "crm_pipeline_stages", "crm_opportunities", "crm_activities", "crm_notes",
    "crm_documents", "crm_email_templates",
]  # fmt: skip

_FACTS = """
    with described as (
      select oid, relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' and relname = any (%s)
    ),
    columns as (
      select name || '.' || attname as name, pg_attribute.*
      from described join pg_attribute on attrelid = oid and attnum > 0 and not attisdropped
    )
    select name || ' is ' || format_type(atttypid, atttypmod) from columns
    union all
    select name || ' is not null' from columns where attnotnull
    union all
    select name || case attgenerated when 's' then ' is generated as ' else ' is by default ' end
      || pg_get_expr(adbin, adrelid)
    from columns join pg_attrdef on adrelid = attrelid and adnum = attnum
    union all
    select name || ': ' || pg_get_constraintdef(pg_constraint.oid)
    from described join pg_constraint on conrelid = described.oid and contype <> 'n'  -- n: not null, in PostgreSQL 18
    union all
    select name || ': index ' || indexrelid::regclass || ' ' || substring(pg_get_indexdef(indexrelid) from 'USING .*')
    from described join pg_index on indrelid = oid
    where not exists (select from pg_constraint where conindid = indexrelid)
    union all
    select name || ': trigger ' || tgname from described join pg_trigger on tgrelid = described.oid and not tgisinternal
    union all
    select name || ': policy ' || polname from described join pg_policy on polrelid = described.oid
    union all
    select name || ': ' || relrowsecurity from described join pg_class using (oid)
    union all
    select 'function ' || oid::regprocedure from pg_proc
    where pronamespace = 'public'::regnamespace and prokind = 'f' and prorettype = 'trigger'::regtype
    union all
    select format('the stage %%s is number %%s, at %%s percent, in %%s', name, order_index, default_probability, color)
    from crm_pipeline_stages
"""


def _facts(db: Session) -> set[str]:
    db.run("set local search_path = public")
    return {fact for (fact,) in db.rows(_FACTS, TABLES)}


def _unexplained(facts: set[str], side: str) -> list[str]:
    return sorted(
        fact
        for fact in facts
        if not any(re.fullmatch(pattern, fact) for departure in DEPARTURES for pattern in getattr(departure, side))
    )


def test_what_the_document_has_is_here_or_departed_from(db: Session, as_written: Session) -> None:
    assert _unexplained(_facts(as_written) - _facts(db), "gone") == []


def test_what_the_document_has_not_is_a_departure(db: Session, as_written: Session) -> None:
    assert _unexplained(_facts(db) - _facts(as_written), "new") == []


@pytest.mark.parametrize("departure", DEPARTURES, ids=lambda departure: departure.written)
def test_each_departure_is_one(db: Session, as_written: Session, departure: Departure) -> None:
    ours, theirs = _facts(db), _facts(as_written)
    for pattern in departure.gone:
        assert any(re.fullmatch(pattern, fact) for fact in theirs - ours), pattern
    for pattern in departure.new:
        assert any(re.fullmatch(pattern, fact) for fact in ours - theirs), pattern


def test_the_readme_lists_them() -> None:
    assert markdown() in (Path(__file__).parents[2] / "README.md").read_text()


def test_every_jsonb_and_array_column_has_a_gin_index(db: Session) -> None:
    """As the document's notes promise."""
    assert db.rows(
        """
        select attrelid::regclass, attname from pg_attribute
        where attrelid::regclass::text = any (%s) and attnum > 0
          and format_type(atttypid, atttypmod) in ('jsonb', 'text[]')
          and not exists (
            select from pg_index join pg_class on pg_class.oid = indexrelid join pg_am on pg_am.oid = relam
            where indrelid = attrelid and indkey[0] = attnum and amname = 'gin')
        """,
        TABLES,
    ) == []  # fmt: skip
