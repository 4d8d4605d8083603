-- Notes on organizers, contacts and opportunities.

create table public.crm_notes (
  id uuid primary key default gen_random_uuid(),
  organizer_id uuid references public.crm_organizers (id) on delete cascade,
  contact_id uuid,
  opportunity_id uuid,
  title text check (app.is_line(title)),
  content text not null check (app.is_text(content, 100000) and btrim(content) <> ''),
  is_pinned boolean not null default false,
  tags text[] not null default '{}' check (app.is_tags(tags)),
  created_by uuid not null default app.actor_id() references auth.users (id),
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  check (num_nonnulls(organizer_id, contact_id, opportunity_id) > 0),
  -- as with activities: one organizer, and a contact's removal keeps the note
  foreign key (contact_id, organizer_id) references public.crm_contacts (id, organizer_id)
    on update cascade on delete set null (contact_id) deferrable,
  foreign key (opportunity_id, organizer_id) references public.crm_opportunities (id, organizer_id)
    on update cascade on delete cascade deferrable
);
comment on table public.crm_notes is 'What somebody wrote down about an organizer, a person there, or a deal.';
create index idx_notes_organizer on public.crm_notes (organizer_id);
create index idx_notes_contact on public.crm_notes (contact_id);
create index idx_notes_opportunity on public.crm_notes (opportunity_id);
create index idx_notes_created_by on public.crm_notes (created_by);
create index idx_notes_pinned on public.crm_notes (is_pinned) where is_pinned = true;
create index idx_notes_search on public.crm_notes
  using gin (to_tsvector('simple', app.fold(coalesce(title, '') || ' ' || content)));
create index idx_notes_tags on public.crm_notes using gin (tags);

create trigger fill_organizer before insert or update on public.crm_notes
  for each row execute function app.fill_organizer();
create trigger update_notes_updated_at before update on public.crm_notes
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_notes');

call app.protect('public.crm_notes');
grant select, delete,
  insert (id, organizer_id, contact_id, opportunity_id, title, content, is_pinned, tags, created_by),
  update (organizer_id, contact_id, opportunity_id, title, content, is_pinned, tags)
  on public.crm_notes to authenticated;
create policy notes_select on public.crm_notes for select to authenticated
  using ((select app.sees_all()) or organizer_id in (select app.own_organizers()));
create policy notes_insert on public.crm_notes for insert to authenticated
  with check ((select app.is_admin())
    or created_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
create policy notes_update on public.crm_notes for update to authenticated
  using ((select app.is_admin())
    or created_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()))
  with check ((select app.is_admin())
    or created_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
create policy notes_delete on public.crm_notes for delete to authenticated
  using ((select app.is_admin())
    or created_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
