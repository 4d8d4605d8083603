-- One row per version of a stage. Before its first version a stage counts as it first was.
create view analytics.stages_over_time with (security_invoker = true) as
select
  stage_id,
  case when seq = 1 then timestamptz '1900-01-01 00:00+00' else valid_from end as valid_from,
  valid_to, name, order_index, color, is_active, is_closed, is_won, default_probability
from public.crm_stage_history
where not is_deleted;

comment on view analytics.stages_over_time is 'Stages as they stood at each moment.';
