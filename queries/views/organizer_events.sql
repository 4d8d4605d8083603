-- One row per event of an organizer, whether it has a row in the events or is only told of in its event_history; where
-- both know it, by its id, they are one.
create view analytics.organizer_events with (security_invoker = true) as
select
  event.organizer_id, event.event_id::text as event_id, event.name, event.event_date, event.venue, event.attendance,
  told.revenue, told.satisfaction
from analytics.known_events as event
left join lateral (
  select answer.revenue, answer.satisfaction from analytics.event_answers as answer
  where answer.organizer_id = event.organizer_id and answer.event_id = event.event_id::text
  limit 1
) as told on true
union all
select answer.organizer_id, answer.event_id, null, answer.event_date, null, null, answer.revenue, answer.satisfaction
from analytics.event_answers as answer
where not exists (
  select from analytics.known_events as event
  where event.organizer_id = answer.organizer_id and event.event_id::text = answer.event_id);

comment on view analytics.organizer_events is 'Events of organizers with what they brought and how content they were.';
