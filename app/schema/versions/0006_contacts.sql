-- Contacts: the people at organizers.

create table public.crm_contacts (
  id uuid primary key default gen_random_uuid(),
  organizer_id uuid not null references public.crm_organizers (id) on delete cascade,
  full_name text not null check (app.is_line(full_name)),
  title text check (app.is_line(title)),
  department text check (app.is_line(department)),
  email text not null check (app.is_email(email)),
  phone text check (app.is_line(phone, 50)),
  mobile text check (app.is_line(mobile, 50)),
  linkedin_url text check (app.is_web_address(linkedin_url)),
  is_primary boolean not null default false,
  is_decision_maker boolean not null default false,
  vip_status boolean not null default false,
  influence_level text check (influence_level in ('low', 'medium', 'high')),
  communication_preference text not null default 'email'
    check (communication_preference in ('email', 'phone', 'whatsapp', 'any')),
  timezone text not null default 'America/Toronto' check (app.is_time_zone(timezone)),
  language text not null default 'en' check (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'),
  last_contact_date timestamptz check (app.is_moment(last_contact_date)),
  engagement_score integer not null default 50 check (engagement_score between 0 and 100),
  notes text check (app.is_text(notes, 20000)),
  tags text[] not null default '{}' check (app.is_tags(tags)),
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  unique (id, organizer_id)  -- lets an activity or note prove that its contact belongs to its organizer
);
comment on table public.crm_contacts is 'A person at an organizer.';
comment on column public.crm_contacts.last_contact_date is 'The latest activity with this person that has happened; kept by trigger.';
create index idx_contacts_organizer on public.crm_contacts (organizer_id);
create index idx_contacts_email on public.crm_contacts (email);
create index idx_contacts_primary on public.crm_contacts (is_primary) where is_primary = true;
create index idx_contacts_vip on public.crm_contacts (vip_status) where vip_status = true;
create unique index idx_contacts_one_primary on public.crm_contacts (organizer_id) where is_primary = true;
create unique index idx_contacts_one_email on public.crm_contacts (organizer_id, lower(email));
create index idx_contacts_search on public.crm_contacts
  using gin (to_tsvector('simple', app.fold(full_name || ' ' || email || ' ' || coalesce(title, ''))));
create index idx_contacts_tags on public.crm_contacts using gin (tags);

create function app.make_primary_contact(contact uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
  changed integer;
begin
  -- Two steps: within one UPDATE the unique index is checked row by row, and the outcome depends on their order.
  update public.crm_contacts set is_primary = false
  where is_primary and organizer_id = (select organizer_id from public.crm_contacts where id = contact) and id <> contact;
  update public.crm_contacts set is_primary = true where id = contact;
  get diagnostics changed = row_count;
  return changed;
end $$;
comment on function app.make_primary_contact is 'Makes a contact the organizer''s primary one; 1, or 0 where the viewer may not.';
revoke execute on all routines in schema app from public;
grant execute on function app.make_primary_contact(uuid) to authenticated;

create trigger update_contacts_updated_at before update on public.crm_contacts
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_contacts');

call app.protect('public.crm_contacts');
grant select, delete,
  insert (id, organizer_id, full_name, title, department, email, phone, mobile, linkedin_url, is_primary, is_decision_maker,
    vip_status, influence_level, communication_preference, timezone, language, notes, tags),
  update (organizer_id, full_name, title, department, email, phone, mobile, linkedin_url, is_primary, is_decision_maker,
    vip_status, influence_level, communication_preference, timezone, language, notes, tags)
  on public.crm_contacts to authenticated;
create policy contacts_select on public.crm_contacts for select to authenticated
  using ((select app.sees_all()) or organizer_id in (select app.own_organizers()));
create policy contacts_insert on public.crm_contacts for insert to authenticated
  with check ((select app.is_admin()) or organizer_id in (select app.own_organizers()));
create policy contacts_update on public.crm_contacts for update to authenticated
  using ((select app.is_admin()) or organizer_id in (select app.own_organizers()))
  with check ((select app.is_admin()) or organizer_id in (select app.own_organizers()));
create policy contacts_delete on public.crm_contacts for delete to authenticated
  using ((select app.is_admin()));
