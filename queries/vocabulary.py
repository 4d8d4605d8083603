"""The views and the tables that questions read, typed; a test holds each against the catalogue."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Integer, Numeric, Text, Uuid
from sqlalchemy.dialects import postgresql

Moment = postgresql.TIMESTAMP(timezone=True)
Money = Numeric(18, 2)
catalogue = sa.MetaData()

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
pipeline_movements = sa.func.analytics.pipeline_movements

organizers = sa.Table(
    "crm_organizers",
    catalogue,
    Column("id", Uuid),
    Column("company_name", Text),
    Column("industry", Text),
    Column("company_size", Text),
    Column("lead_source", Text),
    Column("assigned_to", Uuid),
)

opportunities = sa.Table(
    "crm_opportunities",
    catalogue,
    Column("id", Uuid),
    Column("organizer_id", Uuid),
    Column("name", Text),
    Column("stage_id", Uuid),
    Column("status", Text),
    Column("probability", Integer),
    Column("probability_source", Text),
    Column("probability_reason", Text),
)

opportunity_history = sa.Table(
    "crm_opportunity_history",
    catalogue,
    Column("opportunity_id", Uuid),
    Column("seq", Integer),
    Column("valid_from", Moment),
    Column("valid_to", Moment),
    Column("stage_id", Uuid),
    Column("stage_entered_at", Moment),
    Column("probability", Integer),
    Column("probability_source", Text),
    Column("expected_close_date", Date),
    Column("actual_close_date", Date),
    Column("assigned_to", Uuid),
    Column("status", Text),
    Column("created_at", Moment),
    Column("is_deleted", Boolean),
)

activities = sa.Table(
    "crm_activities",
    catalogue,
    Column("organizer_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("activity_date", Moment),
    Column("task_status", Text),
    Column("completed_at", Moment),
    Column("created_at", Moment),
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
)

targets = sa.Table(
    "crm_targets",
    catalogue,
    Column("user_id", Uuid),
    Column("period_start", Date),
    Column("amount", Money),
    Column("currency", Text),
    Column("created_at", Moment),
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
    Column("new", postgresql.JSONB),
    Column("actor", Uuid),
)
