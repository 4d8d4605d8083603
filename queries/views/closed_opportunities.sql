-- One row per version of an opportunity during which it was won, lost or abandoned; which versions hold at a moment is
-- said in open_opportunities. closed_on decides the period and the exchange rate.
create view analytics.closed_opportunities with (security_invoker = true) as
select
  opportunity_id, valid_from, valid_to, organizer_id, assigned_to, value, currency,
  status as outcome, -- won, lost, or abandoned: closed without a decision, in neither part of a win rate
  actual_close_date as closed_on,
  created_at
from public.crm_opportunity_history
where status <> 'open' and not is_deleted;

comment on view analytics.closed_opportunities is 'Versions of opportunities while they were won, lost or abandoned; without valid_to: so now.';
