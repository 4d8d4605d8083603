-- How many activities there were in each quarter of an hour: when a company is in touch is asked over all of them, and
-- millions take seconds to read. Kept in the transaction that changes an activity, so the counts are always exact.
-- Quarters of an hour, because time zones differ by them: from UTC's, the hours and days of every zone can be put
-- together. Pending and cancelled tasks are no activities; those of the future are counted where they will be, and a
-- question leaves them out until then.

-- By person, at the grain that the policy of crm_activities needs: who did it, and whose the organizer is.
create table public.crm_activity_counts_by_person (
  user_id uuid not null,
  assigned_to uuid,
  quarter_hour timestamptz not null,
  type text not null,
  activities integer not null
);
comment on table public.crm_activity_counts_by_person is 'Number of activities per person, owner of the organizer, quarter of an hour and type. Zero where there were some once.';
comment on column public.crm_activity_counts_by_person.assigned_to is 'Whose the organizer is now; null: nobody''s.';
create unique index idx_activity_counts_by_person on public.crm_activity_counts_by_person (user_id, quarter_hour, type, assigned_to)
  nulls not distinct;
create index idx_activity_counts_by_person_assigned on public.crm_activity_counts_by_person (assigned_to, quarter_hour);

-- Of the whole company, for those who see all of it: many people's activities fall into one quarter of an hour.
create table public.crm_activity_counts (
  quarter_hour timestamptz not null,
  type text not null,
  activities integer not null,
  primary key (quarter_hour, type)
);
comment on table public.crm_activity_counts is 'Number of activities of the whole company per quarter of an hour and type. Zero where there were some once.';

-- What was done lately, with what the policy asks: for the questions that count organizers and contacts, not activities.
create index idx_activities_happened_at on public.crm_activities (activity_date)
  include (organizer_id, user_id, contact_id, type, created_at, completed_at)
  where task_status is null or task_status = 'completed';

-- What was completed when, and whether in time.
create index idx_activities_completed on public.crm_activities (completed_at)
  include (organizer_id, user_id, due_date, activity_date)
  where task_status = 'completed';

create function app.quarter_hour(moment timestamptz) returns timestamptz
language sql immutable parallel safe
return date_bin('15 minutes', moment, timestamptz '2000-01-01 00:00+00');
comment on function app.quarter_hour is 'The beginning of the quarter of an hour that holds the moment.';

create function app.change_activity_counts(
  moments timestamptz[], types text[], people uuid[], organizers uuid[], changes integer[]) returns void
language sql security definer set search_path = ''
begin atomic
  -- Nobody hands an organizer over between reading whose it is and counting there. In one order, here and below, so that
  -- two transactions do not wait for each other; and at once as the update of its engagement will lock it.
  select organizer.id from public.crm_organizers as organizer
  where organizer.id = any (organizers)
  order by organizer.id for no key update;
  with changed as (
    select activity.user_id, organizer.assigned_to, app.quarter_hour(activity.moment) as quarter_hour, activity.type,
      sum(activity.change)::integer as change
    from unnest(moments, types, people, organizers, changes) as activity (moment, type, user_id, organizer_id, change)
    left join public.crm_organizers as organizer on organizer.id = activity.organizer_id
    group by 1, 2, 3, 4
    having sum(activity.change) <> 0
  ),
  by_person as (
    insert into public.crm_activity_counts_by_person as counted (user_id, assigned_to, quarter_hour, type, activities)
    select changed.user_id, changed.assigned_to, changed.quarter_hour, changed.type, changed.change
    from changed
    order by 1, 3, 4, 2
    on conflict (user_id, quarter_hour, type, assigned_to) do update set activities = counted.activities + excluded.activities
  )
  insert into public.crm_activity_counts as counted (quarter_hour, type, activities)
  select changed.quarter_hour, changed.type, sum(changed.change)
  from changed
  group by 1, 2
  having sum(changed.change) <> 0
  order by 1, 2
  on conflict (quarter_hour, type) do update set activities = counted.activities + excluded.activities;
end;
comment on function app.change_activity_counts is 'Counts these activities in (1) or out (-1), where what was counted in and out in one go costs nothing.';

create function app.count_activities() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform app.change_activity_counts(array_agg(activity_date), array_agg(type), array_agg(user_id), array_agg(organizer_id),
      array_agg(1))
    from after_change
    where task_status is null or task_status = 'completed'
    having count(*) > 0;
  elsif tg_op = 'DELETE' then
    perform app.change_activity_counts(array_agg(activity_date), array_agg(type), array_agg(user_id), array_agg(organizer_id),
      array_agg(-1))
    from before_change
    where task_status is null or task_status = 'completed'
    having count(*) > 0;
  else
    perform app.change_activity_counts(array_agg(activity_date), array_agg(type), array_agg(user_id), array_agg(organizer_id),
      array_agg(change))
    from (
      select activity_date, type, user_id, organizer_id, task_status, 1 as change from after_change
      union all
      select activity_date, type, user_id, organizer_id, task_status, -1 from before_change
    ) as changed
    where task_status is null or task_status = 'completed'
    having count(*) > 0;
  end if;
  return null;
end $$;
create trigger count_insert after insert on public.crm_activities
  referencing new table as after_change for each statement execute function app.count_activities();
create trigger count_update after update on public.crm_activities
  referencing old table as before_change new table as after_change for each statement execute function app.count_activities();
create trigger count_delete after delete on public.crm_activities
  referencing old table as before_change for each statement execute function app.count_activities();

-- An organizer that is handed over takes its counts along, and one that is about to go leaves them to nobody, from whom
-- its activities are counted out when they go with it.
create function app.hand_over_activity_counts() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  receiver pg_catalog.uuid := case when tg_op = 'UPDATE' then new.assigned_to end;
begin
  insert into public.crm_activity_counts_by_person as counted (user_id, assigned_to, quarter_hour, type, activities)
  select activity.user_id, owner.id, app.quarter_hour(activity.activity_date), activity.type, sum(owner.change)
  from public.crm_activities as activity, (values (old.assigned_to, -1), (receiver, 1)) as owner (id, change)
  where activity.organizer_id = old.id and (activity.task_status is null or activity.task_status = 'completed')
  group by 1, 2, 3, 4
  having sum(owner.change) <> 0
  order by 1, 3, 4, 2
  on conflict (user_id, quarter_hour, type, assigned_to) do update set activities = counted.activities + excluded.activities;
  return case when tg_op = 'UPDATE' then new else old end;
end $$;
create trigger hand_over_counts after update of assigned_to on public.crm_organizers
  for each row when (old.assigned_to is distinct from new.assigned_to) execute function app.hand_over_activity_counts();
create trigger leave_counts before delete on public.crm_organizers
  for each row execute function app.hand_over_activity_counts();

create function app.counted_activities()
returns table (user_id uuid, assigned_to uuid, quarter_hour timestamptz, type text, activities bigint)
language sql stable set search_path = ''
begin atomic
  select activity.user_id, organizer.assigned_to, app.quarter_hour(activity.activity_date), activity.type, count(*)
  from public.crm_activities as activity
  left join public.crm_organizers as organizer on organizer.id = activity.organizer_id
  where activity.task_status is null or activity.task_status = 'completed'
  group by 1, 2, 3, 4;
end;
comment on function app.counted_activities is 'What crm_activity_counts_by_person must say, counted from the activities.';

create function app.recount_activities() returns void
language sql set search_path = ''
begin atomic
  delete from public.crm_activity_counts_by_person;
  delete from public.crm_activity_counts;
  insert into public.crm_activity_counts_by_person (user_id, assigned_to, quarter_hour, type, activities)
  select counted.user_id, counted.assigned_to, counted.quarter_hour, counted.type, counted.activities
  from app.counted_activities() as counted
  order by 1, 3, 4;
  insert into public.crm_activity_counts (quarter_hour, type, activities)
  select counted.quarter_hour, counted.type, sum(counted.activities)
  from public.crm_activity_counts_by_person as counted
  group by 1, 2
  order by 1, 2;
end;
comment on function app.recount_activities is 'Counts anew from the activities: for a job that loaded them with triggers off.';

create function app.miscounted_activities() returns bigint
language sql stable set search_path = ''
begin atomic
  with by_person as (
    select counted.user_id, counted.assigned_to, counted.quarter_hour, counted.type, counted.activities
    from app.counted_activities() as counted
    union all
    select kept.user_id, kept.assigned_to, kept.quarter_hour, kept.type, -kept.activities
    from public.crm_activity_counts_by_person as kept
  ),
  company as (
    select activity.activity_date as moment, activity.type, 1 as activities
    from public.crm_activities as activity
    where activity.task_status is null or activity.task_status = 'completed'
    union all
    select kept.quarter_hour, kept.type, -kept.activities
    from public.crm_activity_counts as kept
  )
  select (
    select count(*) from (
      select from by_person group by user_id, assigned_to, quarter_hour, type having sum(activities) <> 0) as wrong
  ) + (
    select count(*) from (
      select from company group by app.quarter_hour(moment), type having sum(activities) <> 0) as wrong
  );
end;
comment on function app.miscounted_activities is 'Number of counts that are not those of the activities; 0 where all is well. For the owner: the others'' activities are out of a viewer''s sight.';

-- Undo of a click ---------------------------------------------------------------------------------------------

create function app.withdraw_activity(activity uuid) returns bigint
language sql security definer set search_path = ''
begin atomic
  with withdrawn as (
    delete from public.crm_activities as mistake
    where mistake.id = activity and mistake.user_id = app.viewer_id() and app.viewer_role() is not null
      and not mistake.is_task and mistake.version = 1 and mistake.created_at > now() - interval '10 minutes'
    returning 1
  )
  select count(*) from withdrawn;
end;
comment on function app.withdraw_activity is 'Takes back what the viewer has logged within the last ten minutes and nobody has edited; 1, or 0 where it is not so. Removing anything older is the admins'': it would take history away. The audit keeps both.';

revoke execute on all routines in schema app from public;
-- called by questions as the viewer
grant execute on function app.quarter_hour(timestamptz), app.engagement_score(bigint, timestamptz, timestamptz),
  app.withdraw_activity(uuid) to authenticated;

select app.recount_activities();

call app.protect('public.crm_activity_counts_by_person');
grant select on public.crm_activity_counts_by_person to authenticated;
create policy activity_counts_by_person_select on public.crm_activity_counts_by_person for select to authenticated
  using ((select app.sees_all()) or user_id = any ((select app.team())::uuid[])
    or assigned_to = any ((select app.team())::uuid[]));
call app.protect('public.crm_activity_counts');
grant select on public.crm_activity_counts to authenticated;
create policy activity_counts_select on public.crm_activity_counts for select to authenticated
  using ((select app.sees_all()));
