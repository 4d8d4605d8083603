-- Organizers: the companies that hold events and buy services.

create table public.crm_organizers (
  id uuid primary key default gen_random_uuid(),
  company_name text not null check (app.is_line(company_name)),
  industry text check (app.is_line(industry, 100)),
  company_size text check (company_size in ('startup', 'small', 'medium', 'large', 'enterprise')),
  website text check (app.is_web_address(website)),
  status text not null default 'active' check (status in ('active', 'inactive', 'prospect', 'archived')),
  lead_source text check (lead_source in ('referral', 'inbound', 'outbound', 'event', 'marketing', 'partner')),
  primary_email text check (app.is_email(primary_email)),
  primary_phone text check (app.is_line(primary_phone, 50)),
  address jsonb not null default '{}' check (app.is_object(address)),
  annual_events integer not null default 0 check (annual_events >= 0),
  total_revenue numeric(18, 2) not null default 0 check (app.is_amount(total_revenue)),
  lifetime_value numeric(18, 2) not null default 0 check (app.is_amount(lifetime_value)),
  engagement_score integer not null default 50 check (engagement_score between 0 and 100),
  health_score integer not null default 50 check (health_score between 0 and 100),
  churn_risk text not null default 'low' check (churn_risk in ('low', 'medium', 'high')),
  event_history jsonb not null default '[]' check (app.is_list(event_history)),
  tags text[] not null default '{}' check (app.is_tags(tags)),
  assigned_to uuid references auth.users (id),
  created_by uuid default app.actor_id() references auth.users (id),
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  updated_at timestamptz not null default now(),
  last_activity_at timestamptz check (app.is_moment(last_activity_at)),
  scored_at timestamptz,
  version integer not null default 1
);
comment on table public.crm_organizers is 'A company that organizes events.';
comment on column public.crm_organizers.address is '{street, city, province, postal_code, country}';
comment on column public.crm_organizers.event_history is 'Past events with revenue and satisfaction: [{event_id, event_date, revenue, satisfaction}]';
comment on column public.crm_organizers.scored_at is 'When the refresh last computed health and churn; null: never, the scores are defaults and no findings.';
comment on column public.crm_organizers.last_activity_at is 'The latest activity that has happened; null: none.';
create index idx_organizers_status on public.crm_organizers (status);
create index idx_organizers_assigned on public.crm_organizers (assigned_to);
create index idx_organizers_created_by on public.crm_organizers (created_by);
create index idx_organizers_industry on public.crm_organizers (industry);
create index idx_organizers_engagement on public.crm_organizers (engagement_score);
create index idx_organizers_search on public.crm_organizers using gin (to_tsvector('simple', app.fold(company_name)));
create index idx_organizers_tags on public.crm_organizers using gin (tags);
create index idx_organizers_event_history on public.crm_organizers using gin (event_history jsonb_path_ops);
create index idx_organizers_address on public.crm_organizers using gin (address jsonb_path_ops);

create trigger update_organizers_updated_at before update on public.crm_organizers
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_organizers');

call app.protect('public.crm_organizers');
grant select, delete,
  insert (id, company_name, industry, company_size, website, status, lead_source, primary_email, primary_phone, address,
    event_history, tags, assigned_to),
  update (company_name, industry, company_size, website, status, lead_source, primary_email, primary_phone, address,
    event_history, tags, assigned_to)
  on public.crm_organizers to authenticated;
create policy organizers_select on public.crm_organizers for select to authenticated
  using ((select app.sees_all()) or assigned_to = any ((select app.team())::uuid[]));
create policy organizers_insert on public.crm_organizers for insert to authenticated
  with check ((select app.is_admin()) or assigned_to = any ((select app.team())::uuid[]));
create policy organizers_update on public.crm_organizers for update to authenticated
  using ((select app.is_admin()) or assigned_to = any ((select app.team())::uuid[]))
  with check ((select app.is_admin()) or assigned_to = any ((select app.team())::uuid[]));
create policy organizers_delete on public.crm_organizers for delete to authenticated
  using ((select app.is_admin()));

create function app.own_organizers() returns setof uuid
language sql stable parallel safe security definer set search_path = ''
begin atomic
  select organizer.id from public.crm_organizers as organizer
  where organizer.assigned_to = any ((select app.team())::uuid[]);
end;
comment on function app.own_organizers is 'The organizers of the viewer and the viewer''s team: what hangs on them is theirs to see and to write.';
revoke execute on all routines in schema app from public;
grant execute on function app.own_organizers() to authenticated;

-- Scores as they were at each refresh ---------------------------------------------------------------------

create table public.crm_organizer_scores (
  organizer_id uuid not null references public.crm_organizers (id) on delete cascade,
  scored_on date not null check (app.is_day(scored_on)),
  engagement_score integer not null check (engagement_score between 0 and 100),
  health_score integer check (health_score between 0 and 100),
  churn_risk text check (churn_risk in ('low', 'medium', 'high')),
  churn_probability double precision check (churn_probability between 0 and 1),
  observed_share double precision check (observed_share between 0 and 1),
  parts jsonb not null default '{}' check (app.is_object(parts)),
  primary key (organizer_id, scored_on)
);
comment on table public.crm_organizer_scores is 'One row per organizer and day of a refresh.';
comment on column public.crm_organizer_scores.observed_share is 'Share of the health score''s weight that could be observed.';
create index idx_organizer_scores_day on public.crm_organizer_scores (scored_on);

create trigger announce after insert or update or delete on public.crm_organizer_scores
  for each statement execute function app.announce();
call app.protect('public.crm_organizer_scores');
grant select on public.crm_organizer_scores to authenticated;
create policy organizer_scores_select on public.crm_organizer_scores for select to authenticated
  using ((select app.sees_all()) or organizer_id in (select app.own_organizers()));
