"""A small company for the commands that change records."""

# ruff: noqa: E501 (tables are read across)

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.fields import NOUNS, Noun
from tests.tables import given, id_of

Snapshot = dict[tuple[str, UUID], Mapping[str, Any]]


@pytest.fixture
def sold(owner: Connection) -> Connection:
    """Acme is Rita's, Birch is Ravi's and Cedar Olaf's, each with a contact and a deal; the rest hangs on Acme."""
    given(owner, "crm_organizers", """
        id    | company_name | assigned_to
        acme  | Acme         | rita
        birch | Birch        | ravi
        cedar | Cedar        | olaf
    """)  # fmt: skip
    given(owner, "crm_contacts", """
        id   | organizer_id | full_name | email     | is_primary
        cleo | acme         | Cleo      | cleo@a.eg | true
        carl | acme         | Carl      | carl@a.eg | false
        bea  | birch        | Bea       | bea@b.eg  | true
    """)  # fmt: skip
    given(owner, "events", """
        id   | organizer_id | name | event_date
        fair | acme         | Fair | 2026-03-01
        expo | birch        | Expo | 2026-03-01
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id   | organizer_id | name | stage_id    | value | currency | probability | loss_reason | assigned_to
        gala | acme         | Gala | Proposal    | 1000  | CAD      |             |             | rita
        ball | acme         | Ball | Negotiation | 500   | CAD      | 40          |             | rita
        past | acme         | Past | Won         | 300   | CAD      |             |             | rita
        gone | acme         | Gone | Lost        | 200   | CAD      |             | Too dear    | rita
        show | birch        | Show | Lead        | 700   | USD      |             |             | ravi
        tour | cedar        | Tour | Lead        | 700   | USD      |             |             | olaf
        join | birch        | Join | Lead        | 50    | CAD      |             |             | rita
    """)  # fmt: skip
    given(owner, "crm_activities", """
        id   | organizer_id | contact_id | opportunity_id | type | subject | task_status | is_task | activity_date | user_id
        call | acme         | cleo       | gala           | call | Call    |             | false   | 2026-01-05    | rita
        task | acme         | cleo       | null           | task | Task    | pending     | true    | 2199-01-06    | rita
        oath | birch        | bea        | show           | task | Oath    | pending     | true    | 2199-01-06    | ravi
    """)  # fmt: skip
    given(owner, "crm_notes", """
        id   | organizer_id | contact_id | content | title | created_by
        memo | acme         | cleo       | Memo    | Memo  | rita
    """)  # fmt: skip
    given(owner, "crm_documents", """
        id    | organizer_id | file_name | file_type       | file_size | storage_path | uploaded_by
        offer | acme         | offer.pdf | application/pdf | 1         | a            | rita
    """)  # fmt: skip
    given(owner, "crm_email_templates", """
        id   | name | subject | body_html
        mail | Mail | Hello   | Hello
    """)  # fmt: skip
    given(owner, "crm_targets", """
        id   | user_id | period_start | amount | currency
        goal | rita    | 2026-01-01   | 1000   | CAD
    """)  # fmt: skip
    return owner


@pytest.fixture
def stored(owner: Connection) -> Callable[[Noun | str, str | UUID], Mapping[str, Any] | None]:
    """stored("opportunity", "gala"): the row as it is, or None."""

    def stored(noun: Noun | str, record: str | UUID) -> Mapping[str, Any] | None:
        table = (NOUNS[noun] if isinstance(noun, str) else noun).table
        key = id_of(record) if isinstance(record, str) else record
        return owner.execute(table.select().where(table.c.id == key)).mappings().one_or_none()

    return stored


@pytest.fixture
def snapshot(owner: Connection) -> Callable[[], Snapshot]:
    """snapshot(): every record with all that is no job's to compute, to see what a command changed."""

    every = " union all ".join(
        f"select '{noun.name}', id, to_jsonb(record) - app.derived_columns() from {noun.table.name} as record"
        for noun in NOUNS.values()
    )

    def snapshot() -> Snapshot:
        return {(noun, record): content for noun, record, content in owner.exec_driver_sql(every)}

    return snapshot
