-- One row per version of an opportunity during which it was open. The versions that hold at a moment M are those with
-- valid_from < M and (valid_to is null or valid_to >= M); those without valid_to hold now.
-- Open comes from the status only, never from a probability of 0 or 100.
create view analytics.open_opportunities with (security_invoker = true) as
select
  opportunity_id, seq, valid_from, valid_to, organizer_id, assigned_to,
  stage_id,          -- null: unknown, before the first history that an import brought
  stage_entered_at,
  value, currency,
  probability,       -- percent; null with an unknown stage
  probability_source,
  expected_close_date, created_at
from public.crm_opportunity_history
where status = 'open' and not is_deleted;

comment on view analytics.open_opportunities is 'Versions of opportunities while they were open; without valid_to: open now.';
