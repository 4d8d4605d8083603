-- Activities and tasks, and what follows from them: engagement, last activity, last contact.

create table public.crm_activities (
  id uuid primary key default gen_random_uuid(),
  organizer_id uuid references public.crm_organizers (id) on delete cascade,
  contact_id uuid,
  opportunity_id uuid,
  event_id uuid references public.events (id) on delete set null,
  type text not null check (type in ('call', 'email', 'meeting', 'note', 'task', 'event')),
  subject text not null check (app.is_line(subject, 300)),
  description text check (app.is_text(description, 20000)),
  activity_date timestamptz not null default now() check (app.is_moment(activity_date)),
  duration_minutes integer check (duration_minutes between 0 and 100000),
  is_task boolean not null default false,
  task_status text check (task_status in ('pending', 'completed', 'cancelled')),
  due_date timestamptz check (app.is_moment(due_date)),
  completed_at timestamptz check (app.is_moment(completed_at)),
  user_id uuid not null default app.actor_id() references auth.users (id),
  metadata jsonb not null default '{}' check (app.is_object(metadata)),
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  check (num_nonnulls(organizer_id, contact_id, opportunity_id) > 0),
  check (is_task = (type = 'task')),
  check (is_task = (task_status is not null)),
  check (is_task or due_date is null),
  check ((completed_at is not null) = (task_status is not null and task_status = 'completed')),
  -- A contact's or an opportunity's organizer is the activity's: otherwise it would count for two companies. Deferrable,
  -- so that a merge can move all of them. A contact's removal keeps colleagues' activities (the document cascades).
  foreign key (contact_id, organizer_id) references public.crm_contacts (id, organizer_id)
    on update cascade on delete set null (contact_id) deferrable,
  foreign key (opportunity_id, organizer_id) references public.crm_opportunities (id, organizer_id)
    on update cascade on delete cascade deferrable
);
comment on table public.crm_activities is 'What somebody did or is to do with an organizer. One in the future is scheduled, a pending task not yet done, a cancelled one never.';
comment on column public.crm_activities.metadata is '{email_id, calendar_event_id, …}';
comment on column public.crm_activities.completed_at is 'When the task was completed; kept by trigger.';
create index idx_activities_organizer on public.crm_activities (organizer_id);
create index idx_activities_contact on public.crm_activities (contact_id);
create index idx_activities_opportunity on public.crm_activities (opportunity_id);
create index idx_activities_event on public.crm_activities (event_id);
create index idx_activities_type on public.crm_activities (type);
create index idx_activities_user on public.crm_activities (user_id);
create index idx_activities_date on public.crm_activities (activity_date desc);
create index idx_activities_tasks on public.crm_activities (is_task, task_status) where is_task = true;
create index idx_activities_search on public.crm_activities
  using gin (to_tsvector('simple', app.fold(subject || ' ' || coalesce(description, ''))));
create index idx_activities_metadata on public.crm_activities using gin (metadata jsonb_path_ops);

create function app.fill_organizer() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if new.organizer_id is null and new.opportunity_id is not null then
    select organizer_id into new.organizer_id from public.crm_opportunities where id = new.opportunity_id;
  end if;
  if new.organizer_id is null and to_jsonb(new) ->> 'contact_id' is not null then  -- documents have no contact
    select organizer_id into new.organizer_id from public.crm_contacts where id = (to_jsonb(new) ->> 'contact_id')::pg_catalog.uuid;
  end if;
  return new;
end $$;
comment on function app.fill_organizer is 'What hangs on a contact or an opportunity hangs on its organizer.';
create trigger fill_organizer before insert or update on public.crm_activities
  for each row execute function app.fill_organizer();

create function app.settle_task() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if new.task_status = 'completed' then
    new.completed_at := coalesce(new.completed_at, app.effective_time());
  else
    new.completed_at := null;
  end if;
  return new;
end $$;
create trigger settle_task before insert or update on public.crm_activities
  for each row execute function app.settle_task();

create function app.engagement_score(recent bigint, latest timestamptz, at timestamptz) returns integer
language sql immutable parallel safe
return case when latest is null then 0 else greatest(0, least(100,
  least(100, 10 * recent) - least(50, 2 * floor(extract(epoch from at - latest) / 86400))))::integer end;
comment on function app.engagement_score is 'The schema document''s rule, made safe: 10 points for each activity of the last 30 days, at most 100, less 2 for each day since the last one, at most 50. Only what has happened counts, so the result stays within 0 and 100.';

-- What has happened: the rows that engagement counts, and the index that answers for one organizer.
create index idx_activities_happened on public.crm_activities (organizer_id, activity_date)
  where task_status is null or task_status = 'completed';

create function app.update_engagement(organizers uuid[], contacts uuid[]) returns void
language sql security definer set search_path = ''
begin atomic
  update public.crm_organizers as organizer
  set engagement_score = app.engagement_score(happened.recent, happened.latest, moment.at),
    last_activity_at = happened.latest
  from (select app.effective_time() as at) as moment,
    lateral (
      select count(*) filter (where activity.activity_date > moment.at - interval '720 hours') as recent,
        max(activity.activity_date) as latest, target.id
      from unnest(organizers) as target (id)
      left join public.crm_activities as activity on activity.organizer_id = target.id
        and activity.activity_date <= moment.at
        and (activity.task_status is null or activity.task_status = 'completed')
      group by target.id
    ) as happened
  where organizer.id = happened.id
    and (organizer.engagement_score, organizer.last_activity_at)
      is distinct from (app.engagement_score(happened.recent, happened.latest, moment.at), happened.latest);
  update public.crm_contacts as contact
  set last_contact_date = happened.latest
  from (
    select target.id, max(activity.activity_date) as latest
    from unnest(contacts) as target (id)
    left join public.crm_activities as activity on activity.contact_id = target.id
      and activity.activity_date <= app.effective_time()
      and (activity.task_status is null or activity.task_status = 'completed')
    group by target.id
  ) as happened
  where contact.id = happened.id and contact.last_contact_date is distinct from happened.latest;
end;
comment on function app.update_engagement is 'Writes the stored engagement, last activity and last contact of these organizers and contacts as of now.';

-- Once a statement over the rows it changed, with the owner's rights: under the acting rep's own rights colleagues'
-- activities would not count, and the score would say who last pressed Save.
create function app.engage() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform app.update_engagement(array_agg(distinct organizer_id), array_agg(distinct contact_id)) from after_change;
  elsif tg_op = 'DELETE' then
    perform app.update_engagement(array_agg(distinct organizer_id), array_agg(distinct contact_id)) from before_change;
  else
    perform app.update_engagement(array_agg(distinct organizer_id), array_agg(distinct contact_id))
    from (select organizer_id, contact_id from before_change union select organizer_id, contact_id from after_change) as changed;
  end if;
  return null;
end $$;
revoke execute on all routines in schema app from public;
create trigger engage_insert after insert on public.crm_activities
  referencing new table as after_change for each statement execute function app.engage();
create trigger engage_update after update on public.crm_activities
  referencing old table as before_change new table as after_change for each statement execute function app.engage();
create trigger engage_delete after delete on public.crm_activities
  referencing old table as before_change for each statement execute function app.engage();

create trigger update_activities_updated_at before update on public.crm_activities
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_activities');

call app.protect('public.crm_activities');
grant select, delete,
  insert (id, organizer_id, contact_id, opportunity_id, event_id, type, subject, description, activity_date,
    duration_minutes, is_task, task_status, due_date, user_id, metadata),
  update (organizer_id, contact_id, opportunity_id, event_id, type, subject, description, activity_date,
    duration_minutes, is_task, task_status, due_date, metadata)
  on public.crm_activities to authenticated;
create policy activities_select on public.crm_activities for select to authenticated
  using ((select app.sees_all()) or user_id = any ((select app.team())::uuid[])
    or organizer_id in (select app.own_organizers()));
create policy activities_insert on public.crm_activities for insert to authenticated
  with check ((select app.is_admin())
    or user_id = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
create policy activities_update on public.crm_activities for update to authenticated
  using ((select app.is_admin()) or user_id = (select app.viewer_id()) and (select app.viewer_role()) in ('rep', 'manager'))
  with check ((select app.is_admin())
    or user_id = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
create policy activities_delete on public.crm_activities for delete to authenticated
  using ((select app.is_admin()));
