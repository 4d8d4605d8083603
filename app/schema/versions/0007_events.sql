-- Events that organizers hold. Created only where the platform has no such table; one that is there is left alone.

do $$
begin
  if to_regclass('public.events') is null then
    create table public.events (
      id uuid primary key default gen_random_uuid(),
      organizer_id uuid references public.crm_organizers (id) on delete cascade,
      name text not null check (app.is_line(name)),
      event_date date check (app.is_day(event_date)),
      venue text check (app.is_line(venue)),
      attendance integer check (attendance >= 0),
      created_at timestamptz not null default now() check (app.is_moment(created_at))
    );
    comment on table public.events is 'An event of an organizer, past or planned.';
    create index idx_events_organizer on public.events (organizer_id, event_date);
    call app.track('public.events', 'id', '');

    call app.protect('public.events');
    grant select, delete, insert (id, organizer_id, name, event_date, venue, attendance),
      update (name, event_date, venue, attendance) on public.events to authenticated;
    create policy events_select on public.events for select to authenticated
      using ((select app.sees_all()) or organizer_id in (select app.own_organizers()));
    create policy events_insert on public.events for insert to authenticated
      with check ((select app.is_admin()) or organizer_id in (select app.own_organizers()));
    create policy events_update on public.events for update to authenticated
      using ((select app.is_admin()) or organizer_id in (select app.own_organizers()))
      with check ((select app.is_admin()) or organizer_id in (select app.own_organizers()));
    create policy events_delete on public.events for delete to authenticated
      using ((select app.is_admin()));
  end if;
end $$;
