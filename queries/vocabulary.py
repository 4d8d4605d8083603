"""The views and the tables that questions read, typed; a test holds each against the catalogue."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Integer, Numeric, Text, Uuid
from sqlalchemy.dialects import postgresql

Moment = postgresql.TIMESTAMP(timezone=True)
Money = Numeric(18, 2)
Json = postgresql.JSONB
catalogue = sa.MetaData()


class Change(sa.types.UserDefinedType[int]):
    """The number of a transaction, as the audit keeps it: an int here."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        """PostgreSQL's type."""
        return "xid8"

    def bind_expression(self, bindvalue: sa.BindParameter[int]) -> sa.ColumnElement[int]:
        """As text: the driver has no other way to write one."""
        return sa.cast(sa.cast(sa.type_coerce(bindvalue, BigInteger), Text), self)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:  # noqa: ARG002  (as SQLAlchemy calls it)
        """An int, whatever the driver reads."""
        return lambda value: None if value is None else int(value)


open_opportunities = sa.Table(
    "open_opportunities",
    catalogue,
    Column("opportunity_id", Uuid),
    Column("seq", Integer),
    Column("valid_from", Moment),
    Column("valid_to", Moment),
    Column("organizer_id", Uuid),
    Column("assigned_to", Uuid),
    Column("stage_id", Uuid),
    Column("stage_entered_at", Moment),
    Column("value", Money),
    Column("currency", Text),
    Column("probability", Integer),
    Column("probability_source", Text),
    Column("expected_close_date", Date),
    Column("created_at", Moment),
    schema="analytics",
)

closed_opportunities = sa.Table(
    "closed_opportunities",
    catalogue,
    Column("opportunity_id", Uuid),
    Column("valid_from", Moment),
    Column("valid_to", Moment),
    Column("organizer_id", Uuid),
    Column("assigned_to", Uuid),
    Column("value", Money),
    Column("currency", Text),
    Column("outcome", Text),
    Column("closed_on", Date),
    Column("created_at", Moment),
    schema="analytics",
)

stage_stays = sa.Table(
    "stage_stays",
    catalogue,
    Column("opportunity_id", Uuid),
    Column("organizer_id", Uuid),
    Column("assigned_to", Uuid),
    Column("stage_id", Uuid),
    Column("entered_at", Moment),
    Column("left_at", Moment),
    Column("days", Integer),
    Column("next_stage_id", Uuid),
    schema="analytics",
)

stages_over_time = sa.Table(
    "stages_over_time",
    catalogue,
    Column("stage_id", Uuid),
    Column("valid_from", Moment),
    Column("valid_to", Moment),
    Column("name", Text),
    Column("order_index", Integer),
    Column("color", Text),
    Column("is_active", Boolean),
    Column("is_closed", Boolean),
    Column("is_won", Boolean),
    Column("default_probability", Integer),
    schema="analytics",
)

done_activities = sa.Table(
    "activities",
    catalogue,
    Column("activity_id", Uuid),
    Column("organizer_id", Uuid),
    Column("contact_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("user_id", Uuid),
    Column("type", Text),
    Column("subject", Text),
    Column("duration_minutes", Integer),
    Column("happens_at", Moment),
    Column("known_at", Moment),
    schema="analytics",
)

activity_counts = sa.Table(
    "activity_counts",
    catalogue,
    Column("quarter_hour", Moment),
    Column("type", Text),
    Column("activities", Integer),
    schema="analytics",
)

activity_counts_by_person = sa.Table(
    "crm_activity_counts_by_person",
    catalogue,
    Column("user_id", Uuid),
    Column("quarter_hour", Moment),
    Column("type", Text),
    Column("activities", Integer),
)

organizer_engagement = sa.Table(
    "organizer_engagement",
    catalogue,
    Column("organizer_id", Uuid),
    Column("activities", BigInteger),
    Column("score", Integer),
    schema="analytics",
)

organizer_scores = sa.Table(
    "crm_organizer_scores",
    catalogue,
    Column("organizer_id", Uuid),
    Column("scored_on", Date),
    Column("engagement_score", Integer),
    Column("health_score", Integer),
    Column("churn_risk", Text),
    Column("churn_probability", Double),
    Column("observed_share", Double),
    Column("parts", Json),
)

organizer_health = sa.Table(
    "crm_organizer_health",
    catalogue,
    Column("organizer_id", Uuid),
    Column("scored_on", Date),
    Column("health", Numeric(4, 1)),
    Column("observed_share", Double),
    Column("churn_probability", Double),
    Column("first_seen_on", Date),
    Column("last_seen_on", Date),
    Column("usual_gap_days", Double),
    Column("runs_out_on", Date),
    Column("churned_on", Date),
    Column("parts", Json),
    Column("why", Json),
)

model_runs = sa.Table(
    "crm_model_runs",
    catalogue,
    Column("model", Text),
    Column("as_of", Date),
    Column("made_at", Moment),
    Column("n", Integer),
    Column("events", Integer),
    Column("cutoffs", postgresql.ARRAY(Date)),
    Column("held_out", postgresql.ARRAY(Date)),
    Column("base_rate", Double),
    Column("auc", Double),
    Column("brier", Double),
    Column("brier_base", Double),
    Column("curve", Json),
    Column("effects", Json),
    Column("reason", Text),
)

refreshes = sa.Table(
    "crm_refreshes",
    catalogue,
    Column("refreshed_on", Date),
    Column("finished_at", Moment),
)

events = sa.Table(
    "known_events",
    catalogue,
    Column("organizer_id", Uuid),
    Column("event_id", Uuid),
    Column("name", Text),
    Column("event_date", Date),
    Column("venue", Text),
    Column("attendance", Integer),
    schema="analytics",
)

event_answers = sa.Table(
    "event_answers",
    catalogue,
    Column("organizer_id", Uuid),
    Column("event_id", Text),
    Column("event_date", Date),
    Column("revenue", Numeric),
    Column("satisfaction", Numeric),
    schema="analytics",
)

organizer_events = sa.Table(
    "organizer_events",
    catalogue,
    Column("organizer_id", Uuid),
    Column("event_id", Text),
    Column("name", Text),
    Column("event_date", Date),
    Column("venue", Text),
    Column("attendance", Integer),
    Column("revenue", Numeric),
    Column("satisfaction", Numeric),
    schema="analytics",
)

tasks = sa.Table(
    "tasks",
    catalogue,
    Column("task_id", Uuid),
    Column("organizer_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("user_id", Uuid),
    Column("subject", Text),
    Column("status", Text),
    Column("due_at", Moment),
    Column("completed_at", Moment),
    Column("created_at", Moment),
    Column("version", Integer),
    schema="analytics",
)

data_problems = sa.Table(
    "data_problems",
    catalogue,
    Column("problem", Text),
    Column("table_name", Text),
    Column("record_id", Uuid),
    Column("record", Text),
    Column("organizer_id", Uuid),
    Column("owner_id", Uuid),
    Column("detail", Text),
    Column("first_day", Date),
    Column("next_day", Date),
    schema="analytics",
)

contacts = sa.Table(
    "crm_contacts",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("full_name", Text),
    Column("title", Text),
    Column("department", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("mobile", Text),
    Column("linkedin_url", Text),
    Column("is_primary", Boolean),
    Column("is_decision_maker", Boolean),
    Column("vip_status", Boolean),
    Column("influence_level", Text),
    Column("communication_preference", Text),
    Column("timezone", Text),
    Column("language", Text),
    Column("notes", Text),
    Column("tags", postgresql.ARRAY(Text)),
    Column("last_contact_date", Moment),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("version", Integer),
)

notes = sa.Table(
    "crm_notes",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("contact_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("title", Text),
    Column("content", Text),
    Column("is_pinned", Boolean),
    Column("tags", postgresql.ARRAY(Text)),
    Column("created_by", Uuid),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("version", Integer),
)

documents = sa.Table(
    "crm_documents",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("file_name", Text),
    Column("file_type", Text),
    Column("file_size", BigInteger),
    Column("storage_path", Text),
    Column("document_type", Text),
    Column("version", Integer),
    Column("is_signed", Boolean),
    Column("signed_at", Moment),
    Column("signed_by", Uuid),
    Column("uploaded_by", Uuid),
    Column("created_at", Moment),
    Column("row_version", Integer),
)

file_removals = sa.Table(
    "crm_file_removals",
    catalogue,
    Column("storage_path", Text),
    Column("keep_until", Moment),
    Column("given_up_at", Moment),
    Column("removed_at", Moment),
)

email_templates = sa.Table(
    "crm_email_templates",
    catalogue,
    Column("id", Uuid),
    Column("name", Text),
    Column("description", Text),
    Column("subject", Text),
    Column("body_html", Text),
    Column("body_text", Text),
    Column("category", Text),
    Column("variables", Json),
    Column("is_active", Boolean),
    Column("created_by", Uuid),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("version", Integer),
)

# What the questions read of these is `events`, the view: a platform's own table may lack columns.
event_records = sa.Table(
    "events",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("name", Text),
    Column("event_date", Date),
    Column("venue", Text),
    Column("attendance", Integer),
    Column("created_at", Moment),
)

exchange_rates_over_time = sa.Table(
    "exchange_rates_over_time",
    catalogue,
    Column("currency", Text),
    Column("first_day", Date),
    Column("next_day", Date),
    Column("rate", Numeric),
    schema="analytics",
)

exchange_rates_between = sa.func.analytics.exchange_rates_between
normal_stage_ages = sa.func.app.normal_stage_ages
quarter_hour = sa.func.app.quarter_hour
merge_organizers = sa.func.app.merge_organizers
withdraw_activity = sa.func.app.withdraw_activity
new_file = sa.func.app.new_file
pipeline_movements = sa.func.analytics.pipeline_movements

organizers = sa.Table(
    "crm_organizers",
    catalogue,
    Column("id", Uuid),
    Column("company_name", Text),
    Column("industry", Text),
    Column("company_size", Text),
    Column("website", Text),
    Column("status", Text),
    Column("lead_source", Text),
    Column("primary_email", Text),
    Column("primary_phone", Text),
    Column("address", Json),
    Column("annual_events", Integer),
    Column("total_revenue", Money),
    Column("lifetime_value", Money),
    Column("engagement_score", Integer),
    Column("health_score", Integer),
    Column("churn_risk", Text),
    Column("event_history", Json),
    Column("tags", postgresql.ARRAY(Text)),
    Column("assigned_to", Uuid),
    Column("created_by", Uuid),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("last_activity_at", Moment),
    Column("scored_at", Moment),
    Column("version", Integer),
)

opportunities = sa.Table(
    "crm_opportunities",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("event_id", Uuid),
    Column("stage_id", Uuid),
    Column("name", Text),
    Column("description", Text),
    Column("value", Money),
    Column("currency", Text),
    Column("probability", Integer),
    Column("probability_source", Text),
    Column("probability_set_by", Uuid),
    Column("probability_set_at", Moment),
    Column("probability_reason", Text),
    Column("expected_revenue", Money),
    Column("expected_close_date", Date),
    Column("actual_close_date", Date),
    Column("status", Text),
    Column("loss_reason", Text),
    Column("assigned_to", Uuid),
    Column("ai_score", Integer),
    Column("ai_insights", Json),
    Column("scored_at", Moment),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("last_stage_change_at", Moment),
    Column("version", Integer),
)

opportunity_history = sa.Table(
    "crm_opportunity_history",
    catalogue,
    Column("opportunity_id", Uuid),
    Column("seq", Integer),
    Column("valid_from", Moment),
    Column("valid_to", Moment),
    Column("organizer_id", Uuid),
    Column("stage_id", Uuid),
    Column("stage_entered_at", Moment),
    Column("value", Money),
    Column("currency", Text),
    Column("probability", Integer),
    Column("probability_source", Text),
    Column("expected_close_date", Date),
    Column("actual_close_date", Date),
    Column("assigned_to", Uuid),
    Column("status", Text),
    Column("created_at", Moment),
    Column("is_deleted", Boolean),
    Column("changed_by", Uuid),
)

activities = sa.Table(
    "crm_activities",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("contact_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("event_id", Uuid),
    Column("type", Text),
    Column("subject", Text),
    Column("description", Text),
    Column("activity_date", Moment),
    Column("duration_minutes", Integer),
    Column("is_task", Boolean),
    Column("task_status", Text),
    Column("due_date", Moment),
    Column("completed_at", Moment),
    Column("user_id", Uuid),
    Column("metadata", Json),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("version", Integer),
)

profiles = sa.Table(
    "crm_profiles",
    catalogue,
    Column("user_id", Uuid),
    Column("full_name", Text),
    Column("manager_id", Uuid),
    Column("is_active", Boolean),
)

settings = sa.Table(
    "crm_settings",
    catalogue,
    Column("report_currency", Text),
    Column("time_zone", Text),
    Column("fiscal_year_first_month", Integer),
    Column("commit_from", Integer),
    Column("best_case_from", Integer),
    Column("automatic_actions", Boolean),
)

targets = sa.Table(
    "crm_targets",
    catalogue,
    Column("id", Uuid),
    Column("user_id", Uuid),
    Column("period_start", Date),
    Column("amount", Money),
    Column("currency", Text),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("version", Integer),
)

calibrations = sa.Table(
    "crm_calibrations",
    catalogue,
    Column("as_of", Date),
    Column("made_at", Moment),
    Column("history_from", Date),
    Column("stages", postgresql.JSONB),
    Column("reliability", postgresql.JSONB),
    Column("scores", postgresql.JSONB),
    Column("fitted", Text),
)

calibration_overrides = sa.Table(
    "crm_calibration_overrides",
    catalogue,
    Column("as_of", Date),
    Column("owner_id", Uuid),
    Column("n", Integer),
    Column("brier_override", Double),
    Column("brier_stage", Double),
    Column("saved", Double),
    Column("low", Double),
    Column("high", Double),
    Column("reason", Text),
)

forecast_adjustments = sa.Table(
    "crm_forecast_adjustments",
    catalogue,
    Column("id", Uuid),
    Column("author_id", Uuid),
    Column("owner_id", Uuid),
    Column("period_start", Date),
    Column("period_end", Date),
    Column("amount", Money),
    Column("currency", Text),
    Column("reason", Text),
    Column("created_at", Moment),
    Column("withdrawn_at", Moment),
    Column("version", Integer),
)

audit = sa.Table(
    "crm_audit",
    catalogue,
    Column("id", BigInteger),
    Column("occurred_at", Moment),
    Column("table_name", Text),
    Column("record_id", Uuid),
    Column("verb", Text),
    Column("old", postgresql.JSONB),
    Column("new", postgresql.JSONB),
    Column("actor", Uuid),
    Column("login", Text),
    Column("transaction_id", Change),
    Column("reason", Text),
)

record_names = sa.Table(
    "record_names",
    catalogue,
    Column("table_name", Text),
    Column("record_id", Uuid),
    Column("name", Text),
    schema="analytics",
)

undone = sa.Table(
    "crm_undone",
    catalogue,
    Column("change", Change),
    Column("undone_by", Change),
)

submissions = sa.Table(
    "crm_submissions",
    catalogue,
    Column("key", Uuid),
    Column("user_id", Uuid),
    Column("change", Change),
    Column("result", Json),
    Column("made_at", Moment),
)

drafts = sa.Table(
    "crm_drafts",
    catalogue,
    Column("user_id", Uuid),
    Column("form", Text),
    Column("base", Json),
    Column("given", Json),
    Column("saved_at", Moment),
)

outbox = sa.Table(
    "crm_outbox",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("contact_id", Uuid),
    Column("stage_id", Uuid),
    Column("template_id", Uuid),
    Column("template_name", Text),
    Column("recipient", Text),
    Column("subject", Text),
    Column("body_text", Text),
    Column("body_html", Text),
    Column("status", Text),
    Column("problem", Text),
    Column("attempts", Integer),
    Column("next_attempt_at", Moment),
    Column("created_by", Uuid),
    Column("queued_at", Moment),
    Column("sent_at", Moment),
    Column("version", Integer),
)
