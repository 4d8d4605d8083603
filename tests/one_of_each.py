"""One row in every table that people write to, all of it Rita's or Ada's, and all text of it replaced by another."""

# ruff: noqa: E501 (tables are read across)

from contextlib import suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tests.personas import PERSONAS
from tests.tables import given, id_of

# The outbox is written from what people have written. A draft's form and a view's page are the app's own words.
_WRITABLE = """
    select distinct table_name, column_name, data_type
    from information_schema.column_privileges join information_schema.columns using (table_schema, table_name, column_name)
    where table_schema = 'public' and grantee = 'authenticated' and data_type in ('text', 'ARRAY')
      and (privilege_type in ('INSERT', 'UPDATE') or table_name = 'crm_outbox')
      and (table_name, column_name) not in (('crm_drafts', 'form'), ('crm_saved_views', 'page'))
    order by table_name, column_name
"""


def insert(owner: Connection) -> None:
    """Inserts the rows; the words of `id_of` are their kinds."""
    given(owner, "crm_organizers", """
        id        | company_name | industry | website             | assigned_to | tags  | address
        organizer | One          | arts     | https://one.example | rita        | {one} | {"street": "1 First St"}
    """)  # fmt: skip
    owner.exec_driver_sql('update crm_organizers set event_history = \'[{"name": "Past", "date": "2024-05-01"}]\'')
    given(
        owner, "events", "id | organizer_id | name | venue | event_date\nevent | organizer | Fair | Hall | 2199-01-01"
    )
    given(owner, "crm_contacts", """
        id      | organizer_id | full_name | title | email           | notes | tags
        contact | organizer    | Ann       | Chief | ann@one.example | Kind  | {one}
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id          | organizer_id | name | stage_id | value | assigned_to | description | expected_close_date
        opportunity | organizer    | Gala | Proposal | 10.50 | rita        | Big         | 2199-01-01
    """)  # fmt: skip
    given(owner, "crm_activities", """
        id       | organizer_id | contact_id | opportunity_id | subject | type | user_id | is_task | task_status | due_date
        activity | organizer    | contact    | opportunity    | Ring    | task | rita    | true    | pending     | 2025-01-01
    """)  # fmt: skip
    given(owner, "crm_notes", """
        id   | organizer_id | title | content | created_by | tags
        note | organizer    | Jazz  | Likes   | rita       | {one}
    """)  # fmt: skip
    given(owner, "crm_documents", """
        id       | organizer_id | file_name | file_type       | file_size | storage_path | uploaded_by
        document | organizer    | a.pdf     | application/pdf | 5         | 00/nowhere   | rita
    """)  # fmt: skip
    given(owner, "crm_email_templates", """
        id       | name | subject | body_html | body_text | description
        template | Hi   | Hi      | Hi        | Hi        | Greets
    """)  # fmt: skip
    given(owner, "crm_targets", "id | user_id | period_start | amount\ntarget | rita | 2026-10-01 | 5")
    given(owner, "crm_exchange_rates", "currency | rate_date | rate\nEUR | 2025-01-01 | 1.4")
    given(owner, "crm_forecast_adjustments", """
        author_id | owner_id | period_start | period_end | amount | currency | reason
        max       | rita     | 2026-10-01   | 2026-12-31 | 5      | CAD      | Hope
    """)  # fmt: skip
    given(owner, "crm_saved_views", "user_id | page | name | query\nada | pipeline | Mine | owner=x")
    given(owner, "crm_outbox", """
        id     | organizer_id | opportunity_id | stage_id | template_name | recipient       | subject | status | problem
        letter | organizer    | opportunity    | Proposal | Hi            | ann@one.example | Hi      | failed | Refused
    """)  # fmt: skip
    given(owner, "crm_stage_changes", """
        stage_id | probability_before | probability | follows | opportunities | effect | currency | without_rate | reason | made_by
        Proposal | 50                 | 60          | all     | 1             | 1      | CAD      | 0            | Better | ada
    """)  # fmt: skip
    owner.exec_driver_sql(
        "insert into crm_drafts (user_id, form, base, given) values (%s, %s, jsonb_build_object("
        "'token', gen_random_uuid(), 'title', 'Draft', 'shown', '{}'::jsonb), '{\"description\": \"Typed\"}')",
        (PERSONAS["ada"].id, f"opportunity/edit/{id_of('opportunity')}"),
    )


def call_everything(owner: Connection, *names: str) -> set[tuple[str, str]]:
    """Puts into every row of each text column the first of the names that it takes, each row's with an end of its own,
    where they must differ. Returns the columns that took one, as (table, column)."""
    took = set()
    for table, column, kind in owner.exec_driver_sql(_WRITABLE).all():
        value = "array[%s || ' ' || ctid]" if kind == "ARRAY" else "%s || ' ' || ctid"
        for name in names:
            with suppress(DBAPIError):
                owner.exec_driver_sql(f"update {table} set {column} = {value}", (name,))
                took.add((table, column))
                break
    return took
