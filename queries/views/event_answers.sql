-- One row per entry of an organizer's event_history that says a day: what the event brought and how content they were.
-- The history is JSON of any shape; what is no day, amount or answer from 1 to 5 is missing here.
create view analytics.event_answers with (security_invoker = true) as
select
  organizer.id as organizer_id,
  entry.value ->> 'event_id' as event_id,  -- a text as it was written: not every history names rows of ours
  app.day_of(entry.value ->> 'event_date') as event_date,
  case when jsonb_typeof(entry.value -> 'revenue') = 'number'
    and (entry.value ->> 'revenue')::numeric between 0 and 9999999999999999
    then round((entry.value ->> 'revenue')::numeric, 2) end as revenue,
  case when jsonb_typeof(entry.value -> 'satisfaction') = 'number'
    and (entry.value ->> 'satisfaction')::numeric between 1 and 5
    then (entry.value ->> 'satisfaction')::numeric end as satisfaction
from public.crm_organizers as organizer
cross join lateral jsonb_array_elements(organizer.event_history) as entry (value)
where jsonb_typeof(entry.value) = 'object' and app.day_of(entry.value ->> 'event_date') is not null;

comment on view analytics.event_answers is 'Past events as organizers'' event_history tells them.';
