-- People, their roles and reporting line, and the helpers by which every policy asks who is looking.

create table public.crm_settings (
  id boolean primary key default true check (id),
  organisation_name text not null default 'EventOS' check (app.is_line(organisation_name)),
  report_currency text not null default 'CAD' check (app.is_currency(report_currency)),
  time_zone text not null default 'America/Toronto' check (app.is_time_zone(time_zone)),
  fiscal_year_first_month integer not null default 1 check (fiscal_year_first_month between 1 and 12),
  updated_at timestamptz not null default now(),
  version integer not null default 1
);
comment on table public.crm_settings is 'One row: what holds for the whole organisation.';
comment on column public.crm_settings.report_currency is 'Totals are shown in it; exchange rates lead to it.';
comment on column public.crm_settings.time_zone is 'Decides which calendar day and month a moment belongs to.';
insert into public.crm_settings default values;

create table public.crm_profiles (
  user_id uuid primary key references auth.users (id),
  full_name text not null check (app.is_line(full_name)),
  manager_id uuid references public.crm_profiles (user_id),
  time_zone text not null default 'America/Toronto' check (app.is_time_zone(time_zone)),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  check (manager_id <> user_id)
);
comment on table public.crm_profiles is 'A person who works here. Leavers are not deleted but no longer active: their records stay, their access ends at the next click.';
create index idx_profiles_manager on public.crm_profiles (manager_id);

create table public.crm_user_roles (
  user_id uuid primary key references auth.users (id),
  role text not null check (role in ('rep', 'manager', 'executive', 'admin')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1
);
comment on table public.crm_user_roles is 'One role a person; without one, nothing is visible.';

-- Who is looking ------------------------------------------------------------------------------------------
-- SECURITY DEFINER with an empty search_path: they read tables that the viewer can't, and a table of the same
-- name in pg_temp can't take their place. None takes an argument that chooses the user. Policies call them as
-- (select app.helper()), so that each runs once a query (12 times faster than once a row).

create function app.actor_id() returns uuid
language sql stable parallel safe set search_path = ''
return nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid;
comment on function app.actor_id is 'The viewer, or null where nobody is bound: for triggers, since the owner''s jobs write without a viewer. Claims that are none raise. (Catching that would begin a subtransaction, which PostgreSQL 15 refuses in a parallel query.)';

create function app.viewer_id() returns uuid
language plpgsql stable parallel safe set search_path = ''
as $$
begin
  if app.actor_id() is null then
    raise insufficient_privilege using message = 'Nobody is signed in on this connection.',
      hint = 'Open it through reading(viewer) or writing(viewer). No rows would draw a believable empty pipeline.';
  end if;
  return app.actor_id();
end $$;
comment on function app.viewer_id is 'The viewer; raises where nobody is bound.';

create function app.viewer_role() returns text
language sql stable parallel safe security definer set search_path = ''
begin atomic
  select held.role
  from public.crm_user_roles as held
  join public.crm_profiles as person using (user_id)
  where held.user_id = app.viewer_id() and person.is_active;
end;
comment on function app.viewer_role is 'rep, manager, executive or admin; null for a leaver and for somebody without a role.';

create function app.is_admin() returns boolean
language sql stable parallel safe security definer set search_path = ''
return coalesce(app.viewer_role() = 'admin', false);

create function app.sees_all() returns boolean
language sql stable parallel safe security definer set search_path = ''
return coalesce(app.viewer_role() in ('executive', 'admin'), false);

create function app.team() returns uuid[]
language sql stable parallel safe security definer set search_path = ''
begin atomic
  with recursive members (user_id) as (
    select app.viewer_id() where app.viewer_role() in ('rep', 'manager')
    union  -- not UNION ALL: a ring in the reporting line ends here
    select report.user_id
    from members
    join public.crm_profiles as report on report.manager_id = members.user_id
    where app.viewer_role() = 'manager'
  )
  select coalesce(array_agg(user_id), '{}') from members;
end;
comment on function app.team is 'Whose rows the viewer may see and write: a rep''s own, a manager''s and those of everybody below. Empty for executive and admin, who are asked by sees_all() and is_admin().';

create function app.organisation_time_zone() returns text
language sql stable parallel safe security definer set search_path = ''
return (select time_zone from public.crm_settings);

create function app.today() returns date
language sql stable parallel safe set search_path = ''
return coalesce(
  nullif(current_setting('eventos.today', true), '')::date,
  (now() at time zone app.organisation_time_zone())::date);
comment on function app.today is 'The calendar day at the organisation, or the one bound by the door.';

create function app.viewer(
  out id uuid, out email text, out full_name text, out role text, out role_version text, out team uuid[],
  out time_zone text, out organisation_name text, out report_currency text, out organisation_time_zone text,
  out fiscal_year_first_month integer, out today date)
returns setof record
language sql stable security definer set search_path = ''
begin atomic
  select person.user_id, account.email::text, person.full_name, app.viewer_role(),
    md5(concat_ws('|', app.viewer_role(), app.team()::text)),
    case when not app.sees_all() then app.team() end,
    person.time_zone, settings.organisation_name, settings.report_currency, settings.time_zone,
    settings.fiscal_year_first_month, app.today()
  from public.crm_profiles as person
  join auth.users as account on account.id = person.user_id
  cross join public.crm_settings as settings
  where person.user_id = app.viewer_id() and app.viewer_role() is not null;
end;
comment on function app.viewer is 'Who is looking, in one row; none for a leaver or somebody without a role. role_version moves with the role and with the team.';

do $$
begin
  if not exists (select from pg_proc where pronamespace = 'public'::regnamespace and proname = 'has_role') then
    -- The document's policies ask has_role(auth.uid(), 'admin'). It answers about the viewer only: asked about
    -- somebody else it would tell everybody's roles.
    create function public.has_role(user_id uuid, role text) returns boolean
    language sql stable security definer set search_path = ''
    return user_id = app.viewer_id() and coalesce(app.viewer_role() = role, false);
    revoke execute on function public.has_role(uuid, text) from public, anon, authenticated, service_role;
    grant execute on function public.has_role(uuid, text) to authenticated;
  end if;
end $$;

-- Every file ends its functions with this line: what people may execute is listed. A trigger function that anybody may
-- execute can be hung on a table of one's own, called crm_organizers, and writes what one likes into the audit.
revoke execute on all routines in schema app from public;
grant execute on function app.viewer_id(), app.actor_id(), app.viewer_role(), app.is_admin(), app.sees_all(), app.team(),
  app.viewer(), app.today(), app.organisation_time_zone(), app.fold(text),
  app.is_line(text, integer), app.is_text(text, integer), app.is_email(text), app.is_web_address(text),
  app.is_tags(text[]), app.is_object(jsonb), app.is_list(jsonb), app.is_amount(numeric), app.is_currency(text),
  app.is_day(date), app.is_moment(timestamptz), app.is_time_zone(text) to authenticated;

-- Access --------------------------------------------------------------------------------------------------

call app.protect('public.crm_settings');
grant select, update (organisation_name, report_currency, time_zone, fiscal_year_first_month)
  on public.crm_settings to authenticated;
create policy settings_select on public.crm_settings for select to authenticated
  using ((select app.viewer_role()) is not null);
create policy settings_update on public.crm_settings for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()));

call app.protect('public.crm_profiles');
grant select, insert (user_id, full_name, manager_id, time_zone, is_active),
  update (full_name, manager_id, time_zone, is_active), delete on public.crm_profiles to authenticated;
create policy profiles_select on public.crm_profiles for select to authenticated
  using ((select app.sees_all()) or is_active and (select app.viewer_role()) is not null);
create policy profiles_insert on public.crm_profiles for insert to authenticated
  with check ((select app.is_admin()));
create policy profiles_update on public.crm_profiles for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()));
create policy profiles_delete on public.crm_profiles for delete to authenticated
  using ((select app.is_admin()));

call app.protect('public.crm_user_roles');
grant select, insert (user_id, role), update (role), delete on public.crm_user_roles to authenticated;
create policy user_roles_select on public.crm_user_roles for select to authenticated
  using ((select app.sees_all()) or user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy user_roles_insert on public.crm_user_roles for insert to authenticated
  with check ((select app.is_admin()));
create policy user_roles_update on public.crm_user_roles for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()));
create policy user_roles_delete on public.crm_user_roles for delete to authenticated
  using ((select app.is_admin()));
