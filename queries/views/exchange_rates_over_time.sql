-- One row per currency and stretch of days [first_day, next_day): the rate to the report currency that holds on them,
-- the latest on or before the day. The report currency itself has the rate 1 on every day.
create view analytics.exchange_rates_over_time with (security_invoker = true) as
select
  currency, rate_date as first_day,
  coalesce(lead(rate_date) over (partition by currency order by rate_date), date '2201-01-01') as next_day,
  rate
from public.crm_exchange_rates
union all
select report_currency, date '1900-01-01', date '2201-01-01', 1
from public.crm_settings;

comment on view analytics.exchange_rates_over_time is 'Which rate to the report currency holds on which days.';
