-- One row per event of an organizer, past or planned. A platform's own table of events may know neither organizers nor
-- days; then none of its rows is one of ours.
do $$
begin
  if (select count(*) = 6 from pg_attribute where attrelid = 'public.events'::regclass and not attisdropped
      and attname in ('id', 'organizer_id', 'name', 'event_date', 'venue', 'attendance')) then
    create view analytics.known_events with (security_invoker = true) as
    select organizer_id, id as event_id, name, event_date, venue, attendance from public.events
    where organizer_id is not null;
  else
    create view analytics.known_events with (security_invoker = true) as
    select null::uuid as organizer_id, id as event_id, null::text as name, null::date as event_date, null::text as venue,
      null::integer as attendance
    from public.events where false;
  end if;
end $$;

comment on view analytics.known_events is 'Events of organizers, past and planned.';
