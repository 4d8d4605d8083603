"""The policies ask who is looking once a query, whatever the number of rows, and also where workers share the query."""

import pytest

from tests.schema.company import RULES, TABLES
from tests.schema.session import Session
from tests.tables import id_of

HELPERS = ("viewer_role", "sees_all", "is_admin", "team", "own_organizers")
MANY = 200


@pytest.fixture
def many(db: Session) -> Session:
    """So many rows of Rita's in each table that is read by row."""
    db.insert("crm_organizers", id="acme", company_name="Acme", assigned_to="rita")
    acme = id_of("acme")
    db.run("insert into crm_organizers (company_name, assigned_to) select 'Company', assigned_to from crm_organizers,"
           " generate_series(2, %s)", MANY)  # fmt: skip
    stage = db.one("select id from crm_pipeline_stages where name = 'Lead'")
    db.run("insert into crm_opportunities (organizer_id, stage_id, name, value, assigned_to)"
           " select id, %s, 'Gala', 1, assigned_to from crm_organizers", stage)  # fmt: skip
    for table, column, values in [("crm_contacts", "full_name, email", "'Cleo', 'cleo@client.example'"),
                                  ("crm_organizer_scores", "scored_on, engagement_score", "'2026-01-01', 1"),
                                  ("crm_organizer_health", "scored_on, health, observed_share", "'2026-01-01', 1, 1"),
                                  ("crm_activities", "user_id, type, subject, activity_date",
                                   "assigned_to, 'call', 'Call', now() - row_number() over () * interval '1 hour'"),
                                  ("crm_notes", "created_by, content", "assigned_to, 'Hello'"),
                                  ("events", "name", "'Expo'")]:  # fmt: skip
        db.run(f"insert into {table} (organizer_id, {column}) select id, {values} from crm_organizers")
    db.run("insert into crm_documents (organizer_id, uploaded_by, file_name, file_type, file_size, storage_path)"
           " select id, assigned_to, 'a', 'a', 1, id::text from crm_organizers")  # fmt: skip
    db.run("insert into crm_targets (user_id, period_start, amount)"
           " select assigned_to, date '1900-01-01' + number * interval '1 month', 1"
           " from crm_organizers, generate_series(1, %s) as number where id = %s", MANY, acme)  # fmt: skip
    db.run("insert into crm_saved_views (user_id, page, name, query) select assigned_to, 'pipeline', number::text, ''"
           " from crm_organizers, generate_series(1, %s) as number where id = %s", MANY, acme)  # fmt: skip
    db.run("insert into crm_drafts (user_id, form, base, given) select assigned_to, number::text, '{}', '{}'"
           " from crm_organizers, generate_series(1, %s) as number where id = %s", MANY, acme)  # fmt: skip
    db.run("insert into crm_submissions (key, user_id) select gen_random_uuid(), assigned_to"
           " from crm_organizers, generate_series(1, %s) where id = %s", MANY, acme)  # fmt: skip
    return db


# The other tables are the same for everybody, or as small as the company is
BY_ROW = [table for table in TABLES if table not in (
    "crm_pipeline_stages", "crm_stage_changes", "crm_stage_history", "crm_stage_stay_counts", "crm_activity_counts",
    "crm_email_templates", "crm_exchange_rates", "crm_profiles", "crm_user_roles", "crm_settings", "crm_audit",
    "crm_calibrations", "crm_calibration_overrides", "crm_forecast_adjustments", "crm_model_runs", "crm_refreshes",
    "crm_undone", "crm_file_removals", "crm_outbox",
)]  # fmt: skip


def _calls(db: Session) -> dict[str, int]:
    return {
        helper: db.one("select coalesce(pg_stat_get_xact_function_calls(to_regproc(%s)), 0)", f"app.{helper}")
        for helper in HELPERS
    }


@pytest.mark.parametrize(
    "query", ["select count(*) from {table}", "update {table} set {touch}"], ids=["select", "update"]
)
def test_a_helper_runs_once_a_query(many: Session, query: str) -> None:
    with many.superuser():
        many.run("set local track_functions = 'all'")
    counted = {}
    with many.acting("rita"):
        for table in BY_ROW:
            if "update" in query and "U" not in RULES[table, "rep"]:
                continue
            assert many.one(f"select count(*) from {table}") >= MANY
            before = _calls(many)
            many.run(query.format(table=table, touch=TABLES[table].touch))
            counted[table] = max(count - before[helper] for helper, count in _calls(many).items())
    # more often than once, because an update asks two policies, and a helper another; but nothing like once a row
    assert {table: count for table, count in counted.items() if not 0 < count < 50} == {}


def test_workers_may_share_a_query(many: Session) -> None:
    """In a parallel query PostgreSQL 15 begins no subtransaction, so no helper may catch an exception."""
    with many.superuser():
        for setting in ("min_parallel_table_scan_size = 0", "parallel_setup_cost = 0", "parallel_tuple_cost = 0",
                        "max_parallel_workers_per_gather = 2", "enable_indexonlyscan = off",
                        "enable_indexscan = off", "enable_bitmapscan = off"):  # fmt: skip
            many.run(f"set local {setting}")
        many.run("alter table crm_organizers set (parallel_workers = 2)")  # however few its pages are
        many.run("analyze crm_organizers")  # no plan of what other tests have left there
    with many.acting("rita"):
        plan = [row[0] for row in many.rows("explain select count(*) from crm_organizers")]
        assert any("Gather" in line for line in plan), "\n".join(plan)
        for table in BY_ROW:
            assert many.one(f"select count(*) from {table}") >= MANY


# What the pages ask, and the index that answers it with all that the policy asks too.
ANSWERED_ALONE = {
    "idx_organizers_accounts": "select id, company_name, industry, company_size, lead_source from crm_organizers"
    " where status <> 'archived' and assigned_to = any (%s)",
    "idx_contacts_reach": "select id, is_decision_maker, created_at from crm_contacts"
    " where organizer_id in (select id from crm_organizers where assigned_to = any (%s))",
    "idx_organizer_scores_day": "select organizer_id, health_score, churn_risk, churn_probability, observed_share,"
    " engagement_score from crm_organizer_scores where scored_on = '2026-01-01' and %s is not null",
    "idx_activities_done_by": "select organizer_id, contact_id, happens_at, known_at from analytics.activities"
    " where user_id = any (%s) and happens_at > now() - interval '90 days'",
    "idx_activities_happened": "select contact_id, happens_at, known_at from analytics.activities"
    " where happens_at > now() and organizer_id in (select id from crm_organizers where assigned_to = any (%s))",
    "idx_activities_pending": "select organizer_id, opportunity_id, due_at, created_at from analytics.tasks"
    " where status = 'pending' and user_id = any (%s)",
}


@pytest.mark.parametrize("index", ANSWERED_ALONE)
def test_an_index_answers_alone_under_the_policy(many: Session, index: str) -> None:
    """Without a column of the policy in it, every row that it finds would have to be read."""
    many.use_only(index)
    with many.acting("rita"):
        plan = "\n".join(row[0] for row in many.rows(f"explain {ANSWERED_ALONE[index]}", [id_of("rita")]))
    assert f"Index Only Scan using {index} " in plan, plan
