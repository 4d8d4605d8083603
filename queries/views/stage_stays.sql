-- One row per uninterrupted stay of an opportunity in a stage that has ended: by a move to another stage, won and lost
-- among them. Days are calendar days in the organisation's time zone. A stay that goes on is in open_opportunities.
create view analytics.stage_stays with (security_invoker = true) as
select
  opportunity_id, organizer_id, assigned_to, stage_id,
  stage_entered_at as entered_at,
  valid_to as left_at,
  (valid_to at time zone zone.name)::date - (stage_entered_at at time zone zone.name)::date as days,
  next_stage_id
from public.crm_opportunity_history
cross join (select app.organisation_time_zone() as name) as zone
where next_stage_id is not null and stage_entered_at is not null;

comment on view analytics.stage_stays is 'Stays of opportunities in a stage that have ended.';
